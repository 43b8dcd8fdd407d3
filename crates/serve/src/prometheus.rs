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
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, any, get, post};
use tower_http::compression::CompressionLayer;

/// A call by GET, and what a browser asks before it.
fn read<T: 'static>(handler: impl Handler<T, State>) -> MethodRouter<State> {
    get(handler).options(cors::preflight)
}

/// A call by GET or by POST of a form.
fn form<T: 'static>(handler: impl Handler<T, State>) -> MethodRouter<State> {
    read(handler.clone()).post(handler)
}

/// Prometheus' query, metadata and status routes.
pub fn router(state: State) -> Router {
    let api = queries().merge(about()).merge(absent());
    Router::new()
        .nest("/api/v1", api)
        .route("/federate", read(federate::federate))
        .route("/version", read(status::version))
        .route("/-/ready", read(status::ready))
        .route("/-/healthy", read(status::healthy))
        .layer(CompressionLayer::new())
        .layer(from_fn(cors::cors))
        .with_state(state)
}

/// Calls that read series.
fn queries() -> Router<State> {
    Router::new()
        .route("/query", form(query::instant))
        .route("/query_range", form(query::range))
        .route("/query_exemplars", form(exemplars::exemplars))
        .route("/format_query", form(query::format))
        .route("/parse_query", form(query::parse))
        .route("/series", form(series::series).delete(series::delete))
        .route("/labels", form(series::labels))
        .route("/label/{name}/values", read(series::label_values))
        .route("/metadata", read(series::metadata))
}

/// Calls about scraping and the server.
fn about() -> Router<State> {
    Router::new()
        .route("/targets", read(targets::targets))
        .route("/targets/metadata", read(targets::metadata))
        .route("/scrape_pools", read(targets::pools))
        .route("/status/buildinfo", read(status::buildinfo))
        .route("/status/config", read(status::config))
        .route("/status/runtimeinfo", read(status::runtimeinfo))
        .route("/status/flags", read(status::flags))
        .route("/status/tsdb", read(status::tsdb))
        .route("/status/walreplay", read(status::walreplay))
}

/// Calls that are answered without the thing behind them.
fn absent() -> Router<State> {
    Router::new()
        .route("/rules", read(status::rules))
        .route("/alerts", read(status::alerts))
        .route("/alertmanagers", read(status::alertmanagers))
        .route("/read", post(status::remote_read).options(cors::preflight))
        .route(
            "/admin/tsdb/{call}",
            post(status::unsupported).put(status::unsupported).options(cors::preflight),
        )
        .route("/features", any(status::unsupported))
        .route("/notifications", any(status::unsupported))
        .route("/notifications/live", any(status::unsupported))
        .route("/status/tsdb/blocks", any(status::unsupported))
        .route("/openapi.yaml", any(status::unsupported))
        .route("/search/{call}", any(status::unsupported))
}
