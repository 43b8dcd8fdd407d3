//! Log records on their way from the doors they came by to those who tail: a bounded broadcast of accepted batches.
//!
//! Publishing never waits: with nobody listening it costs one atomic load, and a listener that falls behind loses
//! batches and is told how many. It must never hold back ingestion.

use model::{LogBatch, Tenant};
use std::sync::Arc;
use tokio::sync::broadcast;

/// Batches a listener may fall behind before it loses some.
const BATCHES_BEHIND_MAX: usize = 256;

/// Most listeners at the same time; Loki allows ten per tenant.
pub(crate) const TAILS_MAX: usize = 1_000;

/// The broadcast; clones share it.
#[derive(Clone, Debug)]
pub struct LiveLogs(broadcast::Sender<(Tenant, Arc<LogBatch>)>);

impl Default for LiveLogs {
    fn default() -> Self {
        Self(broadcast::channel(BATCHES_BEHIND_MAX).0)
    }
}

impl LiveLogs {
    /// Whether anybody listens: a caller may skip making a copy of its batch otherwise.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Hands an accepted batch to whoever listens.
    pub fn publish(&self, tenant: &Tenant, batch: Arc<LogBatch>) {
        if self.has_listeners() {
            // The last listener may leave in between; then nobody misses the batch.
            let _ = self.0.send((tenant.clone(), batch));
        }
    }

    /// Listens from now on; `None` when [`TAILS_MAX`] already do.
    pub(crate) fn listen(&self) -> Option<broadcast::Receiver<(Tenant, Arc<LogBatch>)>> {
        (self.0.receiver_count() < TAILS_MAX).then(|| self.0.subscribe())
    }
}
