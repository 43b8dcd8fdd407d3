//! PromQL over a [`MetricSource`]: parse, plan, evaluate series by series, answer with warnings and completeness.
//!
//! The engine reads no clock and starts no task; cancellation, time and sample limits come in as a [`Budget`]. It never
//! writes, and keeps nothing between queries.

mod aggregate;
mod annotation;
pub mod answer;
mod binary;
mod call;
mod eval;
mod histogram;
mod kahan;
mod matching;
mod select;
mod totals;
mod value;

pub use answer::{PromAnswer, PromError, PromErrorKind, PromValue, Sample, SampleValue, Series};

pub(crate) use histogram::hint;
pub use histogram::{ShownBucket, add_histograms, compacted as compact_histogram, shown_buckets};

use annotation::Notes;
use eval::{Context, check_steps, clamp_time, merge_rows};
use language::promql;
use language::promql::ast::{Expr, ValueType};
use model::scan::{Budget, MetricSource};
use model::{Labels, Tenant};
use std::cell::RefCell;
use value::{Cell, Grid, Row, Value, without_name};

/// What a query may use and how it behaves. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryOptions {
    /// How far back an instant selector looks for a sample.
    pub lookback_ms: i64,
    /// Most samples the answer and one intermediate result may hold at a time.
    pub samples_max: u64,
    /// Step of a subquery that names none.
    pub subquery_step_ms: i64,
    /// Whether metric names are dropped at the end of the query instead of by each operation.
    pub delayed_name_removal: bool,
    /// Whether `__type__` and `__unit__` are part of the metric's identity.
    pub type_and_unit_labels: bool,
    /// Whether `rate` and its kin use the samples' start timestamps.
    pub start_timestamps: bool,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            samples_max: 50_000_000,
            subquery_step_ms: 60_000,
            delayed_name_removal: false,
            type_and_unit_labels: false,
            start_timestamps: false,
        }
    }
}

/// Evaluates queries. Stateless; one value serves every tenant and thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engine;

impl Engine {
    /// The value of `query` at `ts_ms`.
    ///
    /// # Errors
    /// `BadData` for a query that does not parse, `Execution` for one that cannot be evaluated on this data,
    /// `Canceled` or `Timeout` when `budget` says so, `Internal` when the source fails.
    pub fn instant(
        &self,
        source: &dyn MetricSource,
        tenant: &Tenant,
        query: &str,
        ts_ms: i64,
        options: &QueryOptions,
        budget: &Budget,
    ) -> Result<PromAnswer, PromError> {
        let expr = promql::parse(query)?;
        let grid = Grid::instant(clamp_time(ts_ms));
        let context = context(source, tenant, options, budget, (grid, &expr));
        let value = match expr.unparen() {
            range @ (Expr::Matrix(_) | Expr::Subquery(_)) => raw_series(&context, range, grid)?,
            _ => match context.eval(&expr, grid)? {
                Value::Scalar(values) => {
                    PromValue::Scalar(ts_ms, values.first().copied().unwrap_or(f64::NAN))
                }
                Value::String(text) => PromValue::String(ts_ms, text),
                Value::Rows(rows) => PromValue::Vector(samples(finish_names(rows)?, ts_ms)),
            },
        };
        Ok(answer(context, query, value))
    }

    /// The values of `query` at every `step_ms` from `start_ms` to `end_ms`, both inclusive; always a matrix.
    ///
    /// # Errors
    /// As [`instant`](Self::instant); also for queries that are no scalar and no instant vector.
    #[expect(
        clippy::too_many_arguments,
        reason = "the three times are one range, spelled as the HTTP API does"
    )]
    pub fn range(
        &self,
        source: &dyn MetricSource,
        tenant: &Tenant,
        query: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &QueryOptions,
        budget: &Budget,
    ) -> Result<PromAnswer, PromError> {
        let expr = promql::parse(query)?;
        if step_ms < 1 {
            let message = "zero or negative query resolution step widths are not accepted. \
                           Try a positive integer";
            return Err(PromError::new(PromErrorKind::BadData, message));
        }
        let value_type = expr.value_type();
        if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
            let message = format!(
                "invalid expression type {} for range query, must be Scalar or instant Vector",
                promql::quote(value_type.documented())
            );
            return Err(PromError::new(PromErrorKind::BadData, message));
        }
        let grid = Grid { start: clamp_time(start_ms), end: clamp_time(end_ms), step: step_ms };
        check_steps(grid)?;
        let context = context(source, tenant, options, budget, (grid, &expr));
        let rows = match context.eval(&expr, grid)? {
            Value::Rows(rows) => finish_names(rows)?,
            Value::Scalar(values) => {
                let cells = values.into_iter().map(Cell::Float).collect();
                vec![Row::new(Labels::empty(), cells)]
            }
            Value::String(_) => Vec::new(),
        };
        let mut series: Vec<Series> = rows.into_iter().map(|row| points(row, grid)).collect();
        series.retain(|series| !series.floats.is_empty() || !series.histograms.is_empty());
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(answer(context, query, PromValue::Matrix(series)))
    }
}

fn context<'q>(
    source: &'q dyn MetricSource,
    tenant: &'q Tenant,
    options: &'q QueryOptions,
    budget: &'q Budget,
    (query, expr): (Grid, &Expr),
) -> Context<'q> {
    Context {
        source,
        tenant,
        options,
        budget,
        query,
        totals_only: totals::selectors(expr),
        notes: Notes::default(),
        completeness: RefCell::default(),
        live: std::cell::Cell::default(),
    }
}

fn answer(context: Context<'_>, query: &str, value: PromValue) -> PromAnswer {
    let samples_read = context.budget.spent();
    let (warnings, infos) = context.notes.into_sentences(query);
    PromAnswer { value, warnings, infos, samples_read, completeness: context.completeness.into_inner() }
}

/// Drops the names that were only marked, and joins what then has the same labels.
fn finish_names(mut rows: Vec<Row>) -> Result<Vec<Row>, PromError> {
    for row in rows.iter_mut().filter(|row| row.drop_name) {
        row.labels = without_name(&row.labels);
    }
    merge_rows(rows)
}

fn samples(rows: Vec<Row>, ts_ms: i64) -> Vec<Sample> {
    let sample = |row: Row| {
        let value = match row.cells.into_iter().next()? {
            Cell::Empty => return None,
            Cell::Float(value) => SampleValue::Float(value),
            Cell::Histogram(h) => SampleValue::Histogram(h),
        };
        Some(Sample { labels: row.labels, ts_ms, value })
    };
    rows.into_iter().filter_map(sample).collect()
}

fn points(row: Row, grid: Grid) -> Series {
    let mut series = Series { labels: row.labels, ..Series::default() };
    for (ts, cell) in grid.times().zip(row.cells) {
        match cell {
            Cell::Empty => {}
            Cell::Float(value) => series.floats.push((ts, value)),
            Cell::Histogram(h) => series.histograms.push((ts, h)),
        }
    }
    series
}

/// The samples of a range vector at one time, as they are.
fn raw_series(context: &Context<'_>, expr: &Expr, grid: Grid) -> Result<PromValue, PromError> {
    let Some(range) = select::Range::new(context, expr)? else { return Ok(PromValue::Matrix(Vec::new())) };
    let end = range.reference.of(grid.start);
    let start = end.saturating_sub(range.length);
    let mut series = Vec::new();
    range.each(context, grid, &mut |labels, drop_name, columns| {
        let labels = if drop_name { without_name(labels) } else { labels.clone() };
        let floats = match range.extension {
            Some(extension) => call::extended_points(&columns, extension, start, end, &labels)?,
            None => columns.ts.into_iter().zip(columns.values).collect(),
        };
        if !floats.is_empty() || !columns.histograms.is_empty() {
            series.push(Series { labels, floats, histograms: columns.histograms });
        }
        Ok(())
    })?;
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(PromValue::Matrix(series))
}

#[cfg(test)]
mod tests;
