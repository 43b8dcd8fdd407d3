//! What Loki's clients ask about the server itself, and the calls Binnacle does not have.

use crate::State;
use crate::body;
use axum::extract::{OriginalUri, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// The Loki release whose API this is; clients choose features by it.
const COMPATIBLE_VERSION: &str = "3.7.0";

/// `/loki/api/v1/status/buildinfo`
pub(crate) async fn buildinfo(Extract(state): Extract<State>) -> Response {
    let answer = json!({
        "version": COMPATIBLE_VERSION, "revision": state.process.revision(), "branch": "", "goVersion": "",
        "buildDate": "", "buildUser": format!("binnacle {}", state.process.version()),
    });
    body::json(StatusCode::OK, &answer)
}

/// `/config/tenant/v1/limits` and `/loki/api/v1/drilldown-limits`: the limits that clients adapt to.
pub(crate) async fn limits() -> Response {
    let limits = json!({
        "discover_log_levels": true,
        "discover_service_name": ["service", "app", "application", "app_name", "name", "app_kubernetes_io_name",
            "container", "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"],
        "log_level_fields": ["level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity",
            "SeverityText", "lvl", "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT"],
        "max_entries_limit_per_query": 5_000,
        "max_line_size_truncate": false,
        "max_query_bytes_read": "0B",
        "max_query_length": "0s",
        "max_query_lookback": "0s",
        "max_query_range": "0s",
        "max_query_series": 500,
        "metric_aggregation_enabled": false,
        "otlp_config": {},
        "pattern_persistence_enabled": false,
        "query_timeout": "2m",
        "retention_period": "0s",
        "retention_stream": [],
        "volume_enabled": true,
        "volume_max_series": 10_000,
    });
    let answer = json!({"limits": limits, "pattern_ingester_enabled": false, "version": COMPATIBLE_VERSION});
    body::json(StatusCode::OK, &answer)
}

/// `/ready`
pub(crate) async fn ready(Extract(state): Extract<State>) -> Response {
    match state.process.ready() {
        Ok(()) => body::text(StatusCode::OK, "ready"),
        Err(reason) => body::text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {reason}")),
    }
}

/// A call of Loki's that Binnacle does not have.
pub(crate) async fn unsupported(OriginalUri(uri): OriginalUri) -> Response {
    body::text(
        StatusCode::NOT_IMPLEMENTED,
        &format!("unsupported: {} is not implemented by Binnacle", uri.path()),
    )
}
