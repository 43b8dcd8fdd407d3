//! A metric batch on its way through the committer: series are looked up there, by one thread, so that the WAL defines
//! each series once per generation and no lock is fought over.

use super::memory::MetricMemory;
use super::wal::{Resolved, encode};
use crate::commit::Entry;
use crate::engine::Engine;
use crate::signal::{Memory, SignalKind};
use crate::wal::{begin_record, end_record};
use model::ingest::{LABELS_MALFORMED, REASONS_MAX};
use model::{Accepted, MetricBatch, Tenant};

/// A batch, before and after its series are known.
pub struct MetricsEntry {
    tenant: Tenant,
    batch: MetricBatch,
    resolved: Resolved,
    record: Vec<u8>,
    rejected: u64,
    reasons: Vec<String>,
}

/// No such series: malformed labels, or no room for a new one.
const NO_SERIES: u32 = u32::MAX;

impl MetricsEntry {
    /// An entry for `batch`.
    #[must_use]
    pub fn new(tenant: Tenant, batch: MetricBatch) -> Self {
        let (resolved, record) = (Resolved::default(), Vec::new());
        Self { tenant, batch, resolved, record, rejected: 0, reasons: Vec::new() }
    }

    /// Bytes it occupies, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let batch = &self.batch;
        batch.arena.len()
            + 64 * batch.series.len()
            + 24 * batch.floats.len()
            + 256 * (batch.histograms.len() + batch.exemplars.len() + batch.metadata.len())
    }

    fn refuse(&mut self, reason: impl FnOnce() -> String) {
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push(reason());
        }
    }

    /// The registry's references of the batch's series; defines in `resolved` what this generation has not defined.
    fn resolve(&mut self, memory: &MetricMemory, generation: u64) -> Vec<u32> {
        let mut registry = memory.registry_mut();
        let mut refs = Vec::with_capacity(self.batch.series.len());
        for at in 0..self.batch.series.len() {
            let key = self.batch.series.get(at).map_or(0, |entry| entry.key);
            let series = registry.find(key).or_else(|| {
                let labels = u32::try_from(at).ok().and_then(|at| self.batch.labels(at));
                match labels {
                    Some(labels) if !labels.is_empty() => {
                        let made = registry.insert(Some(key), &labels);
                        if made.is_none() {
                            self.refuse(|| format!("no memory for another series: {labels}"));
                        }
                        made
                    }
                    _ => {
                        self.refuse(|| LABELS_MALFORMED.into());
                        None
                    }
                }
            });
            let series = series.unwrap_or(NO_SERIES);
            if series != NO_SERIES && registry.must_log(series, generation) {
                self.resolved.definitions.push((series, registry.labels(series)));
            }
            refs.push(series);
        }
        refs
    }

    fn fill(&mut self, refs: &[u32]) {
        let known = |series: u32| refs.get(series as usize).copied().filter(|series| *series != NO_SERIES);
        let batch = std::mem::take(&mut self.batch);
        let sent = batch.floats.len() + batch.histograms.len();
        let floats =
            batch.floats.iter().filter_map(|point| Some((known(point.series)?, point.ts_ms, point.value)));
        self.resolved.floats.reserve_exact(batch.floats.len());
        self.resolved.floats.extend(floats);
        let histograms = batch.histograms.into_iter();
        self.resolved.histograms.extend(
            histograms.filter_map(|point| Some((known(point.series)?, point.ts_ms, point.histogram))),
        );
        let exemplars = batch.exemplars.into_iter();
        self.resolved
            .exemplars
            .extend(exemplars.filter_map(|point| Some((known(point.series)?, point.exemplar))));
        self.resolved.metadata = batch.metadata;
        self.rejected = (sent - self.resolved.floats.len() - self.resolved.histograms.len()) as u64;
    }
}

impl Entry for MetricsEntry {
    fn log(&mut self, engine: &Engine, generation: u64) -> bool {
        let memory = engine.metrics.active(&self.tenant);
        let refs = self.resolve(&memory, generation);
        self.fill(&refs);
        let start = begin_record(&mut self.record, SignalKind::Metrics, &self.tenant);
        encode(&self.resolved, &mut self.record);
        end_record(&mut self.record, start, &[])
    }

    fn record(&self) -> [&[u8]; 2] {
        [&self.record, &[]]
    }

    fn apply(self: Box<Self>, engine: &Engine) -> (Accepted, isize) {
        let memory = engine.metrics.active(&self.tenant);
        let before = memory.bytes();
        let mut accepted = memory.take(self.resolved);
        accepted.rejected += self.rejected;
        accepted.reasons.splice(0..0, self.reasons);
        accepted.reasons.truncate(REASONS_MAX);
        (accepted, memory.bytes().cast_signed() - before.cast_signed())
    }
}
