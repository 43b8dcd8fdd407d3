//! Binnacle's own API.

use super::server::{Answer, Server, assert_part};
use super::world::{self, NOW_S, T0_S, TRACE};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

const API: &str = "/api/binnacle/v1";

async fn server() -> Server {
    Server::start(crate::api::router(world::state())).await
}

async fn post(server: &Server, content_type: &str, body: &str) -> Answer {
    let request = Request::post(format!("http://{}{API}/changes", server.address))
        .header("content-type", content_type)
        .body(Full::from(Bytes::copy_from_slice(body.as_bytes())));
    server.send(request.expect("a request")).await
}

#[tokio::test]
async fn services_have_red_numbers() {
    let server = server().await;
    let range = format!("start={T0_S}&end={NOW_S}");
    let answer = server.ask(&format!("GET {API}/services {range}")).await.json();
    let names: Vec<&Value> =
        answer["services"].as_array().expect("rows").iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["cart", "pay"]);
    let pay = &answer["services"][1];
    assert_part(pay, &json!({"version": "1.2.0", "pods": 0, "lastChange": null}), "pay");
    let near = |field: &str, expected: f64| {
        let found = pay[field].as_f64().unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 0.03 * expected, "{field}: {found}, not {expected}");
    };
    near("rate", 10.0);
    near("errorRatio", 0.1);
    near("p50Ms", 100.0);
    near("p95Ms", 190.0);
    assert!(pay["sparkline"].as_array().is_some_and(|points| points.len() > 10), "{pay}");
    assert_eq!(answer["services"][0]["rate"], Value::Null, "cart has no span metrics: unknown, not zero");
    assert_eq!((&answer["complete"], &answer["missing"]), (&json!(true), &json!([])));
    let one = server.ask(&format!("GET {API}/services/pay {range}")).await.json();
    assert_part(&one, &json!({"name": "pay", "versions": [{"version": "1.2.0"}], "changes": []}), "one");
    server.check(&format!("GET {API}/services/none {range}"), 404, json!({"error": {}})).await;
}

#[tokio::test]
async fn the_map_has_edges_with_numbers() {
    let server = server().await;
    let answer = server.ask(&format!("GET {API}/map start={T0_S}&end={NOW_S}&service=pay")).await.json();
    assert_eq!(
        answer["nodes"],
        json!([{"name": "cart", "kind": "service"}, {"name": "pay", "kind": "service"}])
    );
    assert_part(&answer["edges"], &json!([{"client": "cart", "server": "pay", "errorRatio": 1.0}]), "edges");
    let none = server.ask(&format!("GET {API}/map start={T0_S}&end={NOW_S}&service=x")).await.json();
    assert_eq!(none["edges"], json!([]));
}

#[tokio::test]
async fn changes_are_posted_and_listed() {
    let server = server().await;
    let body =
        json!({"kind": "deploy", "summary": "pay 1.2.0 -> 1.2.1", "service": "pay", "version": "1.2.1"});
    let created = post(&server, "application/json", &body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let expected =
        json!({"kind": "deploy", "tsMs": NOW_S * 1_000, "source": "api", "entities": [{}, {"name": "pay"}]});
    assert_part(&created.json(), &expected, "created");
    let until = format!("end={}", NOW_S + 1);
    server
        .check(&format!("GET {API}/changes {until}"), 200, json!({"changes": [{}], "complete": true}))
        .await;
    server.check(&format!("GET {API}/changes {until}&service=pay"), 200, json!({"changes": [{}]})).await;
    server.check(&format!("GET {API}/changes {until}&service=cart"), 200, json!({"changes": []})).await;
    server.check(&format!("GET {API}/changes {until}&kind=scale"), 200, json!({"changes": []})).await;
    let services = server.ask(&format!("GET {API}/services/pay {until}")).await.json();
    assert_eq!(services["lastChange"]["summary"], json!("pay 1.2.0 -> 1.2.1"));
    for (kind, body, status, field) in [
        ("application/json", "{", 400, Value::Null),
        ("application/json", r#"{"kind":"foo","service":"pay"}"#, 400, json!("kind")),
        ("application/json", r#"{"kind":"deploy","summary":"s"}"#, 400, json!("service")),
        ("text/plain", r#"{"kind":"deploy","summary":"s","service":"pay"}"#, 415, Value::Null),
        ("application/json", r#"{"kind":"deploy","summary":"full","service":"pay"}"#, 429, Value::Null),
    ] {
        let answer = post(&server, kind, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text());
        assert_eq!(answer.json()["error"].get("field").cloned().unwrap_or_default(), field, "{body}");
    }
    let huge = format!(r#"{{"kind":"deploy","summary":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(post(&server, "application/json", &huge).await.status, 413);
}

#[tokio::test]
async fn a_trace_is_a_window_of_rows() {
    let server = server().await;
    let whole = json!({
        "traceId": TRACE, "rootService": "cart", "rootName": "GET /cart", "spans": 3, "errors": 1,
        "durationNs": 300_000_000, "rowsTotal": 3,
        "services": [{"name": "cart", "spans": 2, "errors": 0}, {"name": "pay", "spans": 1, "errors": 1}],
        "rows": [
            {"depth": 0, "name": "GET /cart", "offsetNs": 0, "children": 1, "parentId": ""},
            {"depth": 1, "name": "call pay", "kind": "client"},
            {"depth": 2, "name": "POST /pay", "status": "error", "offsetNs": 20_000_000, "durationNs": 200_000_000},
        ],
    });
    server.check(&format!("GET {API}/traces/{TRACE}"), 200, whole).await;
    let window = json!({"rowsTotal": 3, "offset": 1, "rows": [{"depth": 1}]});
    server.check(&format!("GET {API}/traces/{TRACE} offset=1&limit=1"), 200, window).await;
    let span = json!({"attributes": {"http.method": "GET", "n": 3}, "resource": {"service.name": "pay"}});
    server.check(&format!("GET {API}/traces/{TRACE}/spans/3"), 200, span).await;
    server.check(&format!("GET {API}/traces/{TRACE}/spans/9"), 404, json!({"error": {}})).await;
    server.check(&format!("GET {API}/traces/abc"), 404, json!({"error": {}})).await;
    server.check(&format!("GET {API}/traces/xyz"), 400, json!({"error": {"field": "id"}})).await;
    server
        .check(&format!("GET {API}/traces/{TRACE} limit=x"), 400, json!({"error": {"field": "limit"}}))
        .await;
}

#[tokio::test]
async fn a_trace_knows_its_logs() {
    let server = server().await;
    let logs = json!({"complete": true, "logs": [{
        "line": "level=error msg=\"card refused\"", "labels": {"app": "shop"}, "spanId": "0000000000000003",
        "metadata": {"trace_id": TRACE},
    }]});
    server.check(&format!("GET {API}/traces/{TRACE}/logs"), 200, logs).await;
    server.check(&format!("GET {API}/traces/{TRACE}/logs span=1"), 200, json!({"logs": []})).await;
    server
        .check(&format!("GET {API}/traces/{TRACE}/logs limit=0"), 200, json!({"logs": [], "complete": false}))
        .await;
    server.check(&format!("GET {API}/traces/abc/logs"), 200, json!({"logs": []})).await;
}

#[tokio::test]
async fn the_api_describes_itself() {
    let server = server().await;
    server.check(&format!("GET {API}/status"), 200, json!({"version": "0.1.0", "ready": true})).await;
    server.check(&format!("GET {API}/nothing"), 404, json!({"error": {}})).await;
    server.check(&format!("GET {API}/services since=x"), 400, json!({"error": {"field": "since"}})).await;
    let document = server.ask(&format!("GET {API}/openapi.json")).await.json();
    let paths = document["paths"].as_object().expect("paths");
    for path in paths.keys() {
        let path = path.replace("{id}", TRACE).replace("{span}", "3").replace("{name}", "pay");
        let answer = server.ask(&format!("GET {API}{path}")).await;
        assert_ne!(answer.status, 404, "{path} is described but not served");
    }
    assert!(paths.len() >= 9, "{paths:?}");
}
