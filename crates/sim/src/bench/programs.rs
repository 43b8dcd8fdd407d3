//! The programs that are measured: how each is started, fed, made to finish its background work, and asked for what it
//! holds. One row each; Binnacle stands on its usual doors moved by [`OFFSET`], the peers on ports of their own.

use super::bodies::{Load, folder_bytes};
use super::http::{Client, encode};
use super::{Result, Signal, root};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Added to Binnacle's doors.
pub(super) const OFFSET: u16 = 20_000;
/// Binnacle's own port.
pub(super) const UI_PORT: u16 = 8_080 + OFFSET;

/// Where a signal goes in.
pub(super) struct Door {
    pub(super) port: u16,
    pub(super) path: &'static str,
    pub(super) headers: &'static [&'static str],
}

/// A program that takes one signal.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Builds the command; the folder is its data directory, which exists.
    pub(super) command: fn(&Path) -> Result<Command>,
    /// Port and path that answer 200 when it is ready.
    pub(super) ready: (u16, &'static str),
    pub(super) door: Door,
    /// Makes it finish what it would do later.
    settle: fn() -> Result<()>,
    /// The part of the data directory that counts as its disk.
    disk: fn(&Path) -> PathBuf,
    /// Asks for what it holds; the answer should be the expected count.
    count: fn(&Load) -> Result<u64>,
}

const REMOTE_WRITE: &[&str] = &[
    "Content-Type: application/x-protobuf",
    "Content-Encoding: snappy",
    "X-Prometheus-Remote-Write-Version: 0.1.0",
];
const PROTOBUF: &[&str] = &["Content-Type: application/x-protobuf"];

/// Binnacle, taking `signal`.
pub(super) fn binnacle(signal: Signal) -> Program {
    let (port, path, headers, count): (u16, _, _, fn(&Load) -> Result<u64>) = match signal {
        Signal::Metrics => (9_090, "/api/v1/write", REMOTE_WRITE, |load| count_samples(9_090 + OFFSET, load)),
        Signal::Spans => (4_318, "/v1/traces", PROTOBUF, count_spans),
        Signal::Logs => (3_100, "/loki/api/v1/push", PROTOBUF, |load| count_lines(3_100 + OFFSET, load)),
    };
    Program {
        name: "binnacle",
        command: |data| {
            let mut command = Command::new(std::env::current_exe()?.with_file_name("binnacle"));
            command.arg("up").arg("--data").arg(data).arg("--port-offset").arg(OFFSET.to_string());
            Ok(command)
        },
        ready: (UI_PORT, "/-/ready"),
        door: Door { port: port + OFFSET, path, headers },
        settle: || must(UI_PORT, "/-/compact"),
        disk: Path::to_path_buf,
        count,
    }
}

/// The peer that `signal` is measured against.
pub(super) fn peer(signal: Signal) -> Program {
    match signal {
        Signal::Metrics => Program {
            name: "prometheus",
            command: prometheus,
            ready: (19_090, "/-/ready"),
            door: Door { port: 19_090, path: "/api/v1/write", headers: REMOTE_WRITE },
            settle: || must(19_090, "/api/v1/admin/tsdb/snapshot"),
            disk: |data| data.join("tsdb/snapshots"),
            count: |load| count_samples(19_090, load),
        },
        Signal::Spans => Program {
            name: "jaeger",
            command: jaeger,
            ready: (19_686, "/api/services"),
            door: Door { port: 19_318, path: "/v1/traces", headers: PROTOBUF },
            settle: || Ok(()),
            disk: Path::to_path_buf,
            count: count_probes,
        },
        Signal::Logs => Program {
            name: "loki",
            command: loki,
            ready: (19_100, "/ready"),
            door: Door { port: 19_100, path: "/loki/api/v1/push", headers: PROTOBUF },
            settle: || must(19_100, "/ingester/shutdown?flush=true&terminate=false"),
            disk: Path::to_path_buf,
            count: |load| count_lines(19_100, load),
        },
    }
}

impl Program {
    /// Why it cannot be measured here, if it cannot.
    pub(super) fn absent(&self) -> Option<String> {
        (self.command)(&std::env::temp_dir()).err().map(|error| error.to_string())
    }

    /// The first line with a digit of what it says of its version.
    pub(super) fn version(&self) -> Result<String> {
        let program = (self.command)(&std::env::temp_dir())?.get_program().to_owned();
        for argument in ["--version", "version"] {
            let output = Command::new(&program).arg(argument).output()?;
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            let known = |line: &&str| line.contains(|c: char| c.is_ascii_digit());
            if let (true, Some(line)) = (output.status.success(), text.lines().find(known)) {
                return Ok(line.trim().to_owned());
            }
        }
        Err(format!("{} does not say its version", self.name).into())
    }

    pub(super) fn settle(&self) -> Result<()> {
        (self.settle)()
    }

    pub(super) fn disk_bytes(&self, data: &Path) -> Result<u64> {
        folder_bytes(&(self.disk)(data))
    }

    /// Whether it holds all of `load`.
    pub(super) fn check(&self, load: &Load) -> Result<()> {
        let found = (self.count)(load)?;
        let expected = load.made.records;
        if found == expected {
            return Ok(());
        }
        Err(format!("{} holds {found} records, {expected} were acknowledged", self.name).into())
    }
}

/// A peer's binary.
fn peer_binary(name: &str) -> Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/peers"));
    let peers = std::env::var_os("PEERS_DIR").map(PathBuf::from).or_else(home).ok_or("HOME is not set")?;
    let path = peers.join("bin").join(name);
    if path.is_file() { Ok(path) } else { Err(format!("{} is absent", path.display()).into()) }
}

#[expect(clippy::disallowed_methods, reason = "the configuration of another program")]
fn prometheus(data: &Path) -> Result<Command> {
    let mut command = Command::new(peer_binary("prometheus")?);
    let config = data.join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 15s}\n")?;
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.join("tsdb").display()))
        .args([
            "--web.listen-address=127.0.0.1:19090",
            "--web.enable-remote-write-receiver",
            "--web.enable-admin-api",
        ]);
    Ok(command)
}

fn jaeger(data: &Path) -> Result<Command> {
    let mut command = Command::new(peer_binary("jaeger")?);
    command.arg("--config").arg(root().join("bench/jaeger-badger.yaml")).env("DATA", data);
    Ok(command)
}

/// Its configuration is not ours to keep: it stands beside the peers.
fn loki(data: &Path) -> Result<Command> {
    let mut command = Command::new(peer_binary("loki")?);
    let config = root().join("../shared/peers/loki/bench.yaml");
    if !config.is_file() {
        return Err(format!("{} is absent", config.display()).into());
    }
    command.arg("-config.expand-env=true").arg(format!("-config.file={}", config.display()));
    command.env("LOKI_DATA", data);
    Ok(command)
}

fn must(port: u16, path: &str) -> Result<()> {
    let answer = Client::new(port).post(path, &[], &[])?;
    match answer.status {
        200..=299 => Ok(()),
        status => Err(format!("POST {path}: {status}: {}", String::from_utf8_lossy(&answer.body)).into()),
    }
}

fn ask(port: u16, path: &str) -> Result<Value> {
    let answer = Client::new(port).get(path)?;
    if answer.status != 200 {
        return Err(
            format!("GET {path}: {}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into()
        );
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The number in an instant vector of one sample; an empty one is 0.
fn single(answer: &Value) -> Result<u64> {
    let Some(text) = answer["data"]["result"][0]["value"][1].as_str() else { return Ok(0) };
    // Counts above 10^21 do not occur; below, both servers write digits or an exponent.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(text.parse::<f64>()? as u64)
}

/// Name by name: without their names, series of different metrics would be the same.
fn count_samples(port: u16, load: &Load) -> Result<u64> {
    let at_s = load.made.end_ns / 1_000_000_000 + 60;
    let start_s = load.made.start_ns / 1_000_000_000;
    let selector = encode(r#"{job="node"}"#);
    let path = format!("/api/v1/label/__name__/values?match[]={selector}&start={start_s}&end={at_s}");
    let names = ask(port, &path)?;
    let mut samples = 0;
    for name in names["data"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let query = encode(&format!(r#"sum(count_over_time({name}{{job="node"}}[3h]))"#));
        samples += single(&ask(port, &format!("/api/v1/query?query={query}&time={at_s}"))?)?;
    }
    Ok(samples)
}

#[expect(clippy::disallowed_methods, reason = "a server that has just started is asked again")]
fn count_lines(port: u16, load: &Load) -> Result<u64> {
    let query = r#"sum(count_over_time({namespace="shop"}[1h]))"#;
    let at_s = load.made.end_ns / 1_000_000_000 + 60;
    let path = format!("/loki/api/v1/query?query={}&time={at_s}", encode(query));
    // Loki looks at its index files some time after its start.
    for _ in 0..60 {
        let found = single(&ask(port, &path)?)?;
        if found == load.made.records || port == 3_100 + OFFSET {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    single(&ask(port, &path)?)
}

fn count_spans(load: &Load) -> Result<u64> {
    let (start_s, end_s) = (load.made.start_ns / 1_000_000_000 - 60, load.made.end_ns / 1_000_000_000 + 60);
    let query = encode("{} | count_over_time()");
    let path = format!("/api/metrics/query?q={query}&start={start_s}&end={end_s}");
    let answer = ask(3_200 + OFFSET, &path)?;
    let count = answer["series"][0]["value"].as_f64().unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(count as u64)
}

/// Jaeger cannot count; some traces are asked for, and when each is whole all are taken to be there.
fn count_probes(load: &Load) -> Result<u64> {
    for (id, expected) in &load.made.probes {
        let answer = ask(19_686, &format!("/api/traces/{id}"))?;
        let found = answer["data"][0]["spans"].as_array().map_or(0, Vec::len);
        if found != *expected {
            return Err(
                format!("jaeger holds {found} spans of trace {id}, {expected} were acknowledged").into()
            );
        }
    }
    Ok(load.made.records)
}
