//! The gRPC doors: frames that are none, messages that are none, and methods that do not exist. The HTTP status is
//! always 200, the answer stands in `grpc-status`.

use super::bodies::{CLAIM, DEPTH, bomb, field, gzip, nested, span, varint, zstd};
use super::witness;
use crate::common::Server;
use crate::common::client::{Headers, call, frame};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const POST_SPANS: &str = "/jaeger.api_v2.CollectorService/PostSpans";
const TEMPO: &str = "/tempopb.StreamingQuerier/Search";
const JAEGER_V2: &str = "/jaeger.api_v2.QueryService/FindTraces";
const JAEGER_V3: &str = "/jaeger.api_v3.QueryService/FindTraces";

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const GZIP: (&str, &str) = ("grpc-encoding", "gzip");
const ZSTD: (&str, &str) = ("grpc-encoding", "zstd");

const INVALID_ARGUMENT: &str = "3";
const RESOURCE_EXHAUSTED: &str = "8";
const UNIMPLEMENTED: &str = "12";
const INTERNAL: &str = "13";

const GARBAGE: [u8; 9] = [0xff; 9];

/// Door, path, headers, frames, and the code.
type Call = (&'static str, &'static str, Headers<'static>, Vec<u8>, &'static str);

/// What doors that take telemetry in are sent.
fn writes() -> Vec<Call> {
    let mut cases: Vec<Call> = Vec::new();
    for (door, path) in [
        ("otlp-grpc", TRACES),
        ("otlp-grpc", LOGS),
        ("otlp-grpc", METRICS),
        ("otlp-http", TRACES),
        ("jaeger-collector", POST_SPANS),
    ] {
        cases.extend([
            (door, path, &[GRPC][..], frame(0, &GARBAGE), INVALID_ARGUMENT),
            (door, path, &[GRPC], vec![], INVALID_ARGUMENT),
            (door, path, &[GRPC], vec![7, 0, 0, 0, 0], INVALID_ARGUMENT),
            (door, path, &[GRPC], vec![0, 0, 0, 0, 9, 1], INVALID_ARGUMENT),
            (door, path, &[GRPC], vec![0, 0xff, 0xff, 0xff, 0xff], RESOURCE_EXHAUSTED),
            (door, path, &[GRPC, GZIP], frame(1, b"zz"), INVALID_ARGUMENT),
            (door, path, &[GRPC, ("grpc-encoding", "br")], frame(1, b"zz"), UNIMPLEMENTED),
            (door, path, &[GRPC, ("x-scope-orgid", "a/b")], frame(0, &[]), INVALID_ARGUMENT),
        ]);
    }
    let any_value = &[5, 1];
    cases.extend([
        ("otlp-grpc", TRACES, &[GRPC, GZIP][..], frame(1, &bomb(gzip)), RESOURCE_EXHAUSTED),
        ("otlp-grpc", LOGS, &[GRPC, ZSTD], frame(1, &bomb(zstd)), RESOURCE_EXHAUSTED),
        ("otlp-grpc", METRICS, &[GRPC, GZIP], frame(1, &bomb(gzip)), RESOURCE_EXHAUSTED),
        ("jaeger-collector", POST_SPANS, &[GRPC, GZIP], frame(1, &bomb(gzip)), RESOURCE_EXHAUSTED),
        ("otlp-grpc", TRACES, &[GRPC], frame(0, &nested(&[1, 2, 2, 9, 2], any_value)), INVALID_ARGUMENT),
        ("otlp-grpc", LOGS, &[GRPC], frame(0, &nested(&[1, 2, 2, 5], any_value)), INVALID_ARGUMENT),
        ("otlp-grpc", TRACES, &[GRPC], frame(0, &vec![0; 33 << 20]), RESOURCE_EXHAUSTED),
        ("otlp-grpc", TRACES, &[GRPC], frame(0, &span(&[], &[], &[])), "0"),
        (
            "otlp-grpc",
            "/opentelemetry.proto.collector.trace.v1.TraceService/None",
            &[GRPC],
            frame(0, &[]),
            UNIMPLEMENTED,
        ),
        ("otlp-grpc", "/nobody.Home/Call", &[GRPC], frame(0, &[]), UNIMPLEMENTED),
        ("jaeger-collector", "/nobody.Home/Call", &[GRPC], frame(0, &[]), UNIMPLEMENTED),
    ]);
    cases
}

/// What doors that answer queries are sent.
fn queries() -> Vec<Call> {
    let mut cases: Vec<Call> = Vec::new();
    for (door, path) in [("tempo", TEMPO), ("jaeger-grpc", JAEGER_V2), ("jaeger-grpc", JAEGER_V3)] {
        cases.extend([
            (door, path, &[GRPC][..], frame(0, &GARBAGE), INTERNAL),
            (door, path, &[GRPC], vec![0, 0xff, 0xff, 0xff, 0xff], "11"),
            (door, path, &[GRPC, ("x-scope-orgid", "a/b")], frame(0, &[]), INVALID_ARGUMENT),
            (door, "/nobody.Home/Call", &[GRPC], frame(0, &[]), UNIMPLEMENTED),
        ]);
    }
    let query = |text: &str| frame(0, &field(8, text.as_bytes()));
    cases.extend([
        ("tempo", TEMPO, &[GRPC][..], query("{"), INVALID_ARGUMENT),
        ("tempo", TEMPO, &[GRPC], query(&"(".repeat(DEPTH)), INVALID_ARGUMENT),
        ("jaeger-grpc", JAEGER_V2, &[GRPC], frame(0, &[]), INVALID_ARGUMENT),
        (
            "jaeger-grpc",
            "/jaeger.api_v3.QueryService/GetTrace",
            &[GRPC],
            frame(0, &field(1, b"zz")),
            INVALID_ARGUMENT,
        ),
        (
            "jaeger-grpc",
            "/jaeger.api_v2.QueryService/GetTrace",
            &[GRPC],
            frame(0, &field(1, &varint(u64::MAX))),
            "5",
        ),
        (
            "jaeger-grpc",
            "/jaeger.api_v2.QueryService/GetTrace",
            &[GRPC],
            frame(0, &field(1, &[7; 40])),
            INVALID_ARGUMENT,
        ),
        ("jaeger-collector", POST_SPANS, &[GRPC], frame(0, CLAIM), INVALID_ARGUMENT),
    ]);
    cases
}

#[tokio::test]
async fn grpc_doors_answer_with_codes() {
    let server = Server::start().await;
    witness::send(&server).await;
    let mut wrong = Vec::new();
    for (door, path, headers, frames, code) in writes().into_iter().chain(queries()) {
        let answer = call(server.door(door), path, headers, &frames).await;
        let about = format!("{door} {path} {headers:?} {:?}", &frames[..frames.len().min(12)]);
        if answer.status != 200 || answer.header("grpc-status") != code {
            let message = answer.header("grpc-message");
            wrong.push(format!(
                "{about}: {} {:?} {message}, not {code}",
                answer.status,
                answer.header("grpc-status")
            ));
        }
        witness::check(&server, &about).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
