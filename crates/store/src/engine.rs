//! What the committer, the background work and the readers share. It holds no thread and makes no decision.

use crate::catalogue::Desk;
use crate::changes::Changes;
use crate::gauges::{Gauges, set};
use crate::logs::Logs;
use crate::metrics::Metrics;
use crate::options::StoreOptions;
use crate::shelf::Shelves;
use crate::spans::Spans;
use platform::SharedClock;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// The store's shared state.
pub(crate) struct Engine {
    pub(crate) desk: Arc<Desk>,
    pub(crate) clock: SharedClock,
    pub(crate) options: StoreOptions,
    pub(crate) gauges: Gauges,
    pub(crate) metrics: Arc<Shelves<Metrics>>,
    pub(crate) logs: Arc<Shelves<Logs>>,
    pub(crate) spans: Arc<Shelves<Spans>>,
    pub(crate) changes: Arc<Shelves<Changes>>,
    pub(crate) queued: AtomicUsize,
    /// Monotonic time of the last flush, nanoseconds.
    pub(crate) flushed_at_ns: AtomicI64,
    /// Unflushed WAL bytes at the last freeze: what the seal that follows makes superfluous.
    pub(crate) frozen_wal_bytes: AtomicI64,
    /// Wakes writers that wait for room in memory, after each flush.
    pub(crate) flushed: Notify,
    /// One flush at a time. Taken after `tidying` by who needs both.
    pub(crate) flushing: Mutex<()>,
    /// One merge, retirement or snapshot at a time; flushes go on meanwhile.
    pub(crate) tidying: Mutex<()>,
}

/// Calls a generic function for every signal's shelves, in the signals' order.
macro_rules! for_each_signal {
    ($engine:expr, $shelves:ident => $body:expr) => {{
        let engine = $engine;
        {
            let $shelves = &engine.metrics;
            $body;
        }
        {
            let $shelves = &engine.logs;
            $body;
        }
        {
            let $shelves = &engine.spans;
            $body;
        }
        {
            let $shelves = &engine.changes;
            $body;
        }
    }};
}
pub(crate) use for_each_signal;

impl Engine {
    /// Freezes every memory part.
    pub(crate) fn freeze(&self) {
        for_each_signal!(self, shelves => shelves.freeze());
        self.frozen_wal_bytes.store(self.gauges.wal_unflushed_bytes.get(), Ordering::Relaxed);
        self.measure();
    }

    /// Bytes left the queue.
    pub(crate) fn release(&self, bytes: usize) {
        let before = self.queued.fetch_sub(bytes, Ordering::Relaxed);
        set(&self.gauges.queue_bytes, before - bytes);
    }

    /// Sets the gauges of what is held; called after background work, not per write.
    pub(crate) fn measure(&self) {
        let (mut active, mut frozen, mut parts, mut bytes) = (0, 0, 0, 0);
        for_each_signal!(self, shelves => {
            let held = shelves.memory_bytes();
            active += held.0;
            frozen += held.1;
            for part in shelves.parts() {
                parts += 1;
                bytes += part.info().bytes;
            }
        });
        set(&self.gauges.memory_active_bytes, active);
        set(&self.gauges.memory_frozen_bytes, frozen);
        self.gauges.parts.set(parts);
        set(&self.gauges.part_bytes, bytes);
        set(&self.gauges.index_bytes, self.desk.index_bytes());
        set(&self.gauges.quarantined, self.desk.quarantined().len());
    }

    /// Bytes of memory parts, as of the last group.
    pub(crate) fn memory_bytes(&self) -> usize {
        let bytes = self.gauges.memory_active_bytes.get() + self.gauges.memory_frozen_bytes.get();
        usize::try_from(bytes).unwrap_or(0)
    }

    /// Whether a flush is due.
    pub(crate) fn flush_is_due(&self) -> bool {
        let active = usize::try_from(self.gauges.memory_active_bytes.get()).unwrap_or(0);
        let frozen = self.gauges.memory_frozen_bytes.get();
        let wal = u64::try_from(self.gauges.wal_unflushed_bytes.get()).unwrap_or(0);
        let age_ns = self.now_ns() - self.flushed_at_ns.load(Ordering::Relaxed);
        let old = age_ns
            >= i64::try_from(self.options.flush_age_s.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
        let flush_at = self.options.flush_memory_bytes.min(self.options.memory_bytes_max / 2);
        active >= flush_at || wal >= self.options.flush_wal_bytes || frozen > 0 || (old && wal > 0)
    }

    /// Monotonic nanoseconds.
    pub(crate) fn now_ns(&self) -> i64 {
        i64::try_from(self.clock.monotonic_ns()).unwrap_or(i64::MAX)
    }
}
