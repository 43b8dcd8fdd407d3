//! Tempo's API: the calls that Grafana's data source and Traces Drilldown make, and what they send wrong.

use super::server::{Server, assert_part, call};
use super::world::{self, NOW_S, T0_S, TRACE};
use prost::Message;
use serde_json::{Value, json};
use wire::tempo::{Trace, TraceByIdResponse};

async fn server() -> Server {
    Server::start(crate::tempo::router(world::state())).await
}

#[tokio::test]
async fn traces_come_by_id() {
    let server = server().await;
    let protobuf = [("accept", "application/protobuf")];
    let v2 = server.ask_with(&format!("GET /api/v2/traces/{TRACE}"), &protobuf).await;
    assert_eq!(v2.header("content-type"), "application/protobuf");
    let message = TraceByIdResponse::decode(v2.body).expect("a message");
    assert_eq!((message.status, message.trace.expect("a trace").resource_spans.len()), (0, 2));
    let v1 = server.ask_with(&format!("GET /api/traces/{TRACE} start={T0_S}&end={NOW_S}"), &protobuf).await;
    assert_eq!(Trace::decode(v1.body).expect("a trace").resource_spans.len(), 2);
    let text = server.ask(&format!("GET /api/v2/traces/{TRACE}")).await.json();
    let span = &text["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_part(span, &json!({"traceId": "CvdlGRbNQ92ESOshHIAxnA==", "kind": "SPAN_KIND_SERVER"}), "v2 JSON");
    server.check(&format!("GET /api/traces/{TRACE}"), 200, json!({"batches": [{}, {}]})).await;
    server.check("GET /api/traces/abc", 404, json!("trace not found")).await;
    server.check("GET /api/v2/traces/abc", 404, json!("trace not found")).await;
    server.check("GET /api/traces/xyz", 400, json!("invalid trace id")).await;
}

#[tokio::test]
async fn searches_answer_summaries() {
    let found = json!({"traces": [{
        "traceID": TRACE, "rootServiceName": "cart", "rootTraceName": "GET /cart", "durationMs": 300,
        "startTimeUnixNano": format!("{}000000000", NOW_S - 60),
        "spanSets": [{"matched": 1, "spans": [{"spanID": "0000000000000003", "durationNanos": "200000000"}]}],
        "serviceStats": {"cart": {"spanCount": 2}, "pay": {"spanCount": 1, "errorCount": 1}},
    }]});
    let server = server().await;
    let cases: Vec<(String, u16, Value)> = vec![
        ("GET /api/search q={ status = error }".into(), 200, found.clone()),
        (format!("GET /api/search q={{status=error}}&start={T0_S}&end={NOW_S}&limit=20&spss=3"), 200, found),
        ("GET /api/search tags=service.name=pay&minDuration=100ms".into(), 200, json!({"traces": [{}]})),
        ("GET /api/search tags=service.name=pay&minDuration=1s".into(), 200, json!({"traces": []})),
        (
            "GET /api/search".into(),
            200,
            json!({"traces": [{}], "metrics": {"completedJobs": 1, "totalJobs": 1}}),
        ),
        ("GET /api/search q={".into(), 400, json!("invalid TraceQL query: parse error")),
        ("GET /api/search q={}&limit=0".into(), 400, json!("invalid limit")),
        ("GET /api/search q={}&tags=a=b".into(), 400, json!("can't specify tags and q")),
        ("GET /api/search q={}&start=2&end=1".into(), 400, json!("start must be before end")),
        ("GET /api/search q={}&start=x".into(), 400, json!("invalid start")),
        ("GET /api/search tags=a".into(), 400, json!("invalid tags")),
        ("GET /api/search minDuration=x".into(), 400, json!("invalid minDuration")),
        ("GET /api/echo".into(), 200, json!("echo")),
        ("GET /api/status/buildinfo".into(), 200, json!({"version": "3.0.0"})),
        ("GET /api/overrides".into(), 501, json!("unsupported")),
        ("GET /ready".into(), 200, json!("ready")),
    ];
    for (request, status, expected) in cases {
        server.check(&request, status, expected).await;
    }
}

#[tokio::test]
async fn tags_and_values_in_both_versions() {
    let server = server().await;
    let v1 = server.ask("GET /api/search/tags").await.json();
    assert_eq!(v1["tagNames"], json!(["http.method", "n", "service.name", "service.version"]));
    let v2 = server.ask("GET /api/v2/search/tags scope=resource").await.json();
    assert_eq!(v2["scopes"], json!([{"name": "resource", "tags": ["service.name", "service.version"]}]));
    server.check("GET /api/v2/search/tags scope=other", 400, json!("invalid scope")).await;
    let values = json!({"tagValues": ["cart", "pay"]});
    server.check("GET /api/search/tag/service.name/values", 200, values).await;
    let typed =
        json!({"tagValues": [{"type": "string", "value": "cart"}, {"type": "string", "value": "pay"}]});
    server.check("GET /api/v2/search/tag/resource.service.name/values", 200, typed).await;
    let filtered = json!({"tagValues": [{"type": "string", "value": "pay"}]});
    server.check("GET /api/v2/search/tag/resource.service.name/values q={status=error}", 200, filtered).await;
}

#[tokio::test]
async fn metrics_answer_series() {
    let server = server().await;
    let range = format!("start={T0_S}&end={NOW_S}&step=600s");
    let answer =
        server.ask(&format!("GET /api/metrics/query_range q={{}} | count_over_time()&{range}")).await.json();
    let samples = answer["series"][0]["samples"].as_array().expect("samples");
    let total: f64 = samples.iter().filter_map(|sample| sample["value"].as_f64()).sum();
    assert!((total - 3.0).abs() < 1e-9, "{answer}");
    assert!(samples[0]["timestampMs"].is_string());
    let answer =
        server.ask("GET /api/metrics/query q={status=error} | count_over_time()&since=1h").await.json();
    assert_eq!(answer["series"][0]["value"], json!(1.0), "{answer}");
    for (request, text) in [
        ("GET /api/metrics/query_range q={}", "invalid TraceQL query"),
        ("GET /api/metrics/query_range", "invalid q"),
        ("GET /api/metrics/query_range q={}|rate()&step=x", "invalid step"),
        ("GET /api/metrics/query_range q={}|rate()&start=1&end=99999&step=1s", "intervals"),
    ] {
        server.check(request, 400, json!(text)).await;
    }
}

/// A request of the streaming service: every method's fields that are used here, by their numbers.
#[derive(Clone, PartialEq, Message)]
struct TagsRequest {
    #[prost(string, tag = "1")]
    scope_or_tag: String,
    #[prost(string, tag = "2")]
    query: String,
}

#[derive(Clone, PartialEq, Message)]
struct MetricsRequest {
    #[prost(string, tag = "1")]
    query: String,
    #[prost(uint64, tag = "2")]
    start_ns: u64,
    #[prost(uint64, tag = "3")]
    end_ns: u64,
    #[prost(uint64, tag = "4")]
    step_ns: u64,
}

#[tokio::test]
async fn tags_stream() {
    let server = server().await;
    let ask = |scope_or_tag: &str, query: &str| TagsRequest {
        scope_or_tag: scope_or_tag.into(),
        query: query.into(),
    };
    let v1: Vec<wire::tempo::SearchTagsResponse> =
        call(&server, "/tempopb.StreamingQuerier/SearchTags", ask("", "")).await.expect("tags");
    assert_eq!(v1[0].tag_names, ["http.method", "n", "service.name", "service.version"]);
    assert_eq!(v1[0].metrics.map(|metrics| (metrics.completed_jobs, metrics.total_jobs)), Some((1, 1)));
    let v2: Vec<wire::tempo::SearchTagsV2Response> =
        call(&server, "/tempopb.StreamingQuerier/SearchTagsV2", ask("resource", "")).await.expect("tags");
    let scopes: Vec<_> = v2[0].scopes.iter().map(|scope| (scope.name.as_str(), scope.tags.clone())).collect();
    assert_eq!(scopes, [("resource", vec!["service.name".to_owned(), "service.version".to_owned()])]);
    let values: Vec<wire::tempo::SearchTagValuesResponse> =
        call(&server, "/tempopb.StreamingQuerier/SearchTagValues", ask("service.name", ""))
            .await
            .expect("values");
    assert_eq!(values[0].tag_values, ["cart", "pay"]);
    let request = ask("resource.service.name", "{ status = error }");
    let values: Vec<wire::tempo::SearchTagValuesV2Response> =
        call(&server, "/tempopb.StreamingQuerier/SearchTagValuesV2", request).await.expect("values");
    let values: Vec<_> = values[0].tag_values.iter().map(|v| (v.r#type.as_str(), v.value.as_str())).collect();
    assert_eq!(values, [("string", "pay")]);
    let bad: Result<Vec<wire::tempo::SearchTagsResponse>, _> =
        call(&server, "/tempopb.StreamingQuerier/SearchTags", ask("other", "")).await;
    assert_eq!(bad.expect_err("no such scope").code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn metrics_stream() {
    let server = server().await;
    let ns = |seconds: i64| u64::try_from(seconds).expect("positive") * 1_000_000_000;
    let ask = |query: &str, step_ns| MetricsRequest {
        query: query.into(),
        start_ns: ns(T0_S),
        end_ns: ns(NOW_S),
        step_ns,
    };
    let range: Vec<wire::tempo::QueryRangeResponse> =
        call(&server, "/tempopb.StreamingQuerier/MetricsQueryRange", ask("{} | count_over_time()", ns(600)))
            .await
            .expect("series");
    let total: f64 = range[0].series[0].samples.iter().map(|sample| sample.value).sum();
    assert!((total - 3.0).abs() < 1e-9, "{range:?}");
    assert_eq!((range[0].status, range[0].metrics.map(|m| m.inspected_spans)), (0, Some(3)));
    let instant: Vec<wire::tempo::QueryInstantResponse> = call(
        &server,
        "/tempopb.StreamingQuerier/MetricsQueryInstant",
        ask("{ status = error } | count_over_time() by (resource.service.name)", 0),
    )
    .await
    .expect("series");
    let series = &instant[0].series[0];
    assert!((series.value - 1.0).abs() < 1e-9, "{instant:?}");
    assert_eq!(series.labels[0].key, "resource.service.name");
    for (query, step_ns) in [("{} | rate()", 1), ("{}", 0), ("{", 0)] {
        let bad: Result<Vec<wire::tempo::QueryRangeResponse>, _> =
            call(&server, "/tempopb.StreamingQuerier/MetricsQueryRange", ask(query, step_ns)).await;
        assert_eq!(bad.expect_err(query).code(), tonic::Code::InvalidArgument, "{query}");
    }
}
