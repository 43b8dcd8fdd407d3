//! Questions about streams rather than lines: series, labels, stats and volume.

use super::answer::{LogError, LogSample, LogSeries, POINTS_MAX, VolumeBy, VolumeParams};
use super::labels::LabelSet;
use language::logql::{parse, parse_selector};
use model::matcher::{MatchOp, Matcher};
use model::scan::{Budget, Direction, LogSelect, LogStats};
use model::tenant::Tenant;
use model::{Labels, LogSource};
use std::collections::{BTreeMap, BTreeSet};

/// `start_ns <= ts < end_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaRange {
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
}

impl MetaRange {
    pub(super) fn select(self, matchers: Vec<Matcher>) -> LogSelect {
        LogSelect {
            matchers,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            direction: Direction::Backward,
            contains: Vec::new(),
            trace_id: None,
        }
    }
}

/// The matchers of a call's selector; none when it names none.
pub(super) fn selector(text: Option<&str>) -> Result<Vec<Matcher>, LogError> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(Vec::new()),
        Some(text) => {
            let matchers = open_selector(text)?;
            if matchers.is_empty() { Err(refused(text)) } else { Ok(matchers) }
        }
    }
}

/// A selector that may be `{}`, as Loki reads it for series and volumes.
fn open_selector(text: &str) -> Result<Vec<Matcher>, LogError> {
    let matchers = parse_selector(text).map_err(|error| match parse(text) {
        Ok(_) => LogError::BadQuery("only label matchers are supported".to_owned()),
        Err(_) => LogError::BadQuery(error.to_string()),
    })?;
    let selects = matchers.is_empty() || !matchers.iter().all(Matcher::matches_empty);
    if selects { Ok(matchers) } else { Err(refused(text)) }
}

/// What the parser says of a selector that would select every stream.
fn refused(text: &str) -> LogError {
    LogError::BadQuery(parse(text).err().map(|error| error.to_string()).unwrap_or_default())
}

/// Label sets of the streams that satisfy any of `selectors` (none: all streams), sorted.
///
/// # Errors
/// When a selector does not parse or the scan stops.
pub fn series(
    source: &dyn LogSource,
    tenant: &Tenant,
    selectors: &[String],
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<Labels>, LogError> {
    let mut found = BTreeSet::new();
    if selectors.is_empty() {
        found.extend(source.streams(tenant, &range.select(Vec::new()), budget)?);
    }
    for text in selectors {
        found.extend(source.streams(tenant, &range.select(open_selector(text)?), budget)?);
    }
    Ok(found.into_iter().collect())
}

/// Label names of the streams that satisfy `query` (none: all), sorted.
///
/// # Errors
/// As [`series`].
pub fn labels(
    source: &dyn LogSource,
    tenant: &Tenant,
    query: Option<&str>,
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<String>, LogError> {
    let streams = source.streams(tenant, &range.select(selector(query)?), budget)?;
    let names: BTreeSet<&str> = streams.iter().flatten().map(|label| &*label.name).collect();
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Values of label `name` among the streams that satisfy `query` (none: all), sorted.
///
/// # Errors
/// As [`series`].
pub fn label_values(
    source: &dyn LogSource,
    tenant: &Tenant,
    name: &str,
    query: Option<&str>,
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<String>, LogError> {
    let streams = source.streams(tenant, &range.select(selector(query)?), budget)?;
    let values: BTreeSet<&str> = streams.iter().filter_map(|labels| labels.get(name)).collect();
    Ok(values.into_iter().map(str::to_owned).collect())
}

/// What `index/stats` answers for a selector.
///
/// # Errors
/// As [`series`].
pub fn stats(
    source: &dyn LogSource,
    tenant: &Tenant,
    query: &str,
    range: MetaRange,
    budget: &Budget,
) -> Result<LogStats, LogError> {
    let volumes = source.volume(tenant, &range.select(selector(Some(query))?), budget)?;
    let add = |sum: LogStats, (_, one): &(Labels, LogStats)| LogStats {
        streams: sum.streams + 1,
        chunks: sum.chunks + one.chunks,
        entries: sum.entries + one.entries,
        bytes: sum.bytes + one.bytes,
    };
    Ok(volumes.iter().fold(LogStats::default(), add))
}

/// What `index/volume` answers: bytes per group, largest first, at `params.end_ns`.
///
/// # Errors
/// As [`series`].
pub fn volume(
    source: &dyn LogSource,
    tenant: &Tenant,
    params: &VolumeParams,
    budget: &Budget,
) -> Result<Vec<LogSample>, LogError> {
    let range = MetaRange { start_ns: params.start_ns, end_ns: params.end_ns };
    let mut groups: Vec<(LabelSet, u64)> =
        grouped(source, tenant, params, range, budget)?.into_iter().collect();
    groups.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    groups.truncate(params.limit);
    let ts_ms = params.end_ns / 1_000_000;
    Ok(groups.into_iter().map(|(labels, bytes)| LogSample { labels, ts_ms, value: float(bytes) }).collect())
}

/// What `index/volume_range` answers: bytes per group and step. Steps are cut at the multiples of `step_ms`; a point
/// stands at its step's last millisecond, the last point at the end of the range.
///
/// # Errors
/// As [`series`]; when `step_ms` is not positive or makes too many points.
pub fn volume_range(
    source: &dyn LogSource,
    tenant: &Tenant,
    params: &VolumeParams,
    step_ms: i64,
    budget: &Budget,
) -> Result<Vec<LogSeries>, LogError> {
    let width_ns = step_ms.saturating_mul(1_000_000);
    if width_ns <= 0 || params.end_ns.saturating_sub(params.start_ns) / width_ns > POINTS_MAX {
        return Err(LogError::BadQuery(format!(
            "step must be positive and make at most {POINTS_MAX} points"
        )));
    }
    let mut series: BTreeMap<LabelSet, Vec<(i64, f64)>> = BTreeMap::new();
    let mut start_ns = params.start_ns;
    while start_ns < params.end_ns {
        let next_ns = start_ns.saturating_add(width_ns - start_ns.rem_euclid(width_ns));
        let end_ns = next_ns.min(params.end_ns);
        let at_ms = end_ns / 1_000_000 - i64::from(end_ns < params.end_ns);
        for (labels, bytes) in grouped(source, tenant, params, MetaRange { start_ns, end_ns }, budget)? {
            series.entry(labels).or_default().push((at_ms, float(bytes)));
        }
        start_ns = end_ns;
    }
    let mut series: Vec<LogSeries> =
        series.into_iter().map(|(labels, points)| LogSeries { labels, points }).collect();
    let total = |series: &LogSeries| series.points.iter().map(|(_, value)| value).sum::<f64>();
    series.sort_by(|a, b| total(b).total_cmp(&total(a)));
    series.truncate(params.limit);
    Ok(series)
}

/// Bytes per group in one range.
fn grouped(
    source: &dyn LogSource,
    tenant: &Tenant,
    params: &VolumeParams,
    range: MetaRange,
    budget: &Budget,
) -> Result<BTreeMap<LabelSet, u64>, LogError> {
    let mut matchers = open_selector(&params.query)?;
    let named = matchers.iter().map(|matcher| matcher.name.clone());
    let targets: Vec<String> = match (params.target_labels.is_empty(), params.by) {
        (true, VolumeBy::Series) => named.collect(),
        (true, VolumeBy::Labels) => Vec::new(),
        (false, _) => params.target_labels.clone(),
    };
    for target in &params.target_labels {
        if matchers.iter().all(|matcher| matcher.name != *target) {
            let present = Matcher::new(target, MatchOp::NotEqual, "");
            matchers.push(present.map_err(|error| LogError::BadQuery(error.to_string()))?);
        }
    }
    let wanted = |name: &str| targets.is_empty() || targets.iter().any(|target| target == name);
    let mut groups: BTreeMap<LabelSet, u64> = BTreeMap::new();
    for (labels, stats) in source.volume(tenant, &range.select(matchers), budget)? {
        let kept = LabelSet::from(&labels.retain(wanted));
        match params.by {
            VolumeBy::Series => *groups.entry(kept).or_default() += stats.bytes,
            VolumeBy::Labels => {
                for label in &kept {
                    *groups.entry(LabelSet::from_pairs([(&*label.name, "")])).or_default() += stats.bytes;
                }
            }
        }
    }
    Ok(groups)
}

#[expect(clippy::cast_precision_loss, reason = "volumes are estimates")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
