//! How fast a window grows: `rate`, `increase`, `delta`, extrapolated to the window's edges, and `irate`, `idelta`.

use super::super::annotation::Note;
use super::super::eval::Context;
use super::super::histogram::{Work, detect_reset, divided, scaled};
use super::super::value::{Cell, Window};
use super::extended;
use model::FloatHistogram;
use model::histogram::ResetHint;
use std::sync::Arc;

/// What is computed of a window's growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A gauge's change.
    Delta,
    /// A counter's growth.
    Increase,
    /// A counter's growth per second.
    Rate,
}

impl Kind {
    pub(crate) fn is_counter(self) -> bool {
        self != Self::Delta
    }
}

/// Whether the start timestamps say that counting began anew between two samples. 0 is unknown; a start at or after
/// its sample is invalid or OpenTelemetry's "unknown". Times in milliseconds.
pub(crate) fn start_reset(start_before: i64, before: i64, start: i64, now: i64) -> bool {
    if start_before == start || start == 0 || start >= now || start < before {
        return false;
    }
    if start > before {
        return true;
    }
    // The start is the sample before: a delta series, unless that sample's own start is unknown.
    start_before <= before && start_before != 0 && start_before != before
}

fn note_overlap(context: &Context<'_>, window: &Window<'_>, starts: &[i64], ts: &dyn Fn(usize) -> i64) {
    let overlaps = starts.windows(2).enumerate().any(|(at, pair)| {
        let [before, now] = *pair else { return false };
        now != 0 && now < ts(at) && now != before
    });
    if overlaps {
        context.note(Note::StartOverlap { metric: window.metric(), count: 1 }, window.first_span);
    }
}

enum Growth {
    Float(f64),
    /// Boxed, so that floats stay small.
    Histogram(Box<FloatHistogram>),
}

/// What the extrapolation needs to know of the window's samples.
struct Observed {
    growth: Option<Growth>,
    first_ts: i64,
    last_ts: i64,
    intervals: usize,
    /// Value, or observation count, of the first sample.
    first_count: f64,
    first_start: i64,
}

/// `rate`, `increase` or `delta` of a window.
pub(crate) fn extrapolated(context: &Context<'_>, window: &Window<'_>, kind: Kind) -> Cell {
    if !window.values.is_empty() && !window.histograms.is_empty() {
        context.note(Note::MixedFloatsHistograms(window.metric()), window.first_span);
        return Cell::Empty;
    }
    if window.extension.is_some() {
        return extended::eval(context, window, kind);
    }
    let observed = if window.histograms.is_empty() {
        observe_floats(context, window, kind)
    } else {
        observe_histograms(context, window, kind)
    };
    observed.map_or(Cell::Empty, |observed| extrapolate(context, window, kind, observed))
}

fn observe_floats(context: &Context<'_>, window: &Window<'_>, kind: Kind) -> Option<Observed> {
    let (values, ts) = (window.values, window.ts);
    let (first, last) = (*values.first()?, *values.last()?);
    let mut growth = last - first;
    if kind.is_counter() {
        if window.starts.is_empty() {
            for drop in window.drops {
                growth += values.get(drop - window.first - 1).copied().unwrap_or_default();
            }
        } else {
            note_overlap(context, window, window.starts, &|at| ts.get(at).copied().unwrap_or_default());
            for (at, pair) in values.windows(2).enumerate() {
                let [before, now] = *pair else { continue };
                if now < before || reset_at(window.starts, at, &|at| ts.get(at).copied()) {
                    growth += before;
                }
            }
        }
    }
    Some(Observed {
        growth: Some(Growth::Float(growth)),
        first_ts: *ts.first()?,
        last_ts: *ts.last()?,
        intervals: values.len() - 1,
        first_count: first,
        first_start: window.starts.first().copied().unwrap_or_default(),
    })
}

/// Whether start timestamps tell of a reset between samples `at` and `at + 1`.
fn reset_at(starts: &[i64], at: usize, ts: &dyn Fn(usize) -> Option<i64>) -> bool {
    let known = || Some((*starts.get(at)?, ts(at)?, *starts.get(at + 1)?, ts(at + 1)?));
    known().is_some_and(|(start_before, before, start, now)| start_reset(start_before, before, start, now))
}

fn observe_histograms(context: &Context<'_>, window: &Window<'_>, kind: Kind) -> Option<Observed> {
    let points = window.histograms;
    let ((first_ts, first), (last_ts, _)) = (points.first()?, points.last()?);
    let growth = if points.len() > 1 {
        Some(Growth::Histogram(Box::new(histogram_growth(context, window, kind)?)))
    } else {
        None
    };
    Some(Observed {
        growth,
        first_ts: *first_ts,
        last_ts: *last_ts,
        intervals: points.len() - 1,
        first_count: first.count,
        first_start: window.histogram_starts.first().copied().unwrap_or_default(),
    })
}

/// How much a window's histograms grew; `None`, with a note, when they do not go together.
fn histogram_growth(context: &Context<'_>, window: &Window<'_>, kind: Kind) -> Option<FloatHistogram> {
    let points = window.histograms;
    let (counter, span) = (kind.is_counter(), window.first_span);
    let [(_, first), (_, second), ..] = points else { return None };
    let (_, last) = points.last()?;
    let ts = |at: usize| points.get(at).map(|(ts, _)| *ts);
    let reset = |at: usize, now: &FloatHistogram, before: &FloatHistogram| {
        reset_at(window.histogram_starts, at, &ts) || detect_reset(now, before)
    };
    if counter && points.iter().any(|(_, h)| h.reset_hint == ResetHint::Gauge) {
        context.note(Note::NotCounter(window.metric()), span);
    }
    let mixed = || {
        context.note(Note::MixedSchemas(window.metric()), span);
        None
    };
    // A reset right after the first sample makes its layout irrelevant.
    let empty = FloatHistogram {
        schema: second.schema,
        custom_values: second.custom_values.clone(),
        ..FloatHistogram::default()
    };
    let start = if counter && reset(0, second, first) { &empty } else { &**first };
    if last.uses_custom_buckets() != start.uses_custom_buckets() {
        return mixed();
    }
    let between = points.get(1..points.len() - 1).unwrap_or_default();
    let mut schema = last.schema.min(start.schema);
    if counter {
        schema = between.iter().map(|(_, h)| h.schema).fold(schema, i32::min);
        if between.iter().any(|(_, h)| h.uses_custom_buckets() != start.uses_custom_buckets()) {
            return mixed();
        }
    }
    let mut growth = Work::from(&**last);
    growth.reduce(schema);
    let Ok(outcome) = growth.subtract(start) else { return mixed() };
    if outcome.bounds_reconciled {
        context.note(Note::MismatchedBounds("subtraction"), span);
    }
    if counter {
        if !window.histogram_starts.is_empty() {
            note_overlap(context, window, window.histogram_starts, &|at| ts(at).unwrap_or_default());
        }
        let mut before = start;
        for (at, (_, now)) in points.iter().skip(1).enumerate() {
            if reset(at, now, before) {
                let Ok(outcome) = growth.add(before) else { return mixed() };
                if outcome.bounds_reconciled {
                    context.note(Note::MismatchedBounds("addition"), span);
                }
            }
            before = now;
        }
    } else if first.reset_hint != ResetHint::Gauge || last.reset_hint != ResetHint::Gauge {
        context.note(Note::NotGauge(window.metric()), span);
    }
    growth.reset_hint = ResetHint::Gauge;
    Some(growth.finish())
}

/// Extends the growth between the first and last sample to the window's edges: all the way when the edge is about
/// one sample away, else by half a sample's distance; never to before a counter's zero.
#[expect(clippy::cast_precision_loss, reason = "distances of samples in milliseconds")]
fn extrapolate(context: &Context<'_>, window: &Window<'_>, kind: Kind, mut observed: Observed) -> Cell {
    let mut to_start = (observed.first_ts - window.start()) as f64 / 1000.0;
    let mut to_end = (window.end - observed.last_ts) as f64 / 1000.0;
    let mut sampled = (observed.last_ts - observed.first_ts) as f64 / 1000.0;
    let average = if observed.intervals > 0 { sampled / observed.intervals as f64 } else { 0.0 };
    let threshold = average * 1.1;
    let start = observed.first_start;
    if kind.is_counter() && start != 0 && start > window.start() && start < observed.first_ts {
        to_start = 0.0;
        sampled = (observed.last_ts - start) as f64 / 1000.0;
        if !add_first(context, window, &mut observed) {
            return Cell::Empty;
        }
    } else if observed.intervals == 0 {
        return Cell::Empty;
    } else {
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if kind.is_counter() {
            let grown = match &observed.growth {
                Some(Growth::Float(growth)) => *growth,
                Some(Growth::Histogram(growth)) => growth.count,
                None => 0.0,
            };
            if grown > 0.0 && observed.first_count >= 0.0 {
                to_start = to_start.min(sampled * (observed.first_count / grown));
            }
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let mut factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
    if kind == Kind::Rate {
        factor /= window.range_seconds();
    }
    match observed.growth {
        Some(Growth::Float(growth)) => Cell::Float(growth * factor),
        Some(Growth::Histogram(growth)) => Cell::histogram(scaled(&growth, factor)),
        None => Cell::Empty,
    }
}

/// Counting began inside the window: the first sample's value is growth, too.
fn add_first(context: &Context<'_>, window: &Window<'_>, observed: &mut Observed) -> bool {
    match (&mut observed.growth, window.histograms.first()) {
        (Some(Growth::Float(growth)), _) => *growth += observed.first_count,
        (Some(Growth::Histogram(growth)), Some((_, first))) => {
            let mut work = Work::from(&**growth);
            let Ok(outcome) = work.add(first) else {
                context.note(Note::MixedSchemas(window.metric()), window.first_span);
                return false;
            };
            if outcome.bounds_reconciled {
                context.note(Note::MismatchedBounds("addition"), window.first_span);
            }
            **growth = work.finish();
        }
        (none @ None, Some((_, first))) => {
            *none = Some(Growth::Histogram(Box::new(FloatHistogram::clone(first))));
        }
        (None | Some(Growth::Histogram(_)), None) => {}
    }
    true
}

enum Latest<'a> {
    Float(f64),
    Histogram(&'a Arc<FloatHistogram>),
}

/// The last two samples of either kind, in ascending time, with their starts.
fn last_two<'a>(window: &'a Window<'_>) -> Option<[(i64, i64, Latest<'a>); 2]> {
    let mut all = Vec::with_capacity(4);
    for at in window.values.len().saturating_sub(2)..window.values.len() {
        let start = window.starts.get(at).copied().unwrap_or_default();
        all.push((*window.ts.get(at)?, start, Latest::Float(*window.values.get(at)?)));
    }
    for at in window.histograms.len().saturating_sub(2)..window.histograms.len() {
        let start = window.histogram_starts.get(at).copied().unwrap_or_default();
        let (ts, h) = window.histograms.get(at)?;
        all.push((*ts, start, Latest::Histogram(h)));
    }
    all.sort_by_key(|(ts, ..)| *ts);
    let last = all.pop()?;
    Some([all.pop()?, last])
}

/// `irate` (`per_second`) or `idelta`: the difference of the last two samples.
#[expect(clippy::cast_precision_loss, reason = "distances of samples in milliseconds")]
pub(crate) fn instant(context: &Context<'_>, window: &Window<'_>, per_second: bool) -> Cell {
    let Some([(t0, s0, before), (t1, s1, now)]) = last_two(window) else { return Cell::Empty };
    if t0 == t1 {
        return Cell::Empty;
    }
    let seconds = (t1 - t0) as f64 / 1000.0;
    let started = start_reset(s0, t0, s1, t1);
    match (before, now) {
        (Latest::Float(before), Latest::Float(now)) => {
            let reset = per_second && (now < before || started);
            let growth = if reset { now } else { now - before };
            Cell::Float(if per_second { growth / seconds } else { growth })
        }
        (Latest::Histogram(before), Latest::Histogram(now)) => {
            let both_gauges = before.reset_hint == ResetHint::Gauge && now.reset_hint == ResetHint::Gauge;
            let any_gauge = before.reset_hint == ResetHint::Gauge || now.reset_hint == ResetHint::Gauge;
            if per_second && any_gauge {
                context.note(Note::NotCounter(window.metric()), window.first_span);
            }
            if !per_second && !both_gauges {
                context.note(Note::NotGauge(window.metric()), window.first_span);
            }
            let mut growth = Work::from(&**now);
            if !per_second || !started && !detect_reset(now, before) {
                let Ok(outcome) = growth.subtract(before) else {
                    context.note(Note::MixedSchemas(window.metric()), window.first_span);
                    return Cell::Empty;
                };
                if outcome.bounds_reconciled {
                    context.note(Note::MismatchedBounds("subtraction"), window.first_span);
                }
            }
            growth.reset_hint = ResetHint::Gauge;
            let growth = growth.finish();
            Cell::histogram(if per_second { divided(&growth, seconds) } else { growth })
        }
        _ => {
            context.note(Note::MixedFloatsHistograms(window.metric()), window.first_span);
            Cell::Empty
        }
    }
}

#[cfg(test)]
mod tests {
    use super::start_reset;

    #[test]
    fn a_start_after_the_sample_before_is_a_reset() {
        for (start_before, before, start, now, expected) in [
            (1, 10, 1, 20, false),
            (1, 10, 0, 20, false),
            (1, 10, 15, 20, true),
            (1, 10, 20, 20, false),
            (1, 10, 5, 20, false),
            (1, 10, 10, 20, true),
            (0, 10, 10, 20, false),
            (10, 10, 10, 20, false),
        ] {
            assert_eq!(start_reset(start_before, before, start, now), expected, "{start} after {before}");
        }
    }
}
