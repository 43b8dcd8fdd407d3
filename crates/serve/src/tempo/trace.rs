//! A whole trace by its id: v1 (the bare trace) and v2 (with a status), protobuf or JSON by `Accept`.
//!
//! A time range only prunes; without one the whole store is asked. In JSON, ids are base64 and kinds are names, as
//! protobuf's own JSON mapping has it, where OTLP's has hexadecimal ids and numbers.

use super::encode::warn;
use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::Call;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{SpanBatch, TraceId};
use prost::Message;
use query::traceql::{self, TraceAnswer};
use serde_json::{Value, json};
use wire::otlp::{encode_trace, encode_trace_json};
use wire::tempo::{PartialStatus, Trace, TraceByIdMetrics, TraceByIdResponse};

/// What Tempo's clients send in `Accept` for protobuf.
const PROTOBUF: &str = "application/protobuf";

async fn find(state: &State, call: &Call<Failure>, id: &str) -> Result<TraceAnswer, Failure> {
    let id: TraceId =
        id.parse().map_err(|error| Failure::Parameter(format!("invalid trace id {id:?}: {error}")))?;
    let range = params::range(&call.params)?;
    let is_any = call.params.some("start").is_none() && call.params.some("end").is_none();
    let range = if is_any { 0..0 } else { range.0..range.1 };
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let work = move |budget: &model::scan::Budget| traceql::trace_by_id(&*source, &tenant, id, range, budget);
    Ok(state.gate.run("trace", None, work).await??)
}

/// `/api/traces/{id}`
pub(crate) async fn v1(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let answer = find(&state, &call, &id).await?;
    let trace = answer.trace.as_ref().ok_or(Failure::NotFound)?;
    let response = if call.accepts(PROTOBUF) {
        body::with_type(StatusCode::OK, PROTOBUF, message(trace).encode_to_vec())
    } else {
        body::json(StatusCode::OK, &json!({"batches": resource_spans(trace)}))
    };
    Ok(warn(response, &answer.completeness))
}

/// `/api/v2/traces/{id}`
pub(crate) async fn v2(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let answer = find(&state, &call, &id).await?;
    let trace = answer.trace.as_ref().ok_or(Failure::NotFound)?;
    let is_whole = answer.completeness.is_complete();
    let text = answer.completeness.missing.join("; ");
    let response = if call.accepts(PROTOBUF) {
        let status = if is_whole { PartialStatus::Complete } else { PartialStatus::Partial };
        let response = TraceByIdResponse {
            trace: Some(message(trace)),
            metrics: Some(TraceByIdMetrics::default()),
            status: status.into(),
            message: text,
        };
        body::with_type(StatusCode::OK, PROTOBUF, response.encode_to_vec())
    } else {
        let mut value = json!({"trace": {"resourceSpans": resource_spans(trace)}, "metrics": {}});
        value["status"] = json!(if is_whole { "COMPLETE" } else { "PARTIAL" });
        if !is_whole {
            value["message"] = json!(text);
        }
        body::json(StatusCode::OK, &value)
    };
    Ok(warn(response, &answer.completeness))
}

fn message(trace: &SpanBatch) -> Trace {
    Trace { resource_spans: encode_trace(trace).resource_spans }
}

/// The trace's groups in Tempo's JSON.
fn resource_spans(trace: &SpanBatch) -> Value {
    let mut groups = serde_json::from_str::<Value>(&encode_trace_json(trace))
        .ok()
        .and_then(|mut trace| trace.get_mut("resourceSpans").map(Value::take))
        .unwrap_or_else(|| json!([]));
    retype(&mut groups);
    groups
}

/// Rewrites ids and enumerations, wherever they stand below `value`.
fn retype(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(retype),
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match key.as_str() {
                    "traceId" | "spanId" | "parentSpanId" => id_to_base64(field),
                    "kind" => name_of(field, &KINDS),
                    "code" => name_of(field, &CODES),
                    "attributes" => {}
                    _ => retype(field),
                }
            }
        }
        _ => {}
    }
}

const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

fn name_of(field: &mut Value, names: &[&str]) {
    let at = field.as_u64().and_then(|number| usize::try_from(number).ok());
    if let Some(name) = at.and_then(|at| names.get(at)) {
        *field = json!(name);
    }
}

fn id_to_base64(field: &mut Value) {
    let Some(hex) = field.as_str() else { return };
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    if let Some(bytes) = bytes {
        *field = json!(STANDARD.encode(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otlp_json_becomes_protobufs() {
        let mut value = json!([{"scopeSpans": [{"spans": [{
            "traceId": "00000000000000000000000000000001", "spanId": "0000000000000002", "kind": 2,
            "status": {"code": 2},
            "attributes": [{"key": "kind", "value": {"intValue": "2"}}],
            "links": [{"traceId": "ff", "spanId": "00"}],
        }]}]}]);
        retype(&mut value);
        let expected = json!([{"scopeSpans": [{"spans": [{
            "traceId": "AAAAAAAAAAAAAAAAAAAAAQ==", "spanId": "AAAAAAAAAAI=", "kind": "SPAN_KIND_SERVER",
            "status": {"code": "STATUS_CODE_ERROR"},
            "attributes": [{"key": "kind", "value": {"intValue": "2"}}],
            "links": [{"traceId": "/w==", "spanId": "AA=="}],
        }]}]}]);
        assert_eq!(value, expected);
    }
}
