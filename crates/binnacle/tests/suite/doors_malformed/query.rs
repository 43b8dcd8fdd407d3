//! The doors questions come by: bad parameters, paths that are not there, methods that are not meant, and texts nested
//! deeper than anybody writes. Each answers in its peer's shape.

use super::bodies::DEPTH;
use super::witness;
use crate::common::Server;
use crate::common::client::{Answer, Headers, ask, encode};
use http::Method;
use serde_json::Value;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BAD_TENANT: (&str, &str) = ("x-scope-orgid", "a/b");

/// How a peer prints its errors.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// `{"status":"error","errorType":...,"error":...}`
    Prometheus,
    /// A sentence.
    Text,
    /// `{"data":null,...,"errors":[{"code":...,"msg":...}]}`
    JaegerV1,
    /// `{"error":{"httpCode":...,"message":...}}`
    JaegerV3,
    /// `{"error":{"message":...}}`
    Own,
}

impl Shape {
    /// The message, when the answer has this shape.
    fn message(self, answer: &Answer) -> Option<String> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let json = || serde_json::from_slice::<Value>(&answer.body).ok();
        let code = i64::from(answer.status);
        match self {
            Self::Text => answer.header("content-type").starts_with("text/plain").then(|| answer.text()),
            Self::Prometheus => {
                let json =
                    json().filter(|json| json["status"] == "error" && json["errorType"].is_string())?;
                text(&json["error"])
            }
            Self::JaegerV1 => {
                let json =
                    json().filter(|json| json["data"].is_null() && json["errors"][0]["code"] == code)?;
                text(&json["errors"][0]["msg"])
            }
            Self::JaegerV3 => {
                let json = json().filter(|json| json["error"]["httpCode"] == code)?;
                text(&json["error"]["message"])
            }
            Self::Own => text(&json()?["error"]["message"]),
        }
    }
}

/// Method and path, parameters, headers; status, shape and a part of the message.
struct Case<'a>(&'a str, &'a str, Headers<'a>, u16, Shape, &'a str);

async fn check(server: &Server, door: &str, cases: Vec<Case<'_>>) {
    let mut wrong = Vec::new();
    for Case(line, params, headers, status, shape, part) in cases {
        let (method, path) = line.split_once(' ').expect("method and path");
        let pairs: Vec<(&str, &str)> = params.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let (path, body) = if headers.contains(&FORM) {
            (path.to_owned(), encode(&pairs))
        } else if pairs.is_empty() {
            (path.to_owned(), String::new())
        } else {
            (format!("{path}?{}", encode(&pairs)), String::new())
        };
        let method: Method = method.parse().expect("a method");
        let shown: String = params.chars().take(80).collect();
        let about = format!("{door} {line} {shown}");
        match ask(server.door(door), method, &path, headers, body.as_bytes()).await {
            None => wrong.push(format!("{about}: no answer")),
            Some(answer) => {
                let message = shape.message(&answer);
                if answer.status != status || !message.is_some_and(|message| message.contains(part)) {
                    let text: String = answer.text().chars().take(200).collect();
                    wrong.push(format!(
                        "{about}: {} {text:?}, not {status} {shape:?} {part:?}",
                        answer.status
                    ));
                }
            }
        }
    }
    witness::check(server, door).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn prometheus_answers_in_its_envelope() {
    use Shape::{Prometheus as P, Text as T};
    let server = Server::start().await;
    witness::send(&server).await;
    let parens = format!("query={}", "(".repeat(DEPTH));
    let signs = format!("query={}1", "-".repeat(DEPTH));
    let braces = format!("query=up{}", "{a=\"b\"}".repeat(1000));
    let long = format!("query={}", "1+".repeat(3_000_000));
    let large = format!("query={}", "1".repeat(11 << 20));
    let query = "GET /api/v1/query";
    let range = "GET /api/v1/query_range";
    let cases = vec![
        Case(query, "", &[], 400, P, "no expression found in input"),
        Case(query, "query=up{", &[], 400, P, "parse error: unexpected end of input inside braces"),
        Case(query, "query=up&time=zz", &[], 400, P, "cannot parse \"zz\" to a valid timestamp"),
        Case(query, "query=up&timeout=-1s", &[], 400, P, "to a valid duration"),
        Case(query, "query=up&limit=abc", &[], 400, P, "invalid syntax"),
        Case(query, "query=up&time=1e400", &[], 400, P, "to a valid timestamp"),
        Case("POST /api/v1/query", &parens, &[FORM], 400, P, "parse error"),
        Case("POST /api/v1/query", &signs, &[FORM], 400, P, "parse error"),
        Case("POST /api/v1/query", &braces, &[FORM], 400, P, "parse error"),
        Case("POST /api/v1/query", &long, &[FORM], 400, P, ""),
        Case("POST /api/v1/query", &large, &[FORM], 400, P, "form"),
        Case(range, "query=up&start=0&end=9999999999&step=1", &[], 400, P, "exceeded maximum resolution"),
        Case(range, "query=up&start=5&end=1&step=1", &[], 400, P, "end timestamp must not be before"),
        Case(range, "query=up&start=0&end=1&step=-1", &[], 400, P, "zero or negative query resolution"),
        Case(range, "query=up&start=0&end=1&step=NaN", &[], 400, P, "step"),
        Case(query, "query=up", &[BAD_TENANT], 400, P, "tenant ID"),
        Case("GET /api/v1/series", "", &[], 400, P, "no match[] parameter provided"),
        Case("GET /api/v1/series", "match[]={", &[], 400, P, "parse error"),
        Case("GET /api/v1/labels", "match[]=(", &[], 400, P, "parse error"),
        Case(
            "GET /api/v1/query_exemplars",
            "query=up&start=5&end=1",
            &[],
            400,
            P,
            "end timestamp must not be before",
        ),
        Case("GET /api/v1/label/%ff/values", "", &[], 400, P, "UTF-8"),
        Case("GET /api/v1/label/a/values", "limit=-1", &[], 400, P, "limit must be non-negative"),
        Case("GET /api/v1/query_exemplars", "query=(", &[], 400, P, "parse error"),
        Case("GET /api/v1/format_query", "query=(", &[], 400, P, "unclosed left parenthesis"),
        Case("GET /api/v1/parse_query", "query=(", &[], 400, P, "unclosed left parenthesis"),
        Case("GET /api/v1/metadata", "limit=x", &[], 400, P, "limit"),
        Case("GET /api/v1/status/tsdb", "limit=x", &[], 400, P, "limit"),
        Case("GET /federate", "match[]=(", &[], 400, T, "parse error"),
        Case("GET /api/v1/nothing", "", &[], 404, T, "404 page not found"),
        Case("GET /nothing", "", &[], 404, T, "404 page not found"),
        Case("PUT /api/v1/query", "query=1", &[], 405, T, "Method Not Allowed"),
        Case("POST /api/v1/targets", "", &[], 405, T, "Method Not Allowed"),
    ];
    check(&server, "prometheus", cases).await;
}

#[tokio::test]
async fn loki_answers_in_plain_text() {
    use Shape::Text as T;
    let server = Server::start().await;
    witness::send(&server).await;
    let parens = format!("query={}vector(1)", "(".repeat(DEPTH));
    let pipes = format!("query={{a=\"b\"}}{}", " | json".repeat(100_000));
    let query = "GET /loki/api/v1/query";
    let range = "GET /loki/api/v1/query_range";
    let cases = vec![
        Case(query, "", &[], 400, T, "parse error : syntax error: unexpected $end"),
        Case(query, "query={", &[], 400, T, "parse error at line 1, col 2"),
        Case(query, "query={}", &[], 400, T, "at least one regexp or equality matcher"),
        Case(query, "query={a=\"b\"}", &[], 400, T, "log queries are not supported as an instant query"),
        Case(query, "query=vector(1)&time=zz", &[], 400, T, "zz"),
        Case("POST /loki/api/v1/query", &parens, &[FORM], 400, T, "parse error"),
        Case("POST /loki/api/v1/query_range", &pipes, &[FORM], 400, T, ""),
        Case(range, "query={a=\"b\"}&limit=-1", &[], 400, T, "limit must be a positive value"),
        Case(range, "query={a=\"b\"}&limit=99999", &[], 400, T, "max entries limit per query exceeded"),
        Case(range, "query={a=\"b\"}&direction=up", &[], 400, T, "invalid direction 'up'"),
        Case(range, "query={a=\"b\"}&step=-1", &[], 400, T, "zero or negative query resolution"),
        Case(range, "query={a=\"b\"}&start=5&end=1", &[], 400, T, "end timestamp must not be before"),
        Case(range, "query={a=\"b\"}&start=zz", &[], 400, T, "could not parse 'start' parameter"),
        Case(range, "query={a=\"b\"}", &[BAD_TENANT], 400, T, "tenant ID"),
        Case("GET /loki/api/v1/labels", "start=zz", &[], 400, T, "could not parse 'start' parameter"),
        Case("GET /loki/api/v1/label/a/values", "query={", &[], 400, T, "parse error"),
        Case("GET /loki/api/v1/series", "match[]={", &[], 400, T, "parse error"),
        Case("GET /loki/api/v1/index/stats", "", &[], 400, T, "parse error"),
        Case("GET /loki/api/v1/index/volume", "query={", &[], 400, T, "parse error"),
        Case("GET /loki/api/v1/detected_fields", "", &[], 400, T, "parse error"),
        Case("GET /loki/api/v1/tail", "", &[], 400, T, "parse error"),
        Case("GET /loki/api/v1/tail", "query={a=\"b\"}&delay_for=9", &[], 400, T, "delay_for"),
        Case("GET /loki/api/v1/tail", "query={a=\"b\"}", &[], 400, T, ""),
        Case("GET /loki/api/v1/nothing", "", &[], 404, T, "404 page not found"),
        Case("DELETE /loki/api/v1/query", "query=1", &[], 405, T, ""),
    ];
    check(&server, "loki", cases).await;
}

#[tokio::test]
async fn tempo_and_zipkin_answer_in_plain_text() {
    use Shape::Text as T;
    let server = Server::start().await;
    witness::send(&server).await;
    let parens = format!("q={}", "(".repeat(10_000));
    let long_id = format!("GET /api/traces/{}", "1".repeat(40));
    let cases = vec![
        Case("GET /api/search", "q={", &[], 400, T, "invalid TraceQL query"),
        Case("GET /api/search", &parens, &[], 400, T, "invalid TraceQL query"),
        Case("GET /api/search", "q={}&limit=zz", &[], 400, T, "limit"),
        Case("GET /api/search", "q={}&start=5&end=1", &[], 400, T, "start"),
        Case("GET /api/search", "minDuration=zz", &[], 400, T, "minDuration"),
        Case("GET /api/search", "q={}", &[BAD_TENANT], 400, T, "tenant ID"),
        Case("GET /api/traces/zz", "", &[], 400, T, "trace id"),
        Case(&long_id, "", &[], 400, T, "trace id"),
        Case("GET /api/v2/traces/%ff", "", &[], 400, T, ""),
        Case("GET /api/traces/1", "", &[], 404, T, "trace not found"),
        Case("GET /api/v2/search/tags", "scope=odd", &[], 400, T, "scope"),
        Case("GET /api/v2/search/tag/resource.a/values", "q={", &[], 400, T, ""),
        Case("GET /api/metrics/query_range", "", &[], 400, T, "q"),
        Case(
            "GET /api/metrics/query_range",
            "q={}|rate()&start=0&end=99999999&step=1s",
            &[],
            400,
            T,
            "intervals",
        ),
        Case("GET /api/nothing", "", &[], 404, T, "404 page not found"),
        Case("POST /api/search", "", &[], 405, T, ""),
    ];
    check(&server, "tempo", cases).await;
    let cases = vec![
        Case("GET /api/v2/spans", "", &[], 400, T, "serviceName"),
        Case("GET /api/v2/traces", "limit=0", &[], 400, T, "limit"),
        Case("GET /api/v2/traces", "endTs=zz", &[], 400, T, "endTs"),
        Case("GET /api/v2/traces", "serviceName=a", &[BAD_TENANT], 400, T, "tenant ID"),
        Case("GET /api/v2/trace/zz", "", &[], 400, T, ""),
        Case("GET /api/v2/trace/1", "", &[], 404, T, "trace not found"),
        Case("GET /api/v2/traceMany", "", &[], 400, T, "traceIds"),
        Case("GET /api/v2/dependencies", "", &[], 400, T, "endTs"),
        Case("GET /api/v2/nothing", "", &[], 404, T, "404 page not found"),
        Case("DELETE /api/v2/services", "", &[], 405, T, "Method Not Allowed"),
    ];
    check(&server, "zipkin", cases).await;
}

#[tokio::test]
async fn jaeger_and_our_own_answer_in_json() {
    use Shape::{JaegerV1 as V1, JaegerV3 as V3, Own, Text as T};
    let server = Server::start().await;
    witness::send(&server).await;
    let deep = format!("service=a&tags={}", "{\"a\":".repeat(1_000));
    let cases = vec![
        Case("GET /api/traces", "", &[], 400, V1, "parameter 'service' is required"),
        Case("GET /api/traces", "service=a&start=zz", &[], 400, V1, "unable to parse param 'start'"),
        Case("GET /api/traces", "service=a&limit=zz", &[], 400, V1, "invalid syntax"),
        Case(
            "GET /api/traces",
            "service=a&minDuration=zz",
            &[],
            400,
            V1,
            "unable to parse param 'minDuration'",
        ),
        Case(
            "GET /api/traces",
            "service=a&minDuration=2s&maxDuration=1s",
            &[],
            400,
            V1,
            "'maxDuration' should be greater",
        ),
        Case("GET /api/traces", "service=a&tag=x", &[], 400, V1, "malformed 'tag' parameter"),
        Case("GET /api/traces", "service=a&tags=zz", &[], 400, V1, "malformed 'tags' parameter"),
        Case("GET /api/traces", &deep, &[], 400, V1, "malformed 'tags' parameter"),
        Case("GET /api/traces", "traceID=zz", &[], 400, V1, "trace"),
        Case("GET /api/traces/zz", "", &[], 400, V1, "trace"),
        Case("GET /api/traces/%ff", "", &[], 400, V1, ""),
        Case("GET /api/traces/1", "", &[], 404, V1, "trace not found"),
        Case("GET /api/dependencies", "endTs=zz", &[], 400, V1, "unable to parse param 'endTs'"),
        Case("GET /api/services", "", &[BAD_TENANT], 400, V1, "tenant ID"),
        Case("GET /api/v3/traces", "", &[], 400, V3, "required"),
        Case("GET /api/v3/traces/zz", "", &[], 400, V3, "trace"),
        Case("GET /api/v3/traces/1", "", &[], 404, V3, "race"),
        Case("GET /api/v3/operations", "service=a", &[BAD_TENANT], 400, V3, "tenant ID"),
        Case("GET /api/nothing", "", &[], 404, T, "404 page not found"),
        Case("DELETE /api/services", "", &[], 405, T, "Method Not Allowed"),
    ];
    check(&server, "jaeger-query", cases).await;
    let own = "/api/binnacle/v1";
    let (services, trace, changes, nothing) = (
        format!("GET {own}/services"),
        format!("GET {own}/traces/zz"),
        format!("POST {own}/changes"),
        format!("GET {own}/nothing"),
    );
    let cases = vec![
        Case(&services, "start=zz", &[], 400, Own, "zz"),
        Case(&services, "since=zz", &[], 400, Own, "duration"),
        Case(&trace, "", &[], 400, Own, ""),
        Case(&changes, "", &[FORM], 415, Own, "application/json"),
        Case(&changes, "", &[("content-type", "application/json")], 400, Own, "the body is no change"),
        Case(&nothing, "", &[], 404, Own, ""),
        Case("GET /prometheus/api/v1/nothing", "", &[], 404, T, "404 page not found"),
        Case("GET /loki/nothing", "", &[], 404, T, "404 page not found"),
        Case("GET /alertmanager/api/v2/alerts", "", &[], 501, T, "unsupported"),
        Case("POST /nothing", "", &[], 405, T, ""),
    ];
    check(&server, "ui", cases).await;
}
