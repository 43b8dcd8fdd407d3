//! Blocks of spans: whole traces one after the other, ordered by start, as five segments.
//!
//! A parent is stored as its position in the trace; only a parent that is elsewhere is stored by id. Start times are
//! offsets from the span before. Resources and scopes stand once per block.

use super::table::{self, Piece};
use crate::column::KeyMap;
use crate::column::attrs::{AttrsBuilder, Raw, raw};
use crate::column::bloom::BloomBuilder;
use crate::column::ids::write_ids;
use crate::column::ints::{write_ints, write_signed, write_u32s};
use crate::column::segment::SegmentWriter;
use crate::column::text::write_text;
use crate::column::trace_index::TraceIndex;
use model::attr::ValueRef;
use model::scan::{AttrScope, Operation};
use model::span::{Resource, Scope, UNKNOWN_SERVICE};
use model::{Attr, SpanBatch, SpanId, SpanRow, Value};
use std::collections::BTreeSet;
use std::ops::Range;

/// Rows at which a block is closed; a trace with more is cut.
pub const BLOCK_ROWS_MAX: usize = 64 << 10;
/// Bytes of names, attributes and ids at which a block is closed; one span may be longer.
pub const BLOCK_BYTES_MAX: usize = 32 << 20;
/// The value filter takes at most this share of the block's other bytes.
const BLOOM_SHARE: usize = 12;
/// Codes of parents that are not a row of the trace; row `n` is `n + 2`.
pub(super) const PARENT_NONE: u32 = 0;
pub(super) const PARENT_ELSEWHERE: u32 = 1;

/// How many segments a block has.
pub(super) const SEGMENTS: usize = 5;

/// The segments of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment {
    Table = 0,
    Spans = 1,
    Sources = 2,
    Attrs = 3,
    Extras = 4,
}

/// One span to be encoded, borrowed from the batch it stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) batch: &'a SpanBatch,
    pub(super) span: &'a SpanRow,
}

impl<'a> Row<'a> {
    fn resource(&self) -> Option<&'a Resource> {
        self.batch.resources.get(self.span.resource as usize)
    }

    fn service(&self) -> Option<&'a str> {
        let attrs = self.resource().map(|resource| self.batch.attrs(&resource.attrs));
        attrs.into_iter().flatten().find_map(|(key, value)| match value {
            ValueRef::Str(name) if key == "service.name" => Some(name),
            _ => None,
        })
    }

    /// Bytes the span's own columns have before compression, roughly.
    pub(super) fn bytes(&self) -> usize {
        let text = |attr: &Attr| match attr.value {
            Value::Str(text) | Value::Json(text) | Value::Bytes(text) => text.len,
            _ => 8,
        };
        let attrs = slice(self.batch, &self.span.attrs).iter().map(|attr| attr.key.len + text(attr));
        (48 + self.span.name.len + attrs.sum::<u32>()) as usize
    }
}

/// The attributes in `range`.
fn slice<'a>(batch: &'a SpanBatch, range: &Range<u32>) -> &'a [Attr] {
    batch.attrs.get(range.start as usize..range.end as usize).unwrap_or_default()
}

fn list<'a>(batch: &'a SpanBatch, range: &Range<u32>) -> impl Iterator<Item = (&'a [u8], Raw<'a>)> {
    raw(&batch.arena, slice(batch, range))
}

/// The bytes of a block.
#[derive(Debug)]
pub(super) struct EncodedBlock {
    pub(super) segments: [Vec<u8>; SEGMENTS],
    /// Filter of string values and names.
    pub(super) bloom: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
    pub(super) traces: TraceIndex,
    pub(super) names: BTreeSet<(AttrScope, String)>,
    pub(super) operations: BTreeSet<Operation>,
}

/// Encodes rows that stand trace by trace, each trace ordered by (start, span id), as block number `block` of its part.
pub(super) fn encode(rows: &[Row<'_>], block: u32) -> EncodedBlock {
    let sources = Sources::of(rows);
    let mut pieces = Vec::new();
    let mut services = Vec::new();
    let mut first = 0;
    for trace in rows.chunk_by(|a, b| a.span.trace_id == b.span.trace_id) {
        let end = first + index(trace.len());
        pieces.extend(Piece::of(trace.iter().map(|row| row.span), first..end));
        let codes: BTreeSet<u32> =
            sources.resource_codes[first as usize..end as usize].iter().copied().collect();
        services
            .push(codes.iter().filter_map(|code| sources.resources.get(*code as usize)?.service()).collect());
        first = end;
    }
    let mut names = BTreeSet::new();
    let mut writer = SegmentWriter::new();
    table::write(&mut writer, &pieces, &services);
    let table = writer.finish();
    let spans = encode_spans(rows, &sources);
    let source_bytes = sources.encode(&mut names);
    let attrs = encode_attrs(rows, &mut names);
    let extras = encode_extras(rows, &mut names);
    let segments = [table, spans, source_bytes, attrs, extras];
    let bytes: usize = segments.iter().map(Vec::len).sum();
    let bloom = filter(rows, &sources, bytes / BLOOM_SHARE);
    let traces = TraceIndex::new(pieces.iter().map(|piece| (piece.id, block)));
    EncodedBlock { segments, bloom, pieces, traces, names, operations: sources.operations(rows) }
}

fn encode_spans(rows: &[Row<'_>], sources: &Sources<'_>) -> Vec<u8> {
    let mut writer = SegmentWriter::new();
    for row in rows {
        writer.raw.extend_from_slice(&row.span.span_id.0);
    }
    let mut parents = Vec::with_capacity(rows.len());
    let mut elsewhere = Vec::new();
    let mut starts = Vec::with_capacity(rows.len());
    for trace in rows.chunk_by(|a, b| a.span.trace_id == b.span.trace_id) {
        push_parents(trace, &mut parents, &mut elsewhere);
        let mut last = trace[0].span.start_ns;
        for row in trace {
            starts.push(row.span.start_ns.wrapping_sub(last).cast_unsigned());
            last = row.span.start_ns;
        }
    }
    write_u32s(&mut writer, &parents);
    writer.count(elsewhere.len());
    write_ids(&mut writer, &elsewhere);
    write_ints(&mut writer, &starts);
    write_signed(&mut writer, &rows.iter().map(|row| row.span.duration_ns).collect::<Vec<_>>());
    let code = |row: &Row<'_>| u32::from(row.span.kind as u8) | u32::from(row.span.status as u8) << 4;
    write_u32s(&mut writer, &rows.iter().map(code).collect::<Vec<_>>());
    write_u32s(&mut writer, &rows.iter().map(|row| row.span.flags).collect::<Vec<_>>());
    write_u32s(&mut writer, &sources.resource_codes);
    write_u32s(&mut writer, &sources.scope_codes);
    let texts = |text: fn(&SpanRow) -> model::Text| {
        rows.iter().map(|row| text(row.span).bytes(&row.batch.arena)).collect::<Vec<_>>()
    };
    write_text(&mut writer, &texts(|span| span.name));
    write_text(&mut writer, &texts(|span| span.status_message));
    write_text(&mut writer, &texts(|span| span.trace_state));
    writer.finish()
}

fn push_parents(trace: &[Row<'_>], parents: &mut Vec<u32>, elsewhere: &mut Vec<[u8; 8]>) {
    // A map pays only for large traces.
    let by_id: KeyMap<[u8; 8], u32> = if trace.len() > 16 {
        trace.iter().zip(0..).map(|(row, at)| (row.span.span_id.0, at)).collect()
    } else {
        KeyMap::default()
    };
    let find = |id: SpanId| match trace.len() {
        ..=16 => trace.iter().position(|row| row.span.span_id == id).map(index),
        _ => by_id.get(&id.0).copied(),
    };
    for row in trace {
        let parent = row.span.parent_id;
        if parent.is_none() {
            parents.push(PARENT_NONE);
        } else if let Some(at) = find(parent) {
            parents.push(at + 2);
        } else {
            parents.push(PARENT_ELSEWHERE);
            elsewhere.push(parent.0);
        }
    }
}

fn encode_attrs(rows: &[Row<'_>], names: &mut BTreeSet<(AttrScope, String)>) -> Vec<u8> {
    let mut writer = SegmentWriter::new();
    let mut lists = AttrsBuilder::default();
    for row in rows {
        lists.push(list(row.batch, &row.span.attrs));
    }
    lists.write(&mut writer);
    note(names, AttrScope::Span, &lists);
    writer.finish()
}

fn note(names: &mut BTreeSet<(AttrScope, String)>, scope: AttrScope, lists: &AttrsBuilder<'_>) {
    names.extend(lists.keys().map(|key| (scope, String::from_utf8_lossy(key).into_owned())));
}

fn encode_extras(rows: &[Row<'_>], names: &mut BTreeSet<(AttrScope, String)>) -> Vec<u8> {
    let mut writer = SegmentWriter::new();
    let (mut event_counts, mut times, mut event_names) = (Vec::new(), Vec::new(), Vec::new());
    let (mut link_counts, mut traces, mut spans, mut states) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut event_lists, mut link_lists) = (AttrsBuilder::default(), AttrsBuilder::default());
    for row in rows {
        let range = row.span.events.start as usize..row.span.events.end as usize;
        let events = row.batch.events.get(range).unwrap_or_default();
        event_counts.push(index(events.len()));
        for event in events {
            times.push(event.ts_ns.wrapping_sub(row.span.start_ns));
            event_names.push(event.name.bytes(&row.batch.arena));
            event_lists.push(list(row.batch, &event.attrs));
        }
        let range = row.span.links.start as usize..row.span.links.end as usize;
        let links = row.batch.links.get(range).unwrap_or_default();
        link_counts.push(index(links.len()));
        for link in links {
            traces.push(link.trace_id.0);
            spans.push(link.span_id.0);
            states.push(link.trace_state.bytes(&row.batch.arena));
            link_lists.push(list(row.batch, &link.attrs));
        }
    }
    write_u32s(&mut writer, &event_counts);
    write_signed(&mut writer, &times);
    write_text(&mut writer, &event_names);
    event_lists.write(&mut writer);
    write_u32s(&mut writer, &link_counts);
    write_ids(&mut writer, &traces);
    write_ids(&mut writer, &spans);
    write_text(&mut writer, &states);
    link_lists.write(&mut writer);
    note(names, AttrScope::Event, &event_lists);
    note(names, AttrScope::Link, &link_lists);
    writer.finish()
}

/// The resources and scopes of a block, each content once.
struct Sources<'a> {
    resource_codes: Vec<u32>,
    scope_codes: Vec<u32>,
    /// A row that has each resource, and one that has each scope.
    resources: Vec<Row<'a>>,
    scopes: Vec<Row<'a>>,
}

/// Gives equal contents the same code.
#[derive(Default)]
struct Interner {
    by_place: KeyMap<(usize, u32), u32>,
    by_content: KeyMap<Vec<u8>, u32>,
    last: Option<((usize, u32), u32)>,
}

impl Interner {
    /// The code of what stands at `place`, and whether it is new.
    fn code(&mut self, place: (usize, u32), content: impl FnOnce() -> Vec<u8>) -> (u32, bool) {
        if let Some((_, code)) = self.last.filter(|(last, _)| *last == place) {
            return (code, false);
        }
        let next = index(self.by_content.len());
        let code = match self.by_place.get(&place) {
            Some(code) => *code,
            None => *self.by_content.entry(content()).or_insert(next),
        };
        self.by_place.insert(place, code);
        self.last = Some((place, code));
        (code, code == next)
    }
}

impl<'a> Sources<'a> {
    fn of(rows: &[Row<'a>]) -> Self {
        let (mut resources, mut scopes) = (Interner::default(), Interner::default());
        let mut found = Self {
            resource_codes: Vec::with_capacity(rows.len()),
            scope_codes: Vec::with_capacity(rows.len()),
            resources: Vec::new(),
            scopes: Vec::new(),
        };
        for row in rows {
            let batch = std::ptr::from_ref(row.batch) as usize;
            let content =
                || row.resource().map(|resource| content(row.batch, &resource.attrs)).unwrap_or_default();
            let (code, new) = resources.code((batch, row.span.resource), content);
            found.resource_codes.push(code);
            if new {
                found.resources.push(*row);
            }
            let (code, new) = scopes.code((batch, row.span.scope), || scope_content(row));
            found.scope_codes.push(code);
            if new {
                found.scopes.push(*row);
            }
        }
        found
    }

    /// What the services call the spans of `rows`.
    fn operations(&self, rows: &[Row<'a>]) -> BTreeSet<Operation> {
        let mut distinct: KeyMap<(u32, &[u8], u8), Operation> = KeyMap::default();
        for (row, code) in rows.iter().zip(&self.resource_codes) {
            let name = row.span.name;
            distinct.entry((*code, name.bytes(&row.batch.arena), row.span.kind as u8)).or_insert_with(|| {
                let service =
                    row.service().filter(|name| !name.is_empty()).unwrap_or(UNKNOWN_SERVICE).to_owned();
                Operation { service, name: name.str(&row.batch.arena).to_owned(), kind: row.span.kind }
            });
        }
        distinct.into_values().collect()
    }

    fn scope(row: &Row<'a>) -> Option<&'a Scope> {
        row.batch.scopes.get(row.span.scope as usize)
    }

    fn encode(&self, names: &mut BTreeSet<(AttrScope, String)>) -> Vec<u8> {
        let mut writer = SegmentWriter::new();
        let mut lists = AttrsBuilder::default();
        for row in &self.resources {
            let range = row.resource().map(|resource| resource.attrs.clone()).unwrap_or_default();
            lists.push(list(row.batch, &range));
        }
        writer.count(self.resources.len());
        lists.write(&mut writer);
        note(names, AttrScope::Resource, &lists);
        let mut lists = AttrsBuilder::default();
        let text = |text: fn(&Scope) -> model::Text| {
            let text =
                |row: &Row<'a>| Self::scope(row).map_or(&[][..], |scope| text(scope).bytes(&row.batch.arena));
            self.scopes.iter().map(text).collect::<Vec<_>>()
        };
        writer.count(self.scopes.len());
        write_text(&mut writer, &text(|scope| scope.name));
        write_text(&mut writer, &text(|scope| scope.version));
        for row in &self.scopes {
            let range = Self::scope(row).map(|scope| scope.attrs.clone()).unwrap_or_default();
            lists.push(list(row.batch, &range));
        }
        lists.write(&mut writer);
        note(names, AttrScope::Instrumentation, &lists);
        writer.finish()
    }
}

/// Bytes that are equal for equal attribute lists.
fn content(batch: &SpanBatch, attrs: &Range<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in batch.attrs(attrs) {
        crate::codec::put_bytes(&mut out, key.as_bytes());
        let (kind, bytes) = match value {
            ValueRef::Empty => (0, Vec::new()),
            ValueRef::Str(text) => (1, text.as_bytes().to_vec()),
            ValueRef::Int(value) => (2, value.to_le_bytes().to_vec()),
            ValueRef::Double(value) => (3, value.to_bits().to_le_bytes().to_vec()),
            ValueRef::Bool(value) => (4, vec![value.into()]),
            ValueRef::Bytes(bytes) => (5, bytes.to_vec()),
            ValueRef::Json(text) => (6, text.as_bytes().to_vec()),
        };
        out.push(kind);
        crate::codec::put_bytes(&mut out, &bytes);
    }
    out
}

fn scope_content(row: &Row<'_>) -> Vec<u8> {
    let Some(scope) = Sources::scope(row) else { return Vec::new() };
    let mut out = Vec::new();
    crate::codec::put_bytes(&mut out, scope.name.bytes(&row.batch.arena));
    crate::codec::put_bytes(&mut out, scope.version.bytes(&row.batch.arena));
    out.extend(content(row.batch, &scope.attrs));
    out
}

/// Stands in the value filter for the text of an array or a map; no text is it.
pub(super) const ARRAY: &[u8] = &[0xFF];

/// What the value filter knows: span names, string attributes of spans and resources, and which of these are arrays.
fn filter(rows: &[Row<'_>], sources: &Sources<'_>, bytes_max: usize) -> Vec<u8> {
    let mut builder = BloomBuilder::default();
    let mut token = Vec::new();
    let mut add = |batch: &SpanBatch, attrs: &Range<u32>| {
        for attr in slice(batch, attrs) {
            let value = match attr.value {
                Value::Str(value) => value.bytes(&batch.arena),
                Value::Json(_) => ARRAY,
                _ => continue,
            };
            attr_token(attr.key.bytes(&batch.arena), value, &mut token);
            builder.add(&token);
        }
    };
    for row in &sources.resources {
        if let Some(resource) = row.resource() {
            add(row.batch, &resource.attrs);
        }
    }
    for row in rows {
        add(row.batch, &row.span.attrs);
    }
    for row in rows {
        builder.add(row.span.name.bytes(&row.batch.arena));
    }
    builder.finish(bytes_max).to_bytes()
}

/// The filter's token of attribute `key` with text `value`; a span name is its own token.
pub(super) fn attr_token(key: &[u8], value: &[u8], token: &mut Vec<u8>) {
    token.clear();
    token.extend_from_slice(key);
    token.push(0xFF);
    token.extend_from_slice(value);
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
