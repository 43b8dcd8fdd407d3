//! A checked scrape job: defaults filled in, rules compiled, limits decided. Errors name job, field and fix.

use super::client::ClientSettings;
use super::config::{Bad, ConfigError, GlobalConfig, ScrapeConfig, ScrapeProtocol};
use super::discovery::Discovery;
use super::relabel::{RelabelConfig, Rule};
use super::units::PromDuration;
use crate::yaml::redact_url;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Jobs of one configuration.
pub const JOBS_MAX: usize = 10_000;
/// An answer's size when the configuration sets no `body_size_limit`.
pub const SCRAPE_BYTES_MAX: u64 = 256 << 20;
/// Scrape timeout when none is set.
const TIMEOUT_DEFAULT: PromDuration = PromDuration { ms: 10_000 };

/// A job that can be run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// As written; equal configurations make equal jobs.
    pub(crate) config: ScrapeConfig,
    pub(crate) interval: PromDuration,
    pub(crate) timeout: PromDuration,
    pub(crate) relabel: Vec<Rule>,
    pub(crate) metric_relabel: Vec<Rule>,
    pub(crate) accept: String,
    pub(crate) native_histograms: bool,
    pub(crate) classic_histograms: bool,
    pub(crate) limits: Limits,
    pub(crate) client: Arc<ClientSettings>,
    pub(crate) discoveries: Vec<Discovery>,
}

/// 0 is no limit, except of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) samples: u64,
    pub(crate) targets: u64,
    pub(crate) labels: u64,
    pub(crate) label_name_bytes: u64,
    pub(crate) label_value_bytes: u64,
    pub(crate) body_bytes: u64,
}

/// Checks all jobs of a configuration.
///
/// # Errors
/// The first job and field that cannot work.
pub(crate) fn compile_all(global: &GlobalConfig, configs: &[ScrapeConfig]) -> Result<Vec<Job>, ConfigError> {
    check_global(global)
        .map_err(|(field, message)| ConfigError { field: format!("global.{field}"), message })?;
    let mut names = HashMap::new();
    let mut jobs = Vec::new();
    for (at, config) in configs.iter().enumerate() {
        let fail =
            |(field, message): Bad| ConfigError { field: format!("scrape_configs[{at}].{field}"), message };
        let bad = |message: String| fail(("job_name".into(), message));
        if config.job_name.is_empty() {
            return Err(bad("is missing: give the job a name".into()));
        }
        if let Some(first) = names.insert(&config.job_name, at) {
            let name = &config.job_name;
            return Err(bad(format!(
                "{name:?} is the name of scrape_configs[{first}] too: rename one of them"
            )));
        }
        if jobs.len() >= JOBS_MAX {
            return Err(bad(format!("is job number {at}; at most {JOBS_MAX} are run")));
        }
        jobs.push(compile(global, config).map_err(fail)?);
    }
    Ok(jobs)
}

fn check_global(global: &GlobalConfig) -> Result<(), Bad> {
    check_protocols(global.scrape_protocols.as_deref())?;
    if let Some(timeout) = global.scrape_timeout
        && timeout > global.scrape_interval
    {
        return Err(("scrape_timeout".into(), too_long(timeout, global.scrape_interval)));
    }
    Ok(())
}

fn compile(global: &GlobalConfig, config: &ScrapeConfig) -> Result<Job, Bad> {
    let interval =
        config.scrape_interval.filter(|interval| interval.ms > 0).unwrap_or(global.scrape_interval);
    let timeout = timeout_of(global, config, interval)?;
    if !matches!(config.scheme.as_str(), "http" | "https") {
        return Err((
            "scheme".into(),
            format!("{:?} is neither http nor https: write one of them", config.scheme),
        ));
    }
    check_protocols(config.scrape_protocols.as_deref())?;
    let native = config.scrape_native_histograms.unwrap_or(global.scrape_native_histograms);
    let classic = config.always_scrape_classic_histograms.or(config.scrape_classic_histograms);
    let protocols = config.scrape_protocols.clone().or_else(|| global.scrape_protocols.clone());
    let body = config.body_size_limit.unwrap_or(global.body_size_limit).bytes;
    let or = |own: u64, global: u64| if own > 0 { own } else { global };
    check_targets(config)?;
    Ok(Job {
        interval,
        timeout,
        relabel: rules("relabel_configs", &config.relabel_configs)?,
        metric_relabel: rules("metric_relabel_configs", &config.metric_relabel_configs)?,
        accept: accept(&protocols.unwrap_or_else(|| protocols_default(native))),
        native_histograms: native,
        classic_histograms: classic.unwrap_or(global.always_scrape_classic_histograms),
        limits: Limits {
            samples: or(config.sample_limit, global.sample_limit),
            targets: or(config.target_limit, global.target_limit),
            labels: or(config.label_limit, global.label_limit),
            label_name_bytes: or(config.label_name_length_limit, global.label_name_length_limit),
            label_value_bytes: or(config.label_value_length_limit, global.label_value_length_limit),
            body_bytes: if body > 0 { body } else { SCRAPE_BYTES_MAX },
        },
        client: Arc::new(ClientSettings::of_job(config)?),
        discoveries: Discovery::of_job(config)?,
        config: config.clone(),
    })
}

fn check_targets(config: &ScrapeConfig) -> Result<(), Bad> {
    for (at, group) in config.static_configs.iter().enumerate() {
        check_labels(&group.labels).map_err(|message| (format!("static_configs[{at}].labels"), message))?;
        if let Some(n) = group.targets.iter().position(|target| target.is_empty() || target.contains('/')) {
            let message = format!(
                "{:?} is not a valid hostname: write host:port; scheme and metrics_path are fields",
                redact_url(&group.targets[n])
            );
            return Err((format!("static_configs[{at}].targets[{n}]"), message));
        }
    }
    Ok(())
}

fn check_protocols(protocols: Option<&[ScrapeProtocol]>) -> Result<(), Bad> {
    let fail = |message: &str| Err(("scrape_protocols".to_owned(), message.to_owned()));
    match protocols {
        Some([]) => fail("is empty: name at least one format, or remove it"),
        Some(list) if (1..list.len()).any(|at| list[..at].contains(&list[at])) => {
            fail("names a format twice: remove one")
        }
        _ => Ok(()),
    }
}

fn too_long(timeout: PromDuration, interval: PromDuration) -> String {
    format!("{timeout} is greater than the scrape interval {interval}: shorten it")
}

fn timeout_of(
    global: &GlobalConfig,
    config: &ScrapeConfig,
    interval: PromDuration,
) -> Result<PromDuration, Bad> {
    if interval.ms == 0 {
        return Err(("scrape_interval".into(), "is 0: write how often to scrape, such as 15s".into()));
    }
    if let Some(timeout) = config.scrape_timeout.filter(|timeout| timeout.ms > 0) {
        if timeout > interval {
            return Err(("scrape_timeout".into(), too_long(timeout, interval)));
        }
        return Ok(timeout);
    }
    Ok(global.scrape_timeout.filter(|timeout| timeout.ms > 0).unwrap_or(TIMEOUT_DEFAULT).min(interval))
}

fn rules(field: &str, configs: &[RelabelConfig]) -> Result<Vec<Rule>, Bad> {
    let compile = |(at, config): (usize, &RelabelConfig)| {
        config.compile().map_err(|(inner, message)| (format!("{field}[{at}].{inner}"), message))
    };
    configs.iter().enumerate().map(compile).collect()
}

/// Names that a hand-written label set may use.
pub(crate) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), String> {
    match labels.keys().find(|name| name.is_empty()) {
        Some(_) => Err("a label has no name: name it or remove it".into()),
        None => Ok(()),
    }
}

fn protocols_default(native: bool) -> Vec<ScrapeProtocol> {
    use ScrapeProtocol::{OpenMetrics001, OpenMetrics100, PrometheusProto, Text004, Text100};
    let text = [OpenMetrics100, OpenMetrics001, Text100, Text004];
    native.then_some(PrometheusProto).into_iter().chain(text).collect()
}

/// The `Accept` header: the formats with falling weights, anything at the end.
fn accept(protocols: &[ScrapeProtocol]) -> String {
    let mut weight = 6;
    let mut parts = Vec::new();
    for protocol in protocols {
        let media = match protocol {
            ScrapeProtocol::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            ScrapeProtocol::Text004 => "text/plain;version=0.0.4",
            ScrapeProtocol::Text100 => "text/plain;version=1.0.0;escaping=allow-utf-8",
            ScrapeProtocol::OpenMetrics001 => "application/openmetrics-text;version=0.0.1",
            ScrapeProtocol::OpenMetrics100 => {
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
            }
        };
        parts.push(format!("{media};q=0.{weight}"));
        weight = (weight - 1).max(1);
    }
    parts.push(format!("*/*;q=0.{weight}"));
    parts.join(",")
}
