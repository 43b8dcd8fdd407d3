//! Loki's query API at its own paths: what Grafana's data source, Logs Drilldown and `logcli` call.
//!
//! Wire format as in Grafana Loki's HTTP API reference. Errors are plain text, as Loki's; what Binnacle lacks
//! (patterns, shards, deletion) answers 501 and says so.

mod detected;
mod encode;
mod failure;
mod index;
mod query;
mod range;
mod status;
mod tail;

use crate::State;
use axum::Router;
use axum::routing::{any, get};
use tower_http::compression::CompressionLayer;

/// Loki's query routes; push is `receive`'s.
pub fn router(state: State) -> Router {
    let calls = Router::new()
        .route("/loki/api/v1/query", get(query::instant).post(query::instant))
        .route("/loki/api/v1/query_range", get(query::range).post(query::range))
        .route("/loki/api/v1/labels", get(index::labels).post(index::labels))
        .route("/loki/api/v1/label", get(index::labels).post(index::labels))
        .route("/loki/api/v1/label/{name}/values", get(index::label_values).post(index::label_values))
        .route("/loki/api/v1/series", get(index::series).post(index::series))
        .route("/loki/api/v1/index/stats", get(index::stats).post(index::stats))
        .route("/loki/api/v1/index/volume", get(index::volume).post(index::volume))
        .route("/loki/api/v1/index/volume_range", get(index::volume_range).post(index::volume_range))
        .route("/loki/api/v1/detected_labels", get(detected::labels).post(detected::labels))
        .route("/loki/api/v1/detected_fields", get(detected::fields).post(detected::fields))
        .route("/loki/api/v1/detected_field/{name}/values", get(detected::values).post(detected::values))
        .route("/loki/api/v1/format_query", get(query::format).post(query::format))
        .route("/loki/api/v1/drilldown-limits", get(status::limits))
        .route("/loki/api/v1/status/buildinfo", get(status::buildinfo))
        .route("/config/tenant/v1/limits", get(status::limits))
        .route("/ready", get(status::ready))
        .layer(CompressionLayer::new());
    let unsupported = [
        "/loki/api/v1/patterns",
        "/loki/api/v1/index/shards",
        "/loki/api/v1/rules",
        "/loki/api/v1/delete",
        "/loki/api/v1/cache/generation_numbers",
        "/api/prom/query",
        "/api/prom/label",
        "/api/prom/label/{name}/values",
        "/api/prom/series",
        "/api/prom/tail",
        "/api/prom/rules",
        "/prometheus/api/v1/rules",
        "/prometheus/api/v1/alerts",
        "/config",
        "/services",
    ];
    let calls =
        unsupported.into_iter().fold(calls, |calls, path| calls.route(path, any(status::unsupported)));
    calls.route("/loki/api/v1/tail", get(tail::tail)).with_state(state)
}
