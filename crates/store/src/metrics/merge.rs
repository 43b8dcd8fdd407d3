//! Memory to parts, and parts to one part: series in label order through one [`PartBuilder`] per day.

use super::builder::PartBuilder;
use super::exemplars::distinct;
use super::memory::MetricMemory;
use super::reader::{self, SeriesReader};
use crate::error::PartError;
use crate::part::{DAY_MS, PART_DAYS_MAX, Part, PartSink, day_of};
use crate::signal::Memory;
use model::scan::SeriesColumns;
use model::{Exemplar, Labels};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Brings columns in order, one sample per time: of several the first that was added stays, a float before a histogram.
pub(super) fn settle(columns: &mut SeriesColumns) {
    if !columns.ts_ms.is_sorted_by(|a, b| a < b) {
        let mut order: Vec<usize> = (0..columns.ts_ms.len()).collect();
        let time = |at: &usize| columns.ts_ms.get(*at).copied().unwrap_or(0);
        order.sort_by_key(time);
        order.dedup_by_key(|at| time(at));
        let values = order.iter().filter_map(|at| columns.values.get(*at).copied()).collect();
        let ts_ms = order.iter().map(time).collect();
        (columns.ts_ms, columns.values) = (ts_ms, values);
    }
    if !columns.histograms.is_sorted_by(|a, b| a.0 < b.0) {
        columns.histograms.sort_by_key(|(ts_ms, _)| *ts_ms);
        columns.histograms.dedup_by_key(|(ts_ms, _)| *ts_ms);
    }
    if !columns.histograms.is_empty() && !columns.ts_ms.is_empty() {
        let ts_ms = &columns.ts_ms;
        columns.histograms.retain(|(time, _)| ts_ms.binary_search(time).is_err());
    }
}

/// Writes a frozen memory part, one part per day.
pub(super) fn seal(memory: &MetricMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let table = memory.table();
    let mut exemplars: HashMap<u32, Vec<Exemplar>> = HashMap::new();
    for (series, exemplar) in memory.exemplars() {
        exemplars.entry(series).or_default().push(exemplar);
    }
    let mut series: BTreeSet<u32> = memory.live().into_iter().collect();
    series.extend(exemplars.keys());
    let mut series: Vec<u32> = series.into_iter().collect();
    table.sort(&mut series);
    let days = days(memory, &series, &exemplars);
    let metadata = memory.metadata();
    for (at, (day, min_ms, max_ms)) in days.iter().enumerate() {
        let mut builder = PartBuilder::begin(sink, *day)?;
        let mut columns = SeriesColumns::default();
        for one in &series {
            columns.clear();
            memory.read(*one, *min_ms, *max_ms, &mut columns);
            settle(&mut columns);
            let own = exemplars.get(one).map(Vec::as_slice).unwrap_or_default();
            let within = |exemplar: &&Exemplar| (*min_ms..=*max_ms).contains(&exemplar.ts_ms);
            let mut own: Vec<Exemplar> = own.iter().filter(within).cloned().collect();
            distinct(&mut own);
            builder.push(&table.labels(*one), &columns, own)?;
        }
        let described = if at + 1 == days.len() { &metadata[..] } else { &[] };
        builder.finish(sink, described)?;
    }
    Ok(())
}

/// The days to write, each with the range of its part; the first takes all that is older than the others.
fn days(
    memory: &MetricMemory,
    series: &[u32],
    exemplars: &HashMap<u32, Vec<Exemplar>>,
) -> Vec<(i64, i64, i64)> {
    let Some((min_ms, max_ms)) = memory.range_ms() else { return Vec::new() };
    let mut days = BTreeSet::from([day_of(min_ms), day_of(max_ms)]);
    if day_of(max_ms) - day_of(min_ms) > 1 {
        let mut columns = SeriesColumns::default();
        for one in series {
            columns.clear();
            memory.read(*one, i64::MIN, i64::MAX, &mut columns);
            days.extend(columns.ts_ms.iter().map(|ts_ms| day_of(*ts_ms)));
            days.extend(columns.histograms.iter().map(|(ts_ms, _)| day_of(*ts_ms)));
        }
        days.extend(exemplars.values().flatten().map(|exemplar| day_of(exemplar.ts_ms)));
    }
    let excess = days.len().saturating_sub(PART_DAYS_MAX);
    let mut ranges: Vec<(i64, i64, i64)> = days
        .into_iter()
        .skip(excess)
        .map(|day| {
            let start = day.saturating_mul(DAY_MS);
            (day, start, start.saturating_add(DAY_MS - 1))
        })
        .collect();
    if let Some(first) = ranges.first_mut() {
        first.1 = min_ms;
    }
    ranges
}

/// An input and the series it stands at.
struct Input {
    reader: SeriesReader,
    at: u32,
    labels: Option<Labels>,
    exemplars: BTreeMap<u32, Vec<Exemplar>>,
}

impl Input {
    fn open(part: &Arc<Part>) -> Result<Self, PartError> {
        // Not from the cache: a merge must not push out what queries use.
        let reader = SeriesReader::new(part.clone(), reader::index_uncached(part)?);
        let mut exemplars: BTreeMap<u32, Vec<Exemplar>> = BTreeMap::new();
        for (series, exemplar) in reader.exemplars()? {
            exemplars.entry(series).or_default().push(exemplar);
        }
        let mut input = Self { reader, at: 0, labels: None, exemplars };
        input.load();
        Ok(input)
    }

    fn load(&mut self) {
        let index = &self.reader.index().labels;
        self.labels = (self.at < index.len()).then(|| index.labels(self.at));
    }

    /// Adds the current series to `columns` and goes on to the next.
    fn take(&mut self, columns: &mut SeriesColumns, exemplars: &mut Vec<Exemplar>) -> Result<(), PartError> {
        self.reader.read(self.at, i64::MIN, i64::MAX, columns)?;
        exemplars.extend(self.exemplars.remove(&self.at).unwrap_or_default());
        self.at += 1;
        self.load();
        Ok(())
    }
}

/// Writes the series of all inputs, sample by sample once, into one part.
pub(super) fn merge(inputs: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
    let mut metadata = BTreeMap::new();
    for part in inputs {
        for family in reader::metadata(part)? {
            metadata.insert(family.family.clone(), family);
        }
    }
    let metadata: Vec<_> = metadata.into_values().collect();
    let day = inputs.first().map_or(0, |part| part.info().day);
    let mut inputs = inputs.iter().map(Input::open).collect::<Result<Vec<_>, _>>()?;
    let mut builder = PartBuilder::begin(sink, day)?;
    let mut columns = SeriesColumns::default();
    while let Some(labels) = inputs.iter().filter_map(|input| input.labels.as_ref()).min().cloned() {
        columns.clear();
        let mut exemplars = Vec::new();
        for input in inputs.iter_mut().filter(|input| input.labels.as_ref() == Some(&labels)) {
            input.take(&mut columns, &mut exemplars)?;
        }
        settle(&mut columns);
        distinct(&mut exemplars);
        builder.push(&labels, &columns, exemplars)?;
    }
    builder.finish(sink, &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::FloatHistogram;

    #[test]
    fn one_sample_per_time_stays_the_first() {
        let histogram = |count: f64| Arc::new(FloatHistogram { count, ..FloatHistogram::default() });
        let mut columns = SeriesColumns {
            ts_ms: vec![5, 1, 5, 3],
            values: vec![50.0, 10.0, 51.0, 30.0],
            histograms: vec![(4, histogram(1.0)), (3, histogram(2.0)), (4, histogram(3.0))],
            ..SeriesColumns::default()
        };
        settle(&mut columns);
        assert_eq!((columns.ts_ms, columns.values), (vec![1, 3, 5], vec![10.0, 30.0, 50.0]));
        assert_eq!(columns.histograms, [(4, histogram(1.0))]);
    }
}
