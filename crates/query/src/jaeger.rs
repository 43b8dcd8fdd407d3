//! Trace search as Jaeger means it, over a [`SpanSource`]; the Zipkin door asks here too.
//!
//! A trace matches when ONE of its spans satisfies service, operation, tags, duration and start time together. A tag
//! may stand on the span, its events, its links, its process (resource) or its instrumentation scope, and its value is
//! compared as text. Nothing here knows HTTP or a wire format.

use model::scan::{Budget, Completeness, ScanError, SpanSource};
use model::span::{SpanBatch, SpanKind};
use model::tenant::Tenant;

/// What Jaeger's search asks. Empty texts and lists mean "any".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceQuery {
    /// `service.name`.
    pub service: String,
    /// Span name.
    pub operation: String,
    /// Each must be found; values as text.
    pub tags: Vec<(String, String)>,
    /// The span starts at or after this, nanoseconds since the epoch.
    pub start_ns: i64,
    /// The span starts at or before this.
    pub end_ns: i64,
    /// Shortest span, nanoseconds; 0 for any.
    pub duration_min_ns: i64,
    /// Longest span, nanoseconds; 0 for any.
    pub duration_max_ns: i64,
    /// Most traces; the newest are kept.
    pub limit: usize,
}

/// Whole traces, newest first, one batch each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundTraces {
    /// At most `limit`.
    pub traces: Vec<SpanBatch>,
    /// Whether all data was seen.
    pub completeness: Completeness,
}

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// Span name.
    pub name: String,
    /// Span kind.
    pub kind: SpanKind,
}

/// How often one service called another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Caller.
    pub parent: String,
    /// Callee.
    pub child: String,
    /// Spans of the callee whose parent is a span of the caller.
    pub call_count: u64,
    /// Of these, how many failed.
    pub error_count: u64,
}

/// Traces that satisfy `query`.
///
/// # Errors
/// When the scan stops.
pub fn find_traces(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &TraceQuery,
    budget: &Budget,
) -> Result<FoundTraces, ScanError> {
    let _ = (source, tenant, query, budget);
    Ok(FoundTraces::default())
}

/// Names of the services with a span that starts in `range_ns`, sorted.
///
/// # Errors
/// When the scan stops.
pub fn services(
    source: &dyn SpanSource,
    tenant: &Tenant,
    range_ns: std::ops::Range<i64>,
    budget: &Budget,
) -> Result<Vec<String>, ScanError> {
    let _ = (source, tenant, range_ns, budget);
    Ok(Vec::new())
}

/// Operations of `service` (of every service when empty), of `kind` when given, sorted.
///
/// # Errors
/// When the scan stops.
pub fn operations(
    source: &dyn SpanSource,
    tenant: &Tenant,
    service: &str,
    kind: Option<SpanKind>,
    range_ns: std::ops::Range<i64>,
    budget: &Budget,
) -> Result<Vec<Operation>, ScanError> {
    let _ = (source, tenant, service, kind, range_ns, budget);
    Ok(Vec::new())
}

/// Who called whom in the traces of `range_ns`, sorted by parent and child.
///
/// # Errors
/// When the scan stops.
pub fn dependencies(
    source: &dyn SpanSource,
    tenant: &Tenant,
    range_ns: std::ops::Range<i64>,
    budget: &Budget,
) -> Result<Vec<Dependency>, ScanError> {
    let _ = (source, tenant, range_ns, budget);
    Ok(Vec::new())
}
