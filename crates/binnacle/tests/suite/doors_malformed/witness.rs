//! Records that were accepted before anything went wrong: after every bad request they must all still be there, the
//! server must answer, have panicked nowhere, and hold no more memory than it may.

use super::bodies;
use crate::common::Server;
use crate::common::client::{self, Answer};

/// Most resident memory at any moment: what requests in flight may take, and what unpacking and storing them costs.
const RSS_KIB_MAX: u64 = 512 << 10;

/// The trace that was sent before.
const TRACE: &str = "a1a2a3a4a5a6a7a8a9aaabacadaeafb0";
const LINES: i64 = 3;

/// Sends a span, three lines and a sample by three doors.
pub async fn send(server: &Server) {
    let now_s = now_s();
    let id: Vec<u8> = (0xa1..=0xb0).collect();
    let times = [span_time(7, now_s), span_time(8, now_s)].concat();
    let body = bodies::span(&id, &[1; 8], &times);
    let protobuf = [("content-type", "application/x-protobuf")];
    let spans = client::post(server.door("otlp-http"), "/v1/traces", &protobuf, &body).await;
    assert_eq!(spans.status, 200, "{}", spans.text());
    for at in 0..LINES {
        let body = bodies::push(br#"{witness="yes"}"#, now_s - 10, format!("line {at}").as_bytes());
        let lines = client::post(server.door("loki"), "/loki/api/v1/push", &protobuf, &body).await;
        assert_eq!(lines.status, 204, "{}", lines.text());
    }
    let sample = bodies::series(&[(b"__name__", b"witness")], 42.0, (now_s - 1) * 1_000);
    let body = bodies::write_request(&[sample]);
    let samples = client::post(server.door("prometheus"), "/api/v1/write", &protobuf, &body).await;
    assert_eq!(samples.status, 204, "{}", samples.text());
    check(server, "before anything").await;
}

/// Everything is still there, and the server is well.
pub async fn check(server: &Server, after: &str) {
    let samples = client::query(
        server.door("prometheus"),
        "/api/v1/query",
        &[("query", "last_over_time(witness[10m])")],
        &[],
    );
    let value = field(&samples.await, "/data/result/0/value/1");
    assert_eq!(value, "42", "after {after}: the sample");
    let params = [("query", r#"{witness="yes"}"#)];
    let lines = client::query(server.door("loki"), "/loki/api/v1/query_range", &params, &[]).await;
    let kept =
        lines.json().pointer("/data/result").and_then(serde_json::Value::as_array).map_or(0, |streams| {
            streams.iter().filter_map(|stream| stream["values"].as_array()).map(Vec::len).sum::<usize>()
        });
    assert_eq!(kept, 3, "after {after}: {}", lines.text());
    let path = format!("/api/v2/trace/{TRACE}");
    let trace = client::get(server.door("zipkin"), &path).await.expect("an answer");
    assert_eq!(field(&trace, "/0/name"), "op", "after {after}: the span");
    let peak = server.peak_rss_kib();
    assert!(peak < RSS_KIB_MAX, "after {after}: {peak} KiB were resident, at most {RSS_KIB_MAX} may be");
    let stderr = server.stderr();
    assert!(!stderr.contains("panicked"), "after {after}: {stderr}");
}

fn field(answer: &Answer, pointer: &str) -> String {
    let json = answer.json();
    let found = json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", answer.text()));
    found.as_str().map_or_else(|| found.to_string(), ToOwned::to_owned)
}

/// Field `number` of a span: a fixed 64-bit time.
fn span_time(number: u8, seconds: i64) -> Vec<u8> {
    [&[number << 3 | 1][..], &(seconds * 1_000_000_000).to_le_bytes()].concat()
}

/// Now, in seconds.
pub fn now_s() -> i64 {
    platform::Clock::now_ns(&platform::RealClock::default()) / 1_000_000_000
}
