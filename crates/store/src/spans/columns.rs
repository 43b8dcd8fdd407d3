//! The decoded columns of a block of spans: reads segments back, copies rows into a batch.

use super::block::{PARENT_ELSEWHERE, PARENT_NONE};
use super::table::Piece;
use crate::column::attrs::{Attrs, Cursor, KeyTexts};
use crate::column::ids::read_ids;
use crate::column::ints::{read_ints, read_signed, read_u32s};
use crate::column::segment::{COLUMN_VALUES_MAX, SegmentReader};
use crate::column::template::RowIds;
use crate::column::text::TextColumn;
use crate::error::Damage;
use model::span::{Event, Link, Resource, Scope};
use model::{SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, Text, TraceId};
use std::ops::Range;

/// The fixed fields of a block's spans.
#[derive(Debug)]
pub(super) struct SpanColumns {
    ids: Vec<[u8; 8]>,
    parents: Vec<SpanId>,
    starts: Vec<i64>,
    durations: Vec<i64>,
    codes: Vec<u32>,
    flags: Vec<u32>,
    resources: Vec<u32>,
    scopes: Vec<u32>,
    /// Operation names.
    pub(super) names: TextColumn,
    messages: TextColumn,
    states: TextColumn,
}

impl SpanColumns {
    /// Reads the columns of a block whose traces are `pieces`.
    pub(super) fn decode(bytes: &[u8], rows: usize, pieces: &[Piece]) -> Result<Self, Damage> {
        let mut reader = SegmentReader::open(bytes)?;
        let (ids, _) = reader.raw(rows.saturating_mul(8))?.as_chunks::<8>();
        let ids = ids.to_vec();
        let parent_codes = read_u32s(&mut reader, rows, rows + 1)?;
        let elsewhere_count = reader.count()?;
        let elsewhere = read_ids::<8>(&mut reader, elsewhere_count)?;
        let offsets = read_ints(&mut reader, rows)?;
        let (mut parents, mut starts) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut elsewhere = elsewhere.into_iter();
        for piece in pieces {
            let range = piece.rows.start as usize..piece.rows.end as usize;
            let mut start = piece.min_ns;
            for row in range.clone() {
                start = start.wrapping_add(offsets.get(row).copied().unwrap_or(0).cast_signed());
                starts.push(start);
                let parent = match parent_codes.get(row).copied().unwrap_or(PARENT_NONE) {
                    PARENT_NONE => Some([0; 8]),
                    PARENT_ELSEWHERE => elsewhere.next(),
                    code => ids.get(range.clone()).and_then(|ids| ids.get(code as usize - 2)).copied(),
                };
                parents.push(SpanId(parent.ok_or_else(|| Damage::new("a parent points nowhere"))?));
            }
        }
        Ok(Self {
            ids,
            parents,
            starts,
            durations: read_signed(&mut reader, rows)?,
            codes: read_u32s(&mut reader, rows, 255)?,
            flags: read_u32s(&mut reader, rows, u32::MAX as usize)?,
            resources: read_u32s(&mut reader, rows, rows)?,
            scopes: read_u32s(&mut reader, rows, rows)?,
            names: TextColumn::read(&mut reader, rows)?,
            messages: TextColumn::read(&mut reader, rows)?,
            states: TextColumn::read(&mut reader, rows)?,
        })
    }

    /// The resource of each row.
    pub(super) fn resources(&self) -> &[u32] {
        &self.resources
    }

    /// The fixed fields of a row; resource and scope are those of the block, ranges are empty.
    fn row(&self, row: usize, trace_id: TraceId, arena: &mut Vec<u8>) -> Option<SpanRow> {
        let codes = *self.codes.get(row)?;
        Some(SpanRow {
            trace_id,
            span_id: SpanId(*self.ids.get(row)?),
            parent_id: *self.parents.get(row)?,
            start_ns: *self.starts.get(row)?,
            duration_ns: *self.durations.get(row)?,
            name: text(&self.names, row, arena),
            kind: SpanKind::from_otlp(i32::try_from(codes & 15).unwrap_or(0)),
            status: StatusCode::from_otlp(i32::try_from(codes >> 4).unwrap_or(0)),
            status_message: text(&self.messages, row, arena),
            trace_state: text(&self.states, row, arena),
            flags: *self.flags.get(row)?,
            resource: *self.resources.get(row)?,
            scope: *self.scopes.get(row)?,
            ..SpanRow::default()
        })
    }
}

fn text(column: &TextColumn, at: usize, arena: &mut Vec<u8>) -> Text {
    let start = arena.len();
    column.append(at, &RowIds::default(), arena);
    Text { start: index(start), len: index(arena.len() - start) }
}

/// Resources and scopes of a block.
#[derive(Debug)]
pub(super) struct SourceColumns {
    /// Attributes of each resource.
    pub(super) resources: Attrs,
    scope_names: TextColumn,
    scope_versions: TextColumn,
    scopes: Attrs,
}

impl SourceColumns {
    /// Reads the segment.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut reader = SegmentReader::open(bytes)?;
        let count = reader.count()?;
        let resources = Attrs::read(&mut reader, count)?;
        let count = reader.count()?;
        Ok(Self {
            resources,
            scope_names: TextColumn::read(&mut reader, count)?,
            scope_versions: TextColumn::read(&mut reader, count)?,
            scopes: Attrs::read(&mut reader, count)?,
        })
    }
}

/// Attributes of a block's spans.
pub(super) fn decode_attrs(bytes: &[u8], rows: usize) -> Result<Attrs, Damage> {
    Attrs::read(&mut SegmentReader::open(bytes)?, rows)
}

/// Events and links of a block.
#[derive(Debug)]
pub(super) struct ExtraColumns {
    /// First event of each span, and one past the last.
    event_starts: Vec<u32>,
    event_offsets: Vec<i64>,
    event_names: TextColumn,
    event_attrs: Attrs,
    link_starts: Vec<u32>,
    link_traces: Vec<[u8; 16]>,
    link_spans: Vec<[u8; 8]>,
    link_states: TextColumn,
    link_attrs: Attrs,
}

impl ExtraColumns {
    /// Reads the segment of a block of `rows` rows.
    pub(super) fn decode(bytes: &[u8], rows: usize) -> Result<Self, Damage> {
        let mut reader = SegmentReader::open(bytes)?;
        let (event_starts, events) = starts(&mut reader, rows)?;
        let event_offsets = read_signed(&mut reader, events)?;
        let event_names = TextColumn::read(&mut reader, events)?;
        let event_attrs = Attrs::read(&mut reader, events)?;
        let (link_starts, links) = starts(&mut reader, rows)?;
        Ok(Self {
            event_starts,
            event_offsets,
            event_names,
            event_attrs,
            link_starts,
            link_traces: read_ids(&mut reader, links)?,
            link_spans: read_ids(&mut reader, links)?,
            link_states: TextColumn::read(&mut reader, links)?,
            link_attrs: Attrs::read(&mut reader, links)?,
        })
    }
}

fn starts(reader: &mut SegmentReader, rows: usize) -> Result<(Vec<u32>, usize), Damage> {
    let counts = read_u32s(reader, rows, COLUMN_VALUES_MAX)?;
    let mut starts = Vec::with_capacity(rows + 1);
    let mut total = 0_usize;
    starts.push(0);
    for count in counts {
        total += count as usize;
        if total > COLUMN_VALUES_MAX {
            return Err(Damage::new("a block claims too many events or links"));
        }
        starts.push(index(total));
    }
    Ok((starts, total))
}

fn range(starts: &[u32], row: usize) -> Range<usize> {
    let start = starts.get(row).copied().unwrap_or(0);
    start as usize..starts.get(row + 1).copied().unwrap_or(start) as usize
}

/// What copying into one batch remembers of a block.
#[derive(Debug)]
pub(super) struct Copied {
    resources: Vec<Option<u32>>,
    scopes: Vec<Option<u32>>,
    resource_keys: KeyTexts,
    scope_keys: KeyTexts,
    span_keys: KeyTexts,
    event_keys: KeyTexts,
    link_keys: KeyTexts,
    attrs: Cursor,
    events: Cursor,
    links: Cursor,
}

/// Every column of a block.
#[derive(Clone, Copy)]
pub(super) struct AllColumns<'a> {
    pub(super) spans: &'a SpanColumns,
    pub(super) sources: &'a SourceColumns,
    pub(super) attrs: &'a Attrs,
    pub(super) extras: &'a ExtraColumns,
}

impl AllColumns<'_> {
    /// The state for copying rows into a batch that has none of this block.
    pub(super) fn start(&self) -> Copied {
        Copied {
            resources: vec![None; self.sources.resources.rows()],
            scopes: vec![None; self.sources.scopes.rows()],
            resource_keys: KeyTexts::default(),
            scope_keys: KeyTexts::default(),
            span_keys: KeyTexts::default(),
            event_keys: KeyTexts::default(),
            link_keys: KeyTexts::default(),
            attrs: self.attrs.seek(0),
            events: self.extras.event_attrs.seek(0),
            links: self.extras.link_attrs.seek(0),
        }
    }

    /// Appends row `row` of trace `id` to `batch`; cheapest when rows ascend.
    pub(super) fn copy(&self, row: usize, id: TraceId, copied: &mut Copied, batch: &mut SpanBatch) {
        let Some(mut span) = self.spans.row(row, id, &mut batch.arena) else { return };
        span.resource = self.resource(span.resource, copied, batch);
        span.scope = self.scope(span.scope, copied, batch);
        self.attrs.advance(&mut copied.attrs, row);
        span.attrs = list(self.attrs, &mut copied.attrs, &mut copied.span_keys, batch);
        span.events = self.events(row, span.start_ns, copied, batch);
        span.links = self.links(row, copied, batch);
        batch.spans.push(span);
    }

    fn resource(&self, code: u32, copied: &mut Copied, batch: &mut SpanBatch) -> u32 {
        let known = copied.resources.get(code as usize).copied().flatten();
        known.unwrap_or_else(|| {
            let attrs = &self.sources.resources;
            let attrs = list(attrs, &mut attrs.seek(code as usize), &mut copied.resource_keys, batch);
            batch.resources.push(Resource { attrs });
            let at = index(batch.resources.len() - 1);
            if let Some(slot) = copied.resources.get_mut(code as usize) {
                *slot = Some(at);
            }
            at
        })
    }

    fn scope(&self, code: u32, copied: &mut Copied, batch: &mut SpanBatch) -> u32 {
        let known = copied.scopes.get(code as usize).copied().flatten();
        known.unwrap_or_else(|| {
            let attrs = &self.sources.scopes;
            let attrs = list(attrs, &mut attrs.seek(code as usize), &mut copied.scope_keys, batch);
            let name = text(&self.sources.scope_names, code as usize, &mut batch.arena);
            let version = text(&self.sources.scope_versions, code as usize, &mut batch.arena);
            batch.scopes.push(Scope { name, version, attrs });
            let at = index(batch.scopes.len() - 1);
            if let Some(slot) = copied.scopes.get_mut(code as usize) {
                *slot = Some(at);
            }
            at
        })
    }

    fn events(&self, row: usize, start_ns: i64, copied: &mut Copied, batch: &mut SpanBatch) -> Range<u32> {
        let extras = self.extras;
        let first = index(batch.events.len());
        for event in range(&extras.event_starts, row) {
            extras.event_attrs.advance(&mut copied.events, event);
            let attrs = list(&extras.event_attrs, &mut copied.events, &mut copied.event_keys, batch);
            let name = text(&extras.event_names, event, &mut batch.arena);
            let offset = extras.event_offsets.get(event).copied().unwrap_or(0);
            batch.events.push(Event { ts_ns: start_ns.wrapping_add(offset), name, attrs });
        }
        first..index(batch.events.len())
    }

    fn links(&self, row: usize, copied: &mut Copied, batch: &mut SpanBatch) -> Range<u32> {
        let extras = self.extras;
        let first = index(batch.links.len());
        for link in range(&extras.link_starts, row) {
            extras.link_attrs.advance(&mut copied.links, link);
            let attrs = list(&extras.link_attrs, &mut copied.links, &mut copied.link_keys, batch);
            let trace_state = text(&extras.link_states, link, &mut batch.arena);
            let trace_id = TraceId(extras.link_traces.get(link).copied().unwrap_or_default());
            let span_id = SpanId(extras.link_spans.get(link).copied().unwrap_or_default());
            batch.links.push(Link { trace_id, span_id, trace_state, attrs });
        }
        first..index(batch.links.len())
    }
}

fn list(attrs: &Attrs, cursor: &mut Cursor, keys: &mut KeyTexts, batch: &mut SpanBatch) -> Range<u32> {
    let first = index(batch.attrs.len());
    let SpanBatch { arena, attrs: out, .. } = batch;
    attrs.visit(cursor, arena, keys, |attr| out.push(attr));
    first..index(batch.attrs.len())
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
