//! What happens to series after they are computed: arithmetic between them and with numbers, `topk`, `bottomk` and
//! comparisons. Nothing here reads spans.

use super::Series;
use crate::traceql::answer::AttrValue;
use crate::traceql::value::satisfies;
use language::traceql::{BinaryOp, Limit, Static};
use std::collections::HashMap;
use std::fmt::Write as _;

/// One side of an operator.
pub(super) enum Operand {
    Series(Vec<Series>),
    Number(f64),
}

/// Labels as one text: equal texts are equal labels, and texts sort as answers do.
pub(super) fn key(labels: &[(String, AttrValue)]) -> String {
    let mut key = String::new();
    for (name, value) in labels.iter().filter(|(name, _)| name != "__name__") {
        let written = write!(key, "{name}\0{value:?}\0");
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    key
}

fn compute(op: BinaryOp, lhs: f64, rhs: f64) -> f64 {
    match op {
        BinaryOp::Add => lhs + rhs,
        BinaryOp::Sub => lhs - rhs,
        BinaryOp::Mul => lhs * rhs,
        BinaryOp::Div => lhs / rhs,
        _ => f64::NAN,
    }
}

/// `lhs op rhs`: samples meet by time and by labels without `__name__`; what has no partner is left out.
pub(super) fn binary(op: BinaryOp, lhs: Operand, rhs: Operand) -> Operand {
    match (lhs, rhs) {
        (Operand::Number(lhs), Operand::Number(rhs)) => Operand::Number(compute(op, lhs, rhs)),
        (Operand::Series(lhs), Operand::Number(rhs)) => each(lhs, |value| compute(op, value, rhs)),
        (Operand::Number(lhs), Operand::Series(rhs)) => each(rhs, |value| compute(op, lhs, value)),
        (Operand::Series(lhs), Operand::Series(rhs)) => {
            let partners: HashMap<String, &Series> =
                rhs.iter().map(|series| (key(&series.labels), series)).collect();
            let meet = |mut series: Series| {
                let partner = partners.get(&key(&series.labels))?;
                series
                    .values
                    .iter_mut()
                    .zip(&partner.values)
                    .for_each(|(value, other)| *value = compute(op, *value, *other));
                Some(nameless(series))
            };
            Operand::Series(lhs.into_iter().filter_map(meet).collect())
        }
    }
}

fn each(series: Vec<Series>, change: impl Fn(f64) -> f64) -> Operand {
    let changed = series.into_iter().map(|mut series| {
        series.values.iter_mut().for_each(|value| *value = change(*value));
        nameless(series)
    });
    Operand::Series(changed.collect())
}

/// The result of arithmetic is no longer the rate or count it was computed from.
fn nameless(mut series: Series) -> Series {
    series.labels.retain(|(name, _)| name != "__name__");
    series.exemplars.clear();
    series
}

/// Keeps the samples that the limit allows.
pub(super) fn limit(operand: Operand, limit: &Limit) -> Operand {
    let Operand::Series(mut series) = operand else {
        return operand;
    };
    match limit {
        Limit::Compare(op, threshold) => {
            let threshold = seconds(threshold);
            let keep = |value: f64| value.partial_cmp(&threshold).is_some_and(|order| satisfies(*op, order));
            for value in series.iter_mut().flat_map(|series| &mut series.values) {
                *value = if keep(*value) { *value } else { f64::NAN };
            }
        }
        Limit::Top(k) => rank(&mut series, *k, true),
        Limit::Bottom(k) => rank(&mut series, *k, false),
    }
    series.retain(|series| series.values.iter().any(|value| !value.is_nan()));
    Operand::Series(series)
}

/// A threshold as series have their values: durations in seconds.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn seconds(threshold: &Static) -> f64 {
    match threshold {
        Static::Int(value) => *value as f64,
        Static::Float(value) => *value,
        Static::Duration(ns) => *ns as f64 / 1e9,
        _ => f64::NAN,
    }
}

/// At each time by itself, keeps the `k` largest (or smallest) values; among equals the first by labels.
fn rank(series: &mut [Series], k: u64, largest: bool) {
    series.sort_by_cached_key(|series| key(&series.labels));
    let keep = usize::try_from(k).unwrap_or(usize::MAX);
    let len = series.iter().map(|series| series.values.len()).max().unwrap_or_default();
    for slot in 0..len {
        let value = |series: &Series| series.values.get(slot).copied().unwrap_or(f64::NAN);
        let mut order: Vec<usize> = (0..series.len()).filter(|at| !value(&series[*at]).is_nan()).collect();
        order.sort_by(|one, other| {
            let (one, other) = (value(&series[*one]), value(&series[*other]));
            if largest { other.total_cmp(&one) } else { one.total_cmp(&other) }
        });
        for at in order.into_iter().skip(keep) {
            series[at].values[slot] = f64::NAN;
        }
    }
}
