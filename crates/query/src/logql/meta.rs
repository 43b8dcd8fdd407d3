//! Questions about streams and fields rather than lines: series, labels, detected fields, stats and volume.

use super::answer::{DetectedField, DetectedLabel, LogError, LogSample, LogSeries, VolumeParams};
use model::scan::{Budget, LogStats};
use model::tenant::Tenant;
use model::{Labels, LogSource};

/// `start_ns <= ts < end_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaRange {
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
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
    let _ = (source, tenant, selectors, range, budget);
    Ok(Vec::new())
}

/// Label names of the streams that satisfy `selector` (none: all), sorted.
///
/// # Errors
/// As [`series`].
pub fn labels(
    source: &dyn LogSource,
    tenant: &Tenant,
    selector: Option<&str>,
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<String>, LogError> {
    let _ = (source, tenant, selector, range, budget);
    Ok(Vec::new())
}

/// Values of label `name` among the streams that satisfy `selector` (none: all), sorted.
///
/// # Errors
/// As [`series`].
pub fn label_values(
    source: &dyn LogSource,
    tenant: &Tenant,
    name: &str,
    selector: Option<&str>,
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<String>, LogError> {
    let _ = (source, tenant, name, selector, range, budget);
    Ok(Vec::new())
}

/// Stream labels worth showing: those with a bounded set of values, ids left out.
///
/// # Errors
/// As [`series`].
pub fn detected_labels(
    source: &dyn LogSource,
    tenant: &Tenant,
    selector: Option<&str>,
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<DetectedLabel>, LogError> {
    let _ = (source, tenant, selector, range, budget);
    Ok(Vec::new())
}

/// Fields of the newest `line_limit` lines that `query` keeps: structured metadata, JSON and logfmt; at most
/// `field_limit` rows.
///
/// # Errors
/// As [`query`](super::query).
pub fn detected_fields(
    source: &dyn LogSource,
    tenant: &Tenant,
    query: &str,
    range: MetaRange,
    limits: (usize, usize),
    budget: &Budget,
) -> Result<Vec<DetectedField>, LogError> {
    let _ = (source, tenant, query, range, limits, budget);
    Ok(Vec::new())
}

/// Distinct values of field `name` among the lines [`detected_fields`] would read, sorted.
///
/// # Errors
/// As [`query`](super::query).
pub fn detected_field_values(
    source: &dyn LogSource,
    tenant: &Tenant,
    name: &str,
    query: &str,
    range: MetaRange,
    limits: (usize, usize),
    budget: &Budget,
) -> Result<Vec<String>, LogError> {
    let _ = (source, tenant, name, query, range, limits, budget);
    Ok(Vec::new())
}

/// What `index/stats` answers for a selector.
///
/// # Errors
/// As [`series`].
pub fn stats(
    source: &dyn LogSource,
    tenant: &Tenant,
    selector: &str,
    range: MetaRange,
    budget: &Budget,
) -> Result<LogStats, LogError> {
    let _ = (source, tenant, selector, range, budget);
    Ok(LogStats::default())
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
    let _ = (source, tenant, params, budget);
    Ok(Vec::new())
}

/// What `index/volume_range` answers: [`volume`] per step.
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
    let _ = (source, tenant, params, step_ms, budget);
    Ok(Vec::new())
}
