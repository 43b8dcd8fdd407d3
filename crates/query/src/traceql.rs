//! TraceQL over a [`SpanSource`]: search, metrics, trace by id, tags and their values.
//!
//! Every function is synchronous and runs on a blocking thread. Spans are evaluated where they stand in a scan's batch;
//! only what an answer shows is copied. Nothing here knows HTTP or how spans are stored.

mod answer;
mod condition;
mod field;
mod format;
mod metrics;
mod plan;
mod prune;
mod search;
mod structure;
mod tags;
#[cfg(test)]
mod tests;
mod trace;
mod value;

pub use answer::*;
pub use metrics::{INTERVALS_MAX, SAMPLES_MAX};
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
    search::search(source, tenant, query, params, budget)
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
    metrics::range(source, tenant, query, params, budget)
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
    metrics::instant(source, tenant, query, params, budget)
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
    search::trace_by_id(source, tenant, id, range_ns, budget)
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
    tags::tags(source, tenant, params, budget)
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
    tags::tag_values(source, tenant, tag, params, budget)
}
