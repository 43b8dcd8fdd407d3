//! What a signal must bring to live in the store: four functions and a memory part.
//!
//! A signal knows nothing of the WAL's framing, of files' names, of the manifest or of when things happen.

use crate::error::{Damage, PartError};
use crate::part::{Part, PartSink};
use std::sync::Arc;

/// The signals, with the numbers that files carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SignalKind {
    /// Samples, exemplars, metadata.
    Metrics = 1,
    /// Log records.
    Logs = 2,
    /// Spans.
    Spans = 3,
    /// Change records.
    Changes = 4,
}

impl SignalKind {
    /// Every signal.
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Logs, Self::Spans, Self::Changes];

    /// As directories, messages and metrics of our own spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Changes => "changes",
        }
    }

    /// From a file's number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A signal; see the crate's opening for the whole picture.
pub trait Signal: Send + Sync + Sized + 'static {
    /// Which.
    const KIND: SignalKind;
    /// What a door hands in.
    type Batch: Send + 'static;
    /// Where it is kept until it is sealed.
    type Memory: Memory<Batch = Self::Batch>;

    /// Appends the WAL payload of `batch` to `payload`, but for its [`tail`](Self::tail).
    fn encode(batch: &Self::Batch, payload: &mut Vec<u8>);

    /// What of the payload stands behind what [`encode`](Self::encode) appends: large bytes that the batch has as they
    /// are, so that nobody copies them.
    fn tail(_batch: &Self::Batch) -> &[u8] {
        &[]
    }

    /// The batch that `payload` was made of.
    ///
    /// # Errors
    /// When the payload is not what `encode` and `tail` make; the record is then quarantined.
    fn decode(payload: &[u8]) -> Result<Self::Batch, Damage>;

    /// Writes what a frozen memory part holds, one part per UTC day (at most [`PART_DAYS_MAX`](crate::part::PART_DAYS_MAX)).
    ///
    /// # Errors
    /// When the disk says no; parts already written are then dropped and the memory part stays.
    fn seal(memory: &Self::Memory, sink: &mut PartSink<'_>) -> Result<(), PartError>;

    /// Writes the records of `inputs` (one tenant, one day, oldest first) into one new part, duplicates removed.
    /// Writing none is right when nothing is left.
    ///
    /// # Errors
    /// Damage names the input at fault, which is then quarantined and the merge tried again without it.
    fn merge(inputs: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError>;
}

/// Records that are durable in the WAL and not yet in a part.
pub trait Memory: Default + Send + Sync + 'static {
    /// What a door hands in.
    type Batch;
    /// A batch as it is kept.
    type Chunk: AsRef<Self::Batch> + Send;

    /// Makes a batch ready to be kept; `None` when nothing is in it. Called by any thread.
    fn ready(batch: Self::Batch) -> Option<Self::Chunk>;

    /// Takes a chunk; readers see it when this returns. Called by one thread at a time, in WAL order.
    fn apply(&self, chunk: Self::Chunk);

    /// Bytes it occupies, roughly.
    fn bytes(&self) -> usize;

    /// Earliest and latest record, milliseconds; `None` when it holds nothing.
    fn range_ms(&self) -> Option<(i64, i64)>;

    /// The memory part that follows this one when it is frozen; it may take over what outlives records.
    #[must_use]
    fn next(&self) -> Self {
        Self::default()
    }
}
