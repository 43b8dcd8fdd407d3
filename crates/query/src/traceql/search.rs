//! Search and trace by id: scan, run the plan on each trace, describe what stays.

use super::answer::{
    MatchedSpan, ROOT_NOT_RECEIVED, SearchAnswer, SearchParams, ServiceStats, SpanSet, TraceAnswer,
    TraceQlError, TraceSummary,
};
use super::field::first_value;
use super::plan::{Plan, Set};
use super::prune;
use super::trace::Trace;
use super::value::Val;
use crate::spans::{copy_trace, traces};
use language::traceql::{Body, ErrorKind, FieldName, Intrinsic, ParseError, check};
use model::scan::{Budget, SpanSelect, SpanSource};
use model::span::StatusCode;
use model::tenant::Tenant;
use model::{SpanRef, TraceId};
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

/// See [`super::search`].
pub(super) fn search(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &SearchParams,
    budget: &Budget,
) -> Result<SearchAnswer, TraceQlError> {
    let Body::Search(pipeline) = check(query)?.body else {
        let message =
            "this is a metrics query: ask /api/metrics/query_range or /api/metrics/query".to_owned();
        return Err(ParseError { kind: ErrorKind::Invalid, message, offset: 0 }.into());
    };
    let plan = Plan::new(&pipeline)?;
    let select = prune::select(&pipeline, params.start_ns, params.end_ns);
    let mut answer = SearchAnswer::default();
    if params.limit == 0 {
        return Ok(answer);
    }
    let completeness = each_trace(source, tenant, &select, budget, &mut |trace| {
        answer.inspected_traces += 1;
        answer.inspected_spans += u64::from(trace.len());
        let sets = plan.run(trace);
        if !sets.is_empty() {
            answer.traces.push(summary(trace, &sets, &plan.shown, params.spans_per_set));
        }
        if answer.traces.len() < params.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    answer.completeness = completeness;
    Ok(answer)
}

/// Calls `visit` with every trace of a scan; between two traces a canceled query stops.
pub(super) fn each_trace(
    source: &dyn SpanSource,
    tenant: &Tenant,
    select: &SpanSelect,
    budget: &Budget,
    visit: &mut dyn FnMut(&Trace) -> ControlFlow<()>,
) -> Result<model::Completeness, TraceQlError> {
    let mut stopped = Ok(());
    let completeness = source.scan(tenant, select, budget, &mut |batch| {
        for rows in traces(batch) {
            stopped = budget.spend(0);
            if stopped.is_err() {
                return ControlFlow::Break(());
            }
            visit(&Trace::new(batch, rows))?;
        }
        ControlFlow::Continue(())
    })?;
    stopped?;
    Ok(completeness)
}

fn summary(trace: &Trace, sets: &[Set], shown: &[FieldName], spans_per_set: usize) -> TraceSummary {
    let root = trace.root();
    let named =
        |read: fn(&SpanRef) -> String| root.as_ref().map_or_else(|| ROOT_NOT_RECEIVED.to_owned(), read);
    let mut service_stats: BTreeMap<String, ServiceStats> = BTreeMap::new();
    for span in trace.spans() {
        let service = span.service();
        if !service_stats.contains_key(service) {
            service_stats.insert(service.to_owned(), ServiceStats::default());
        }
        if let Some(stats) = service_stats.get_mut(service) {
            stats.span_count += 1;
            stats.error_count += u32::from(span.row.status == StatusCode::Error);
        }
    }
    TraceSummary {
        trace_id: trace.span(0).map(|span| span.row.trace_id).unwrap_or_default(),
        root_service_name: named(|root| root.service().to_owned()),
        root_trace_name: named(|root| root.name().to_owned()),
        start_ns: trace.start_ns(),
        duration_ns: trace.duration_ns(),
        span_sets: sets.iter().map(|set| span_set(trace, set, shown, spans_per_set)).collect(),
        service_stats,
    }
}

fn span_set(trace: &Trace, set: &Set, shown: &[FieldName], spans_per_set: usize) -> SpanSet {
    let show = if spans_per_set == 0 { usize::MAX } else { spans_per_set };
    SpanSet {
        spans: set.spans.iter().take(show).filter_map(|at| matched_span(trace, *at, shown)).collect(),
        matched: u32::try_from(set.spans.len()).unwrap_or(u32::MAX),
        attributes: set.attributes.clone(),
    }
}

fn matched_span(trace: &Trace, at: u32, shown: &[FieldName]) -> Option<MatchedSpan> {
    let span = trace.span(at)?;
    let named = shown.contains(&FieldName::Intrinsic(Intrinsic::Name));
    let attributes = shown.iter().filter_map(|field| {
        let name = attribute_name(field)?;
        let value = first_value(field, trace, at);
        (value != Val::Nil).then(|| (name, value.answer()))
    });
    Some(MatchedSpan {
        span_id: span.row.span_id,
        name: if named { span.name().to_owned() } else { String::new() },
        start_ns: span.row.start_ns,
        duration_ns: span.row.duration_ns,
        attributes: attributes.collect(),
    })
}

/// Under which name a span shows a field; `None` for what the span or trace shows anyway.
fn attribute_name(field: &FieldName) -> Option<String> {
    match field {
        FieldName::Attribute { name, .. } => Some(name.clone()),
        FieldName::Intrinsic(
            Intrinsic::Name
            | Intrinsic::Duration
            | Intrinsic::SpanId
            | Intrinsic::TraceId
            | Intrinsic::TraceDuration
            | Intrinsic::RootName
            | Intrinsic::RootServiceName,
        ) => None,
        FieldName::Intrinsic(other) => Some(other.as_str().to_owned()),
    }
}

/// See [`super::trace_by_id`].
pub(super) fn trace_by_id(
    source: &dyn SpanSource,
    tenant: &Tenant,
    id: TraceId,
    range_ns: Range<i64>,
    budget: &Budget,
) -> Result<TraceAnswer, TraceQlError> {
    let (start_ns, end_ns) = (range_ns.start, range_ns.end);
    let select = SpanSelect { start_ns, end_ns, hints: Vec::new(), trace_ids: vec![id] };
    let mut found = None;
    let completeness = each_trace(source, tenant, &select, budget, &mut |trace| {
        found = Some(copy_trace(trace.batch(), trace.rows()));
        ControlFlow::Break(())
    })?;
    Ok(TraceAnswer { trace: found, completeness })
}
