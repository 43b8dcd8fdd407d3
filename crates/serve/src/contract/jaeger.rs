//! Jaeger's API, v1, v3 and gRPC.

use super::server::{Server, call};
use super::world::{self, NOW_S, T0_S, TRACE};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde_json::{Value, json};
use wire::jaeger::api_v2;

async fn server() -> Server {
    Server::start(crate::jaeger::router(world::state())).await
}

#[tokio::test]
async fn v1_answers_in_its_envelope() {
    let server = server().await;
    let range = format!("start={T0_S}000000&end={NOW_S}000000");
    let cases: Vec<(String, u16, Value)> = vec![
        ("GET /api/services".into(), 200, json!({"data": ["cart", "pay"], "total": 2, "errors": null})),
        ("GET /api/services/cart/operations".into(), 200, json!({"data": ["GET /cart", "call pay"]})),
        (
            "GET /api/operations service=pay".into(),
            200,
            json!({"data": [{"name": "POST /pay", "spanKind": "server"}]}),
        ),
        ("GET /api/operations service=pay&spanKind=client".into(), 200, json!({"data": []})),
        (
            format!(
                "GET /api/traces service=pay&operation=POST /pay&limit=20&minDuration=100ms&tags={{\"http.method\":\"GET\"}}&{range}"
            ),
            200,
            json!({"data": [{"traceID": TRACE}], "errors": null}),
        ),
        (format!("GET /api/traces service=pay&maxDuration=1ms&{range}"), 200, json!({"data": []})),
        (format!("GET /api/traces service=pay&tag=http.method:PUT&{range}"), 200, json!({"data": []})),
        (format!("GET /api/traces traceID={TRACE}"), 200, json!({"data": [{"traceID": TRACE}]})),
        (
            "GET /api/traces traceID=abc".into(),
            200,
            json!({"data": [], "errors": [{"msg": "trace not found: abc"}]}),
        ),
        (
            format!("GET /api/traces/{TRACE}"),
            200,
            json!({"data": [{"traceID": TRACE, "spans": [{}, {}, {}]}]}),
        ),
        (
            format!("GET /api/dependencies endTs={NOW_S}000&lookback=600000"),
            200,
            json!({
                "data": [{"parent": "cart", "child": "cart"}, {"parent": "cart", "child": "pay", "callCount": 1}],
                "total": 0,
            }),
        ),
        (format!("GET /api/traces/{TRACE} start=1&end=2&raw=true"), 200, json!({"data": [{}], "total": 0})),
    ];
    for (request, status, expected) in cases {
        server.check(&request, status, expected).await;
    }
}

#[tokio::test]
async fn v1_refuses_in_its_envelope() {
    let server = server().await;
    let failed = |code: u16, msg: &str| json!({"data": null, "errors": [{"code": code, "msg": msg}]});
    let cases: Vec<(String, u16, Value)> = vec![
        ("GET /api/operations service=pay&spanKind=x".into(), 400, json!({"errors": [{"code": 400}]})),
        ("GET /api/operations".into(), 400, failed(400, "parameter 'service' is required")),
        ("GET /api/traces/abc".into(), 404, failed(404, "trace not found")),
        ("GET /api/traces/xyz".into(), 400, json!({"errors": [{"code": 400}]})),
        ("GET /api/traces".into(), 400, failed(400, "parameter 'service' is required")),
        ("GET /api/traces service=a&minDuration=x".into(), 400, json!({"errors": [{"code": 400}]})),
        ("GET /api/traces service=a&limit=x".into(), 400, json!({"errors": [{"code": 400}]})),
        ("GET /api/traces service=a&tag=x".into(), 400, json!({"errors": [{"code": 400}]})),
        ("GET /api/traces service=a&tags=x".into(), 400, json!({"errors": [{"code": 400}]})),
        (
            "GET /api/traces service=a&minDuration=2s&maxDuration=1s".into(),
            400,
            failed(400, "'maxDuration' should be greater than 'minDuration'"),
        ),
        (
            format!("GET /api/traces/{TRACE} start=x"),
            400,
            failed(400, "unable to parse param 'start': strconv.ParseInt: parsing \"x\": invalid syntax"),
        ),
        (format!("GET /api/traces/{TRACE} raw=x"), 400, json!({"errors": [{"code": 400}]})),
        (
            "GET /api/traces service=a&limit=0".into(),
            400,
            failed(400, "search depth must be greater than 0 and less than max traces"),
        ),
        ("GET /api/quality-metrics".into(), 501, json!({"errors": [{"code": 501}]})),
        ("GET /api/archive/abc".into(), 501, json!({"errors": [{"code": 501}]})),
    ];
    for (request, status, expected) in cases {
        server.check(&request, status, expected).await;
    }
}

#[tokio::test]
async fn v3_answers_otlp() {
    let server = server().await;
    let range = "query.startTimeMin=2023-11-14T22:13:20Z&query.startTimeMax=2023-11-14T22:23:20.5Z";
    let cases: Vec<(String, u16, Value)> = vec![
        ("GET /api/v3/services".into(), 200, json!({"services": ["cart", "pay"]})),
        (
            "GET /api/v3/operations service=pay&span_kind=server".into(),
            200,
            json!({"operations": [{"name": "POST /pay", "spanKind": "server"}]}),
        ),
        ("GET /api/v3/operations".into(), 200, json!({"operations": []})),
        (
            format!("GET /api/v3/traces query.serviceName=pay&query.searchDepth=0&{range}"),
            400,
            json!({"error": {"message": "search depth must be greater than 0 and less than max traces"}}),
        ),
        (
            format!("GET /api/v3/traces query.serviceName=pay&{range}"),
            200,
            json!({"result": {"resourceSpans": [{}, {}]}}),
        ),
        (
            format!("GET /api/v3/traces query.service_name=none&{range}"),
            404,
            json!({"error": {"httpCode": 404}}),
        ),
        ("GET /api/v3/traces query.serviceName=pay".into(), 400, json!({"error": {"httpCode": 400}})),
        (format!("GET /api/v3/traces/{TRACE}"), 200, json!({"result": {"resourceSpans": [{}, {}]}})),
        ("GET /api/v3/traces/abc".into(), 404, json!({"error": {"httpCode": 404}})),
        (format!("GET /api/v3/traces query.filter=x&{range}"), 501, json!({"error": {"httpCode": 501}})),
    ];
    for (request, status, expected) in cases {
        server.check(&request, status, expected).await;
    }
}

#[tokio::test]
async fn grpc_speaks_both_versions() {
    let server = server().await;
    let services: Vec<api_v2::GetServicesResponse> =
        call(&server, "/jaeger.api_v2.QueryService/GetServices", api_v2::GetServicesRequest {})
            .await
            .expect("services");
    assert_eq!(services[0].services, ["cart", "pay"]);
    let id: model::TraceId = TRACE.parse().expect("an id");
    let request = api_v2::GetTraceRequest { trace_id: id.0.to_vec(), ..Default::default() };
    let chunks: Vec<api_v2::SpansResponseChunk> =
        call(&server, "/jaeger.api_v2.QueryService/GetTrace", request).await.expect("a trace");
    assert_eq!(chunks.iter().map(|chunk| chunk.spans.len()).sum::<usize>(), 3);
    let query = api_v2::TraceQueryParameters { service_name: "pay".into(), ..Default::default() };
    let request = api_v2::FindTracesRequest { query: Some(query) };
    let found: Vec<api_v2::SpansResponseChunk> =
        call(&server, "/jaeger.api_v2.QueryService/FindTraces", request.clone()).await.expect("traces");
    assert_eq!(found.len(), 1);
    // The two versions' searches have the same field numbers.
    let found: Vec<TracesData> =
        call(&server, "/jaeger.api_v3.QueryService/FindTraces", request).await.expect("traces");
    assert_eq!(found[0].resource_spans.len(), 2);
    let absent = api_v2::GetTraceRequest { trace_id: vec![1], ..Default::default() };
    let error =
        call::<_, api_v2::SpansResponseChunk>(&server, "/jaeger.api_v2.QueryService/GetTrace", absent).await;
    assert_eq!(error.expect_err("no such trace").code(), tonic::Code::NotFound);
    let error = call::<_, api_v2::ArchiveTraceResponse>(
        &server,
        "/jaeger.api_v2.QueryService/ArchiveTrace",
        api_v2::ArchiveTraceRequest::default(),
    );
    assert_eq!(error.await.expect_err("no archive").code(), tonic::Code::Unimplemented);
}
