//! `query`, `query_range`, `format_query` and `parse_query`.

use super::encode;
use super::envelope::{Notes, TRUNCATED, success};
use super::failure::Failure;
use super::params;
use crate::State;
use crate::call::Call;
use axum::extract::State as Extract;
use axum::response::Response;
use language::promql;
use model::scan::Budget;
use query::promql::{Engine, PromAnswer, PromError, PromValue};

/// What a query cost, for `stats`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Samples read from the source.
    pub(crate) samples: u64,
    /// From admission to answer, nanoseconds of the monotonic clock.
    pub(crate) total_ns: u64,
    /// Evaluation alone.
    pub(crate) eval_ns: u64,
}

/// `/api/v1/query`
pub(crate) async fn instant(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let limit = params::count(&call.params, "limit")?;
    let ts_ms = params::time_or(&call.params, "time", state.clock.now_ms())?;
    let options = params::options(&call.params, state.lookback_ms)?;
    let (source, tenant, text) = subject(&state, &call);
    run(&state, &call, limit, move |budget| Engine.instant(&*source, &tenant, &text, ts_ms, &options, budget))
        .await
}

/// `/api/v1/query_range`
pub(crate) async fn range(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let limit = params::count(&call.params, "limit")?;
    let (start, end, step) = params::range(&call.params)?;
    let options = params::options(&call.params, state.lookback_ms)?;
    let (source, tenant, text) = subject(&state, &call);
    run(&state, &call, limit, move |budget| {
        Engine.range(&*source, &tenant, &text, start, end, step, &options, budget)
    })
    .await
}

type Subject = (std::sync::Arc<dyn model::MetricSource>, model::Tenant, String);

fn subject(state: &State, call: &Call<Failure>) -> Subject {
    (state.metrics.clone(), call.tenant.clone(), call.params.get("query").to_owned())
}

async fn run(
    state: &State,
    call: &Call<Failure>,
    limit: usize,
    work: impl FnOnce(&Budget) -> Result<PromAnswer, PromError> + Send + 'static,
) -> Result<Response, Failure> {
    let timeout = params::timeout(&call.params)?;
    let began = state.clock.monotonic_ns();
    let clock = state.clock.clone();
    let timed = move |budget: &Budget| {
        let began = clock.monotonic_ns();
        let answer = work(budget);
        (answer, clock.monotonic_ns().saturating_sub(began))
    };
    let (answer, eval_ns) = state.gate.run("promql", timeout, timed).await?;
    let mut answer = answer?;
    let total_ns = state.clock.monotonic_ns().saturating_sub(began);
    let cost = Cost { samples: answer.samples_read, total_ns, eval_ns };
    let mut notes = Notes { warnings: answer.warnings, infos: answer.infos };
    notes.warnings.extend(answer.completeness.missing);
    if cut(&mut answer.value, limit) {
        notes.warnings.push(TRUNCATED.to_owned());
    }
    let cost = call.params.some("stats").map(|_| cost);
    Ok(encode::answer(answer.value, notes.cut(), cost))
}

/// Cuts a value to `limit` series (0: unlimited) and says whether anything was left out.
fn cut(value: &mut PromValue, limit: usize) -> bool {
    let len = match value {
        PromValue::Vector(samples) => samples.len(),
        PromValue::Matrix(series) => series.len(),
        PromValue::Scalar(..) | PromValue::String(..) => 0,
    };
    if limit == 0 || len <= limit {
        return false;
    }
    match value {
        PromValue::Vector(samples) => samples.truncate(limit),
        PromValue::Matrix(series) => series.truncate(limit),
        PromValue::Scalar(..) | PromValue::String(..) => {}
    }
    true
}

/// `/api/v1/format_query`
pub(crate) async fn format(call: Call<Failure>) -> Result<Response, Failure> {
    let expr = params::query(&call.params)?;
    Ok(success(&promql::pretty(&expr), Notes::default()))
}

/// `/api/v1/parse_query`
pub(crate) async fn parse(call: Call<Failure>) -> Result<Response, Failure> {
    let expr = params::query(&call.params)?;
    Ok(success(&promql::json::to_json(&expr), Notes::default()))
}
