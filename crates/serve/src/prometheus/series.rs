//! Calls about series rather than samples: label names and values, series, metadata.

use super::encode::push_labels;
use super::envelope::{Notes, success, truncate};
use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::{Call, Segment};
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use model::scan::{Budget, Completeness, MetricSource, SeriesSelect};
use model::{Labels, MetricKind, ScanError, Tenant};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Runs one call per selection and unites what they find, sorted, with what they miss.
async fn unite<T: Ord + Send + 'static>(
    state: &State,
    tenant: &Tenant,
    selections: Vec<SeriesSelect>,
    find: impl Fn(&dyn MetricSource, &Tenant, &SeriesSelect, &Budget) -> Result<(Vec<T>, Completeness), ScanError>
    + Send
    + 'static,
) -> Result<(Vec<T>, Notes), Failure> {
    let (source, tenant) = (state.metrics.clone(), tenant.clone());
    let work = move |budget: &Budget| {
        let mut united = BTreeSet::new();
        let mut completeness = Completeness::default();
        for select in &selections {
            let (found, missing) = find(&*source, &tenant, select, budget)?;
            completeness.merge(missing);
            if selections.len() == 1 {
                return Ok((found, Notes::warnings(completeness.missing)));
            }
            united.extend(found);
        }
        Ok::<_, ScanError>((united.into_iter().collect(), Notes::warnings(completeness.missing)))
    };
    Ok(state.gate.run("series", None, work).await??)
}

/// `/api/v1/labels`
pub(crate) async fn labels(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let limit = params::count(&call.params, "limit")?;
    let selections = params::selections_or_all(&call.params)?;
    let find = |source: &dyn MetricSource, tenant: &Tenant, select: &SeriesSelect, budget: &Budget| {
        source.label_names(tenant, select, budget)
    };
    let (mut names, mut notes) = unite(&state, &call.tenant, selections, find).await?;
    truncate(&mut names, limit, &mut notes);
    Ok(success(&names, notes))
}

/// `/api/v1/label/{name}/values`
pub(crate) async fn label_values(
    Extract(state): Extract<State>,
    Segment(name, _): Segment<Failure>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let name = params::unescape_label(&name);
    let limit = params::count(&call.params, "limit")?;
    let selections = params::selections_or_all(&call.params)?;
    let find = move |source: &dyn MetricSource, tenant: &Tenant, select: &SeriesSelect, budget: &Budget| {
        source.label_values(tenant, &name, select, budget)
    };
    let (mut values, mut notes) = unite(&state, &call.tenant, selections, find).await?;
    truncate(&mut values, limit, &mut notes);
    Ok(success(&values, notes))
}

/// `/api/v1/series`
pub(crate) async fn series(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    if call.params.all("match[]").next().is_none() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let limit = params::count(&call.params, "limit")?;
    let selections = params::selections(&call.params)?;
    let find = |source: &dyn MetricSource, tenant: &Tenant, select: &SeriesSelect, budget: &Budget| {
        source.series(tenant, select, budget)
    };
    let (mut series, mut notes) = unite(&state, &call.tenant, selections, find).await?;
    truncate(&mut series, limit, &mut notes);
    Ok(stream(series, &notes.cut()))
}

/// Label sets in the envelope, printed one by one.
fn stream(series: Vec<Labels>, notes: &Notes) -> Response {
    let notes = serde_json::to_string(notes).unwrap_or_else(|_| "{}".to_owned());
    let mut rows = series.into_iter();
    let mut begun = false;
    body::json_stream(move |out| {
        let row = rows.next();
        match (&row, begun) {
            (Some(_), true) => out.push(b','),
            (_, false) => out.extend_from_slice(br#"{"status":"success","data":["#),
            (None, true) => {}
        }
        begun = true;
        if let Some(labels) = row {
            push_labels(out, &labels);
            return true;
        }
        out.push(b']');
        let notes = notes.trim_start_matches('{');
        out.extend_from_slice(if notes == "}" { b"" } else { b"," });
        out.extend_from_slice(notes.as_bytes());
        false
    })
}

/// `DELETE /api/v1/series`: Prometheus says the same.
pub(crate) async fn delete() -> Failure {
    Failure { kind: super::failure::ErrorType::Internal, message: "not implemented".to_owned() }
}

/// A metric type as Prometheus' API names it.
pub(crate) fn kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        MetricKind::GaugeHistogram => "gaugehistogram",
        MetricKind::Summary => "summary",
        MetricKind::Info => "info",
        MetricKind::StateSet => "stateset",
        MetricKind::Unknown => "unknown",
    }
}

/// `/api/v1/metadata`
pub(crate) async fn metadata(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let limit = params::limit(&call.params, "limit")?;
    let per_metric = params::limit(&call.params, "limit_per_metric")?.unwrap_or_default();
    let family = call.params.some("metric").map(str::to_owned);
    let (source, tenant) = (state.metrics.clone(), call.tenant.clone());
    let rows = state.gate.run("metadata", None, move |_| source.metadata(&tenant, family.as_deref())).await?;
    let mut families: Map<String, Value> = Map::new();
    for row in rows {
        if limit.is_some_and(|limit| families.len() >= limit) && !families.contains_key(&row.family) {
            break;
        }
        let entries = families.entry(row.family).or_insert_with(|| json!([]));
        if let Value::Array(entries) = entries
            && (per_metric == 0 || entries.len() < per_metric)
        {
            entries.push(json!({"type": kind(row.kind), "help": row.help, "unit": row.unit}));
        }
    }
    Ok(body::json(StatusCode::OK, &json!({"status": "success", "data": families})))
}
