//! Every door over a real socket, real client and real decoders; only where the batches end up is kept in memory.

mod bench;

use super::{Receiver, ReceiverOptions};
use crate::auth::Credentials;
use crate::status::{RetryInfo, RpcStatus};
use bench::{Bench, REQUEST_BYTES, bench, small};
use http::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use model::ingest::Refusal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io::Write;
use std::time::Duration;

fn span_request() -> Vec<u8> {
    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "op".into(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend_from_slice(&u32::try_from(message.len()).expect("short").to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GRPC: (&str, &str) = ("content-type", "application/grpc");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");
const TENANT: (&str, &str) = ("x-scope-orgid", "team-a");
const BAD_TENANT: (&str, &str) = ("x-scope-orgid", "a/b");
const TRACE_EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// One request: where, how, with what; the expected status and a part of the body.
struct Case<'a>(&'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

async fn check(bench: &Bench, cases: &[Case<'_>]) {
    for Case(path, headers, body, status, part) in cases {
        let (got, _, answer) = bench.post(path, headers, body).await;
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(got.as_u16(), *status, "{path} {headers:?}: {answer}");
        assert!(answer.contains(part), "{path} {headers:?}: {answer:?} has no {part:?}");
    }
}

#[tokio::test]
async fn otlp_over_http_takes_and_refuses_in_the_requests_own_encoding() {
    let bench = bench(small(), super::otlp, Credentials::default()).await;
    let spans = span_request();
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101",
        "spanId":"0202020202020202","name":"op"}]}]}]}"#;
    let bomb = gzip(&vec![0; 1 << 20]);
    check(
        &bench,
        &[
            Case("/v1/traces", &[PROTOBUF], spans.clone(), 200, ""),
            Case("/v1/traces", &[PROTOBUF, GZIP, TENANT], gzip(&spans), 200, ""),
            Case("/v1/traces", &[PROTOBUF, ZSTD], zstd::encode_all(&spans[..], 1).expect("zstd"), 200, ""),
            Case("/v1/traces", &[JSON], json.to_vec(), 200, r#"{"partialSuccess":{}}"#),
            Case("/v1/traces", &[JSON, GZIP], gzip(json), 200, "partialSuccess"),
            Case("/v1/traces", &[JSON], b"{".to_vec(), 400, r#"{"code":3,"message":"#),
            Case("/v1/traces", &[PROTOBUF], vec![0xff; 9], 400, ""),
            Case("/v1/traces", &[PROTOBUF, GZIP], vec![1, 2, 3], 400, ""),
            Case("/v1/traces", &[JSON, GZIP], bomb, 413, "limit of 8192"),
            Case("/v1/traces", &[JSON], vec![b' '; REQUEST_BYTES + 1], 413, "limit of 4096"),
            Case("/v1/traces", &[JSON, BAD_TENANT], json.to_vec(), 400, "tenant ID"),
            Case(
                "/v1/traces",
                &[("content-type", "text/plain")],
                spans.clone(),
                415,
                "application/x-protobuf",
            ),
            Case("/v1/traces", &[PROTOBUF, ("content-encoding", "br")], spans.clone(), 400, "gzip"),
            Case("/v1/nothing", &[PROTOBUF], spans, 404, ""),
        ],
    )
    .await;
    assert_eq!(bench.kept.records(), 5);
    let tenants: Vec<_> =
        bench.kept.spans.lock().expect("lock").iter().map(|(tenant, _)| tenant.to_string()).collect();
    assert_eq!(tenants, ["fake", "team-a", "fake", "fake", "fake"]);
    let metrics = bench.registry.render();
    for line in [
        "binnacle_receive_requests_total{door=\"otlp_http_traces\",outcome=\"taken\"} 5",
        "binnacle_receive_requests_total{door=\"otlp_http_traces\",outcome=\"refused\"} 8",
        "binnacle_receive_records_total{door=\"otlp_http_traces\"} 5",
        "binnacle_receive_in_flight_bytes 0",
    ] {
        assert!(metrics.contains(line), "{line} not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_full_pipeline_is_429_with_a_hint_and_nothing_is_lost() {
    let bench = bench(small(), super::otlp, Credentials::default()).await;
    *bench.kept.refusal.lock().expect("lock") =
        Some(Refusal::Full { what: "the write queue", retry_after_s: 7 });
    let (status, headers, body) = bench.post("/v1/traces", &[PROTOBUF], &span_request()).await;
    assert_eq!((status.as_u16(), &headers["retry-after"]), (429, &http::HeaderValue::from(7)));
    let status = RpcStatus::decode(body).expect("Status");
    assert_eq!((status.code, status.details.len()), (8, 1));
    *bench.kept.refusal.lock().expect("lock") = Some(Refusal::Stopping);
    let (status, headers, _) = bench.post("/v1/traces", &[PROTOBUF], &span_request()).await;
    assert_eq!((status.as_u16(), headers.contains_key("retry-after")), (503, true));
    *bench.kept.refusal.lock().expect("lock") = None;
    assert_eq!(bench.post("/v1/traces", &[PROTOBUF], &span_request()).await.0, StatusCode::OK);
    assert_eq!(bench.kept.records(), 1);
}

#[tokio::test]
async fn what_was_left_out_is_told_as_each_protocol_does() {
    let all = |receiver: &Receiver| {
        super::otlp(receiver).merge(super::loki(receiver)).merge(super::prometheus(receiver))
    };
    let bench = bench(small(), all, Credentials::default()).await;
    *bench.kept.rejected.lock().expect("lock") = 1;
    let (status, _, body) = bench.post("/v1/traces", &[PROTOBUF], &span_request()).await;
    let partial =
        super::otlp::ExportResponse::decode(body).expect("response").partial_success.expect("partial");
    assert_eq!((status.as_u16(), partial.rejected, partial.error_message.as_str()), (200, 1, "too old"));
    let (_, headers, body) = bench.call(TRACE_EXPORT, &[GRPC], &frame(0, &span_request())).await;
    let partial =
        super::otlp::ExportResponse::decode(&body[5..]).expect("response").partial_success.expect("partial");
    assert_eq!((&headers["grpc-status"], partial.rejected), (&http::HeaderValue::from_static("0"), 1));
    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202"}]}]}]}"#;
    let lines = br#"{"streams":[{"stream":{"app":"a"},"values":[["1700000000000000000","hello"]]}]}"#;
    let told = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}"#;
    check(
        &bench,
        &[
            Case("/v1/traces", &[JSON], spans.to_vec(), 200, told),
            Case("/loki/api/v1/push", &[JSON], lines.to_vec(), 400, "too old\n"),
            Case("/api/v1/write", &[PROTOBUF], write_request(), 400, "too old\n"),
        ],
    )
    .await;
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_over_all_requests() {
    let bench =
        bench(ReceiverOptions { in_flight_bytes_max: 16, ..small() }, super::otlp, Credentials::default())
            .await;
    let (status, headers, _) = bench.post("/v1/traces", &[PROTOBUF], &span_request()).await;
    assert_eq!((status.as_u16(), headers.contains_key("retry-after")), (429, true));
    let (_, headers, _) = bench.call(TRACE_EXPORT, &[GRPC], &frame(0, &span_request())).await;
    assert_eq!(headers["grpc-status"], "8");
    assert_eq!(bench.post("/v1/traces", &[PROTOBUF], &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_dribbles_is_timed_out() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = bench(small(), super::otlp, Credentials::default()).await;
    let mut stream = platform::net::connect(&bench.addr.to_string()).await.expect("connect");
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("write");
    let mut answer = vec![0; 64];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer))
        .await
        .expect("in time")
        .expect("read");
    assert!(answer[..read].starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer[..read]));
}

#[tokio::test]
async fn a_claim_of_four_gibibytes_is_refused_before_it_is_sent() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = bench(small(), super::otlp, Credentials::default()).await;
    let mut stream = platform::net::connect(&bench.addr.to_string()).await.expect("connect");
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 4294967296\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("write");
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).await.expect("read");
    assert!(answer[..read].starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer[..read]));
}

/// A call's headers and frame, and the expected code.
type Call<'a> = (&'a [(&'a str, &'a str)], Vec<u8>, &'a str);

#[tokio::test]
async fn otlp_over_grpc_takes_and_refuses_with_codes() {
    let bench = bench(small(), super::otlp, Credentials::default()).await;
    let spans = span_request();
    let packed = |bytes: Vec<u8>| frame(1, &bytes);
    let gzip_header = ("grpc-encoding", "gzip");
    let cases: &[Call<'_>] = &[
        (&[GRPC], frame(0, &spans), "0"),
        (&[GRPC, TENANT, gzip_header], packed(gzip(&spans)), "0"),
        (&[GRPC, ("grpc-encoding", "zstd")], packed(zstd::encode_all(&spans[..], 1).expect("zstd")), "0"),
        (&[GRPC, gzip_header], frame(0, &spans), "0"),
        (&[GRPC], frame(0, &[0xff; 9]), "3"),
        (&[GRPC], vec![], "3"),
        (&[GRPC, BAD_TENANT], frame(0, &spans), "3"),
        (&[GRPC], frame(0, &vec![0; REQUEST_BYTES + 1]), "8"),
        (&[GRPC, gzip_header], packed(gzip(&vec![0; 1 << 20])), "8"),
        (&[GRPC, ("grpc-encoding", "snappy")], packed(spans.clone()), "12"),
    ];
    for (headers, body, code) in cases {
        let (status, got, _) = bench.call(TRACE_EXPORT, headers, body).await;
        let message = got.get("grpc-message");
        assert_eq!(
            (status.as_u16(), &got["grpc-status"]),
            (200, &http::HeaderValue::from_str(code).expect("code")),
            "{headers:?} {message:?}"
        );
    }
    assert_eq!(bench.kept.records(), 4);
    *bench.kept.refusal.lock().expect("lock") =
        Some(Refusal::Full { what: "the write queue", retry_after_s: 3 });
    let (_, headers, _) = bench.call(TRACE_EXPORT, &[GRPC], &frame(0, &spans)).await;
    assert_eq!(headers["grpc-status"], "8");
    let details = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD_NO_PAD,
        headers["grpc-status-details-bin"]
            .as_bytes()
            .iter()
            .copied()
            .filter(|b| *b != b'=')
            .collect::<Vec<_>>(),
    );
    let status = RpcStatus::decode(&details.expect("base64")[..]).expect("Status");
    let retry = RetryInfo::decode(&status.details[0].value[..]).expect("RetryInfo");
    assert_eq!(retry.retry_delay.map(|delay| delay.seconds), Some(3));
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("snappy")
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Pair>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
}

/// One sample of `up`, as a remote write body.
fn write_request() -> Vec<u8> {
    let labels = vec![Pair { name: "__name__".into(), value: "up".into() }];
    let series = Series { labels, samples: vec![Sample { value: 1.0, timestamp: 1000 }] };
    snappy(&WriteRequest { series: vec![series] }.encode_to_vec())
}

#[tokio::test]
async fn remote_write_answers_as_prometheus_does() {
    let bench = bench(small(), super::prometheus, Credentials::default()).await;
    let good = write_request();
    let v1 = ("content-type", "application/x-protobuf;proto=prometheus.WriteRequest");
    let v2 = ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
    let encoded = ("content-encoding", "snappy");
    check(
        &bench,
        &[
            Case("/api/v1/write", &[PROTOBUF, encoded], good.clone(), 204, ""),
            Case("/api/v1/write", &[v1, encoded, TENANT], good.clone(), 204, ""),
            Case("/api/v1/write", &[], good.clone(), 204, ""),
            Case("/api/v1/write", &[v2, encoded], good.clone(), 415, "only accepts prometheus.WriteRequest"),
            Case(
                "/api/v1/write",
                &[JSON],
                good.clone(),
                415,
                "expected application/x-protobuf as the first (media) part",
            ),
            Case("/api/v1/write", &[PROTOBUF, GZIP], good.clone(), 415, "only snappy is acceptable"),
            Case("/api/v1/write", &[PROTOBUF, BAD_TENANT], good.clone(), 400, "tenant ID"),
            Case("/api/v1/write", &[PROTOBUF], b"not snappy".to_vec(), 400, "snappy"),
            Case("/api/v1/write", &[PROTOBUF], vec![0xff, 0xff, 0xff, 0xff, 0x0f], 400, ""),
            Case("/api/v1/write", &[PROTOBUF], snappy(&[0xff; 9]), 400, ""),
            Case("/api/v1/write", &[PROTOBUF], vec![0; REQUEST_BYTES + 1], 413, "limit of 4096"),
            Case("/api/v1/otlp/v1/metrics", &[PROTOBUF], vec![], 200, ""),
            Case("/api/v1/otlp/v1/metrics", &[JSON], b"{".to_vec(), 400, ""),
            Case(
                "/api/v1/otlp/v1/metrics",
                &[("content-type", "text/plain")],
                vec![],
                400,
                "supported: [application/json, application/x-protobuf]",
            ),
            Case("/api/v1/otlp/v1/metrics", &[JSON, ("content-encoding", "br")], vec![], 400, "br"),
        ],
    )
    .await;
    let (_, headers, _) = bench.post("/api/v1/write", &[PROTOBUF], &good).await;
    assert_eq!(headers["x-prometheus-remote-write-samples-written"], "1");
    assert_eq!(headers["x-prometheus-remote-write-histograms-written"], "0");
    *bench.kept.refusal.lock().expect("lock") =
        Some(Refusal::Full { what: "the write queue", retry_after_s: 1 });
    let (status, headers, _) = bench.post("/api/v1/write", &[PROTOBUF], &good).await;
    assert_eq!((status.as_u16(), headers.contains_key("retry-after")), (503, true));
    assert_eq!(bench.kept.records(), 4);
}

#[tokio::test]
async fn loki_push_takes_json_and_snappy() {
    let bench = bench(small(), super::loki, Credentials::default()).await;
    let json = br#"{"streams":[{"stream":{"app":"a"},"values":[["1700000000000000000","hello"]]}]}"#;
    check(
        &bench,
        &[
            Case("/loki/api/v1/push", &[JSON], json.to_vec(), 204, ""),
            Case("/loki/api/v1/push", &[JSON, GZIP, TENANT], gzip(json), 204, ""),
            Case("/loki/api/v1/push", &[PROTOBUF], snappy(&[]), 422, "at least one valid stream"),
            Case("/loki/api/v1/push", &[JSON], b"{".to_vec(), 400, ""),
            Case("/loki/api/v1/push", &[PROTOBUF], b"zzz".to_vec(), 400, ""),
            Case("/loki/api/v1/push", &[JSON, BAD_TENANT], json.to_vec(), 400, "tenant ID"),
            Case("/loki/api/v1/push", &[JSON, GZIP], gzip(&vec![0; 1 << 20]), 413, ""),
            Case("/loki/api/v1/push", &[("content-type", "text/plain")], json.to_vec(), 400, "snappy"),
            Case("/otlp/v1/logs", &[PROTOBUF], vec![], 200, ""),
        ],
    )
    .await;
    assert_eq!(bench.kept.records(), 2);
    *bench.kept.refusal.lock().expect("lock") =
        Some(Refusal::Full { what: "the write queue", retry_after_s: 1 });
    assert_eq!(bench.post("/loki/api/v1/push", &[JSON], json).await.0.as_u16(), 429);
}

#[tokio::test]
async fn zipkin_takes_v2_and_names_v1_as_missing() {
    let bench = bench(small(), super::zipkin, Credentials::default()).await;
    let spans =
        br#"[{"traceId":"0000000000000001","id":"0000000000000002","name":"op","timestamp":1,"duration":2}]"#;
    check(
        &bench,
        &[
            Case("/api/v2/spans", &[JSON], spans.to_vec(), 202, ""),
            Case("/api/v2/spans", &[JSON, GZIP], gzip(spans), 202, ""),
            Case("/api/v2/spans", &[], spans.to_vec(), 202, ""),
            Case("/api/v2/spans", &[JSON], b"[{".to_vec(), 400, ""),
            Case("/api/v2/spans", &[JSON, BAD_TENANT], spans.to_vec(), 400, "tenant ID"),
            Case("/api/v2/spans", &[PROTOBUF], spans.to_vec(), 415, "application/json"),
            Case("/api/v1/spans", &[JSON], spans.to_vec(), 501, "unsupported"),
        ],
    )
    .await;
    assert_eq!(bench.kept.records(), 3);
}

/// A Jaeger `Batch` of one span of `shop`, in thrift's binary protocol.
fn thrift_batch() -> Vec<u8> {
    const STRING: u8 = 11;
    const STRUCT: u8 = 12;
    const LIST: u8 = 15;
    const I32: u8 = 8;
    const I64: u8 = 10;
    let text = |id: u8, text: &str| {
        [&[STRING, 0, id, 0, 0, 0, u8::try_from(text.len()).expect("short")], text.as_bytes()].concat()
    };
    let long = |id: u8, value: i64| [&[I64, 0, id][..], &value.to_be_bytes()].concat();
    let process = [&[STRUCT, 0, 1][..], &text(1, "shop"), &[0]].concat();
    let ids = [long(1, 1), long(2, 0), long(3, 2), long(4, 0)].concat();
    let span =
        [ids, text(5, "op"), vec![I32, 0, 7, 0, 0, 0, 1], long(8, 1_000), long(9, 5), vec![0]].concat();
    [process, vec![LIST, 0, 2, STRUCT, 0, 0, 0, 1], span, vec![0]].concat()
}

#[tokio::test]
async fn jaeger_takes_thrift_and_grpc_and_answers_strategies() {
    use wire::jaeger::api_v2;
    let bench = bench(
        small(),
        |receiver| super::jaeger(receiver).merge(super::sampling(receiver)),
        Credentials::default(),
    );
    let bench = bench.await;
    let thrift = ("content-type", "application/x-thrift");
    check(
        &bench,
        &[
            Case("/api/traces", &[thrift, TENANT], thrift_batch(), 202, ""),
            Case(
                "/api/traces",
                &[("content-type", "application/vnd.apache.thrift.binary")],
                thrift_batch(),
                202,
                "",
            ),
            Case("/api/traces", &[thrift, BAD_TENANT], thrift_batch(), 400, "tenant ID"),
            Case("/api/traces", &[thrift], vec![0xff; 9], 400, ""),
            Case("/api/traces", &[], vec![], 400, "Cannot parse content type"),
            Case("/api/traces", &[JSON], vec![], 400, "Unsupported content type: application/json"),
        ],
    )
    .await;
    let span = api_v2::Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..api_v2::Span::default() };
    let process = Some(api_v2::Process { service_name: "shop".into(), ..api_v2::Process::default() });
    let batch = Some(api_v2::Batch { spans: vec![span], process });
    let request = api_v2::PostSpansRequest { batch }.encode_to_vec();
    let path = "/jaeger.api_v2.CollectorService/PostSpans";
    assert_eq!(bench.call(path, &[GRPC], &frame(0, &request)).await.1["grpc-status"], "0");
    assert_eq!(bench.call(path, &[GRPC], &frame(0, &[0xff; 9])).await.1["grpc-status"], "3");
    assert_eq!(bench.kept.records(), 3);
    let services: Vec<_> = bench
        .kept
        .spans
        .lock()
        .expect("lock")
        .iter()
        .map(|(_, batch)| batch.iter().map(|span| span.service().to_owned()).collect::<String>())
        .collect();
    assert_eq!(services, ["shop", "shop", "shop"]);
    for (query, status) in [("?service=shop", 200), ("", 400), ("?service=a&service=b", 400)] {
        let mut request = bench.request(&format!("/sampling{query}"), &[], &[]);
        *request.method_mut() = Method::GET;
        let stream = platform::net::connect(&bench.addr.to_string()).await.expect("connect");
        let (mut send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("h1");
        drop(platform::task::spawn("client", connection));
        assert_eq!(send.send_request(request).await.expect("answer").status().as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn a_door_behind_a_token_asks_for_it() {
    let credentials = Credentials { bearer_tokens: vec!["t0ken".into()], ..Credentials::default() };
    let bench = bench(small(), super::otlp, credentials).await;
    let (status, headers, _) = bench.post("/v1/traces", &[PROTOBUF], &span_request()).await;
    assert_eq!((status.as_u16(), headers.contains_key("www-authenticate")), (401, true));
    let wrong =
        bench.post("/v1/traces", &[PROTOBUF, ("authorization", "Bearer t0kem")], &span_request()).await;
    assert_eq!(wrong.0.as_u16(), 401);
    assert_eq!(bench.call(TRACE_EXPORT, &[GRPC], &frame(0, &span_request())).await.1["grpc-status"], "16");
    assert_eq!(bench.kept.records(), 0);
    let right =
        bench.post("/v1/traces", &[PROTOBUF, ("authorization", "Bearer t0ken")], &span_request()).await;
    assert_eq!((right.0.as_u16(), bench.kept.records()), (200, 1));
}

#[tokio::test]
async fn a_stopped_listener_accepts_nothing_more() {
    let bench = bench(small(), super::otlp, Credentials::default()).await;
    assert_eq!(bench.post("/v1/traces", &[PROTOBUF], &span_request()).await.0, StatusCode::OK);
    bench.stop.cancel();
    for _ in 0..100 {
        if platform::net::connect(&bench.addr.to_string()).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still accepting");
}
