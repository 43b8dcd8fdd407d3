//! What every reader of spans needs: where one trace ends and the next begins in a batch, and a trace copied out of it.

use model::attr::Attr;
use model::span::{Event, Link, Resource, Scope, SpanBatch, SpanRow};
use std::collections::HashMap;
use std::ops::Range;

/// The row ranges of the traces in `batch`, whose spans stand together trace by trace.
pub(crate) fn traces(batch: &SpanBatch) -> impl Iterator<Item = Range<usize>> {
    let mut first = 0;
    batch.spans.chunk_by(|one, next| one.trace_id == next.trace_id).map(move |trace| {
        let range = first..first + trace.len();
        first = range.end;
        range
    })
}

/// Copies spans from one batch into another, each resource and scope once.
pub(crate) struct Copier<'a> {
    from: &'a SpanBatch,
    resources: HashMap<u32, u32>,
    scopes: HashMap<u32, u32>,
}

impl<'a> Copier<'a> {
    /// Copies out of `from`; a copier serves one target batch.
    pub(crate) fn new(from: &'a SpanBatch) -> Self {
        Self { from, resources: HashMap::new(), scopes: HashMap::new() }
    }

    fn text(&self, text: model::Text, to: &mut SpanBatch) -> model::Text {
        model::Text::push(&mut to.arena, text.bytes(&self.from.arena))
    }

    fn attrs(&self, range: &Range<u32>, to: &mut SpanBatch) -> Range<u32> {
        let attrs = self.from.attrs.get(range.start as usize..range.end as usize).unwrap_or_default();
        let first = index(to.attrs.len());
        for attr in attrs {
            let key = self.text(attr.key, to);
            let value = attr.value.resolve(&self.from.arena).store(&mut to.arena);
            to.attrs.push(Attr { key, value });
        }
        first..index(to.attrs.len())
    }

    fn resource(&mut self, at: u32, to: &mut SpanBatch) -> u32 {
        if let Some(known) = self.resources.get(&at) {
            return *known;
        }
        let attrs = self.from.resources.get(at as usize).map(|resource| self.attrs(&resource.attrs, to));
        to.resources.push(Resource { attrs: attrs.unwrap_or_default() });
        let copied = index(to.resources.len() - 1);
        self.resources.insert(at, copied);
        copied
    }

    fn scope(&mut self, at: u32, to: &mut SpanBatch) -> u32 {
        if let Some(known) = self.scopes.get(&at) {
            return *known;
        }
        let scope = self.from.scopes.get(at as usize).map(|scope| Scope {
            name: self.text(scope.name, to),
            version: self.text(scope.version, to),
            attrs: self.attrs(&scope.attrs, to),
        });
        to.scopes.push(scope.unwrap_or_default());
        let copied = index(to.scopes.len() - 1);
        self.scopes.insert(at, copied);
        copied
    }

    /// Appends row `at` to `to`; out of range does nothing.
    pub(crate) fn copy(&mut self, at: usize, to: &mut SpanBatch) {
        let Some(span) = self.from.span(at) else {
            return;
        };
        let row = SpanRow {
            name: self.text(span.row.name, to),
            status_message: self.text(span.row.status_message, to),
            trace_state: self.text(span.row.trace_state, to),
            resource: self.resource(span.row.resource, to),
            scope: self.scope(span.row.scope, to),
            attrs: self.attrs(&span.row.attrs, to),
            events: self.events(span.events(), to),
            links: self.links(span.links(), to),
            ..span.row.clone()
        };
        to.spans.push(row);
    }

    fn events(&self, events: &[Event], to: &mut SpanBatch) -> Range<u32> {
        let first = index(to.events.len());
        for event in events {
            let (name, attrs) = (self.text(event.name, to), self.attrs(&event.attrs, to));
            to.events.push(Event { ts_ns: event.ts_ns, name, attrs });
        }
        first..index(to.events.len())
    }

    fn links(&self, links: &[Link], to: &mut SpanBatch) -> Range<u32> {
        let first = index(to.links.len());
        for link in links {
            let (trace_state, attrs) = (self.text(link.trace_state, to), self.attrs(&link.attrs, to));
            to.links.push(Link { trace_id: link.trace_id, span_id: link.span_id, trace_state, attrs });
        }
        first..index(to.links.len())
    }
}

/// A table's length as an index; a batch is limited to 4 GiB, so its tables are far shorter than this.
fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The rows of one trace as a batch of their own.
pub(crate) fn copy_trace(batch: &SpanBatch, rows: Range<usize>) -> SpanBatch {
    let mut copy = SpanBatch::default();
    let mut copier = Copier::new(batch);
    rows.for_each(|at| copier.copy(at, &mut copy));
    copy
}
