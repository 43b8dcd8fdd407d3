//! `Search`: the answer is one message with the whole result.

use super::{ask, attributes, search_metrics, seconds};
use crate::rpc::{Context, Messages, messages};
use crate::tempo::search::{SPANS_PER_SET_DEFAULT, TRACES_DEFAULT};
use crate::time::NS_PER_MS;
use prost::Message;
use query::traceql::{self, MatchedSpan, SearchAnswer, SearchParams, TraceSummary};
use std::collections::HashMap;
use tonic::Status;
use wire::tempo as message;

/// What to search, by the field numbers that Tempo's documentation of its gRPC API lists.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchRequest {
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

pub(super) async fn search(
    context: Context,
    request: SearchRequest,
) -> Result<Messages<message::SearchResponse>, Status> {
    let count = |n: u32, default: usize| usize::try_from(n).ok().filter(|n| *n > 0).unwrap_or(default);
    let (start_ns, end_ns) = seconds(request.start_s, request.end_s);
    let params = SearchParams {
        start_ns,
        end_ns,
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
    let answer =
        ask(context, move |source, tenant, budget| traceql::search(source, tenant, &query, &params, budget));
    Ok(messages([response(&answer.await?)]))
}

fn response(answer: &SearchAnswer) -> message::SearchResponse {
    message::SearchResponse {
        traces: answer.traces.iter().map(summary).collect(),
        metrics: Some(search_metrics(answer.inspected_traces, answer.inspected_spans, &answer.completeness)),
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
