//! Answers the log port: scans, and what the index alone can tell.

use super::Logs;
use super::index::{Block, LogIndex, Run};
use super::memory::Chunk;
use super::scan::{Scan, StreamFilter};
use crate::error::PartError;
use crate::part::{Part, ms_of};
use crate::shelf::{Source, View};
use model::scan::{Budget, Completeness, LogSelect, LogSource, LogStats, ScanError};
use model::{Labels, LogBatch, Tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

impl Source<Logs> {
    fn select(&self, tenant: &Tenant, select: &LogSelect) -> View<Logs> {
        self.view(tenant, ms_of(select.start_ns), ms_of(select.end_ns.saturating_sub(1)))
    }

    /// Calls `on_run` with each selected stream's rows that overlap the range: labels, records and bytes in it.
    fn each_run(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
        on_run: &mut dyn FnMut(&Labels, u64, u64),
    ) -> Result<(), ScanError> {
        if select.start_ns >= select.end_ns {
            return Ok(());
        }
        let View { parts, memories, mut completeness } = self.select(tenant, select);
        let mut filter = StreamFilter::new(&select.matchers);
        for part in &parts {
            budget.spend(0)?;
            if let Err(error) = runs_of_part(part, select, &mut filter, on_run) {
                self.absorb(error, &mut completeness)?;
            }
        }
        for chunk in memories.iter().flat_map(|memory| memory.chunks()) {
            runs_of_chunk(&chunk, select, &mut filter, on_run);
        }
        Ok(())
    }
}

fn runs_of_part(
    part: &Arc<Part>,
    select: &LogSelect,
    filter: &mut StreamFilter<'_>,
    on_run: &mut dyn FnMut(&Labels, u64, u64),
) -> Result<(), PartError> {
    let index = LogIndex::of(part)?;
    let selected: Vec<bool> = index.streams.iter().map(|labels| filter.selects(labels)).collect();
    for block in &index.blocks {
        let mut times = None;
        for run in index.runs(block).iter().filter(|run| selected.get(run.stream as usize) == Some(&true)) {
            let (records, bytes) = share(part, block, run, select, &mut times)?;
            if let Some(labels) = index.streams.get(run.stream as usize).filter(|_| records > 0) {
                on_run(labels, records, bytes);
            }
        }
    }
    Ok(())
}

/// Records of a run in the range, and their share of its bytes; times are read only when the run is partly inside.
fn share(
    part: &Part,
    block: &Block,
    run: &Run,
    select: &LogSelect,
    times: &mut Option<Vec<i64>>,
) -> Result<(u64, u64), PartError> {
    let all = u64::from(run.rows.end - run.rows.start);
    if run.min_ns >= select.end_ns || run.max_ns < select.start_ns {
        return Ok((0, 0));
    }
    if run.min_ns >= select.start_ns && run.max_ns < select.end_ns {
        return Ok((all, run.bytes));
    }
    let times = match times {
        Some(times) => times,
        None => times.insert(block.times(part)?),
    };
    let times = times.get(run.rows.start as usize..run.rows.end as usize).unwrap_or_default();
    let first = times.partition_point(|ns| *ns < select.start_ns);
    let last = times.partition_point(|ns| *ns < select.end_ns);
    let records = last.saturating_sub(first) as u64;
    let bytes = u128::from(run.bytes) * u128::from(records) / u128::from(all.max(1));
    Ok((records, u64::try_from(bytes).unwrap_or(u64::MAX)))
}

fn runs_of_chunk(
    chunk: &Chunk,
    select: &LogSelect,
    filter: &mut StreamFilter<'_>,
    on_run: &mut dyn FnMut(&Labels, u64, u64),
) {
    for stream in &chunk.batch.streams {
        let entries = chunk.batch.entries(stream);
        let first = entries.partition_point(|entry| entry.ts_ns < select.start_ns);
        let last = entries.partition_point(|entry| entry.ts_ns < select.end_ns);
        let inside = entries.get(first..last).unwrap_or_default();
        if !inside.is_empty() && filter.selects(&stream.labels) {
            let bytes = inside.iter().map(|entry| super::block::record_bytes(&chunk.batch, entry)).sum();
            on_run(&stream.labels, inside.len() as u64, bytes);
        }
    }
}

impl LogSource for Source<Logs> {
    fn scan(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&LogBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError> {
        budget.spend(0)?;
        if select.start_ns >= select.end_ns {
            return Ok(Completeness::default());
        }
        let View { parts, memories, mut completeness } = self.select(tenant, select);
        let mut scan = Scan::new(select);
        let mut filter = StreamFilter::new(&select.matchers);
        for part in &parts {
            budget.spend(0)?;
            if let Err(error) = scan.add_part(part, &mut filter) {
                self.absorb(error, &mut completeness)?;
            }
        }
        for chunk in memories.iter().flat_map(|memory| memory.chunks()) {
            scan.add_chunk(&chunk, &mut filter);
        }
        scan.run(budget, on_batch, &mut |error| self.absorb(error, &mut completeness))?;
        Ok(completeness)
    }

    fn streams(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
    ) -> Result<Vec<Labels>, ScanError> {
        let mut streams = BTreeSet::new();
        self.each_run(tenant, select, budget, &mut |labels, _, _| {
            if !streams.contains(labels) {
                streams.insert(labels.clone());
            }
        })?;
        Ok(streams.into_iter().collect())
    }

    fn volume(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
    ) -> Result<Vec<(Labels, LogStats)>, ScanError> {
        let mut volume: BTreeMap<Labels, LogStats> = BTreeMap::new();
        self.each_run(tenant, select, budget, &mut |labels, entries, bytes| {
            if !volume.contains_key(labels) {
                volume.insert(labels.clone(), LogStats { streams: 1, ..LogStats::default() });
            }
            if let Some(stats) = volume.get_mut(labels) {
                stats.chunks += 1;
                stats.entries += entries;
                stats.bytes += bytes;
            }
        })?;
        Ok(volume.into_iter().collect())
    }
}
