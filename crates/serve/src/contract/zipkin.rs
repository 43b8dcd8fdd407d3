//! Zipkin's query API v2.

use super::server::Server;
use super::world::{self, NOW_S, TRACE};
use serde_json::{Value, json};

#[tokio::test]
async fn calls_answer_bare_lists() {
    let server = Server::start(crate::zipkin::router(world::state())).await;
    let end = format!("endTs={NOW_S}000&lookback=600000");
    let cases: Vec<(String, u16, Value)> = vec![
        ("GET /api/v2/services".into(), 200, json!(["cart", "pay"])),
        ("GET /api/v2/spans serviceName=cart".into(), 200, json!(["GET /cart", "call pay"])),
        ("GET /api/v2/spans".into(), 400, json!("serviceName is required")),
        (format!("GET /api/v2/remoteServices serviceName=cart&{end}"), 200, json!(["pay"])),
        (format!("GET /api/v2/traces serviceName=pay&{end}"), 200, json!([[{}, {}, {}]])),
        (format!("GET /api/v2/traces serviceName=pay&minDuration=1000000&{end}"), 200, json!([])),
        (
            format!("GET /api/v2/traces annotationQuery=http.method=GET and n=3&{end}"),
            200,
            json!([[{}, {}, {}]]),
        ),
        (format!("GET /api/v2/traces annotationQuery=bare&{end}"), 501, json!("unsupported")),
        ("GET /api/v2/traces limit=0".into(), 400, json!("limit must be positive")),
        ("GET /api/v2/traces endTs=x".into(), 400, json!("endTs must be a number")),
        (format!("GET /api/v2/trace/{TRACE}"), 200, json!([{"traceId": TRACE}, {}, {}])),
        ("GET /api/v2/trace/abc".into(), 404, json!("trace not found")),
        (format!("GET /api/v2/traceMany traceIds={TRACE},abc"), 200, json!([[{}, {}, {}]])),
        ("GET /api/v2/traceMany".into(), 400, json!("traceIds")),
        (
            format!("GET /api/v2/dependencies {end}"),
            200,
            json!([{"parent": "cart", "child": "pay", "callCount": 1, "errorCount": 1}]),
        ),
        ("GET /api/v2/dependencies".into(), 400, json!("endTs is required")),
        ("GET /api/v2/autocompleteKeys".into(), 200, json!([])),
        ("GET /api/v2/autocompleteValues key=env".into(), 200, json!([])),
        ("GET /health".into(), 200, json!({"status": "UP"})),
        ("GET /zipkin/api/v2/services".into(), 200, json!(["cart", "pay"])),
        ("GET /info".into(), 501, json!("unsupported: /info")),
    ];
    for (request, status, expected) in cases {
        server.check(&request, status, expected).await;
    }
}
