//! Jaeger's query API: v1 JSON and v3 HTTP for Grafana and Jaeger's UI, v2 and v3 over gRPC.
//!
//! Current Jaeger has dropped v1's search, while Grafana still calls it by default; both are served. Formats as in the
//! `jaeger-idl` repository's descriptions (`api_v2`, `api_v3`) and Jaeger's documentation of its HTTP API.

mod api_v3;
mod failure;
pub(crate) mod find;
mod grpc;
mod v1;
mod v1_params;
mod v3;

use crate::State;
use axum::Router;
use axum::routing::{any, get};
pub(crate) use failure::Cause;
use tower_http::compression::CompressionLayer;

/// Jaeger's query routes: v1 and v3 over HTTP, v2 and v3 over gRPC, which needs HTTP/2 where it is bound.
pub fn router(state: State) -> Router {
    let unsupported = [
        "/api/archive/{id}",
        "/api/transform",
        "/api/metrics/{call}",
        "/api/deep-dependencies",
        "/api/quality-metrics",
        "/api/v3/trace-summaries",
    ];
    let routes =
        unsupported.into_iter().fold(Router::new(), |routes, path| routes.route(path, any(v1::unsupported)));
    routes
        .route("/api/services", get(v1::services))
        .route("/api/services/{service}/operations", get(v1::service_operations))
        .route("/api/operations", get(v1::operations))
        .route("/api/traces", get(v1::traces))
        .route("/api/traces/{id}", get(v1::trace))
        .route("/api/dependencies", get(v1::dependencies))
        .route("/api/v3/services", get(v3::services))
        .route("/api/v3/operations", get(v3::operations))
        .route("/api/v3/traces", get(v3::traces))
        .route("/api/v3/traces/{id}", get(v3::trace))
        .route("/api/v3/dependencies", get(v3::dependencies))
        .layer(CompressionLayer::new())
        .with_state(state.clone())
        .merge(grpc::router(state))
}
