//! The live graph: which services, versions, pods and nodes exist, who calls whom, and what changed.
//!
//! It watches every accepted span batch once ([`Topology::observe_spans`]), keeps bounded state per tenant, and hands
//! back metrics (span metrics and the service graph, under the names the field's dashboards ask for) and change
//! records. It stores nothing and reads no disk: `binnacle` writes what it returns through the same door as any signal.

mod changes;
mod entities;
mod histogram;
mod resource;
mod seen;
mod servicegraph;
mod spanmetrics;

pub use entities::{ServiceInfo, VersionInfo};
pub use histogram::LATENCY_BUCKETS_S;
pub use resource::{ResourceInfo, describe};

use entities::Entities;
use model::{Change, MetricBatch, SpanBatch, Tenant};
use seen::Seen;
use servicegraph::ServiceGraph;
use spanmetrics::SpanMetrics;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How often [`Topology::collect`] should run, in milliseconds.
pub const COLLECT_INTERVAL_MS: u64 = 5_000;

/// Most tenants with live state; spans of further tenants are stored but give no metrics, and are counted.
pub const TENANTS_MAX: usize = 1_000;

/// State of one tenant.
#[derive(Debug, Default)]
struct TenantState {
    seen: Seen,
    entities: Entities,
    spans: SpanMetrics,
    graph: ServiceGraph,
}

/// The live graph of all tenants; clones share it.
#[derive(Clone, Debug)]
pub struct Topology {
    tenants: Arc<Mutex<HashMap<Tenant, Arc<Mutex<TenantState>>>>>,
    dropped: platform::metrics::Counter,
    unpaired: platform::metrics::Counter,
}

/// What [`Topology::collect`] has for one tenant.
#[derive(Debug)]
pub struct Collected {
    /// Whose it is.
    pub tenant: Tenant,
    /// Cumulative samples at the time of the call.
    pub metrics: MetricBatch,
}

impl Topology {
    /// An empty graph that counts its own losses in `registry`.
    #[must_use]
    pub fn new(registry: &platform::metrics::Registry) -> Self {
        Self {
            tenants: Arc::default(),
            dropped: registry.counter(
                "binnacle_topology_spans_dropped_total",
                "",
                "Spans that gave no metrics because a limit of the live graph was reached.",
            ),
            unpaired: registry.counter(
                "binnacle_topology_unpaired_spans_total",
                "",
                "Client and server spans whose other side did not come in time.",
            ),
        }
    }

    fn state(&self, tenant: &Tenant) -> Option<Arc<Mutex<TenantState>>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = tenants.get(tenant) {
            return Some(state.clone());
        }
        if tenants.len() >= TENANTS_MAX {
            return None;
        }
        Some(tenants.entry(tenant.clone()).or_default().clone())
    }

    /// Takes note of spans and returns the changes they reveal (a service's version moved).
    ///
    /// A span that comes twice (same trace and span id, within the resend window) counts once.
    pub fn observe_spans(&self, tenant: &Tenant, batch: &SpanBatch, now_ns: i64) -> Vec<Change> {
        let Some(state) = self.state(tenant) else {
            self.dropped.add(batch.spans.len() as u64);
            return Vec::new();
        };
        let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let resources: Vec<ResourceInfo> =
            batch.resources.iter().map(|resource| describe(batch.attrs(&resource.attrs))).collect();
        let mut changes = Vec::new();
        for info in &resources {
            changes.extend(state.entities.observe(info, now_ns));
        }
        for span in batch.iter() {
            let Some(info) = resources.get(span.row.resource as usize) else { continue };
            if !state.seen.insert(span.row.trace_id, span.row.span_id) {
                continue;
            }
            if !state.spans.observe(info, &span) {
                self.dropped.inc();
            }
            state.graph.observe(info, &span, now_ns);
        }
        changes
    }

    /// The metrics as of `now_ms`, for every tenant that has some. Edges older than the pairing window are settled.
    #[must_use]
    pub fn collect(&self, now_ms: i64) -> Vec<Collected> {
        let tenants: Vec<_> = {
            let guard = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            guard.iter().map(|(tenant, state)| (tenant.clone(), state.clone())).collect()
        };
        let mut out = Vec::new();
        for (tenant, state) in tenants {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            self.unpaired.add(state.graph.settle(now_ms.saturating_mul(1_000_000)));
            let mut metrics = MetricBatch::default();
            state.spans.collect(now_ms, &mut metrics);
            state.graph.collect(now_ms, &mut metrics);
            if metrics.sample_count() > 0 {
                out.push(Collected { tenant, metrics });
            }
        }
        out
    }

    /// The services seen so far, sorted by namespace and name.
    #[must_use]
    pub fn services(&self, tenant: &Tenant) -> Vec<ServiceInfo> {
        let guard = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = guard.get(tenant).cloned() else { return Vec::new() };
        drop(guard);
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.entities.services()
    }

    /// Tells a fresh process which versions earlier changes already reported, so that none is reported twice.
    pub fn restore(&self, tenant: &Tenant, changes: &[Change]) {
        if let Some(state) = self.state(tenant) {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            for change in changes {
                state.entities.restore(change);
            }
        }
    }
}

#[cfg(test)]
mod tests;
