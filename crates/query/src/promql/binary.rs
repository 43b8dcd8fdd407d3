//! Binary operators between numbers, samples, and vectors with numbers; vectors with vectors are in `matching`.

use super::annotation::Note;
use super::answer::PromError;
use super::eval::{Context, Result, merge_rows};
use super::histogram::{Work, compacted, divided, equal, scaled, trim};
use super::matching;
use super::value::{Cell, Grid, Row, Value};
use language::promql::ast::{Binary, BinaryOp, Span, ValueType};
use language::promql::quote;
use model::FloatHistogram;
use model::histogram::ResetHint;
use std::sync::Arc;

pub(crate) fn eval(context: &Context<'_>, binary: &Binary, span: Span, grid: Grid) -> Result<Value> {
    let scalar = |side: &language::promql::Expr| side.value_type() == ValueType::Scalar;
    match (scalar(&binary.lhs), scalar(&binary.rhs)) {
        (true, true) if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => {
            let op = quote(binary.op.as_str());
            Err(PromError::execution(format!("operator {op} not allowed for Scalar operations")))
        }
        (true, true) => {
            let (left, right) = (context.scalars(&binary.lhs, grid)?, context.scalars(&binary.rhs, grid)?);
            let values = left.into_iter().zip(right).map(|(l, r)| scalars(binary.op, l, r)).collect();
            Ok(Value::Scalar(values))
        }
        (false, true) => {
            let (rows, numbers) = (context.rows(&binary.lhs, grid)?, context.scalars(&binary.rhs, grid)?);
            with_scalar(context, binary, span, rows, &numbers, false).map(Value::Rows)
        }
        (true, false) => {
            let (numbers, rows) = (context.scalars(&binary.lhs, grid)?, context.rows(&binary.rhs, grid)?);
            with_scalar(context, binary, span, rows, &numbers, true).map(Value::Rows)
        }
        (false, false) => matching::eval(context, binary, span, grid).map(Value::Rows),
    }
}

/// `+ - * / % ^ atan2`; other operators give NaN.
pub(crate) fn arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => f64::NAN,
    }
}

#[expect(clippy::float_cmp, reason = "`==` compares floats exactly")]
fn compare(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Eq => left == right,
        BinaryOp::Ne => left != right,
        BinaryOp::Gt => left > right,
        BinaryOp::Lt => left < right,
        BinaryOp::Ge => left >= right,
        BinaryOp::Le => left <= right,
        _ => false,
    }
}

fn scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    if op.is_comparison() {
        f64::from(u8::from(compare(op, left, right)))
    } else {
        arithmetic(op, left, right)
    }
}

/// What an operation on two samples gives.
pub(crate) struct Outcome {
    /// The value if kept; of a comparison, the left side.
    pub(crate) cell: Cell,
    /// Whether a filter keeps it.
    pub(crate) keep: bool,
}

/// Applies `op` to two samples; `None`, with a note, when it does not apply to their types.
pub(crate) fn samples(
    context: &Context<'_>,
    op: BinaryOp,
    span: Span,
    left: &Cell,
    right: &Cell,
) -> Option<Outcome> {
    match (left, right) {
        (Cell::Empty, _) | (_, Cell::Empty) => None,
        (Cell::Float(l), Cell::Float(r)) => match op {
            BinaryOp::TrimUpper | BinaryOp::TrimLower => {
                mismatch(context, op, span, "float", "float");
                None
            }
            _ if op.is_comparison() => Some(Outcome { cell: Cell::Float(*l), keep: compare(op, *l, *r) }),
            _ => Some(Outcome { cell: Cell::Float(arithmetic(op, *l, *r)), keep: true }),
        },
        (Cell::Float(l), Cell::Histogram(r)) if op == BinaryOp::Mul => Some(kept(compacted(scaled(r, *l)))),
        (Cell::Float(_), Cell::Histogram(_)) => {
            mismatch(context, op, span, "float", "histogram");
            None
        }
        (Cell::Histogram(l), Cell::Float(r)) => match op {
            BinaryOp::Mul => Some(kept(compacted(scaled(l, *r)))),
            BinaryOp::Div => Some(kept(compacted(divided(l, *r)))),
            BinaryOp::TrimUpper => Some(kept(trim(l, *r, true))),
            BinaryOp::TrimLower => Some(kept(trim(l, *r, false))),
            _ => {
                mismatch(context, op, span, "histogram", "float");
                None
            }
        },
        (Cell::Histogram(l), Cell::Histogram(r)) => histograms(context, op, span, l, r),
    }
}

fn kept(h: FloatHistogram) -> Outcome {
    Outcome { cell: Cell::histogram(h), keep: true }
}

fn mismatch(context: &Context<'_>, op: BinaryOp, span: Span, left: &'static str, right: &'static str) {
    context.note(Note::IncompatibleTypes { left, op: op.as_str(), right }, span);
}

fn histograms(
    context: &Context<'_>,
    op: BinaryOp,
    span: Span,
    left: &Arc<FloatHistogram>,
    right: &Arc<FloatHistogram>,
) -> Option<Outcome> {
    let keep = |keep| Some(Outcome { cell: Cell::Histogram(Arc::clone(left)), keep });
    let (operation, add) = match op {
        BinaryOp::Eq => return keep(equal(left, right)),
        BinaryOp::Ne => return keep(!equal(left, right)),
        BinaryOp::Add => ("addition", true),
        BinaryOp::Sub => ("subtraction", false),
        _ => {
            mismatch(context, op, span, "histogram", "histogram");
            return None;
        }
    };
    let mut work = Work::from(&**left);
    let outcome = if add { work.add(right) } else { work.subtract(right) };
    let Ok(outcome) = outcome else {
        context.note(Note::IncompatibleLayout(op.as_str()), span);
        return None;
    };
    if outcome.reset_collision {
        context.note(Note::ResetCollision(operation), span);
        return None;
    }
    if outcome.bounds_reconciled {
        context.note(Note::MismatchedBounds(operation), span);
    }
    if !add {
        work.reset_hint = ResetHint::Gauge;
    }
    Some(kept(work.finish()))
}

/// Whether the result is another quantity, so that the name goes.
pub(crate) fn changes_metric(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::Atan2
    )
}

fn with_scalar(
    context: &Context<'_>,
    binary: &Binary,
    span: Span,
    mut rows: Vec<Row>,
    numbers: &[f64],
    scalar_first: bool,
) -> Result<Vec<Row>> {
    for row in &mut rows {
        for (cell, number) in row.cells.iter_mut().zip(numbers) {
            if cell.is_empty() {
                continue;
            }
            let number = Cell::Float(*number);
            let vector = std::mem::take(cell);
            let (left, right) = if scalar_first { (&number, &vector) } else { (&vector, &number) };
            let Some(outcome) = samples(context, binary.op, span, left, right) else { continue };
            *cell = if binary.return_bool {
                Cell::Float(f64::from(u8::from(outcome.keep)))
            } else if !outcome.keep {
                Cell::Empty
            } else if binary.op.is_comparison() {
                vector
            } else {
                outcome.cell
            };
        }
        if changes_metric(binary.op) || binary.return_bool {
            context.drop_name(row);
        }
    }
    merge_rows(rows)
}
