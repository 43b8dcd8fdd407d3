//! The doors telemetry comes in by: one table each. What may be taken of a request is taken, the rest is refused as the
//! peer refuses it.

use super::bodies::{
    CLAIM, DEPTH, MANY, around, attributes, bomb, field, gzip, many_labels, many_members, many_stream_labels,
    nested, nested_lists, nested_objects, number, push, series, snappy, span, span_json, thrift,
    write_request, zstd,
};
use super::witness;
use crate::common::Server;
use crate::common::client::{Headers, ask};
use http::Method;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");
const THRIFT: (&str, &str) = ("content-type", "application/x-thrift");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");
const SNAPPY: (&str, &str) = ("content-encoding", "snappy");
const BROTLI: (&str, &str) = ("content-encoding", "br");
const BAD_TENANT: (&str, &str) = ("x-scope-orgid", "a/b");

/// Method, path, headers, body; the status and a part of the answer.
#[derive(Clone)]
struct Case(&'static str, &'static str, Headers<'static>, Vec<u8>, u16, &'static str);

/// Sends every case to a fresh server's door; tells of all that were answered differently.
async fn check(door: &str, cases: Vec<Case>) {
    let server = Server::start().await;
    witness::send(&server).await;
    let mut wrong = Vec::new();
    for Case(method, path, headers, body, status, part) in cases {
        let begin = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let about = format!("{method} {door} {path} {headers:?} {begin:?} of {}", body.len());
        let method: Method = method.parse().expect("a method");
        let answer = ask(server.door(door), method, path, headers, &body).await;
        let got = answer.map_or((0, "no answer".into()), |answer| (answer.status, answer.text()));
        if got.0 != status || !got.1.contains(part) {
            let text: String = got.1.chars().take(200).collect();
            wrong.push(format!("{about}: {} {text:?}, not {status} {part:?}", got.0));
        }
        witness::check(&server, &about).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{door}: at most {} MiB were resident", server.peak_rss_kib() >> 10);
    let (status, stderr) = server.stop().await;
    assert!(status.success() && !stderr.contains("ERROR"), "{stderr}");
}

/// What the three OTLP doors have in common; deep nesting and long lists differ.
fn otlp(path: &'static str, list: &str) -> Vec<Case> {
    let lists = around(&format!("{{\"{list}\":"), &nested_lists(), "}");
    let utf8 = around(&format!("{{\"{list}\":[{{\"schemaUrl\":\""), b"\xff\xfe", "\"}]}");
    vec![
        Case("POST", path, &[PROTOBUF], vec![], 200, ""),
        Case("POST", path, &[JSON], b"{}".to_vec(), 200, "partialSuccess"),
        Case("POST", path, &[JSON], vec![], 400, r#"{"code":3,"message":"#),
        Case("POST", path, &[JSON], b"{".to_vec(), 400, r#"{"code":3,"message":"#),
        Case("POST", path, &[JSON], b"[]".to_vec(), 400, r#"{"code":3,"message":"#),
        Case("POST", path, &[JSON], lists, 400, r#"{"code":3,"message":"#),
        Case("POST", path, &[JSON], nested_objects("unknown"), 200, "partialSuccess"),
        Case("POST", path, &[JSON], utf8, 400, r#"{"code":3,"message":"#),
        Case("POST", path, &[PROTOBUF], vec![0xff; 9], 400, "protobuf"),
        Case("POST", path, &[PROTOBUF], field(1, &[0xff; 9]), 400, "protobuf"),
        Case("POST", path, &[PROTOBUF], b"\x0a\xff\xff\xff\xff\x0f".to_vec(), 400, "protobuf"),
        Case("POST", path, &[PROTOBUF], nested(&[1, 1], &[1, 6, 1]), 200, ""),
        Case("POST", path, &[TEXT], b"{}".to_vec(), 415, "application/x-protobuf"),
        Case("POST", path, &[], b"{}".to_vec(), 415, "application/x-protobuf"),
        Case("POST", path, &[JSON, BROTLI], b"{}".to_vec(), 400, "br"),
        Case("POST", path, &[JSON, GZIP], b"zz".to_vec(), 400, "gzip"),
        Case("POST", path, &[JSON, GZIP], gzip(b"{}")[..8].to_vec(), 400, "gzip"),
        Case("POST", path, &[JSON, ZSTD], b"zz".to_vec(), 400, "zstd"),
        Case("POST", path, &[PROTOBUF, GZIP], bomb(gzip), 413, "decompressed body"),
        Case("POST", path, &[PROTOBUF, ZSTD], bomb(zstd), 413, "decompressed body"),
        Case("POST", path, &[JSON, GZIP], bomb(gzip), 413, r#"{"code":8"#),
        Case("POST", path, &[PROTOBUF, SNAPPY], CLAIM.to_vec(), 400, "snappy"),
        Case("POST", path, &[JSON], vec![b' '; (32 << 20) + 1], 413, r#"{"code":8"#),
        Case("POST", path, &[JSON, BAD_TENANT], b"{}".to_vec(), 400, "tenant ID"),
        Case("GET", path, &[], vec![], 405, "Method Not Allowed"),
        Case("PUT", path, &[JSON], b"{}".to_vec(), 405, "Method Not Allowed"),
        Case("POST", "/v1/nothing", &[JSON], b"{}".to_vec(), 404, "404 page not found"),
    ]
}

#[tokio::test]
async fn otlp_traces() {
    const PATH: &str = "/v1/traces";
    let id = [7; 16];
    let values = [r#"{"arrayValue":{"values":["#.repeat(DEPTH), "{}".into(), "]}}".repeat(DEPTH)]
        .concat()
        .into_bytes();
    let deep =
        around(r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":"#, &values, "}]}}]}");
    let mut cases = otlp(PATH, "resourceSpans");
    cases.extend([
        Case("POST", PATH, &[JSON], deep, 400, r#"{"code":3"#),
        Case("POST", PATH, &[PROTOBUF], nested(&[1, 2, 2, 9, 2], &[5, 1]), 400, "nesting"),
        Case("POST", PATH, &[PROTOBUF], nested(&[1, 1, 1, 2], &[6, 1, 2]), 400, "nesting"),
        Case("POST", PATH, &[PROTOBUF], span(&[], &[1; 8], &[]), 200, "valid trace id"),
        Case("POST", PATH, &[PROTOBUF], span(&id, &[], &[]), 200, "valid trace id"),
        Case("POST", PATH, &[PROTOBUF], span(&[0; 16], &[1; 8], &[]), 200, "valid trace id"),
        Case("POST", PATH, &[PROTOBUF], span(&[1; 99], &[1; 8], &[]), 200, "valid trace id"),
        Case("POST", PATH, &[PROTOBUF], span(&id, &[1; 8], &field(5, b"\xff\xfe")), 200, ""),
        Case("POST", PATH, &[PROTOBUF], span(&id, &[2; 8], &[&[0x39][..], &[0xff; 8]].concat()), 200, ""),
        Case("POST", PATH, &[PROTOBUF], span(&id, &[3; 8], &attributes(9, MANY)), 200, "4096"),
        Case(
            "POST",
            PATH,
            &[JSON],
            span_json(r#""startTimeUnixNano":"18446744073709551615","endTimeUnixNano":"0""#),
            200,
            "{}",
        ),
        Case("POST", PATH, &[JSON], span_json(r#""startTimeUnixNano":"soon""#), 400, "startTimeUnixNano"),
        Case("POST", PATH, &[JSON], span_json(r#""traceId":"zz""#), 400, "traceId"),
        Case("POST", PATH, &[JSON], span_json(r#""kind":"odd""#), 400, "kind"),
        Case(
            "POST",
            PATH,
            &[JSON],
            span_json(r#""attributes":[{"key":"a","value":{"intValue":"x"}}]"#),
            400,
            "intValue",
        ),
        Case(
            "POST",
            PATH,
            &[JSON],
            span_json(r#""attributes":[{"key":"a","value":{"doubleValue":"NaN"}}]"#),
            200,
            "{}",
        ),
    ]);
    check("otlp-http", cases).await;
}

#[tokio::test]
async fn otlp_logs() {
    const PATH: &str = "/v1/logs";
    let mut cases = otlp(PATH, "resourceLogs");
    let record = |fields: &[u8]| field(1, &field(2, &field(2, fields)));
    let body = |text: &[u8]| field(5, &field(1, text));
    cases.extend([
        Case("POST", PATH, &[PROTOBUF], nested(&[1, 2, 2, 5], &[5, 1]), 400, "nesting"),
        Case("POST", PATH, &[PROTOBUF], record(&body(b"\xff\xfe")), 200, ""),
        Case("POST", PATH, &[PROTOBUF], record(&[&[9][..], &[0xff; 8], &body(b"far")].concat()), 200, ""),
        Case("POST", PATH, &[PROTOBUF], record(&[body(b"id"), field(9, &[1; 99])].concat()), 200, ""),
        Case("POST", PATH, &[PROTOBUF], record(&attributes(6, 10_000)), 200, "4096"),
    ]);
    check("otlp-http", cases).await;
}

#[tokio::test]
async fn otlp_metrics() {
    const PATH: &str = "/v1/metrics";
    let mut cases = otlp(PATH, "resourceMetrics");
    let gauge =
        |point: &[u8]| field(1, &field(2, &field(2, &[field(1, b"g"), field(5, &field(1, point))].concat())));
    let nan = [&[0x21][..], &f64::NAN.to_le_bytes()].concat();
    let far = [&[0x19][..], &[0xff; 8]].concat();
    cases.extend([
        Case("POST", PATH, &[PROTOBUF], nested(&[1, 1, 1, 2], &[5, 1]), 400, "nesting"),
        Case("POST", PATH, &[PROTOBUF], gauge(&nan), 200, ""),
        Case("POST", PATH, &[PROTOBUF], gauge(&[far, nan].concat()), 200, ""),
        Case("POST", PATH, &[PROTOBUF], gauge(&attributes(7, 10_000)), 200, "4096"),
        Case("POST", "/api/v1/otlp/v1/metrics", &[JSON], b"{}".to_vec(), 404, "404 page not found"),
    ]);
    check("otlp-http", cases).await;
}

#[tokio::test]
async fn prometheus() {
    const PATH: &str = "/api/v1/write";
    const OTLP: &str = "/api/v1/otlp/v1/metrics";
    const V2: (&str, &str) = ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request");
    const ODD: (&str, &str) = ("content-type", "application/x-protobuf;proto");
    let up: (&[u8], &[u8]) = (b"__name__", b"up");
    let of =
        |labels: &[(&[u8], &[u8])], value: f64, ts_ms: i64| write_request(&[series(labels, value, ts_ms)]);
    let cases = vec![
        Case("POST", PATH, &[PROTOBUF, SNAPPY], of(&[up], f64::NAN, 1), 204, ""),
        Case("POST", PATH, &[PROTOBUF], vec![], 400, "snappy"),
        Case("POST", PATH, &[PROTOBUF], b"not snappy".to_vec(), 400, "snappy"),
        Case("POST", PATH, &[PROTOBUF], CLAIM.to_vec(), 400, "snappy"),
        Case("POST", PATH, &[PROTOBUF], bomb(snappy), 400, "decompressed body"),
        Case("POST", PATH, &[PROTOBUF], snappy(&[0xff; 9]), 400, "protobuf"),
        Case("POST", PATH, &[PROTOBUF], snappy(&nested(&[1], &[1])), 204, ""),
        Case("POST", PATH, &[PROTOBUF, GZIP], gzip(b""), 415, "only snappy is acceptable"),
        Case("POST", PATH, &[V2], snappy(b""), 415, "only accepts prometheus.WriteRequest"),
        Case("POST", PATH, &[ODD], snappy(b""), 415, "key-values"),
        Case("POST", PATH, &[TEXT], snappy(b""), 415, "expected application/x-protobuf"),
        Case("POST", PATH, &[PROTOBUF], of(&[], 1.0, 1), 204, ""),
        Case("POST", PATH, &[PROTOBUF], of(&[(b"job", b"a")], 1.0, 1), 204, ""),
        Case("POST", PATH, &[PROTOBUF], of(&[up, (b"", b"a")], 1.0, 1), 204, ""),
        Case("POST", PATH, &[PROTOBUF], of(&[up, (b"a", b"1"), (b"a", b"2")], 1.0, 1), 204, ""),
        Case("POST", PATH, &[PROTOBUF], of(&[up, (b"a", b"\xff")], 1.0, 1), 204, ""),
        Case("POST", PATH, &[PROTOBUF], of(&[up], 1.0, i64::MAX), 204, ""),
        Case("POST", PATH, &[PROTOBUF], of(&[up], 1.0, i64::MIN), 204, ""),
        Case("POST", PATH, &[PROTOBUF], write_request(&[many_labels()]), 204, ""),
        Case("POST", PATH, &[PROTOBUF], vec![0; (32 << 20) + 1], 413, "limit"),
        Case("POST", PATH, &[PROTOBUF, BAD_TENANT], of(&[up], 1.0, 1), 400, "tenant ID"),
        Case("GET", PATH, &[], vec![], 405, "Method Not Allowed"),
        Case("PUT", PATH, &[PROTOBUF], vec![], 405, "Method Not Allowed"),
        Case("POST", OTLP, &[PROTOBUF], vec![0xff; 9], 400, "protobuf"),
        Case("POST", OTLP, &[JSON], b"{".to_vec(), 400, "JSON"),
        Case("POST", OTLP, &[TEXT], vec![], 400, "unsupported content type: text/plain"),
        Case("POST", OTLP, &[JSON, BROTLI], b"{}".to_vec(), 400, "br"),
        Case("POST", OTLP, &[JSON, GZIP], bomb(gzip), 413, "decompressed body"),
        Case("POST", "/api/v1/read", &[PROTOBUF], snappy(b""), 501, "unsupported: remote read"),
        Case("POST", "/api/v1/nothing", &[], vec![], 404, "404 page not found"),
    ];
    check("prometheus", cases).await;
}

#[tokio::test]
async fn loki() {
    let cases = [loki_json(), loki_protobuf(witness::now_s()), loki_otlp()].concat();
    check("loki", cases).await;
}

const PUSH: &str = "/loki/api/v1/push";
const NO_STREAMS: &str = "error at least one valid stream is required for ingestion\n";

fn loki_json() -> Vec<Case> {
    const PATH: &str = PUSH;
    let entry =
        |rest: &str| format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[[{rest}]]}}]}}"#).into_bytes();
    let labels = around(r#"{"streams":[{"stream":{"#, &many_members(), r#"},"values":[["1","x"]]}]}"#);
    let metadata =
        around(r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"#, &many_members(), "}]]}]}");
    let deep = around(r#"{"streams":[{"stream":{"a":"#, &nested_lists(), "}}]}");
    vec![
        Case("POST", PATH, &[JSON], b"{}".to_vec(), 422, NO_STREAMS),
        Case("POST", PATH, &[JSON], b"null".to_vec(), 422, NO_STREAMS),
        Case("POST", PATH, &[JSON], br#"{"streams":[]}"#.to_vec(), 422, NO_STREAMS),
        Case("POST", PATH, &[JSON], br#"{"streams":null}"#.to_vec(), 422, NO_STREAMS),
        Case("POST", PATH, &[PROTOBUF], snappy(b""), 422, NO_STREAMS),
        Case("POST", PATH, &[JSON], vec![], 400, "JSON"),
        Case("POST", PATH, &[JSON], b"{".to_vec(), 400, "JSON"),
        Case("POST", PATH, &[JSON], b"[]".to_vec(), 400, "JSON"),
        Case("POST", PATH, &[JSON], nested_objects("streams"), 400, "JSON"),
        Case("POST", PATH, &[JSON], nested_objects("unknown"), 422, NO_STREAMS),
        Case("POST", PATH, &[JSON], deep, 400, "JSON"),
        Case("POST", PATH, &[JSON], entry(r#""soon","x""#), 400, "soon"),
        Case("POST", PATH, &[JSON], entry(r#"1,"x""#), 400, "expected a string"),
        Case("POST", PATH, &[JSON], entry(r#""1",5"#), 400, "expected a string"),
        Case("POST", PATH, &[JSON], entry(r#""1","x",{"k":{}}"#), 400, "expected a string"),
        Case("POST", PATH, &[JSON], entry(r#""1","x",5"#), 400, "expected an object"),
        Case("POST", PATH, &[JSON], entry(r#""99999999999999999999","x""#), 400, "nanoseconds"),
        Case("POST", PATH, &[JSON], entry(r#""9223372036854775807","x""#), 204, ""),
        Case("POST", PATH, &[JSON], entry(r#""-9223372036854775808","x""#), 204, ""),
        Case("POST", PATH, &[JSON], around("", &entry("\"1\",\"\u{1}\"")[..], ""), 400, "JSON"),
        Case("POST", PATH, &[JSON], labels, 400, "labels of one stream"),
        Case("POST", PATH, &[JSON], metadata, 400, "structured metadata"),
        Case("POST", PATH, &[TEXT], b"x".to_vec(), 400, "snappy"),
        Case("POST", PATH, &[], snappy(b""), 400, "mime: no media type"),
        Case("POST", PATH, &[JSON, BROTLI], b"{}".to_vec(), 400, "br"),
        Case("POST", PATH, &[JSON, GZIP], b"zz".to_vec(), 400, "gzip"),
        Case("POST", PATH, &[JSON, GZIP], bomb(gzip), 413, "decompressed body"),
        Case("POST", PATH, &[JSON, ZSTD], bomb(zstd), 413, "decompressed body"),
        Case("POST", PATH, &[PROTOBUF, GZIP], b"zz".to_vec(), 400, "snappy"),
        Case("POST", PATH, &[JSON], vec![b' '; (32 << 20) + 1], 413, "limit"),
        Case("POST", PATH, &[JSON, BAD_TENANT], b"{}".to_vec(), 400, "tenant ID"),
        Case("GET", PATH, &[], vec![], 405, ""),
        Case("PUT", PATH, &[JSON], vec![], 405, ""),
    ]
}

fn loki_protobuf(now_s: i64) -> Vec<Case> {
    const PATH: &str = PUSH;
    vec![
        Case("POST", PATH, &[PROTOBUF], vec![], 400, "snappy"),
        Case("POST", PATH, &[PROTOBUF], b"not snappy".to_vec(), 400, "snappy"),
        Case("POST", PATH, &[PROTOBUF], CLAIM.to_vec(), 400, "snappy"),
        Case("POST", PATH, &[PROTOBUF], bomb(snappy), 413, "decompressed body"),
        Case("POST", PATH, &[PROTOBUF], snappy(&[0xff; 9]), 400, "protobuf"),
        Case(
            "POST",
            PATH,
            &[PROTOBUF],
            push(b"{", now_s, b"x"),
            400,
            "couldn't parse labels: 1:2: parse error",
        ),
        Case(
            "POST",
            PATH,
            &[PROTOBUF],
            push(b"{a=\"\xff\"}", now_s, b"x"),
            400,
            "1:4: parse error: invalid UTF-8 rune",
        ),
        Case("POST", PATH, &[PROTOBUF], push(b"{a-b=\"\"}", now_s, b"x"), 400, "couldn't parse labels: 1:3"),
        Case(
            "POST",
            PATH,
            &[PROTOBUF],
            push(&many_stream_labels(), now_s, b"x"),
            400,
            "labels of one stream",
        ),
        Case("POST", PATH, &[PROTOBUF], push(b"{a=\"b\"}", i64::MAX, b"x"), 204, ""),
        Case("POST", PATH, &[PROTOBUF], push(b"{a=\"b\"}", i64::MIN, b"x"), 204, ""),
        Case("POST", PATH, &[PROTOBUF], push(b"{a=\"b\"}", now_s, b"\xff\xfe"), 204, ""),
    ]
}

fn loki_otlp() -> Vec<Case> {
    const OTLP: &str = "/otlp/v1/logs";
    vec![
        Case("POST", OTLP, &[JSON], b"{".to_vec(), 400, ""),
        Case("POST", OTLP, &[PROTOBUF], vec![0xff; 9], 400, ""),
        Case("POST", OTLP, &[TEXT], vec![], 400, "content type: text/plain is not supported"),
        Case("POST", OTLP, &[JSON, BROTLI], b"{}".to_vec(), 400, ""),
        Case("POST", OTLP, &[PROTOBUF, GZIP], bomb(gzip), 413, ""),
        Case("POST", "/loki/api/v1/nothing", &[JSON], b"{}".to_vec(), 404, "404 page not found"),
    ]
}

#[tokio::test]
async fn zipkin() {
    const PATH: &str = "/api/v2/spans";
    let tags = around(r#"[{"traceId":"1","id":"3","tags":{"#, &many_members(), "}}]");
    let cases = vec![
        Case("POST", PATH, &[JSON], b"[]".to_vec(), 202, ""),
        Case("POST", PATH, &[JSON], vec![], 400, "Expected a JSON_V2 encoded list"),
        Case("POST", PATH, &[JSON], b"{}".to_vec(), 400, "Expected a JSON_V2 encoded list"),
        Case("POST", PATH, &[JSON], b"[{}]".to_vec(), 400, "traceId"),
        Case("POST", PATH, &[JSON], b"[{".to_vec(), 400, "Malformed reading List<Span> from json"),
        Case("POST", PATH, &[JSON], b"[{\"traceId\":\"\xff\"}]".to_vec(), 400, "Malformed"),
        Case("POST", PATH, &[JSON], br#"[{"traceId":"zz","id":"1"}]"#.to_vec(), 400, "lower-hex"),
        Case("POST", PATH, &[JSON], br#"[{"traceId":"","id":"1"}]"#.to_vec(), 400, ""),
        Case("POST", PATH, &[JSON], br#"[{"traceId":"1","id":"0"}]"#.to_vec(), 400, "zeros"),
        Case(
            "POST",
            PATH,
            &[JSON],
            br#"[{"traceId":"1","id":"2","timestamp":9223372036854775807,"duration":9223372036854775807}]"#
                .to_vec(),
            202,
            "",
        ),
        Case("POST", PATH, &[JSON], br#"[{"traceId":"1","id":"2","timestamp":-5}]"#.to_vec(), 202, ""),
        Case("POST", PATH, &[JSON], nested_lists(), 400, "Malformed"),
        Case("POST", PATH, &[JSON], around("[", &nested_objects("tags"), "]"), 400, "Malformed"),
        Case("POST", PATH, &[JSON], tags, 413, "4096"),
        Case("POST", PATH, &[JSON, GZIP], b"zz".to_vec(), 400, "gzip"),
        Case("POST", PATH, &[JSON, GZIP], bomb(gzip), 413, "decompressed body"),
        Case("POST", PATH, &[JSON, BROTLI], b"[]".to_vec(), 400, "br"),
        Case("POST", PATH, &[PROTOBUF], b"[]".to_vec(), 415, "application/json"),
        Case("POST", PATH, &[JSON], vec![b' '; (32 << 20) + 1], 413, "limit"),
        Case("POST", PATH, &[JSON, BAD_TENANT], b"[]".to_vec(), 400, "tenant ID"),
        Case("POST", "/api/v1/spans", &[JSON], b"[]".to_vec(), 501, "unsupported: Zipkin v1"),
        Case("PUT", PATH, &[JSON], b"[]".to_vec(), 405, "Method Not Allowed"),
        Case("POST", "/api/v2/nothing", &[JSON], b"[]".to_vec(), 404, "404 page not found"),
    ];
    check("zipkin", cases).await;
}

#[tokio::test]
async fn jaeger_thrift() {
    const PATH: &str = "/api/traces";
    let bad_text = [&[thrift::STRING, 0, 1, 0, 0, 0, 2][..], b"\xff\xfe"].concat();
    let deep = [thrift::STRUCT, 0, 9].repeat(DEPTH);
    let many = [&[thrift::LIST, 0, 2, thrift::STRUCT, 0x7f, 0xff, 0xff, 0xff][..], &[0; 64]].concat();
    let cases = vec![
        Case("POST", PATH, &[THRIFT], thrift::batch(&[]), 202, ""),
        Case("POST", PATH, &[THRIFT], thrift::batch(&thrift::long(8, i64::MAX)), 202, ""),
        Case("POST", PATH, &[THRIFT], thrift::batch(&thrift::long(9, i64::MIN)), 202, ""),
        Case("POST", PATH, &[THRIFT], vec![], 400, "thrift"),
        Case("POST", PATH, &[THRIFT], vec![0], 400, "Required field Process is not set"),
        Case("POST", PATH, &[THRIFT], vec![0xff; 9], 400, "thrift"),
        Case("POST", PATH, &[THRIFT], vec![thrift::STRING, 0, 1, 0x7f, 0xff, 0xff, 0xff], 400, "thrift"),
        Case("POST", PATH, &[THRIFT], vec![thrift::STRING, 0, 1, 0xff, 0xff, 0xff, 0xff], 400, "thrift"),
        Case("POST", PATH, &[THRIFT], many, 400, "thrift"),
        Case("POST", PATH, &[THRIFT], deep, 400, "nesting"),
        Case("POST", PATH, &[THRIFT], [&[thrift::STRUCT, 0, 1][..], &bad_text, &[0, 0]].concat(), 202, ""),
        Case("POST", PATH, &[], vec![], 400, "Cannot parse content type: mime: no media type"),
        Case("POST", PATH, &[JSON], b"{}".to_vec(), 400, "Unsupported content type: application/json"),
        Case("POST", PATH, &[THRIFT, GZIP], b"zz".to_vec(), 400, "gzip"),
        Case("POST", PATH, &[THRIFT, GZIP], bomb(gzip), 413, "decompressed body"),
        Case("POST", PATH, &[THRIFT], vec![0; (32 << 20) + 1], 413, "limit"),
        Case("POST", PATH, &[THRIFT, BAD_TENANT], thrift::batch(&[]), 400, "tenant ID"),
        Case("GET", PATH, &[], vec![], 405, ""),
        Case("POST", "/api/nothing", &[THRIFT], vec![], 404, "404 page not found"),
        Case("GET", "/api/sampling", &[], vec![], 400, "'service' parameter must be provided once"),
        Case("POST", "/api/sampling?service=a", &[], number(1, 1), 405, ""),
    ];
    check("jaeger-thrift", cases).await;
}
