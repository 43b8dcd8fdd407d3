//! Connections that break the protocol below the doors: bodies cut off, lengths that lie, lines that never end, and
//! bytes that are no HTTP at all.

use super::witness;
use crate::common::Server;
use crate::common::client::raw;

/// What is sent, and how the answer begins; an empty beginning means that the connection is just closed.
type Case = (Vec<u8>, &'static str);

/// A head for a body of `length`.
fn head(path: &str, kind: &str, length: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n")
        .into_bytes()
}

const WRITE_DOORS: &[(&str, &str, &str)] = &[
    ("otlp-http", "/v1/traces", "application/json"),
    ("otlp-http", "/v1/logs", "application/x-protobuf"),
    ("otlp-http", "/v1/metrics", "application/x-protobuf"),
    ("prometheus", "/api/v1/write", "application/x-protobuf"),
    ("prometheus", "/api/v1/otlp/v1/metrics", "application/json"),
    ("loki", "/loki/api/v1/push", "application/json"),
    ("loki", "/otlp/v1/logs", "application/json"),
    ("zipkin", "/api/v2/spans", "application/json"),
    ("jaeger-thrift", "/api/traces", "application/x-thrift"),
];

#[tokio::test]
async fn connections_that_break_off_or_lie_are_answered_or_closed() {
    let server = Server::start().await;
    witness::send(&server).await;
    for (door, path, kind) in WRITE_DOORS {
        let cut = [head(path, kind, "1000"), b"{\"streams\":[".to_vec()].concat();
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let endless = [chunked.as_bytes(), b"fffffff\r\n", &vec![b' '; 33 << 20]].concat();
        let cases: [Case; 8] = [
            (cut, ""),
            (head(path, kind, "4294967296"), "HTTP/1.1 413"),
            (head(path, kind, "18446744073709551615"), "HTTP/1.1 4"),
            (head(path, kind, "-1"), "HTTP/1.1 400"),
            (head(path, kind, "99999999999999999999999"), "HTTP/1.1 400"),
            ([chunked.as_bytes(), b"zz\r\n"].concat(), "HTTP/1.1 400"),
            (endless, "HTTP/1.1 413"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), ""),
        ];
        for (at, (bytes, begins)) in cases.into_iter().enumerate() {
            let answer = raw(server.door(door), &bytes).await;
            assert!(
                answer.starts_with(begins),
                "{door} {path} case {at}: {:?}",
                &answer[..answer.len().min(200)]
            );
            assert!(!answer.starts_with("HTTP/1.1 2"), "{door} {path} case {at}: taken");
        }
        witness::check(&server, path).await;
    }
}

#[tokio::test]
async fn heads_that_are_none_are_refused_on_every_door() {
    let server = Server::start().await;
    witness::send(&server).await;
    let long_line =
        [b"GET /".to_vec(), vec![b'a'; 1 << 20], b" HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()].concat();
    let many_headers =
        [b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(10_000), b"\r\n".to_vec()].concat();
    let cases: [Case; 6] = [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "HTTP/1.1 400"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (long_line, "HTTP/1.1 4"),
        (many_headers, "HTTP/1.1 431"),
    ];
    for (door, addr) in server.doors() {
        for (at, (bytes, begins)) in cases.iter().enumerate() {
            let answer = raw(*addr, bytes).await;
            assert!(
                answer.is_empty() || answer.starts_with(begins),
                "{door} case {at}: {:?}",
                &answer[..answer.len().min(200)]
            );
        }
    }
    witness::check(&server, "heads that are none").await;
}
