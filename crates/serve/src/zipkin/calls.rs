//! Zipkin's calls over the same trace search that Jaeger's door uses.

use super::failure::Failure;
use crate::State;
use crate::body;
use crate::call::{Call, Params};
use crate::jaeger::{Cause, find};
use axum::extract::{OriginalUri, Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use model::{SpanBatch, Tenant};
use query::jaeger::{Dependency, TraceQuery};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wire::zipkin::encode_v2;

const NS_PER_US: i64 = 1_000;
const NS_PER_MS: i64 = 1_000_000;
/// How far back a call looks that names no `lookback`; Zipkin's default.
const LOOKBACK_DEFAULT_MS: i64 = 86_400_000;
/// Traces of an answer when a call names no limit.
const TRACES_DEFAULT: i64 = 10;
/// Most ids of `traceMany`.
const IDS_MAX: usize = 100;

fn number(params: &Params, name: &str, default: i64) -> Result<i64, Cause> {
    let Some(text) = params.some(name) else { return Ok(default) };
    text.parse().map_err(|_| Cause::Parameter(format!("{name} must be a number, not {text:?}")))
}

/// `endTs` and `lookback` as a range in nanoseconds.
fn range(params: &Params, now_ns: i64) -> Result<std::ops::Range<i64>, Cause> {
    let end_ms = number(params, "endTs", now_ns / NS_PER_MS)?;
    let lookback_ms = number(params, "lookback", LOOKBACK_DEFAULT_MS)?;
    if end_ms <= 0 || lookback_ms <= 0 {
        return Err(Cause::Parameter("endTs and lookback must be positive".into()));
    }
    let past = end_ms.saturating_add(1).saturating_mul(NS_PER_MS);
    Ok(past.saturating_sub(lookback_ms.saturating_mul(NS_PER_MS))..past)
}

/// `http.method=GET and error`: a bare `error` asks for the tag `true`; other bare names are not supported.
fn tags(text: &str) -> Result<Vec<(String, String)>, Cause> {
    let words = text.split(" and ").map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None if word == "error" => Ok((word.to_owned(), "true".to_owned())),
            None => Err(Cause::Unsupported(format!("annotationQuery {word:?} without a value"))),
        })
        .collect()
}

fn search(params: &Params, now_ns: i64) -> Result<TraceQuery, Cause> {
    let range = range(params, now_ns)?;
    let limit = number(params, "limit", TRACES_DEFAULT)?;
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
    let min = number(params, "minDuration", 0)?;
    let max = number(params, "maxDuration", 0)?;
    if max > 0 && max < min {
        return Err(Cause::Parameter("maxDuration must not be less than minDuration".into()));
    }
    if params.some("remoteServiceName").is_some() {
        return Err(Cause::Unsupported("remoteServiceName".into()));
    }
    let name = |name: &str| match params.get(name) {
        "all" => String::new(),
        text => text.to_owned(),
    };
    Ok(TraceQuery {
        service: name("serviceName"),
        operation: name("spanName"),
        tags: tags(params.get("annotationQuery"))?,
        start_ns: range.start,
        end_ns: range.end,
        duration_min_ns: min.saturating_mul(NS_PER_US),
        duration_max_ns: max.saturating_mul(NS_PER_US),
        limit: limit.ok_or_else(|| Cause::Parameter("limit must be positive".into()))?.min(find::TRACES_MAX),
    })
}

fn answer(value: &Value) -> Response {
    body::json(StatusCode::OK, value)
}

/// `/api/v2/services`
pub(crate) async fn services(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    Ok(answer(&json!(find::services(&state, &call.tenant).await?)))
}

fn service(call: &Call<Failure>) -> Result<&str, Cause> {
    call.params.some("serviceName").ok_or_else(|| Cause::Parameter("serviceName is required".into()))
}

/// `/api/v2/spans`: names of a service's spans.
pub(crate) async fn spans(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let operations = find::operations(&state, &call.tenant, service(&call)?, "").await?;
    let names: BTreeSet<String> = operations.into_iter().map(|operation| operation.name).collect();
    Ok(answer(&json!(names)))
}

/// Who called whom; calls inside of one service are no link of Zipkin's.
async fn links(
    state: &State,
    tenant: &Tenant,
    range: std::ops::Range<i64>,
) -> Result<Vec<Dependency>, Cause> {
    let mut links = find::dependencies(state, tenant, range).await?;
    links.retain(|link| link.parent != link.child);
    Ok(links)
}

/// `/api/v2/remoteServices`: whom a service called within the last day.
pub(crate) async fn remote_services(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let service = service(&call)?;
    let range = range(&call.params, state.clock.now_ns())?;
    let links = links(&state, &call.tenant, range).await?;
    let names: BTreeSet<&str> =
        links.iter().filter(|link| link.parent == service).map(|link| link.child.as_str()).collect();
    Ok(answer(&json!(names)))
}

/// A list of traces, printed one by one.
fn stream(traces: Vec<SpanBatch>) -> Response {
    let mut rows = traces.into_iter();
    let mut begun = false;
    body::json_stream(move |out| {
        let row = rows.next();
        match (&row, begun) {
            (_, false) => out.push(b'['),
            (Some(_), true) => out.push(b','),
            (None, true) => {}
        }
        begun = true;
        let Some(trace) = row else {
            out.push(b']');
            return false;
        };
        out.extend_from_slice(encode_v2(&trace).as_bytes());
        true
    })
}

/// `/api/v2/traces`
pub(crate) async fn traces(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let query = search(&call.params, state.clock.now_ns())?;
    Ok(stream(find::traces(&state, &call.tenant, query).await?.traces))
}

/// `/api/v2/trace/{id}`
pub(crate) async fn trace(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let (trace, _) = find::trace(&state, &call.tenant, find::trace_id(&id)?, 0..0).await?;
    Ok(body::with_type(StatusCode::OK, "application/json", encode_v2(&trace).into_bytes()))
}

/// `/api/v2/traceMany`: those of the named traces that exist.
pub(crate) async fn trace_many(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let ids: BTreeSet<&str> = call.params.get("traceIds").split(',').filter(|id| !id.is_empty()).collect();
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Cause::Parameter(format!("traceIds must name 1 to {IDS_MAX} traces")).into());
    }
    let mut traces = Vec::new();
    for id in ids {
        match find::trace(&state, &call.tenant, find::trace_id(id)?, 0..0).await {
            Ok((trace, _)) => traces.push(trace),
            Err(Cause::NotFound) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok(stream(traces))
}

/// `/api/v2/dependencies`
pub(crate) async fn dependencies(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    if call.params.some("endTs").is_none() {
        return Err(Cause::Parameter("endTs is required".into()).into());
    }
    let range = range(&call.params, state.clock.now_ns())?;
    let links = links(&state, &call.tenant, range).await?;
    let rows: Vec<Value> = links
        .iter()
        .map(|link| {
            let mut row = json!({"parent": link.parent, "child": link.child, "callCount": link.call_count});
            if link.error_count > 0 {
                row["errorCount"] = json!(link.error_count);
            }
            row
        })
        .collect();
    Ok(answer(&json!(rows)))
}

/// `/api/v2/autocompleteKeys` and `autocompleteValues`
pub(crate) async fn autocomplete() -> Response {
    answer(&json!([]))
}

/// A call of Zipkin's that Binnacle does not have.
pub(crate) async fn unsupported(OriginalUri(uri): OriginalUri) -> Failure {
    Cause::Unsupported(uri.path().to_owned()).into()
}

/// `/health`
pub(crate) async fn health(Extract(state): Extract<State>) -> Response {
    match state.process.ready() {
        Ok(()) => answer(&json!({"status": "UP"})),
        Err(reason) => body::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"status": "DOWN", "zipkin": {"status": reason}}),
        ),
    }
}
