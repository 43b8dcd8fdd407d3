//! Binary operators: signatures are computed once per row, matches are checked at every step.

use super::answer::LogError;
use super::labels::LabelSet;
use super::value::{Row, RowSet, Value};
use language::logql::{BinOp, BinaryExpr, Group, MatchOn};
use std::collections::HashMap;

/// Applies the operator of `expr` at every step.
pub(super) fn apply(expr: &BinaryExpr, lhs: Value, rhs: Value, steps: usize) -> Result<Value, LogError> {
    let filter = expr.op.is_comparison() && !expr.modifier.bool_result;
    match (lhs, rhs) {
        (Value::Scalar(a), Value::Scalar(b)) => Ok(Value::Scalar(expr.op.apply(a, b))),
        (Value::Rows(rows), Value::Scalar(scalar)) => {
            Ok(map(rows, |value| keep(filter, expr.op.apply(value, scalar), value)))
        }
        (Value::Scalar(scalar), Value::Rows(rows)) => {
            Ok(map(rows, |value| keep(filter, expr.op.apply(scalar, value), value)))
        }
        (Value::Rows(lhs), Value::Rows(rhs)) if expr.op.is_set() => {
            Ok(Value::Rows(set(expr, lhs, rhs, steps)))
        }
        (Value::Rows(lhs), Value::Rows(rhs)) => matched(expr, &lhs, &rhs, steps).map(Value::Rows),
    }
}

/// A filtering comparison keeps `kept` where it holds; anything else is its result.
fn keep(filter: bool, result: f64, kept: f64) -> Option<f64> {
    if filter { (result != 0.0).then_some(kept) } else { Some(result) }
}

fn map(mut rows: Vec<Row>, apply: impl Fn(f64) -> Option<f64>) -> Value {
    for row in &mut rows {
        for point in &mut row.points {
            *point = point.and_then(&apply);
        }
    }
    Value::Rows(rows)
}

/// What two rows must share to meet.
fn signature(labels: &LabelSet, matching: Option<&MatchOn>) -> LabelSet {
    match matching {
        None => labels.clone(),
        Some(m) => labels.retain(|name| m.labels.iter().any(|label| label == name) == m.on),
    }
}

fn set(expr: &BinaryExpr, lhs: Vec<Row>, rhs: Vec<Row>, steps: usize) -> Vec<Row> {
    let matching = expr.modifier.matching.as_ref();
    let presence = |rows: &[Row]| {
        let mut present: HashMap<LabelSet, Vec<bool>> = HashMap::new();
        for row in rows {
            let seen = present.entry(signature(&row.labels, matching)).or_insert_with(|| vec![false; steps]);
            seen.iter_mut().zip(&row.points).for_each(|(seen, point)| *seen |= point.is_some());
        }
        present
    };
    let masked = |rows: Vec<Row>, other: &HashMap<LabelSet, Vec<bool>>, wanted: bool| {
        let mask = |mut row: Row| {
            let seen = other.get(&signature(&row.labels, matching));
            for (step, point) in row.points.iter_mut().enumerate() {
                let found = seen.and_then(|seen| seen.get(step)).copied().unwrap_or(false);
                *point = point.filter(|_| found == wanted);
            }
            row
        };
        rows.into_iter().map(mask).collect::<Vec<_>>()
    };
    match expr.op {
        BinOp::And => masked(lhs, &presence(&rhs), true),
        BinOp::Unless => masked(lhs, &presence(&rhs), false),
        _ => {
            let left = presence(&lhs);
            let mut union = RowSet::default();
            for row in lhs.into_iter().chain(masked(rhs, &left, false)) {
                let target = union.row(&row.labels, steps);
                target.points.iter_mut().zip(row.points).for_each(|(to, from)| *to = to.or(from));
            }
            union.into_rows()
        }
    }
}

/// Arithmetic and comparisons between two vectors.
fn matched(expr: &BinaryExpr, lhs: &[Row], rhs: &[Row], steps: usize) -> Result<Vec<Row>, LogError> {
    let matching = expr.modifier.matching.as_ref();
    let group = matching.map_or(&Group::One, |m| &m.group);
    let swapped = matches!(group, Group::Right(_));
    let (many, one, one_side) = if swapped { (rhs, lhs, "left") } else { (lhs, rhs, "right") };
    let mut partners: HashMap<LabelSet, Vec<usize>> = HashMap::new();
    for (at, row) in one.iter().enumerate() {
        partners.entry(signature(&row.labels, matching)).or_default().push(at);
    }
    check_unique(one, partners.values(), one_side)?;
    let mut results = RowSet::default();
    for row in many {
        let Some(candidates) = partners.get(&signature(&row.labels, matching)) else { continue };
        for partner in candidates.iter().filter_map(|at| one.get(*at)) {
            let labels = result_labels(&row.labels, &partner.labels, matching);
            let target = results.row(&labels, steps);
            let pairs = target.points.iter_mut().zip(row.points.iter().zip(&partner.points));
            for (point, (many, one)) in pairs {
                let (Some(many), Some(one)) = (many, one) else { continue };
                let (left, right) = if swapped { (*one, *many) } else { (*many, *one) };
                let filter = expr.op.is_comparison() && !expr.modifier.bool_result;
                let Some(value) = keep(filter, expr.op.apply(left, right), left) else { continue };
                if point.replace(value).is_some() {
                    return Err(duplicate(group));
                }
            }
        }
    }
    Ok(results.into_rows())
}

/// At no step may two rows of the "one" side share a signature.
fn check_unique<'a>(
    rows: &[Row],
    groups: impl Iterator<Item = &'a Vec<usize>>,
    side: &str,
) -> Result<(), LogError> {
    for members in groups.filter(|members| members.len() > 1) {
        let mut seen: Vec<bool> = Vec::new();
        for row in members.iter().filter_map(|at| rows.get(*at)) {
            seen.resize(row.points.len(), false);
            for (seen, point) in seen.iter_mut().zip(&row.points) {
                if point.is_some() && std::mem::replace(seen, true) {
                    let message = format!(
                        "found duplicate series on the {side} hand-side;many-to-many matching not allowed: matching labels must be unique on one side"
                    );
                    return Err(LogError::BadQuery(message));
                }
            }
        }
    }
    Ok(())
}

fn duplicate(group: &Group) -> LogError {
    let why = match group {
        Group::One => "many-to-one matching must be explicit (group_left/group_right)",
        Group::Left(_) | Group::Right(_) => "grouping labels must ensure unique matches",
    };
    LogError::BadQuery(format!("multiple matches for labels: {why}"))
}

fn result_labels(many: &LabelSet, one: &LabelSet, matching: Option<&MatchOn>) -> LabelSet {
    let Some(matching) = matching else { return many.clone() };
    match &matching.group {
        Group::One => signature(many, Some(matching)),
        Group::Left(include) | Group::Right(include) => {
            let taken = |name: &str| include.iter().any(|label| label == name);
            many.retain(|name| !taken(name)).with(&one.retain(taken))
        }
    }
}
