//! Prometheus' HTTP API at its own paths: what Grafana, promtool, Kiali, Flagger and the adapter call.
//!
//! Envelope, error types, statuses and texts follow prometheus.io/docs/prometheus/latest/querying/api. Writing is
//! `receive`'s. What needs a rules engine answers with none, because there is none; remote read answers 501.

mod cors;
mod encode;
mod envelope;
mod exemplars;
mod failure;
mod federate;
mod histogram;
mod params;
mod query;
mod series;
mod status;
mod targets;

use crate::State;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, get, post};
use tower_http::compression::CompressionLayer;

/// Prometheus' query, metadata and status routes.
pub fn router(state: State) -> Router {
    let api = queries().merge(about()).merge(absent());
    Router::new()
        .nest("/api/v1", api)
        .route("/federate", get(federate::federate))
        .route("/-/ready", get(status::ready))
        .route("/-/healthy", get(status::healthy))
        .layer(CompressionLayer::new())
        .layer(from_fn(cors::cors))
        .with_state(state)
}

/// Calls that read series.
fn queries() -> Router<State> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(exemplars::exemplars).post(exemplars::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(query::parse).post(query::parse))
        .route("/series", get(series::series).post(series::series).delete(series::delete))
        .route("/labels", get(series::labels).post(series::labels))
        .route("/label/{name}/values", get(series::label_values))
        .route("/metadata", get(series::metadata))
}

/// Calls about scraping and the server.
fn about() -> Router<State> {
    Router::new()
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::metadata))
        .route("/scrape_pools", get(targets::pools))
        .route("/status/buildinfo", get(status::buildinfo))
        .route("/status/config", get(status::config))
        .route("/status/runtimeinfo", get(status::runtimeinfo))
        .route("/status/flags", get(status::flags))
        .route("/status/tsdb", get(status::tsdb))
        .route("/status/walreplay", get(status::walreplay))
}

/// Calls that are answered without the thing behind them.
fn absent() -> Router<State> {
    Router::new()
        .route("/rules", get(status::rules))
        .route("/alerts", get(status::alerts))
        .route("/alertmanagers", get(status::alertmanagers))
        .route("/read", post(status::remote_read))
        .route("/admin/tsdb/{call}", post(status::admin).put(status::admin))
        .route("/features", any(status::unsupported))
        .route("/notifications", any(status::unsupported))
        .route("/notifications/live", any(status::unsupported))
        .route("/status/tsdb/blocks", any(status::unsupported))
}
