//! The JSON API of Jaeger's UI and of Grafana's data source.

use super::failure::{Cause, FailureV1};
use super::{find, v1_params};
use crate::State;
use crate::body;
use crate::call::{Call, Segment};
use axum::extract::{OriginalUri, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use model::SpanBatch;
use serde_json::{Value, json};
use wire::jaeger::trace_to_v1_json;

/// Most ids one call may name.
const IDS_MAX: usize = 100;

/// As Jaeger's, only lists of names say how many they are.
fn answer(data: &Value, total: usize) -> Response {
    body::json(
        StatusCode::OK,
        &json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": null}),
    )
}

fn names(names: &[String]) -> Response {
    answer(&json!(names), names.len())
}

/// `/api/services`
pub(crate) async fn services(
    Extract(state): Extract<State>,
    call: Call<FailureV1>,
) -> Result<Response, FailureV1> {
    Ok(names(&find::services(&state, &call.tenant).await?))
}

/// `/api/services/{service}/operations`: names only.
pub(crate) async fn service_operations(
    Extract(state): Extract<State>,
    Segment(service, _): Segment<FailureV1>,
    call: Call<FailureV1>,
) -> Result<Response, FailureV1> {
    let operations = find::operations(&state, &call.tenant, &service, "").await?;
    let mut found: Vec<String> = operations.into_iter().map(|operation| operation.name).collect();
    found.dedup();
    Ok(names(&found))
}

/// `/api/operations`: names and kinds.
pub(crate) async fn operations(
    Extract(state): Extract<State>,
    call: Call<FailureV1>,
) -> Result<Response, FailureV1> {
    let service = required_service(&call)?;
    let operations = find::operations(&state, &call.tenant, service, call.params.get("spanKind")).await?;
    let rows: Vec<Value> = operations.iter().map(operation).collect();
    Ok(answer(&json!(rows), rows.len()))
}

/// An operation as v1 and v3 print it.
pub(crate) fn operation(operation: &query::jaeger::Operation) -> Value {
    let kind = match operation.kind {
        model::SpanKind::Unspecified => "",
        kind => kind.as_str(),
    };
    json!({"name": operation.name, "spanKind": kind})
}

fn required_service(call: &Call<FailureV1>) -> Result<&str, Cause> {
    let missing = || Cause::Parameter("parameter 'service' is required".into());
    call.params.some("service").ok_or_else(missing)
}

/// `/api/traces`: a search, or the traces that `traceID` names.
pub(crate) async fn traces(
    Extract(state): Extract<State>,
    call: Call<FailureV1>,
) -> Result<Response, FailureV1> {
    let mut missing = Vec::new();
    let mut traces: Vec<SpanBatch> = Vec::new();
    let ids: Vec<&str> = call.params.all("traceID").filter(|id| !id.is_empty()).collect();
    if ids.len() > IDS_MAX {
        return Err(Cause::Parameter(format!("more than {IDS_MAX} trace IDs")).into());
    }
    for id in &ids {
        match find::trace(&state, &call.tenant, find::trace_id(id)?, 0..0).await {
            Ok((trace, completeness)) => {
                traces.push(trace);
                missing.extend(completeness.missing);
            }
            Err(Cause::NotFound) => missing.push(format!("trace not found: {id}")),
            Err(cause) => return Err(cause.into()),
        }
    }
    if ids.is_empty() {
        let query = v1_params::search(&call.params, state.clock.now_ns())?;
        let found = find::traces(&state, &call.tenant, query).await?;
        traces = found.traces;
        missing = found.completeness.missing;
    }
    Ok(stream(traces, missing))
}

/// Traces in the envelope, printed one by one.
fn stream(traces: Vec<SpanBatch>, missing: Vec<String>) -> Response {
    let mut rows = traces.into_iter();
    let mut begun = false;
    body::json_stream(move |out| {
        let row = rows.next();
        match (&row, begun) {
            (_, false) => out.extend_from_slice(br#"{"data":["#),
            (Some(_), true) => out.push(b','),
            (None, true) => {}
        }
        begun = true;
        if let Some(trace) = row {
            // Writing to a vector cannot fail.
            let _ = serde_json::to_writer(&mut *out, &trace_to_v1_json(&trace));
            return true;
        }
        let errors = match &*missing {
            [] => Value::Null,
            missing => missing.iter().map(|msg| json!({"code": 206, "msg": msg})).collect(),
        };
        out.extend_from_slice(format!(r#"],"total":0,"limit":0,"offset":0,"errors":{errors}}}"#).as_bytes());
        false
    })
}

/// `/api/traces/{id}`
pub(crate) async fn trace(
    Extract(state): Extract<State>,
    Segment(id, _): Segment<FailureV1>,
    call: Call<FailureV1>,
) -> Result<Response, FailureV1> {
    v1_params::check_trace(&call.params)?;
    let (trace, completeness) = find::trace(&state, &call.tenant, find::trace_id(&id)?, 0..0).await?;
    Ok(stream(vec![trace], completeness.missing))
}

/// `/api/dependencies`
pub(crate) async fn dependencies(
    Extract(state): Extract<State>,
    call: Call<FailureV1>,
) -> Result<Response, FailureV1> {
    let range = v1_params::dependency_range(&call.params, state.clock.now_ns())?;
    let links = find::dependencies(&state, &call.tenant, range).await?;
    let rows: Vec<Value> = links.iter().map(dependency).collect();
    Ok(answer(&json!(rows), 0))
}

/// A dependency as v1 and v3 print it.
pub(crate) fn dependency(link: &query::jaeger::Dependency) -> Value {
    json!({"parent": link.parent, "child": link.child, "callCount": link.call_count})
}

/// A call of Jaeger's that Binnacle does not have.
pub(crate) async fn unsupported(OriginalUri(uri): OriginalUri) -> FailureV1 {
    FailureV1(Cause::Unsupported(uri.path().to_owned()))
}
