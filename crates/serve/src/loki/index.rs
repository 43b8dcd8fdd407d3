//! Calls about streams: labels and their values, series, stats and volume.

use super::encode;
use super::failure::Failure;
use super::query::{NO_QUERY, limit, required_query};
use super::range;
use crate::State;
use crate::body;
use crate::call::{Call, Params};
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use model::Tenant;
use model::scan::{Budget, Completeness, LogSource};
use query::logql::{
    self, LogAnswer, LogError, LogQueryStats, LogSample, LogSeries, LogValue, VolumeBy, VolumeParams,
};
use serde_json::{Map, Value, json};

/// Rows of a volume answer that names no limit.
const VOLUME_ROWS_DEFAULT: usize = 100;
/// Most rows of a volume answer.
const VOLUME_ROWS_MAX: usize = 10_000;

/// Runs one engine call over the tenant's log source.
pub(crate) async fn ask<T: Send + 'static>(
    state: &State,
    tenant: &Tenant,
    work: impl FnOnce(&dyn LogSource, &Tenant, &Budget) -> Result<T, LogError> + Send + 'static,
) -> Result<T, Failure> {
    let (source, tenant) = (state.logs.clone(), tenant.clone());
    Ok(state.gate.run("logql", None, move |budget| work(&*source, &tenant, budget)).await??)
}

fn success(data: &Value) -> Response {
    body::json(StatusCode::OK, &json!({"status": "success", "data": data}))
}

/// `/loki/api/v1/labels`
pub(crate) async fn labels(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let selector = call.params.some("query").map(str::to_owned);
    let names = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::labels(source, tenant, selector.as_deref(), range, budget)
    });
    Ok(success(&json!(names.await?)))
}

/// `/loki/api/v1/label/{name}/values`
pub(crate) async fn label_values(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let selector = call.params.some("query").map(str::to_owned);
    let values = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::label_values(source, tenant, &name, selector.as_deref(), range, budget)
    });
    Ok(success(&json!(values.await?)))
}

/// `/loki/api/v1/series`
pub(crate) async fn series(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let selectors: Vec<String> =
        call.params.all("match[]").chain(call.params.all("match")).map(str::to_owned).collect();
    if selectors.iter().any(String::is_empty) {
        return Err(Failure::Query(LogError::BadQuery(NO_QUERY.to_owned())));
    }
    let series = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::series(source, tenant, &selectors, range, budget)
    });
    let rows: Vec<Value> = series
        .await?
        .iter()
        .map(|labels| {
            labels.iter().map(|l| (l.name.to_string(), json!(&*l.value))).collect::<Map<_, _>>().into()
        })
        .collect();
    Ok(success(&json!(rows)))
}

/// `/loki/api/v1/index/stats`: the bare object, without an envelope.
pub(crate) async fn stats(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = range::meta_range(&call.params, state.clock.now_ns())?;
    let selector = required_query(&call.params)?.to_owned();
    let counts = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::stats(source, tenant, &selector, range, budget)
    });
    let counts = counts.await?;
    let answer = json!({
        "streams": counts.streams, "chunks": counts.chunks, "bytes": counts.bytes, "entries": counts.entries,
    });
    Ok(body::json(StatusCode::OK, &answer))
}

fn volume_params(params: &Params, now_ns: i64) -> Result<VolumeParams, Failure> {
    let (start_ns, end_ns) = range::bounds(params, now_ns)?;
    let by = match params.get("aggregateBy") {
        "" | "series" => VolumeBy::Series,
        "labels" => VolumeBy::Labels,
        _ => return Err(Failure::Parameter("invalid aggregation option".into())),
    };
    let targets = params.get("targetLabels").split(',').filter(|name| !name.is_empty());
    Ok(VolumeParams {
        query: required_query(params)?.to_owned(),
        start_ns,
        end_ns,
        limit: limit(params, VOLUME_ROWS_DEFAULT, VOLUME_ROWS_MAX)?,
        target_labels: targets.map(str::to_owned).collect(),
        by,
    })
}

fn volume_answer(value: LogValue) -> Response {
    let answer = LogAnswer {
        value,
        completeness: Completeness::default(),
        stats: LogQueryStats::default(),
        warnings: Vec::new(),
    };
    encode::answer(answer, false)
}

/// Loki answers a matrix of no more than a point per series as a vector.
fn short_as_vector(series: Vec<LogSeries>) -> LogValue {
    if series.iter().any(|one| one.points.len() > 1) {
        return LogValue::Matrix(series);
    }
    let sample = |one: LogSeries| {
        let (ts_ms, value) = *one.points.first()?;
        Some(LogSample { labels: one.labels, ts_ms, value })
    };
    LogValue::Vector(series.into_iter().filter_map(sample).collect())
}

/// `/loki/api/v1/index/volume`
pub(crate) async fn volume(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let params = volume_params(&call.params, state.clock.now_ns())?;
    let rows = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::volume(source, tenant, &params, budget)
    });
    Ok(volume_answer(LogValue::Vector(rows.await?)))
}

/// `/loki/api/v1/index/volume_range`
pub(crate) async fn volume_range(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let params = volume_params(&call.params, state.clock.now_ns())?;
    let step_ms = range::step_ms(&call.params, (params.start_ns, params.end_ns))?;
    let rows = ask(&state, &call.tenant, move |source, tenant, budget| {
        logql::volume_range(source, tenant, &params, step_ms, budget)
    });
    Ok(volume_answer(short_as_vector(rows.await?)))
}
