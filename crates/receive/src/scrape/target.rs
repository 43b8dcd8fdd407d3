//! A target: what relabelling makes of a discovered label set, and what is known of its last scrape.

use super::job::Job;
use super::relabel::{LabelMap, apply};
use super::units::PromDuration;
use model::Labels;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything that decides how a target is scraped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetSpec {
    /// What was discovered, before relabelling.
    pub(crate) discovered: LabelMap,
    /// What its samples carry.
    pub(crate) labels: Labels,
    pub(crate) url: String,
    pub(crate) interval: PromDuration,
    pub(crate) timeout: PromDuration,
}

impl TargetSpec {
    /// Two specs of the same identity are the same target, differently scraped.
    pub(crate) fn identity(&self) -> (Labels, String) {
        (self.labels.clone(), self.url.clone())
    }
}

/// Outcome of relabelling.
pub(crate) enum Populated {
    Target(Box<TargetSpec>),
    Dropped(LabelMap),
}

/// Applies the job's defaults and rules to one discovered target.
///
/// # Errors
/// A sentence, when the result cannot be scraped.
pub(crate) fn populate(job: &Job, own: &LabelMap, shared: &LabelMap) -> Result<Populated, String> {
    let discovered = discovered(job, own, shared);
    let mut labels = discovered.clone();
    if !apply(&job.relabel, &mut labels) {
        return Ok(Populated::Dropped(discovered));
    }
    let address = labels.get("__address__").cloned().ok_or("no address")?;
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    let interval = duration(&labels, "__scrape_interval__", "scrape interval")?;
    let timeout = duration(&labels, "__scrape_timeout__", "scrape timeout")?;
    if timeout > interval {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval (\"{timeout}\" > \"{interval}\")"
        ));
    }
    let url = url(job, &labels, &address);
    labels.retain(|name, _| !name.starts_with("__"));
    labels.entry("instance".into()).or_insert(address);
    Ok(Populated::Target(Box::new(TargetSpec {
        discovered,
        labels: labels.iter().collect(),
        url,
        interval,
        timeout,
    })))
}

fn discovered(job: &Job, own: &LabelMap, shared: &LabelMap) -> LabelMap {
    let mut labels = shared.clone();
    labels.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    labels.retain(|_, value| !value.is_empty());
    let params = job
        .config
        .params
        .iter()
        .filter_map(|(name, values)| Some((format!("__param_{name}"), values.first()?.clone())));
    let defaults = [
        ("job".to_owned(), job.config.job_name.clone()),
        ("__scrape_interval__".to_owned(), job.interval.to_string()),
        ("__scrape_timeout__".to_owned(), job.timeout.to_string()),
        ("__metrics_path__".to_owned(), job.config.metrics_path.clone()),
        ("__scheme__".to_owned(), job.config.scheme.clone()),
    ];
    for (name, value) in defaults.into_iter().chain(params) {
        labels.entry(name).or_insert(value);
    }
    labels
}

fn duration(labels: &LabelMap, name: &str, what: &str) -> Result<PromDuration, String> {
    let text = labels.get(name).map_or("", String::as_str);
    let duration: PromDuration = text.parse().map_err(|error| format!("error parsing {what}: {error}"))?;
    if duration.ms == 0 { Err(format!("{what} cannot be 0")) } else { Ok(duration) }
}

fn url(job: &Job, labels: &LabelMap, address: &str) -> String {
    let label = |name: &str| labels.get(name).map_or("", String::as_str);
    let mut params = job.config.params.clone();
    for (name, value) in labels {
        let Some(name) = name.strip_prefix("__param_") else { continue };
        let values = params.entry(name.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => first.clone_from(value),
            None => values.push(value.clone()),
        }
    }
    let path = label("__metrics_path__");
    let slash = if path.starts_with('/') || path.is_empty() { "" } else { "/" };
    let mut url =
        format!("{}://{address}{slash}{}", label("__scheme__"), escape(path, b"/:@&=+$,;-_.~!*'()"));
    let pairs = params.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    for (at, (name, value)) in pairs.enumerate() {
        let sign = if at == 0 { '?' } else { '&' };
        let (name, value) = (escape(name, b"-_.~ "), escape(value, b"-_.~ "));
        let _ = write!(url, "{sign}{}={}", name.replace(' ', "+"), value.replace(' ', "+"));
    }
    url
}

fn escape(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A target's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Not scraped yet.
    #[default]
    Unknown,
    /// The last scrape was fine.
    Up,
    /// The last scrape failed.
    Down,
}

/// What is known of the last scrape.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastScrape {
    pub(crate) health: Health,
    pub(crate) error: String,
    pub(crate) start_ns: i64,
    pub(crate) duration_s: f64,
}

/// The last scrape, shared between the target's task and whoever lists targets.
#[derive(Debug, Default)]
pub(crate) struct TargetState(Mutex<LastScrape>);

impl TargetState {
    pub(crate) fn lock(&self) -> MutexGuard<'_, LastScrape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is scraped and what is not.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Scraped, by pool and URL.
    pub active: Vec<ActiveTarget>,
    /// Dropped by relabelling; at most [`super::DROPPED_TARGETS_MAX`] a pool.
    pub dropped: Vec<DroppedTarget>,
    /// How many each pool dropped.
    pub dropped_counts: BTreeMap<String, usize>,
}

/// One scraped target.
#[derive(Clone, Debug)]
pub struct ActiveTarget {
    /// Before relabelling.
    pub discovered: LabelMap,
    /// What its samples carry.
    pub labels: Labels,
    /// The job's name.
    pub pool: String,
    /// What is fetched.
    pub url: String,
    /// Empty when the last scrape was fine.
    pub last_error: String,
    /// Nanoseconds since the epoch; 0 before the first scrape.
    pub last_scrape_ns: i64,
    /// Seconds the last scrape took.
    pub last_duration_s: f64,
    /// How the last scrape went.
    pub health: Health,
    /// Milliseconds between scrapes.
    pub interval_ms: u64,
    /// Milliseconds a scrape may take.
    pub timeout_ms: u64,
}

/// One target that relabelling dropped.
#[derive(Clone, Debug)]
pub struct DroppedTarget {
    /// Before relabelling.
    pub discovered: LabelMap,
    /// The job's name.
    pub pool: String,
}

impl ActiveTarget {
    pub(crate) fn of(pool: &str, spec: &TargetSpec, last: &LastScrape) -> Self {
        Self {
            discovered: spec.discovered.clone(),
            labels: spec.labels.clone(),
            pool: pool.to_owned(),
            url: spec.url.clone(),
            last_error: last.error.clone(),
            last_scrape_ns: last.start_ns,
            last_duration_s: last.duration_s,
            health: last.health,
            interval_ms: spec.interval.ms,
            timeout_ms: spec.timeout.ms,
        }
    }
}
