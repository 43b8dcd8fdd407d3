//! The index of a part: its streams, its blocks, and which rows of a block belong to which stream, with counts, bytes
//! and times. Statistics and label queries are answered from it alone.

use super::block::{
    BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, SEGMENTS, Segment, decode_ids, decode_lines, decode_metadata,
    decode_times,
};
use crate::codec::Reader;
use crate::column::attrs::Attrs;
use crate::column::ints::{read_ints, read_signed, read_u32s, write_ints, write_signed, write_u32s};
use crate::column::line_filter::LineFilter;
use crate::column::segment::{COLUMN_VALUES_MAX, SegmentReader, SegmentWriter};
use crate::column::template::RowIds;
use crate::column::text::{TextColumn, write_text};
use crate::column::trace_index::TraceIndex;
use crate::error::{Damage, PartError};
use crate::part::{ChunkRef, Part};
use model::{Labels, SpanId, TraceId};
use std::ops::Range;
use std::sync::OnceLock;

/// Version of the index, its first number. Line filters of version 1 cut lines in another way: they are not used.
const VERSION: u64 = 2;

/// The rows of one stream in one block, sorted by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Index into [`LogIndex::streams`].
    pub(super) stream: u32,
    /// Rows of the block.
    pub(super) rows: Range<u32>,
    /// Bytes of lines and metadata.
    pub(super) bytes: u64,
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
}

/// One block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) rows: u32,
    /// Where its segments are.
    pub(super) segments: [ChunkRef; SEGMENTS],
    /// Where its line filter is; `None` only in what was read from an older part.
    pub(super) filter: Option<ChunkRef>,
    /// Indices into [`LogIndex::runs`].
    pub(super) runs: Range<u32>,
}

/// The decoded index of a part.
#[derive(Debug, Default)]
pub(super) struct LogIndex {
    /// Sorted.
    pub(super) streams: Vec<Labels>,
    pub(super) blocks: Vec<Block>,
    /// In the order of the blocks; streams ascend in a block and from block to block.
    pub(super) runs: Vec<Run>,
    traces: Option<ChunkRef>,
    trace_index: OnceLock<TraceIndex>,
}

impl LogIndex {
    /// The bytes of an index.
    pub(super) fn encode(streams: &[Labels], blocks: &[Block], runs: &[Run]) -> Vec<u8> {
        let mut writer = SegmentWriter::new();
        writer.number(VERSION);
        write_streams(&mut writer, streams);
        writer.count(blocks.len());
        for block in blocks {
            writer.number(block.rows.into());
            writer.number((block.runs.end - block.runs.start).into());
            for chunk in block.segments.iter().chain([&block.filter.unwrap_or_default()]) {
                chunk.put(&mut writer.meta);
            }
        }
        writer.count(runs.len());
        write_u32s(&mut writer, &runs.iter().map(|run| run.stream).collect::<Vec<_>>());
        write_u32s(&mut writer, &runs.iter().map(|run| run.rows.end - run.rows.start).collect::<Vec<_>>());
        write_ints(&mut writer, &runs.iter().map(|run| run.bytes).collect::<Vec<_>>());
        write_signed(&mut writer, &runs.iter().map(|run| run.min_ns).collect::<Vec<_>>());
        write_signed(
            &mut writer,
            &runs.iter().map(|run| run.max_ns.wrapping_sub(run.min_ns)).collect::<Vec<_>>(),
        );
        writer.finish()
    }

    /// What stands in a part's footer: where the index and the trace index are.
    pub(super) fn footer(index: ChunkRef, traces: ChunkRef) -> Vec<u8> {
        let mut out = Vec::new();
        index.put(&mut out);
        traces.put(&mut out);
        out
    }

    /// The index of `part`, from the cache when it is there.
    pub(super) fn of(part: &Part) -> Result<std::sync::Arc<Self>, PartError> {
        part.index(|part| {
            let mut footer = Reader::new(part.meta()?);
            let index = ChunkRef::get(&mut footer).map_err(|damage| part.damaged(damage))?;
            let traces = ChunkRef::get(&mut footer).map_err(|damage| part.damaged(damage))?;
            let mut decoded = Self::decode(&part.read(index)?).map_err(|damage| part.damaged(damage))?;
            decoded.traces = Some(traces);
            // The trace index comes later; at most eight bytes per entry of a byte or more.
            let bytes = decoded.bytes() + traces.len as usize * 8;
            Ok((decoded, bytes))
        })
    }

    fn bytes(&self) -> usize {
        let label = |label: &model::Label| label.name.len() + label.value.len() + 64;
        let labels: usize = self.streams.iter().flat_map(|labels| labels.iter().map(label)).sum();
        labels + self.runs.len() * size_of::<Run>() + self.blocks.len() * size_of::<Block>()
    }

    /// Reads an index.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut reader = SegmentReader::open(bytes)?;
        let version = reader.number()?;
        if !(1..=VERSION).contains(&version) {
            return Err(Damage(format!("log index version {version} is not known")));
        }
        let streams = read_streams(&mut reader)?;
        let mut blocks = Vec::new();
        let mut first_run = 0_u32;
        for _ in 0..reader.count()? {
            let mut block = read_block(&mut reader, first_run)?;
            block.filter = block.filter.filter(|_| version > 1);
            first_run = block.runs.end;
            blocks.push(block);
        }
        let runs = read_runs(&mut reader, &blocks, streams.len())?;
        Ok(Self { streams, blocks, runs, ..Self::default() })
    }

    /// The runs of `block`.
    pub(super) fn runs(&self, block: &Block) -> &[Run] {
        self.runs.get(block.runs.start as usize..block.runs.end as usize).unwrap_or_default()
    }

    /// Which blocks may have a trace; loaded when first asked for.
    pub(super) fn traces(&self, part: &Part) -> Result<&TraceIndex, PartError> {
        if let Some(index) = self.trace_index.get() {
            return Ok(index);
        }
        let Some(chunk) = self.traces else { return Err(part.damaged(Damage::new("no trace index"))) };
        let bytes = part.read(chunk)?;
        let index = SegmentReader::open(&bytes)
            .and_then(|mut reader| TraceIndex::read(&mut reader, self.blocks.len()))
            .map_err(|damage| part.damaged(damage))?;
        Ok(self.trace_index.get_or_init(|| index))
    }
}

impl Block {
    /// Whether it is large enough to stay as it is in merges; `bytes` are those of its lines and metadata.
    pub(super) fn is_full(&self, bytes: u64) -> bool {
        self.rows as usize * 2 >= BLOCK_ROWS_MAX || bytes * 2 >= BLOCK_BYTES_MAX as u64
    }

    fn segment<T>(
        &self,
        part: &Part,
        segment: Segment,
        decode: impl FnOnce(&[u8], usize) -> Result<T, Damage>,
    ) -> Result<T, PartError> {
        let bytes = part.read(self.segments[segment as usize])?;
        decode(&bytes, self.rows as usize).map_err(|damage| part.damaged(damage))
    }

    /// Times of its rows.
    pub(super) fn times(&self, part: &Part) -> Result<Vec<i64>, PartError> {
        self.segment(part, Segment::Times, decode_times)
    }

    /// Ids of its rows.
    pub(super) fn ids(&self, part: &Part) -> Result<Vec<(TraceId, SpanId)>, PartError> {
        self.segment(part, Segment::Ids, decode_ids)
    }

    /// Lines of its rows.
    pub(super) fn lines(&self, part: &Part) -> Result<TextColumn, PartError> {
        self.segment(part, Segment::Lines, decode_lines)
    }

    /// Structured metadata of its rows.
    pub(super) fn metadata(&self, part: &Part) -> Result<Attrs, PartError> {
        self.segment(part, Segment::Metadata, decode_metadata)
    }

    /// Its line filter.
    pub(super) fn filter(&self, part: &Part) -> Result<LineFilter, PartError> {
        let Some(chunk) = self.filter else { return Ok(LineFilter::ABSENT) };
        LineFilter::from_bytes(&part.read(chunk)?).map_err(|damage| part.damaged(damage))
    }
}

fn write_streams(writer: &mut SegmentWriter, streams: &[Labels]) {
    writer.count(streams.len());
    let counts: Vec<u64> = streams.iter().map(|labels| labels.len() as u64).collect();
    write_ints(writer, &counts);
    let labels = || streams.iter().flatten();
    write_text(writer, &labels().map(|label| label.name.as_bytes()).collect::<Vec<_>>());
    write_text(writer, &labels().map(|label| label.value.as_bytes()).collect::<Vec<_>>());
}

fn read_streams(reader: &mut SegmentReader) -> Result<Vec<Labels>, Damage> {
    let count = reader.count()?;
    let counts = read_u32s(reader, count, COLUMN_VALUES_MAX)?;
    let total: usize = counts.iter().map(|count| *count as usize).sum();
    if total > COLUMN_VALUES_MAX {
        return Err(Damage::new("a part claims too many labels"));
    }
    let names = TextColumn::read(reader, total)?;
    let values = TextColumn::read(reader, total)?;
    let text = |column: &TextColumn, at| {
        let mut out = Vec::new();
        column.append(at, &RowIds::default(), &mut out);
        String::from_utf8(out).map_err(|_| Damage::new("a label is not UTF-8"))
    };
    let mut at = 0;
    let mut streams = Vec::with_capacity(count);
    for count in counts {
        let mut pairs = Vec::with_capacity(count as usize);
        for _ in 0..count {
            pairs.push((text(&names, at)?, text(&values, at)?));
            at += 1;
        }
        streams.push(Labels::from_pairs(pairs));
    }
    Ok(streams)
}

fn read_block(reader: &mut SegmentReader, first_run: u32) -> Result<Block, Damage> {
    let rows = u32::try_from(reader.count()?).unwrap_or(u32::MAX);
    let runs = u32::try_from(reader.count()?).unwrap_or(u32::MAX);
    if rows as usize > BLOCK_ROWS_MAX || runs > rows {
        return Err(Damage::new("a block claims too many rows"));
    }
    let mut block = Block { rows, runs: first_run..first_run.saturating_add(runs), ..Block::default() };
    for chunk in &mut block.segments {
        *chunk = reader.chunk()?;
    }
    block.filter = Some(reader.chunk()?);
    Ok(block)
}

fn read_runs(reader: &mut SegmentReader, blocks: &[Block], streams: usize) -> Result<Vec<Run>, Damage> {
    let count = reader.count()?;
    if blocks.last().map_or(0, |block| block.runs.end as usize) != count {
        return Err(Damage::new("blocks and runs do not match"));
    }
    let stream = read_u32s(reader, count, streams.saturating_sub(1))?;
    let rows = read_u32s(reader, count, BLOCK_ROWS_MAX)?;
    let bytes = read_ints(reader, count)?;
    let min_ns = read_signed(reader, count)?;
    let spans_ns = read_signed(reader, count)?;
    let mut runs = Vec::with_capacity(count);
    for block in blocks {
        let mut row = 0;
        for at in block.runs.start as usize..block.runs.end as usize {
            let end = row + rows[at];
            let max_ns = min_ns[at].wrapping_add(spans_ns[at]);
            runs.push(Run {
                stream: stream[at],
                rows: row..end,
                bytes: bytes[at],
                min_ns: min_ns[at],
                max_ns,
            });
            row = end;
        }
        if row != block.rows {
            return Err(Damage::new("blocks and runs do not match"));
        }
    }
    Ok(runs)
}
