//! The embedded UI: what `ui/dist` held when the binary was built, with one page for every path it does not have.
//!
//! Hashed assets never change and are cached for a year; the page itself is asked for anew each time. Without a build
//! the answer says how to make one.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Dist;

/// Scripts, styles and connections of this origin alone; the component library sets style attributes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

const PAGE: &str = "index.html";
/// Where the build puts files whose names carry a hash of their content.
const HASHED: &str = "assets/";
const NOT_BUILT: &str =
    "this binary was built without the UI: run `make ui` and build again; the APIs work without it";

/// Serves the UI on every path that no other route has.
pub fn router() -> Router {
    Router::new().fallback(serve)
}

async fn serve(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, "the UI is read with GET\n").into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Dist::get(path).filter(|_| !path.is_empty()) {
        return answer(file, path.starts_with(HASHED));
    }
    if path.starts_with(HASHED) || path.starts_with("api/") {
        return (StatusCode::NOT_FOUND, format!("no {}\n", uri.path())).into_response();
    }
    match Dist::get(PAGE) {
        Some(page) => answer(page, false),
        None => (StatusCode::NOT_FOUND, format!("{NOT_BUILT}\n")).into_response(),
    }
}

fn answer(file: EmbeddedFile, is_hashed: bool) -> Response {
    let cache = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let fixed: [(HeaderName, &'static str); 4] = [
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = file.data.into_owned().into_response();
    response.headers_mut().insert(CONTENT_TYPE, kind);
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
