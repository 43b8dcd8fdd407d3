//! Functions of a window of samples: `sum_over_time` and its kin. The table names each once.

use super::super::annotation::Note;
use super::super::answer::PromError;
use super::super::eval::{Context, Result};
use super::super::histogram::{HistogramMean, Incompatible, Outcome, Work, detect_reset, equal};
use super::super::kahan::{Kahan, Mean};
use super::super::value::{Cell, Window};
use super::rate::{self, start_reset};
use language::promql::ast::Extension;
use model::FloatHistogram;
use model::histogram::ResetHint;
use std::sync::Arc;

/// What a function makes of a window with at least one sample.
pub(crate) type WindowFunction = fn(&Context<'_>, &Window<'_>) -> Cell;

const FUNCTIONS: [(&str, WindowFunction); 26] = [
    ("absent_over_time", |_, _| Cell::Float(1.0)),
    ("avg_over_time", avg),
    ("changes", changes),
    ("count_over_time", count),
    ("delta", |context, window| rate::extrapolated(context, window, rate::Kind::Delta)),
    ("deriv", deriv),
    ("double_exponential_smoothing", smoothing),
    ("first_over_time", first),
    ("idelta", |context, window| rate::instant(context, window, false)),
    ("increase", |context, window| rate::extrapolated(context, window, rate::Kind::Increase)),
    ("irate", |context, window| rate::instant(context, window, true)),
    ("last_over_time", last),
    ("mad_over_time", mad),
    ("max_over_time", |context, window| extreme(context, window, |x, best| x > best, false)),
    ("min_over_time", |context, window| extreme(context, window, |x, best| x < best, false)),
    ("predict_linear", predict),
    ("present_over_time", |_, _| Cell::Float(1.0)),
    ("quantile_over_time", quantile),
    ("rate", |context, window| rate::extrapolated(context, window, rate::Kind::Rate)),
    ("resets", resets),
    ("stddev_over_time", |context, window| variance(context, window, f64::sqrt)),
    ("stdvar_over_time", |context, window| variance(context, window, |x| x)),
    ("sum_over_time", sum),
    ("ts_of_first_over_time", ts_of_first),
    ("ts_of_last_over_time", ts_of_last),
    ("ts_of_max_over_time", |context, window| extreme(context, window, |x, best| x >= best, true)),
];

pub(crate) fn lookup(name: &str) -> Option<WindowFunction> {
    if name == "ts_of_min_over_time" {
        return Some(|context, window| extreme(context, window, |x, best| x <= best, true));
    }
    FUNCTIONS.iter().find(|(entry, _)| *entry == name).map(|(_, function)| *function)
}

/// `φ`-quantile of `values`, which it sorts; NaN sorts first.
pub(crate) fn quantile_of(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| (!a.is_nan()).cmp(&!b.is_nan()).then(a.total_cmp(b)));
    #[expect(clippy::cast_precision_loss, reason = "a rank among samples in memory")]
    let rank = q * (values.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list")]
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

/// Notes that histograms among the floats were left out.
fn note_ignored(context: &Context<'_>, window: &Window<'_>) {
    if !window.histograms.is_empty() {
        context.note(Note::IgnoredInRange(window.metric()), window.first_span);
    }
}

/// Notes and refuses a mix of floats and histograms.
fn mixed(context: &Context<'_>, window: &Window<'_>) -> bool {
    let mixed = !window.values.is_empty() && !window.histograms.is_empty();
    if mixed {
        context.note(Note::MixedFloatsHistograms(window.metric()), window.first_span);
    }
    mixed
}

/// Applies `function` to the window's floats; nothing without any.
fn of_floats(context: &Context<'_>, window: &Window<'_>, function: impl FnOnce(&[f64]) -> f64) -> Cell {
    if window.values.is_empty() {
        return Cell::Empty;
    }
    note_ignored(context, window);
    Cell::Float(function(window.values))
}

#[expect(clippy::cast_precision_loss, reason = "samples in memory")]
fn count(_: &Context<'_>, window: &Window<'_>) -> Cell {
    Cell::Float((window.values.len() + window.histograms.len()) as f64)
}

fn sum(context: &Context<'_>, window: &Window<'_>) -> Cell {
    if mixed(context, window) {
        return Cell::Empty;
    }
    let Some((_, first)) = window.histograms.first() else {
        let mut sum = Kahan::default();
        window.values.iter().for_each(|value| sum.add(*value));
        return Cell::Float(if sum.sum.is_infinite() { sum.sum } else { sum.total() });
    };
    let mut total = Work::from(&**first);
    let added = add_histograms(context, window, |h| total.add_compensated(h));
    if added { Cell::histogram(total.finish()) } else { Cell::Empty }
}

fn avg(context: &Context<'_>, window: &Window<'_>) -> Cell {
    if mixed(context, window) {
        return Cell::Empty;
    }
    let Some((_, first)) = window.histograms.first() else {
        let mut mean = Mean::default();
        window.values.iter().for_each(|value| mean.add(*value));
        return Cell::Float(mean.get());
    };
    let mut mean = HistogramMean::new(first);
    let added = add_histograms(context, window, |h| mean.add(h));
    if added { Cell::histogram(mean.finish()) } else { Cell::Empty }
}

/// Adds all histograms but the first; false when they do not go together.
fn add_histograms(
    context: &Context<'_>,
    window: &Window<'_>,
    mut add: impl FnMut(&FloatHistogram) -> std::result::Result<Outcome, Incompatible>,
) -> bool {
    let mut reconciled = false;
    for (_, h) in window.histograms.iter().skip(1) {
        let Ok(outcome) = add(h) else {
            context.note(Note::MixedSchemas(window.metric()), window.first_span);
            return false;
        };
        reconciled |= outcome.bounds_reconciled;
    }
    let hint = |hint| window.histograms.iter().any(|(_, h)| h.reset_hint == hint);
    if hint(ResetHint::Yes) && hint(ResetHint::No) {
        context.note(Note::ResetCollision("aggregation"), window.first_span);
    }
    if reconciled {
        context.note(Note::MismatchedBounds("aggregation"), window.first_span);
    }
    true
}

fn first(_: &Context<'_>, window: &Window<'_>) -> Cell {
    match (window.ts.first(), window.histograms.first()) {
        (Some(ts), Some((other, h))) if ts >= other => Cell::Histogram(Arc::clone(h)),
        (None, Some((_, h))) => Cell::Histogram(Arc::clone(h)),
        _ => window.values.first().map_or(Cell::Empty, |value| Cell::Float(*value)),
    }
}

fn last(_: &Context<'_>, window: &Window<'_>) -> Cell {
    match (window.ts.last(), window.histograms.last()) {
        (Some(ts), Some((other, h))) if other >= ts => Cell::Histogram(Arc::clone(h)),
        (None, Some((_, h))) => Cell::Histogram(Arc::clone(h)),
        _ => window.values.last().map_or(Cell::Empty, |value| Cell::Float(*value)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "PromQL's times are float seconds")]
fn seconds(ms: Option<i64>) -> Cell {
    ms.map_or(Cell::Empty, |ms| Cell::Float(ms as f64 / 1000.0))
}

fn ts_of_first(_: &Context<'_>, window: &Window<'_>) -> Cell {
    let histogram = window.histograms.first().map(|(ts, _)| *ts);
    seconds(window.ts.first().copied().into_iter().chain(histogram).min())
}

fn ts_of_last(_: &Context<'_>, window: &Window<'_>) -> Cell {
    let histogram = window.histograms.last().map(|(ts, _)| *ts);
    seconds(window.ts.last().copied().into_iter().chain(histogram).max())
}

/// The largest or smallest float, or its time.
fn extreme(context: &Context<'_>, window: &Window<'_>, better: fn(f64, f64) -> bool, time: bool) -> Cell {
    let mut points = window.ts.iter().zip(window.values);
    let Some((mut at, mut best)) = points.next() else { return Cell::Empty };
    note_ignored(context, window);
    for (ts, value) in points {
        if better(*value, *best) || best.is_nan() {
            (at, best) = (ts, value);
        }
    }
    if time { seconds(Some(*at)) } else { Cell::Float(*best) }
}

fn quantile(context: &Context<'_>, window: &Window<'_>) -> Cell {
    let q = window.params.first().copied().unwrap_or(f64::NAN);
    if window.values.is_empty() {
        return Cell::Empty;
    }
    if !(0.0..=1.0).contains(&q) {
        context.note(Note::InvalidQuantile(q), window.first_span);
    }
    of_floats(context, window, |values| quantile_of(q, &mut values.to_vec()))
}

fn mad(context: &Context<'_>, window: &Window<'_>) -> Cell {
    of_floats(context, window, |values| {
        if values.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        let mut values = values.to_vec();
        let median = quantile_of(0.5, &mut values);
        for value in &mut values {
            *value = (*value - median).abs();
        }
        quantile_of(0.5, &mut values)
    })
}

fn variance(context: &Context<'_>, window: &Window<'_>, finish: fn(f64) -> f64) -> Cell {
    of_floats(context, window, |values| {
        let (mut count, mut mean, mut squares) = (0.0, Kahan::default(), Kahan::default());
        for value in values {
            count += 1.0;
            let delta = value - mean.total();
            mean.add(delta / count);
            squares.add(delta * (value - mean.total()));
        }
        finish(squares.total() / count)
    })
}

/// (slope per second, value at `origin`) of the least-squares line.
#[expect(clippy::cast_precision_loss, reason = "distances of samples in milliseconds")]
fn regression(window: &Window<'_>, origin: i64) -> (f64, f64) {
    let first = window.values.first().copied().unwrap_or(f64::NAN);
    #[expect(clippy::float_cmp, reason = "a constant series has one value")]
    if window.values.iter().skip(1).all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let [mut n, mut x_sum, mut y_sum, mut products, mut squares] = [Kahan::default(); 5];
    for (ts, y) in window.ts.iter().zip(window.values) {
        let x = (ts - origin) as f64 / 1e3;
        n.sum += 1.0;
        x_sum.add(x);
        y_sum.add(*y);
        products.add(x * y);
        squares.add(x * x);
    }
    let (n, x, y) = (n.sum, x_sum.total(), y_sum.total());
    let slope = (products.total() - x * y / n) / (squares.total() - x * x / n);
    (slope, y / n - slope * x / n)
}

/// Whether there are two floats to work with; notes histograms that stand in the way.
fn two_floats(context: &Context<'_>, window: &Window<'_>) -> bool {
    if !window.values.is_empty() {
        note_ignored(context, window);
    }
    window.values.len() >= 2
}

fn deriv(context: &Context<'_>, window: &Window<'_>) -> Cell {
    if !two_floats(context, window) {
        return Cell::Empty;
    }
    let origin = window.ts.first().copied().unwrap_or_default();
    Cell::Float(regression(window, origin).0)
}

fn predict(context: &Context<'_>, window: &Window<'_>) -> Cell {
    if !two_floats(context, window) {
        return Cell::Empty;
    }
    let ahead = window.params.first().copied().unwrap_or(f64::NAN);
    let (slope, intercept) = regression(window, window.at);
    Cell::Float(slope * ahead + intercept)
}

/// Refuses factors of `double_exponential_smoothing` that smooth nothing.
pub(crate) fn check_smoothing(params: &[f64]) -> Result<()> {
    let [smoothing, trend] = *params else { return Ok(()) };
    if smoothing <= 0.0 || smoothing >= 1.0 {
        let message = format!("invalid smoothing factor. Expected: 0 < sf < 1, got: {smoothing:.6}");
        return Err(PromError::execution(message));
    }
    if trend <= 0.0 || trend >= 1.0 {
        let message = format!("invalid trend factor. Expected: 0 < tf < 1, got: {trend:.6}");
        return Err(PromError::execution(message));
    }
    Ok(())
}

fn smoothing(context: &Context<'_>, window: &Window<'_>) -> Cell {
    let [smoothing, trend] = *window.params else { return Cell::Empty };
    if !two_floats(context, window) {
        return Cell::Empty;
    }
    let mut values = window.values.iter();
    let mut level = values.next().copied().unwrap_or(f64::NAN);
    let (mut before, mut slope) = (0.0, window.values.get(1).copied().unwrap_or(f64::NAN) - level);
    for (at, value) in values.enumerate() {
        if at > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        (before, level) = (level, next);
    }
    Cell::Float(level)
}

/// A sample of either kind, its time and its start.
enum Point<'a> {
    Float(i64, f64, i64),
    Histogram(i64, &'a Arc<FloatHistogram>, i64),
}

/// Both kinds of samples in ascending time, from the last one at or before the range's start when anchored. `None`
/// when an anchored window has no sample after its start.
fn points<'a>(window: &'a Window<'_>) -> Option<Vec<Point<'a>>> {
    let floats = window.ts.iter().zip(window.values).enumerate().map(|(at, (ts, value))| {
        Point::Float(*ts, *value, window.starts.get(at).copied().unwrap_or_default())
    });
    let histograms = window.histograms.iter().enumerate().map(|(at, (ts, h))| {
        Point::Histogram(*ts, h, window.histogram_starts.get(at).copied().unwrap_or_default())
    });
    let time = |point: &Point<'_>| match point {
        Point::Float(ts, ..) | Point::Histogram(ts, ..) => *ts,
    };
    let mut all: Vec<Point<'_>> = floats.chain(histograms).collect();
    all.sort_by_key(time);
    if window.extension == Some(Extension::Anchored) {
        let inside = all.partition_point(|point| time(point) <= window.start());
        if inside == all.len() {
            return None;
        }
        all.drain(..inside.saturating_sub(1));
    }
    Some(all)
}

#[expect(clippy::cast_precision_loss, reason = "samples in memory")]
fn count_pairs(window: &Window<'_>, counts: fn(&Point<'_>, &Point<'_>) -> bool) -> Cell {
    match points(window) {
        None => Cell::Empty,
        Some(points) => {
            Cell::Float(points.windows(2).filter(|pair| counts(&pair[0], &pair[1])).count() as f64)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "samples in memory")]
fn resets(_: &Context<'_>, window: &Window<'_>) -> Cell {
    if window.histograms.is_empty() && window.starts.is_empty() && window.extension.is_none() {
        return Cell::Float(window.drops.len() as f64);
    }
    count_pairs(window, |before, now| match (before, now) {
        (Point::Float(t0, a, s0), Point::Float(t1, b, s1)) => b < a || start_reset(*s0, *t0, *s1, *t1),
        (Point::Histogram(t0, a, s0), Point::Histogram(t1, b, s1)) => {
            start_reset(*s0, *t0, *s1, *t1) || detect_reset(b, a)
        }
        _ => true,
    })
}

fn changes(_: &Context<'_>, window: &Window<'_>) -> Cell {
    count_pairs(window, |before, now| match (before, now) {
        #[expect(clippy::float_cmp, reason = "any other value is a change")]
        (Point::Float(_, a, _), Point::Float(_, b, _)) => a != b && !(a.is_nan() && b.is_nan()),
        (Point::Histogram(_, a, _), Point::Histogram(_, b, _)) => !equal(a, b),
        _ => true,
    })
}
