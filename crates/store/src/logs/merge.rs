//! Merges parts: their blocks one after the other, record by record in (stream, time) order, resent records dropped.
//!
//! Memory: one decoded block per input and the block being made.

use super::block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Row, record_bytes};
use super::index::LogIndex;
use super::open::OpenBlock;
use super::write::{LogPartWriter, Resent};
use crate::column::Effort;
use crate::error::PartError;
use crate::part::{Part, PartSink};
use model::{Labels, LogBatch, LogEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One part being read.
struct Input {
    part: Arc<Part>,
    index: Arc<LogIndex>,
    /// The merged part's stream for each of this part's.
    streams: Vec<u32>,
    next_block: usize,
    batch: LogBatch,
    /// Stream of each entry of `batch`.
    entry_streams: Vec<u32>,
    at: usize,
}

impl Input {
    fn new(part: &Arc<Part>, index: Arc<LogIndex>, streams: &BTreeMap<&Labels, u32>) -> Self {
        let code = |labels| streams.get(labels).copied().unwrap_or(0);
        let streams = index.streams.iter().map(code).collect();
        let batch = LogBatch::default();
        Self { part: part.clone(), index, streams, next_block: 0, batch, entry_streams: Vec::new(), at: 0 }
    }

    /// Stream and time of the next record; `None` at the end.
    fn head(&mut self) -> Result<Option<(u32, i64)>, PartError> {
        while self.at >= self.batch.entries.len() {
            let Some(block) = self.index.blocks.get(self.next_block) else { return Ok(None) };
            self.batch = LogBatch::default();
            let mut open = OpenBlock::new(self.part.clone(), self.index.clone(), self.next_block);
            let mut entries = Vec::with_capacity(block.rows as usize);
            open.copy(0..block.rows, &mut self.batch, |_, entry| entries.push(entry))?;
            self.batch.entries = entries;
            self.entry_streams.clear();
            for run in self.index.runs(block) {
                let stream = self.streams.get(run.stream as usize).copied().unwrap_or(0);
                self.entry_streams.extend(run.rows.clone().map(|_| stream));
            }
            self.at = 0;
            self.next_block += 1;
        }
        let entry = self.batch.entries.get(self.at);
        Ok(entry.zip(self.entry_streams.get(self.at)).map(|(entry, stream)| (*stream, entry.ts_ns)))
    }
}

/// The block being made.
#[derive(Default)]
struct Pending {
    batch: LogBatch,
    streams: Vec<u32>,
    bytes: u64,
}

impl Pending {
    fn push(&mut self, stream: u32, from: &LogBatch, entry: &LogEntry) {
        if self.batch.streams.is_empty() {
            self.batch.push_stream(Labels::empty());
        }
        self.batch.push_entry(
            entry.ts_ns,
            from.line(entry),
            from.metadata(entry),
            (entry.trace_id, entry.span_id),
        );
        self.streams.push(stream);
        self.bytes += record_bytes(from, entry);
    }

    fn is_full(&self) -> bool {
        self.streams.len() >= BLOCK_ROWS_MAX || self.bytes >= BLOCK_BYTES_MAX as u64
    }

    fn write(&mut self, part: &mut LogPartWriter<'_>) -> Result<(), PartError> {
        let rows = self.batch.entries.iter().zip(&self.streams);
        let rows: Vec<Row<'_>> =
            rows.map(|(entry, stream)| Row { stream: *stream, batch: &self.batch, entry }).collect();
        part.rows(&rows)?;
        *self = Self::default();
        Ok(())
    }
}

/// Writes the records of `parts` into one.
pub(super) fn merge(parts: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let Some(day) = parts.first().map(|part| part.info().day) else { return Ok(()) };
    let indexes = parts.iter().map(|part| LogIndex::of(part)).collect::<Result<Vec<_>, _>>()?;
    let streams: BTreeSet<&Labels> = indexes.iter().flat_map(|index| &index.streams).collect();
    let codes: BTreeMap<&Labels, u32> = streams.into_iter().zip(0..).collect();
    let mut inputs: Vec<Input> =
        parts.iter().zip(&indexes).map(|(part, index)| Input::new(part, index.clone(), &codes)).collect();
    let streams: Vec<Labels> = codes.into_keys().cloned().collect();
    let mut part = LogPartWriter::begin(sink, day, &streams, Effort::Merge)?;
    let (mut pending, mut resent) = (Pending::default(), Resent::default());
    while let Some((first, limit)) = next(&mut inputs)? {
        let input = &mut inputs[first];
        // All records of this input up to the next input's head: neighbours mostly come from the same part.
        while let Some((stream, _)) = input.head()? {
            if let Some(entry) = input.batch.entries.get(input.at)
                && resent.is_new(stream, &input.batch, entry)
            {
                pending.push(stream, &input.batch, entry);
            }
            input.at += 1;
            if pending.is_full() {
                pending.write(&mut part)?;
            }
            if limit.is_some_and(|limit| !matches!(input.head(), Ok(Some(head)) if head < limit)) {
                break;
            }
        }
    }
    pending.write(&mut part)?;
    part.finish(sink)
}

/// Stream and time of a record.
type Head = (u32, i64);

/// The input with the smallest head, and the smallest head of the others. Of equal heads the oldest part's comes first.
fn next(inputs: &mut [Input]) -> Result<Option<(usize, Option<Head>)>, PartError> {
    let mut first: Option<(usize, Head)> = None;
    let mut limit: Option<Head> = None;
    for (at, input) in inputs.iter_mut().enumerate() {
        let Some(head) = input.head()? else { continue };
        match first {
            Some((_, smallest)) if smallest <= head => {
                limit = Some(limit.map_or(head, |limit| limit.min(head)))
            }
            _ => {
                limit = first.map(|(_, second)| second).or(limit);
                first = Some((at, head));
            }
        }
    }
    Ok(first.map(|(at, _)| (at, limit)))
}
