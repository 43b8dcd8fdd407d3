//! What Explore and Logs Drilldown ask before anybody has written a query: labels and fields worth filtering on.

use super::failure::Failure;
use super::index::ask;
use super::query::{limit, required_query};
use super::range;
use crate::State;
use crate::body;
use crate::call::{Call, Params};
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use query::logql::{self, DetectedField};
use serde_json::{Value, json};

/// Lines looked at when a call names no `line_limit`.
const LINES_DEFAULT: usize = 100;
/// Most lines a call may have looked at.
const LINES_MAX: usize = 5_000;
/// Fields (or values) answered when a call names no limit.
const FIELDS_DEFAULT: usize = 1_000;
/// Most fields or values of one answer.
const FIELDS_MAX: usize = 10_000;

/// `/loki/api/v1/detected_labels`: the bare object, without an envelope.
pub(crate) async fn labels(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let selector = call.params.some("query").map(str::to_owned);
    let labels = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::detected_labels(source, tenant, selector.as_deref(), range, budget)
    });
    let rows: Vec<Value> =
        labels.await?.iter().map(|row| json!({"label": row.label, "cardinality": row.cardinality})).collect();
    Ok(body::json(StatusCode::OK, &json!({"detectedLabels": rows})))
}

/// Lines to look at and fields to answer.
fn limits(params: &Params) -> Result<(usize, usize), Failure> {
    let lines = match params.some("line_limit") {
        None => LINES_DEFAULT,
        Some(text) => text
            .parse()
            .map_err(|_| Failure::Parameter(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?,
    };
    Ok((lines.clamp(1, LINES_MAX), limit(params, FIELDS_DEFAULT, FIELDS_MAX)?))
}

fn field(row: &DetectedField) -> Value {
    let mut field = json!({
        "label": row.label, "type": row.kind, "cardinality": row.cardinality, "parsers": row.parsers,
    });
    if row.parsers.is_empty() {
        field["parsers"] = Value::Null;
    }
    if !row.json_path.is_empty() {
        field["jsonPath"] = json!(row.json_path);
    }
    field
}

/// `/loki/api/v1/detected_fields`
pub(crate) async fn fields(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let limits = limits(&call.params)?;
    let text = required_query(&call.params)?.to_owned();
    let rows = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::detected_fields(source, tenant, &text, range, limits, budget)
    });
    let rows: Vec<Value> = rows.await?.iter().map(field).collect();
    Ok(body::json(StatusCode::OK, &json!({"fields": rows, "limit": limits.1})))
}

/// `/loki/api/v1/detected_field/{name}/values`
pub(crate) async fn values(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let limits = limits(&call.params)?;
    let text = required_query(&call.params)?.to_owned();
    let values = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::detected_field_values(source, tenant, &name, &text, range, limits, budget)
    });
    Ok(body::json(StatusCode::OK, &json!({"values": values.await?, "limit": limits.1})))
}
