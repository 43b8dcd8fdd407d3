//! A real Jaeger with memory storage, on ports of its own, and the two requests the test makes of it.

use query::jaeger::TraceQuery;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often a condition is tried, a fifth of a second apart.
const TRIES_MAX: usize = 300;

const CONFIG: &str = r"
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry:
    metrics: {level: none}
extensions:
  jaeger_storage:
    backends:
      memory: {memory: {max_traces: 100000}}
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: '127.0.0.1:QUERY'}
    grpc: {endpoint: '127.0.0.1:GRPC'}
receivers:
  otlp:
    protocols:
      http: {endpoint: '127.0.0.1:OTLP'}
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
";

/// Where Jaeger is, if it is.
pub(crate) fn binary() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/peers"));
    let peers = std::env::var_os("PEERS_DIR").map(PathBuf::from).or_else(home)?;
    Some(peers.join("bin/jaeger")).filter(|path| path.is_file())
}

/// A running Jaeger; it ends with the value.
pub(crate) struct Peer {
    child: Child,
    directory: tempfile::TempDir,
    query: u16,
    otlp: u16,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("its address").port())
}

impl Peer {
    pub(crate) fn start(binary: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let [query, grpc, otlp] = free_ports();
        let ports = [("QUERY", query), ("GRPC", grpc), ("OTLP", otlp)];
        let fill = |config: String, (name, port): (&str, u16)| config.replace(name, &port.to_string());
        let path = directory.path().join("jaeger.yaml");
        std::fs::write(&path, ports.into_iter().fold(CONFIG.to_owned(), fill)).expect("its configuration");
        let mut command = Command::new(binary);
        command.arg("--config").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("jaeger starts");
        let peer = Self { child, directory, query, otlp };
        peer.wait_for(|| {
            Self::http(query, "GET", "/api/services", "").is_some()
                && TcpStream::connect(("127.0.0.1", otlp)).is_ok()
        });
        peer
    }

    /// Waits until the condition holds.
    pub(crate) fn wait_for(&self, condition: impl Fn() -> bool) {
        for _ in 0..TRIES_MAX {
            if condition() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("jaeger in {} did not get there in time", self.directory.path().display());
    }

    /// One request; the body of a 200, else nothing. HTTP/1.0 spares us chunks.
    fn http(port: u16, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            "127.0.0.1",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
    }

    pub(crate) fn post_traces(&self, body: &str) {
        assert!(Self::http(self.otlp, "POST", "/v1/traces", body).is_some(), "jaeger takes the spans");
    }

    /// Ids of the traces that `/api/traces` finds.
    pub(crate) fn find(&self, query: &TraceQuery) -> BTreeSet<String> {
        let mut path = format!("/api/traces?service={}&limit={}", encoded(&query.service), query.limit);
        let mut add = |name: &str, value: &str| {
            let written = write!(path, "&{name}={}", encoded(value));
            assert!(written.is_ok(), "writing to a string cannot fail");
        };
        add("start", &(query.start_ns / 1_000).to_string());
        add("end", &(query.end_ns / 1_000).to_string());
        if !query.operation.is_empty() {
            add("operation", &query.operation);
        }
        for (name, duration_ns) in
            [("minDuration", query.duration_min_ns), ("maxDuration", query.duration_max_ns)]
        {
            if duration_ns > 0 {
                add(name, &format!("{}us", duration_ns / 1_000));
            }
        }
        if !query.tags.is_empty() {
            let tags: serde_json::Map<String, Value> =
                query.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect();
            add("tags", &Value::from(tags).to_string());
        }
        let body =
            Self::http(self.query, "GET", &path, "").unwrap_or_else(|| panic!("jaeger answers {path}"));
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let traces = answer["data"].as_array().cloned().unwrap_or_default();
        traces.iter().map(|trace| format!("{:0>32}", trace["traceID"].as_str().unwrap_or_default())).collect()
    }
}

/// Percent-encoded for a query string.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let written = write!(out, "%{byte:02X}");
            assert!(written.is_ok(), "writing to a string cannot fail");
        }
    }
    out
}
