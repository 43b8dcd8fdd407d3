//! Binnacle's own API under `/api/binnacle/v1`: what the first screen and the command line need and no peer's API has.
//!
//! Names are camelCase; times are milliseconds since the epoch (`...Ms`, numbers) or nanoseconds (`...Ns`, text, as
//! they do not fit a JavaScript number); durations are nanoseconds as numbers. Every answer that reads signals says
//! whether it is `complete` and what is `missing`. Errors are `{"error":{"field","message"}}`.

mod changes;
mod failure;
mod map;
mod openapi;
mod params;
mod red;
mod services;
mod trace;
mod trace_logs;
mod waterfall;

use crate::State;
use crate::body;
use axum::Router;
use axum::extract::State as Extract;
use axum::response::Response;
use axum::routing::{any, get};
use serde_json::json;
use tower_http::compression::CompressionLayer;

/// Binnacle's own routes.
pub fn router(state: State) -> Router {
    let calls = Router::new()
        .route("/status", get(status))
        .route("/services", get(services::list))
        .route("/services/{name}", get(services::one))
        .route("/map", get(map::map))
        .route("/changes", get(changes::list).post(changes::post))
        .route("/traces/{id}", get(trace::waterfall))
        .route("/traces/{id}/spans/{span}", get(trace::span))
        .route("/traces/{id}/logs", get(trace_logs::logs))
        .route("/openapi.json", get(openapi::document))
        .fallback(failure::no_such_call);
    Router::new()
        .nest("/api/binnacle/v1", calls)
        .route("/api/binnacle/v1/", any(failure::no_such_call))
        .layer(CompressionLayer::new())
        .with_state(state)
}

/// `/status`: version and readiness.
async fn status(Extract(state): Extract<State>) -> Response {
    let ready = state.process.ready();
    let answer = json!({
        "version": state.process.version(),
        "revision": state.process.revision(),
        "startedMs": state.process.started_ns() / 1_000_000,
        "nowMs": state.clock.now_ms(),
        "retention": state.process.retention(),
        "ready": ready.is_ok(),
        "waitingFor": ready.err(),
    });
    body::json(axum::http::StatusCode::OK, &answer)
}
