//! Who may come in: a place in the queue, and room in memory. The queue bounds what waits for room too, so a write never
//! waits without bound, neither in bytes nor in time.

use crate::commit::RETRY_AFTER_S;
use crate::engine::Engine;
use crate::gauges::set;
use model::Refusal;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How long a write waits for the flush while memory is full, in milliseconds.
const ROOM_WAIT_MS: u64 = 5_000;

/// Bytes of the queue; given back when dropped.
pub(crate) struct Place {
    engine: Arc<Engine>,
    bytes: usize,
}

impl Place {
    /// Takes `bytes` of the queue, or says that it is full.
    pub(crate) fn take(engine: &Arc<Engine>, bytes: usize) -> Result<Self, Refusal> {
        let before = engine.queued.fetch_add(bytes, Ordering::Relaxed);
        let place = Self { engine: engine.clone(), bytes };
        if before > 0 && before + bytes > engine.options.queue_bytes_max {
            return Err(engine.refuse("the store's queue (queue_bytes_max)"));
        }
        set(&engine.gauges.queue_bytes, before + bytes);
        Ok(place)
    }

    /// The committer gives the bytes back.
    pub(crate) fn hand_over(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.engine.release(self.bytes);
        }
    }
}

impl Engine {
    fn refuse(&self, what: &'static str) -> Refusal {
        self.gauges.refused_full.inc();
        Refusal::Full { what, retry_after_s: RETRY_AFTER_S }
    }

    /// The refusal of a write that found no room in memory.
    pub(crate) fn refuse_memory(&self) -> Refusal {
        self.refuse("the store's memory (memory_bytes_max)")
    }

    /// Whether memory takes no more.
    pub(crate) fn is_full(&self) -> bool {
        self.memory_bytes() > self.options.memory_bytes_max
    }

    /// Waits until a flush made room, at most [`ROOM_WAIT_MS`].
    pub(crate) async fn wait_for_room(&self) -> Result<(), Refusal> {
        let room = async {
            loop {
                let flushed = self.flushed.notified();
                if !self.is_full() {
                    return;
                }
                flushed.await;
            }
        };
        platform::task::within(ROOM_WAIT_MS, room).await.ok_or_else(|| self.refuse_memory())
    }
}
