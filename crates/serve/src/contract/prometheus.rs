//! Prometheus' API: the calls that Grafana, Kiali, Flagger, promtool and the adapter make, and what they send wrong.

use super::server::Server;
use super::world::{self, NOW_S, T0_S};
use serde_json::{Value, json};

async fn server() -> Server {
    Server::start(crate::prometheus::router(world::state())).await
}

async fn check_all(cases: &[(&str, u16, Value)]) {
    let server = server().await;
    for (request, status, expected) in cases {
        server.check(request, *status, expected.clone()).await;
    }
}

fn bad(error: &str) -> Value {
    json!({"status": "error", "errorType": "bad_data", "error": error})
}

#[tokio::test]
async fn queries_answer_in_the_envelope() {
    let vector = |value: &str, at: Value| json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [at, value]}]}});
    let shop_200 = json!({"code": "200", "instance": "a:1", "job": "shop"});
    check_all(&[
        ("GET /api/v1/query query=1+1&time=4", 200, json!({"data": {"resultType": "scalar", "result": [4, "2"]}})),
        ("GET /api/v1/query query=vector(1)", 200, vector("1", json!(NOW_S))),
        ("POST /api/v1/query query=vector(1)&time=4.5", 200, vector("1", json!(4.5))),
        ("GET /api/v1/query query=\"text\"&time=1", 200, json!({"data": {"resultType": "string", "result": [1, "text"]}})),
        (
            "POST /api/v1/query query=sum(http_requests_total)&time=2023-11-14T22:23:20Z",
            200,
            vector("660", json!(NOW_S)),
        ),
        (
            "GET /api/v1/query query=http_requests_total{code=\"200\"} + 0",
            200,
            json!({"data": {"resultType": "vector", "result": [{"metric": shop_200, "value": [NOW_S, "600"]}]}}),
        ),
        ("GET /api/v1/query query=1/0&time=0", 200, json!({"data": {"result": [0, "+Inf"]}})),
        ("GET /api/v1/query query=absent_metric", 200, json!({"data": {"resultType": "vector", "result": []}})),
        ("GET /api/v1/query query=1&time=0&stats=all", 200, json!({"data": {"stats": {"timings": {}, "samples": {}}}})),
        ("GET /api/v1/query query=http_requests_total&lookback_delta=1s&time=1700000605", 200, json!({"data": {"result": []}})),
    ])
    .await;
}

#[tokio::test]
async fn range_queries_answer_matrices() {
    let range = |rest: &str| format!("GET /api/v1/query_range {rest}");
    let server = server().await;
    let times = format!("start={T0_S}&end={}&step=15", T0_S + 30);
    server
        .check(
            &range(&format!("query=http_requests_total{{code=\"200\"}}&{times}")),
            200,
            json!({"status": "success", "data": {"resultType": "matrix", "result": [{
                "metric": {"__name__": "http_requests_total"},
                "values": [[T0_S, "0"], [T0_S + 15, "15"], [T0_S + 30, "30"]],
            }]}}),
        )
        .await;
    let limited = range(&format!("query=http_requests_total&limit=1&{times}"));
    let expected = json!({"data": {"result": [{}]}, "warnings": ["results truncated due to limit"]});
    server.check(&limited, 200, expected).await;
    let cases = [
        (
            "query=1&start=10&end=1&step=1",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "query=1&start=1&end=2&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "query=1&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "query=1&start=x&end=2&step=1",
            "invalid parameter \"start\": cannot parse \"x\" to a valid timestamp",
        ),
        ("query=1&start=1&end=2", "invalid parameter \"step\": cannot parse \"\" to a valid duration"),
    ];
    for (rest, error) in cases {
        server.check(&range(rest), 400, bad(error)).await;
    }
    server
        .check(&range("query=1&start=0&end=11000&step=1"), 200, json!({"data": {"resultType": "matrix"}}))
        .await;
}

#[tokio::test]
async fn mistakes_get_the_peers_words() {
    check_all(&[
        (
            "GET /api/v1/query query=sum(",
            400,
            bad("invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"),
        ),
        (
            "GET /api/v1/query query=1&time=x",
            400,
            bad("invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp"),
        ),
        (
            "GET /api/v1/query query=1&timeout=x",
            400,
            bad("invalid parameter \"timeout\": cannot parse \"x\" to a valid duration"),
        ),
        (
            "GET /api/v1/query query=1&limit=-1",
            400,
            bad("invalid parameter \"limit\": limit must be non-negative"),
        ),
        (
            "GET /api/v1/query query=1&lookback_delta=x",
            400,
            bad("error parsing lookback delta duration: cannot parse \"x\" to a valid duration"),
        ),
        ("GET /api/v1/series", 400, bad("no match[] parameter provided")),
        (
            "GET /api/v1/series match[]={a=\"\"}",
            400,
            bad("invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"),
        ),
        ("GET /api/v1/labels match[]=(", 400, json!({"errorType": "bad_data"})),
        ("GET /api/v1/labels start=2&end=1", 200, json!({"data": []})),
        ("GET /api/v1/label/job/values start=2&end=1", 200, json!({"data": []})),
        ("GET /api/v1/series match[]={job=\"shop\"}&start=2&end=1", 200, json!({"data": []})),
        (
            "GET /api/v1/query_exemplars query=a&start=2&end=1",
            400,
            bad("end timestamp must not be before start timestamp"),
        ),
        ("GET /api/v1/query_exemplars query=(", 400, bad("1:2: parse error: unclosed left parenthesis")),
        ("GET /api/v1/query_exemplars query=1", 204, json!("")),
        ("GET /api/v1/metadata limit=x", 400, bad("limit must be a number")),
        ("GET /api/v1/targets/metadata limit=x", 400, bad("limit must be a number")),
        ("GET /api/v1/status/tsdb limit=x", 400, bad("limit must be a positive number")),
        ("GET /api/v1/rules type=foo", 400, bad("invalid parameter \"type\": not supported value \"foo\"")),
        ("GET /api/v1/rules exclude_alerts=x", 400, json!({"errorType": "bad_data"})),
        (
            "GET /api/v1/query query=http_requests_total*on(job)http_requests_total",
            422,
            json!({"errorType": "execution"}),
        ),
        (
            "POST /api/v1/admin/tsdb/snapshot",
            501,
            json!({
                "errorType": "unavailable",
                "error": "unsupported: /api/v1/admin/tsdb/snapshot is not implemented by Binnacle",
            }),
        ),
        ("POST /api/v1/read", 501, json!("unsupported: remote read")),
        ("GET /api/v1/notifications", 501, json!({"status": "error", "errorType": "unavailable"})),
        ("GET /api/v1/openapi.yaml", 501, json!({"status": "error"})),
        ("GET /api/v1/search/metric_names", 501, json!({"status": "error"})),
    ])
    .await;
}

#[tokio::test]
async fn series_calls_list_names_and_values() {
    check_all(&[
        (
            "GET /api/v1/labels match[]=http_requests_total",
            200,
            json!({"data": ["__name__", "code", "instance", "job"]}),
        ),
        ("POST /api/v1/labels match[]=odd", 200, json!({"data": []})),
        ("GET /api/v1/label/code/values", 200, json!({"data": ["200", "500"]})),
        (
            "GET /api/v1/label/code/values limit=1",
            200,
            json!({"data": ["200"], "warnings": ["results truncated due to limit"]}),
        ),
        ("GET /api/v1/label/U__http_2e_method/values", 200, json!({"data": ["GET"]})),
        ("GET /api/v1/label/code/values start=0&end=1", 200, json!({"data": []})),
        (
            "GET /api/v1/series match[]=http_requests_total{code=\"500\"}&match[]={code=\"200\"}",
            200,
            json!({"status": "success", "data": [{"instance": "a:1"}, {"instance": "b:1"}]}),
        ),
        ("POST /api/v1/series match[]=nothing_here", 200, json!({"data": []})),
        (
            "POST /api/v1/series match[]={job=\"shop\"}&limit=1",
            200,
            json!({"data": [{}], "warnings": ["results truncated due to limit"]}),
        ),
        (
            "GET /api/v1/metadata",
            200,
            json!({"data": {"http_requests": [{"type": "counter", "help": "Requests.", "unit": ""}]}}),
        ),
        ("GET /api/v1/metadata limit=0", 200, json!({"status": "success", "data": {}})),
        ("GET /api/v1/metadata metric=other", 200, json!({"status": "success", "data": {}})),
        (
            &format!("POST /api/v1/query_exemplars query=http_requests_total&start={T0_S}&end={NOW_S}"),
            200,
            json!({"status": "success", "data": []}),
        ),
        ("GET /api/v1/format_query query=sum(a)by(b)", 200, json!({"data": "sum by (b) (a)"})),
        ("GET /api/v1/parse_query query=1", 200, json!({"data": {"type": "numberLiteral", "val": "1"}})),
        ("GET /api/v1/format_query query=(", 400, json!({"errorType": "bad_data"})),
    ])
    .await;
}

#[tokio::test]
async fn status_calls_describe_the_server() {
    check_all(&[
        (
            "GET /api/v1/targets",
            200,
            json!({"data": {
                "activeTargets": [{
                    "labels": {"instance": "a:1"}, "scrapePool": "shop", "scrapeUrl": "http://a:1/metrics",
                    "health": "up", "lastScrape": "2023-11-14T22:23:20Z", "scrapeInterval": "15s", "lastError": "",
                }],
                "droppedTargets": [{"discoveredLabels": {"__address__": "c:1"}}],
                "droppedTargetCounts": {"shop": 2},
            }}),
        ),
        ("GET /api/v1/targets state=dropped", 200, json!({"data": {"activeTargets": []}})),
        ("GET /api/v1/targets scrapePool=x", 200, json!({"data": {"activeTargets": [], "droppedTargets": []}})),
        (
            "GET /api/v1/targets/metadata match_target={job=\"shop\"}",
            200,
            json!({"data": [{"target": {"job": "shop"}, "metric": "http_requests", "type": "counter"}]}),
        ),
        ("GET /api/v1/scrape_pools", 200, json!({"data": {"scrapePools": ["shop"]}})),
        ("GET /api/v1/rules", 200, json!({"data": {"groups": []}})),
        ("GET /api/v1/alerts", 200, json!({"data": {"alerts": []}})),
        ("GET /api/v1/status/config", 200, json!({"data": {"yaml": "global:\n  scrape_interval: 15s\n"}})),
        ("GET /api/v1/status/runtimeinfo", 200, json!({"data": {"storageRetention": "15d", "startTime": "2023-11-14T22:13:20Z"}})),
        ("GET /api/v1/status/flags", 200, json!({"data": {"data": "/data"}})),
        ("GET /api/v1/status/walreplay", 200, json!({"data": {"current": 0}})),
        ("GET /api/v1/status/tsdb limit=1", 200, json!({"data": {"headStats": {}, "seriesCountByMetricName": [{"value": 3}]}})),
        ("GET /api/v1/status/tsdb limit=0", 400, json!({"errorType": "bad_data"})),
        ("GET /-/ready", 200, json!("Ready")),
        ("GET /-/healthy", 200, json!("Healthy")),
        ("HEAD /-/ready", 200, json!("")),
        ("GET /version", 200, json!({"version": "3.15.0"})),
        ("GET /api/v1/targets state=foo", 200, json!({"data": {"activeTargets": [], "droppedTargetCounts": null}})),
        ("GET /api/v1/nothing", 404, json!("")),
    ])
    .await;
    let info = server().await.ask("GET /api/v1/status/buildinfo").await.json();
    assert!(info["data"]["version"].as_str().is_some_and(|version| version.starts_with("3.")), "{info}");
    assert!(info["data"].get("features").is_none(), "Grafana would take us for Mimir");
}

#[tokio::test]
async fn federation_is_text() {
    let server = server().await;
    let answer = server.ask("GET /federate match[]=http_requests_total&match[]={\"odd.name\"}").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let ms = NOW_S * 1_000;
    let expected = format!(
        "# TYPE http_requests_total untyped\n\
         http_requests_total{{code=\"200\",instance=\"a:1\",job=\"shop\"}} 600 {ms}\n\
         http_requests_total{{code=\"500\",instance=\"b:1\",job=\"shop\"}} 60 {ms}\n\
         # TYPE odd_name untyped\n\
         odd_name{{http_method=\"GET\",instance=\"\"}} 40 {ms}\n"
    );
    assert_eq!(answer.text(), expected);
    server.check("GET /federate match[]=(", 400, json!("parse error")).await;
}

#[tokio::test]
async fn browsers_and_proxies_are_served() {
    let server = server().await;
    let preflight = server.ask_with("OPTIONS /api/v1/query", &[("origin", "http://grafana")]).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), "http://grafana");
    let bare = server.ask("OPTIONS /api/v1/labels").await;
    assert_eq!((bare.status.as_u16(), bare.header("access-control-allow-origin")), (204, ""));
    let gzip =
        server.ask_with("GET /api/v1/series match[]={job=\"shop\"}", &[("accept-encoding", "gzip")]).await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let tenant = server.ask_with("GET /api/v1/query query=1", &[("x-scope-orgid", "a/b")]).await;
    assert_eq!((tenant.status.as_u16(), tenant.json()["errorType"].as_str()), (400, Some("bad_data")));
}
