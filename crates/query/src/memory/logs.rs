//! Logs in memory: the plain reference that `store` is compared with, and the data of engine tests.

use model::matcher::Matcher;
use model::scan::{Budget, Completeness, Direction, LogSelect, LogStats, ScanError};
use model::tenant::Tenant;
use model::{Labels, LogBatch, LogSource, SpanId, TraceId};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// One stored line.
#[derive(Clone, Debug)]
struct Line {
    ts_ns: i64,
    text: String,
    metadata: Vec<(String, String)>,
    ids: (TraceId, SpanId),
}

/// All lines of all tenants, by stream.
#[derive(Clone, Debug, Default)]
pub struct MemoryLogs {
    streams: BTreeMap<(Tenant, Labels), Vec<Line>>,
}

impl MemoryLogs {
    /// Adds the records of `batch`.
    pub fn push(&mut self, tenant: &Tenant, batch: &LogBatch) {
        for stream in &batch.streams {
            let lines = self.streams.entry((tenant.clone(), stream.labels.clone())).or_default();
            lines.extend(batch.entries(stream).iter().map(|entry| Line {
                ts_ns: entry.ts_ns,
                text: batch.line(entry).to_owned(),
                metadata: batch.metadata(entry).map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                ids: (entry.trace_id, entry.span_id),
            }));
            lines.sort_by_key(|line| line.ts_ns);
        }
    }

    /// The streams that match, with their lines inside the range; streams without one are left out.
    fn selected<'a>(
        &'a self,
        tenant: &'a Tenant,
        select: &'a LogSelect,
    ) -> impl Iterator<Item = (&'a Labels, Vec<&'a Line>)> {
        let holds = |labels: &Labels, m: &Matcher| m.matches(labels.get(&m.name).unwrap_or_default());
        self.streams
            .iter()
            .filter(move |((owner, labels), _)| {
                owner == tenant && select.matchers.iter().all(|matcher| holds(labels, matcher))
            })
            .map(move |((_, labels), lines)| {
                let inside = |line: &&Line| (select.start_ns..select.end_ns).contains(&line.ts_ns);
                (labels, lines.iter().filter(inside).collect::<Vec<_>>())
            })
            .filter(|(_, lines)| !lines.is_empty())
    }
}

impl LogSource for MemoryLogs {
    fn scan(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&LogBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError> {
        let mut batch = LogBatch::default();
        for (labels, mut lines) in self.selected(tenant, select) {
            budget.spend(lines.len() as u64)?;
            if select.direction == Direction::Backward {
                lines.reverse();
            }
            batch.push_stream(labels.clone());
            for line in lines {
                let metadata = line.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                batch.push_entry(line.ts_ns, &line.text, metadata, line.ids);
            }
        }
        if !batch.entries.is_empty() {
            let _ = on_batch(&batch);
        }
        Ok(Completeness::default())
    }

    fn streams(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
    ) -> Result<Vec<Labels>, ScanError> {
        budget.spend(0)?;
        Ok(self.selected(tenant, select).map(|(labels, _)| labels.clone()).collect())
    }

    fn volume(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
    ) -> Result<Vec<(Labels, LogStats)>, ScanError> {
        budget.spend(0)?;
        let bytes = |line: &&Line| {
            let metadata: usize = line.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
            (line.text.len() + metadata) as u64
        };
        let stats = |lines: &[&Line]| LogStats {
            streams: 1,
            chunks: 1,
            entries: lines.len() as u64,
            bytes: lines.iter().map(bytes).sum(),
        };
        Ok(self.selected(tenant, select).map(|(labels, lines)| (labels.clone(), stats(&lines))).collect())
    }
}
