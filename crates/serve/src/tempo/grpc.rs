//! `tempopb.StreamingQuerier/Search` over gRPC, which Grafana uses (and checks health with) when streaming is on.
//!
//! The answer is one message with the whole result. The service's other methods answer `UNIMPLEMENTED`; Grafana's
//! streaming switch covers search and metrics apart, and both have their HTTP calls.

use super::search::SPANS_PER_SET_DEFAULT;
use super::search::TRACES_DEFAULT;
use crate::State;
use crate::gate::RunError;
use crate::rpc::{Context, Messages, messages, streaming, unimplemented};
use crate::time::{NS_PER_MS, NS_PER_S};
use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::routing::{any, post};
use model::ScanError;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use prost::Message;
use query::traceql::{self, AttrValue, MatchedSpan, SearchAnswer, SearchParams, TraceQlError, TraceSummary};
use std::collections::HashMap;
use tonic::Status;
use wire::tempo as message;

/// What to search, by the field numbers that Tempo's documentation of its gRPC API lists.
#[derive(Clone, PartialEq, Message)]
struct SearchRequest {
    #[prost(map = "string, string", tag = "1")]
    tags: HashMap<String, String>,
    #[prost(uint32, tag = "2")]
    min_duration_ms: u32,
    #[prost(uint32, tag = "3")]
    max_duration_ms: u32,
    #[prost(uint32, tag = "4")]
    limit: u32,
    #[prost(uint32, tag = "5")]
    start_s: u32,
    #[prost(uint32, tag = "6")]
    end_s: u32,
    #[prost(string, tag = "8")]
    query: String,
    #[prost(uint32, tag = "9")]
    spans_per_set: u32,
}

/// The streaming service.
pub(crate) fn router(state: State) -> Router {
    let search = |Extract(state): Extract<State>, request: Request| streaming(state, request, search);
    Router::new()
        .route("/tempopb.StreamingQuerier/Search", post(search))
        .route("/tempopb.StreamingQuerier/{method}", any(unimplemented))
        .with_state(state)
}

async fn search(
    context: Context,
    request: SearchRequest,
) -> Result<Messages<message::SearchResponse>, Status> {
    let seconds = |s: u32| i64::from(s) * NS_PER_S;
    let count = |n: u32, default: usize| usize::try_from(n).ok().filter(|n| *n > 0).unwrap_or(default);
    let params = SearchParams {
        start_ns: seconds(request.start_s),
        end_ns: if request.end_s == 0 { i64::MAX } else { seconds(request.end_s) },
        limit: count(request.limit, TRACES_DEFAULT),
        spans_per_set: count(request.spans_per_set, SPANS_PER_SET_DEFAULT),
    };
    let query = if request.query.is_empty() {
        let tags: Vec<(String, String)> = request.tags.into_iter().collect();
        let bound = |ms: u32| (ms > 0).then(|| i64::from(ms) * NS_PER_MS);
        traceql::query_of_tags(&tags, bound(request.min_duration_ms), bound(request.max_duration_ms))
    } else {
        request.query
    };
    let (source, tenant) = (context.state.spans.clone(), context.tenant);
    let work =
        move |budget: &model::scan::Budget| traceql::search(&*source, &tenant, &query, &params, budget);
    let answer = context.state.gate.run("traceql", None, work).await.map_err(|error| run_status(&error))?;
    Ok(messages([response(&answer.map_err(|error| query_status(&error))?)]))
}

fn run_status(error: &RunError) -> Status {
    match error {
        RunError::QueueFull(_) => Status::resource_exhausted(error.to_string()),
        RunError::TimedOut(_) => Status::deadline_exceeded(error.to_string()),
        RunError::Lost => Status::internal(error.to_string()),
    }
}

fn query_status(error: &TraceQlError) -> Status {
    match error {
        TraceQlError::Parse(_) | TraceQlError::BadRequest(_) => Status::invalid_argument(error.to_string()),
        TraceQlError::Scan(ScanError::Timeout) => Status::deadline_exceeded(error.to_string()),
        TraceQlError::Scan(ScanError::TooMuch { .. }) => Status::resource_exhausted(error.to_string()),
        TraceQlError::Scan(_) => Status::internal(error.to_string()),
    }
}

fn response(answer: &SearchAnswer) -> message::SearchResponse {
    let jobs = u32::try_from(answer.completeness.missing.len()).unwrap_or(u32::MAX);
    message::SearchResponse {
        traces: answer.traces.iter().map(summary).collect(),
        metrics: Some(message::SearchMetrics {
            inspected_traces: u32::try_from(answer.inspected_traces).unwrap_or(u32::MAX),
            completed_jobs: 1,
            total_jobs: jobs.saturating_add(1),
            ..message::SearchMetrics::default()
        }),
    }
}

fn unsigned(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}

fn summary(trace: &TraceSummary) -> message::TraceSearchMetadata {
    let span_sets: Vec<message::SpanSet> = trace
        .span_sets
        .iter()
        .map(|set| message::SpanSet {
            spans: set.spans.iter().map(span).collect(),
            matched: set.matched,
            attributes: attributes(&set.attributes),
        })
        .collect();
    let stats = |stats: &traceql::ServiceStats| message::ServiceStats {
        span_count: stats.span_count,
        error_count: stats.error_count,
    };
    message::TraceSearchMetadata {
        trace_id: trace.trace_id.to_string(),
        root_service_name: trace.root_service_name.clone(),
        root_trace_name: trace.root_trace_name.clone(),
        start_time_unix_nano: unsigned(trace.start_ns),
        duration_ms: u32::try_from(trace.duration_ns / NS_PER_MS).unwrap_or(u32::MAX),
        span_set: span_sets.first().cloned(),
        span_sets,
        service_stats: trace.service_stats.iter().map(|(name, of)| (name.clone(), stats(of))).collect(),
    }
}

fn span(span: &MatchedSpan) -> message::FoundSpan {
    message::FoundSpan {
        span_id: span.span_id.to_string(),
        name: span.name.clone(),
        start_time_unix_nano: unsigned(span.start_ns),
        duration_nanos: unsigned(span.duration_ns),
        attributes: attributes(&span.attributes),
    }
}

fn attributes(pairs: &[(String, AttrValue)]) -> Vec<KeyValue> {
    pairs
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(any_value(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn any_value(value: &AttrValue) -> AnyValue {
    let value = match value {
        AttrValue::Int(number) => Value::IntValue(*number),
        AttrValue::Double(number) => Value::DoubleValue(*number),
        AttrValue::Bool(flag) => Value::BoolValue(*flag),
        AttrValue::Array(values) => {
            Value::ArrayValue(ArrayValue { values: values.iter().map(any_value).collect() })
        }
        AttrValue::Nil | AttrValue::Str(_) | AttrValue::Duration(_) => Value::StringValue(value.to_string()),
    };
    AnyValue { value: Some(value) }
}
