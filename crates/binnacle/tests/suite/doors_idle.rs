//! Ten thousand connections that say nothing, and readers that do not read: memory stays bounded, nobody else notices.

use crate::common::client::{self, call, frame};
use crate::common::{Server, Setup};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Connections that stand at the same time.
const CONNECTIONS: u32 = 10_000;
/// What one of them may cost the server, KiB.
const CONNECTION_KIB_MAX: u64 = 30;
/// Slowest answer that others may get meanwhile.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// What readers that do not read may cost together, KiB: three times its backlog for a tail, its answer for the others, and
/// the lines that arrive meanwhile.
const READERS_KIB_MAX: u64 = 256 << 10;
/// Readers that do not read, on each streaming answer.
const READERS: usize = 4;

const JSON: (&str, &str) = ("content-type", "application/json");
const GRPC: (&str, &str) = ("content-type", "application/grpc");

async fn connect(addr: SocketAddr) -> TcpStream {
    platform::net::connect(&addr.to_string()).await.expect("a connection")
}

/// Somebody else's requests: taken and answered in time.
async fn others_are_served(server: &Server, at: usize) {
    let began = Instant::now();
    let push =
        format!(r#"{{"streams":[{{"stream":{{"app":"others"}},"values":[["{}","line {at}"]]}}]}}"#, now_ns());
    let taken = client::post(server.door("loki"), "/loki/api/v1/push", &[JSON], push.as_bytes()).await;
    assert_eq!(taken.status, 204, "{}", taken.text());
    let query = [("query", "1+1")];
    let answer = client::query(server.door("prometheus"), "/api/v1/query", &query, &[]).await;
    assert_eq!(answer.json()["data"]["result"][1], "2");
    let took = began.elapsed();
    assert!(took < ANSWER_TIME_MAX, "others waited {took:?}");
}

fn now_ns() -> i64 {
    platform::Clock::now_ns(&platform::RealClock::default())
}

#[tokio::test]
async fn ten_thousand_idle_connections() {
    let files = platform::proc::raise_open_files();
    if files < u64::from(CONNECTIONS) + 1_000 {
        println!("skipped: the system allows {files} open files");
        return;
    }
    // The server raises its own limit: it starts with a low one.
    let low = format!("--nofile=256:{files}");
    let server = Server::start_with(&Setup { wrapper: &["prlimit", &low], ..Setup::default() }).await;
    others_are_served(&server, 0).await;
    let before = server.rss_kib();
    let doors: Vec<SocketAddr> = server.doors().values().copied().collect();
    let mut idle = Vec::new();
    for (at, door) in (0..CONNECTIONS).zip(doors.iter().cycle()) {
        let mut stream = connect(*door).await;
        // A third never speaks, a third has been answered, a third stops in the middle of a request's head.
        match at % 3 {
            0 => {}
            1 => {
                stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
                let mut answer = [0; 512];
                assert!(stream.read(&mut answer).await.expect("an answer") > 0);
            }
            _ => stream.write_all(b"GET /nothing HTTP/1.1\r\nhost:").await.expect("written"),
        }
        idle.push(stream);
    }
    for at in 0..20 {
        others_are_served(&server, at).await;
    }
    let open = server.metric("binnacle_connections{").await;
    assert!(open >= f64::from(CONNECTIONS), "{open} connections are open");
    let grown = server.rss_kib().saturating_sub(before);
    let each = (grown << 10) / u64::from(CONNECTIONS);
    println!("{each} bytes for each of {CONNECTIONS} idle connections; {} MiB before", before >> 10);
    assert!(each < CONNECTION_KIB_MAX << 10, "{each} bytes for each idle connection");
    drop(idle);
    let (status, stderr) = server.stop().await;
    assert!(status.success() && !stderr.contains("ERROR"), "{stderr}");
}

#[tokio::test]
async fn connections_above_the_bound_are_closed_whichever_door_they_knock_at() {
    let server =
        Server::start_with(&Setup { config: "limits: {connections: 8}\n", ..Setup::default() }).await;
    let doors: Vec<SocketAddr> = server.doors().values().copied().collect();
    let mut open = Vec::new();
    for at in 0..8 {
        open.push(connect(doors[at % doors.len()]).await);
    }
    // They are accepted in no certain order: a ninth may be let in, and then one of the eight was closed.
    loop {
        let mut one_more = connect(server.door("zipkin")).await;
        let mut answer = Vec::new();
        let patience = Duration::from_millis(200);
        if tokio::time::timeout(patience, one_more.read_to_end(&mut answer)).await.is_ok() {
            break;
        }
        open.push(one_more);
        assert!(open.len() <= 16, "none is ever closed");
    }
    drop(open);
    let deadline = Instant::now() + crate::common::PATIENCE;
    while client::get(server.door("ui"), "/-/ready").await.is_none_or(|answer| answer.status != 200) {
        assert!(Instant::now() < deadline, "the places come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn heads_that_never_end_are_cut_off() {
    let server =
        Server::start_with(&Setup { config: "limits: {header_timeout: 1s}\n", ..Setup::default() }).await;
    for (door, addr) in server.doors() {
        let mut slow = connect(*addr).await;
        let began = Instant::now();
        let mut closed = false;
        // A byte now and then does not buy more time.
        for byte in b"GET / HTTP/1.1\r\nhost: aaaaaaaaaaaaaaaaaaaa".iter().cycle().take(100) {
            if slow.write_all(&[*byte]).await.is_err() {
                closed = true;
                break;
            }
            let mut answer = [0; 64];
            let read = tokio::time::timeout(Duration::from_millis(100), slow.read(&mut answer)).await;
            if read.is_ok() {
                closed = true;
                break;
            }
        }
        let took = began.elapsed();
        assert!(closed && took < Duration::from_secs(6), "{door}: {closed} after {took:?}");
    }
}

/// So many lines of so many bytes for `app="big"`, at once.
async fn fill(server: &Server, lines: usize, bytes: usize) {
    let text = "x".repeat(bytes);
    let values: Vec<String> = (0..lines).map(|at| format!(r#"["{}","{at} {text}"]"#, now_ns())).collect();
    let body = format!(r#"{{"streams":[{{"stream":{{"app":"big"}},"values":[{}]}}]}}"#, values.join(","));
    let taken = client::post(server.door("loki"), "/loki/api/v1/push", &[JSON], body.as_bytes()).await;
    assert_eq!(taken.status, 204, "{}", taken.text());
}

/// Spans of a trace of their own each, with an attribute of a kibibyte.
async fn fill_spans(server: &Server, spans: usize) {
    let text = "x".repeat(1_000);
    let spans: Vec<String> = (1..=spans)
        .map(|at| {
            format!(
                r#"{{"traceId":"{at:032x}","spanId":"{at:016x}","name":"op","startTimeUnixNano":"{now}","endTimeUnixNano":"{now}","attributes":[{{"key":"k","value":{{"stringValue":"{text}"}}}}]}}"#,
                now = now_ns()
            )
        })
        .collect();
    let service = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"big"}}]}"#;
    let body = format!(
        r#"{{"resourceSpans":[{{"resource":{service},"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    );
    let taken = client::post(server.door("otlp-http"), "/v1/traces", &[JSON], body.as_bytes()).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
}

/// A request that is sent, whose answer is never read.
async fn ask_and_stall(addr: SocketAddr, path: &str, upgrade: bool) -> TcpStream {
    let mut stream = connect(addr).await;
    let upgrade = if upgrade {
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    } else {
        ""
    };
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n");
    stream.write_all(head.as_bytes()).await.expect("written");
    stream
}

/// A gRPC call whose answer is never read: a client that opens no window.
async fn call_and_stall(addr: SocketAddr, path: &str, message: &[u8]) -> TcpStream {
    // What a real client writes, taken apart: preface, settings with a window of nothing, headers, data.
    let mut stream = connect(addr).await;
    let literal = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).expect("short");
        [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    let headers = [
        literal(":method", "POST"),
        literal(":scheme", "http"),
        literal(":path", path),
        literal(":authority", "a"),
        literal("content-type", "application/grpc"),
        literal("te", "trailers"),
    ]
    .concat();
    let http2 = |kind: u8, flags: u8, id: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, id], payload].concat()
    };
    let bytes = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        http2(4, 0, 0, &[0, 4, 0, 0, 0, 0]),
        http2(1, 4, 1, &headers),
        http2(0, 1, 1, &frame(0, message)),
    ]
    .concat();
    stream.write_all(&bytes).await.expect("written");
    stream
}

#[tokio::test]
async fn readers_that_do_not_read_cost_little_and_hold_up_nobody() {
    let server = Server::start().await;
    fill(&server, 3_000, 1_000).await;
    fill_spans(&server, 500).await;
    others_are_served(&server, 0).await;
    let loki = server.door("loki");
    let before = server.rss_kib();
    let mut stalled = Vec::new();
    for _ in 0..READERS {
        let lines = "/loki/api/v1/query_range?query=%7Bapp=%22big%22%7D&limit=5000";
        stalled.push(ask_and_stall(loki, lines, false).await);
        stalled
            .push(ask_and_stall(loki, "/loki/api/v1/tail?query=%7Bapp=%22big%22%7D&limit=100", true).await);
        let traces = "/api/traces?service=big&limit=1000";
        stalled.push(ask_and_stall(server.door("jaeger-query"), traces, false).await);
        // Field 8 of Tempo's request is the query, 4 the limit; field 1 of Jaeger's holds the service and the depth.
        let search = [&[0x42, 2][..], b"{}", &[0x20, 0xe8, 0x07]].concat();
        stalled.push(call_and_stall(server.door("tempo"), "/tempopb.StreamingQuerier/Search", &search).await);
        let find = [&[0x0a, 8, 0x0a, 3][..], b"big", &[0x40, 0xe8, 0x07]].concat();
        let path = "/jaeger.api_v2.QueryService/FindTraces";
        stalled.push(call_and_stall(server.door("jaeger-grpc"), path, &find).await);
        let path = "/jaeger.api_v3.QueryService/FindTraces";
        stalled.push(call_and_stall(server.door("jaeger-grpc"), path, &find).await);
    }
    // Their queries end although nobody reads the answers: a place in the queue is not held by a slow reader.
    let deadline = Instant::now() + crate::common::PATIENCE;
    while server.metric("binnacle_queries_running").await + server.metric("binnacle_queries_waiting").await
        > 0.0
    {
        assert!(Instant::now() < deadline, "queries go on and on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Lines keep coming for the tails that do not read them.
    for at in 0..5 {
        fill(&server, 100, 50_000).await;
        others_are_served(&server, at).await;
    }
    let grown = server.rss_kib().saturating_sub(before);
    println!("{} readers that do not read cost {} MiB", stalled.len(), grown >> 10);
    assert!(grown < READERS_KIB_MAX, "{grown} KiB for {} readers", stalled.len());
    let path = "/jaeger.api_v2.QueryService/GetServices";
    let found = call(server.door("jaeger-grpc"), path, &[GRPC], &frame(0, &[])).await;
    assert_eq!(found.header("grpc-status"), "0");
    drop(stalled);
    let (status, stderr) = server.stop().await;
    assert!(status.success() && !stderr.contains("panicked"), "{stderr}");
}
