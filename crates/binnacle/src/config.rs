//! Configuration: flags, environment and one YAML file become one checked [`Config`]; flags win over the environment,
//! the environment over the file, the file over the defaults.

pub mod doors;
pub mod file;
pub mod units;

#[cfg(test)]
mod tests;

use clap::Args;
use clap::builder::PossibleValuesParser;
use doors::{DoorChoice, Listen, choose};
use file::{Address, File};
use receive::scrape::{OtlpConfig, PrometheusConfig, UNUSED};
use receive::yaml::{Document, Mistake, Unused};
use serde::de::DeserializeOwned;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use units::{Bytes, Millis};
use wire::otlp::MetricsTranslation;

/// Names of OTLP translation strategies, as Prometheus spells them.
const STRATEGIES: [&str; 4] = [
    "UnderscoreEscapingWithSuffixes",
    "UnderscoreEscapingWithoutSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
];

/// `binnacle up`'s flags; each has an environment variable.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// YAML configuration file.
    #[arg(long, env = "BINNACLE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory; created when it does not exist. [default: ./data]
    #[arg(long, env = "BINNACLE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address that all doors listen on. [default: 127.0.0.1]
    #[arg(long, env = "BINNACLE_LISTEN", value_name = "IP")]
    pub listen: Option<IpAddr>,
    /// Added to every door's default port; a port that the file names stays as it is.
    #[arg(long, env = "BINNACLE_PORT_OFFSET", value_name = "N")]
    pub port_offset: Option<u16>,
    /// Only these doors, separated by commas (ui, otlp-grpc, otlp-http, prometheus, loki, tempo, ...).
    #[arg(long, env = "BINNACLE_DOORS", value_name = "LIST", value_delimiter = ',', hide_possible_values = true,
        value_parser = PossibleValuesParser::new(doors::names()))]
    pub doors: Option<Vec<String>>,
    /// Take global, `scrape_configs` and otlp from a Prometheus configuration file, unchanged.
    #[arg(long, env = "BINNACLE_PROMETHEUS_CONFIG", value_name = "FILE")]
    pub prometheus_config: Option<PathBuf>,
    /// TLS and basic authentication of every door, in the form of Prometheus' web.yml.
    #[arg(long, env = "BINNACLE_WEB_CONFIG", value_name = "FILE")]
    pub web_config: Option<PathBuf>,
    /// File with one accepted bearer token a line.
    #[arg(long, env = "BINNACLE_BEARER_TOKENS_FILE", value_name = "FILE")]
    pub bearer_tokens_file: Option<PathBuf>,
    /// Allow doors beyond loopback without TLS or credentials.
    #[arg(long, env = "BINNACLE_INSECURE")]
    pub insecure: bool,
    /// Drop data older than this (15d); unlimited unless set.
    #[arg(long, env = "BINNACLE_RETENTION_TIME", value_name = "DURATION")]
    pub retention_time: Option<Millis>,
    /// Drop the oldest data above this size (50GB); unlimited unless set.
    #[arg(long, env = "BINNACLE_RETENTION_BYTES", value_name = "SIZE")]
    pub retention_bytes: Option<Bytes>,
    /// How OTLP metrics are named. [default: `UnderscoreEscapingWithSuffixes`]
    #[arg(long, env = "BINNACLE_OTLP_TRANSLATION", value_name = "STRATEGY",
        value_parser = PossibleValuesParser::new(STRATEGIES))]
    pub otlp_translation_strategy: Option<String>,
}

/// Everything `up` needs to know, checked.
#[derive(Debug)]
pub struct Config {
    /// Data directory.
    pub data: PathBuf,
    /// Doors that shall listen.
    pub doors: Vec<Listen>,
    /// `web.yml`.
    pub web_config: Option<PathBuf>,
    /// Bearer tokens.
    pub bearer_tokens_file: Option<PathBuf>,
    /// Doors beyond loopback need no credentials.
    pub insecure: bool,
    /// Retention by age.
    pub retention_time: Option<Millis>,
    /// Retention by size.
    pub retention_bytes: Option<Bytes>,
    /// Longest time between syncs; `None` syncs before every answer.
    pub wal_interval: Option<Millis>,
    /// Unflushed WAL that starts a flush; the store's own default when `None`.
    pub wal_flush_bytes: Option<Bytes>,
    /// Records that are not in parts yet; the store's own default when `None`.
    pub memory_bytes: Option<Bytes>,
    /// Longest query.
    pub query_timeout: Millis,
    /// Most records one query reads.
    pub query_samples_max: u64,
    /// PromQL lookback.
    pub lookback: Millis,
    /// How OTLP metrics become series.
    pub translation: MetricsTranslation,
    /// Largest request body.
    pub request_bytes_max: u64,
    /// Bytes of requests under way.
    pub in_flight_bytes_max: u64,
    /// Most connections, over all doors.
    pub connections_max: usize,
    /// Longest wait for a request's header, and longest idle time between two requests.
    pub header_timeout: Millis,
    /// What is scraped.
    pub scrape: Option<Scraping>,
    /// Our own file, to say where a mistake is.
    own: Option<(PathBuf, Document)>,
}

/// Scrape configuration and the file it stands in.
#[derive(Clone, Debug)]
pub struct Scraping {
    /// For messages.
    pub path: PathBuf,
    /// The file, to say where a mistake is and to show it without secrets.
    pub document: Document,
    /// Its jobs; relative paths are relative to the file.
    pub config: PrometheusConfig,
    /// Keys of a Prometheus file that Binnacle does not use.
    pub unused: Vec<Mistake>,
    /// A whole Prometheus file, not ours.
    pub prometheus: bool,
}

/// A file that was read.
struct Source<T> {
    path: PathBuf,
    document: Document,
    value: T,
    unused: Vec<Mistake>,
}

impl<T: DeserializeOwned> Source<T> {
    fn read(path: &Path, unused: Unused, text: &str) -> Result<Self, String> {
        let document = Document::parse(text).map_err(|mistake| said(path, &[mistake]))?;
        let (value, unused) = document.read(unused).map_err(|mistakes| said(path, &mistakes))?;
        Ok(Self { path: path.to_owned(), document, value, unused })
    }
}

impl<T> Source<T> {
    fn wrong(&self, field: &str, message: &str) -> String {
        said(&self.path, &[self.document.mistake(field, message)])
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// Mistakes in `path`, one a line.
pub(crate) fn said(path: &Path, mistakes: &[Mistake]) -> String {
    let lines: Vec<String> =
        mistakes.iter().map(|mistake| format!("{}: {mistake}", path.display())).collect();
    lines.join("\n")
}

/// Longest query by default, milliseconds (Prometheus' own).
const QUERY_TIMEOUT_MS: u64 = 120_000;
/// Most samples one query loads by default (Prometheus' own).
const QUERY_SAMPLES_MAX: u64 = 50_000_000;
/// PromQL lookback by default, milliseconds.
const LOOKBACK_MS: u64 = 300_000;
/// Largest request body by default, bytes.
const REQUEST_BYTES_MAX: u64 = 32 << 20;
/// Requests under way by default, bytes.
const IN_FLIGHT_BYTES_MAX: u64 = 256 << 20;
/// Interval of the weaker sync mode by default, milliseconds.
const WAL_INTERVAL_MS: u64 = 100;

impl Config {
    /// Puts flags and file together. `read` returns a file's text; it is the caller's door to the disk.
    ///
    /// # Errors
    /// Sentences, one a line, that name file, line, key and fix.
    pub fn load(flags: &Flags, read: impl Fn(&PathBuf) -> Result<String, String>) -> Result<Self, String> {
        let own = flags.config.as_ref().map(|path| Source::read(path, UNUSED, &read(path)?)).transpose()?;
        let own: Source<File> = own.unwrap_or_else(|| Source {
            path: PathBuf::new(),
            document: Document::default(),
            value: File::default(),
            unused: Vec::new(),
        });
        let unsupported = |mistake: &Mistake| Mistake {
            message: "is not supported by Binnacle: remove it".into(),
            ..mistake.clone()
        };
        if !own.unused.is_empty() {
            let mistakes: Vec<Mistake> = own.unused.iter().map(unsupported).collect();
            return Err(said(&own.path, &mistakes));
        }
        let prometheus = flags.prometheus_config.as_ref();
        let prometheus = prometheus.map(|path| Source::read(path, UNUSED, &read(path)?)).transpose()?;
        let doors = listening(flags, &own)?;
        let translation = translation(flags, &own, prometheus.as_ref())?;
        let beside = |path: &PathBuf| own.folder().join(path);
        let web_config = flags.web_config.clone().or(own.value.web_config.as_ref().map(beside));
        let tokens = flags.bearer_tokens_file.clone().or(own.value.bearer_tokens_file.as_ref().map(beside));
        let scrape = scraping(&own, prometheus)?;
        let (file, place) = (own.value, (own.path, own.document));
        let interval = file.wal.interval.unwrap_or(Millis(WAL_INTERVAL_MS));
        Ok(Self {
            data: flags.data.clone().or(file.data).unwrap_or_else(|| PathBuf::from("data")),
            doors,
            web_config,
            bearer_tokens_file: tokens,
            insecure: flags.insecure || file.insecure.unwrap_or(false),
            retention_time: flags.retention_time.or(file.retention.time),
            retention_bytes: flags.retention_bytes.or(file.retention.bytes),
            wal_interval: (file.wal.sync == Some(file::Sync::Interval)).then_some(interval),
            wal_flush_bytes: file.wal.flush_bytes,
            memory_bytes: file.limits.memory_bytes,
            query_timeout: file.query.timeout.unwrap_or(Millis(QUERY_TIMEOUT_MS)),
            query_samples_max: file.query.samples_max.unwrap_or(QUERY_SAMPLES_MAX),
            lookback: file.query.lookback.unwrap_or(Millis(LOOKBACK_MS)),
            translation,
            request_bytes_max: file.limits.request_bytes.map_or(REQUEST_BYTES_MAX, |bytes| bytes.0),
            in_flight_bytes_max: file.limits.in_flight_bytes.map_or(IN_FLIGHT_BYTES_MAX, |bytes| bytes.0),
            connections_max: file.limits.connections.unwrap_or(receive::listen::CONNECTIONS_MAX),
            header_timeout: file
                .limits
                .header_timeout
                .unwrap_or(Millis(receive::listen::HEADER_READ_SECONDS_MAX * 1_000)),
            scrape,
            own: flags.config.is_some().then_some(place),
        })
    }

    /// `message` about a key: where it stands in our own file, or the flag that gave it.
    pub(crate) fn wrong(&self, field: &str, message: &str) -> String {
        let place = self.own.as_ref().map(|(path, document)| (path, document.mistake(field, message)));
        match place {
            Some((path, mistake)) if mistake.line > 0 => said(path, &[mistake]),
            _ => format!("--{}: {message}", field.replace('_', "-")),
        }
    }
}

fn listening(flags: &Flags, own: &Source<File>) -> Result<Vec<Listen>, String> {
    let file = &own.value;
    let address = flags.listen.or(file.listen.map(|Address(ip)| ip));
    let choice = DoorChoice {
        ip: address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        port_offset: flags.port_offset.or(file.port_offset).unwrap_or(0),
        only: flags.doors.as_deref(),
        places: &file.doors,
    };
    choose(&choice).map_err(|error| {
        let from_file = error.field.starts_with("doors") || flags.port_offset.is_none();
        if from_file && !error.field.starts_with("--") {
            own.wrong(&error.field, &error.message)
        } else {
            format!("{}: {}", error.field.replace("port_offset", "--port-offset"), error.message)
        }
    })
}

/// OTLP naming: the flag, else our own file's `otlp`, else the Prometheus file's.
fn translation(
    flags: &Flags,
    own: &Source<File>,
    prometheus: Option<&Source<PrometheusConfig>>,
) -> Result<MetricsTranslation, String> {
    let mut translation = match prometheus {
        Some(source) if own.value.otlp == OtlpConfig::default() => {
            source.value.otlp.translation().map_err(|error| source.wrong(&error.field, &error.message))?
        }
        _ => own.value.otlp.translation().map_err(|error| own.wrong(&error.field, &error.message))?,
    };
    if let Some(strategy) = &flags.otlp_translation_strategy {
        let parsed = strategy.parse();
        translation.strategy = parsed.map_err(|error| format!("--otlp-translation-strategy: {error}"))?;
    }
    Ok(translation)
}

/// What is scraped, from one of the two files.
fn scraping(
    own: &Source<File>,
    prometheus: Option<Source<PrometheusConfig>>,
) -> Result<Option<Scraping>, String> {
    let jobs = own.value.scrape_configs.as_ref();
    let mut scraping = match (prometheus, jobs) {
        (Some(_), Some(_)) => {
            let message = "is given although --prometheus-config is: keep one of the two";
            return Err(own.wrong("scrape_configs", message));
        }
        (Some(source), None) => Scraping {
            path: source.path,
            document: source.document,
            config: source.value,
            unused: source.unused,
            prometheus: true,
        },
        (None, Some(jobs)) => Scraping {
            path: own.path.clone(),
            document: own.document.clone(),
            config: PrometheusConfig {
                global: own.value.global.clone(),
                scrape_configs: jobs.clone(),
                otlp: OtlpConfig::default(),
            },
            unused: Vec::new(),
            prometheus: false,
        },
        (None, None) => return Ok(None),
    };
    scraping.config.resolve_paths(scraping.path.parent().unwrap_or(Path::new("")));
    Ok(Some(scraping))
}
