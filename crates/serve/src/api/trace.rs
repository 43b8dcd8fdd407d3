//! `/traces/{id}`: summary and a window of the waterfall's rows; `/traces/{id}/spans/{span}`: everything of one span.

use super::failure::Failure;
use super::params;
use super::waterfall;
use crate::State;
use crate::body;
use crate::call::Call;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use model::attr::ValueRef;
use model::scan::Budget;
use model::{SpanBatch, SpanId, SpanRef, StatusCode as SpanStatus, TraceId};
use query::traceql::{self, ROOT_NOT_RECEIVED, TraceAnswer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Rows of an answer when a call names no limit, and most.
const ROWS_DEFAULT: usize = 1_000;
const ROWS_MAX: usize = 10_000;

/// A trace id of a path.
pub(crate) fn trace_id(text: &str) -> Result<TraceId, Failure> {
    text.parse()
        .map_err(|error| Failure::field("id", format!("{text:?} is {error}: 1 to 32 hexadecimal digits")))
}

async fn find(state: &State, call: &Call<Failure>, id: &str) -> Result<(SpanBatch, TraceAnswer), Failure> {
    let id = trace_id(id)?;
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let work = move |budget: &Budget| traceql::trace_by_id(&*source, &tenant, id, 0..0, budget);
    let mut answer = state.gate.run("trace", None, work).await??;
    let trace = answer.trace.take().ok_or_else(|| Failure::not_found(format!("no trace {id} is stored")))?;
    Ok((trace, answer))
}

/// `/traces/{id}`
pub(crate) async fn waterfall(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let offset = params::count(&call.params, "offset", 0, usize::MAX)?;
    let limit = params::count(&call.params, "limit", ROWS_DEFAULT, ROWS_MAX)?;
    let (trace, found) = find(&state, &call, &id).await?;
    let rows = waterfall::rows(&trace);
    let start_ns = trace.spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
    let shown: Vec<Value> = rows
        .iter()
        .skip(offset)
        .take(limit)
        .filter_map(|row| Some(row_json(&trace.span(row.span)?, *row, start_ns)))
        .collect();
    let mut answer = summary(&trace, start_ns);
    answer["rowsTotal"] = json!(rows.len());
    answer["offset"] = json!(offset);
    answer["rows"] = json!(shown);
    answer["complete"] = json!(found.completeness.is_complete());
    answer["missing"] = json!(found.completeness.missing);
    Ok(body::json(StatusCode::OK, &answer))
}

fn summary(trace: &SpanBatch, start_ns: i64) -> Value {
    let end_ns = trace.iter().map(|span| span.end_ns()).max().unwrap_or(start_ns);
    let root = trace.iter().find(|span| span.row.parent_id.is_none());
    let mut services: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for span in trace.iter() {
        let counts = services.entry(span.service()).or_default();
        counts.0 += 1;
        counts.1 += u64::from(span.row.status == SpanStatus::Error);
    }
    let errors: u64 = services.values().map(|counts| counts.1).sum();
    let services: Vec<Value> = services
        .iter()
        .map(|(name, (spans, errors))| json!({"name": name, "spans": spans, "errors": errors}))
        .collect();
    json!({
        "traceId": trace.spans.first().map(|span| span.trace_id.to_string()),
        "rootService": root.map_or(ROOT_NOT_RECEIVED, |span| span.service()),
        "rootName": root.map_or(ROOT_NOT_RECEIVED, |span| span.name()),
        "startMs": start_ns / 1_000_000,
        "startNs": start_ns.to_string(),
        "durationNs": end_ns.saturating_sub(start_ns),
        "spans": trace.spans.len(),
        "errors": errors,
        "services": services,
    })
}

fn row_json(span: &SpanRef<'_>, row: waterfall::Row, start_ns: i64) -> Value {
    json!({
        "spanId": span.row.span_id.to_string(),
        "parentId": if span.row.parent_id.is_none() { String::new() } else { span.row.parent_id.to_string() },
        "depth": row.depth,
        "children": row.children,
        "service": span.service(),
        "name": span.name(),
        "kind": span.row.kind.as_str(),
        "status": span.row.status.as_str(),
        "offsetNs": span.row.start_ns.saturating_sub(start_ns),
        "durationNs": span.row.duration_ns,
        "events": span.events().len(),
    })
}

/// `/traces/{id}/spans/{span}`
pub(crate) async fn span(
    Extract(state): Extract<State>,
    Path((id, span)): Path<(String, String)>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let wanted: SpanId = span.parse().map_err(|error| {
        Failure::field("span", format!("{span:?} is {error}: 1 to 16 hexadecimal digits"))
    })?;
    let (trace, found) = find(&state, &call, &id).await?;
    let span = trace.iter().find(|span| span.row.span_id == wanted);
    let span = span.ok_or_else(|| Failure::not_found(format!("the trace has no span {wanted}")))?;
    let mut answer = span_json(&span);
    answer["complete"] = json!(found.completeness.is_complete());
    answer["missing"] = json!(found.completeness.missing);
    Ok(body::json(StatusCode::OK, &answer))
}

fn span_json(span: &SpanRef<'_>) -> Value {
    let batch = span.batch();
    let scope = span.scope();
    let events: Vec<Value> = span
        .events()
        .iter()
        .map(|event| {
            json!({
                "tsNs": event.ts_ns.to_string(), "name": event.name.str(&batch.arena),
                "offsetNs": event.ts_ns.saturating_sub(span.row.start_ns),
                "attributes": attributes(batch.attrs(&event.attrs)),
            })
        })
        .collect();
    let links: Vec<Value> = span
        .links()
        .iter()
        .map(|link| {
            json!({
                "traceId": link.trace_id.to_string(), "spanId": link.span_id.to_string(),
                "attributes": attributes(batch.attrs(&link.attrs)),
            })
        })
        .collect();
    json!({
        "traceId": span.row.trace_id.to_string(),
        "spanId": span.row.span_id.to_string(),
        "parentId": if span.row.parent_id.is_none() { String::new() } else { span.row.parent_id.to_string() },
        "service": span.service(),
        "name": span.name(),
        "kind": span.row.kind.as_str(),
        "status": span.row.status.as_str(),
        "statusMessage": span.status_message(),
        "startNs": span.row.start_ns.to_string(),
        "durationNs": span.row.duration_ns,
        "traceState": span.row.trace_state.str(&batch.arena),
        "attributes": attributes(span.attrs()),
        "resource": attributes(span.resource_attrs()),
        "scope": {
            "name": scope.map_or("", |scope| scope.name.str(&batch.arena)),
            "version": scope.map_or("", |scope| scope.version.str(&batch.arena)),
        },
        "events": events,
        "links": links,
    })
}

/// Attributes as a JSON object with native values; bytes are base64.
fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Map<String, Value> {
    use base64::Engine as _;
    pairs
        .map(|(key, value)| {
            let value = match value {
                ValueRef::Empty => Value::Null,
                ValueRef::Str(text) => json!(text),
                ValueRef::Int(number) => json!(number),
                ValueRef::Double(number) if number.is_finite() => json!(number),
                ValueRef::Double(number) => json!(crate::number::float(number)),
                ValueRef::Bool(flag) => json!(flag),
                ValueRef::Bytes(bytes) => json!(base64::engine::general_purpose::STANDARD.encode(bytes)),
                ValueRef::Json(text) => {
                    let plain = wire::otlp::plain_json(text);
                    serde_json::from_str(&plain).unwrap_or(Value::String(plain))
                }
            };
            (key.to_owned(), value)
        })
        .collect()
}
