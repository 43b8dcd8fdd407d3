//! Log records: lines in streams, with structured metadata and the ids of their trace.
//!
//! `wal` the payload · `memory` what is not in a part yet · `write` seals memory into parts · `merge` makes one part of
//! several · `block` rows as columns · `index` what a part holds · `open` a block being read · `scan` windows of time ·
//! `source` the port. This module never looks into a line but to compress or to find a text in it.
//!
//! A record is (stream, time, line, metadata): a resent one is dropped when memory is sealed, when parts are merged, and
//! in every scan. Counts that come from the index alone see a resend until one of these happened.

mod block;
mod index;
mod memory;
mod merge;
mod open;
mod scan;
mod source;
mod wal;
mod write;

pub use block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX};
pub use memory::LogMemory;
pub(crate) use memory::bytes;

use crate::error::{Damage, PartError};
use crate::part::{Part, PartSink};
use crate::signal::{Signal, SignalKind};
use model::LogBatch;
use std::sync::Arc;

/// The logs signal.
#[derive(Debug)]
pub struct Logs;

impl Signal for Logs {
    const KIND: SignalKind = SignalKind::Logs;
    type Batch = LogBatch;
    type Memory = LogMemory;

    fn encode(batch: &LogBatch, payload: &mut Vec<u8>) {
        wal::encode(batch, payload);
    }

    fn tail(batch: &LogBatch) -> &[u8] {
        wal::tail(batch)
    }

    fn decode(payload: &[u8]) -> Result<LogBatch, Damage> {
        wal::decode(payload)
    }

    fn seal(memory: &LogMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
        write::seal(memory, sink)
    }

    fn merge(inputs: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
        merge::merge(inputs, sink)
    }
}

#[cfg(test)]
mod tests;
