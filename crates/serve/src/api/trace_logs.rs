//! `/traces/{id}/logs`: the log records of a trace, whatever stream they stand in, oldest first.

use super::failure::Failure;
use super::params;
use super::trace::trace_id;
use crate::State;
use crate::body;
use crate::call::Call;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use model::scan::{Budget, Direction, LogSelect};
use model::{LogBatch, LogEntry, LogStream, SpanId, TraceId};
use serde_json::{Map, Value, json};
use std::ops::ControlFlow;

/// Records of an answer when a call names no limit, and most.
const RECORDS_DEFAULT: usize = 1_000;
const RECORDS_MAX: usize = 10_000;

/// Which records, and how many.
#[derive(Clone, Copy)]
struct Wanted {
    trace: TraceId,
    /// Of one span only.
    span: Option<SpanId>,
    limit: usize,
}

/// `/traces/{id}/logs`, of one span when `span` names one; `start` and `end` only prune.
pub(crate) async fn logs(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let span = call.params.some("span").map(str::parse::<SpanId>).transpose();
    let wanted = Wanted {
        trace: trace_id(&id)?,
        span: span.map_err(|error| Failure::field("span", format!("the span is {error}")))?,
        limit: params::count(&call.params, "limit", RECORDS_DEFAULT, RECORDS_MAX)?,
    };
    let bound = |name: &str, default: i64| {
        call.params.some(name).map_or(Ok(default), |text| params::time(name, text))
    };
    let select = LogSelect {
        start_ns: bound("start", 0)?,
        end_ns: bound("end", i64::MAX)?,
        direction: Direction::Forward,
        trace_id: Some(wanted.trace),
        ..LogSelect::default()
    };
    let (source, tenant) = (state.logs.clone(), call.tenant.clone());
    let work = move |budget: &Budget| {
        let mut rows = Vec::new();
        let mut is_cut = false;
        let completeness = source.scan(&tenant, &select, budget, &mut |batch| {
            is_cut = !take(batch, wanted, &mut rows);
            if is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        completeness.map(|completeness| (rows, is_cut, completeness))
    };
    let (mut rows, is_cut, mut completeness) = state.gate.run("trace_logs", None, work).await??;
    rows.sort_by_key(|(ts_ns, _)| *ts_ns);
    if is_cut {
        completeness.missing.push(format!("records after the first {}: raise limit", wanted.limit));
    }
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    let answer =
        json!({"logs": rows, "complete": completeness.is_complete(), "missing": completeness.missing});
    Ok(body::json(StatusCode::OK, &answer))
}

/// Appends the wanted records of a batch; `false` once one had no room.
fn take(batch: &LogBatch, wanted: Wanted, rows: &mut Vec<(i64, Value)>) -> bool {
    let mut found: Vec<(&LogStream, &LogEntry)> = batch
        .streams
        .iter()
        .flat_map(|stream| batch.entries(stream).iter().map(move |entry| (stream, entry)))
        .filter(|(_, entry)| entry.trace_id == wanted.trace)
        .filter(|(_, entry)| wanted.span.is_none_or(|span| entry.span_id == span))
        .collect();
    found.sort_by_key(|(_, entry)| entry.ts_ns);
    let room = wanted.limit.saturating_sub(rows.len());
    rows.extend(found.iter().take(room).map(|(stream, entry)| (entry.ts_ns, record(batch, stream, entry))));
    found.len() <= room
}

fn record(batch: &LogBatch, stream: &LogStream, entry: &LogEntry) -> Value {
    let labels: Map<String, Value> =
        stream.labels.iter().map(|label| (label.name.to_string(), json!(&*label.value))).collect();
    let metadata: Map<String, Value> =
        batch.metadata(entry).map(|(key, value)| (key.to_owned(), json!(value))).collect();
    json!({
        "tsMs": entry.ts_ns / 1_000_000,
        "tsNs": entry.ts_ns.to_string(),
        "line": batch.line(entry),
        "labels": labels,
        "metadata": metadata,
        "spanId": if entry.span_id.is_none() { String::new() } else { entry.span_id.to_string() },
    })
}
