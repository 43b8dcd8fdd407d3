//! Log records that are durable in the WAL and not yet in a part: the batches as they came, each stream's entries
//! sorted by time, label sets shared.

use crate::column::template::Learned;
use crate::part::ms_of;
use crate::signal::Memory;
use bytes::Bytes;
use model::{Labels, LogBatch};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Bytes an entry, a metadata pair and a stream occupy beside the arena.
const ENTRY_BYTES: usize = 64;
const PAIR_BYTES: usize = 16;
const STREAM_BYTES: usize = 64;

/// One batch; immutable.
#[derive(Debug)]
pub struct Chunk {
    /// Entries of a stream ascend in time; streams without entries are gone.
    pub(super) batch: LogBatch,
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
}

impl Chunk {
    fn new(mut batch: LogBatch) -> Option<Self> {
        let entries = batch.entries.len();
        batch.streams.retain(|stream| !stream.entries.is_empty() && stream.entries.end as usize <= entries);
        for stream in &batch.streams {
            let range = stream.entries.start as usize..stream.entries.end as usize;
            if let Some(entries) = batch.entries.get_mut(range)
                && !entries.is_sorted_by_key(|entry| entry.ts_ns)
            {
                entries.sort_by_key(|entry| entry.ts_ns);
            }
        }
        let times = || batch.streams.iter().flat_map(|stream| batch.entries(stream)).map(|entry| entry.ts_ns);
        let (min_ns, max_ns) = (times().min()?, times().max()?);
        Some(Self { batch, min_ns, max_ns })
    }
}

impl AsRef<LogBatch> for Chunk {
    fn as_ref(&self) -> &LogBatch {
        &self.batch
    }
}

/// Bytes that `batch` occupies, roughly.
pub(crate) fn bytes(batch: &LogBatch) -> usize {
    batch.arena.len()
        + batch.packed.len()
        + batch.entries.len() * ENTRY_BYTES
        + batch.metadata.len() * PAIR_BYTES
        + batch.streams.len() * STREAM_BYTES
}

/// The memory part of logs.
#[derive(Debug, Default)]
pub struct LogMemory {
    state: RwLock<State>,
    /// What seals learned of the lines; memory parts that follow each other share it.
    learned: Arc<Mutex<Learned>>,
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Arc<Chunk>>,
    labels: HashSet<Labels>,
    bytes: usize,
    range_ns: Option<(i64, i64)>,
}

impl LogMemory {
    /// The batches, oldest first.
    pub(super) fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).chunks.clone()
    }

    /// What seals learned of the lines so far.
    pub(super) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory for LogMemory {
    type Batch = LogBatch;
    type Chunk = Chunk;

    fn ready(batch: LogBatch) -> Option<Chunk> {
        Chunk::new(batch)
    }

    fn apply(&self, mut chunk: Chunk) {
        chunk.batch.packed = Bytes::new();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for stream in &mut chunk.batch.streams {
            if let Some(known) = state.labels.get(&stream.labels) {
                stream.labels = known.clone();
            } else {
                state.labels.insert(stream.labels.clone());
            }
        }
        state.bytes += bytes(&chunk.batch);
        let range = state.range_ns.unwrap_or((chunk.min_ns, chunk.max_ns));
        state.range_ns = Some((range.0.min(chunk.min_ns), range.1.max(chunk.max_ns)));
        state.chunks.push(Arc::new(chunk));
    }

    fn bytes(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).bytes
    }

    fn range_ms(&self) -> Option<(i64, i64)> {
        let range = self.state.read().unwrap_or_else(PoisonError::into_inner).range_ns;
        range.map(|(min_ns, max_ns)| (ms_of(min_ns), ms_of(max_ns)))
    }
    fn next(&self) -> Self {
        Self { learned: self.learned.clone(), ..Self::default() }
    }
}
