//! Spans in a map from trace id to trace: the plain reference that engines are tested on and `store` is compared with.
//! It prunes by time and trace id alone and never looks at hints.

use crate::spans::Copier;
use model::TraceId;
use model::scan::{AttrScope, Budget, Completeness, ScanError, SpanSelect, SpanSource};
use model::span::SpanBatch;
use model::tenant::Tenant;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock};

type Traces = BTreeMap<TraceId, SpanBatch>;

/// Spans by tenant and trace.
#[derive(Debug, Default)]
pub struct MemorySpans {
    tenants: RwLock<HashMap<Tenant, Traces>>,
}

impl MemorySpans {
    /// Adds spans; one that is already there (trace id, span id) changes nothing.
    pub fn push(&self, tenant: &Tenant, batch: &SpanBatch) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let traces = tenants.entry(tenant.clone()).or_default();
        let mut copiers: HashMap<TraceId, Copier> = HashMap::new();
        for (at, row) in batch.spans.iter().enumerate() {
            let trace = traces.entry(row.trace_id).or_default();
            if trace.spans.iter().all(|known| known.span_id != row.span_id) {
                copiers.entry(row.trace_id).or_insert_with(|| Copier::new(batch)).copy(at, trace);
                trace.spans.sort_by_key(|row| (row.start_ns, row.span_id));
            }
        }
    }

    /// Calls `visit` with the selected traces, newest start first.
    fn each(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
        visit: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<(), ScanError> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = |id: &TraceId| select.trace_ids.is_empty() || select.trace_ids.contains(id);
        let any_time = select.start_ns >= select.end_ns && !select.trace_ids.is_empty();
        let range = select.start_ns..select.end_ns;
        let in_range =
            |trace: &&SpanBatch| any_time || trace.spans.iter().any(|row| range.contains(&row.start_ns));
        let traces = tenants.get(tenant).into_iter().flatten().filter(|(id, _)| wanted(id));
        let mut traces: Vec<_> = traces.map(|(_, trace)| trace).filter(in_range).collect();
        traces.sort_by_key(|trace| std::cmp::Reverse(trace.spans.first().map(|row| row.start_ns)));
        for trace in traces {
            budget.spend(trace.spans.len() as u64)?;
            if visit(trace).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl SpanSource for MemorySpans {
    fn scan(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError> {
        self.each(tenant, select, budget, on_batch)?;
        Ok(Completeness::default())
    }

    fn attribute_names(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
    ) -> Result<Vec<(AttrScope, String)>, ScanError> {
        let mut names = BTreeSet::new();
        self.each(tenant, select, budget, &mut |trace| {
            for span in trace.iter() {
                let mut add =
                    |scope, range| names.extend(trace.attrs(range).map(|(key, _)| (scope, key.to_owned())));
                add(AttrScope::Span, &span.row.attrs);
                span.events().iter().for_each(|event| add(AttrScope::Event, &event.attrs));
                span.links().iter().for_each(|link| add(AttrScope::Link, &link.attrs));
                span.scope().into_iter().for_each(|scope| add(AttrScope::Instrumentation, &scope.attrs));
                names.extend(span.resource_attrs().map(|(key, _)| (AttrScope::Resource, key.to_owned())));
            }
            ControlFlow::Continue(())
        })?;
        Ok(names.into_iter().collect())
    }
}
