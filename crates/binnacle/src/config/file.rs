//! The one YAML file. Unknown keys are errors that name the line; `global` and `scrape_configs` have Prometheus' own
//! syntax and are read by `receive`.

use super::doors::Place;
use super::units::{Bytes, Millis};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// Largest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: usize = 4 << 20;

/// The file's keys; each is optional, flags and environment win over it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Data directory.
    pub data: Option<PathBuf>,
    /// Address that all doors share.
    pub listen: Option<IpAddr>,
    /// Added to every default port.
    pub port_offset: Option<u16>,
    /// Door name to port, `IP:PORT` or `off`.
    pub doors: BTreeMap<String, Place>,
    /// Prometheus' `web.yml`: TLS and basic authentication of every door.
    pub web_config: Option<PathBuf>,
    /// Files that hold one bearer token a line.
    pub bearer_tokens_file: Option<PathBuf>,
    /// Allow doors beyond loopback without TLS or credentials.
    pub insecure: Option<bool>,
    /// How long and how much is kept.
    pub retention: Retention,
    /// Durability.
    pub wal: Wal,
    /// Query limits.
    pub query: Query,
    /// OTLP metrics as series.
    pub otlp: Otlp,
    /// Ingest limits.
    pub limits: Limits,
    /// Prometheus' `global`.
    pub global: Option<IgnoredAny>,
    /// Prometheus' `scrape_configs`.
    pub scrape_configs: Option<IgnoredAny>,
}

/// Unlimited unless set.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Older data is dropped.
    pub time: Option<Millis>,
    /// Oldest data is dropped above this size.
    pub bytes: Option<Bytes>,
}

/// When the write-ahead log is synced.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wal {
    /// `always` (before every answer) or `interval`.
    pub sync: Option<Sync>,
    /// How often in interval mode.
    pub interval: Option<Millis>,
    /// Bytes that are not in parts yet before a flush starts: what a start has to replay at most.
    pub flush_bytes: Option<Bytes>,
}

/// Sync modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Acknowledged is durable.
    Always,
    /// Up to one interval of acknowledged data may be lost in a crash.
    Interval,
}

/// Query limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// Longest evaluation.
    pub timeout: Option<Millis>,
    /// Most samples, lines or spans one query reads.
    pub samples_max: Option<u64>,
    /// PromQL lookback.
    pub lookback: Option<Millis>,
}

/// OTLP metrics as series.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Otlp {
    /// Prometheus' names: `UnderscoreEscapingWithSuffixes`, `NoUTF8EscapingWithSuffixes`, ...
    pub translation_strategy: Option<String>,
    /// Resource attributes that become labels of every series.
    pub promote_resource_attributes: Vec<String>,
}

/// Ingest limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest request body.
    pub request_bytes: Option<Bytes>,
    /// Bytes of requests under way, over all doors.
    pub in_flight_bytes: Option<Bytes>,
    /// Most connections, over all doors.
    pub connections: Option<usize>,
    /// A connection that sends no whole request header for this long is closed.
    pub header_timeout: Option<Millis>,
    /// Bytes of records that are not in parts yet; half of it starts a flush, all of it is a refusal with a retry hint.
    pub memory_bytes: Option<Bytes>,
}

/// Reads the file's text.
///
/// # Errors
/// The parser's message with line, column and the offending line.
pub fn parse(text: &str) -> Result<File, String> {
    if text.len() > CONFIG_BYTES_MAX {
        return Err(format!("the file has {} bytes, at most {CONFIG_BYTES_MAX} are read", text.len()));
    }
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_read() {
        let file = parse(
            "data: /tmp/x\nlisten: 0.0.0.0\nport_offset: 10\ndoors: {loki: off, ui: 80, tempo: '1.2.3.4:5'}\n\
             retention: {time: 30d, bytes: 10GB}\nwal: {sync: interval, interval: 50ms, flush_bytes: 1MiB}\n\
             query: {timeout: 1m, samples_max: 5}\notlp: {translation_strategy: NoTranslation}\n\
             limits: {request_bytes: 1MiB, memory_bytes: 64MiB}\nglobal: {scrape_interval: 5s}\nscrape_configs: [{job_name: a}]\n",
        )
        .expect("a good file");
        assert_eq!(file.retention.time, Some(Millis(2_592_000_000)));
        assert_eq!(file.doors["loki"], Place::Switch(false));
        assert_eq!(file.doors["ui"], Place::Port(80));
        assert_eq!(file.wal.sync, Some(Sync::Interval));
        assert_eq!(
            (file.wal.flush_bytes, file.limits.memory_bytes),
            (Some(Bytes(1 << 20)), Some(Bytes(64 << 20)))
        );
        assert!(file.scrape_configs.is_some());
    }

    #[test]
    fn mistakes_name_their_line_and_the_fix() {
        for (text, parts) in [
            ("data: x\nretenton: {}\n", ["retenton", "line 2"]),
            ("retention:\n  time: soon\n", ["15d", "line 2"]),
            ("limits: {request_bytes: 1XB}\n", ["50GB", "line 1"]),
            ("wal: {sync: never}\n", ["interval", "line 1"]),
        ] {
            let error = parse(text).expect_err(text);
            assert!(parts.iter().all(|part| error.contains(part)), "{text:?}: {error}");
        }
    }
}
