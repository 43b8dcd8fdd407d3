//! Makes parts: clusters what memory holds by trace, drops resent spans, cuts blocks and writes them with their index.

use super::block::{self, BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, EncodedBlock, Row};
use super::index::{Block, SpanIndex};
use super::memory::SpanMemory;
use super::operations;
use crate::column::segment::SegmentWriter;
use crate::column::trace_index::TraceIndex;
use crate::error::PartError;
use crate::part::{PART_DAYS_MAX, Part, PartSink, PartWriter, day_of, ms_of};
use model::scan::{AttrScope, Operation};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the spans of `memory`: one part per day, a trace on the day it starts.
pub(super) fn seal(memory: &SpanMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let chunks = memory.chunks();
    let mut rows: Vec<Row<'_>> = Vec::new();
    for chunk in &chunks {
        rows.extend(chunk.batch.spans.iter().map(|span| Row { batch: &chunk.batch, span }));
    }
    rows.sort_by_key(|row| row.span.trace_id);
    let mut traces: Vec<Vec<Row<'_>>> =
        rows.chunk_by(|a, b| a.span.trace_id == b.span.trace_id).map(<[_]>::to_vec).collect();
    for trace in &mut traces {
        arrange(trace);
    }
    traces.sort_by_key(|trace| trace.first().map(|row| row.span.start_ns));
    for (day, traces) in days(traces) {
        let mut part = SpanPartWriter::begin(sink, day)?;
        for trace in &traces {
            part.trace(trace)?;
        }
        part.finish(sink)?;
    }
    Ok(())
}

/// Orders one trace by (start, span id); of spans with the same id the one that came first stays.
fn arrange(trace: &mut Vec<Row<'_>>) {
    if trace.len() > 1 {
        // Stable, so that the first written stays first among equal ids.
        trace.sort_by_key(|row| row.span.span_id);
        trace.dedup_by_key(|row| row.span.span_id);
        trace.sort_by_key(|row| (row.span.start_ns, row.span.span_id));
    }
}

/// The traces by UTC day of their start; what is older than the newest [`PART_DAYS_MAX`] days goes to the oldest of them.
fn days(traces: Vec<Vec<Row<'_>>>) -> BTreeMap<i64, Vec<Vec<Row<'_>>>> {
    let day = |trace: &Vec<Row<'_>>| trace.first().map_or(0, |row| day_of(ms_of(row.span.start_ns)));
    let days: BTreeSet<i64> = traces.iter().map(day).collect();
    let oldest = days.iter().rev().nth(PART_DAYS_MAX - 1).or(days.first()).copied().unwrap_or(0);
    let mut by_day: BTreeMap<i64, Vec<Vec<Row<'_>>>> = BTreeMap::new();
    for trace in traces {
        by_day.entry(day(&trace).max(oldest)).or_default().push(trace);
    }
    by_day
}

/// One part in the making. The traces of a block come whole, ordered by start.
pub(super) struct SpanPartWriter<'a> {
    writer: PartWriter,
    pending: Vec<Row<'a>>,
    pending_bytes: usize,
    blocks: Vec<(Block, BTreeSet<(AttrScope, String)>)>,
    traces: TraceIndex,
    /// `None` once a copied block's are not known.
    operations: Option<BTreeSet<Operation>>,
    rows: u64,
}

impl<'a> SpanPartWriter<'a> {
    /// Starts a part for `day`.
    pub(super) fn begin(sink: &mut PartSink<'_>, day: i64) -> Result<Self, PartError> {
        let (pending, blocks, traces) = (Vec::new(), Vec::new(), TraceIndex::default());
        let (writer, operations) = (sink.begin(day)?, Some(BTreeSet::new()));
        Ok(Self { writer, pending, pending_bytes: 0, blocks, traces, operations, rows: 0 })
    }

    /// Appends one trace, ordered by (start, span id); one with more rows than a block has is cut.
    pub(super) fn trace(&mut self, trace: &[Row<'a>]) -> Result<(), PartError> {
        if self.pending.len() + trace.len() > BLOCK_ROWS_MAX {
            self.flush()?;
        }
        for piece in trace.chunks(BLOCK_ROWS_MAX) {
            self.pending.extend_from_slice(piece);
            self.pending_bytes += piece.iter().map(Row::bytes).sum::<usize>();
            if self.pending_bytes >= BLOCK_BYTES_MAX || self.pending.len() >= BLOCK_ROWS_MAX {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Whether the rows given so far are written, so that what they borrow may go.
    pub(super) fn flush(&mut self) -> Result<(), PartError> {
        let rows = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        self.block(&rows)
    }

    /// Writes `rows` as a block: whole traces, ordered.
    pub(super) fn block(&mut self, rows: &[Row<'_>]) -> Result<(), PartError> {
        if rows.is_empty() {
            return Ok(());
        }
        let number = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let EncodedBlock { segments, bloom, pieces, traces, names, operations } = block::encode(rows, number);
        let mut block = Block {
            rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            traces: u32::try_from(pieces.len()).unwrap_or(u32::MAX),
            min_ns: pieces.iter().map(|piece| piece.min_ns).min().unwrap_or(0),
            max_ns: pieces.iter().map(|piece| piece.max_ns).max().unwrap_or(0),
            longest_ns: pieces.iter().map(|piece| piece.longest_ns).max().unwrap_or(0),
            failed: pieces.iter().any(|piece| piece.errors > 0),
            arrays: true,
            ..Block::default()
        };
        for (at, segment) in segments.iter().enumerate() {
            block.segments[at] = self.writer.chunk(segment)?;
        }
        block.bloom = self.writer.chunk(&bloom)?;
        self.blocks.push((block, names));
        self.traces.extend(traces);
        self.add_operations(Some(operations));
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Copies a block of another part as it is; returns its number.
    pub(super) fn copy(&mut self, part: &Part, index: &SpanIndex, block: &Block) -> Result<u32, PartError> {
        let number = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let mut copy = Block { names: Vec::new(), ..block.clone() };
        for (to, from) in copy.segments.iter_mut().zip(&block.segments) {
            *to = self.writer.chunk(&part.read(*from)?)?;
        }
        copy.bloom = self.writer.chunk(&part.read(block.bloom)?)?;
        let names = block.names.iter().filter_map(|name| index.names.get(*name as usize).cloned()).collect();
        self.blocks.push((copy, names));
        self.rows += u64::from(block.rows);
        Ok(number)
    }

    /// Names the traces of copied blocks.
    pub(super) fn add_traces(&mut self, traces: TraceIndex) {
        self.traces.extend(traces);
    }

    /// Adds the operations of a block, or of the part of copied blocks.
    pub(super) fn add_operations(&mut self, more: Option<impl IntoIterator<Item = Operation>>) {
        match (&mut self.operations, more) {
            (Some(known), Some(more)) => known.extend(more),
            _ => self.operations = None,
        }
    }

    /// Writes the index and closes the part; a part without rows is given up.
    pub(super) fn finish(mut self, sink: &mut PartSink<'_>) -> Result<(), PartError> {
        self.flush()?;
        let min_ns = self.blocks.iter().map(|(block, _)| block.min_ns).min();
        let max_ns = self.blocks.iter().map(|(block, _)| block.max_ns).max();
        let (Some(min_ns), Some(max_ns)) = (min_ns, max_ns) else { return Ok(()) };
        let names: BTreeSet<&(AttrScope, String)> = self.blocks.iter().flat_map(|(_, names)| names).collect();
        let codes: BTreeMap<&(AttrScope, String), u32> = names.into_iter().zip(0..).collect();
        let with_names = |(block, names): &(Block, BTreeSet<_>)| Block {
            names: names.iter().filter_map(|name| codes.get(name).copied()).collect(),
            ..block.clone()
        };
        let blocks: Vec<Block> = self.blocks.iter().map(with_names).collect();
        let names: Vec<(AttrScope, String)> = codes.into_keys().cloned().collect();
        let mut traces = SegmentWriter::new();
        self.traces.write(&mut traces);
        let traces = self.writer.chunk(&traces.finish())?;
        let operations = self.operations.as_ref().map(operations::encode);
        let operations = operations.map(|bytes| self.writer.chunk(&bytes)).transpose()?;
        let index = self.writer.chunk(&SpanIndex::encode(&names, &blocks))?;
        let range_ms = (ms_of(min_ns), ms_of(max_ns));
        sink.finish(self.writer, range_ms, self.rows, &SpanIndex::footer(index, traces, operations))
    }
}
