//! What one group has seen at one step.

use super::super::annotation::Note;
use super::super::call::quantile_of;
use super::super::eval::Context;
use super::super::histogram::{HistogramMean, Incompatible, Outcome, Work};
use super::super::kahan::{Kahan, Mean};
use super::super::value::{Cell, Row};
use language::promql::ast::{AggregateOp, Span};
use model::FloatHistogram;
use model::histogram::ResetHint;

/// What is the same for all groups and steps.
pub(crate) struct Scope<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) op: AggregateOp,
    pub(crate) span: Span,
}

/// The state of a group at a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accumulator {
    seen: bool,
    drop_name: bool,
    has_float: bool,
    float: Float,
    histogram: Option<Box<Histograms>>,
}

#[derive(Clone, Debug, Default)]
enum Float {
    #[default]
    None,
    Sum(Kahan),
    Mean(Mean),
    Number(f64),
    Variance {
        count: f64,
        mean: f64,
        squares: f64,
    },
    All(Vec<f64>),
}

#[derive(Clone, Debug)]
enum Total {
    Sum(Work),
    Mean(HistogramMean),
    /// Floats came first: the result is invalid anyway.
    Ignored,
}

#[derive(Clone, Debug)]
struct Histograms {
    total: Total,
    incompatible: bool,
    reset_seen: bool,
    no_reset_seen: bool,
}

impl Accumulator {
    pub(crate) fn drops_name(&self) -> Option<bool> {
        self.seen.then_some(self.drop_name)
    }

    /// Adds a row's value at this step.
    pub(crate) fn add(&mut self, scope: &Scope<'_>, cell: &Cell, row: &Row) {
        let taken = match cell {
            Cell::Empty => return,
            Cell::Float(value) => self.add_float(scope, *value),
            Cell::Histogram(h) => self.add_histogram(scope, h, row),
        };
        if taken {
            self.drop_name |= row.drop_name;
            self.seen = true;
        }
    }

    fn add_float(&mut self, scope: &Scope<'_>, value: f64) -> bool {
        if self.histogram.as_ref().is_some_and(|h| h.incompatible) {
            return true;
        }
        self.has_float = true;
        match (&mut self.float, scope.op) {
            (Float::Sum(sum), _) => sum.add(value),
            (Float::Mean(mean), _) => mean.add(value),
            (Float::Number(number), AggregateOp::Max) => {
                if *number < value || number.is_nan() {
                    *number = value;
                }
            }
            (Float::Number(number), AggregateOp::Min) => {
                if *number > value || number.is_nan() {
                    *number = value;
                }
            }
            (Float::Number(count), AggregateOp::Count) => *count += 1.0,
            (Float::Number(_), _) => {}
            (Float::Variance { count, mean, squares }, _) => {
                *count += 1.0;
                let delta = value - *mean;
                *mean += delta / *count;
                *squares += delta * (value - *mean);
            }
            (Float::All(values), _) => values.push(value),
            (none @ Float::None, op) => *none = first(op, value),
        }
        true
    }

    /// Whether the operator takes histograms.
    fn add_histogram(&mut self, scope: &Scope<'_>, h: &FloatHistogram, row: &Row) -> bool {
        let op = scope.op;
        match op {
            AggregateOp::Sum | AggregateOp::Avg => {}
            AggregateOp::Count | AggregateOp::Group => return self.add_float(scope, 0.0),
            _ => {
                scope.context.note(Note::IgnoredInAggregation(op.as_str()), scope.span);
                return false;
            }
        }
        let Some(histograms) = &mut self.histogram else {
            let total = match op {
                _ if self.has_float => Total::Ignored,
                AggregateOp::Sum => Total::Sum(Work::from(h)),
                _ => Total::Mean(HistogramMean::new(h)),
            };
            let mut histograms =
                Histograms { total, incompatible: false, reset_seen: false, no_reset_seen: false };
            if !self.has_float {
                histograms.track(h);
            }
            self.histogram = Some(Box::new(histograms));
            return true;
        };
        if histograms.incompatible || matches!(histograms.total, Total::Ignored) {
            return true;
        }
        histograms.track(h);
        match histograms.add(h) {
            Ok(outcome) if outcome.bounds_reconciled => {
                scope.context.note(Note::MismatchedBounds("aggregation"), scope.span);
            }
            Ok(_) => {}
            Err(Incompatible) => {
                let metric = row.labels.metric_name().to_owned();
                scope.context.note(Note::MixedSchemas(metric), scope.span);
                histograms.incompatible = true;
            }
        }
        true
    }

    /// The group's value; `param` is the quantile.
    pub(crate) fn finish(self, scope: &Scope<'_>, param: f64) -> Cell {
        if !self.seen {
            return Cell::Empty;
        }
        if let Some(histograms) = self.histogram {
            if self.has_float {
                scope.context.note(Note::MixedFloatsHistogramsAggregation, scope.span);
                return Cell::Empty;
            }
            if histograms.incompatible {
                return Cell::Empty;
            }
            if histograms.reset_seen && histograms.no_reset_seen {
                scope.context.note(Note::ResetCollision("aggregation"), scope.span);
            }
            return match histograms.total {
                Total::Sum(sum) => Cell::histogram(sum.finish()),
                Total::Mean(mean) => Cell::histogram(mean.finish()),
                Total::Ignored => Cell::Empty,
            };
        }
        Cell::Float(match self.float {
            Float::None => return Cell::Empty,
            Float::Sum(sum) => sum.total(),
            Float::Mean(mean) => mean.get(),
            Float::Number(number) => number,
            Float::Variance { count, squares, .. } if scope.op == AggregateOp::Stdvar => squares / count,
            Float::Variance { count, squares, .. } => (squares / count).sqrt(),
            Float::All(mut values) => quantile_of(param, &mut values),
        })
    }
}

/// The state after the first float.
fn first(op: AggregateOp, value: f64) -> Float {
    match op {
        AggregateOp::Sum => Float::Sum(Kahan::new(value)),
        AggregateOp::Avg => {
            let mut mean = Mean::default();
            mean.add(value);
            Float::Mean(mean)
        }
        AggregateOp::Count | AggregateOp::Group => Float::Number(1.0),
        AggregateOp::Stddev | AggregateOp::Stdvar => {
            let squares = if value.is_finite() { 0.0 } else { f64::NAN };
            Float::Variance { count: 1.0, mean: value, squares }
        }
        AggregateOp::Quantile => Float::All(vec![value]),
        _ => Float::Number(value),
    }
}

impl Histograms {
    fn track(&mut self, h: &FloatHistogram) {
        self.reset_seen |= h.reset_hint == ResetHint::Yes;
        self.no_reset_seen |= h.reset_hint == ResetHint::No;
    }

    fn add(&mut self, h: &FloatHistogram) -> Result<Outcome, Incompatible> {
        match &mut self.total {
            Total::Sum(sum) => sum.add_compensated(h),
            Total::Mean(mean) => mean.add(h),
            Total::Ignored => Ok(Outcome::default()),
        }
    }
}
