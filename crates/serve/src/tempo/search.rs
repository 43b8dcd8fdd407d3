//! `/api/search`: traces that satisfy a TraceQL query (or tags and durations), newest first.

use super::encode::{attributes, cost, warn};
use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::Call;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use query::traceql::{self, MatchedSpan, SearchParams, SpanSet, TraceSummary};
use serde_json::{Map, Value, json};

/// Traces of an answer when a call names no limit.
pub(crate) const TRACES_DEFAULT: usize = 20;
/// Most traces of an answer.
const TRACES_MAX: usize = 10_000;
/// Spans shown per span set when a call names no `spss`.
pub(crate) const SPANS_PER_SET_DEFAULT: usize = 3;
/// Most of them.
const SPANS_PER_SET_MAX: usize = 10_000;

/// `/api/search`
pub(crate) async fn search(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let (start_ns, end_ns) = params::range(&call.params)?;
    let search = SearchParams {
        start_ns,
        end_ns,
        limit: params::count(&call.params, "limit", TRACES_DEFAULT, TRACES_MAX)?,
        spans_per_set: params::count(&call.params, "spss", SPANS_PER_SET_DEFAULT, SPANS_PER_SET_MAX)?,
    };
    let query = params::search_query(&call.params)?;
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let answer = state
        .gate
        .run("traceql", None, move |budget| traceql::search(&*source, &tenant, &query, &search, budget))
        .await??;
    let traces: Vec<Value> = answer.traces.iter().map(summary).collect();
    let metrics = cost(answer.inspected_traces, answer.inspected_spans, &answer.completeness);
    let response = body::json(StatusCode::OK, &json!({"traces": traces, "metrics": metrics}));
    Ok(warn(response, &answer.completeness))
}

fn summary(trace: &TraceSummary) -> Value {
    let sets: Vec<Value> = trace.span_sets.iter().map(span_set).collect();
    let stats: Map<String, Value> = trace
        .service_stats
        .iter()
        .map(|(service, stats)| {
            (service.clone(), json!({"spanCount": stats.span_count, "errorCount": stats.error_count}))
        })
        .collect();
    json!({
        "traceID": trace.trace_id.to_string(),
        "rootServiceName": trace.root_service_name,
        "rootTraceName": trace.root_trace_name,
        "startTimeUnixNano": trace.start_ns.to_string(),
        "durationMs": trace.duration_ns / 1_000_000,
        "spanSet": sets.first(),
        "spanSets": sets,
        "serviceStats": stats,
    })
}

fn span_set(set: &SpanSet) -> Value {
    let spans: Vec<Value> = set.spans.iter().map(span).collect();
    let mut value = json!({"spans": spans, "matched": set.matched});
    if !set.attributes.is_empty() {
        value["attributes"] = json!(attributes(&set.attributes));
    }
    value
}

fn span(span: &MatchedSpan) -> Value {
    let mut value = json!({
        "spanID": span.span_id.to_string(),
        "startTimeUnixNano": span.start_ns.to_string(),
        "durationNanos": span.duration_ns.to_string(),
    });
    if !span.name.is_empty() {
        value["name"] = json!(span.name);
    }
    if !span.attributes.is_empty() {
        value["attributes"] = json!(attributes(&span.attributes));
    }
    value
}
