//! Trace search as Jaeger means it, over a [`SpanSource`]; the Zipkin door asks here too.
//!
//! A trace matches when ONE of its spans satisfies service, operation, tags, duration and start time together. A tag
//! may stand on the span, its events, its links, its process (resource) or its instrumentation scope, and its value is
//! compared as text. Nothing here knows HTTP or a wire format.
//!
//! Where Jaeger's own storages differ: tags of links count (as in Elasticsearch, not in memory), `error=true` finds
//! failed spans (Jaeger 2.13 in memory finds spans of status ok), values are never patterns (they are in Elasticsearch).

mod tags;

use crate::spans::{copy_trace, traces};
use model::SpanId;
use model::scan::{Budget, Completeness, ScanError, SpanHint, SpanSelect, SpanSource};
use model::span::{SpanBatch, SpanKind, SpanRef, StatusCode, UNKNOWN_SERVICE};
use model::tenant::Tenant;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{ControlFlow, Range};

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

/// How often one service called another; as in Jaeger, calls inside of one service count too.
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
    let mut found = FoundTraces::default();
    if query.limit == 0 || query.start_ns > query.end_ns {
        return Ok(found);
    }
    let select = SpanSelect {
        start_ns: query.start_ns,
        end_ns: query.end_ns.saturating_add(1),
        hints: hints(query),
        trace_ids: Vec::new(),
    };
    found.completeness = source.scan(tenant, &select, budget, &mut |batch| {
        for rows in traces(batch) {
            if rows.clone().filter_map(|at| batch.span(at)).any(|span| query.matches(&span)) {
                found.traces.push(copy_trace(batch, rows));
            }
            if found.traces.len() >= query.limit {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// What every matching trace has somewhere.
fn hints(query: &TraceQuery) -> Vec<SpanHint> {
    let mut hints = Vec::new();
    // Storage knows services by their attribute, which an unknown one does not have.
    if !query.service.is_empty() && query.service != UNKNOWN_SERVICE {
        hints.push(SpanHint::Service(query.service.clone()));
    }
    if !query.operation.is_empty() {
        hints.push(SpanHint::Name(query.operation.clone()));
    }
    if query.duration_min_ns > 0 {
        hints.push(SpanHint::DurationMin(query.duration_min_ns));
    }
    hints
}

impl TraceQuery {
    /// Whether one span satisfies everything that is asked.
    fn matches(&self, span: &SpanRef) -> bool {
        let duration = span.row.duration_ns;
        (self.service.is_empty() || self.service == span.service())
            && (self.operation.is_empty() || self.operation == span.name())
            && (self.start_ns..=self.end_ns).contains(&span.row.start_ns)
            && (self.duration_min_ns <= 0 || duration >= self.duration_min_ns)
            && (self.duration_max_ns <= 0 || duration <= self.duration_max_ns)
            && self.tags.iter().all(|(key, value)| tags::has(span, key, value))
    }
}

fn in_range(range_ns: &Range<i64>) -> SpanSelect {
    SpanSelect { start_ns: range_ns.start, end_ns: range_ns.end, ..SpanSelect::default() }
}

/// Names of the services with a span that starts in `range_ns`, sorted.
///
/// # Errors
/// When the scan stops.
pub fn services(
    source: &dyn SpanSource,
    tenant: &Tenant,
    range_ns: Range<i64>,
    budget: &Budget,
) -> Result<Vec<String>, ScanError> {
    let operations = source.operations(tenant, &in_range(&range_ns), budget)?;
    let names: BTreeSet<String> = operations.into_iter().map(|one| named(one.service)).collect();
    Ok(names.into_iter().collect())
}

/// A service as it is shown; storage gives none an empty name.
fn named(service: String) -> String {
    if service.is_empty() { UNKNOWN_SERVICE.to_owned() } else { service }
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
    range_ns: Range<i64>,
    budget: &Budget,
) -> Result<Vec<Operation>, ScanError> {
    let all = source.operations(tenant, &in_range(&range_ns), budget)?;
    let wanted = all.into_iter().filter(|one| {
        kind.is_none_or(|kind| kind == one.kind)
            && (service.is_empty()
                || service == one.service
                || (service == UNKNOWN_SERVICE && one.service.is_empty()))
    });
    let named: BTreeSet<Operation> = wanted.map(|one| Operation { name: one.name, kind: one.kind }).collect();
    Ok(named.into_iter().collect())
}

/// Who called whom in the traces of `range_ns`, sorted by parent and child.
///
/// # Errors
/// When the scan stops.
pub fn dependencies(
    source: &dyn SpanSource,
    tenant: &Tenant,
    range_ns: Range<i64>,
    budget: &Budget,
) -> Result<Vec<Dependency>, ScanError> {
    let mut calls: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    source.scan(tenant, &in_range(&range_ns), budget, &mut |batch| {
        for rows in traces(batch) {
            let spans = || rows.clone().filter_map(|at| batch.span(at));
            let services: HashMap<SpanId, &str> =
                spans().map(|span| (span.row.span_id, span.service())).collect();
            for span in spans().filter(|span| range_ns.contains(&span.row.start_ns)) {
                let parent = services.get(&span.row.parent_id).filter(|_| !span.row.parent_id.is_none());
                if let Some(parent) = parent {
                    let count = calls.entry(((*parent).to_owned(), span.service().to_owned())).or_default();
                    count.0 += 1;
                    count.1 += u64::from(span.row.status == StatusCode::Error);
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    let link =
        |((parent, child), (call_count, error_count))| Dependency { parent, child, call_count, error_count };
    Ok(calls.into_iter().map(link).collect())
}
