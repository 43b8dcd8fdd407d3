//! A real Loki as a child process on a data directory of its own, and the four requests the test makes of it.

use super::generate::{ENTRIES_MAX, Kind, Query, SPAN_S, STEP_S};
use super::{Answer, Identity, Points, Stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long Loki may take to be ready, in seconds; its ring needs some 16 of them.
const READY_S_MAX: u32 = 90;

/// A running Loki; dropped, it stops.
pub struct Loki {
    child: Child,
    address: String,
    directory: PathBuf,
}

impl Drop for Loki {
    #[expect(clippy::disallowed_methods, reason = "the test owns this directory")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "a real server refuses lines of another time")]
pub fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

impl Loki {
    /// Starts the program, unless it or its configuration is absent.
    #[expect(clippy::disallowed_methods, reason = "files and ports of a foreign program in a test")]
    pub fn start() -> Option<Self> {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        let peers = std::env::var_os("PEERS_DIR").map_or_else(|| home.join(".cache/peers"), PathBuf::from);
        let program = peers.join("bin/loki");
        let shared = Path::new("../../../shared/peers/loki/config.yaml");
        let config = std::fs::read_to_string(shared).ok().filter(|_| program.is_file())?;
        // The engines are compared, not what Loki adds to lines when it takes them in.
        let config = config.replace(
            "limits_config: {",
            "limits_config: {discover_log_levels: false, discover_service_name: [], max_query_series: 5000, ",
        );
        let directory = std::env::temp_dir().join(format!("differential-logql-{}", std::process::id()));
        std::fs::create_dir_all(&directory).ok()?;
        let file = directory.join("config.yaml");
        std::fs::write(&file, config).ok()?;
        let free = || std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok().map(|a| a.port());
        let (http, grpc) = (free()?, free()?);
        let child = Command::new(program)
            .arg("-config.expand-env=true")
            .arg(format!("-config.file={}", file.display()))
            .env("LOKI_DATA", directory.join("data"))
            .env("LOKI_HTTP", http.to_string())
            .env("LOKI_GRPC", grpc.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let loki = Self { child, address: format!("127.0.0.1:{http}"), directory };
        for _ in 0..READY_S_MAX {
            if loki.request("GET", "/ready", "").is_some_and(|(status, _)| status == 200) {
                return Some(loki);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        panic!("loki was not ready within {READY_S_MAX} s");
    }

    /// One HTTP/1.0 exchange: status and body.
    #[expect(clippy::disallowed_methods, reason = "a client of a foreign program in a test")]
    fn request(&self, method: &str, target: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let length = body.len();
        let host = &self.address;
        let head = format!(
            "{method} {target} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Stores the data set.
    pub fn push(&self, streams: &[Stream]) {
        let object = |pairs: &[(String, String)]| {
            Value::Object(pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect())
        };
        let stream = |stream: &Stream| {
            let entry = |(ts, line, metadata): &(i64, String, Vec<(String, String)>)| {
                json!([ts.to_string(), line, object(metadata)])
            };
            let values: Vec<Value> = stream.entries.iter().map(entry).collect();
            json!({"stream": object(&stream.labels), "values": values})
        };
        let body = json!({"streams": streams.iter().map(stream).collect::<Vec<_>>()}).to_string();
        let answer = self.request("POST", "/loki/api/v1/push", &body);
        assert_eq!(answer.as_ref().map(|(status, _)| *status), Some(204), "{answer:?}");
    }

    /// Runs a query.
    pub fn query(&self, query: &Query, end_s: i64) -> Answer {
        let text = encode(&query.text);
        let target = match query.kind {
            Kind::Instant => format!("/loki/api/v1/query?query={text}&time={end_s}"),
            Kind::Range | Kind::Lines => {
                let start = end_s - SPAN_S;
                format!(
                    "/loki/api/v1/query_range?query={text}&start={start}&end={end_s}&step={STEP_S}\
                     &limit={ENTRIES_MAX}&direction=forward"
                )
            }
        };
        let (status, body) = self.request("GET", &target, "").ok_or("no answer")?;
        if status != 200 {
            return Err(body.trim().to_owned());
        }
        read(&body).ok_or_else(|| format!("cannot read {body}"))
    }
}

/// The answer in the shape that ours is brought to.
fn read(body: &str) -> Option<BTreeMap<Identity, Points>> {
    let body: Value = serde_json::from_str(body).ok()?;
    let data = body.get("data")?;
    let pair = |value: &Value| {
        let at = value.get(0)?;
        let at = at
            .as_str()
            .map_or_else(|| at.as_f64().map(|at| at.trunc().to_string()), |at| Some(at.to_owned()));
        Some((at?, value.get(1)?.as_str()?.to_owned()))
    };
    if data.get("resultType")? == "scalar" {
        return Some(BTreeMap::from([(BTreeMap::new(), vec![pair(data.get("result")?)?])]));
    }
    let mut out = BTreeMap::new();
    for row in data.get("result")?.as_array()? {
        let labels = row.get("metric").or(row.get("stream"))?.as_object()?;
        let labels: Identity = labels
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let points = match row.get("value") {
            Some(value) => vec![pair(value)?],
            None => row.get("values")?.as_array()?.iter().map(pair).collect::<Option<_>>()?,
        };
        out.insert(labels, points);
    }
    Some(out)
}

fn encode(text: &str) -> String {
    let byte =
        |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}
