//! TraceQL metrics: `/api/metrics/query_range` and `/api/metrics/query`.

use super::encode::{attributes, cost, double, warn};
use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::{Call, Params};
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use query::traceql::{self, MetricSeries, MetricsAnswer, MetricsParams, SeriesExemplar};
use serde_json::{Value, json};

/// Exemplars of an answer when a call names no number.
pub(crate) const EXEMPLARS_DEFAULT: usize = 100;
/// Most exemplars of an answer.
pub(crate) const EXEMPLARS_MAX: usize = 1_000;
/// Series of an answer when a call names no `maxSeries`, and most.
pub(crate) const SERIES_MAX: usize = 1_000;

fn query(params: &Params) -> Result<String, Failure> {
    let text = params.some("q").or_else(|| params.some("query"));
    text.map(str::to_owned)
        .ok_or_else(|| Failure::Parameter("invalid q: a TraceQL metrics query is required".into()))
}

/// `exemplars` may be a count, or a Boolean that switches them.
fn exemplars(params: &Params) -> Result<usize, Failure> {
    match params.get("exemplars") {
        "0" | "false" => Ok(0),
        "true" => Ok(EXEMPLARS_DEFAULT),
        _ => params::count(params, "exemplars", EXEMPLARS_DEFAULT, EXEMPLARS_MAX),
    }
}

fn labels_and(series: &MetricSeries) -> Value {
    json!({"labels": attributes(&series.labels), "promLabels": series.prom_labels()})
}

fn exemplar(exemplar: &SeriesExemplar) -> Value {
    json!({
        "labels": attributes(&exemplar.labels), "value": double(exemplar.value),
        "timestampMs": exemplar.ts_ms.to_string(),
    })
}

fn answer(series: &[Value], answer: &MetricsAnswer) -> Response {
    let mut value = json!({
        "series": series,
        "metrics": cost(answer.inspected_traces, answer.inspected_spans, &answer.completeness),
    });
    if !answer.completeness.is_complete() {
        value["status"] = json!("PARTIAL");
        value["message"] = json!(answer.completeness.missing.join("; "));
    }
    warn(body::json(StatusCode::OK, &value), &answer.completeness)
}

/// `/api/metrics/query_range`
pub(crate) async fn range(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let text = query(&call.params)?;
    let range = params::metrics_range(&call.params, state.clock.now_ns())?;
    let metrics = MetricsParams {
        start_ns: range.0,
        end_ns: range.1,
        step_ns: params::step(&call.params, range)?,
        exemplars_max: exemplars(&call.params)?,
        series_max: params::count(&call.params, "maxSeries", SERIES_MAX, SERIES_MAX)?,
    };
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let found = state
        .gate
        .run("traceql", None, move |budget| {
            traceql::metrics_range(&*source, &tenant, &text, &metrics, budget)
        })
        .await??;
    let series: Vec<Value> = found
        .series
        .iter()
        .map(|series| {
            let mut row = labels_and(series);
            let samples = series.samples.iter();
            row["samples"] = samples
                .map(|(ts_ms, value)| json!({"timestampMs": ts_ms.to_string(), "value": double(*value)}))
                .collect();
            if !series.exemplars.is_empty() {
                row["exemplars"] = series.exemplars.iter().map(exemplar).collect();
            }
            row
        })
        .collect();
    Ok(answer(&series, &found))
}

/// `/api/metrics/query`
pub(crate) async fn instant(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let text = query(&call.params)?;
    let (start_ns, end_ns) = params::metrics_range(&call.params, state.clock.now_ns())?;
    let metrics = MetricsParams {
        start_ns,
        end_ns,
        step_ns: end_ns.saturating_sub(start_ns),
        exemplars_max: 0,
        series_max: params::count(&call.params, "maxSeries", SERIES_MAX, SERIES_MAX)?,
    };
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let found = state
        .gate
        .run("traceql", None, move |budget| {
            traceql::metrics_instant(&*source, &tenant, &text, &metrics, budget)
        })
        .await??;
    let series: Vec<Value> = found
        .series
        .iter()
        .map(|series| {
            let mut row = labels_and(series);
            row["value"] = double(series.samples.last().map_or(0.0, |(_, value)| *value));
            row
        })
        .collect();
    Ok(answer(&series, &found))
}
