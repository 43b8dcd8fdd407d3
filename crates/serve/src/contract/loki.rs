//! Loki's API: the calls that Grafana's data source, Logs Drilldown and logcli make, and what they send wrong.

use super::server::Server;
use super::world::{self, NOW_S, T0_S, TRACE};
use futures::{SinkExt, StreamExt};
use model::{LogBatch, Tenant};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

async fn server() -> Server {
    Server::start(crate::loki::router(world::state())).await
}

fn range() -> String {
    format!("start={T0_S}000000000&end={NOW_S}000000000")
}

#[tokio::test]
async fn log_queries_answer_streams() {
    let server = server().await;
    let ask = |rest: &str| format!("GET /loki/api/v1/query_range {rest}&{}", range());
    let newest = format!("{}000000000", T0_S + 20);
    server
        .check(
            &ask("query={level=\"info\"}&limit=1"),
            200,
            json!({"status": "success", "data": {"resultType": "streams", "result": [{
                "stream": {"app": "shop", "level": "info"},
                "values": [[newest, "level=info msg=\"order 2\" took=2ms"]],
            }], "stats": {"summary": {}}}}),
        )
        .await;
    server
        .check(&ask("query={app=\"none\"}"), 200, json!({"data": {"resultType": "streams", "result": []}}))
        .await;
    let forward = ask("query={level=\"info\"} |= \"order\"&direction=forward");
    let answer = server.ask(&forward).await.json();
    let lines = answer["data"]["result"][0]["values"].as_array().expect("values");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0][0], format!("{T0_S}000000000"));
}

#[tokio::test]
async fn templates_read_the_clock() {
    let query = r#"{level="info"} | line_format "{{ now | unixEpoch }}""#;
    let request = format!("GET /loki/api/v1/query_range query={query}&limit=1&{}", range());
    let answer = server().await.ask(&request).await.json();
    assert_eq!(answer["data"]["result"][0]["values"][0][1], json!(NOW_S.to_string()));
}

#[tokio::test]
async fn metadata_and_parsed_labels_come_apart_when_asked() {
    let server = server().await;
    let request = format!("GET /loki/api/v1/query_range query={{level=\"error\"}} | logfmt&{}", range());
    let merged = server.ask(&request).await.json();
    let stream = &merged["data"]["result"][0]["stream"];
    assert_eq!((stream["trace_id"].as_str(), stream["msg"].as_str()), (Some(TRACE), Some("card refused")));
    let flags = [("x-loki-response-encoding-flags", "categorize-labels")];
    let apart = server.ask_with(&request, &flags).await.json();
    assert_eq!(apart["data"]["encodingFlags"], json!(["categorize-labels"]));
    assert_eq!(apart["data"]["result"][0]["stream"], json!({"app": "shop", "level": "error"}));
    let categories = &apart["data"]["result"][0]["values"][0][2];
    assert_eq!(categories["structuredMetadata"]["trace_id"], json!(TRACE));
    assert_eq!(categories["parsed"]["msg"], json!("card refused"));
}

#[tokio::test]
async fn metric_queries_answer_vectors_and_matrices() {
    let server = server().await;
    let vector = |value: &str| json!({"data": {"resultType": "vector", "result": [{"metric": {}, "value": [NOW_S, value]}]}});
    let cases: Vec<(String, u16, Value)> = vec![
        (format!("GET /loki/api/v1/query query=vector(1)+vector(1)&time={NOW_S}000000000"), 200, vector("2")),
        ("POST /loki/api/v1/query query=sum(count_over_time({app=\"shop\"}[10m]))".into(), 200, vector("3")),
        (
            format!(
                "GET /loki/api/v1/query_range query=sum(count_over_time({{app=\"shop\"}}[5m]))&step=300&{}",
                range()
            ),
            200,
            json!({"data": {"resultType": "matrix"}}),
        ),
        (
            format!("GET /loki/api/v1/query_range query=vector(1)&step=300&{}", range()),
            200,
            json!({"data": {"result": [{"values": [
                [T0_S - 200, "1"], [T0_S + 100, "1"], [T0_S + 400, "1"], [T0_S + 700, "1"]
            ]}]}}),
        ),
        (
            "GET /loki/api/v1/query query={app=\"shop\"}".into(),
            400,
            json!("not supported as an instant query"),
        ),
    ];
    for (request, status, expected) in cases {
        server.check(&request, status, expected).await;
    }
}

#[tokio::test]
async fn stream_calls_answer_in_their_shapes() {
    let server = server().await;
    let cases: Vec<(String, Value)> = vec![
        (
            format!("GET /loki/api/v1/labels {}", range()),
            json!({"status": "success", "data": ["app", "level"]}),
        ),
        (format!("GET /loki/api/v1/label/level/values {}", range()), json!({"data": ["error", "info"]})),
        (
            format!("GET /loki/api/v1/label/level/values query={{level=\"info\"}}&{}", range()),
            json!({"data": ["info"]}),
        ),
        (
            format!("POST /loki/api/v1/series match[]={{level=\"error\"}}&{}", range()),
            json!({"data": [{"app": "shop", "level": "error"}]}),
        ),
        (
            format!("GET /loki/api/v1/index/stats query={{app=\"shop\"}}&{}", range()),
            json!({"streams": 2, "entries": 4}),
        ),
        (
            format!("GET /loki/api/v1/index/volume query={{app=\"shop\"}}&{}", range()),
            json!({"data": {"resultType": "vector", "result": [{"metric": {"app": "shop"}}]}}),
        ),
        (
            format!("GET /loki/api/v1/index/volume_range query={{app=\"shop\"}}&step=60&{}", range()),
            json!({"data": {"resultType": "matrix"}}),
        ),
        (
            format!("GET /loki/api/v1/detected_labels {}", range()),
            json!({"detectedLabels": [{"label": "app"}, {"label": "level"}]}),
        ),
        (
            "GET /loki/api/v1/format_query query={a=\"b\"}|=\"c\"".into(),
            json!({"status": "success", "data": "{a=\"b\"} |= \"c\""}),
        ),
        (
            format!("GET /loki/api/v1/format_query query={{a=\"b\"}}|=\"{0}\"|=\"{0}\"", "c".repeat(60)),
            json!({"data": format!("{{a=\"b\"}}\n  |= \"{0}\" |= \"{0}\"", "c".repeat(60))}),
        ),
        ("GET /loki/api/v1/status/buildinfo".into(), json!({"version": "3.7.0"})),
        ("GET /loki/api/v1/drilldown-limits".into(), json!({"limits": {"volume_enabled": true}})),
        ("GET /ready".into(), json!("ready")),
    ];
    for (request, expected) in cases {
        server.check(&request, 200, expected).await;
    }
    let fields = server
        .ask(&format!("GET /loki/api/v1/detected_fields query={{app=\"shop\"}}&{}", range()))
        .await
        .json();
    let labels: Vec<&str> = fields["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .filter_map(|field| field["label"].as_str())
        .collect();
    assert!(labels.contains(&"msg") && labels.contains(&"trace_id"), "{fields}");
    let values = server
        .ask(&format!("GET /loki/api/v1/detected_field/took/values query={{app=\"shop\"}}&{}", range()))
        .await;
    assert_eq!(values.json()["values"], json!(["0ms", "1ms", "2ms"]));
}

#[tokio::test]
async fn mistakes_are_plain_text() {
    let server = server().await;
    let cases = [
        ("GET /loki/api/v1/query_range query={", 400, "parse error"),
        ("GET /loki/api/v1/query_range", 400, "parse error"),
        ("GET /loki/api/v1/query_range query={a=\"b\"}&limit=0", 400, "limit must be a positive value"),
        (
            "GET /loki/api/v1/query_range query={a=\"b\"}&limit=5001",
            400,
            "max entries limit per query exceeded",
        ),
        (
            "GET /loki/api/v1/query_range query={a=\"b\"}&start=x",
            400,
            "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "GET /loki/api/v1/query_range query={a=\"b\"}&limit=x",
            400,
            "strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            "GET /loki/api/v1/query_range query={a=\"b\"}&step=x",
            400,
            "cannot parse \"x\" to a valid duration",
        ),
        (
            "GET /loki/api/v1/query_range query={a=\"b\"}|unwrap x",
            400,
            "col 9: syntax error: unexpected unwrap",
        ),
        ("GET /loki/api/v1/index/stats query={a=\"b\"}|=\"x\"", 400, "only label matchers are supported"),
        ("GET /loki/api/v1/series match[]=", 400, "parse error : syntax error: unexpected $end"),
        (
            "GET /loki/api/v1/query_range query={a=\"b\"}&start=2&end=1",
            400,
            "end timestamp must not be before",
        ),
        ("GET /loki/api/v1/query_range query={a=\"b\"}&step=0", 400, "zero or negative query resolution"),
        ("GET /loki/api/v1/query_range query={a=\"b\"}&direction=up", 400, "invalid direction"),
        ("GET /loki/api/v1/patterns query={a=\"b\"}", 501, "unsupported"),
        ("GET /loki/api/v1/delete", 501, "unsupported"),
        ("GET /api/prom/label/app/values", 501, "unsupported"),
        ("GET /config", 501, "unsupported"),
    ];
    for (request, status, text) in cases {
        server.check(request, status, json!(text)).await;
        let answer = server.ask(request).await;
        assert!(answer.header("content-type").starts_with("text/plain"), "{request}");
        assert!(status != 400 || !answer.text().ends_with('\n'), "{request}");
    }
    let format = server.ask("GET /loki/api/v1/format_query").await;
    let expected = json!({"status": "invalid-query", "error": "parse error : syntax error: unexpected $end"});
    assert_eq!((format.status.as_u16(), format.json()), (400, expected));
    let tenant = server.ask_with("GET /loki/api/v1/labels", &[("x-scope-orgid", "..")]).await;
    assert_eq!(tenant.status, 400);
    let other =
        server.ask_with(&format!("GET /loki/api/v1/labels {}", range()), &[("x-scope-orgid", "b")]).await;
    assert_eq!(other.json()["data"], json!([]), "another tenant sees nothing");
}

#[tokio::test]
async fn tail_sends_the_past_then_what_arrives() {
    let state = world::state();
    let live = state.live.clone();
    let server = Server::start(crate::loki::router(state)).await;
    server.check("GET /loki/api/v1/tail query={app=\"shop\"}", 400, json!("")).await;
    let query = "query=%7Blevel%3D%22error%22%7D";
    let url = format!("ws://{}/loki/api/v1/tail?{query}&limit=10&start={T0_S}", server.address);
    let stream = platform::net::connect(&server.address.to_string()).await.expect("a connection");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("an upgrade");
    let mut next = async || {
        let frame = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("in time");
        let text = frame.expect("a frame").expect("no error").into_text().expect("text");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let past = next().await;
    assert_eq!(past["streams"][0]["values"][0][1], json!("level=error msg=\"card refused\""));
    live.publish(&Tenant::new("other").expect("a tenant"), Arc::new(world::lines()));
    let mut batch = LogBatch::default();
    batch.push_stream(model::Labels::from_pairs([("level", "error")]));
    batch.push_entry(NOW_S * 1_000_000_000, "now", [], Default::default());
    live.publish(&Tenant::default(), Arc::new(batch));
    let present = next().await;
    let expected = json!({"streams": [{"stream": {"level": "error"}, "values": [[format!("{NOW_S}000000000"), "now"]]}]});
    assert_eq!(present, expected);
    socket.send(Message::Close(None)).await.expect("a close");
}
