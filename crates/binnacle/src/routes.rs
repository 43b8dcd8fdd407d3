//! Which routes stand behind which door. Port 8080 carries every HTTP API under a prefix, the others the peers' own
//! paths; an API is built once and mounted in both places.

use crate::config::doors::Door;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use platform::metrics::Registry;
use receive::Receiver;
use serve::State;

/// Prefixes on 8080 that belong to doors which do not exist yet.
const LATER: &[(&str, &str)] = &[("/alertmanager", "Alertmanager's API"), ("/opa", "OPA's REST API")];

/// What routers are made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) receiver: Receiver,
    pub(crate) state: State,
    pub(crate) registry: Registry,
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
        .route("/-/ready", get(ready).with_state(state.clone()));
    for (prefix, name) in LATER {
        let answer = format!("unsupported: {name} is not there yet\n");
        let handler = any(async move || (StatusCode::NOT_IMPLEMENTED, answer.clone()));
        router = router.route(prefix, handler.clone()).route(&format!("{prefix}/{{*rest}}"), handler);
    }
    router.merge(serve::ui::router())
}

async fn ready(axum::extract::State(state): axum::extract::State<State>) -> impl IntoResponse {
    match state.process.ready() {
        Ok(()) => (StatusCode::OK, "Binnacle is ready.\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

/// Our own metrics.
fn metrics(parts: &Parts) -> axum::routing::MethodRouter {
    let registry = parts.registry.clone();
    get(async move || ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], registry.render()))
}
