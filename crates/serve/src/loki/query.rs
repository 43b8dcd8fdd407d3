//! `query`, `query_range` and `format_query`: LogQL in, an answer in Loki's envelope out.

use super::encode;
use super::failure::Failure;
use super::range;
use crate::State;
use crate::body;
use crate::call::{Call, Params};
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use model::scan::Direction;
use query::logql::{self, LogAnswer, LogError, LogParams, LogValue};
use serde_json::json;

/// Entries a call that names no limit gets; Loki's default.
const ENTRIES_DEFAULT: usize = 100;
/// Most entries of one answer; Loki's `max_entries_limit_per_query`.
const ENTRIES_MAX: usize = 5_000;

/// `/loki/api/v1/query`
pub(crate) async fn instant(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let at = range::instant(&call.params, state.clock.now_ns())?;
    let params = LogParams { start_ns: at, end_ns: at, step_ms: None, ..log_params(&state, &call.params)? };
    let answer = run(&state, &call, params).await?;
    if matches!(answer.value, LogValue::Streams(_)) {
        return Err(Failure::Parameter(
            "log queries are not supported as an instant query type, please change your query to a range query \
             type"
                .into(),
        ));
    }
    Ok(encode::answer(answer, false))
}

/// `/loki/api/v1/query_range`
pub(crate) async fn range(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let bounds = range::bounds(&call.params, state.clock.now_ns())?;
    let params = LogParams {
        start_ns: bounds.0,
        end_ns: bounds.1,
        step_ms: Some(range::step_ms(&call.params, bounds)?),
        aligned: true,
        interval_ms: range::interval_ms(&call.params)?,
        ..log_params(&state, &call.params)?
    };
    let categorize = encode::wants_categories(&call.headers);
    Ok(encode::answer(run(&state, &call, params).await?, categorize))
}

/// `/loki/api/v1/format_query`
pub(crate) async fn format(call: Call<Failure>) -> Response {
    let parsed = match call.params.get("query") {
        "" => Err(NO_QUERY.to_owned()),
        text => language::logql::parse(text).map_err(|error| error.to_string()),
    };
    let (status, answer) = match parsed {
        Ok(expr) => (StatusCode::OK, json!({"status": "success", "data": language::logql::pretty(&expr)})),
        Err(error) => (StatusCode::BAD_REQUEST, json!({"status": "invalid-query", "error": error})),
    };
    body::json(status, &answer)
}

/// What Loki's parser says of an empty query.
pub(crate) const NO_QUERY: &str = "parse error : syntax error: unexpected $end";

/// The `query` parameter, which every log call but the label calls needs.
pub(crate) fn required_query(params: &Params) -> Result<&str, Failure> {
    params.some("query").ok_or_else(|| Failure::Query(LogError::BadQuery(NO_QUERY.to_owned())))
}

async fn run(state: &State, call: &Call<Failure>, params: LogParams) -> Result<LogAnswer, Failure> {
    let (source, tenant) = (state.logs.clone(), call.tenant.clone());
    let text = required_query(&call.params)?.to_owned();
    let work = move |budget: &model::scan::Budget| logql::query(&*source, &tenant, &text, &params, budget);
    Ok(state.gate.run("logql", None, work).await??)
}

/// `limit` as a count between 1 and `most`.
pub(crate) fn limit(params: &Params, default: usize, most: usize) -> Result<usize, Failure> {
    let Some(text) = params.some("limit") else { return Ok(default) };
    let limit: i64 = text
        .parse()
        .map_err(|_| Failure::Parameter(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
    match usize::try_from(limit) {
        Ok(limit) if limit > most => Err(Failure::Parameter(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})"
        ))),
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(Failure::Parameter("limit must be a positive value".into())),
    }
}

fn log_params(state: &State, params: &Params) -> Result<LogParams, Failure> {
    let direction = match params.get("direction") {
        "" => Direction::Backward,
        text if text.eq_ignore_ascii_case("backward") => Direction::Backward,
        text if text.eq_ignore_ascii_case("forward") => Direction::Forward,
        other => return Err(Failure::Parameter(format!("invalid direction '{other}'"))),
    };
    let limit = limit(params, ENTRIES_DEFAULT, ENTRIES_MAX)?;
    Ok(LogParams { direction, limit, now_ns: state.clock.now_ns(), ..LogParams::default() })
}
