//! A Prometheus on a free loopback port, in a directory of its own, killed when dropped. Speaks HTTP/1.0 to it, so that
//! answers are not chunked.

use crate::generate::{Query, When};
use serde_json::Value;
use std::fmt::{Display, Write as _};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often and how long to wait for the server to become ready.
const READY_TRIES: u32 = 300;
const READY_WAIT_MS: u64 = 100;

const CONFIG: &str = "global: {scrape_interval: 1m}\nstorage: {tsdb: {out_of_order_time_window: 10h}}\n";

const FEATURES: &str =
    "promql-experimental-functions,promql-extended-range-selectors,promql-binop-fill-modifiers";

/// The program, if it is there.
pub(crate) fn program() -> Option<PathBuf> {
    let dir = match std::env::var_os("PEERS_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache/peers"),
    };
    Some(dir.join("bin/prometheus")).filter(|path| path.is_file())
}

/// The value, or the end of the test with a reason.
fn must<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

pub(crate) struct Peer {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    #[expect(clippy::disallowed_methods, reason = "a test that starts and asks another program")]
    pub(crate) fn start(program: &Path) -> Self {
        let dir = must(tempfile::tempdir(), "no temporary directory");
        let config = dir.path().join("prometheus.yml");
        must(std::fs::write(&config, CONFIG), "cannot write the configuration");
        let listener = must(std::net::TcpListener::bind("127.0.0.1:0"), "no free port");
        let port = must(listener.local_addr(), "no address").port();
        drop(listener);
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .arg(format!("--enable-feature={FEATURES}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = must(child, "prometheus does not start");
        let peer = Self { child, port, _dir: dir };
        for _ in 0..READY_TRIES {
            if peer.request("GET", "/-/ready", "text/plain", &[], &[]).is_ok_and(|(status, _)| status == 200)
            {
                return peer;
            }
            std::thread::sleep(Duration::from_millis(READY_WAIT_MS));
        }
        panic!("prometheus did not become ready");
    }

    #[expect(clippy::disallowed_methods, reason = "a test that starts and asks another program")]
    fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        headers: &[&str],
        body: &[u8],
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port))?;
        let mut head =
            format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: {content_type}\r\n");
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
        for header in headers {
            let _ = write!(head, "{header}\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Ok((status, answer.get(end + 4..).unwrap_or_default().to_vec()))
    }

    /// Remote write 1.0.
    pub(crate) fn write(&self, request: &[u8]) {
        let body = must(snap::raw::Encoder::new().compress_vec(request), "snappy");
        let headers = ["Content-Encoding: snappy", "X-Prometheus-Remote-Write-Version: 0.1.0"];
        let answer = self.request("POST", "/api/v1/write", "application/x-protobuf", &headers, &body);
        let (status, answer) = must(answer, "prometheus does not take the data");
        assert!(status / 100 == 2, "{status}: {}", String::from_utf8_lossy(&answer));
    }

    /// The JSON answer, of errors, too.
    pub(crate) fn query(&self, query: &Query) -> Value {
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let encode = |text: &str| {
            text.bytes().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "%{byte:02X}");
                out
            })
        };
        let (path, times) = match query.when {
            When::Instant(at) => ("/api/v1/query", format!("time={}", seconds(at))),
            When::Range(start, end, step) => {
                let (start, end, step) = (seconds(start), seconds(end), seconds(step));
                ("/api/v1/query_range", format!("start={start}&end={end}&step={step}"))
            }
        };
        let body = format!("query={}&{times}", encode(&query.text));
        let answer = self.request("POST", path, "application/x-www-form-urlencoded", &[], body.as_bytes());
        let (_, answer) = must(answer, "prometheus does not answer");
        serde_json::from_slice(&answer)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", query.text, String::from_utf8_lossy(&answer)))
    }
}
