//! Merges parts. A block that is at least half full is copied as it is; the smaller ones are read, sorted together and
//! written again, and records resent among them are dropped. So a record is compressed once when memory is sealed, and
//! again only while it stands in a small block.

use super::block::Row;
use super::index::LogIndex;
use super::open::OpenBlock;
use super::write::{LogPartWriter, drop_resent, hash};
use crate::column::template::Learned;
use crate::error::PartError;
use crate::part::{Part, PartSink};
use model::{Labels, LogBatch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes of lines and metadata of the small blocks that are in memory together.
const GROUP_BYTES_MAX: u64 = 32 << 20;

/// One part being merged.
struct Input {
    part: Arc<Part>,
    index: Arc<LogIndex>,
    /// The merged part's stream for each of this part's.
    streams: Vec<u32>,
}

/// A small block: which input's, its number there, its bytes.
#[derive(Clone, Copy)]
struct Small {
    input: usize,
    block: usize,
    bytes: u64,
}

/// Writes the records of `parts` into one.
pub(super) fn merge(parts: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let Some(day) = parts.first().map(|part| part.info().day) else { return Ok(()) };
    let indexes = parts.iter().map(|part| LogIndex::of(part)).collect::<Result<Vec<_>, _>>()?;
    let streams: BTreeSet<&Labels> = indexes.iter().flat_map(|index| &index.streams).collect();
    let codes: BTreeMap<&Labels, u32> = streams.into_iter().zip(0..).collect();
    let input = |(part, index): (&Arc<Part>, &Arc<LogIndex>)| {
        let code = |labels| codes.get(labels).copied().unwrap_or(0);
        let streams = index.streams.iter().map(code).collect();
        Input { part: part.clone(), index: index.clone(), streams }
    };
    let inputs: Vec<Input> = parts.iter().zip(&indexes).map(input).collect();
    let streams: Vec<Labels> = codes.into_keys().cloned().collect();
    let mut learned = Learned::default();
    let mut part = LogPartWriter::begin(sink, day, &streams, &mut learned)?;
    let mut small = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let blocks = || input.index.blocks.iter().enumerate();
        let bytes = |block| input.index.runs(block).iter().map(|run| run.bytes).sum::<u64>();
        let full: Vec<bool> = blocks().map(|(_, block)| block.is_full(bytes(block))).collect();
        copy(&mut part, input, |block| full.get(block) == Some(&true))?;
        let left = blocks().filter(|(number, _)| full.get(*number) == Some(&false));
        small.extend(left.map(|(number, block)| Small { input: at, block: number, bytes: bytes(block) }));
    }
    for group in groups(&small) {
        match group {
            [only] => copy(&mut part, &inputs[only.input], |block| block == only.block)?,
            _ => sort(&mut part, &inputs, group)?,
        }
    }
    part.finish(sink)
}

/// Copies the blocks of `input` that are `wanted`.
fn copy(
    part: &mut LogPartWriter<'_>,
    input: &Input,
    wanted: impl Fn(usize) -> bool,
) -> Result<(), PartError> {
    let mut moved = vec![None; input.index.blocks.len()];
    for (number, block) in input.index.blocks.iter().enumerate().filter(|(number, _)| wanted(*number)) {
        moved[number] = Some(part.copy(&input.part, &input.index, block, &input.streams)?);
    }
    part.add_traces(input.index.traces(&input.part)?.moved(&moved));
    Ok(())
}

/// Cuts the small blocks into groups that fit into memory together.
fn groups(small: &[Small]) -> Vec<&[Small]> {
    let mut groups = Vec::new();
    let mut rest = small;
    while !rest.is_empty() {
        let mut bytes = 0;
        let full = rest.iter().position(|small| {
            bytes += small.bytes;
            bytes > GROUP_BYTES_MAX
        });
        let (group, after) = rest.split_at(full.unwrap_or(rest.len()).max(1));
        groups.push(group);
        rest = after;
    }
    groups
}

/// Writes the records of small blocks in (stream, time) order; of equal ones the oldest part's stays.
fn sort(part: &mut LogPartWriter<'_>, inputs: &[Input], group: &[Small]) -> Result<(), PartError> {
    let mut batches: Vec<(LogBatch, Vec<u32>)> = Vec::with_capacity(group.len());
    for small in group {
        batches.push(read(&inputs[small.input], small.block)?);
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (batch, streams) in &batches {
        let row = |(entry, stream): (_, &u32)| Row::new(*stream, batch, entry);
        rows.extend(batch.entries.iter().zip(streams).map(row));
    }
    rows.sort_by_key(Row::at);
    drop_resent(&mut rows, Row::at, |row| hash(row.batch, row.entry));
    part.rows(&rows)
}

/// A block's records, and the merged part's stream of each.
fn read(input: &Input, block: usize) -> Result<(LogBatch, Vec<u32>), PartError> {
    let (mut batch, mut entries, mut streams) = (LogBatch::default(), Vec::new(), Vec::new());
    let Some(info) = input.index.blocks.get(block) else { return Ok((batch, streams)) };
    let mut open = OpenBlock::new(input.part.clone(), input.index.clone(), block);
    open.copy(0..info.rows, &mut batch, |_, entry| entries.push(entry))?;
    batch.entries = entries;
    for run in input.index.runs(info) {
        let stream = input.streams.get(run.stream as usize).copied().unwrap_or(0);
        streams.extend(run.rows.clone().map(|_| stream));
    }
    Ok((batch, streams))
}
