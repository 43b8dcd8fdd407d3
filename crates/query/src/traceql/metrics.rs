//! Series from spans: each `{ ... } | function()` of a query is one scan, arithmetic and limits work on what the scans
//! gave. Durations are seconds in every series, as Prometheus has them.

mod accumulate;
mod combine;
mod compare;
mod sketch;

use super::answer::{AttrValue, MetricSeries, MetricsAnswer, MetricsParams, SeriesExemplar, TraceQlError};
use super::plan::{Plan, together};
use super::prune;
use super::search::each_trace;
use super::trace::Trace;
use accumulate::Accumulator;
use combine::Operand;
use compare::Comparison;
use language::traceql::{
    Body, ErrorKind, Field, MetricsExpr, MetricsFunction, ParseError, Pipeline, Query, Static, check,
};
use model::Completeness;
use model::scan::{Budget, ScanError, SpanSelect, SpanSource};
use model::tenant::Tenant;
use std::ops::ControlFlow;

/// Most intervals of one query.
pub const INTERVALS_MAX: i64 = 11_000;

/// Most samples that one query may hold in memory, over all its series.
pub const SAMPLES_MAX: usize = 20_000_000;

/// Exemplars when the query asks for them with `with(exemplars=true)` and the request names no number.
const EXEMPLARS_DEFAULT: usize = 100;

/// The intervals of a query. A sample at time `t` stands for the spans that start in `(t - step, t]`, and `t` is a
/// multiple of the step; an instant query has one sample, at the end of its range.
#[derive(Clone, Copy, Debug)]
struct Grid {
    start_ns: i64,
    end_ns: i64,
    step_ns: i64,
    /// Time of the first sample.
    first_ns: i64,
    len: usize,
}

impl Grid {
    fn range(params: &MetricsParams) -> Result<Self, TraceQlError> {
        let (start_ns, end_ns, step_ns) = (params.start_ns, params.end_ns, params.step_ns);
        if step_ns < 1_000_000 {
            return Err(TraceQlError::BadRequest("step must be at least 1ms".to_owned()));
        }
        let first = Self::up(start_ns, step_ns);
        let last = Self::up(end_ns.saturating_sub(1).max(start_ns), step_ns);
        let len = last - first + 1;
        if len > INTERVALS_MAX {
            let message = format!(
                "{len} intervals are more than {INTERVALS_MAX}: use a larger step or a shorter range"
            );
            return Err(TraceQlError::BadRequest(message));
        }
        let len = usize::try_from(len).unwrap_or_default();
        Ok(Self { start_ns, end_ns, step_ns, first_ns: first.saturating_mul(step_ns), len })
    }

    fn instant(params: &MetricsParams) -> Self {
        let (start_ns, end_ns) = (params.start_ns, params.end_ns);
        Self { start_ns, end_ns, step_ns: end_ns.saturating_sub(start_ns).max(1), first_ns: end_ns, len: 1 }
    }

    /// `ns / step`, rounded up.
    fn up(ns: i64, step: i64) -> i64 {
        ns.div_euclid(step) + i64::from(ns.rem_euclid(step) != 0)
    }

    /// The interval of a span that starts at `ns`; `None` outside of the query's range.
    fn slot(&self, ns: i64) -> Option<usize> {
        if !(self.start_ns..self.end_ns).contains(&ns) {
            return None;
        }
        if self.len == 1 {
            return Some(0);
        }
        usize::try_from(Self::up(ns.checked_sub(self.first_ns)?, self.step_ns))
            .ok()
            .filter(|slot| *slot < self.len)
    }

    /// Time of sample `slot`, milliseconds.
    fn sample_ms(&self, slot: usize) -> i64 {
        let slot = i64::try_from(slot).unwrap_or_default();
        self.first_ns.saturating_add(slot.saturating_mul(self.step_ns)).div_euclid(1_000_000)
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds of a rate")]
    fn step_s(&self) -> f64 {
        self.step_ns as f64 / 1e9
    }
}

/// A series while it is computed: one value per interval, NaN for none.
#[derive(Clone, Debug, Default)]
struct Series {
    labels: Vec<(String, AttrValue)>,
    values: Vec<f64>,
    exemplars: Vec<SeriesExemplar>,
}

/// See [`super::metrics_range`].
pub(super) fn range(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &MetricsParams,
    budget: &Budget,
) -> Result<MetricsAnswer, TraceQlError> {
    let grid = Grid::range(params)?;
    answer(source, tenant, query, params, grid, budget)
}

/// See [`super::metrics_instant`].
pub(super) fn instant(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &MetricsParams,
    budget: &Budget,
) -> Result<MetricsAnswer, TraceQlError> {
    answer(source, tenant, query, params, Grid::instant(params), budget)
}

fn answer(
    source: &dyn SpanSource,
    tenant: &Tenant,
    query: &str,
    params: &MetricsParams,
    grid: Grid,
    budget: &Budget,
) -> Result<MetricsAnswer, TraceQlError> {
    let query = check(query)?;
    let exemplars_max = exemplars_max(&query, params.exemplars_max);
    let Body::Metrics(expr) = query.body else {
        let message =
            "this is a search query: add a metrics function such as | rate(), or ask /api/search".to_owned();
        return Err(ParseError { kind: ErrorKind::Invalid, message, offset: 0 }.into());
    };
    let mut run = Run { source, tenant, budget, grid, exemplars_max, answer: MetricsAnswer::default() };
    let mut series = match run.evaluate(&expr)? {
        Operand::Series(series) => series,
        Operand::Number(_) => Vec::new(),
    };
    series.retain(|series| series.values.iter().any(|value| value.is_finite()));
    series.sort_by_cached_key(|series| combine::key(&series.labels));
    let mut answer = run.answer;
    if params.series_max > 0 && series.len() > params.series_max {
        let sentence =
            format!("{} of {} series are left out", series.len() - params.series_max, series.len());
        answer.completeness.merge(Completeness { missing: vec![sentence] });
        series.truncate(params.series_max);
    }
    answer.series = series.into_iter().map(|series| finished(series, &grid)).collect();
    Ok(answer)
}

/// What `with(exemplars=...)` says, else what the request says.
fn exemplars_max(query: &Query, asked: usize) -> usize {
    match query.hints.iter().find(|(name, _)| name == "exemplars") {
        Some((_, Static::Bool(false))) => 0,
        Some((_, Static::Bool(true))) if asked == 0 => EXEMPLARS_DEFAULT,
        Some((_, Static::Int(count))) => usize::try_from(*count).unwrap_or_default(),
        _ => asked,
    }
}

fn finished(series: Series, grid: &Grid) -> MetricSeries {
    let samples = series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
    let samples = samples.map(|(slot, value)| (grid.sample_ms(slot), *value)).collect();
    MetricSeries { labels: series.labels, samples, exemplars: series.exemplars }
}

/// One query on its way.
struct Run<'a> {
    source: &'a dyn SpanSource,
    tenant: &'a Tenant,
    budget: &'a Budget,
    grid: Grid,
    exemplars_max: usize,
    answer: MetricsAnswer,
}

impl Run<'_> {
    fn evaluate(&mut self, expr: &MetricsExpr) -> Result<Operand, TraceQlError> {
        match expr {
            MetricsExpr::Number(value) => Ok(Operand::Number(*value)),
            MetricsExpr::Query { pipeline, function, by } => {
                self.spans(pipeline, function, by).map(Operand::Series)
            }
            MetricsExpr::Binary { op, lhs, rhs, .. } => {
                let lhs = self.evaluate(lhs)?;
                Ok(combine::binary(*op, lhs, self.evaluate(rhs)?))
            }
            MetricsExpr::Limit { expr, limit, .. } => Ok(combine::limit(self.evaluate(expr)?, limit)),
        }
    }

    /// One scan into one accumulator.
    fn spans(
        &mut self,
        pipeline: &Pipeline,
        function: &MetricsFunction,
        by: &[Field],
    ) -> Result<Vec<Series>, TraceQlError> {
        let plan = Plan::new(pipeline)?;
        let mut select = prune::select(pipeline, self.grid.start_ns, self.grid.end_ns);
        if let MetricsFunction::OverTime(_, field)
        | MetricsFunction::Histogram(field)
        | MetricsFunction::Quantile(field, _) = function
        {
            select.hints.extend(prune::existence(&field.name));
        }
        if let MetricsFunction::Compare { filter, top, window_ns } = function {
            let mut comparison = Comparison::new(self.grid, filter.as_deref(), *top, *window_ns)?;
            self.scan(&plan, &select, &mut |trace, at, slot| comparison.add(trace, at, slot))?;
            return Ok(comparison.series());
        }
        let mut accumulator = Accumulator::new(self.grid, function, by, self.exemplars_max);
        self.scan(&plan, &select, &mut |trace, at, slot| accumulator.add(trace, at, slot))?;
        Ok(accumulator.series())
    }

    /// Calls `add` with every span that the plan selects and that starts in the query's range.
    fn scan(
        &mut self,
        plan: &Plan,
        select: &SpanSelect,
        add: &mut dyn FnMut(&Trace, u32, usize) -> Result<(), ScanError>,
    ) -> Result<(), TraceQlError> {
        let (grid, answer) = (self.grid, &mut self.answer);
        let mut added = Ok(());
        let completeness = each_trace(self.source, self.tenant, select, self.budget, &mut |trace| {
            answer.inspected_traces += 1;
            answer.inspected_spans += u64::from(trace.len());
            for at in together(plan.run(trace)) {
                let slot = trace.span(at).and_then(|span| grid.slot(span.row.start_ns));
                added = slot.map_or(Ok(()), |slot| add(trace, at, slot));
                if added.is_err() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        added?;
        answer.completeness.merge(completeness);
        Ok(())
    }
}
