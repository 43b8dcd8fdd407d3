//! Aggregations of a vector: rows are grouped once, then each step is worked out on its own.

use super::labels::LabelSet;
use super::value::{Row, RowSet};
use super::window::{count, extreme, mean, variance};
use language::logql::{Grouping, VectorExpr, VectorOp};
use std::cmp::Ordering;
use std::collections::HashMap;

/// Applies the aggregation of `expr` to `rows`.
pub(super) fn aggregate(expr: &VectorExpr, rows: Vec<Row>, steps: usize) -> Vec<Row> {
    match expr.op {
        VectorOp::Sort => sorted(rows, f64::total_cmp),
        VectorOp::SortDesc => sorted(rows, |a, b| b.total_cmp(a)),
        VectorOp::Topk | VectorOp::ApproxTopk => select(expr, &rows, steps, |a, b| b.total_cmp(a)),
        VectorOp::Bottomk => select(expr, &rows, steps, f64::total_cmp),
        _ => reduce(expr, &rows, steps),
    }
}

/// The labels a group is known by; a label with an empty value counts as absent.
fn group_labels(labels: &LabelSet, grouping: Option<&Grouping>) -> LabelSet {
    let Some(grouping) = grouping else { return LabelSet::default() };
    labels.filled().retain(|name| grouping.labels.iter().any(|label| label == name) != grouping.without)
}

/// Row numbers per group, groups in order of appearance.
fn groups(expr: &VectorExpr, rows: &[Row]) -> Vec<(LabelSet, Vec<usize>)> {
    let mut groups: Vec<(LabelSet, Vec<usize>)> = Vec::new();
    let mut index: HashMap<LabelSet, usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        let labels = group_labels(&row.labels, expr.grouping.as_ref());
        let group = *index.entry(labels.clone()).or_insert(groups.len());
        if group == groups.len() {
            groups.push((labels, Vec::new()));
        }
        groups[group].1.push(at);
    }
    groups
}

fn point(rows: &[Row], row: usize, step: usize) -> Option<f64> {
    rows.get(row)?.points.get(step).copied().flatten()
}

fn reduce(expr: &VectorExpr, rows: &[Row], steps: usize) -> Vec<Row> {
    let mut values = Vec::new();
    let groups = groups(expr, rows).into_iter().map(|(labels, members)| {
        let points = (0..steps).map(|step| {
            values.clear();
            values.extend(members.iter().filter_map(|row| point(rows, *row, step)));
            (!values.is_empty()).then(|| reduced(expr.op, &values))
        });
        Row { labels, points: points.collect() }
    });
    let mut rows: Vec<Row> = groups.collect();
    rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    rows
}

fn reduced(op: VectorOp, values: &[f64]) -> f64 {
    match op {
        VectorOp::Sum => values.iter().sum(),
        VectorOp::Avg => mean(values),
        VectorOp::Min => extreme(values, |a, b| a < b),
        VectorOp::Max => extreme(values, |a, b| a > b),
        VectorOp::Count => count(values.len()),
        VectorOp::Stddev => variance(values).sqrt(),
        VectorOp::Stdvar => variance(values),
        VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk | VectorOp::Sort | VectorOp::SortDesc => {
            f64::NAN
        }
    }
}

/// Orders by `order`, NaN last whatever the order.
fn nan_last(a: f64, b: f64, order: impl Fn(&f64, &f64) -> Ordering) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then_with(|| if a.is_nan() { Ordering::Equal } else { order(&a, &b) })
}

/// Orders rows by their first point; range queries sort by labels in the end anyway.
fn sorted(mut rows: Vec<Row>, order: impl Fn(&f64, &f64) -> Ordering) -> Vec<Row> {
    let value = |row: &Row| row.points.first().copied().flatten().unwrap_or(f64::NAN);
    rows.sort_by(|a, b| nan_last(value(a), value(b), &order));
    rows
}

/// Keeps the first `k` of each group at each step.
fn select(expr: &VectorExpr, rows: &[Row], steps: usize, order: impl Fn(&f64, &f64) -> Ordering) -> Vec<Row> {
    let k = expr.param.and_then(|k| usize::try_from(k).ok()).unwrap_or(0);
    let mut kept = RowSet::default();
    for (_, members) in groups(expr, rows) {
        for step in 0..steps {
            let mut ranked: Vec<(usize, f64)> =
                members.iter().filter_map(|row| point(rows, *row, step).map(|value| (*row, value))).collect();
            ranked.sort_by(|a, b| nan_last(a.1, b.1, &order));
            for (row, value) in ranked.into_iter().take(k) {
                let Some(labels) = rows.get(row).map(|row| &row.labels) else { continue };
                if let Some(point) = kept.row(labels, steps).points.get_mut(step) {
                    *point = Some(value);
                }
            }
        }
    }
    kept.into_rows()
}
