//! Reads an attribute or intrinsic of one span. Events and links may give several values: a comparison holds when one
//! of them satisfies it, everything else takes the first.

use super::answer::ROOT_NOT_RECEIVED;
use super::trace::Trace;
use super::value::Val;
use language::traceql::{FieldName, Intrinsic};
use model::attr::Attr;
use model::scan::AttrScope;
use model::span::{SpanBatch, SpanRef, UNKNOWN_SERVICE};
use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

/// The attribute that names a service.
pub(super) const SERVICE_NAME: &str = "service.name";

/// Calls `visit` with each value of the field until it breaks; not at all when the span has none.
pub(super) fn each_value<'a>(
    field: &FieldName,
    trace: &Trace<'a>,
    at: u32,
    visit: &mut dyn FnMut(Val<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(span) = trace.span(at) else {
        return ControlFlow::Continue(());
    };
    match field {
        FieldName::Intrinsic(intrinsic) => each_intrinsic(*intrinsic, trace, span, at, visit),
        FieldName::Attribute { scope, name, .. } => each_attr(*scope, name, span, visit),
    }
}

/// The first value, or nil.
pub(super) fn first_value<'a>(field: &FieldName, trace: &Trace<'a>, at: u32) -> Val<'a> {
    let mut first = Val::Nil;
    let _ = each_value(field, trace, at, &mut |value| {
        first = value;
        ControlFlow::Break(())
    });
    first
}

/// Looks a key up by bytes: the texts of a batch are UTF-8 already.
fn attr<'a>(batch: &'a SpanBatch, range: &Range<u32>, key: &str) -> Option<Val<'a>> {
    let attrs: &[Attr] = batch.attrs.get(range.start as usize..range.end as usize).unwrap_or_default();
    let found = attrs.iter().find(|attr| attr.key.bytes(&batch.arena) == key.as_bytes())?;
    let value = Val::of_attr(found.value.resolve(&batch.arena));
    (value != Val::Nil).then_some(value)
}

fn each_attr<'a>(
    scope: Option<AttrScope>,
    key: &str,
    span: SpanRef<'a>,
    visit: &mut dyn FnMut(Val<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let batch = span.batch();
    let own = || attr(batch, &span.row.attrs, key);
    let resource = || {
        let resource = batch.resources.get(span.row.resource as usize);
        let found = resource.and_then(|resource| attr(batch, &resource.attrs, key));
        // Every span is of a service, as the language's validator has it.
        let unnamed = key == SERVICE_NAME && found.as_ref().is_none_or(|found| *found == text(""));
        if unnamed { Some(text(UNKNOWN_SERVICE)) } else { found }
    };
    let mut found = match scope {
        None => own().or_else(resource),
        Some(AttrScope::Span) => own(),
        Some(AttrScope::Resource) => resource(),
        Some(AttrScope::Instrumentation) => span.scope().and_then(|scope| attr(batch, &scope.attrs, key)),
        Some(AttrScope::Event) => {
            return span
                .events()
                .iter()
                .filter_map(|event| attr(batch, &event.attrs, key))
                .try_for_each(visit);
        }
        Some(AttrScope::Link) => {
            return span.links().iter().filter_map(|link| attr(batch, &link.attrs, key)).try_for_each(visit);
        }
    };
    found.take().map_or(ControlFlow::Continue(()), visit)
}

fn text(text: &str) -> Val<'_> {
    Val::Str(Cow::Borrowed(text))
}

fn id<'a>(id: &impl ToString) -> Val<'a> {
    Val::Str(Cow::Owned(id.to_string()))
}

fn each_intrinsic<'a>(
    intrinsic: Intrinsic,
    trace: &Trace<'a>,
    span: SpanRef<'a>,
    at: u32,
    visit: &mut dyn FnMut(Val<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (row, batch) = (span.row, span.batch());
    let position = |of: &[i64]| Val::Int(of.get(at as usize).copied().unwrap_or_default());
    let value = match intrinsic {
        Intrinsic::Duration => Val::Duration(row.duration_ns),
        Intrinsic::Name => text(span.name()),
        Intrinsic::Status => Val::Status(row.status),
        Intrinsic::StatusMessage => text(span.status_message()),
        Intrinsic::Kind => Val::Kind(row.kind),
        Intrinsic::RootName => text(trace.root().map_or(ROOT_NOT_RECEIVED, |root| root.name())),
        Intrinsic::RootServiceName => text(trace.root().map_or(ROOT_NOT_RECEIVED, |root| root.service())),
        Intrinsic::TraceDuration => Val::Duration(trace.duration_ns()),
        Intrinsic::ChildCount => {
            Val::Int(trace.tree().children.get(at as usize).copied().unwrap_or_default().into())
        }
        Intrinsic::NestedSetLeft => position(&trace.tree().left),
        Intrinsic::NestedSetRight => position(&trace.tree().right),
        Intrinsic::NestedSetParent => Val::Int(trace.tree().nested_set_parent(at, row.parent_id.is_none())),
        Intrinsic::TraceId => id(&row.trace_id),
        Intrinsic::SpanId => id(&row.span_id),
        Intrinsic::ParentId if row.parent_id.is_none() => text(""),
        Intrinsic::ParentId => id(&row.parent_id),
        Intrinsic::InstrumentationName => text(span.scope().map_or("", |scope| scope.name.str(&batch.arena))),
        Intrinsic::InstrumentationVersion => {
            text(span.scope().map_or("", |scope| scope.version.str(&batch.arena)))
        }
        Intrinsic::EventName => {
            return span.events().iter().map(|event| text(event.name.str(&batch.arena))).try_for_each(visit);
        }
        Intrinsic::EventTimeSinceStart => {
            let since = span.events().iter().map(|event| event.ts_ns.saturating_sub(row.start_ns));
            return since.map(Val::Duration).try_for_each(visit);
        }
        Intrinsic::LinkTraceId => {
            return span.links().iter().map(|link| id(&link.trace_id)).try_for_each(visit);
        }
        Intrinsic::LinkSpanId => {
            return span.links().iter().map(|link| id(&link.span_id)).try_for_each(visit);
        }
        Intrinsic::Parent => return ControlFlow::Continue(()),
    };
    visit(value)
}
