//! HTTP between the services: a layer that continues the caller's trace, and a client that passes it on.

use crate::fault::FaultState;
use crate::metrics::{Metrics, RequestLabels};
use crate::telemetry::{self, in_span};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::context::FutureExt;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longest wait for another service.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// What every service's router shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) faults: FaultState,
    pub(crate) metrics: Metrics,
}

/// Adds tracing, metrics and faults to `routes`, and the doors every service has.
pub(crate) fn instrument(routes: Router, shared: &Shared) -> Router {
    let doors = Router::new()
        .route("/metrics", get(metrics).with_state(shared.metrics.clone()))
        .route("/healthz", get(async || "ok"))
        .route("/admin/faults", post(crate::fault::set).with_state(shared.faults.clone()));
    routes.layer(axum::middleware::from_fn_with_state(shared.clone(), trace)).merge(doors)
}

async fn metrics(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.render())
}

async fn trace(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let route =
        request.extensions().get::<MatchedPath>().map_or(path.clone(), |route| route.as_str().to_owned());
    let grpc = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/grpc");
    let name = if grpc { route.trim_start_matches('/').to_owned() } else { format!("{method} {route}") };
    let parent = telemetry::extract(&Headers(request.headers()));
    let attributes = vec![
        KeyValue::new("http.request.method", method.clone()),
        KeyValue::new("http.route", route.clone()),
        KeyValue::new("url.path", path),
    ];
    let context = telemetry::open(name, SpanKind::Server, attributes, &parent);
    let (response, ids) = async {
        let response = if shared.faults.suffer().await {
            next.run(request).await
        } else {
            telemetry::error("request failed: worker pool exhausted", json!({"route": route}));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        };
        (response, telemetry::ids())
    }
    .with_context(context.clone())
    .await;
    let status = response.status();
    context.span().set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    let grpc_failed = response.headers().get("grpc-status").is_some_and(|status| status != "0");
    if status.is_server_error() || grpc_failed {
        context.span().set_status(Status::error(format!("answered {status}")));
    }
    context.span().end();
    let labels = RequestLabels { route, method, status: status.as_u16() };
    shared.metrics.observe(&labels, start.elapsed(), ids.map(|(trace_id, _)| trace_id));
    response
}

/// HTTP headers as a propagation carrier.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// HTTP headers that take the context along.
pub(crate) struct HeadersMut<'a>(pub(crate) &'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

/// A client of the other services.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base_port: u16,
}

impl Http {
    /// A client for the shop whose first port is `base_port`.
    pub(crate) fn new(base_port: u16) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base_port }
    }

    /// Calls `service` and reads its JSON answer; anything but 2xx is an error.
    pub(crate) async fn call(
        &self,
        service: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let port = crate::services::port(service, self.base_port);
        let attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("peer.service", service.to_owned()),
            KeyValue::new("server.address", service.to_owned()),
            KeyValue::new("url.full", format!("http://{service}{path}")),
        ];
        in_span(method.to_owned(), SpanKind::Client, attributes, async |context| {
            let mut request = http::Request::builder()
                .method(method)
                .uri(format!("http://127.0.0.1:{port}{path}"))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body.to_string())))
                .map_err(|error| error.to_string())?;
            telemetry::inject(&mut HeadersMut(request.headers_mut()));
            let answer = tokio::time::timeout(CALL_TIMEOUT, self.client.request(request))
                .await
                .map_err(|_| format!("{service} did not answer within {} s", CALL_TIMEOUT.as_secs()))?
                .map_err(|error| format!("{service}: {error}"))?;
            let status = answer.status();
            context
                .span()
                .set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
            let bytes = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
            if !status.is_success() {
                return Err(format!("{service} answered {status}"));
            }
            Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
        })
        .await
    }
}

/// A handler's failure as an answer: logged once, told to the caller as 502.
pub(crate) fn failed(what: &str, error: &str) -> Response {
    telemetry::error(what, json!({"error": error}));
    (StatusCode::BAD_GATEWAY, Body::from(format!("{what}: {error}\n"))).into_response()
}
