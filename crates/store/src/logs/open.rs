//! A block being read: what was decoded of it so far, and which of its lines can match.

use super::index::LogIndex;
use crate::column::attrs::{Attrs, Cursor, KeyTexts};
use crate::column::template::{Needle, RowIds, Verdict};
use crate::column::text::TextColumn;
use crate::error::PartError;
use crate::part::Part;
use memchr::memmem;
use model::{LogBatch, LogEntry, SpanId, Text, TraceId, Value};
use std::sync::Arc;

/// One block; columns are decoded when first asked for.
pub(super) struct OpenBlock {
    part: Arc<Part>,
    index: Arc<LogIndex>,
    block: usize,
    times: Option<Vec<i64>>,
    ids: Option<Vec<(TraceId, SpanId)>>,
    lines: Option<TextColumn>,
    metadata: Option<(Attrs, Cursor)>,
    /// Per needle, what each template says.
    verdicts: Vec<Vec<Verdict>>,
    keys: KeyTexts,
    scratch: Vec<u8>,
}

/// `slot`, filled by `load` when it is empty.
fn loaded<T>(slot: &mut Option<T>, load: impl FnOnce() -> Result<T, PartError>) -> Result<&mut T, PartError> {
    let value = match slot.take() {
        Some(value) => value,
        None => load()?,
    };
    Ok(slot.insert(value))
}

impl OpenBlock {
    /// Block number `block` of `part`.
    pub(super) fn new(part: Arc<Part>, index: Arc<LogIndex>, block: usize) -> Self {
        Self {
            part,
            index,
            block,
            times: None,
            ids: None,
            lines: None,
            metadata: None,
            verdicts: Vec::new(),
            keys: KeyTexts::default(),
            scratch: Vec::new(),
        }
    }

    /// Times of all rows.
    pub(super) fn times(&mut self) -> Result<&[i64], PartError> {
        let block = &self.index.blocks[self.block];
        loaded(&mut self.times, || block.times(&self.part)).map(|times| times.as_slice())
    }

    /// Ids of all rows.
    pub(super) fn ids(&mut self) -> Result<&[(TraceId, SpanId)], PartError> {
        let block = &self.index.blocks[self.block];
        loaded(&mut self.ids, || block.ids(&self.part)).map(|ids| ids.as_slice())
    }

    /// Whether some line may contain every needle, as far as the line filter knows.
    pub(super) fn may_contain(&self, needles: &[Needle]) -> Result<bool, PartError> {
        let block = &self.index.blocks[self.block];
        if needles.is_empty() {
            return Ok(true);
        }
        let filter = block.filter(&self.part)?;
        let traces = self.index.traces(&self.part)?;
        let number = u32::try_from(self.block).unwrap_or(u32::MAX);
        let is_trace = |run: &[u8]| {
            let id = std::str::from_utf8(run).ok().filter(|text| text.len() == 32);
            id.and_then(|text| text.parse().ok())
                .is_some_and(|id| traces.blocks(id).any(|block| block == number))
        };
        Ok(needles.iter().all(|needle| filter.may_contain(needle.bytes(), is_trace)))
    }

    /// Keeps the rows whose line contains every needle.
    pub(super) fn retain(&mut self, rows: &mut Vec<u32>, needles: &[Needle]) -> Result<(), PartError> {
        if needles.is_empty() || rows.is_empty() {
            return Ok(());
        }
        self.load()?;
        let (Some(lines), Some(ids), Some(times)) = (&self.lines, &self.ids, &self.times) else {
            return Ok(());
        };
        if let Some(templates) = lines.templates()
            && self.verdicts.len() != needles.len()
        {
            self.verdicts = needles.iter().map(|needle| templates.verdicts(needle)).collect();
        }
        let finders: Vec<_> = needles.iter().map(|needle| memmem::Finder::new(needle.bytes())).collect();
        let (scratch, verdicts) = (&mut self.scratch, &self.verdicts);
        rows.retain(|row| {
            let row = *row as usize;
            let mut unsure: Vec<&memmem::Finder<'_>> = Vec::new();
            for (at, finder) in finders.iter().enumerate() {
                let verdict =
                    lines.templates().zip(verdicts.get(at)).map(|(column, all)| column.judge(row, all));
                match verdict.unwrap_or(Verdict::Maybe) {
                    Verdict::Never => return false,
                    Verdict::Maybe => unsure.push(finder),
                    Verdict::Always => {}
                }
            }
            if unsure.is_empty() {
                return true;
            }
            if let Some(line) = lines.get(row) {
                return unsure.iter().all(|finder| finder.find(line).is_some());
            }
            scratch.clear();
            lines.append(row, &row_ids(ids, times, row), scratch);
            unsure.iter().all(|finder| finder.find(scratch).is_some())
        });
        Ok(())
    }

    fn load(&mut self) -> Result<(), PartError> {
        self.times()?;
        self.ids()?;
        let block = &self.index.blocks[self.block];
        loaded(&mut self.lines, || block.lines(&self.part)).map(drop)
    }

    fn load_metadata(&mut self) -> Result<(), PartError> {
        let block = &self.index.blocks[self.block];
        loaded(&mut self.metadata, || {
            let attrs = block.metadata(&self.part)?;
            let cursor = attrs.seek(0);
            Ok((attrs, cursor))
        })
        .map(drop)
    }

    /// Whether lines or metadata are decoded.
    pub(super) fn is_open(&self) -> bool {
        self.lines.is_some() || self.metadata.is_some()
    }

    /// Forgets what was decoded.
    pub(super) fn close(&mut self) {
        *self = Self::new(self.part.clone(), self.index.clone(), self.block);
    }

    /// The texts of the next rows go to another batch.
    pub(super) fn next_batch(&mut self) {
        self.keys = KeyTexts::default();
    }

    /// Copies `rows`, which ascend, into `batch` and hands each entry out; the entries are the caller's to place.
    pub(super) fn copy(
        &mut self,
        rows: impl Iterator<Item = u32>,
        batch: &mut LogBatch,
        mut on_entry: impl FnMut(u32, LogEntry),
    ) -> Result<(), PartError> {
        self.load()?;
        self.load_metadata()?;
        let (Some(times), Some(ids), Some(lines)) = (&self.times, &self.ids, &self.lines) else {
            return Ok(());
        };
        let Some((metadata, cursor)) = &mut self.metadata else { return Ok(()) };
        for number in rows {
            let row = number as usize;
            let start = batch.arena.len();
            lines.append(row, &row_ids(ids, times, row), &mut batch.arena);
            let line = Text { start: at(start), len: at(batch.arena.len() - start) };
            let first = at(batch.metadata.len());
            metadata.advance(cursor, row);
            let LogBatch { arena, metadata: pairs, .. } = batch;
            metadata.visit(cursor, arena, &mut self.keys, |attr| {
                if let Value::Str(value) = attr.value {
                    pairs.push((attr.key, value));
                }
            });
            let (trace_id, span_id) = ids.get(row).copied().unwrap_or_default();
            let ts_ns = times.get(row).copied().unwrap_or(0);
            let metadata = first..at(batch.metadata.len());
            on_entry(number, LogEntry { ts_ns, line, metadata, trace_id, span_id });
        }
        Ok(())
    }
}

fn row_ids(ids: &[(TraceId, SpanId)], times: &[i64], row: usize) -> RowIds {
    let (trace, span) = ids.get(row).copied().unwrap_or_default();
    RowIds::new(trace, span, times.get(row).copied().unwrap_or(0))
}

fn at(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
