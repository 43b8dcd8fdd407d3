//! What Prometheus' clients ask about the server itself, and the calls that have nothing behind them.

use super::envelope::{Notes, success};
use super::failure::Failure;
use crate::State;
use crate::body;
use crate::call::Call;
use crate::time::to_rfc3339;
use axum::extract::{OriginalUri, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// The Prometheus release whose API this is; Grafana and Kiali choose features by it.
const COMPATIBLE_VERSION: &str = "3.15.0";

/// Rows of each table of `status/tsdb` when a call names no limit; Prometheus' own default.
const TSDB_ROWS_DEFAULT: usize = 10;
/// Most rows of each.
const TSDB_ROWS_MAX: usize = 10_000;

/// `/-/ready`
pub(crate) async fn ready(Extract(state): Extract<State>) -> Response {
    match state.process.ready() {
        Ok(()) => body::text(StatusCode::OK, "Binnacle is Ready."),
        Err(reason) => body::text(StatusCode::SERVICE_UNAVAILABLE, &format!("Service Unavailable: {reason}")),
    }
}

/// `/-/healthy`
pub(crate) async fn healthy() -> Response {
    body::text(StatusCode::OK, "Binnacle is Healthy.")
}

fn build(state: &State) -> Value {
    json!({
        "version": COMPATIBLE_VERSION, "revision": state.process.revision(), "branch": "", "buildDate": "",
        "buildUser": format!("binnacle {}", state.process.version()), "goVersion": "",
    })
}

/// `/version`
pub(crate) async fn version(Extract(state): Extract<State>) -> Response {
    body::json(StatusCode::OK, &build(&state))
}

/// `/api/v1/status/buildinfo`. It never holds `features`: Grafana takes their presence for Mimir's ruler API.
pub(crate) async fn buildinfo(Extract(state): Extract<State>) -> Response {
    success(&build(&state), Notes::default())
}

/// `/api/v1/status/config`
pub(crate) async fn config(Extract(state): Extract<State>) -> Response {
    success(&json!({"yaml": state.process.config_yaml()}), Notes::default())
}

/// `/api/v1/status/runtimeinfo`
pub(crate) async fn runtimeinfo(Extract(state): Extract<State>) -> Response {
    let (reload_worked, reloaded_ns) = state.process.last_reload();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let data = json!({
        "startTime": to_rfc3339(state.process.started_ns()),
        "CWD": state.process.data_dir(),
        "hostname": "",
        "serverTime": to_rfc3339(state.clock.now_ns()),
        "reloadConfigSuccess": reload_worked,
        "lastConfigTime": to_rfc3339(reloaded_ns),
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": cores,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": state.process.retention(),
    });
    success(&data, Notes::default())
}

/// `/api/v1/status/flags`
pub(crate) async fn flags(Extract(state): Extract<State>) -> Response {
    success(&state.process.flags(), Notes::default())
}

fn table(rows: &[(String, u64)]) -> Vec<Value> {
    rows.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// `/api/v1/status/tsdb`
pub(crate) async fn tsdb(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let top = match call.params.some("limit").map(str::parse::<usize>) {
        None => TSDB_ROWS_DEFAULT,
        Some(Ok(limit)) if limit > TSDB_ROWS_MAX => {
            return Err(Failure::bad_data(format!("limit must not exceed {TSDB_ROWS_MAX}")));
        }
        Some(Ok(limit)) if limit > 0 => limit,
        Some(_) => return Err(Failure::bad_data("limit must be a positive number")),
    };
    let (source, tenant) = (state.metrics.clone(), call.tenant.clone());
    let spread = state.gate.run("cardinality", None, move |_| source.cardinality(&tenant, top)).await?;
    let (min_ms, max_ms) = spread.range_ms.unwrap_or((0, 0));
    let data = json!({
        "headStats": {
            "numSeries": spread.series, "numLabelPairs": spread.label_pairs, "chunkCount": spread.series,
            "minTime": min_ms, "maxTime": max_ms,
        },
        "seriesCountByMetricName": table(&spread.by_metric),
        "labelValueCountByLabelName": table(&spread.by_label),
        "memoryInBytesByLabelName": table(&spread.label_bytes),
        "seriesCountByLabelValuePair": table(&spread.by_pair),
    });
    Ok(success(&data, Notes::default()))
}

/// `/api/v1/status/walreplay`: the doors open after replay, so it is always done.
pub(crate) async fn walreplay() -> Response {
    success(&json!({"min": 0, "max": 0, "current": 0}), Notes::default())
}

/// `/api/v1/rules`: there is no rules engine, hence no group.
pub(crate) async fn rules(call: Call<Failure>) -> Result<Response, Failure> {
    const BOOLS: [&str; 12] =
        ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    let kind = call.params.get("type").to_ascii_lowercase();
    if !["", "alert", "record"].contains(&&*kind) {
        return Err(Failure::parameter("type", format!("not supported value {kind:?}")));
    }
    if let Some(text) = call.params.some("exclude_alerts").filter(|text| !BOOLS.contains(text)) {
        let reason = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
        return Err(Failure::parameter(
            "exclude_alerts",
            format!("error converting exclude_alerts: {reason}"),
        ));
    }
    Ok(success(&json!({"groups": []}), Notes::default()))
}

/// `/api/v1/alerts`: likewise.
pub(crate) async fn alerts() -> Response {
    success(&json!({"alerts": []}), Notes::default())
}

/// `/api/v1/alertmanagers`: nothing is notified.
pub(crate) async fn alertmanagers() -> Response {
    success(&json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}), Notes::default())
}

/// `/api/v1/read`
pub(crate) async fn remote_read() -> Response {
    let hint =
        "unsupported: remote read is not implemented by Binnacle; query it with PromQL, or scrape /federate";
    body::text(StatusCode::NOT_IMPLEMENTED, hint)
}

/// A call of Prometheus' that Binnacle does not have.
pub(crate) async fn unsupported(OriginalUri(uri): OriginalUri) -> Failure {
    Failure::unsupported(uri.path())
}
