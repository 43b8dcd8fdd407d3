//! The embedded UI: what `ui/dist` held when the binary was built, with one page for every path it does not have.
//!
//! Hashed assets never change and are cached for a year; the page itself is asked for anew each time, and answered with
//! 304 when it has not changed. Text is compressed once and kept. Without a build the answer says how to make one.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::{EmbeddedFile, RustEmbed};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

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
/// Files below this size gain nothing by compression.
const GZIP_BYTES_MIN: usize = 1_024;
/// Media types that compress well; images and fonts are compressed already.
const TEXT_TYPES: [&str; 5] =
    ["text/", "application/javascript", "application/json", "application/manifest", "image/svg"];
/// Compressed files by path: as many as the build has, at most.
static GZIPPED: Mutex<BTreeMap<String, Bytes>> = Mutex::new(BTreeMap::new());
const NOT_BUILT: &str =
    "this binary was built without the UI: run `make ui` and build again; the APIs work without it";

/// Serves the UI on every path that no other route has.
pub fn router() -> Router {
    Router::new().fallback(serve)
}

async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, "the UI is read with GET\n").into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Dist::get(path).filter(|_| !path.is_empty()) {
        return answer(path, file, &headers);
    }
    if path.starts_with(HASHED) || path.starts_with("api/") {
        return (StatusCode::NOT_FOUND, format!("no {}\n", uri.path())).into_response();
    }
    match Dist::get(PAGE) {
        Some(page) => answer(PAGE, page, &headers),
        None => (StatusCode::NOT_FOUND, format!("{NOT_BUILT}\n")).into_response(),
    }
}

fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_text = TEXT_TYPES.iter().any(|kind| file.metadata.mimetype().starts_with(kind));
    let zipped = is_text && file.data.len() >= GZIP_BYTES_MIN && takes_gzip(asked);
    let tag = tag(&file, zipped);
    let kind = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut response = if known.flat_map(|tags| tags.split(',')).any(|known| known.trim() == tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if zipped {
        gzipped(path, &file.data).into_response()
    } else {
        file.data.into_owned().into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    if zipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    let fixed: [(HeaderName, &'static str); 5] = [
        (VARY, "accept-encoding"),
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The content's hash; another one for each encoding.
fn tag(file: &EmbeddedFile, zipped: bool) -> String {
    let hash = file.metadata.sha256_hash();
    let number = hash.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("\"{number:032x}{}\"", if zipped { "-gzip" } else { "" })
}

/// Whether the client reads gzip: named, or all encodings are, and not with weight 0.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>().unwrap_or(1.0);
        matches!(name.trim(), "gzip" | "*") && weight > 0.0
    })
}

fn gzipped(path: &str, data: &[u8]) -> Bytes {
    let mut kept = GZIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = kept.get(path) {
        return bytes.clone();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A `Vec` takes every byte.
    let bytes: Bytes = encoder.write_all(data).and_then(|()| encoder.finish()).unwrap_or_default().into();
    kept.insert(path.to_owned(), bytes.clone());
    bytes
}
