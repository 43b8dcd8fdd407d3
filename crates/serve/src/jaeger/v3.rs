//! The v3 HTTP API: OTLP JSON out, camelCase parameters with their `snake_case` aliases.

use super::failure::{Cause, FailureV3};
use super::find::{self, TRACES_DEFAULT};
use super::v1::{dependency, operation};
use crate::State;
use crate::body;
use crate::call::{Call, Params, Segment};
use crate::time::{go_duration_ns, rfc3339_ns};
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use model::SpanBatch;
use query::jaeger::TraceQuery;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wire::otlp::encode_trace_json;

/// The first value of a parameter under any of its names.
fn any<'a>(params: &'a Params, names: [&str; 2]) -> Option<&'a str> {
    names.into_iter().find_map(|name| params.some(name))
}

fn time(params: &Params, names: [&str; 2]) -> Result<Option<i64>, Cause> {
    let read = |text: &str| {
        rfc3339_ns(text).ok_or_else(|| {
            Cause::Parameter(format!("malformed parameter {}: {text:?} is no RFC 3339 time", names[0]))
        })
    };
    any(params, names).map(read).transpose()
}

fn duration(params: &Params, names: [&str; 2]) -> Result<i64, Cause> {
    let read = |text: &str| {
        go_duration_ns(text).ok_or_else(|| {
            Cause::Parameter(format!("malformed parameter {}: time: invalid duration {text:?}", names[0]))
        })
    };
    any(params, names).map_or(Ok(0), read)
}

fn search(params: &Params) -> Result<TraceQuery, Cause> {
    const MIN: [&str; 2] = ["query.startTimeMin", "query.start_time_min"];
    const MAX: [&str; 2] = ["query.startTimeMax", "query.start_time_max"];
    let required = |names: [&str; 2]| {
        let missing = "query.start_time_min and query.start_time_max are required";
        time(params, names)?.ok_or_else(|| Cause::Parameter(missing.to_owned()))
    };
    if any(params, ["query.filter", "filter"]).is_some() {
        return Err(Cause::Unsupported("query.filter".into()));
    }
    let attributes: BTreeMap<String, String> = match any(params, ["query.attributes", "query.tags"]) {
        None => BTreeMap::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Cause::Parameter(format!("malformed parameter query.attributes: {error}")))?,
    };
    let limit = match any(params, ["query.searchDepth", "query.search_depth"])
        .or_else(|| any(params, ["query.numTraces", "query.num_traces"]))
    {
        None => TRACES_DEFAULT,
        Some(text) => find::depth(text.parse().map_err(|_| {
            Cause::Parameter(format!("malformed parameter query.searchDepth: {text:?} is no number"))
        })?)?,
    };
    Ok(TraceQuery {
        service: any(params, ["query.serviceName", "query.service_name"]).unwrap_or_default().to_owned(),
        operation: any(params, ["query.operationName", "query.operation_name"])
            .unwrap_or_default()
            .to_owned(),
        tags: attributes.into_iter().collect(),
        start_ns: required(MIN)?,
        end_ns: required(MAX)?,
        duration_min_ns: duration(params, ["query.durationMin", "query.duration_min"])?,
        duration_max_ns: duration(params, ["query.durationMax", "query.duration_max"])?,
        limit,
    })
}

/// Traces as one OTLP message, printed one by one.
fn stream(traces: Vec<SpanBatch>) -> Response {
    let mut rows = traces.into_iter();
    let mut begun = false;
    let mut written = false;
    body::json_stream(move |out| {
        if !begun {
            out.extend_from_slice(br#"{"result":{"resourceSpans":["#);
            begun = true;
        }
        let Some(trace) = rows.next() else {
            out.extend_from_slice(b"]}}");
            return false;
        };
        let text = encode_trace_json(&trace);
        let groups = text.strip_prefix(r#"{"resourceSpans":["#).and_then(|text| text.strip_suffix("]}"));
        if let Some(groups) = groups.filter(|groups| !groups.is_empty()) {
            if written {
                out.push(b',');
            }
            written = true;
            out.extend_from_slice(groups.as_bytes());
        }
        true
    })
}

/// `/api/v3/services`
pub(crate) async fn services(
    Extract(state): Extract<State>,
    call: Call<FailureV3>,
) -> Result<Response, FailureV3> {
    let services = find::services(&state, &call.tenant).await?;
    Ok(body::json(StatusCode::OK, &json!({"services": services})))
}

/// `/api/v3/operations`
pub(crate) async fn operations(
    Extract(state): Extract<State>,
    call: Call<FailureV3>,
) -> Result<Response, FailureV3> {
    let service = call.params.get("service");
    let kind = any(&call.params, ["spanKind", "span_kind"]).unwrap_or_default();
    // Jaeger knows no operations of no service.
    let operations = match service {
        "" => Vec::new(),
        service => find::operations(&state, &call.tenant, service, kind).await?,
    };
    let rows: Vec<Value> = operations.iter().map(operation).collect();
    Ok(body::json(StatusCode::OK, &json!({"operations": rows})))
}

/// `/api/v3/traces`
pub(crate) async fn traces(
    Extract(state): Extract<State>,
    call: Call<FailureV3>,
) -> Result<Response, FailureV3> {
    let found = find::traces(&state, &call.tenant, search(&call.params)?).await?;
    if found.traces.is_empty() {
        return Err(Cause::NotFound.into());
    }
    Ok(stream(found.traces))
}

/// `/api/v3/traces/{id}`
pub(crate) async fn trace(
    Extract(state): Extract<State>,
    Segment(id, _): Segment<FailureV3>,
    call: Call<FailureV3>,
) -> Result<Response, FailureV3> {
    let start = time(&call.params, ["startTime", "start_time"])?;
    let end = time(&call.params, ["endTime", "end_time"])?;
    let range = start.zip(end).map_or(0..0, |(start, end)| start..end);
    let (trace, _) = find::trace(&state, &call.tenant, find::trace_id(&id)?, range).await?;
    Ok(stream(vec![trace]))
}

/// `/api/v3/dependencies`
pub(crate) async fn dependencies(
    Extract(state): Extract<State>,
    call: Call<FailureV3>,
) -> Result<Response, FailureV3> {
    const DAY_NS: i64 = 86_400_000_000_000;
    let end = time(&call.params, ["endTime", "end_time"])?.unwrap_or_else(|| state.clock.now_ns());
    let start = time(&call.params, ["startTime", "start_time"])?.unwrap_or(end.saturating_sub(DAY_NS));
    let links = find::dependencies(&state, &call.tenant, start..end).await?;
    let rows: Vec<Value> = links.iter().map(dependency).collect();
    Ok(body::json(StatusCode::OK, &json!({"dependencies": rows})))
}
