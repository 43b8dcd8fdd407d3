//! Which routes stand behind which door. Port 8080 carries every HTTP API under a prefix, the others the peers' own
//! paths; an API is built once and mounted in both places.

use crate::config::doors::Door;
use crate::reload::Reload;
use axum::Router;
use axum::extract::{RawQuery, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use platform::metrics::Registry;
use receive::Receiver;
use serve::State;
use std::sync::Arc;
use store::Store;
use tokio::sync::mpsc;

/// Prefixes on 8080 that belong to doors which do not exist yet.
const LATER: &[(&str, &str)] = &[("/alertmanager", "Alertmanager's API"), ("/opa", "OPA's REST API")];

/// What routers are made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) receiver: Receiver,
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) outside: Outside,
}

/// What routes need of the process around them.
#[derive(Clone)]
pub(crate) struct Outside {
    /// Default doors that others hold, one sentence each.
    pub(crate) skipped: Arc<[String]>,
    /// Asks for the configuration to be read again.
    pub(crate) reload: mpsc::Sender<Reload>,
}

/// The router of `door`.
pub(crate) fn router(door: Door, parts: &Parts) -> Router {
    let Parts { receiver, state, .. } = parts;
    let router = match door {
        Door::Ui => return everything(parts),
        Door::OtlpGrpc | Door::OtlpHttp => receive::door::otlp(receiver),
        Door::Prometheus => prometheus(parts).route("/metrics", metrics(parts)),
        Door::Loki => loki(parts).route("/metrics", metrics(parts)),
        Door::Tempo => serve::tempo::router(state.clone()).route("/metrics", metrics(parts)),
        Door::JaegerQuery | Door::JaegerGrpc => serve::jaeger::router(state.clone()),
        Door::JaegerThrift | Door::JaegerCollector => receive::door::jaeger(receiver),
        Door::JaegerSampling => receive::door::sampling(receiver),
        Door::Zipkin => zipkin(parts),
    };
    refusing(router)
}

/// `router` with the ecosystem's own words for paths and methods it does not have.
fn refusing(router: Router) -> Router {
    router
        .fallback(async |headers: HeaderMap| {
            not_there(&headers, StatusCode::NOT_FOUND, "404 page not found\n")
        })
        .method_not_allowed_fallback(async |headers: HeaderMap| {
            not_there(&headers, StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
        })
}

/// A gRPC call is told so in its own way: status 12, unimplemented.
fn not_there(headers: &HeaderMap, status: StatusCode, text: &'static str) -> Response {
    let content = headers.get(CONTENT_TYPE);
    if content.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        let headers =
            [("content-type", "application/grpc"), ("grpc-status", "12"), ("grpc-message", "no such method")];
        return (StatusCode::OK, headers, ()).into_response();
    }
    (status, text).into_response()
}

fn prometheus(parts: &Parts) -> Router {
    serve::prometheus::router(parts.state.clone())
        .merge(receive::door::prometheus(&parts.receiver))
        .merge(crate::reload::router(parts.outside.reload.clone()))
}

fn loki(parts: &Parts) -> Router {
    serve::loki::router(parts.state.clone()).merge(receive::door::loki(&parts.receiver))
}

fn zipkin(parts: &Parts) -> Router {
    serve::zipkin::router(parts.state.clone()).merge(receive::door::zipkin(&parts.receiver))
}

/// Port 8080.
fn everything(parts: &Parts) -> Router {
    let state = &parts.state;
    let mut router = Router::new()
        .nest("/prometheus", refusing(prometheus(parts)))
        .nest("/loki", refusing(loki(parts)))
        .nest("/tempo", refusing(serve::tempo::router(state.clone())))
        .nest("/jaeger", refusing(serve::jaeger::router(state.clone())))
        .nest("/zipkin", refusing(zipkin(parts)))
        .nest("/otlp", refusing(receive::door::otlp(&parts.receiver)))
        .merge(serve::api::router(state.clone()))
        .route("/metrics", metrics(parts))
        .route("/-/healthy", get(async || "Binnacle is healthy.\n"))
        .route("/-/ready", get(ready).with_state((state.clone(), parts.outside.skipped.clone())))
        .merge(crate::reload::router(parts.outside.reload.clone()))
        .merge(crate::admin::router(parts.store.clone()));
    for (prefix, name) in LATER {
        let answer = format!("unsupported: {name} is not there yet\n");
        let handler = any(async move || (StatusCode::NOT_IMPLEMENTED, answer.clone()));
        router = router.route(prefix, handler.clone()).route(&format!("{prefix}/{{*rest}}"), handler);
    }
    router.merge(serve::ui::router())
}

/// Whether requests are served; `?verbose` also names the default doors that another process holds.
async fn ready(
    Extract((state, skipped)): Extract<(State, Arc<[String]>)>,
    RawQuery(query): RawQuery,
) -> impl IntoResponse {
    let (status, mut text) = match state.process.ready() {
        Ok(()) => (StatusCode::OK, "Binnacle is ready.\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    };
    let verbose = query.is_some_and(|query| query.split('&').any(|name| name == "verbose"));
    for sentence in skipped.iter().filter(|_| verbose) {
        text.push_str(sentence);
        text.push('\n');
    }
    (status, text)
}

/// Our own metrics.
fn metrics(parts: &Parts) -> axum::routing::MethodRouter {
    let registry = parts.registry.clone();
    get(async move || ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], registry.render()))
}
