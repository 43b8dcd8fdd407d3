//! A source that takes hints at their word: it drops every trace that does not satisfy all of them, so that a hint too
//! many shows as a missing answer.

use model::attr::ValueRef;
use model::scan::{AttrScope, Budget, Completeness, ScanError, SpanHint, SpanSelect, SpanSource};
use model::span::{SpanBatch, SpanRef, StatusCode};
use model::tenant::Tenant;
use query::memory::MemorySpans;
use std::ops::ControlFlow;

#[derive(Default)]
pub(crate) struct Pruned(pub(crate) MemorySpans);

impl SpanSource for Pruned {
    fn scan(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError> {
        self.0.scan(tenant, select, budget, &mut |trace| {
            let satisfied = |hint: &SpanHint| trace.iter().any(|span| satisfies(&span, hint));
            if select.hints.iter().all(satisfied) { on_batch(trace) } else { ControlFlow::Continue(()) }
        })
    }

    fn attribute_names(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
    ) -> Result<Vec<(AttrScope, String)>, ScanError> {
        self.0.attribute_names(tenant, select, budget)
    }
}

fn satisfies(span: &SpanRef, hint: &SpanHint) -> bool {
    match hint {
        SpanHint::Service(name) => span.service() == name,
        SpanHint::Name(name) => span.name() == name,
        SpanHint::AttrEquals(scope, key, value) => has(span, *scope, key, &|found| match found {
            ValueRef::Str(text) => text == value,
            ValueRef::Json(array) => array.contains(&format!("{{\"stringValue\":\"{value}\"}}")),
            _ => false,
        }),
        SpanHint::AttrExists(scope, key) => has(span, *scope, key, &|_| true),
        SpanHint::DurationMin(ns) => span.row.duration_ns >= *ns,
        SpanHint::Error => span.row.status == StatusCode::Error,
    }
}

fn has(span: &SpanRef, scope: Option<AttrScope>, key: &str, test: &dyn Fn(ValueRef) -> bool) -> bool {
    let batch = span.batch();
    let hit = |(name, value): (&str, ValueRef)| name == key && test(value);
    match scope {
        None => span.attrs().chain(span.resource_attrs()).any(hit),
        Some(AttrScope::Span) => span.attrs().any(hit),
        Some(AttrScope::Resource) => span.resource_attrs().any(hit),
        Some(AttrScope::Instrumentation) => {
            span.scope().is_some_and(|scope| batch.attrs(&scope.attrs).any(hit))
        }
        Some(AttrScope::Event) => span.events().iter().any(|event| batch.attrs(&event.attrs).any(hit)),
        Some(AttrScope::Link) => span.links().iter().any(|link| batch.attrs(&link.attrs).any(hit)),
    }
}
