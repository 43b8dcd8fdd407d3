//! Merges parts. A block that is at least half full is copied as it is; of the smaller ones the pieces of a trace come
//! together, spans resent among them are dropped, and traces are ordered by start. So a span is compressed once when
//! memory is sealed, and again only while it stands in a small block.
//!
//! Memory: the trace tables of the small blocks, one decoded block per input and the block being made.

use super::block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Row};
use super::index::SpanIndex;
use super::operations;
use super::place::{OpenBlock, Place};
use super::scan::arrange;
use super::write::SpanPartWriter;
use crate::error::PartError;
use crate::part::{Part, PartSink};
use model::{SpanBatch, TraceId};
use std::ops::Range;
use std::sync::Arc;

/// A piece of a trace: input, block, rows.
struct Found {
    id: TraceId,
    start_ns: i64,
    input: u32,
    block: u32,
    rows: Range<u32>,
}

/// One part being read.
struct Input {
    part: Arc<Part>,
    index: Arc<SpanIndex>,
    open: Option<(u32, OpenBlock)>,
}

impl Input {
    /// Block number `block`, decoded once while it stays the one asked for.
    fn block(&mut self, block: u32) -> &mut OpenBlock {
        if self.open.as_ref().is_none_or(|(open, _)| *open != block) {
            self.open = None;
        }
        let open = || (block, OpenBlock::new(self.part.clone(), self.index.clone(), block as usize));
        &mut self.open.get_or_insert_with(open).1
    }
}

/// Writes the spans of `parts` into one.
pub(super) fn merge(parts: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let Some(day) = parts.first().map(|part| part.info().day) else { return Ok(()) };
    let mut inputs = Vec::with_capacity(parts.len());
    for part in parts {
        inputs.push(Input { part: part.clone(), index: SpanIndex::of(part)?, open: None });
    }
    let mut part = SpanPartWriter::begin(sink, day)?;
    for input in &inputs {
        copy(&mut part, input)?;
    }
    let found = find(&mut inputs)?;
    let mut batch = SpanBatch::default();
    for trace in found.chunk_by(|a, b| a.id == b.id) {
        let first = batch.spans.len();
        for piece in trace {
            if let Some(input) = inputs.get_mut(piece.input as usize) {
                input.block(piece.block).copy(piece.id, piece.rows.clone(), &mut batch)?;
            }
        }
        arrange(&mut batch.spans, first);
        if batch.spans.len() >= BLOCK_ROWS_MAX / 8 * 7 || batch.arena.len() >= BLOCK_BYTES_MAX {
            write(&mut part, &mut batch, &mut inputs)?;
        }
    }
    write(&mut part, &mut batch, &mut inputs)?;
    part.finish(sink)
}

/// Copies the full blocks of `input`.
fn copy(part: &mut SpanPartWriter<'_>, input: &Input) -> Result<(), PartError> {
    let mut moved = vec![None; input.index.blocks.len()];
    for (number, block) in input.index.blocks.iter().enumerate().filter(|(_, block)| block.is_full()) {
        moved[number] = Some(part.copy(&input.part, &input.index, block)?);
    }
    if moved.iter().any(Option::is_some) {
        part.add_operations(operations::of_part(&input.part)?);
    }
    part.add_traces(input.index.traces(&input.part)?.moved(&moved));
    Ok(())
}

/// Writes the pending spans and makes room for the next.
fn write(
    part: &mut SpanPartWriter<'_>,
    batch: &mut SpanBatch,
    inputs: &mut [Input],
) -> Result<(), PartError> {
    let rows: Vec<Row<'_>> = batch.spans.iter().map(|span| Row { batch, span }).collect();
    for block in rows.chunks(BLOCK_ROWS_MAX) {
        part.block(block)?;
    }
    *batch = SpanBatch::default();
    inputs.iter_mut().filter_map(|input| input.open.as_mut()).for_each(|(_, open)| open.next_batch());
    Ok(())
}

/// Every piece of the small blocks: trace by trace, traces by start, a trace's pieces oldest part first.
fn find(inputs: &mut [Input]) -> Result<Vec<Found>, PartError> {
    let mut found = Vec::new();
    for (input, number) in inputs.iter_mut().zip(0..) {
        for (block, _) in (0..).zip(&input.index.clone().blocks).filter(|(_, block)| !block.is_full()) {
            let mut place = Place::Block(Box::new(OpenBlock::new(
                input.part.clone(),
                input.index.clone(),
                block as usize,
            )));
            found.extend(place.pieces()?.iter().map(|piece| Found {
                id: piece.id,
                start_ns: piece.min_ns,
                input: number,
                block,
                rows: piece.rows.clone(),
            }));
        }
    }
    found.sort_by_key(|piece| (piece.id, piece.input, piece.block));
    for trace in found.chunk_by_mut(|a, b| a.id == b.id) {
        let start_ns = trace.iter().map(|piece| piece.start_ns).min().unwrap_or(0);
        for piece in trace {
            piece.start_ns = start_ns;
        }
    }
    // Stable: the pieces of a trace stay together and in order.
    found.sort_by_key(|piece| (piece.start_ns, piece.id));
    Ok(found)
}
