//! Blocks of log records: rows sorted by (stream, time) as four segments.
//!
//! `times`, `ids`, `lines`, `metadata` are read apart, so that a query that needs only times reads only times. Which
//! rows belong to which stream stands in the part's index.

use crate::column::attrs::{Attrs, AttrsBuilder, Kind, Raw};
use crate::column::ids::{read_ids, write_ids};
use crate::column::ints::{read_signed, write_signed};
use crate::column::line_filter::LineFilterBuilder;
use crate::column::segment::{SegmentReader, SegmentWriter};
use crate::column::template::{Learned, RowIds};
use crate::column::text::{TextColumn, write_lines};
use crate::column::trace_index::TraceIndex;
use crate::error::Damage;
use model::{LogBatch, LogEntry, SpanId, Text, TraceId};

/// Most rows of a block.
pub const BLOCK_ROWS_MAX: usize = 64 << 10;
/// Bytes of lines and metadata at which a block is closed; one record may be longer.
pub const BLOCK_BYTES_MAX: usize = 8 << 20;
/// The line filter takes at most this share of the lines' bytes on disk.
const FILTER_SHARE: usize = 10;

/// One record to be encoded, borrowed from the batch it stands in; what sorting asks for stands in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// Index into the part's streams.
    pub(super) stream: u32,
    /// Bytes of the line and its metadata.
    bytes: u32,
    /// Time of the entry.
    ts_ns: i64,
    pub(super) batch: &'a LogBatch,
    pub(super) entry: &'a LogEntry,
}

impl<'a> Row<'a> {
    pub(super) fn new(stream: u32, batch: &'a LogBatch, entry: &'a LogEntry) -> Self {
        let bytes = u32::try_from(record_bytes(batch, entry)).unwrap_or(u32::MAX);
        Self { stream, bytes, ts_ns: entry.ts_ns, batch, entry }
    }

    /// Stream and time.
    pub(super) fn at(&self) -> (u32, i64) {
        (self.stream, self.ts_ns)
    }

    /// Bytes of the line and its metadata.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.into()
    }
}

/// Bytes of a record's line and metadata.
pub(super) fn record_bytes(batch: &LogBatch, entry: &LogEntry) -> u64 {
    let metadata: u64 =
        pairs(batch, entry).iter().map(|(key, value)| u64::from(key.len) + u64::from(value.len)).sum();
    u64::from(entry.line.len) + metadata
}

/// The metadata of a record.
pub(super) fn pairs<'a>(batch: &'a LogBatch, entry: &LogEntry) -> &'a [(Text, Text)] {
    batch.metadata.get(entry.metadata.start as usize..entry.metadata.end as usize).unwrap_or_default()
}

fn metadata_of<'a>(batch: &'a LogBatch, entry: &LogEntry) -> impl Iterator<Item = (&'a [u8], Raw<'a>)> {
    let text = |text: &Text| text.bytes(&batch.arena);
    pairs(batch, entry).iter().map(move |(key, value)| (text(key), Raw::Text(Kind::Str, text(value))))
}

/// The segments of a block, in the order of [`Segment`].
#[derive(Debug)]
pub(super) struct EncodedBlock {
    pub(super) segments: [Vec<u8>; SEGMENTS],
    /// Filter of the lines' words but the trace ids, which the part's trace index finds.
    pub(super) filter: Vec<u8>,
    /// The traces of the block, all as block `block`.
    pub(super) traces: TraceIndex,
}

/// How many segments a block has.
pub(super) const SEGMENTS: usize = 4;

/// The segments of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment {
    Times = 0,
    Ids = 1,
    Lines = 2,
    Metadata = 3,
}

/// Encodes rows that are sorted by (stream, time) as block number `block` of its part.
pub(super) fn encode(rows: &[Row<'_>], block: u32, learned: &mut Learned) -> EncodedBlock {
    let (mut texts, mut row_ids) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    let (mut trace_ids, mut span_ids) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    let mut lists = AttrsBuilder::default();
    let mut last = None;
    // Entries are read once, for all columns: they are far apart.
    for Row { batch, entry, .. } in rows {
        texts.push(entry.line.bytes(&batch.arena));
        row_ids.push(RowIds::new(entry.trace_id, entry.span_id, entry.ts_ns));
        trace_ids.push(entry.trace_id.0);
        span_ids.push(entry.span_id.0);
        let metadata = (std::ptr::from_ref(*batch), &entry.metadata);
        if last.replace(metadata) == Some(metadata) {
            lists.push_again();
        } else {
            lists.push(metadata_of(batch, entry));
        }
    }
    let mut times = SegmentWriter::new();
    write_signed(&mut times, &rows.iter().map(|row| row.ts_ns).collect::<Vec<_>>());
    let mut ids = SegmentWriter::new();
    write_ids(&mut ids, &trace_ids);
    write_ids(&mut ids, &span_ids);
    let mut lines = SegmentWriter::new();
    let mut filter = LineFilterBuilder::new(texts.iter().map(|text| text.len()).sum());
    write_lines(&mut lines, &texts, &row_ids, &mut filter, learned);
    let lines = lines.finish();
    let mut metadata = SegmentWriter::new();
    lists.write(&mut metadata);
    let filter = filter.finish(lines.len() / FILTER_SHARE).to_bytes();
    let traced = trace_ids.into_iter().map(TraceId).filter(|id| !id.is_none());
    EncodedBlock {
        segments: [times.finish(), ids.finish(), lines, metadata.finish()],
        filter,
        traces: TraceIndex::new(traced.map(|id| (id, block))),
    }
}

/// The times of a block of `rows` rows, nanoseconds; ascending inside a stream.
pub(super) fn decode_times(bytes: &[u8], rows: usize) -> Result<Vec<i64>, Damage> {
    read_signed(&mut SegmentReader::open(bytes)?, rows)
}

/// The ids of a block's rows.
pub(super) fn decode_ids(bytes: &[u8], rows: usize) -> Result<Vec<(TraceId, SpanId)>, Damage> {
    let mut reader = SegmentReader::open(bytes)?;
    let traces = read_ids::<16>(&mut reader, rows)?;
    let spans = read_ids::<8>(&mut reader, rows)?;
    Ok(traces.into_iter().zip(spans).map(|(trace, span)| (TraceId(trace), SpanId(span))).collect())
}

/// The lines of a block's rows.
pub(super) fn decode_lines(bytes: &[u8], rows: usize) -> Result<TextColumn, Damage> {
    TextColumn::read(&mut SegmentReader::open(bytes)?, rows)
}

/// The structured metadata of a block's rows.
pub(super) fn decode_metadata(bytes: &[u8], rows: usize) -> Result<Attrs, Damage> {
    Attrs::read(&mut SegmentReader::open(bytes)?, rows)
}
