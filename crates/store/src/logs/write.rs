//! Makes parts: sorts what memory holds, drops resent records, cuts blocks and writes them with their index.

use super::block::{self, BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, EncodedBlock, Row};
use super::index::{Block, LogIndex, Run};
use super::memory::{Chunk, LogMemory};
use crate::column::segment::SegmentWriter;
use crate::column::template::Learned;
use crate::column::trace_index::TraceIndex;
use crate::error::PartError;
use crate::part::{PART_DAYS_MAX, Part, PartSink, PartWriter, day_of, ms_of};
use model::{Labels, LogBatch, LogEntry, Text};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// Drops resent records, of records that come sorted by (stream, time): `at` and `hash` tell both and the content.
///
/// Two records are the same when stream, time, line and metadata are; line and metadata are compared by their 128-bit
/// hash, which is only asked for when times are equal.
pub(super) fn drop_resent<T>(records: &mut Vec<T>, at: impl Fn(&T) -> (u32, i64), hash: impl Fn(&T) -> u128) {
    let (mut new, mut seen) = (Vec::with_capacity(records.len()), HashSet::new());
    for group in records.chunk_by(|a, b| at(a) == at(b)) {
        if group.len() == 1 {
            new.push(true);
        } else {
            seen.clear();
            new.extend(group.iter().map(|record| seen.insert(hash(record))));
        }
    }
    if new.contains(&false) {
        let mut new = new.into_iter();
        records.retain(|_| new.next().unwrap_or(true));
    }
}

/// The 128-bit hash of a record's line and metadata; never written to disk.
pub(super) fn hash(batch: &LogBatch, entry: &LogEntry) -> u128 {
    // Text by text, so that texts cannot run into each other; the multiplication tells their order.
    const ORDER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let of = |text: Text| xxh3_128(text.bytes(&batch.arena));
    let texts = block::pairs(batch, entry).iter().flat_map(|(key, value)| [*key, *value]);
    texts.fold(of(entry.line), |hash, text| hash.wrapping_mul(ORDER) ^ of(text))
}

/// Writes the records of `memory`, one part per day.
pub(super) fn seal(memory: &LogMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let chunks = memory.chunks();
    let streams = chunks.iter().flat_map(|chunk| &chunk.batch.streams);
    let streams: BTreeMap<&Labels, u32> =
        streams.map(|stream| &stream.labels).collect::<BTreeSet<_>>().into_iter().zip(0..).collect();
    let mut runs = Vec::new();
    for Chunk { batch, .. } in chunks.iter().map(AsRef::as_ref) {
        let code = |labels| streams.get(labels).copied().unwrap_or(0);
        runs.extend(batch.streams.iter().map(|stream| (code(&stream.labels), batch, batch.entries(stream))));
    }
    // A stream's runs come in the order they were written, which mostly is that of time: little is left to sort.
    runs.sort_by_key(|(stream, ..)| *stream);
    let mut rows = Vec::with_capacity(runs.iter().map(|(_, _, entries)| entries.len()).sum());
    for (stream, batch, entries) in runs {
        rows.extend(entries.iter().map(|entry| Row::new(stream, batch, entry)));
    }
    // Stable: of records at the same time the one written first stays first.
    rows.sort_by_key(Row::at);
    drop_resent(&mut rows, Row::at, |row| hash(row.batch, row.entry));
    let streams: Vec<Labels> = streams.into_keys().cloned().collect();
    let mut learned = memory.learned();
    for (day, rows) in days(rows) {
        let mut part = LogPartWriter::begin(sink, day, &streams, &mut learned)?;
        part.rows(&rows)?;
        part.finish(sink)?;
    }
    Ok(())
}

/// The rows by UTC day, in their order; what is older than the newest [`PART_DAYS_MAX`] days goes to the oldest of them.
fn days(rows: Vec<Row<'_>>) -> BTreeMap<i64, Vec<Row<'_>>> {
    let day = |row: &Row<'_>| day_of(ms_of(row.at().1));
    let first = rows.first().map_or(0, day);
    if rows.iter().all(|row| day(row) == first) {
        return BTreeMap::from([(first, rows)]);
    }
    let days: BTreeSet<i64> = rows.iter().map(day).collect();
    let oldest = days.iter().rev().nth(PART_DAYS_MAX - 1).or(days.first()).copied().unwrap_or(0);
    let mut by_day: BTreeMap<i64, Vec<Row<'_>>> = BTreeMap::new();
    for row in rows {
        by_day.entry(day(&row).max(oldest)).or_default().push(row);
    }
    by_day
}

/// One part in the making. The rows of a block come sorted by (stream, time).
pub(super) struct LogPartWriter<'a> {
    writer: PartWriter,
    /// Sorted; rows name them by index.
    streams: &'a [Labels],
    blocks: Vec<Block>,
    runs: Vec<Run>,
    traces: TraceIndex,
    rows: u64,
    /// From other blocks.
    learned: &'a mut Learned,
}

impl<'a> LogPartWriter<'a> {
    /// Starts a part for `day`; `learned` is what other blocks left there.
    pub(super) fn begin(
        sink: &mut PartSink<'_>,
        day: i64,
        streams: &'a [Labels],
        learned: &'a mut Learned,
    ) -> Result<Self, PartError> {
        let writer = sink.begin(day)?;
        let traces = TraceIndex::default();
        Ok(Self { writer, streams, blocks: Vec::new(), runs: Vec::new(), traces, rows: 0, learned })
    }

    /// Appends rows as however many blocks they need; a block never mixes rows of two calls.
    pub(super) fn rows(&mut self, rows: &[Row<'_>]) -> Result<(), PartError> {
        // Blocks of about the same size: a small last one would be written again by the next merge.
        let bytes: u64 = rows.iter().map(Row::bytes).sum();
        let blocks = bytes.div_ceil(BLOCK_BYTES_MAX as u64).max(rows.len().div_ceil(BLOCK_ROWS_MAX) as u64);
        let bytes_max = bytes.div_ceil(blocks.max(1));
        let mut rest = rows;
        while !rest.is_empty() {
            let (block, after) = rest.split_at(block_len(rest, bytes_max));
            self.block(block)?;
            rest = after;
        }
        Ok(())
    }

    fn block(&mut self, rows: &[Row<'_>]) -> Result<(), PartError> {
        let number = count(self.blocks.len());
        let EncodedBlock { segments, filter, traces } = block::encode(rows, number, self.learned);
        let mut block = Block { rows: count(rows.len()), ..Block::default() };
        for (at, segment) in segments.iter().enumerate() {
            block.segments[at] = self.writer.chunk(segment)?;
        }
        block.filter = Some(self.writer.chunk(&filter)?);
        let first = count(self.runs.len());
        let mut start = 0;
        for run in rows.chunk_by(|a, b| a.stream == b.stream) {
            let end = start + count(run.len());
            self.runs.push(Run {
                stream: run[0].stream,
                rows: start..end,
                bytes: run.iter().map(Row::bytes).sum(),
                min_ns: run[0].at().1,
                max_ns: run[run.len() - 1].at().1,
            });
            start = end;
        }
        block.runs = first..count(self.runs.len());
        self.blocks.push(block);
        self.traces.extend(traces);
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Copies a block of another part as it is; `streams` has this part's number for each stream of the other. Returns
    /// the block's number.
    pub(super) fn copy(
        &mut self,
        part: &Part,
        index: &LogIndex,
        block: &Block,
        streams: &[u32],
    ) -> Result<u32, PartError> {
        let number = count(self.blocks.len());
        let mut copy = Block { rows: block.rows, ..Block::default() };
        for (to, from) in copy.segments.iter_mut().zip(&block.segments) {
            *to = self.writer.chunk(&part.read(*from)?)?;
        }
        copy.filter = Some(self.writer.chunk(&block.filter(part)?.to_bytes())?);
        let first = count(self.runs.len());
        self.runs.extend(index.runs(block).iter().map(|run| {
            let stream = streams.get(run.stream as usize).copied().unwrap_or(0);
            Run { stream, ..run.clone() }
        }));
        copy.runs = first..count(self.runs.len());
        self.blocks.push(copy);
        self.rows += u64::from(block.rows);
        Ok(number)
    }

    /// Names the traces of copied blocks.
    pub(super) fn add_traces(&mut self, traces: TraceIndex) {
        self.traces.extend(traces);
    }

    /// Writes the index and closes the part; a part without rows is given up.
    pub(super) fn finish(mut self, sink: &mut PartSink<'_>) -> Result<(), PartError> {
        let min_ns = self.runs.iter().map(|run| run.min_ns).min();
        let max_ns = self.runs.iter().map(|run| run.max_ns).max();
        let (Some(min_ns), Some(max_ns)) = (min_ns, max_ns) else { return Ok(()) };
        let used: BTreeSet<u32> = self.runs.iter().map(|run| run.stream).collect();
        let codes: BTreeMap<u32, u32> = used.iter().copied().zip(0..).collect();
        for run in &mut self.runs {
            run.stream = codes.get(&run.stream).copied().unwrap_or(run.stream);
        }
        let streams: Vec<Labels> =
            used.iter().filter_map(|at| self.streams.get(*at as usize).cloned()).collect();
        let mut traces = SegmentWriter::new();
        self.traces.write(&mut traces);
        let traces = self.writer.chunk(&traces.finish())?;
        let index = self.writer.chunk(&LogIndex::encode(&streams, &self.blocks, &self.runs))?;
        let range_ms = (ms_of(min_ns), ms_of(max_ns));
        sink.finish(self.writer, range_ms, self.rows, &LogIndex::footer(index, traces))
    }
}

/// How many of the first rows make a block.
fn block_len(rows: &[Row<'_>], bytes_max: u64) -> usize {
    let mut bytes = 0;
    let full = rows.iter().take(BLOCK_ROWS_MAX).position(|row| {
        bytes += row.bytes();
        bytes >= bytes_max
    });
    full.map_or(rows.len().min(BLOCK_ROWS_MAX), |last| last + 1)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
