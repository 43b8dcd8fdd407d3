//! Walks the tree. Selectors and range functions push rows one by one, so that an aggregation over them holds its groups
//! and one series; everything else collects its operands.

use super::annotation::{Note, Notes};
use super::answer::{PromError, PromErrorKind, TOO_MANY_SAMPLES};
use super::value::{Cell, Grid, Row, Value, without_name};
use super::{QueryOptions, aggregate, binary, call, histogram, select};
use language::promql::ast::{At, Duration, DurationExpr, Expr, Span, ValueType};
use model::scan::{Budget, Completeness, MetricSource};
use model::{Labels, Tenant};
use std::cell::{Cell as Counter, RefCell};
use std::collections::HashMap;

pub(crate) type Result<T> = std::result::Result<T, PromError>;

/// What takes the rows of a streamed expression.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(Row) -> Result<()>;

pub(crate) const DUPLICATE_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// Times beyond this are cut to it, so that differences of times never overflow; 73 million years, in milliseconds.
const TIME_MS_MAX: i64 = i64::MAX / 4;

/// The time, or the nearest one the engine calculates with.
pub(crate) fn clamp_time(ms: i64) -> i64 {
    ms.clamp(-TIME_MS_MAX, TIME_MS_MAX)
}

/// Most steps a query or subquery may have: a year of seconds is refused, a year of ten seconds is not.
pub(crate) const STEPS_MAX: usize = 5_000_000;

/// Refuses a grid that has too many steps.
pub(crate) fn check_steps(grid: Grid) -> Result<()> {
    if grid.len() > STEPS_MAX { Err(PromError::execution(TOO_MANY_SAMPLES)) } else { Ok(()) }
}

/// One query while it runs.
pub(crate) struct Context<'q> {
    pub(crate) source: &'q dyn MetricSource,
    pub(crate) tenant: &'q Tenant,
    pub(crate) options: &'q QueryOptions,
    pub(crate) budget: &'q Budget,
    /// The whole query's times.
    pub(crate) query: Grid,
    /// Selectors of which only the histograms' counts and sums are used.
    pub(crate) totals_only: Vec<Span>,
    pub(crate) notes: Notes,
    pub(crate) completeness: RefCell<Completeness>,
    pub(crate) live: Counter<u64>,
}

impl Context<'_> {
    pub(crate) fn note(&self, note: Note, span: Span) {
        self.notes.add(note, span);
    }

    /// Counts `samples` as held in memory.
    pub(crate) fn hold(&self, samples: u64) -> Result<()> {
        self.live.set(self.live.get() + samples);
        if self.live.get() > self.options.samples_max {
            return Err(PromError::execution(TOO_MANY_SAMPLES));
        }
        self.budget.spend(0)?;
        Ok(())
    }

    pub(crate) fn release(&self, samples: u64) {
        self.live.set(self.live.get().saturating_sub(samples));
    }

    pub(crate) fn release_rows(&self, rows: &[Row]) {
        self.release(rows.iter().map(weight).sum());
    }

    /// Marks the name as dropped, and drops it unless that is to wait for the query's end.
    pub(crate) fn drop_name(&self, row: &mut Row) {
        row.drop_name = true;
        if !self.options.delayed_name_removal {
            row.labels = without_name(&row.labels);
        }
    }

    /// The time selectors with this `@` look at, or `None` for the step's own.
    pub(crate) fn at(&self, at: Option<At>) -> Option<i64> {
        at.map(|at| match at {
            At::Ms(ms) => clamp_time(ms),
            At::Start => self.query.start,
            At::End => self.query.end,
        })
    }

    /// Milliseconds of `step()`: 0 in an instant query.
    pub(crate) fn step_ms(&self) -> i64 {
        if self.query.is_instant() { 0 } else { self.query.step }
    }

    pub(crate) fn offset(&self, offset: Option<&Duration>) -> Result<i64> {
        offset.map_or(Ok(0), |offset| self.duration(offset, true))
    }

    /// Milliseconds of a length of time.
    pub(crate) fn duration(&self, duration: &Duration, may_be_negative: bool) -> Result<i64> {
        const SECONDS_MAX: f64 = 9_223_372_036.854_775;
        let expr = match duration {
            Duration::Fixed(ms) => return Ok(*ms),
            Duration::Computed(expr) => expr,
        };
        let seconds = self.duration_seconds(expr)?;
        let span = expr.span();
        let fail = |what: &str| {
            let message = format!("{}:{}: {what}", span.start, span.end);
            Err(PromError::new(PromErrorKind::BadData, message))
        };
        if !seconds.is_finite() {
            return fail("duration is NaN or infinite");
        }
        if seconds <= 0.0 && !may_be_negative {
            return fail("duration must be greater than 0");
        }
        if seconds.abs() > SECONDS_MAX {
            return fail("duration is out of range");
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked right above")]
        Ok((seconds * 1000.0) as i64)
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a query's range")]
    fn duration_seconds(&self, expr: &DurationExpr) -> Result<f64> {
        Ok(match expr {
            DurationExpr::Number(number) => number.value,
            DurationExpr::Step(_) => self.step_ms() as f64 / 1000.0,
            DurationExpr::Range(_) => (self.query.end - self.query.start) as f64 / 1000.0,
            DurationExpr::Extreme { max, lhs, rhs, .. } => {
                let (lhs, rhs) = (self.duration_seconds(lhs)?, self.duration_seconds(rhs)?);
                if *max { call::go_max(lhs, rhs) } else { call::go_min(lhs, rhs) }
            }
            DurationExpr::Negate { expr, .. } => -self.duration_seconds(expr)?,
            DurationExpr::Paren { expr, .. } => self.duration_seconds(expr)?,
            DurationExpr::Binary { op, lhs, rhs } => {
                let (left, right) = (self.duration_seconds(lhs)?, self.duration_seconds(rhs)?);
                let zero = match op.as_str() {
                    "/" => Some("division by zero"),
                    "%" => Some("modulo by zero"),
                    _ => None,
                };
                if let Some(what) = zero.filter(|_| right == 0.0) {
                    let span = expr.span();
                    let message = format!("{}:{}: {what}", span.start, span.end);
                    return Err(PromError::new(PromErrorKind::BadData, message));
                }
                binary::arithmetic(*op, left, right)
            }
        })
    }

    /// The value of an expression that is no range vector.
    pub(crate) fn eval(&self, expr: &Expr, grid: Grid) -> Result<Value> {
        self.budget.spend(0)?;
        if grid.len() > 1 && worth_hoisting(expr) && step_invariant(expr) {
            return Ok(repeat(self.eval(expr, Grid { end: grid.start, ..grid })?, grid.len()));
        }
        match expr {
            Expr::Number(number) => Ok(Value::Scalar(vec![number.value; grid.len()])),
            Expr::String(text) => Ok(Value::String(text.value.clone())),
            Expr::Paren(paren) => self.eval(&paren.expr, grid),
            Expr::Unary(unary) => {
                let value = self.eval(&unary.expr, grid)?;
                if unary.negative { self.negate(value) } else { Ok(value) }
            }
            Expr::Binary(operation) => binary::eval(self, operation, expr.span(), grid),
            Expr::Aggregate(aggregate) => aggregate::eval(self, aggregate, grid).map(Value::Rows),
            Expr::Call(function) => call::eval(self, function, grid),
            Expr::Vector(_) => {
                let mut rows = Vec::new();
                self.each(expr, grid, &mut |row| {
                    rows.push(row);
                    Ok(())
                })?;
                Ok(Value::Rows(rows))
            }
            Expr::Matrix(_) | Expr::Subquery(_) => {
                let message = "a range vector cannot be evaluated at every step";
                Err(PromError::new(PromErrorKind::Internal, message))
            }
        }
    }

    /// Gives the rows of a vector expression to `sink`, one at a time where the expression allows it.
    pub(crate) fn each(&self, expr: &Expr, grid: Grid, sink: Sink<'_>) -> Result<()> {
        let hoisted = grid.len() > 1 && step_invariant(expr);
        match expr.unparen() {
            Expr::Vector(selector) if !hoisted => select::instant(self, selector, grid, &mut |row| {
                self.hold(weight(&row))?;
                sink(row)
            }),
            Expr::Call(function) if !hoisted && call::streams(function) => {
                call::each(self, function, grid, sink)
            }
            _ => self.rows(expr, grid)?.into_iter().try_for_each(sink),
        }
    }

    /// The rows of a vector expression.
    pub(crate) fn rows(&self, expr: &Expr, grid: Grid) -> Result<Vec<Row>> {
        match self.eval(expr, grid)? {
            Value::Rows(rows) => Ok(rows),
            Value::Scalar(values) => {
                let cells = values.into_iter().map(Cell::Float).collect();
                Ok(vec![Row::new(Labels::empty(), cells)])
            }
            Value::String(_) => Ok(Vec::new()),
        }
    }

    /// The values of a scalar expression.
    pub(crate) fn scalars(&self, expr: &Expr, grid: Grid) -> Result<Vec<f64>> {
        match self.eval(expr, grid)? {
            Value::Scalar(values) => Ok(values),
            Value::Rows(_) | Value::String(_) => Ok(vec![f64::NAN; grid.len()]),
        }
    }

    fn negate(&self, value: Value) -> Result<Value> {
        match value {
            Value::Scalar(values) => Ok(Value::Scalar(values.into_iter().map(|x| -x).collect())),
            Value::Rows(mut rows) => {
                for row in &mut rows {
                    self.drop_name(row);
                    for cell in &mut row.cells {
                        match cell {
                            Cell::Empty => {}
                            Cell::Float(value) => *value = -*value,
                            Cell::Histogram(h) => *cell = Cell::histogram(histogram::scaled(h, -1.0)),
                        }
                    }
                }
                Ok(Value::Rows(merge_rows(rows)?))
            }
            text @ Value::String(_) => Ok(text),
        }
    }
}

/// Whether the value is the same at every step because all its selectors have an `@`.
fn step_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Vector(selector) => selector.at.is_some(),
        Expr::Matrix(matrix) => matrix.selector.at.is_some(),
        Expr::Subquery(subquery) => subquery.at.is_some(),
        Expr::Aggregate(aggregate) => {
            step_invariant(&aggregate.expr) && aggregate.param.as_ref().is_none_or(step_invariant)
        }
        Expr::Call(function) => call::step_invariant(function) && function.args.iter().all(step_invariant),
        Expr::Paren(_) | Expr::Unary(_) | Expr::Binary(_) => expr.children().into_iter().all(step_invariant),
    }
}

fn worth_hoisting(expr: &Expr) -> bool {
    expr.value_type() == ValueType::Vector
        && matches!(
            expr,
            Expr::Vector(_) | Expr::Aggregate(_) | Expr::Call(_) | Expr::Binary(_) | Expr::Unary(_)
        )
}

/// The one value of each row at every step.
fn repeat(value: Value, steps: usize) -> Value {
    match value {
        Value::Scalar(values) => Value::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); steps]),
        Value::Rows(mut rows) => {
            for row in &mut rows {
                let cell = row.cells.pop().unwrap_or_default();
                row.cells = vec![cell; steps];
            }
            Value::Rows(rows)
        }
        text @ Value::String(_) => text,
    }
}

/// How many samples a row counts for in the query's limit; a cell takes as much memory as a sample, filled or not.
pub(crate) fn weight(row: &Row) -> u64 {
    row.cells
        .iter()
        .map(|cell| match cell {
            Cell::Empty | Cell::Float(_) => 1,
            Cell::Histogram(h) => histogram::weight(h),
        })
        .sum()
}

/// Joins rows with the same labels; two values at one step are an error. Rows without values are dropped.
pub(crate) fn merge_rows(rows: Vec<Row>) -> Result<Vec<Row>> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut out: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        if !row.has_cells() {
            continue;
        }
        let Some(place) = places.get(&row.labels).and_then(|at| out.get_mut(*at)) else {
            places.insert(row.labels.clone(), out.len());
            out.push(row);
            continue;
        };
        for (slot, cell) in place.cells.iter_mut().zip(row.cells) {
            if cell.is_empty() {
                continue;
            }
            if !slot.is_empty() {
                return Err(PromError::execution(DUPLICATE_LABELS));
            }
            *slot = cell;
        }
    }
    Ok(out)
}
