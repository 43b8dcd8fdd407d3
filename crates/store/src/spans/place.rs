//! Where spans are: a block of a part or a chunk of memory. Says which of its traces can satisfy a hint, and copies
//! spans out.

use super::block::{ARRAY, Segment, attr_token};
use super::columns::{AllColumns, Copied, ExtraColumns, SourceColumns, SpanColumns, decode_attrs};
use super::index::{Block, SpanIndex};
use super::memory::Chunk;
use super::table::{Piece, TraceTable};
use crate::column::attrs::Attrs;
use crate::column::bloom::Bloom;
use crate::error::PartError;
use crate::part::Part;
use crate::window::Extent;
use model::attr::ValueRef;
use model::scan::{AttrScope, SpanHint};
use model::span::{Event, Link, Resource, Scope, SpanRef};
use model::{SpanBatch, StatusCode, Text, TraceId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A block being read; segments are decoded when first asked for.
pub(super) struct OpenBlock {
    part: Arc<Part>,
    index: Arc<SpanIndex>,
    block: usize,
    table: Option<TraceTable>,
    bloom: Option<Bloom>,
    spans: Option<SpanColumns>,
    sources: Option<SourceColumns>,
    attrs: Option<Attrs>,
    extras: Option<ExtraColumns>,
    copied: Option<Copied>,
}

/// Decodes a segment into `slot` when it is empty.
macro_rules! load {
    ($open:ident . $slot:ident, $segment:ident, $decode:expr) => {
        if $open.$slot.is_none() {
            let block = &$open.index.blocks[$open.block];
            $open.$slot = Some(block.segment(&$open.part, Segment::$segment, $decode)?);
        }
    };
}

impl OpenBlock {
    /// Block number `block` of `part`.
    pub(super) fn new(part: Arc<Part>, index: Arc<SpanIndex>, block: usize) -> Self {
        Self {
            part,
            index,
            block,
            table: None,
            bloom: None,
            spans: None,
            sources: None,
            attrs: None,
            extras: None,
            copied: None,
        }
    }

    /// What the index says of it.
    pub(super) fn info(&self) -> &Block {
        &self.index.blocks[self.block]
    }

    /// The part it is of.
    pub(super) fn part(&self) -> &Arc<Part> {
        &self.part
    }

    /// Whether the trace index names it for `id`.
    pub(super) fn may_have(&self, id: TraceId) -> Result<bool, PartError> {
        let traces = self.index.traces(&self.part)?;
        Ok(traces.blocks(id).any(|block| block as usize == self.block))
    }

    /// Its trace table.
    pub(super) fn table(&mut self) -> Result<&TraceTable, PartError> {
        load!(self.table, Table, TraceTable::decode);
        self.table.as_ref().ok_or_else(|| self.part.damaged(crate::error::Damage::new("no trace table")))
    }

    /// Forgets everything but the trace table.
    pub(super) fn close(&mut self) {
        (self.spans, self.sources, self.attrs, self.extras, self.copied) = (None, None, None, None, None);
    }

    /// Whether more than the trace table is decoded.
    pub(super) fn is_open(&self) -> bool {
        self.spans.is_some() || self.attrs.is_some()
    }

    fn load_spans(&mut self) -> Result<(), PartError> {
        self.table()?;
        let pieces = self.table.as_ref().map_or(&[][..], |table| &table.pieces);
        load!(self.spans, Spans, |bytes, rows| SpanColumns::decode(bytes, rows, pieces));
        load!(self.sources, Sources, |bytes, _| SourceColumns::decode(bytes));
        Ok(())
    }

    /// The texts of the next rows go to another batch.
    pub(super) fn next_batch(&mut self) {
        self.copied = None;
    }

    /// Appends the spans of trace `id` that are `rows`.
    pub(super) fn copy(
        &mut self,
        id: TraceId,
        rows: Range<u32>,
        batch: &mut SpanBatch,
    ) -> Result<(), PartError> {
        self.load_spans()?;
        load!(self.attrs, Attrs, decode_attrs);
        load!(self.extras, Extras, ExtraColumns::decode);
        if let (Some(spans), Some(sources), Some(attrs), Some(extras)) =
            (&self.spans, &self.sources, &self.attrs, &self.extras)
        {
            let columns = AllColumns { spans, sources, attrs, extras };
            let copied = self.copied.get_or_insert_with(|| columns.start());
            rows.for_each(|row| columns.copy(row as usize, id, copied, batch));
        }
        Ok(())
    }

    /// Whether the index and the value filter rule the hint out for every trace of the block.
    fn rules_out(&mut self, hint: &SpanHint) -> Result<bool, PartError> {
        let block = self.info();
        let (longest_ns, failed) = (block.longest_ns, block.failed);
        let has_name = |scope: Option<AttrScope>, key: &str| {
            block.names.iter().filter_map(|name| self.index.names.get(*name as usize)).any(|(of, name)| {
                name == key
                    && scope.map_or(matches!(of, AttrScope::Span | AttrScope::Resource), |scope| scope == *of)
            })
        };
        let (mut token, mut array) = (Vec::new(), Vec::new());
        match hint {
            SpanHint::DurationMin(min_ns) => return Ok(longest_ns < *min_ns),
            SpanHint::Error => return Ok(!failed),
            SpanHint::AttrExists(scope, key) => return Ok(!has_name(*scope, key)),
            SpanHint::AttrEquals(scope, key, value) => {
                if !has_name(*scope, key) {
                    return Ok(true);
                }
                if !block.arrays || !matches!(scope, None | Some(AttrScope::Span | AttrScope::Resource)) {
                    return Ok(false);
                }
                attr_token(key.as_bytes(), value.as_bytes(), &mut token);
                attr_token(key.as_bytes(), ARRAY, &mut array);
            }
            SpanHint::Service(name) => attr_token(b"service.name", name.as_bytes(), &mut token),
            SpanHint::Name(name) => token.extend_from_slice(name.as_bytes()),
        }
        let bloom = match self.bloom.take() {
            Some(bloom) => bloom,
            None => self.info().bloom(&self.part)?,
        };
        let bloom = self.bloom.insert(bloom);
        Ok(!bloom.may_have(&token) && (array.is_empty() || !bloom.may_have(&array)))
    }

    /// Calls `on_trace` with the position in the table of each trace that may satisfy `hint`.
    fn satisfying(&mut self, hint: &SpanHint, mut on_trace: impl FnMut(usize)) -> Result<(), PartError> {
        if self.rules_out(hint)? {
            return Ok(());
        }
        self.table()?;
        match hint {
            SpanHint::Name(_) => self.load_spans()?,
            SpanHint::AttrEquals(..) | SpanHint::AttrExists(..) => {
                self.load_spans()?;
                load!(self.attrs, Attrs, decode_attrs);
            }
            _ => {}
        }
        let Some(table) = &self.table else { return Ok(()) };
        let mut hits = vec![false; self.info().rows as usize];
        match hint {
            SpanHint::Service(name) => {
                (0..table.pieces.len()).filter(|at| table.has_service(*at, name)).for_each(on_trace);
                return Ok(());
            }
            SpanHint::DurationMin(min_ns) => {
                on_pieces(table, |piece| piece.longest_ns >= *min_ns, on_trace);
                return Ok(());
            }
            SpanHint::Error => {
                on_pieces(table, |piece| piece.errors > 0, on_trace);
                return Ok(());
            }
            SpanHint::Name(name) => {
                if let Some(spans) = &self.spans {
                    hits = spans.names.equal(name.as_bytes(), hits.len());
                }
            }
            SpanHint::AttrEquals(scope, key, value) => {
                self.mark(*scope, &mut hits, |attrs, on_row| attrs.rows_with(key, value, on_row));
            }
            SpanHint::AttrExists(scope, key) => {
                self.mark(*scope, &mut hits, |attrs, on_row| attrs.rows_having(key, on_row));
            }
        }
        let any_of = |rows: &Range<u32>| {
            hits.get(rows.start as usize..rows.end as usize).is_some_and(|rows| rows.contains(&true))
        };
        let traces = table.pieces.iter().enumerate().filter(|(_, piece)| any_of(&piece.rows));
        traces.for_each(|(at, _)| on_trace(at));
        Ok(())
    }

    /// Marks the rows that `find` finds among attributes of spans and resources; other scopes are not looked into.
    fn mark(
        &self,
        scope: Option<AttrScope>,
        hits: &mut [bool],
        find: impl Fn(&Attrs, &mut dyn FnMut(usize)),
    ) {
        if !matches!(scope, None | Some(AttrScope::Span | AttrScope::Resource)) {
            hits.fill(true);
            return;
        }
        if let (Some(attrs), None | Some(AttrScope::Span)) = (&self.attrs, scope) {
            find(attrs, &mut |row| hits[row] = true);
        }
        let (Some(sources), Some(spans)) = (&self.sources, &self.spans) else { return };
        if matches!(scope, None | Some(AttrScope::Resource)) {
            let mut resources = vec![false; sources.resources.rows()];
            find(&sources.resources, &mut |resource| resources[resource] = true);
            for (hit, resource) in hits.iter_mut().zip(spans.resources()) {
                *hit |= resources.get(*resource as usize) == Some(&true);
            }
        }
    }
}

fn on_pieces(table: &TraceTable, satisfies: impl Fn(&Piece) -> bool, on_trace: impl FnMut(usize)) {
    let pieces = table.pieces.iter().enumerate();
    pieces.filter(|(_, piece)| satisfies(piece)).map(|(at, _)| at).for_each(on_trace);
}

/// Where spans are.
pub(super) enum Place {
    Block(Box<OpenBlock>),
    Memory(Arc<Chunk>),
}

impl Place {
    /// When its spans start, and how many traces it has.
    pub(super) fn extent(&self) -> Extent {
        match self {
            Self::Block(open) => {
                let Block { min_ns, max_ns, traces, .. } = *open.info();
                Extent { min_ns, max_ns, records: traces.into() }
            }
            Self::Memory(chunk) => {
                Extent { min_ns: chunk.min_ns, max_ns: chunk.max_ns, records: chunk.traces.len() as u64 }
            }
        }
    }

    /// Its traces.
    pub(super) fn pieces(&mut self) -> Result<&[Piece], PartError> {
        match self {
            Self::Block(open) => open.table().map(|table| table.pieces.as_slice()),
            Self::Memory(chunk) => Ok(&chunk.traces),
        }
    }

    /// The spans of `id`; a block's trace may stand in more than one piece when it was cut.
    pub(super) fn find(&mut self, id: TraceId) -> Result<Vec<Piece>, PartError> {
        match self {
            Self::Memory(chunk) => Ok(chunk.find(id).into_iter().cloned().collect()),
            Self::Block(open) => {
                if !open.may_have(id)? {
                    return Ok(Vec::new());
                }
                Ok(open.table()?.pieces.iter().filter(|piece| piece.id == id).cloned().collect())
            }
        }
    }

    /// The traces that may satisfy `hint`.
    pub(super) fn satisfying(
        &mut self,
        hint: &SpanHint,
        on_trace: &mut dyn FnMut(TraceId),
    ) -> Result<(), PartError> {
        match self {
            Self::Memory(chunk) => {
                for trace in &chunk.traces {
                    let rows = chunk
                        .order
                        .get(trace.rows.start as usize..trace.rows.end as usize)
                        .unwrap_or_default();
                    let spans = rows.iter().filter_map(|row| chunk.batch.span(*row as usize));
                    if spans.into_iter().any(|span| satisfies(&span, hint)) {
                        on_trace(trace.id);
                    }
                }
            }
            Self::Block(open) => {
                let mut found = Vec::new();
                open.satisfying(hint, |at| found.push(at))?;
                let pieces = &open.table()?.pieces;
                found.into_iter().filter_map(|at| pieces.get(at)).for_each(|piece| on_trace(piece.id));
            }
        }
        Ok(())
    }
}

/// Whether a span may satisfy a hint; scopes other than resource and span are not looked into.
fn satisfies(span: &SpanRef<'_>, hint: &SpanHint) -> bool {
    let any = |scope: &Option<AttrScope>, test: &dyn Fn(&str, ValueRef<'_>) -> bool| match scope {
        None => span.attrs().chain(span.resource_attrs()).any(|(key, value)| test(key, value)),
        Some(AttrScope::Span) => span.attrs().any(|(key, value)| test(key, value)),
        Some(AttrScope::Resource) => span.resource_attrs().any(|(key, value)| test(key, value)),
        Some(_) => true,
    };
    match hint {
        SpanHint::Service(name) => span.service() == name,
        SpanHint::Name(name) => span.name() == name,
        SpanHint::AttrEquals(scope, key, value) => {
            any(scope, &|k, v| k == key && (v == ValueRef::Str(value) || matches!(v, ValueRef::Json(_))))
        }
        SpanHint::AttrExists(scope, key) => any(scope, &|k, _| k == key),
        SpanHint::DurationMin(min_ns) => span.row.duration_ns >= *min_ns,
        SpanHint::Error => span.row.status == StatusCode::Error,
    }
}

/// Copies spans from memory chunks into one batch; a resource or scope of a chunk is copied once.
#[derive(Default)]
pub(super) struct ChunkCopier {
    resources: HashMap<(usize, u32), u32>,
    scopes: HashMap<(usize, u32), u32>,
}

impl ChunkCopier {
    /// Appends row `row` of chunk number `number`.
    pub(super) fn copy(&mut self, number: usize, from: &SpanBatch, row: u32, into: &mut SpanBatch) {
        let Some(span) = from.span(row as usize) else { return };
        let mut copy = span.row.clone();
        copy.resource = *self.resources.entry((number, span.row.resource)).or_insert_with(|| {
            let attrs = into.push_attrs(span.resource_attrs());
            into.resources.push(Resource { attrs });
            index(into.resources.len() - 1)
        });
        copy.scope = *self.scopes.entry((number, span.row.scope)).or_insert_with(|| {
            let scope = span.scope().cloned().unwrap_or_default();
            let (name, version) = (text(from, scope.name, into), text(from, scope.version, into));
            let attrs = into.push_attrs(from.attrs(&scope.attrs));
            into.scopes.push(Scope { name, version, attrs });
            index(into.scopes.len() - 1)
        });
        copy.name = text(from, span.row.name, into);
        copy.status_message = text(from, span.row.status_message, into);
        copy.trace_state = text(from, span.row.trace_state, into);
        copy.attrs = into.push_attrs(span.attrs());
        let first = index(into.events.len());
        for event in span.events() {
            let (name, attrs) = (text(from, event.name, into), into.push_attrs(from.attrs(&event.attrs)));
            into.events.push(Event { ts_ns: event.ts_ns, name, attrs });
        }
        copy.events = first..index(into.events.len());
        let first = index(into.links.len());
        for link in span.links() {
            let trace_state = text(from, link.trace_state, into);
            let attrs = into.push_attrs(from.attrs(&link.attrs));
            into.links.push(Link { trace_state, attrs, ..link.clone() });
        }
        copy.links = first..index(into.links.len());
        into.spans.push(copy);
    }
}

fn text(from: &SpanBatch, text: Text, into: &mut SpanBatch) -> Text {
    Text::push(&mut into.arena, text.bytes(&from.arena))
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
