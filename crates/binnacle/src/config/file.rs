//! The one YAML file: its keys. `global`, `scrape_configs` and `otlp` have Prometheus' own syntax; a key that nobody
//! knows is an error.

use super::doors::Place;
use super::units::{Bytes, Millis};
use receive::scrape::{GlobalConfig, OtlpConfig, ScrapeConfig};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The file's keys; each is optional, flags and environment win over it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// Data directory.
    pub data: Option<PathBuf>,
    /// Address that all doors share.
    pub listen: Option<Address>,
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
    pub otlp: OtlpConfig,
    /// Ingest limits.
    pub limits: Limits,
    /// Prometheus' `global`.
    pub global: GlobalConfig,
    /// Prometheus' `scrape_configs`.
    pub scrape_configs: Option<Vec<ScrapeConfig>>,
}

/// An IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(pub IpAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |_| format!("{text:?} is no IP address: write it like 127.0.0.1, 0.0.0.0 or ::1");
        text.parse().map(Self).map_err(wrong)
    }
}

/// Unlimited unless set.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Older data is dropped.
    pub time: Option<Millis>,
    /// Oldest data is dropped above this size.
    pub bytes: Option<Bytes>,
}

/// When the write-ahead log is synced.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
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
#[serde(default)]
pub struct Query {
    /// Longest evaluation.
    pub timeout: Option<Millis>,
    /// Most samples, lines or spans one query reads.
    pub samples_max: Option<u64>,
    /// PromQL lookback.
    pub lookback: Option<Millis>,
}

/// Ingest limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use receive::yaml::Document;

    fn parse(text: &str) -> Result<File, String> {
        let document = Document::parse(text).map_err(|mistake| mistake.to_string())?;
        document.read(&[]).map(|(file, _)| file).map_err(|mistakes| mistakes[0].to_string())
    }

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
        for (text, expected) in [
            (
                "data: x\nretenton: {}\n",
                "line 2, column 1: retenton: there is no such key: did you mean retention?",
            ),
            (
                "retention:\n  time: soon\n",
                "line 2, column 9: retention.time: \"soon\" is no duration: write it like 15d, 1h30m, 30s or 100ms",
            ),
            (
                "limits: {request_bytes: 1XB}\n",
                "line 1, column 25: limits.request_bytes: \"1XB\" is no size: write it like 50GB, 512MiB or 1000000",
            ),
            ("wal: {sync: never}\n", "line 1, column 13: wal.sync: \"never\" is none of always, interval"),
            (
                "doors: {ui: 99999}\n",
                "line 1, column 13: doors.ui: \"99999\" is no place: write a port from 0 to 65535, IP:PORT, on or off",
            ),
            (
                "listen: localhost\n",
                "line 1, column 9: listen: \"localhost\" is no IP address: write it like 127.0.0.1, 0.0.0.0 or ::1",
            ),
            ("data: a\ndata: b\n", "line 2, column 1: data: is written twice (first in line 1): remove one"),
            ("- a\n", "line 1, column 1: must be a mapping: write `key: value` lines below it"),
            (
                "query: {samples_max: -1}\n",
                "line 1, column 22: query.samples_max: must be a whole number from 0 to",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
