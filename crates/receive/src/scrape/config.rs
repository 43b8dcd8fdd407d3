//! Prometheus' configuration file, as far as scraping goes: `global` and `scrape_configs` in Prometheus' own syntax.
//!
//! Types say what may be written; what a job makes of it is in [`super::job`]. Keys that Prometheus has and Binnacle has
//! no use for are in [`UNUSED`]: they are named for whoever asked to read the file, so that nothing is dropped in silence.
//! Every other key is a mistake, as it is to Prometheus.

use super::relabel::RelabelConfig;
use super::units::{PromBytes, PromDuration};
use crate::tls::TlsVersion;
use crate::yaml::{Document, Mistake};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod otlp;
mod unused;

pub use otlp::OtlpConfig;
pub use unused::UNUSED;

/// Secrets must not appear in logs or API answers.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// What of a Prometheus configuration concerns scraping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PrometheusConfig {
    /// Defaults of all jobs.
    pub global: GlobalConfig,
    /// The jobs.
    pub scrape_configs: Vec<ScrapeConfig>,
    /// How OTLP metrics become series.
    pub otlp: OtlpConfig,
}

/// `global`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GlobalConfig {
    /// Default 1m.
    pub scrape_interval: PromDuration,
    /// Default 10s, or the interval when that is shorter.
    pub scrape_timeout: Option<PromDuration>,
    /// Default of the jobs' own.
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// Default of the jobs' own.
    pub scrape_native_histograms: bool,
    /// Default of the jobs' own.
    pub always_scrape_classic_histograms: bool,
    /// Default of the jobs' own.
    pub sample_limit: u64,
    /// Default of the jobs' own.
    pub target_limit: u64,
    /// Default of the jobs' own.
    pub label_limit: u64,
    /// Default of the jobs' own.
    pub label_name_length_limit: u64,
    /// Default of the jobs' own.
    pub label_value_length_limit: u64,
    /// Default of the jobs' own.
    pub body_size_limit: PromBytes,
    /// Labels that name this server to the outside.
    pub external_labels: BTreeMap<String, String>,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            scrape_interval: PromDuration { ms: 60_000 },
            scrape_timeout: None,
            scrape_protocols: None,
            scrape_native_histograms: false,
            always_scrape_classic_histograms: false,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            body_size_limit: PromBytes::default(),
            external_labels: BTreeMap::new(),
        }
    }
}

/// Exposition formats, in the names of `scrape_protocols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ScrapeProtocol {
    /// Length-delimited protobuf.
    PrometheusProto,
    /// Text 0.0.4.
    #[serde(rename = "PrometheusText0.0.4")]
    Text004,
    /// Text 1.0.0.
    #[serde(rename = "PrometheusText1.0.0")]
    Text100,
    /// `OpenMetrics` 0.0.1.
    #[serde(rename = "OpenMetricsText0.0.1")]
    OpenMetrics001,
    /// `OpenMetrics` 1.0.0.
    #[serde(rename = "OpenMetricsText1.0.0")]
    OpenMetrics100,
}

/// One entry of `scrape_configs`.
#[expect(clippy::struct_excessive_bools, reason = "the shape of Prometheus' configuration")]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ScrapeConfig {
    /// The `job` label; unique.
    pub job_name: String,
    /// How often.
    pub scrape_interval: Option<PromDuration>,
    /// How long a scrape may take.
    pub scrape_timeout: Option<PromDuration>,
    /// Default `/metrics`.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Query parameters.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of the exposition win over the target's.
    pub honor_labels: bool,
    /// Whether timestamps of the exposition count.
    pub honor_timestamps: bool,
    /// Whether a series with timestamps ends with a staleness marker.
    pub track_timestamps_staleness: bool,
    /// Formats to ask for, best first.
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// The format of answers without a usable content type.
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    /// Whether native histograms are kept.
    pub scrape_native_histograms: Option<bool>,
    /// Whether classic buckets are kept beside a native histogram.
    pub always_scrape_classic_histograms: Option<bool>,
    /// The older name of `always_scrape_classic_histograms`.
    pub scrape_classic_histograms: Option<bool>,
    /// Whether to ask for gzip.
    pub enable_compression: bool,
    /// Samples after relabelling; more fail the scrape. 0 is no limit.
    pub sample_limit: u64,
    /// Targets after relabelling; more fail the job.
    pub target_limit: u64,
    /// Labels of one sample.
    pub label_limit: u64,
    /// Bytes of a label's name.
    pub label_name_length_limit: u64,
    /// Bytes of a label's value.
    pub label_value_length_limit: u64,
    /// Bytes of an uncompressed answer.
    pub body_size_limit: Option<PromBytes>,
    /// User and password.
    pub basic_auth: Option<BasicAuth>,
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// Shorthand of `authorization`.
    pub bearer_token: Option<Secret>,
    /// Shorthand of `authorization`.
    pub bearer_token_file: Option<PathBuf>,
    /// How to speak TLS.
    pub tls_config: TlsConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Fixed targets.
    pub static_configs: Vec<StaticConfig>,
    /// Targets in files.
    pub file_sd_configs: Vec<FileSdConfig>,
    /// Targets by HTTP.
    pub http_sd_configs: Vec<HttpSdConfig>,
    /// Targets by DNS.
    pub dns_sd_configs: Vec<DnsSdConfig>,
    /// Rules on target labels.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules on samples.
    pub metric_relabel_configs: Vec<RelabelConfig>,
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        Self {
            job_name: String::new(),
            scrape_interval: None,
            scrape_timeout: None,
            metrics_path: "/metrics".into(),
            scheme: "http".into(),
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            scrape_protocols: None,
            fallback_scrape_protocol: None,
            scrape_native_histograms: None,
            always_scrape_classic_histograms: None,
            scrape_classic_histograms: None,
            enable_compression: true,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            body_size_limit: None,
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            http_sd_configs: Vec::new(),
            dns_sd_configs: Vec::new(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
        }
    }
}

/// `basic_auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// Or a file that holds it.
    pub username_file: Option<PathBuf>,
    /// The password.
    pub password: Option<Secret>,
    /// Or a file that holds it; read at every request.
    pub password_file: Option<PathBuf>,
}

/// `authorization`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Authorization {
    /// `Bearer` when empty.
    #[serde(rename = "type")]
    pub kind: String,
    /// What follows it.
    pub credentials: Option<Secret>,
    /// Or a file that holds it; read at every request.
    pub credentials_file: Option<PathBuf>,
}

/// `tls_config` of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TlsConfig {
    /// PEM of the authorities that sign servers; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
    /// The authorities themselves.
    pub ca: Option<String>,
    /// The certificate itself.
    pub cert: Option<String>,
    /// The key itself.
    pub key: Option<Secret>,
    /// TLS 1.2 when absent.
    pub min_version: Option<TlsVersion>,
    /// TLS 1.3 when absent.
    pub max_version: Option<TlsVersion>,
    /// The name expected in the server's certificate, instead of the host.
    pub server_name: Option<String>,
    /// Accepts any certificate.
    pub insecure_skip_verify: bool,
}

/// One entry of `static_configs`, and of what file and HTTP discovery answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StaticConfig {
    /// `host:port` each.
    pub targets: Vec<String>,
    /// On all of them.
    pub labels: BTreeMap<String, String>,
}

/// One entry of `file_sd_configs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FileSdConfig {
    /// JSON or YAML files; the last part of a path may hold `*`.
    pub files: Vec<PathBuf>,
    /// Default 5m.
    pub refresh_interval: Option<PromDuration>,
}

/// One entry of `http_sd_configs`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpSdConfig {
    /// Answers a JSON list of targets and labels.
    pub url: String,
    /// Default 1m.
    pub refresh_interval: Option<PromDuration>,
    /// User and password.
    pub basic_auth: Option<BasicAuth>,
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// Shorthand of `authorization`.
    pub bearer_token: Option<Secret>,
    /// Shorthand of `authorization`.
    pub bearer_token_file: Option<PathBuf>,
    /// How to speak TLS.
    pub tls_config: TlsConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
}

impl Default for HttpSdConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            refresh_interval: None,
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: TlsConfig::default(),
            follow_redirects: true,
        }
    }
}

/// One entry of `dns_sd_configs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsSdConfig {
    /// Names to look up.
    pub names: Vec<String>,
    /// `SRV` (default), `A`, `AAAA`, `MX` or `NS`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Of all but `SRV`.
    pub port: Option<u16>,
    /// Default 30s.
    pub refresh_interval: Option<PromDuration>,
}

/// What is wrong with a configuration, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ConfigError {
    /// `scrape_configs[0].relabel_configs[2].regex`, ...
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// A value of a job that cannot be right: its field inside of the job, and the message.
pub(crate) type Bad = (String, String);

impl PrometheusConfig {
    /// Reads a Prometheus configuration document; the second part names each key that was read over.
    ///
    /// # Errors
    /// Every unknown key, and the first value of the wrong shape.
    pub fn read(document: &Document) -> Result<(Self, Vec<Mistake>), Vec<Mistake>> {
        document.read(UNUSED)
    }

    /// Makes relative paths relative to `dir`, where the file stands, as Prometheus does.
    pub fn resolve_paths(&mut self, dir: &Path) {
        for (_, path) in self.paths() {
            *path = dir.join(&*path);
        }
    }

    /// The files with secrets and certificates that jobs name and nobody can open. A running server reads them at every
    /// request, so that they may come and go; whoever checks a configuration wants to know.
    #[must_use]
    pub fn unreadable_files(&mut self) -> Vec<ConfigError> {
        let mut missing = Vec::new();
        for (field, path) in self.paths() {
            if field.contains(".file_sd_configs[") {
                continue;
            }
            if let Err(error) = platform::files::read(path) {
                let message = format!(
                    "{} cannot be read ({}): name a file that is there",
                    path.display(),
                    cause(&error)
                );
                missing.push(ConfigError { field, message });
            }
        }
        missing
    }

    /// Every path in the configuration, and its field.
    fn paths(&mut self) -> Vec<(String, &mut PathBuf)> {
        let jobs = self.scrape_configs.iter_mut().enumerate();
        jobs.flat_map(|(at, job)| job.paths(&format!("scrape_configs[{at}]"))).collect()
    }
}

impl ScrapeConfig {
    fn paths(&mut self, job: &str) -> Vec<(String, &mut PathBuf)> {
        let mut paths = Vec::new();
        paths.extend(self.bearer_token_file.as_mut().map(|path| (format!("{job}.bearer_token_file"), path)));
        for (at, config) in self.file_sd_configs.iter_mut().enumerate() {
            let files = config.files.iter_mut().enumerate();
            paths.extend(files.map(|(n, path)| (format!("{job}.file_sd_configs[{at}].files[{n}]"), path)));
        }
        paths.extend(client_paths(job, &mut self.basic_auth, &mut self.authorization, &mut self.tls_config));
        for (at, sd) in self.http_sd_configs.iter_mut().enumerate() {
            let owner = format!("{job}.http_sd_configs[{at}]");
            let file = sd.bearer_token_file.as_mut();
            paths.extend(file.map(|path| (format!("{owner}.bearer_token_file"), path)));
            paths.extend(client_paths(&owner, &mut sd.basic_auth, &mut sd.authorization, &mut sd.tls_config));
        }
        paths
    }
}

fn client_paths<'a>(
    owner: &str,
    basic: &'a mut Option<BasicAuth>,
    authorization: &'a mut Option<Authorization>,
    tls: &'a mut TlsConfig,
) -> Vec<(String, &'a mut PathBuf)> {
    let mut paths: Vec<(&str, Option<&mut PathBuf>)> = Vec::new();
    if let Some(basic) = basic {
        paths.push(("basic_auth.username_file", basic.username_file.as_mut()));
        paths.push(("basic_auth.password_file", basic.password_file.as_mut()));
    }
    if let Some(authorization) = authorization {
        paths.push(("authorization.credentials_file", authorization.credentials_file.as_mut()));
    }
    paths.push(("tls_config.ca_file", tls.ca_file.as_mut()));
    paths.push(("tls_config.cert_file", tls.cert_file.as_mut()));
    paths.push(("tls_config.key_file", tls.key_file.as_mut()));
    let named = |(field, path): (&str, Option<&'a mut PathBuf>)| Some((format!("{owner}.{field}"), path?));
    paths.into_iter().filter_map(named).collect()
}

/// What the operating system says, without its number.
#[must_use]
pub fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
