//! Configuration: flags, environment and one YAML file become one checked [`Config`]; flags win over the environment,
//! the environment over the file, the file over the defaults.

pub mod doors;
pub mod file;
pub mod units;

use clap::Args;
use doors::{DoorChoice, Listen, choose};
use file::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use units::{Bytes, Millis};

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
    /// Added to every door's default port.
    #[arg(long, env = "BINNACLE_PORT_OFFSET", value_name = "N")]
    pub port_offset: Option<u16>,
    /// Only these doors, separated by commas (ui, otlp-grpc, otlp-http, prometheus, loki, tempo, ...).
    #[arg(long, env = "BINNACLE_DOORS", value_name = "LIST", value_delimiter = ',')]
    pub doors: Option<Vec<String>>,
    /// Take global and `scrape_configs` from a Prometheus configuration file, unchanged.
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
    #[arg(long, env = "BINNACLE_OTLP_TRANSLATION", value_name = "STRATEGY")]
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
    /// OTLP naming.
    pub translation_strategy: String,
    /// Promoted resource attributes.
    pub promote_resource_attributes: Vec<String>,
    /// Largest request body.
    pub request_bytes_max: u64,
    /// Bytes of requests under way.
    pub in_flight_bytes_max: u64,
    /// Most connections, over all doors.
    pub connections_max: usize,
    /// Longest wait for a request's header, and longest idle time between two requests.
    pub header_timeout: Millis,
    /// The text that holds `global` and `scrape_configs`, and whether it is a Prometheus file with other keys.
    pub scrape: Option<ScrapeText>,
}

/// Where scrape configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeText {
    /// For messages and relative paths.
    pub path: PathBuf,
    /// The whole file.
    pub text: String,
    /// A Prometheus file: keys that Binnacle does not use are named, not refused.
    pub prometheus: bool,
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
    /// One sentence that names the file, the key and the fix.
    pub fn load(flags: &Flags, read: impl Fn(&PathBuf) -> Result<String, String>) -> Result<Self, String> {
        let (file, text) = match &flags.config {
            Some(path) => {
                let text = read(path)?;
                (file::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?, Some(text))
            }
            None => (File::default(), None),
        };
        let scrape = match (&flags.prometheus_config, &flags.config, text) {
            (Some(_), Some(path), _) if file.scrape_configs.is_some() => {
                return Err(format!(
                    "scrape_configs stands in {} and --prometheus-config is given: keep one of the two",
                    path.display()
                ));
            }
            (Some(path), ..) => Some(ScrapeText { path: path.clone(), text: read(path)?, prometheus: true }),
            (None, Some(path), Some(text)) if file.scrape_configs.is_some() => {
                Some(ScrapeText { path: path.clone(), text, prometheus: false })
            }
            _ => None,
        };
        let only = flags.doors.as_deref();
        let doors = choose(&DoorChoice {
            ip: flags.listen.or(file.listen).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port_offset: flags.port_offset.or(file.port_offset).unwrap_or(0),
            only,
            places: &file.doors,
        })
        .map_err(|error| match &flags.config {
            Some(path) if error.starts_with("doors") => format!("{}: {error}", path.display()),
            _ => error,
        })?;
        let interval = file.wal.interval.unwrap_or(Millis(WAL_INTERVAL_MS));
        Ok(Self {
            data: flags.data.clone().or(file.data).unwrap_or_else(|| PathBuf::from("data")),
            doors,
            web_config: flags.web_config.clone().or(file.web_config),
            bearer_tokens_file: flags.bearer_tokens_file.clone().or(file.bearer_tokens_file),
            insecure: flags.insecure || file.insecure.unwrap_or(false),
            retention_time: flags.retention_time.or(file.retention.time),
            retention_bytes: flags.retention_bytes.or(file.retention.bytes),
            wal_interval: (file.wal.sync == Some(file::Sync::Interval)).then_some(interval),
            wal_flush_bytes: file.wal.flush_bytes,
            memory_bytes: file.limits.memory_bytes,
            query_timeout: file.query.timeout.unwrap_or(Millis(QUERY_TIMEOUT_MS)),
            query_samples_max: file.query.samples_max.unwrap_or(QUERY_SAMPLES_MAX),
            lookback: file.query.lookback.unwrap_or(Millis(LOOKBACK_MS)),
            translation_strategy: flags
                .otlp_translation_strategy
                .clone()
                .or(file.otlp.translation_strategy)
                .unwrap_or_else(|| "UnderscoreEscapingWithSuffixes".to_owned()),
            promote_resource_attributes: file.otlp.promote_resource_attributes,
            request_bytes_max: file.limits.request_bytes.map_or(REQUEST_BYTES_MAX, |bytes| bytes.0),
            in_flight_bytes_max: file.limits.in_flight_bytes.map_or(IN_FLIGHT_BYTES_MAX, |bytes| bytes.0),
            connections_max: file.limits.connections.unwrap_or(receive::listen::CONNECTIONS_MAX),
            header_timeout: file
                .limits
                .header_timeout
                .unwrap_or(Millis(receive::listen::HEADER_READ_SECONDS_MAX * 1_000)),
            scrape,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &Flags, text: &str) -> Result<Config, String> {
        Config::load(flags, |_| Ok(text.to_owned()))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let mut flags = Flags { config: Some("b.yml".into()), ..Flags::default() };
        let text = "data: from-file\nretention: {time: 1d}\n";
        assert_eq!(load(&flags, text).map(|c| c.data), Ok("from-file".into()));
        flags.data = Some("from-flag".into());
        let config = load(&flags, text).expect("good");
        assert_eq!(config.data, PathBuf::from("from-flag"));
        assert_eq!(config.retention_time, Some(Millis(86_400_000)));
        assert_eq!(config.query_timeout, Millis(120_000));
    }

    #[test]
    fn scraping_comes_from_one_place() {
        let both = Flags {
            config: Some("b.yml".into()),
            prometheus_config: Some("p.yml".into()),
            ..Flags::default()
        };
        let error = load(&both, "scrape_configs: []\n").expect_err("two places");
        assert!(error.contains("keep one"), "{error}");
        let one = Flags { prometheus_config: Some("p.yml".into()), ..Flags::default() };
        let scrape =
            load(&one, "scrape_configs: []\nrule_files: []\n").expect("good").scrape.expect("scrape");
        assert!(scrape.prometheus);
    }

    #[test]
    fn the_file_is_named_in_errors() {
        let flags = Flags { config: Some("b.yml".into()), ..Flags::default() };
        let error = load(&flags, "dat: x\n").expect_err("unknown key");
        assert!(error.starts_with("b.yml: ") && error.contains("dat"), "{error}");
    }
}
