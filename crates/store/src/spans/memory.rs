//! Spans that are durable in the WAL and not yet in a part: the batches as they came, each with its spans in trace order.

use super::table::Piece;
use crate::part::ms_of;
use crate::signal::Memory;
use model::{SpanBatch, TraceId};
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes that a row of each table occupies.
const SPAN_BYTES: usize = 152;
const ATTR_BYTES: usize = 32;
const EVENT_BYTES: usize = 24;
const LINK_BYTES: usize = 48;

/// One batch; immutable.
#[derive(Debug)]
pub struct Chunk {
    pub(super) batch: SpanBatch,
    /// Rows of the batch by trace, those of a trace as they were sent.
    pub(super) order: Vec<u32>,
    /// One entry per trace, by trace id; its rows are indices into `order`.
    pub(super) traces: Vec<Piece>,
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
}

impl Chunk {
    fn new(batch: SpanBatch) -> Option<Self> {
        let mut order: Vec<u32> = (0..u32::try_from(batch.spans.len()).ok()?).collect();
        let id = |row: &u32| batch.spans.get(*row as usize).map(|span| span.trace_id);
        // Stable, so that the first written stays first among equal span ids.
        order.sort_by_key(id);
        let mut traces = Vec::new();
        let mut first = 0;
        for rows in order.chunk_by(|a, b| id(a) == id(b)) {
            let end = first + u32::try_from(rows.len()).ok()?;
            let spans = rows.iter().filter_map(|row| batch.spans.get(*row as usize));
            traces.extend(Piece::of(spans, first..end));
            first = end;
        }
        let min_ns = traces.iter().map(|trace| trace.min_ns).min()?;
        let max_ns = traces.iter().map(|trace| trace.max_ns).max()?;
        Some(Self { batch, order, traces, min_ns, max_ns })
    }

    /// The spans of `id`, if it has any.
    pub(super) fn find(&self, id: TraceId) -> Option<&Piece> {
        self.traces.binary_search_by_key(&id, |trace| trace.id).ok().and_then(|at| self.traces.get(at))
    }

    fn bytes(&self) -> usize {
        bytes(&self.batch) + self.traces.len() * size_of::<Piece>()
    }
}

impl AsRef<SpanBatch> for Chunk {
    fn as_ref(&self) -> &SpanBatch {
        &self.batch
    }
}

/// Bytes that `batch` occupies, roughly.
pub(crate) fn bytes(batch: &SpanBatch) -> usize {
    batch.arena.len()
        + batch.spans.len() * SPAN_BYTES
        + batch.attrs.len() * ATTR_BYTES
        + batch.events.len() * EVENT_BYTES
        + batch.links.len() * LINK_BYTES
}

/// The memory part of spans.
#[derive(Debug, Default)]
pub struct SpanMemory {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Arc<Chunk>>,
    bytes: usize,
    range_ns: Option<(i64, i64)>,
}

impl SpanMemory {
    /// The batches, oldest first.
    pub(super) fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).chunks.clone()
    }
}

impl Memory for SpanMemory {
    type Batch = SpanBatch;
    type Chunk = Chunk;

    fn ready(batch: SpanBatch) -> Option<Chunk> {
        Chunk::new(batch)
    }

    fn apply(&self, chunk: Chunk) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.bytes += chunk.bytes();
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
}
