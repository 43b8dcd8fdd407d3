//! Metrics: samples, exemplars and metadata of series.
//!
//! A known series is found by the hash of its encoded labels, nothing is decoded. In memory a series is a chain of small
//! chunks; on disk series stand sorted by labels, share timestamp columns, and their values are constants, decimals as
//! integers (checked bit for bit) or exact floats.
//!
//! One sample per (series, time). A resend of the newest sample with an equal value changes nothing; with another value
//! it is rejected (`duplicate sample for timestamp`). Of older duplicates the one that came first stays, which is
//! settled when they are read or merged.

mod builder;
mod entry;
mod exact;
mod exemplars;
mod histograms;
mod index;
mod memory;
mod merge;
mod reader;
mod registry;
mod scan;
mod tails;
mod times;
mod values;
mod wal;

pub use entry::MetricsEntry;
pub use memory::MetricMemory;
pub use wal::{Replay, Resolved};

use crate::error::{Damage, PartError};
use crate::part::{Part, PartSink};
use crate::signal::{Signal, SignalKind};
use std::sync::Arc;

/// The signal.
pub struct Metrics;

impl Signal for Metrics {
    const KIND: SignalKind = SignalKind::Metrics;
    type Batch = Resolved;
    type Memory = MetricMemory;

    fn encode(batch: &Resolved, payload: &mut Vec<u8>) {
        wal::encode(batch, payload);
    }

    fn decode(payload: &[u8]) -> Result<Resolved, Damage> {
        wal::decode(payload)
    }

    fn seal(memory: &MetricMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
        merge::seal(memory, sink)
    }

    fn merge(inputs: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
        merge::merge(inputs, sink)
    }
}
