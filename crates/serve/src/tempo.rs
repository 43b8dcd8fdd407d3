//! Tempo's query API at its own paths: what Grafana's Tempo data source and Traces Drilldown call.
//!
//! Wire format as in Grafana Tempo's HTTP API reference. Errors are plain text, as Tempo's. An answer that misses
//! data says so: `status: PARTIAL` where the message has it, unfinished jobs and a `warning` header elsewhere.

mod encode;
mod failure;
mod grpc;
mod metrics;
mod params;
mod search;
mod status;
mod tags;
mod trace;

use crate::State;
use axum::Router;
use axum::routing::{any, get};
use tower_http::compression::CompressionLayer;

/// Tempo's query routes, and its streaming search over gRPC.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/api/traces/{id}", get(trace::v1))
        .route("/api/v2/traces/{id}", get(trace::v2))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tags::names_v1))
        .route("/api/v2/search/tags", get(tags::names_v2))
        .route("/api/search/tag/{tag}/values", get(tags::values_v1))
        .route("/api/v2/search/tag/{tag}/values", get(tags::values_v2))
        .route("/api/metrics/query_range", get(metrics::range))
        .route("/api/metrics/query", get(metrics::instant))
        .route("/api/echo", get(status::echo))
        .route("/api/status/buildinfo", get(status::buildinfo))
        .route("/ready", get(status::ready))
        .route("/api/v2/traces/diff", any(status::unsupported))
        .route("/api/overrides", any(status::unsupported))
        .route("/api/mcp", any(status::unsupported))
        .layer(CompressionLayer::new())
        .with_state(state.clone())
        .merge(grpc::router(state))
}
