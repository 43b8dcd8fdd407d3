//! Spans: clustered by trace, because traces are what is asked for.
//!
//! `wal` the payload · `memory` what is not in a part yet · `write` seals memory into parts · `merge` makes one part of
//! several · `block` and `columns` rows to columns and back · `table` the traces of a block · `index` what a part holds ·
//! `operations` what its services call their spans · `place` a block or chunk being read · `scan` windows of time · `source` the port.
//!
//! A span is (trace id, span id): of spans with the same ids the one that came first stays, when memory is sealed, when
//! parts are merged, and in every scan.

mod block;
mod columns;
mod index;
mod memory;
mod merge;
mod operations;
mod place;
mod scan;
mod source;
mod table;
mod wal;
mod write;

pub use block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX};
pub use memory::SpanMemory;
pub(crate) use memory::bytes;

use crate::error::{Damage, PartError};
use crate::part::{Part, PartSink};
use crate::signal::{Signal, SignalKind};
use model::SpanBatch;
use std::sync::Arc;

/// The spans signal.
#[derive(Debug)]
pub struct Spans;

impl Signal for Spans {
    const KIND: SignalKind = SignalKind::Spans;
    type Batch = SpanBatch;
    type Memory = SpanMemory;

    fn encode(batch: &SpanBatch, payload: &mut Vec<u8>) {
        wal::encode(batch, payload);
    }

    fn tail(batch: &SpanBatch) -> &[u8] {
        &batch.arena
    }

    fn decode(payload: &[u8]) -> Result<SpanBatch, Damage> {
        wal::decode(payload)
    }

    fn seal(memory: &SpanMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
        write::seal(memory, sink)
    }

    fn merge(inputs: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
        merge::merge(inputs, sink)
    }
}

#[cfg(test)]
mod tests;
