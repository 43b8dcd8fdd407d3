//! The way of a record from a door to the store: one value that doors hand batches to.
//!
//! Spans pass the live graph first, which answers with changes (a service's version moved); log records are shown to
//! those who tail once they are durable. Nothing here waits for anything but the store's answer.

use model::ingest::{Answer, Ingest};
use model::{Change, LogBatch, MetricBatch, SpanBatch, Tenant};
use platform::SharedClock;
use serve::LiveLogs;
use std::sync::Arc;
use store::Store;
use topology::Topology;

/// Store, live graph and tailers behind one port.
#[derive(Clone)]
pub struct Pipeline {
    /// Where records are kept.
    pub store: Store,
    /// What spans reveal.
    pub topology: Topology,
    /// Who tails.
    pub live: LiveLogs,
    /// For the time a change was seen.
    pub clock: SharedClock,
}

impl Ingest for Pipeline {
    fn metrics(&self, tenant: &Tenant, batch: MetricBatch) -> Answer {
        Box::pin(self.store.write_metrics(tenant, batch))
    }

    fn logs(&self, tenant: &Tenant, batch: LogBatch) -> Answer {
        let shown = self.live.has_listeners().then(|| Arc::new(batch.clone()));
        let stored = self.store.write_logs(tenant, batch);
        let Some(batch) = shown else { return Box::pin(stored) };
        let (live, tenant) = (self.live.clone(), tenant.clone());
        Box::pin(async move {
            let accepted = stored.await?;
            live.publish(&tenant, batch);
            Ok(accepted)
        })
    }

    fn spans(&self, tenant: &Tenant, batch: SpanBatch) -> Answer {
        let changes = self.topology.observe_spans(tenant, &batch, self.clock.now_ns());
        let stored = self.store.write_spans(tenant, batch);
        if changes.is_empty() {
            return Box::pin(stored);
        }
        let (pipeline, tenant) = (self.clone(), tenant.clone());
        Box::pin(async move {
            pipeline.keep(&tenant, changes).await;
            stored.await
        })
    }
}

impl Pipeline {
    /// Stores changes that the telemetry revealed; the spans themselves do not depend on it.
    async fn keep(&self, tenant: &Tenant, changes: Vec<Change>) {
        for change in changes {
            tracing::info!(change = %change.summary, "a version moved");
            if let Err(error) = self.store.append_change(tenant, change).await {
                tracing::warn!(%error, "a change was not stored");
            }
        }
    }

    /// Writes the live graph's metrics as of now.
    pub async fn collect(&self) {
        for collected in self.topology.collect(self.clock.now_ms()) {
            if let Err(error) = self.store.write_metrics(&collected.tenant, collected.metrics).await {
                tracing::warn!(%error, tenant = %collected.tenant, "span metrics were not stored");
            }
        }
    }
}
