//! `rate`, `increase` and `delta` of an `anchored` or `smoothed` range: no extrapolation, because the values at the
//! range's edges are taken from the samples around it.

use super::super::annotation::Note;
use super::super::eval::Context;
use super::super::histogram::{Work, detect_reset, divided};
use super::super::select::{interpolate, interpolate_histogram};
use super::super::value::{Cell, Window};
use super::rate::Kind;
use language::promql::ast::Extension;
use model::FloatHistogram;
use model::histogram::ResetHint;
use std::sync::Arc;

pub(crate) fn eval(context: &Context<'_>, window: &Window<'_>, kind: Kind) -> Cell {
    if window.histograms.is_empty() { floats(window, kind) } else { histograms(context, window, kind) }
}

/// Indices of the samples that stand for the range's edges; `None` when the range has no sample to measure.
fn edges(window: &Window<'_>, ts: &[i64]) -> Option<(usize, usize)> {
    let (start, end) = (window.start(), window.end);
    let mut last = ts.len().checked_sub(1)?;
    let before_last = ts.get(..last)?;
    let first = before_last.partition_point(|ts| *ts <= start).saturating_sub(1);
    let smoothed = window.extension == Some(Extension::Smoothed);
    if smoothed {
        last = before_last.partition_point(|ts| *ts < end);
    }
    if *ts.get(last)? <= start || smoothed && *ts.get(first)? > end {
        return None;
    }
    Some((first, last))
}

/// The values at the edges of the range, without what lies between.
pub(crate) fn edge_values(window: &Window<'_>, counter: bool) -> Option<(f64, f64, usize, usize)> {
    let (first, last) = edges(window, window.ts)?;
    let point = |at: usize| Some((*window.ts.get(at)?, *window.values.get(at)?));
    let smoothed = window.extension == Some(Extension::Smoothed);
    let (a, b) = (point(first)?, point(last)?);
    let left = match point(first + 1) {
        Some(next) if smoothed && a.0 < window.start() => interpolate(a, next, window.start(), counter),
        _ => a.1,
    };
    let right = match last.checked_sub(1).and_then(point) {
        Some(previous) if smoothed && b.0 > window.end => interpolate(previous, b, window.end, counter),
        _ => b.1,
    };
    Some((left, right, first, last))
}

fn floats(window: &Window<'_>, kind: Kind) -> Cell {
    let counter = kind.is_counter();
    let Some((left, right, first, last)) = edge_values(window, counter) else { return Cell::Empty };
    let mut growth = right - left;
    if counter {
        let ts = |at: usize| window.ts.get(at).copied().unwrap_or_default();
        let from = if ts(first) <= window.start() { first + 1 } else { first };
        let to = if ts(last) >= window.end { last } else { last + 1 };
        let mut before = left;
        let inside = window.values.get(from..to).unwrap_or_default();
        for now in inside.iter().chain([&right]) {
            if *now < before {
                growth += before;
            }
            before = *now;
        }
    }
    if kind == Kind::Rate {
        growth /= window.range_seconds();
    }
    Cell::Float(growth)
}

type Point = (i64, Arc<FloatHistogram>);

fn histograms(context: &Context<'_>, window: &Window<'_>, kind: Kind) -> Cell {
    let ts: Vec<i64> = window.histograms.iter().map(|(ts, _)| *ts).collect();
    let Some((first, last)) = edges(window, &ts) else { return Cell::Empty };
    let Some(points) = window.histograms.get(first..=last) else { return Cell::Empty };
    let Some(growth) = growth(context, window, kind, points) else {
        context.note(Note::MixedSchemas(window.metric()), window.first_span);
        return Cell::Empty;
    };
    Cell::histogram(growth)
}

/// How much the histograms grew over the range; `None` when they do not go together.
fn growth(
    context: &Context<'_>,
    window: &Window<'_>,
    kind: Kind,
    points: &[Point],
) -> Option<FloatHistogram> {
    let (counter, span) = (kind.is_counter(), window.first_span);
    let (a, b) = (points.first()?, points.last()?);
    if points.iter().any(|(_, h)| h.uses_custom_buckets() != a.1.uses_custom_buckets()) {
        return None;
    }
    if counter && points.iter().any(|(_, h)| h.reset_hint == ResetHint::Gauge) {
        context.note(Note::NotCounter(window.metric()), span);
    }
    let smoothed = window.extension == Some(Extension::Smoothed);
    let left = match points.get(1) {
        Some(next) if smoothed && a.0 < window.start() => {
            interpolate_histogram(context, a, next, window.start(), counter, span)?
        }
        _ => FloatHistogram::clone(&a.1),
    };
    let right = match points.len().checked_sub(2).and_then(|at| points.get(at)) {
        Some(previous) if smoothed && b.0 > window.end => {
            interpolate_histogram(context, previous, b, window.end, counter, span)?
        }
        _ => FloatHistogram::clone(&b.1),
    };
    if !counter && (left.reset_hint != ResetHint::Gauge || right.reset_hint != ResetHint::Gauge) {
        context.note(Note::NotGauge(window.metric()), span);
    }
    let mut total = Work::from(&right);
    note_bounds(context, window, total.subtract(&left).ok()?.bounds_reconciled, "subtraction");
    if counter {
        for before in resets(window, points, &left, &right, smoothed) {
            note_bounds(context, window, total.add(&before).ok()?.bounds_reconciled, "addition");
        }
    }
    total.reset_hint = ResetHint::Gauge;
    let total = total.finish();
    Some(if kind == Kind::Rate { divided(&total, window.range_seconds()) } else { total })
}

fn note_bounds(context: &Context<'_>, window: &Window<'_>, reconciled: bool, operation: &'static str) {
    if reconciled {
        context.note(Note::MismatchedBounds(operation), window.first_span);
    }
}

/// The histograms right before each reset inside the range. Resets that an interpolated edge spans are already in it.
fn resets(
    window: &Window<'_>,
    points: &[Point],
    left: &FloatHistogram,
    right: &FloatHistogram,
    smoothed: bool,
) -> Vec<FloatHistogram> {
    let mut from = 1;
    let mut before = left;
    if let [a, next, ..] = points
        && smoothed
        && a.0 < window.start()
        && detect_reset(&next.1, &a.1)
    {
        (before, from) = (&next.1, 2);
    }
    let to = points.len() - 1;
    if from > to {
        return Vec::new();
    }
    let inside = points.get(from..to).unwrap_or_default().iter().map(|(_, h)| &**h);
    let mut out = Vec::new();
    for now in inside.chain([right]) {
        if detect_reset(now, before) {
            out.push(before.clone());
        }
        before = now;
    }
    out
}
