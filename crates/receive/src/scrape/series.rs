//! What a target's series become: target labels, metric relabelling and limits, worked out once per series and
//! remembered; and which series ended, so that each gets one staleness marker.

use super::job::{Job, Limits};
use super::relabel::{LabelMap, apply};
use model::labels::METRIC_NAME;
use model::metric::{ExemplarPoint, SeriesEntry, stale_nan};
use model::{Exemplar, Labels, MetricBatch};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::prometheus::Exposition;

/// Characters of a name or value that an error repeats.
const SHOWN_CHARS_MAX: usize = 50;

/// What a scrape reports of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Samples in the answer.
    pub(crate) scraped: usize,
    /// Samples after relabelling.
    pub(crate) kept: usize,
    /// Series not seen in the scrape before.
    pub(crate) added: usize,
}

#[derive(Debug)]
struct Known {
    /// `None` when relabelling drops it.
    entry: Option<SeriesEntry>,
    /// The round it was scraped in last.
    seen: u64,
    /// Its place in the batch of the round it was placed in last: an answer may name a series again.
    placed: (u64, Option<u32>),
    /// Whether its end must be marked.
    live: bool,
    /// Hash of its last exemplar that had the scrape's time: a target shows one until it has a newer one.
    exemplar: u64,
}

/// The series of one target.
#[derive(Debug, Default)]
pub(crate) struct SeriesCache {
    known: HashMap<u128, Known>,
    round: u64,
    /// Live before the job's rules changed.
    retired: Vec<SeriesEntry>,
}

impl SeriesCache {
    /// Forgets what the rules made of series, because the rules changed.
    pub(crate) fn retire(&mut self) {
        let live = self.known.drain().filter_map(|(_, known)| known.entry.filter(|_| known.live));
        self.retired.extend(live);
    }

    /// Moves an answer's samples to `out`, and markers for what is no longer there. `counts` is also right on error;
    /// then `out` must be thrown away and [`fail`](Self::fail) be called.
    pub(crate) fn take(
        &mut self,
        job: &Job,
        target: &Labels,
        answer: &Exposition,
        ts_ms: i64,
        counts: &mut Counts,
        out: &mut MetricBatch,
    ) -> Result<(), String> {
        counts.scraped = answer.batch.sample_count();
        let mut place = Vec::with_capacity(answer.batch.series.len());
        self.round += 1;
        let round = self.round;
        for (at, series) in answer.batch.series.iter().enumerate() {
            let known = match self.known.entry(series.key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let entry = resolve(job, target, answer, at)?;
                    counts.added += usize::from(entry.is_some());
                    place.insert(Known { entry, seen: 0, placed: (0, None), live: false, exemplar: 0 })
                }
            };
            if known.placed.0 != round {
                let at = known.entry.as_ref().map(|entry| {
                    out.series.push(entry.clone());
                    u32::try_from(out.series.len() - 1).unwrap_or(u32::MAX)
                });
                known.placed = (round, at);
            }
            place.push(known.placed.1);
        }
        counts.kept = copy_samples(&answer.batch, &place, ts_ms, out);
        if job.limits.samples > 0 && counts.kept as u64 > job.limits.samples {
            return Err("sample limit exceeded".into());
        }
        self.copy_exemplars(&answer.batch, &place, ts_ms, out);
        self.commit(job, answer, ts_ms, out);
        Ok(())
    }

    /// Copies the exemplars of what relabelling kept, but none again that has no time of its own.
    fn copy_exemplars(
        &mut self,
        from: &MetricBatch,
        place: &[Option<u32>],
        ts_ms: i64,
        out: &mut MetricBatch,
    ) {
        for point in &from.exemplars {
            let Some(series) = place.get(point.series as usize).copied().flatten() else { continue };
            let key = from.series.get(point.series as usize).map(|series| series.key);
            let known = key.and_then(|key| self.known.get_mut(&key));
            let hash = hash_of(&point.exemplar);
            let again = point.exemplar.ts_ms == ts_ms
                && known.is_some_and(|known| std::mem::replace(&mut known.exemplar, hash) == hash);
            if !again {
                out.exemplars.push(ExemplarPoint { series, exemplar: point.exemplar.clone() });
            }
        }
    }

    fn commit(&mut self, job: &Job, answer: &Exposition, ts_ms: i64, out: &mut MetricBatch) {
        for (at, series) in answer.batch.series.iter().enumerate() {
            let timed = answer.explicit_ts.get(at).copied().unwrap_or(false);
            let known = self.known.get_mut(&series.key);
            // Named again, a series is what it was named first.
            if let Some(known) = known.filter(|known| known.seen != self.round) {
                known.seen = self.round;
                known.live = known.entry.is_some() && (!timed || job.config.track_timestamps_staleness);
            }
        }
        if !self.retired.is_empty() {
            let now: HashSet<u128> = out.series.iter().map(|series| series.key).collect();
            let gone =
                std::mem::take(&mut self.retired).into_iter().filter(|series| !now.contains(&series.key));
            gone.for_each(|series| push_stale(series, ts_ms, out));
        }
        let round = self.round;
        for (_, known) in self.known.extract_if(|_, known| known.seen != round) {
            if let Some(entry) = known.entry.filter(|_| known.live) {
                push_stale(entry, ts_ms, out);
            }
        }
    }

    /// Marks all series as ended, because the scrape failed or the target is gone. They stay known.
    pub(crate) fn fail(&mut self, ts_ms: i64, out: &mut MetricBatch) {
        for known in self.known.values_mut().filter(|known| known.live) {
            known.live = false;
            if let Some(entry) = known.entry.clone() {
                push_stale(entry, ts_ms, out);
            }
        }
        for series in self.retired.drain(..) {
            push_stale(series, ts_ms, out);
        }
    }
}

/// Adds `entry` with one staleness marker.
pub(crate) fn push_stale(entry: SeriesEntry, ts_ms: i64, out: &mut MetricBatch) {
    push(entry, ts_ms, stale_nan(), out);
}

/// Adds `entry` with one sample.
pub(crate) fn push(entry: SeriesEntry, ts_ms: i64, value: f64, out: &mut MetricBatch) {
    out.series.push(entry);
    out.push_float(u32::try_from(out.series.len() - 1).unwrap_or(u32::MAX), ts_ms, value);
}

/// A series with decoded labels.
pub(crate) fn entry_of(labels: Labels) -> Option<SeriesEntry> {
    let mut batch = MetricBatch::default();
    batch.push_series(labels);
    batch.series.pop()
}

/// Copies what relabelling kept; how many samples that were. Of a series that the answer repeats without a time of its own,
/// the first sample counts.
fn copy_samples(from: &MetricBatch, place: &[Option<u32>], ts_ms: i64, out: &mut MetricBatch) -> usize {
    let placed = |series: u32| place.get(series as usize).copied().flatten();
    let mut seen = vec![false; out.series.len()];
    let mut kept = 0;
    for point in &from.floats {
        if let Some(series) = placed(point.series) {
            kept += 1;
            let again = seen.get_mut(series as usize).is_some_and(|seen| std::mem::replace(seen, true));
            if !again || point.ts_ms != ts_ms {
                out.push_float(series, point.ts_ms, point.value);
            }
        }
    }
    for point in &from.histograms {
        if let Some(series) = placed(point.series) {
            let mut point = point.clone();
            point.series = series;
            kept += 1;
            out.histograms.push(point);
        }
    }
    kept
}

/// Of the exemplar's labels and value; never 0.
fn hash_of(exemplar: &Exemplar) -> u64 {
    let mut hasher = DefaultHasher::new();
    exemplar.labels.hash(&mut hasher);
    exemplar.value.to_bits().hash(&mut hasher);
    hasher.finish().max(1)
}

fn resolve(
    job: &Job,
    target: &Labels,
    answer: &Exposition,
    at: usize,
) -> Result<Option<SeriesEntry>, String> {
    let labels = u32::try_from(at).ok().and_then(|at| answer.batch.labels(at)).ok_or("malformed labels")?;
    let mut merged = merge(&labels, target, job.config.honor_labels);
    if !apply(&job.metric_relabel, &mut merged) || merged.is_empty() {
        return Ok(None);
    }
    if !merged.contains_key(METRIC_NAME) {
        return Err("missing metric name (__name__ label)".into());
    }
    check_limits(&merged, &job.limits)?;
    Ok(entry_of(merged.iter().collect()))
}

/// The sample's labels and the target's; of a conflict the target's wins and the sample's is kept as `exported_NAME`,
/// or the other way round with `honor_labels`.
fn merge(sample: &Labels, target: &Labels, honor: bool) -> LabelMap {
    let own = |labels: &Labels| {
        labels.iter().map(|l| (l.name.to_string(), l.value.to_string())).collect::<LabelMap>()
    };
    let mut merged = own(sample);
    let mut conflicts = Vec::new();
    for label in target {
        let existing = merged.contains_key(&*label.name);
        if existing && honor {
            continue;
        }
        if let Some(value) = merged.insert(label.name.to_string(), label.value.to_string()) {
            conflicts.push((label.name.to_string(), value));
        }
    }
    conflicts.sort_by_key(|(name, _)| name.len());
    for (mut name, value) in conflicts {
        while merged.contains_key(&name) {
            name.insert_str(0, "exported_");
        }
        merged.insert(name, value);
    }
    merged
}

fn check_limits(labels: &LabelMap, limits: &Limits) -> Result<(), String> {
    let short = |text: &str| text.chars().take(SHOWN_CHARS_MAX).collect::<String>();
    let metric = short(labels.get(METRIC_NAME).map_or("", String::as_str));
    let over = |length: usize, limit: u64| limit > 0 && length as u64 > limit;
    if over(labels.len(), limits.labels) {
        let (count, limit) = (labels.len(), limits.labels);
        return Err(format!(
            "label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {limit})"
        ));
    }
    for (name, value) in labels {
        if over(name.len(), limits.label_name_bytes) {
            let (length, limit) = (name.len(), limits.label_name_bytes);
            return Err(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {}, length: {length}, limit: {limit})",
                short(name)
            ));
        }
        if over(value.len(), limits.label_value_bytes) {
            let (length, limit) = (value.len(), limits.label_value_bytes);
            return Err(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {}, value: {:?}, length: {length}, \
                 limit: {limit})",
                short(name),
                short(value)
            ));
        }
    }
    Ok(())
}

/// The labels of an entry made by [`entry_of`].
#[cfg(test)]
pub(crate) fn labels_of(entry: &SeriesEntry) -> Labels {
    match &entry.labels {
        model::metric::SeriesLabels::Known(labels) => labels.clone(),
        model::metric::SeriesLabels::Encoded { .. } => Labels::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_labels_of_a_name_one_is_exported() {
        for (sample, honor, expected) in [
            ("{a=\"1\"}", false, r#"{a="1", instance="i", job="j"}"#),
            ("job", false, r#"{exported_job="s", instance="i", job="j"}"#),
            ("job", true, r#"{instance="i", job="s"}"#),
            ("both", false, r#"{exported_exported_job="s", exported_job="t", instance="i", job="j"}"#),
        ] {
            let labels = match sample {
                "job" => Labels::from_pairs([("job", "s")]),
                "both" => Labels::from_pairs([("job", "s"), ("exported_job", "t")]),
                _ => Labels::from_pairs([("a", "1")]),
            };
            let target = Labels::from_pairs([("job", "j"), ("instance", "i")]);
            let merged: Labels = merge(&labels, &target, honor).iter().collect();
            assert_eq!(merged.to_string(), expected);
        }
    }

    #[test]
    fn an_exemplar_without_a_time_is_taken_once() {
        let mut from = MetricBatch::default();
        let at = from.push_series(Labels::from_pairs([("__name__", "x")]));
        let key = from.series[at as usize].key;
        let mut cache = SeriesCache::default();
        cache.known.insert(key, Known { entry: None, seen: 0, placed: (0, None), live: false, exemplar: 0 });
        let mut taken = |ts_ms: i64, own_ms: i64, value: f64| {
            let labels = Labels::from_pairs([("trace_id", "abc")]);
            from.exemplars =
                vec![ExemplarPoint { series: at, exemplar: Exemplar { labels, value, ts_ms: own_ms } }];
            let mut out = MetricBatch::default();
            cache.copy_exemplars(&from, &[Some(7)], ts_ms, &mut out);
            out.exemplars.iter().map(|point| (point.series, point.exemplar.ts_ms)).collect::<Vec<_>>()
        };
        assert_eq!(taken(1000, 1000, 0.5), [(7, 1000)]);
        assert_eq!(taken(2000, 2000, 0.5), []);
        assert_eq!(taken(3000, 3000, 0.6), [(7, 3000)]);
        assert_eq!(taken(4000, 1500, 0.6), [(7, 1500)]);
        assert_eq!(taken(5000, 5000, 0.5), [(7, 5000)]);
    }
}
