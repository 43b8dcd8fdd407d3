//! The trace table of a block: which rows each trace has there, when they start, and what they say about failures,
//! durations and services. Searches order and prune traces by it without reading spans.

use crate::column::ints::{read_ints, read_signed, read_u32s, write_ints, write_signed, write_u32s};
use crate::column::segment::{SegmentReader, SegmentWriter};
use crate::column::template::RowIds;
use crate::column::text::{TextColumn, write_text};
use crate::error::Damage;
use model::{SpanRow, StatusCode, TraceId};
use std::collections::BTreeSet;
use std::ops::Range;

/// Parts the names of a trace's services; no name has it.
const SERVICE_END: u8 = 0xFF;

/// The spans of one trace in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: TraceId,
    /// Rows of the place.
    pub(super) rows: Range<u32>,
    /// Earliest and latest start of its spans.
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
    /// Longest duration of a span.
    pub(super) longest_ns: i64,
    /// How many spans failed.
    pub(super) errors: u32,
}

impl Piece {
    /// The piece that `spans` of one trace make, which are its place's rows `rows`.
    pub(super) fn of<'a>(spans: impl Iterator<Item = &'a SpanRow>, rows: Range<u32>) -> Option<Self> {
        let mut piece: Option<Self> = None;
        for span in spans {
            let piece = piece.get_or_insert_with(|| Self {
                id: span.trace_id,
                rows: rows.clone(),
                min_ns: span.start_ns,
                max_ns: span.start_ns,
                longest_ns: span.duration_ns,
                errors: 0,
            });
            piece.min_ns = piece.min_ns.min(span.start_ns);
            piece.max_ns = piece.max_ns.max(span.start_ns);
            piece.longest_ns = piece.longest_ns.max(span.duration_ns);
            piece.errors += u32::from(span.status == StatusCode::Error);
        }
        piece
    }
}

/// The decoded table of a block.
#[derive(Debug)]
pub(super) struct TraceTable {
    /// In the order of their rows: by start.
    pub(super) pieces: Vec<Piece>,
    services: TextColumn,
}

/// Appends the table; `services` are those of each piece.
pub(super) fn write(writer: &mut SegmentWriter, pieces: &[Piece], services: &[BTreeSet<&str>]) {
    writer.count(pieces.len());
    for piece in pieces {
        writer.raw.extend_from_slice(&piece.id.0);
    }
    write_u32s(writer, &pieces.iter().map(|piece| piece.rows.end - piece.rows.start).collect::<Vec<_>>());
    write_signed(writer, &pieces.iter().map(|piece| piece.min_ns).collect::<Vec<_>>());
    write_ints(writer, &pieces.iter().map(|piece| piece.max_ns.abs_diff(piece.min_ns)).collect::<Vec<_>>());
    write_signed(writer, &pieces.iter().map(|piece| piece.longest_ns).collect::<Vec<_>>());
    write_u32s(writer, &pieces.iter().map(|piece| piece.errors).collect::<Vec<_>>());
    let join = |names: &BTreeSet<&str>| {
        let mut joined = Vec::new();
        for name in names {
            joined.extend_from_slice(name.as_bytes());
            joined.push(SERVICE_END);
        }
        joined
    };
    let services: Vec<Vec<u8>> = services.iter().map(join).collect();
    write_text(writer, &services.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

impl TraceTable {
    /// Reads the table of a block of `rows` rows.
    pub(super) fn decode(bytes: &[u8], rows: usize) -> Result<Self, Damage> {
        let mut reader = SegmentReader::open(bytes)?;
        let count = reader.count()?;
        reader.reserve(count * size_of::<Piece>())?;
        let (ids, _) = reader.raw(count * 16)?.as_chunks::<16>();
        let ids = ids.to_vec();
        let lengths = read_u32s(&mut reader, count, rows)?;
        let starts = read_signed(&mut reader, count)?;
        let widths = read_ints(&mut reader, count)?;
        let longest = read_signed(&mut reader, count)?;
        let errors = read_u32s(&mut reader, count, rows)?;
        let services = TextColumn::read(&mut reader, count)?;
        let mut first = 0_u32;
        let mut pieces = Vec::with_capacity(count);
        for (at, id) in ids.into_iter().enumerate() {
            let end = first.checked_add(lengths[at]).filter(|end| *end as usize <= rows);
            let end = end.ok_or_else(|| Damage::new("a trace table names rows that are not there"))?;
            pieces.push(Piece {
                id: TraceId(id),
                rows: first..end,
                min_ns: starts[at],
                max_ns: starts[at].saturating_add_unsigned(widths[at]),
                longest_ns: longest[at],
                errors: errors[at],
            });
            first = end;
        }
        if first as usize != rows {
            return Err(Damage::new("a trace table does not name every row"));
        }
        Ok(Self { pieces, services })
    }

    /// Whether piece `at` has a span of `service`.
    pub(super) fn has_service(&self, at: usize, service: &str) -> bool {
        let mut joined = Vec::new();
        self.services.append(at, &RowIds::default(), &mut joined);
        joined.split(|byte| *byte == SERVICE_END).any(|name| name == service.as_bytes()) && !joined.is_empty()
    }
}
