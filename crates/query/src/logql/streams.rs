//! Log queries: the newest (or oldest) lines that pass the pipeline, per stream.

use super::answer::{ENTRIES_LIMIT_MAX, LogError, LogParams, OutEntry, OutStream};
use super::labels::LabelSet;
use super::pipeline::Pipeline;
use super::record::{Origin, Record};
use super::run::Run;
use language::logql::{LogExpr, ParseError};
use model::LogBatch;
use model::matcher::Matcher;
use model::scan::{Direction, LogSelect};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A compiled log query that turns batches into entries.
pub(super) struct LineReader {
    record: Record,
    pipeline: Pipeline,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl LineReader {
    pub(super) fn new(log: &LogExpr, now_ns: i64) -> Result<Self, ParseError> {
        let mut record = Record::default();
        record.now_ns = now_ns;
        let pipeline = Pipeline::new(log, &mut record.names, true)?;
        Ok(Self { record, pipeline, lines: 0, bytes: 0 })
    }

    /// Calls `kept` with the labels and the entry of every line that passes, until it answers `false`.
    pub(super) fn read(
        &mut self,
        batch: &LogBatch,
        matchers: &[Matcher],
        mut kept: impl FnMut(LabelSet, OutEntry) -> bool,
    ) {
        for stream in &batch.streams {
            if !matchers.iter().all(|m| m.matches(stream.labels.get(&m.name).unwrap_or_default())) {
                continue;
            }
            let mut begun = false;
            for entry in batch.entries(stream) {
                let line = batch.line(entry);
                self.lines += 1;
                self.bytes += line.len() as u64;
                if !self.pipeline.accepts(line) {
                    continue;
                }
                if !begun {
                    self.record.begin_stream(&stream.labels);
                    begun = true;
                }
                self.record.begin_line(entry.ts_ns, batch.metadata(entry));
                let Some(line) = self.pipeline.run(&mut self.record, line) else { continue };
                let set = |origin| self.record.set_of(|_, from| from == origin);
                let out = OutEntry {
                    ts_ns: entry.ts_ns,
                    line: line.into_owned(),
                    metadata: set(Origin::Metadata),
                    parsed: set(Origin::Parsed).with(&self.record.error_set()),
                };
                if !kept(set(Origin::Stream), out) {
                    break;
                }
            }
        }
    }
}

/// Runs a log query.
pub(super) fn select(
    run: &mut Run<'_>,
    log: &LogExpr,
    params: &LogParams,
) -> Result<Vec<OutStream>, LogError> {
    if params.limit > ENTRIES_LIMIT_MAX {
        let message = format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({} > {ENTRIES_LIMIT_MAX})",
            params.limit
        );
        return Err(LogError::Limit(message));
    }
    let mut reader =
        LineReader::new(log, run.now_ns).map_err(|error| LogError::BadQuery(error.to_string()))?;
    let select = LogSelect {
        matchers: log.matchers.clone(),
        start_ns: params.start_ns,
        end_ns: params.end_ns,
        direction: params.direction,
        contains: reader.pipeline.contains.clone(),
        trace_id: reader.pipeline.trace_id,
    };
    let limit = if params.limit == 0 { ENTRIES_LIMIT_MAX } else { params.limit };
    let mut found: Vec<(LabelSet, OutEntry)> = Vec::new();
    let completeness = run.source.scan(run.tenant, &select, run.budget, &mut |batch| {
        // Entries of a stream come in order, so no stream can give more than `limit` of the answer's entries.
        let mut streak = (LabelSet::default(), 0_usize);
        reader.read(batch, &[], |labels, entry| {
            streak = if streak.0 == labels { (streak.0.clone(), streak.1 + 1) } else { (labels.clone(), 1) };
            found.push((labels, entry));
            streak.1 < limit
        });
        order(&mut found, params.direction);
        found.truncate(limit);
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    run.completeness.merge(completeness);
    run.stats.lines += reader.lines;
    run.stats.bytes += reader.bytes;
    thin(&mut found, params.interval_ms);
    let streams = group(found.into_iter());
    run.stats.kept += streams.iter().map(|stream| stream.entries.len() as u64).sum::<u64>();
    Ok(streams)
}

fn order(found: &mut [(LabelSet, OutEntry)], direction: Direction) {
    match direction {
        Direction::Forward => found.sort_by_key(|(_, entry)| entry.ts_ns),
        Direction::Backward => found.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.ts_ns)),
    }
}

/// Drops entries that follow another, of whatever stream, by less than `interval_ms`.
fn thin(found: &mut Vec<(LabelSet, OutEntry)>, interval_ms: i64) {
    let Ok(apart_ns) = u64::try_from(interval_ms.saturating_mul(1_000_000)) else { return };
    let mut last: Option<i64> = None;
    found.retain(|(_, entry)| {
        let far = last.is_none_or(|last| last.abs_diff(entry.ts_ns) >= apart_ns);
        if far {
            last = Some(entry.ts_ns);
        }
        far
    });
}

/// Groups entries by stream, streams sorted by labels, entries in the order they come.
pub(super) fn group(found: impl Iterator<Item = (LabelSet, OutEntry)>) -> Vec<OutStream> {
    let mut streams: BTreeMap<LabelSet, Vec<OutEntry>> = BTreeMap::new();
    for (labels, entry) in found {
        streams.entry(labels).or_default().push(entry);
    }
    streams.into_iter().map(|(labels, entries)| OutStream { labels, entries }).collect()
}
