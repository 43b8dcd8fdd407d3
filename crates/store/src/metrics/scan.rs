//! Answers [`MetricSource`]: the series of parts and memory merged by labels, read one at a time.

use super::Metrics;
use super::exemplars::distinct;
use super::memory::MetricMemory;
use super::merge::settle;
use super::reader::{self, SeriesReader};
use crate::error::PartError;
use crate::shelf::{Source, View};
use model::metric::MetricMetadata;
use model::scan::{
    Budget, Cardinality, Completeness, MetricSource, ScanError, SeriesColumns, SeriesCursor, SeriesSelect,
};
use model::{Exemplar, Labels, Tenant};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Where a selected series has samples: which source, and its number there.
type Place = (u32, u32);

/// What a request selects: parts that could be read, memory parts, and the series of both.
struct Selection {
    readers: Vec<SeriesReader>,
    memories: Vec<Arc<MetricMemory>>,
    /// Sorted by labels, then by source (parts by age, then memory parts).
    series: Vec<(Labels, Place)>,
    completeness: Completeness,
}

impl Source<Metrics> {
    fn open(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
    ) -> Result<(Vec<SeriesReader>, View<Metrics>), ScanError> {
        let mut view = self.view(tenant, select.start_ms, select.end_ms);
        let mut readers = Vec::new();
        for part in std::mem::take(&mut view.parts) {
            match reader::index(&part) {
                Ok(index) => readers.push(SeriesReader::new(part, index)),
                Err(error) => self.absorb(error, &mut view.completeness)?,
            }
        }
        Ok((readers, view))
    }

    fn selection(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<Selection, ScanError> {
        let (readers, view) = self.open(tenant, select)?;
        let mut series = Vec::new();
        for (source, reader) in (0..).zip(&readers) {
            budget.spend(0)?;
            let index = &reader.index().labels;
            series.extend(index.select(&select.matchers).iter().map(|at| (index.labels(at), (source, at))));
        }
        for (source, memory) in (readers.len()..).zip(&view.memories) {
            budget.spend(0)?;
            let source = u32::try_from(source).unwrap_or(u32::MAX);
            let own = memory.select(&select.matchers).into_iter();
            series.extend(own.map(|(labels, at)| (labels, (source, at))));
        }
        // Stable and run-aware: parts are sorted already.
        series.sort();
        Ok(Selection { readers, memories: view.memories, series, completeness: view.completeness })
    }
}

struct Cursor<'a> {
    source: &'a Source<Metrics>,
    budget: &'a Budget,
    selection: Selection,
    at: usize,
    start_ms: i64,
    end_ms: i64,
}

impl Cursor<'_> {
    fn read(&mut self, place: Place, columns: &mut SeriesColumns) -> Result<(), ScanError> {
        let (source, series) = place;
        let Selection { readers, memories, completeness, .. } = &mut self.selection;
        if let Some(memory) = (source as usize).checked_sub(readers.len()).and_then(|at| memories.get(at)) {
            memory.read(series, self.start_ms, self.end_ms, columns);
            return Ok(());
        }
        let Some(reader) = readers.get_mut(source as usize) else { return Ok(()) };
        let before = (columns.ts_ms.len(), columns.values.len(), columns.histograms.len());
        match reader.read(series, self.start_ms, self.end_ms, columns) {
            Ok(()) => Ok(()),
            Err(error) => {
                columns.ts_ms.truncate(before.0);
                columns.values.truncate(before.1);
                columns.histograms.truncate(before.2);
                self.source.absorb(error, completeness)
            }
        }
    }
}

impl SeriesCursor for Cursor<'_> {
    fn next(&mut self, columns: &mut SeriesColumns) -> Result<Option<Labels>, ScanError> {
        loop {
            columns.clear();
            let Some((labels, _)) = self.selection.series.get(self.at) else { return Ok(None) };
            let labels = labels.clone();
            while let Some((_, place)) = self.selection.series.get(self.at).filter(|next| next.0 == labels) {
                let place = *place;
                self.at += 1;
                self.read(place, columns)?;
            }
            settle(columns);
            let samples = columns.ts_ms.len() + columns.histograms.len();
            self.budget.spend(samples as u64)?;
            if samples > 0 {
                return Ok(Some(labels));
            }
        }
    }

    fn completeness(&self) -> Completeness {
        self.selection.completeness.clone()
    }
}

fn texts(set: &BTreeSet<Arc<str>>) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

impl Source<Metrics> {
    /// Gathers texts of the selected series: from the indexes of parts, from the labels in memory.
    fn gather(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
        mut from_part: impl FnMut(&SeriesReader, &RoaringBitmap, &mut BTreeSet<Arc<str>>),
        mut from_labels: impl FnMut(&Labels, &mut BTreeSet<Arc<str>>),
    ) -> Result<(Vec<String>, Completeness), ScanError> {
        let (readers, view) = self.open(tenant, select)?;
        let mut found = BTreeSet::new();
        for reader in &readers {
            budget.spend(0)?;
            from_part(reader, &reader.index().labels.select(&select.matchers), &mut found);
        }
        for memory in &view.memories {
            budget.spend(0)?;
            for (labels, _) in memory.select(&select.matchers) {
                from_labels(&labels, &mut found);
            }
        }
        Ok((texts(&found), view.completeness))
    }
}

fn exemplars_of(
    reader: &SeriesReader,
    select: &SeriesSelect,
    found: &mut BTreeMap<Labels, Vec<Exemplar>>,
) -> Result<(), PartError> {
    let index = &reader.index().labels;
    let selected = index.select(&select.matchers);
    for (series, exemplar) in reader.exemplars()? {
        if selected.contains(series) {
            found.entry(index.labels(series)).or_default().push(exemplar);
        }
    }
    Ok(())
}

impl MetricSource for Source<Metrics> {
    fn select<'a>(
        &'a self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &'a Budget,
    ) -> Result<Box<dyn SeriesCursor + 'a>, ScanError> {
        let selection = self.selection(tenant, select, budget)?;
        let (start_ms, end_ms) = (select.start_ms, select.end_ms);
        Ok(Box::new(Cursor { source: self, budget, selection, at: 0, start_ms, end_ms }))
    }

    fn series(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<(Vec<Labels>, Completeness), ScanError> {
        let selection = self.selection(tenant, select, budget)?;
        let mut all: Vec<Labels> = selection.series.into_iter().map(|(labels, _)| labels).collect();
        all.dedup();
        Ok((all, selection.completeness))
    }

    fn label_names(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<(Vec<String>, Completeness), ScanError> {
        self.gather(
            tenant,
            select,
            budget,
            |reader, selected, found| found.extend(reader.index().labels.names(selected).cloned()),
            |labels, found| found.extend(labels.iter().map(|label| label.name.clone())),
        )
    }

    fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<(Vec<String>, Completeness), ScanError> {
        self.gather(
            tenant,
            select,
            budget,
            |reader, selected, found| found.extend(reader.index().labels.values(name, selected).cloned()),
            |labels, found| {
                let label = labels.iter().find(|label| &*label.name == name);
                found.extend(label.map(|label| label.value.clone()));
            },
        )
    }

    fn exemplars(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, ScanError> {
        let (readers, mut view) = self.open(tenant, select)?;
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for reader in &readers {
            budget.spend(0)?;
            if let Err(error) = exemplars_of(reader, select, &mut found) {
                self.absorb(error, &mut view.completeness)?;
            }
        }
        for memory in &view.memories {
            for (labels, exemplar) in memory.exemplars_matching(&select.matchers) {
                found.entry(labels).or_default().push(exemplar);
            }
        }
        for exemplars in found.values_mut() {
            exemplars.retain(|exemplar| (select.start_ms..=select.end_ms).contains(&exemplar.ts_ms));
            distinct(exemplars);
            budget.spend(exemplars.len() as u64)?;
        }
        Ok(found.into_iter().filter(|(_, exemplars)| !exemplars.is_empty()).collect())
    }

    fn metadata(&self, tenant: &Tenant, family: Option<&str>) -> Vec<MetricMetadata> {
        let view = self.view(tenant, i64::MIN, i64::MAX);
        let mut found = BTreeMap::new();
        for part in &view.parts {
            match reader::metadata(part) {
                Ok(families) => found.extend(families.into_iter().map(|one| (one.family.clone(), one))),
                // What is described there is unknown, not wrong; queries over its samples name the damage.
                Err(error) => tracing::warn!(%error, "metric metadata"),
            }
        }
        let families = view.memories.iter().flat_map(|memory| memory.metadata());
        found.extend(families.map(|one| (one.family.clone(), one)));
        found.into_values().filter(|one| family.is_none_or(|family| one.family == family)).collect()
    }

    fn cardinality(&self, tenant: &Tenant, top: usize) -> Cardinality {
        let select = SeriesSelect { matchers: Vec::new(), start_ms: i64::MIN, end_ms: i64::MAX };
        let Ok(selection) = self.selection(tenant, &select, &Budget::default()) else {
            return Cardinality::default();
        };
        let mut series: Vec<Labels> = selection.series.into_iter().map(|(labels, _)| labels).collect();
        series.dedup();
        let parts =
            selection.readers.iter().map(|reader| (reader.part().info().min_ms, reader.part().info().max_ms));
        let memories =
            selection.memories.iter().filter_map(|memory| crate::signal::Memory::range_ms(&**memory));
        let range_ms = parts.chain(memories).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Cardinality { range_ms, ..count(&series, top) }
    }
}

fn count(series: &[Labels], top: usize) -> Cardinality {
    let mut by_metric: HashMap<&str, u64> = HashMap::new();
    let mut pairs: HashMap<(&str, &str), u64> = HashMap::new();
    for labels in series {
        *by_metric.entry(labels.metric_name()).or_default() += 1;
        for label in labels {
            *pairs.entry((&label.name, &label.value)).or_default() += 1;
        }
    }
    let mut by_label: HashMap<&str, u64> = HashMap::new();
    let mut label_bytes: HashMap<&str, u64> = HashMap::new();
    for (name, value) in pairs.keys() {
        *by_label.entry(name).or_default() += 1;
        *label_bytes.entry(name).or_default() += value.len() as u64;
    }
    let label_pairs = pairs.len() as u64;
    let by_pair = pairs.into_iter().map(|((name, value), count)| (format!("{name}={value}"), count));
    let owned =
        |map: HashMap<&str, u64>| map.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    Cardinality {
        series: series.len() as u64,
        label_pairs,
        range_ms: None,
        by_metric: largest(owned(by_metric), top),
        by_label: largest(owned(by_label), top),
        label_bytes: largest(owned(label_bytes), top),
        by_pair: largest(by_pair.collect(), top),
    }
}

fn largest(mut rows: Vec<(String, u64)>, top: usize) -> Vec<(String, u64)> {
    rows.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(top);
    rows
}
