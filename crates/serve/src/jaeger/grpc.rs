//! Jaeger's gRPC query services, `jaeger.api_v2.QueryService` and `jaeger.api_v3.QueryService`, as HTTP/2 routes.

use super::api_v3 as v3;
use super::failure::Cause;
use super::find::{self, TRACES_DEFAULT, TRACES_MAX};
use crate::State;
use crate::gate::RunError;
use crate::rpc::{Context, Messages, messages, streaming, unary, unimplemented};
use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::routing::{any, post};
use model::{ScanError, SpanBatch, SpanKind, TraceId};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use query::jaeger::TraceQuery;
use tonic::Status;
use wire::jaeger::api_v2 as v2;
use wire::jaeger::encode_api_v2;
use wire::otlp::encode_trace;

/// Spans of one message of a v2 answer.
const SPANS_PER_MESSAGE: usize = 500;

const NS_PER_S: i64 = 1_000_000_000;

/// Both services.
pub(crate) fn router(state: State) -> Router {
    macro_rules! call {
        ($shape:ident, $method:path) => {
            post(|Extract(state): Extract<State>, request: Request| $shape(state, request, $method))
        };
    }
    Router::new()
        .route("/jaeger.api_v2.QueryService/GetTrace", call!(streaming, get_trace_v2))
        .route("/jaeger.api_v2.QueryService/FindTraces", call!(streaming, find_traces_v2))
        .route("/jaeger.api_v2.QueryService/GetServices", call!(unary, services_v2))
        .route("/jaeger.api_v2.QueryService/GetOperations", call!(unary, operations_v2))
        .route("/jaeger.api_v2.QueryService/GetDependencies", call!(unary, dependencies_v2))
        .route("/jaeger.api_v2.QueryService/{method}", any(unimplemented))
        .route("/jaeger.api_v3.QueryService/GetTrace", call!(streaming, get_trace_v3))
        .route("/jaeger.api_v3.QueryService/FindTraces", call!(streaming, find_traces_v3))
        .route("/jaeger.api_v3.QueryService/GetServices", call!(unary, services_v3))
        .route("/jaeger.api_v3.QueryService/GetOperations", call!(unary, operations_v3))
        .route("/jaeger.api_v3.QueryService/{method}", any(unimplemented))
        .with_state(state)
}

impl From<Cause> for Status {
    fn from(cause: Cause) -> Self {
        let message = cause.to_string();
        match cause {
            Cause::Call(_) | Cause::Parameter(_) => Self::invalid_argument(message),
            Cause::NotFound => Self::not_found(message),
            Cause::Unsupported(_) => Self::unimplemented(message),
            Cause::Scan(ScanError::Canceled) => Self::cancelled(message),
            Cause::Scan(ScanError::Timeout) | Cause::Run(RunError::TimedOut(_)) => {
                Self::deadline_exceeded(message)
            }
            Cause::Scan(ScanError::TooMuch { .. }) | Cause::Run(RunError::QueueFull(_)) => {
                Self::resource_exhausted(message)
            }
            Cause::Scan(ScanError::Storage(_)) | Cause::Run(RunError::Lost) => Self::internal(message),
        }
    }
}

fn time_ns(time: Option<v2::Timestamp>) -> Option<i64> {
    time.map(|time| time.seconds.saturating_mul(NS_PER_S).saturating_add(i64::from(time.nanos)))
}

fn duration_ns(duration: Option<v2::Duration>) -> i64 {
    duration.map_or(0, |time| time.seconds.saturating_mul(NS_PER_S).saturating_add(i64::from(time.nanos)))
}

fn range(start: Option<v2::Timestamp>, end: Option<v2::Timestamp>) -> std::ops::Range<i64> {
    time_ns(start).zip(time_ns(end)).map_or(0..0, |(start, end)| start..end)
}

fn limit(depth: i32) -> usize {
    usize::try_from(depth).ok().filter(|depth| *depth > 0).unwrap_or(TRACES_DEFAULT).min(TRACES_MAX)
}

/// A search of either version; both name the same fields.
macro_rules! search {
    ($query:expr, $tags:ident, $context:expr) => {{
        let query = $query.ok_or_else(|| Status::invalid_argument("missing query"))?;
        TraceQuery {
            service: query.service_name,
            operation: query.operation_name,
            tags: query.$tags.into_iter().collect(),
            start_ns: time_ns(query.start_time_min).unwrap_or(0),
            end_ns: time_ns(query.start_time_max).unwrap_or_else(|| $context.state.clock.now_ns()),
            duration_min_ns: duration_ns(query.duration_min),
            duration_max_ns: duration_ns(query.duration_max),
            limit: limit(query.search_depth),
        }
    }};
}

/// The spans of `traces`, a few hundred a message.
fn chunks(traces: Vec<SpanBatch>) -> Messages<v2::SpansResponseChunk> {
    messages(traces.into_iter().flat_map(|trace| {
        let mut spans = encode_api_v2(&trace).into_iter().peekable();
        let mut chunks = Vec::new();
        while spans.peek().is_some() {
            chunks.push(v2::SpansResponseChunk { spans: spans.by_ref().take(SPANS_PER_MESSAGE).collect() });
        }
        chunks
    }))
}

fn otlp(traces: Vec<SpanBatch>) -> Messages<TracesData> {
    messages(traces.into_iter().map(|trace| encode_trace(&trace)))
}

fn kind_name(kind: SpanKind) -> String {
    if kind == SpanKind::Unspecified { String::new() } else { kind.as_str().to_owned() }
}

async fn get_trace_v2(
    context: Context,
    request: v2::GetTraceRequest,
) -> Result<Messages<v2::SpansResponseChunk>, Status> {
    let id = TraceId::from_bytes(&request.trace_id)
        .ok_or_else(|| Status::invalid_argument("malformed trace ID"))?;
    let range = range(request.start_time, request.end_time);
    let (trace, _) = find::trace(&context.state, &context.tenant, id, range).await?;
    Ok(chunks(vec![trace]))
}

async fn find_traces_v2(
    context: Context,
    request: v2::FindTracesRequest,
) -> Result<Messages<v2::SpansResponseChunk>, Status> {
    let query = search!(request.query, tags, context);
    Ok(chunks(find::traces(&context.state, &context.tenant, query).await?.traces))
}

async fn services_v2(context: Context, _: v2::GetServicesRequest) -> Result<v2::GetServicesResponse, Status> {
    Ok(v2::GetServicesResponse { services: find::services(&context.state, &context.tenant).await? })
}

async fn operations_v2(
    context: Context,
    request: v2::GetOperationsRequest,
) -> Result<v2::GetOperationsResponse, Status> {
    let found =
        find::operations(&context.state, &context.tenant, &request.service, &request.span_kind).await?;
    let operations = found
        .into_iter()
        .map(|operation| v2::Operation { span_kind: kind_name(operation.kind), name: operation.name })
        .collect::<Vec<_>>();
    let mut operation_names: Vec<String> =
        operations.iter().map(|operation| operation.name.clone()).collect();
    operation_names.dedup();
    Ok(v2::GetOperationsResponse { operation_names, operations })
}

async fn dependencies_v2(
    context: Context,
    request: v2::GetDependenciesRequest,
) -> Result<v2::GetDependenciesResponse, Status> {
    let range = range(request.start_time, request.end_time);
    let links = find::dependencies(&context.state, &context.tenant, range).await?;
    let dependencies = links
        .into_iter()
        .map(|link| v2::DependencyLink {
            parent: link.parent,
            child: link.child,
            call_count: link.call_count,
            source: String::new(),
        })
        .collect();
    Ok(v2::GetDependenciesResponse { dependencies })
}

async fn get_trace_v3(
    context: Context,
    request: v3::GetTraceRequest,
) -> Result<Messages<TracesData>, Status> {
    let id = find::trace_id(&request.trace_id)?;
    let range = range(request.start_time, request.end_time);
    let (trace, _) = find::trace(&context.state, &context.tenant, id, range).await?;
    Ok(otlp(vec![trace]))
}

async fn find_traces_v3(
    context: Context,
    request: v3::FindTracesRequest,
) -> Result<Messages<TracesData>, Status> {
    let query = search!(request.query, attributes, context);
    Ok(otlp(find::traces(&context.state, &context.tenant, query).await?.traces))
}

async fn services_v3(context: Context, _: v3::GetServicesRequest) -> Result<v3::GetServicesResponse, Status> {
    Ok(v3::GetServicesResponse { services: find::services(&context.state, &context.tenant).await? })
}

async fn operations_v3(
    context: Context,
    request: v3::GetOperationsRequest,
) -> Result<v3::GetOperationsResponse, Status> {
    let found =
        find::operations(&context.state, &context.tenant, &request.service, &request.span_kind).await?;
    let operations = found
        .into_iter()
        .map(|operation| v3::Operation { span_kind: kind_name(operation.kind), name: operation.name })
        .collect();
    Ok(v3::GetOperationsResponse { operations })
}
