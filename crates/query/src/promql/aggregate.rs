//! Aggregations: rows are added to groups as they come, one accumulator per group and step.

mod accumulate;
mod select;

use super::annotation::Note;
use super::answer::PromError;
use super::eval::{Context, Result, merge_rows, weight};
use super::value::{Cell, Grid, Row};
use super::{call, histogram};
use accumulate::Accumulator;
use language::promql::ast::{Aggregate, AggregateOp, Expr};
use language::promql::{format_number, quote};
use model::Labels;
use model::labels::METRIC_NAME;
use std::collections::HashMap;

pub(crate) fn eval(context: &Context<'_>, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Row>> {
    let param = aggregate.param.as_ref();
    match aggregate.op {
        AggregateOp::CountValues => count_values(context, aggregate, grid),
        AggregateOp::TopK | AggregateOp::BottomK | AggregateOp::LimitK | AggregateOp::LimitRatio => {
            let params = param.map(|param| context.scalars(param, grid)).transpose()?.unwrap_or_default();
            select::eval(context, aggregate, &params, grid)
        }
        _ => {
            let params = param.map(|param| context.scalars(param, grid)).transpose()?.unwrap_or_default();
            if let Some(param) = param {
                check_quantiles(context, param, &params);
            }
            grouped(context, aggregate, &params, grid)
        }
    }
}

fn check_quantiles(context: &Context<'_>, param: &Expr, quantiles: &[f64]) {
    let span = param.unparen().span();
    if quantiles.iter().any(|q| q.is_nan()) {
        context.note(Note::InvalidQuantile(f64::NAN), span);
    }
    let numbers = || quantiles.iter().copied().filter(|q| !q.is_nan());
    let (largest, smallest) =
        (numbers().fold(f64::NEG_INFINITY, f64::max), numbers().fold(f64::INFINITY, f64::min));
    if largest > 1.0 {
        context.note(Note::InvalidQuantile(largest), span);
    }
    if smallest < 0.0 {
        context.note(Note::InvalidQuantile(smallest), span);
    }
}

/// The labels that tell the groups apart.
pub(crate) fn group_labels(aggregate: &Aggregate, labels: &Labels) -> Labels {
    let named = |name: &str| aggregate.grouping.iter().any(|label| label == name);
    if aggregate.without {
        labels.retain(|name| name != METRIC_NAME && !named(name))
    } else {
        labels.retain(named)
    }
}

/// How many samples an accumulator counts for in the query's limit, by its size.
const ACCUMULATOR_SAMPLES: u64 = 4;

struct Group {
    labels: Labels,
    steps: Vec<Accumulator>,
}

fn grouped(context: &Context<'_>, aggregate: &Aggregate, params: &[f64], grid: Grid) -> Result<Vec<Row>> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let span = aggregate.expr.unparen().span();
    let scope = accumulate::Scope { context, op: aggregate.op, span };
    let held_before = context.live.get();
    context.each(&aggregate.expr, grid, &mut |row| {
        let labels = group_labels(aggregate, &row.labels);
        let next = groups.len();
        let place = *places.entry(labels.clone()).or_insert(next);
        if place == next {
            context.hold(grid.len() as u64 * ACCUMULATOR_SAMPLES)?;
            groups.push(Group { labels, steps: vec![Accumulator::default(); grid.len()] });
        }
        if let Some(group) = groups.get_mut(place) {
            for (step, cell) in group.steps.iter_mut().zip(&row.cells) {
                step.add(&scope, cell, &row);
            }
        }
        context.release(weight(&row));
        Ok(())
    })?;
    context.live.set(held_before);
    let mut out = Vec::with_capacity(groups.len());
    for group in groups {
        let drop_name = group.steps.iter().rev().find_map(Accumulator::drops_name).unwrap_or_default();
        let param = |at: usize| params.get(at).copied().unwrap_or(f64::NAN);
        let finish = |(at, step): (usize, Accumulator)| step.finish(&scope, param(at));
        let cells = group.steps.into_iter().enumerate().map(finish).collect();
        let row = Row { labels: group.labels, drop_name, cells };
        if row.has_cells() {
            context.hold(weight(&row))?;
            out.push(row);
        }
    }
    Ok(out)
}

fn count_values(context: &Context<'_>, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Row>> {
    let label = match aggregate.param.as_ref().map(Expr::unparen) {
        Some(Expr::String(text)) => text.value.clone(),
        _ => String::new(),
    };
    if !call::is_label_name(&label) {
        return Err(PromError::execution(format!("invalid label name {}", quote(&label))));
    }
    let mut clause = aggregate.clone();
    if !clause.without {
        clause.grouping.push(label.clone());
    }
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut out: Vec<Row> = Vec::new();
    for row in context.rows(&aggregate.expr, grid)? {
        context.release(weight(&row));
        for (at, cell) in row.cells.iter().enumerate() {
            let value = match cell {
                Cell::Empty => continue,
                Cell::Float(value) => format_number(*value),
                Cell::Histogram(h) => histogram::describe(h),
            };
            let mut builder = row.labels.builder();
            builder.set(&label, &value);
            let labels = group_labels(&clause, &builder.build());
            let next = out.len();
            let place = *places.entry(labels.clone()).or_insert(next);
            if place == next {
                out.push(Row::new(labels, vec![Cell::Empty; grid.len()]));
            }
            if let Some(slot) = out.get_mut(place).and_then(|row| row.cells.get_mut(at)) {
                *slot = Cell::Float(slot.float().unwrap_or_default() + 1.0);
            }
        }
    }
    context.hold(out.iter().map(weight).sum())?;
    merge_rows(out)
}
