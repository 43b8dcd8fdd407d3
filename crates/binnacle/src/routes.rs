//! Which routes stand behind which door. Port 8080 carries every HTTP API under a prefix, the others the peers' own
//! paths; an API is built once and mounted in both places.

use crate::config::doors::Door;
use axum::Router;
use axum::extract::{RawQuery, State as Extract};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use platform::metrics::Registry;
use receive::Receiver;
use serve::State;
use store::Store;
use std::sync::Arc;

/// Prefixes on 8080 that belong to doors which do not exist yet.
const LATER: &[(&str, &str)] = &[("/alertmanager", "Alertmanager's API"), ("/opa", "OPA's REST API")];

/// What routers are made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) receiver: Receiver,
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    /// Default doors that others hold, one sentence each.
    pub(crate) skipped: Arc<[String]>,
}

/// The router of `door`.
pub(crate) fn router(door: Door, parts: &Parts) -> Router {
    let Parts { receiver, state, .. } = parts;
    match door {
        Door::Ui => everything(parts),
        Door::OtlpGrpc | Door::OtlpHttp => receive::door::otlp(receiver),
        Door::Prometheus => prometheus(parts).route("/metrics", metrics(parts)),
        Door::Loki => loki(parts).route("/metrics", metrics(parts)),
        Door::Tempo => serve::tempo::router(state.clone()).route("/metrics", metrics(parts)),
        Door::JaegerQuery | Door::JaegerGrpc => serve::jaeger::router(state.clone()),
        Door::JaegerThrift | Door::JaegerCollector => receive::door::jaeger(receiver),
        Door::JaegerSampling => receive::door::sampling(receiver),
        Door::Zipkin => zipkin(parts),
    }
}

fn prometheus(parts: &Parts) -> Router {
    serve::prometheus::router(parts.state.clone()).merge(receive::door::prometheus(&parts.receiver))
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
        .nest("/prometheus", prometheus(parts))
        .nest("/loki", loki(parts))
        .nest("/tempo", serve::tempo::router(state.clone()))
        .nest("/jaeger", serve::jaeger::router(state.clone()))
        .nest("/zipkin", zipkin(parts))
        .nest("/otlp", receive::door::otlp(&parts.receiver))
        .merge(serve::api::router(state.clone()))
        .route("/metrics", metrics(parts))
        .route("/-/healthy", get(async || "Binnacle is healthy.\n"))
        .route("/-/ready", get(ready).with_state((state.clone(), parts.skipped.clone())))
        .route("/-/compact", post(compact).with_state(parts.store.clone()));
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

/// Flushes and merges until nothing is left; the answer comes then.
async fn compact(Extract(store): Extract<Store>) -> impl IntoResponse {
    match platform::task::blocking("compact", move || store.compact()).await {
        Some(Ok(())) => (StatusCode::OK, "Binnacle is compacted.\n".to_owned()),
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("not compacted: {error}\n")),
        None => (StatusCode::SERVICE_UNAVAILABLE, "not compacted: the process is stopping\n".to_owned()),
    }
}

/// Our own metrics.
fn metrics(parts: &Parts) -> axum::routing::MethodRouter {
    let registry = parts.registry.clone();
    get(async move || ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], registry.render()))
}
