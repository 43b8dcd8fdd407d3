//! `topk`, `bottomk`, `limitk`, `limit_ratio`: aggregations that pick some of the group's rows.

use super::super::annotation::Note;
use super::super::answer::PromError;
use super::super::eval::{Context, Result, weight};
use super::super::value::{Cell, Grid, Row};
use super::group_labels;
use language::promql::ast::{Aggregate, AggregateOp};
use model::Labels;
use std::cmp::Ordering;
use std::collections::HashMap;

/// The first float that an `i64` cannot hold.
const I64_LIMIT: f64 = 9_223_372_036_854_775_808.0;

pub(crate) fn eval(
    context: &Context<'_>,
    aggregate: &Aggregate,
    params: &[f64],
    grid: Grid,
) -> Result<Vec<Row>> {
    let mut rows = context.rows(&aggregate.expr, grid)?;
    let before: u64 = rows.iter().map(weight).sum();
    if !check_params(context, aggregate, params)? {
        context.release(before);
        return Ok(Vec::new());
    }
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let next = groups.len();
        let place = *places.entry(group_labels(aggregate, &row.labels)).or_insert(next);
        if place == next {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.get_mut(place) {
            group.push(index);
        }
    }
    let mut order = Vec::new();
    for (at, param) in params.iter().enumerate() {
        for group in &groups {
            let kept = pick(context, aggregate, *param, group, &rows, at);
            for index in group {
                if let Some(cell) = rows.get_mut(*index).and_then(|row| row.cells.get_mut(at))
                    && !kept.contains(index)
                {
                    *cell = Cell::Empty;
                }
            }
            if grid.is_instant() {
                order.extend(kept);
            }
        }
    }
    if grid.is_instant() {
        let mut slots: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
        rows = order.into_iter().filter_map(|index| slots.get_mut(index)?.take()).collect();
    }
    rows.retain(Row::has_cells);
    context.release(before);
    context.hold(rows.iter().map(weight).sum())?;
    Ok(rows)
}

/// Refuses parameters that make no sense; `false` when nothing would be picked at any step.
fn check_params(context: &Context<'_>, aggregate: &Aggregate, params: &[f64]) -> Result<bool> {
    let largest = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = params.iter().copied().fold(f64::INFINITY, f64::min);
    let nan = params.iter().any(|param| param.is_nan());
    if aggregate.op == AggregateOp::LimitRatio {
        if largest == 0.0 && smallest == 0.0 && !nan {
            return Ok(false);
        }
        if nan {
            return Err(PromError::execution("Ratio value is NaN"));
        }
        let span = aggregate.param.as_ref().map(|param| param.unparen().span()).unwrap_or_default();
        if largest > 1.0 {
            context.note(Note::InvalidRatio(largest, 1.0), span);
        }
        if smallest < -1.0 {
            context.note(Note::InvalidRatio(smallest, -1.0), span);
        }
        return Ok(true);
    }
    if nan {
        return Err(PromError::execution("Parameter value is NaN"));
    }
    if largest < 1.0 {
        return Ok(false);
    }
    let number = super::super::histogram::format_g;
    if smallest <= -I64_LIMIT {
        return Err(PromError::execution(format!("Scalar value {} underflows int64", number(smallest))));
    }
    if largest >= I64_LIMIT {
        return Err(PromError::execution(format!("Scalar value {} overflows int64", number(largest))));
    }
    Ok(true)
}

/// Which of the group's rows stay at this step, in the order to show them.
fn pick(
    context: &Context<'_>,
    aggregate: &Aggregate,
    param: f64,
    group: &[usize],
    rows: &[Row],
    at: usize,
) -> Vec<usize> {
    let cell = |index: usize| rows.get(index).and_then(|row| row.cells.get(at)).unwrap_or(&Cell::Empty);
    let filled = group.iter().copied().filter(|index| !cell(*index).is_empty());
    if aggregate.op == AggregateOp::LimitRatio {
        let ratio = param.clamp(-1.0, 1.0);
        let labels = |index: usize| rows.get(index).map(|row| row.labels.clone()).unwrap_or_default();
        return filled.filter(|index| in_ratio(ratio, &labels(*index))).collect();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked; negative is none")]
    let count = (param.max(0.0) as u64).min(rows.len() as u64) as usize;
    if count == 0 {
        return Vec::new();
    }
    if aggregate.op == AggregateOp::LimitK {
        return filled.take(count).collect();
    }
    let mut values = Vec::new();
    for index in filled {
        match cell(index) {
            Cell::Float(value) => values.push((index, *value)),
            _ => context.note(Note::IgnoredInAggregation(aggregate.op.as_str()), aggregate.span),
        }
    }
    let ascending = aggregate.op == AggregateOp::BottomK;
    values.sort_by(|(_, a), (_, b)| match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if ascending => a.total_cmp(b),
        (false, false) => b.total_cmp(a),
    });
    values.truncate(count);
    values.into_iter().map(|(index, _)| index).collect()
}

/// Whether the hash of the labels falls into the share: the first part of the hashes for a positive ratio, the
/// remaining part for a negative one, so that `r` and `r - 1` complement each other.
fn in_ratio(ratio: f64, labels: &Labels) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    let offset = hash(labels) as f64 / u64::MAX as f64;
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}

/// xxh64 of the labels as Prometheus lays them out in memory: each name and value after its length, one byte, or
/// 255 and three bytes (little-endian) when longer than 254.
fn hash(labels: &Labels) -> u64 {
    let mut bytes = Vec::new();
    for label in labels {
        for text in [&label.name, &label.value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 255 => bytes.push(length),
                _ => {
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
                    bytes.push(255);
                    bytes.extend_from_slice(&length[..3]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxhash_rust::xxh64::xxh64(&bytes, 0)
}
