//! A tenant's metrics that are not in parts yet: the registry of series, float tails, histograms, exemplars.
//!
//! The registry outlives the memory part; everything else starts anew with each. Locks are held per batch by the
//! writer and per series by readers.

use super::registry::{Registry, SeriesTable};
use super::tails::{Push, Tails};
use super::wal::Resolved;
use crate::signal::Memory;
use model::ingest::REASONS_MAX;
use model::metric::MetricMetadata;
use model::scan::SeriesColumns;
use model::{Accepted, Exemplar, FloatHistogram, Labels, Matcher};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Bytes a histogram occupies besides its buckets, roughly.
const HISTOGRAM_BYTES: usize = 256;
/// Bytes an exemplar occupies, roughly.
const EXEMPLAR_BYTES: usize = 256;

/// See the module.
#[derive(Default)]
pub struct MetricMemory {
    registry: Arc<RwLock<Registry>>,
    records: RwLock<Records>,
}

#[derive(Default)]
struct Records {
    tails: Tails,
    histograms: BTreeMap<u32, Vec<(i64, Arc<FloatHistogram>)>>,
    exemplars: Vec<(u32, Exemplar)>,
    other_bytes: usize,
    range_ms: Option<(i64, i64)>,
    described: bool,
}

impl Records {
    fn widen(&mut self, ts_ms: i64) {
        let (min, max) = self.range_ms.unwrap_or((ts_ms, ts_ms));
        self.range_ms = Some((min.min(ts_ms), max.max(ts_ms)));
    }

    fn push_histogram(&mut self, series: u32, ts_ms: i64, histogram: &Arc<FloatHistogram>) -> Push {
        let samples = self.histograms.entry(series).or_default();
        match samples.last() {
            Some((last, same)) if *last == ts_ms && bits_equal(same, histogram) => return Push::Resend,
            Some((last, _)) if *last == ts_ms => return Push::Duplicate,
            _ => samples.push((ts_ms, histogram.clone())),
        }
        let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len();
        self.other_bytes += HISTOGRAM_BYTES + 8 * (buckets + histogram.custom_values.len());
        Push::Taken
    }
}

/// Equal to the bit, so that a stale marker equals itself.
fn bits_equal(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let mut left = Vec::new();
    let mut right = Vec::new();
    super::histograms::put(&mut left, a, None);
    super::histograms::put(&mut right, b, None);
    left == right
}

/// Samples that stood against an earlier one of the same time with another value.
#[derive(Default)]
struct Duplicates {
    rejected: u64,
    /// Series and milliseconds of the first of them.
    shown: Vec<(u32, i64)>,
    /// Where in the request each series and time comes first; made when the first duplicate is seen.
    first: HashMap<(u32, i64), usize>,
}

impl Duplicates {
    /// Takes note of sample `at` of a request. Of two samples of one request the first counts, and nobody is told, as in
    /// Prometheus.
    fn note(&mut self, at: usize, sample: impl Fn(usize) -> Option<(u32, i64)>) {
        if self.first.is_empty() {
            for (at, place) in (0..).map_while(|at| Some((at, sample(at)?))) {
                self.first.entry(place).or_insert(at);
            }
        }
        let Some(place) = sample(at).filter(|place| self.first.get(place) == Some(&at)) else { return };
        self.rejected += 1;
        if self.shown.len() < REASONS_MAX {
            self.shown.push(place);
        }
    }
}

impl MetricMemory {
    pub(super) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> RwLockReadGuard<'_, Records> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch and says what was taken.
    pub(super) fn take(&self, batch: Resolved) -> Accepted {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let mut duplicates = Duplicates::default();
        let floats = |at: usize| batch.floats.get(at).map(|(series, ts_ms, _)| (*series, *ts_ms));
        for (at, (series, ts_ms, value)) in batch.floats.iter().enumerate() {
            if records.tails.push(*series, *ts_ms, *value) == Push::Duplicate {
                duplicates.note(at, floats);
            }
            records.widen(*ts_ms);
        }
        duplicates.first.clear();
        let histograms = |at: usize| batch.histograms.get(at).map(|(series, ts_ms, _)| (*series, *ts_ms));
        for (at, (series, ts_ms, histogram)) in batch.histograms.iter().enumerate() {
            if records.push_histogram(*series, *ts_ms, histogram) == Push::Duplicate {
                duplicates.note(at, histograms);
            }
            records.widen(*ts_ms);
        }
        let sent = batch.floats.len() + batch.histograms.len();
        for (series, exemplar) in batch.exemplars {
            records.widen(exemplar.ts_ms);
            records.other_bytes += EXEMPLAR_BYTES;
            records.exemplars.push((series, exemplar));
        }
        records.described |= !batch.metadata.is_empty();
        drop(records);
        if !batch.metadata.is_empty() {
            self.describe(batch.metadata);
        }
        let reasons = duplicates.shown.iter().map(|(series, ts_ms)| {
            format!("duplicate sample for timestamp {ts_ms} of {}", self.registry().labels(*series))
        });
        let rejected = duplicates.rejected;
        Accepted { records: sent as u64 - rejected, rejected, reasons: reasons.collect() }
    }

    fn describe(&self, metadata: Vec<MetricMetadata>) {
        let mut registry = self.registry_mut();
        for family in metadata {
            if registry.metadata.len() < super::registry::METADATA_FAMILIES_MAX
                || registry.metadata.contains_key(&family.family)
            {
                registry.metadata.insert(family.family.clone(), family);
            }
        }
    }

    /// Series with samples here that satisfy the matchers, with their labels, in no order.
    pub(super) fn select(&self, matchers: &[Matcher]) -> Vec<(Labels, u32)> {
        let live = self.live();
        let registry = self.registry();
        let selected = registry.select(matchers, live.into_iter());
        selected.into_iter().map(|series| (registry.labels(series), series)).collect()
    }

    /// Series with samples here, ascending.
    pub(super) fn live(&self) -> Vec<u32> {
        let records = self.records();
        let mut live: Vec<u32> = records.tails.live().collect();
        let more = records.histograms.keys().filter(|series| !records.tails.has(**series));
        live.extend(more);
        live.sort_unstable();
        live
    }

    /// Appends the series' samples in the range, in order of arrival.
    pub(super) fn read(&self, series: u32, min_ms: i64, max_ms: i64, columns: &mut SeriesColumns) {
        let records = self.records();
        records.tails.read(series, min_ms, max_ms, &mut columns.ts_ms, &mut columns.values);
        if let Some(histograms) = records.histograms.get(&series) {
            let within = histograms.iter().filter(|(ts_ms, _)| (min_ms..=max_ms).contains(ts_ms));
            columns.histograms.extend(within.cloned());
        }
    }

    /// Exemplars of the series that satisfy the matchers, in order of arrival.
    pub(super) fn exemplars_matching(&self, matchers: &[Matcher]) -> Vec<(Labels, Exemplar)> {
        let all = self.exemplars();
        let series: BTreeSet<u32> = all.iter().map(|(series, _)| *series).collect();
        let registry = self.registry();
        let selected: BTreeSet<u32> = registry.select(matchers, series.into_iter()).into_iter().collect();
        let own = all.into_iter().filter(|(series, _)| selected.contains(series));
        own.map(|(series, exemplar)| (registry.labels(series), exemplar)).collect()
    }

    /// Exemplars, in order of arrival.
    pub(super) fn exemplars(&self) -> Vec<(u32, Exemplar)> {
        self.records().exemplars.clone()
    }

    /// What is known of the tenant's families.
    pub(super) fn metadata(&self) -> Vec<MetricMetadata> {
        self.registry().metadata.values().cloned().collect()
    }

    /// Labels of all series, copied.
    pub(super) fn table(&self) -> SeriesTable {
        self.registry().snapshot()
    }
}

impl Memory for MetricMemory {
    type Batch = Resolved;
    type Chunk = Resolved;

    fn ready(batch: Resolved) -> Option<Resolved> {
        Some(batch)
    }

    fn apply(&self, batch: Resolved) {
        self.take(batch);
    }

    fn bytes(&self) -> usize {
        let records = self.records();
        records.tails.bytes() + records.other_bytes
    }

    fn range_ms(&self) -> Option<(i64, i64)> {
        let records = self.records();
        records.range_ms.or(records.described.then_some((0, 0)))
    }

    /// Keeps the registry unless most of its series have had no sample in this memory part.
    fn next(&self) -> Self {
        let live = self.live().len();
        let registry = self.registry();
        if 2 * live >= registry.len() {
            return Self { registry: self.registry.clone(), records: RwLock::default() };
        }
        let mut fresh = Registry::default();
        fresh.metadata.clone_from(&registry.metadata);
        Self { registry: Arc::new(RwLock::new(fresh)), records: RwLock::default() }
    }
}
