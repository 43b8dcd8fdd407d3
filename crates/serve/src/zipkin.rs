//! Zipkin's query API v2 at its own paths (zipkin.io/zipkin-api), and under `/zipkin`, where its UI calls it. Ingestion is
//! `receive`'s.
//!
//! Errors are plain text, as Zipkin's. Autocomplete answers nothing: it lists keys a Zipkin server was configured
//! with, and Binnacle has no such list.

mod calls;
mod failure;

use crate::State;
use axum::Router;
use axum::routing::{any, get};
use tower_http::compression::CompressionLayer;

/// Zipkin's query routes.
pub fn router(state: State) -> Router {
    Router::new()
        .merge(queries())
        .nest("/zipkin", queries())
        .route("/health", get(calls::health))
        .route("/info", any(calls::unsupported))
        .route("/zipkin/config.json", any(calls::unsupported))
        .layer(CompressionLayer::new())
        .with_state(state)
}

fn queries() -> Router<State> {
    Router::new()
        .route("/api/v2/services", get(calls::services))
        .route("/api/v2/spans", get(calls::spans))
        .route("/api/v2/remoteServices", get(calls::remote_services))
        .route("/api/v2/traces", get(calls::traces))
        .route("/api/v2/traceMany", get(calls::trace_many))
        .route("/api/v2/trace/{id}", get(calls::trace))
        .route("/api/v2/dependencies", get(calls::dependencies))
        .route("/api/v2/autocompleteKeys", get(calls::autocomplete))
        .route("/api/v2/autocompleteValues", get(calls::autocomplete))
}
