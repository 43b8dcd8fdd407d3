//! Metrics in memory: the plainest implementation of the port, to test engines with and to check `store` against.

use crate::promql::hint;
use model::labels::METRIC_NAME;
use model::metric::{Exemplar, MetricMetadata};
use model::scan::{Budget, Cardinality, Completeness, ScanError, SeriesColumns, SeriesCursor, SeriesSelect};
use model::{FloatHistogram, Labels, Matcher, MetricSource, Tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A sample of either kind.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

/// (value, start timestamp in milliseconds or 0) by time.
type Samples = BTreeMap<i64, (Value, i64)>;

/// One tenant's metrics; every method ignores which tenant asks.
#[derive(Clone, Debug, Default)]
pub struct MemoryMetrics {
    series: BTreeMap<Labels, Samples>,
    metadata: BTreeMap<String, MetricMetadata>,
}

impl MemoryMetrics {
    /// Adds a float sample; one at the same time is replaced. Times are milliseconds.
    pub fn push(&mut self, labels: &Labels, ts_ms: i64, value: f64) {
        self.push_started(labels, ts_ms, 0, value);
    }

    /// Adds a float sample whose counting began at `start_ms` (0: unknown).
    pub fn push_started(&mut self, labels: &Labels, ts_ms: i64, start_ms: i64, value: f64) {
        self.series.entry(labels.clone()).or_default().insert(ts_ms, (Value::Float(value), start_ms));
    }

    /// Adds a histogram sample whose counting began at `start_ms` (0: unknown).
    pub fn push_histogram(&mut self, labels: &Labels, ts_ms: i64, start_ms: i64, value: FloatHistogram) {
        let sample = (Value::Histogram(Arc::new(value)), start_ms);
        self.series.entry(labels.clone()).or_default().insert(ts_ms, sample);
    }

    /// Describes a family.
    pub fn describe(&mut self, metadata: MetricMetadata) {
        self.metadata.insert(metadata.family.clone(), metadata);
    }

    fn matching<'a>(
        &'a self,
        select: &'a SeriesSelect,
    ) -> impl Iterator<Item = (&'a Labels, &'a Samples)> + use<'a> {
        let matches = |labels: &Labels| {
            select
                .matchers
                .iter()
                .all(|matcher: &Matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
        };
        let in_range = |samples: &Samples| {
            select.start_ms <= select.end_ms
                && samples.range(select.start_ms..=select.end_ms).next().is_some()
        };
        self.series.iter().filter(move |(labels, samples)| matches(labels) && in_range(samples))
    }
}

struct Cursor<'a> {
    rest: std::vec::IntoIter<(&'a Labels, &'a Samples)>,
    range_ms: (i64, i64),
    budget: &'a Budget,
}

impl SeriesCursor for Cursor<'_> {
    fn next(&mut self, columns: &mut SeriesColumns) -> Result<Option<Labels>, ScanError> {
        columns.clear();
        let Some((labels, samples)) = self.rest.next() else { return Ok(None) };
        let any_start = samples.values().any(|(_, start)| *start != 0);
        let before = match samples.range(..self.range_ms.0).next_back() {
            Some((_, (Value::Histogram(h), _))) => Some(&**h),
            _ => None,
        };
        for (ts, (value, start)) in samples.range(self.range_ms.0..=self.range_ms.1) {
            let starts = match value {
                Value::Float(value) => {
                    columns.ts_ms.push(*ts);
                    columns.values.push(*value);
                    &mut columns.start_ms
                }
                Value::Histogram(h) => {
                    columns.histograms.push((*ts, Arc::clone(h)));
                    &mut columns.histogram_start_ms
                }
            };
            starts.extend(any_start.then_some(*start));
        }
        hint(before, &mut columns.histograms);
        self.budget.spend((columns.ts_ms.len() + columns.histograms.len()) as u64)?;
        Ok(Some(labels.clone()))
    }

    fn completeness(&self) -> Completeness {
        Completeness::default()
    }
}

impl MetricSource for MemoryMetrics {
    fn select<'a>(
        &'a self,
        _: &Tenant,
        select: &SeriesSelect,
        budget: &'a Budget,
    ) -> Result<Box<dyn SeriesCursor + 'a>, ScanError> {
        let keys: BTreeSet<&Labels> = self.matching(select).map(|(labels, _)| labels).collect();
        let rest: Vec<_> = self.series.iter().filter(|(labels, _)| keys.contains(labels)).collect();
        let range_ms = (select.start_ms, select.end_ms);
        Ok(Box::new(Cursor { rest: rest.into_iter(), range_ms, budget }))
    }

    fn series(
        &self,
        _: &Tenant,
        select: &SeriesSelect,
        _: &Budget,
    ) -> Result<(Vec<Labels>, Completeness), ScanError> {
        let labels = self.matching(select).map(|(labels, _)| labels.clone()).collect();
        Ok((labels, Completeness::default()))
    }

    fn label_names(
        &self,
        _: &Tenant,
        select: &SeriesSelect,
        _: &Budget,
    ) -> Result<(Vec<String>, Completeness), ScanError> {
        let labels = self.matching(select).flat_map(|(labels, _)| labels.iter());
        let names: BTreeSet<String> = labels.map(|label| label.name.to_string()).collect();
        Ok((names.into_iter().collect(), Completeness::default()))
    }

    fn label_values(
        &self,
        _: &Tenant,
        name: &str,
        select: &SeriesSelect,
        _: &Budget,
    ) -> Result<(Vec<String>, Completeness), ScanError> {
        let values = self.matching(select).filter_map(|(labels, _)| labels.get(name));
        let values: BTreeSet<String> = values.map(str::to_owned).collect();
        Ok((values.into_iter().collect(), Completeness::default()))
    }

    fn exemplars(
        &self,
        _: &Tenant,
        _: &SeriesSelect,
        _: &Budget,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, ScanError> {
        Ok(Vec::new())
    }

    fn metadata(&self, _: &Tenant, family: Option<&str>) -> Vec<MetricMetadata> {
        let wanted = |entry: &&MetricMetadata| family.is_none_or(|family| entry.family == family);
        self.metadata.values().filter(wanted).cloned().collect()
    }

    fn cardinality(&self, _: &Tenant, top: usize) -> Cardinality {
        let mut by_metric: BTreeMap<&str, u64> = BTreeMap::new();
        let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for labels in self.series.keys() {
            *by_metric.entry(labels.get(METRIC_NAME).unwrap_or_default()).or_default() += 1;
            for label in labels {
                *pairs.entry((&label.name, &label.value)).or_default() += 1;
            }
        }
        let mut by_label: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, value) in pairs.keys() {
            let entry = by_label.entry(name).or_default();
            *entry = (entry.0 + 1, entry.1 + value.len() as u64);
        }
        let times = || self.series.values().flat_map(|samples| samples.keys().copied());
        Cardinality {
            series: self.series.len() as u64,
            label_pairs: pairs.len() as u64,
            range_ms: times().min().zip(times().max()),
            by_metric: largest(by_metric.into_iter().map(|(name, count)| (name.to_owned(), count)), top),
            by_label: largest(by_label.iter().map(|(name, (count, _))| ((*name).to_owned(), *count)), top),
            label_bytes: largest(by_label.iter().map(|(name, (_, bytes))| ((*name).to_owned(), *bytes)), top),
            by_pair: largest(
                pairs.into_iter().map(|((name, value), count)| (format!("{name}={value}"), count)),
                top,
            ),
        }
    }
}

fn largest(counts: impl Iterator<Item = (String, u64)>, top: usize) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by(|(a_name, a), (b_name, b)| b.cmp(a).then_with(|| a_name.cmp(b_name)));
    counts.truncate(top);
    counts
}
