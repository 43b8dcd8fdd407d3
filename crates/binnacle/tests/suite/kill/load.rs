//! Three clients: samples by remote write, spans by OTLP, lines by Loki push. Each sends numbered records, five a request,
//! one request at a time, and sends a request again unchanged until it is acknowledged.

use crate::common::client;
use http::Method;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use wire::proto::{Value, put_field};

/// Records of one request.
pub const RECORDS: u64 = 5;
/// Requests whose spans share a trace, so that traces are spread over requests, WAL segments and parts.
const TRACE_REQUESTS: u64 = 4;
/// Series and streams the records go to in turn.
const SERIES: u64 = 7;
/// Pause before a request is sent again, and between requests, in milliseconds.
const AGAIN_MS: u64 = 5;
const PAUSE_MS: u64 = 8;

/// Addresses of the server that runs, if one does.
pub type Doors = Option<BTreeMap<String, SocketAddr>>;

/// What is sent where.
pub struct Feed {
    /// `samples`, `spans` or `lines`.
    pub name: &'static str,
    door: &'static str,
    path: &'static str,
    headers: client::Headers<'static>,
    /// The body of the records `from..from + RECORDS`.
    body: fn(i64, u64) -> Vec<u8>,
}

/// The three clients.
pub const FEEDS: &[Feed] = &[
    Feed {
        name: "samples",
        door: "prometheus",
        path: "/api/v1/write",
        headers: &[("content-type", "application/x-protobuf"), ("content-encoding", "snappy")],
        body: samples,
    },
    Feed {
        name: "spans",
        door: "otlp-http",
        path: "/v1/traces",
        headers: &[("content-type", "application/json")],
        body: spans,
    },
    Feed {
        name: "lines",
        door: "loki",
        path: "/loki/api/v1/push",
        headers: &[("content-type", "application/json")],
        body: lines,
    },
];

/// How far a client is.
#[derive(Default)]
pub struct Progress {
    acknowledged: AtomicU64,
    resent: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// Records below this number are acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Requests sent again.
    pub fn resent(&self) -> u64 {
        self.resent.load(Ordering::SeqCst)
    }

    /// Lets the client end once its request is acknowledged.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// One line for the log.
    pub fn line(&self, name: &str) -> String {
        let (acknowledged, resent) = (self.acknowledged(), self.resent());
        let refused = self.refused.load(Ordering::SeqCst);
        format!("{acknowledged} {name} acknowledged, {resent} requests sent again, {refused} refused")
    }
}

/// Sends until told to stop.
pub async fn client(
    feed: &'static Feed,
    base_ns: i64,
    mut doors: watch::Receiver<Doors>,
    progress: std::sync::Arc<Progress>,
) {
    while !progress.stop.load(Ordering::SeqCst) {
        let body = (feed.body)(base_ns, progress.acknowledged());
        while !attempt(feed, &body, &mut doors, &progress).await {
            progress.resent.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await;
        }
        progress.acknowledged.fetch_add(RECORDS, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }
}

/// Whether the server acknowledged `body`; waits for a server first.
async fn attempt(feed: &Feed, body: &[u8], doors: &mut watch::Receiver<Doors>, progress: &Progress) -> bool {
    let addr = {
        let doors = doors.wait_for(Option::is_some).await.expect("the test goes on");
        *doors.as_ref().and_then(|doors| doors.get(feed.door)).expect("the door")
    };
    match client::ask(addr, Method::POST, feed.path, feed.headers, body).await {
        None => false,
        Some(answer) if answer.status / 100 == 2 => true,
        Some(answer) => {
            // Nothing but back-pressure may refuse a good request.
            assert!(matches!(answer.status, 429 | 503), "{}: {}", answer.status, answer.text());
            progress.refused.fetch_add(1, Ordering::SeqCst);
            false
        }
    }
}

fn label(name: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_field(&mut out, 1, Value::Bytes(name.as_bytes()));
    put_field(&mut out, 2, Value::Bytes(value.as_bytes()));
    out
}

/// Remote write 1.0: sample `n` has value `n`, `n` milliseconds after the base.
fn samples(base_ns: i64, from: u64) -> Vec<u8> {
    let mut request = Vec::new();
    for number in from..from + RECORDS {
        let (mut series, mut sample) = (Vec::new(), Vec::new());
        let slot = (number % SERIES).to_string();
        put_field(&mut series, 1, Value::Bytes(&label("__name__", "kill_sample")));
        put_field(&mut series, 1, Value::Bytes(&label("slot", &slot)));
        let value = f64::from(u32::try_from(number).expect("a few thousand"));
        let ts_ms = base_ns / 1_000_000 + number.cast_signed();
        put_field(&mut sample, 1, Value::Fixed64(value.to_bits()));
        put_field(&mut sample, 2, Value::Varint(ts_ms.cast_unsigned()));
        put_field(&mut series, 2, Value::Bytes(&sample));
        put_field(&mut request, 1, Value::Bytes(&series));
    }
    snap::raw::Encoder::new().compress_vec(&request).expect("snappy")
}

/// The trace of span `number`.
pub fn trace_id(number: u64) -> String {
    format!("{:032x}", number / (RECORDS * TRACE_REQUESTS) + 1)
}

/// OTLP JSON: span `n` has id `n + 1` and starts `n` microseconds after the base.
fn spans(base_ns: i64, from: u64) -> Vec<u8> {
    let span = |number: u64| {
        let start_ns = base_ns + number.cast_signed() * 1_000;
        json!({
            "traceId": trace_id(number),
            "spanId": format!("{:016x}", number + 1),
            "name": format!("operation {}", number % SERIES),
            "kind": 2,
            "startTimeUnixNano": start_ns.to_string(),
            "endTimeUnixNano": (start_ns + 1_000_000).to_string(),
        })
    };
    let spans: Vec<_> = (from..from + RECORDS).map(span).collect();
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "kill"}}]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
        .to_string()
        .into_bytes()
}

/// Loki JSON: line `n` says so, `n` microseconds after the base.
fn lines(base_ns: i64, from: u64) -> Vec<u8> {
    let stream = |number: u64| {
        let ts_ns = base_ns + number.cast_signed() * 1_000;
        let stream = json!({"app": "kill", "slot": (number % SERIES).to_string()});
        json!({"stream": stream, "values": [[ts_ns.to_string(), format!("line {number}")]]})
    };
    let streams: Vec<_> = (from..from + RECORDS).map(stream).collect();
    json!({ "streams": streams }).to_string().into_bytes()
}
