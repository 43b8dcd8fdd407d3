//! `query_exemplars`: the exemplars of every series that a query's selectors name.

use super::envelope::{Notes, success};
use super::failure::Failure;
use super::params;
use crate::State;
use crate::call::Call;
use crate::number::float;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use language::promql;
use model::scan::{Budget, SeriesSelect};
use model::{Exemplar, Labels, ScanError};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most exemplars of one answer; a narrower range shows the rest.
const EXEMPLARS_MAX: usize = 100_000;

/// `/api/v1/query_exemplars`
pub(crate) async fn exemplars(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let (start_ms, end_ms) = params::meta_range(&call.params)?;
    if end_ms < start_ms {
        return Err(Failure::bad_data("end timestamp must not be before start timestamp"));
    }
    let parsed = promql::parse(call.params.get("query"));
    let expr = parsed.map_err(|error| Failure::bad_data(error.to_string()))?;
    let mut selections = Vec::new();
    expr.for_each_selector(&mut |selector| {
        selections.push(SeriesSelect { matchers: selector.matchers.clone(), start_ms, end_ms });
    });
    if selections.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (source, tenant) = (state.metrics.clone(), call.tenant.clone());
    let work = move |budget: &Budget| {
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for select in &selections {
            found.extend(source.exemplars(&tenant, select, budget)?);
        }
        Ok::<_, ScanError>(found)
    };
    let found = state.gate.run("exemplars", None, work).await??;
    let total: usize = found.values().map(Vec::len).sum();
    if total > EXEMPLARS_MAX {
        return Err(Failure::bad_data(format!(
            "the query selects {total} exemplars, more than {EXEMPLARS_MAX}; ask for a shorter range or fewer series"
        )));
    }
    let rows: Vec<Value> = found.iter().map(|(labels, exemplars)| row(labels, exemplars)).collect();
    Ok(success(&rows, Notes::default()))
}

/// Labels as a JSON object.
pub(crate) fn object(labels: &Labels) -> Map<String, Value> {
    labels.iter().map(|label| (label.name.to_string(), json!(&*label.value))).collect()
}

/// Seconds since the epoch, whole ones without a fraction, as Prometheus prints them.
fn seconds(ts_ms: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit 53 bits")]
    let fraction = || json!(ts_ms as f64 / 1_000.0);
    if ts_ms % 1_000 == 0 { json!(ts_ms / 1_000) } else { fraction() }
}

fn row(labels: &Labels, exemplars: &[Exemplar]) -> Value {
    let exemplars: Vec<Value> = exemplars
        .iter()
        .map(|exemplar| {
            json!({
                "labels": object(&exemplar.labels),
                "value": float(exemplar.value),
                "timestamp": seconds(exemplar.ts_ms),
            })
        })
        .collect();
    json!({"seriesLabels": object(labels), "exemplars": exemplars})
}
