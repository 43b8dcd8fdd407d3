//! Reads series: the latest sample at each step for instant selectors, sliding windows for range selectors and
//! subqueries.

use super::annotation::Note;
use super::answer::PromError;
use super::eval::{Context, Result, Sink, check_steps, weight};
use super::histogram::{Work, detect_reset, hint, scaled};
use super::totals;
use super::value::{Cell, Columns, Grid, Row};
use language::promql::ast::{Expr, Extension, Span, Subquery, VectorSelector};
use model::histogram::ResetHint;
use model::metric::is_stale_nan;
use model::scan::{SeriesColumns, SeriesSelect};
use model::{FloatHistogram, Labels};
use std::sync::Arc;

/// The time each step's selector looks at.
pub(crate) struct Reference {
    fixed: Option<i64>,
    offset: i64,
}

impl Reference {
    pub(crate) fn of(&self, step: i64) -> i64 {
        self.fixed.unwrap_or(step).saturating_sub(self.offset)
    }

    pub(crate) fn span(&self, grid: Grid) -> (i64, i64) {
        (self.of(grid.start), self.of(grid.time(grid.len().saturating_sub(1))))
    }
}

fn reference(context: &Context<'_>, selector: &VectorSelector) -> Result<Reference> {
    let offset = context.offset(selector.offset.as_ref())?;
    Ok(Reference { fixed: context.at(selector.at), offset })
}

/// Gives every series with a sample in `start..=end` to `on_series`.
pub(crate) fn scan(
    context: &Context<'_>,
    matchers: &[model::Matcher],
    (start_ms, end_ms): (i64, i64),
    on_series: &mut dyn FnMut(Labels, &mut SeriesColumns) -> Result<()>,
) -> Result<()> {
    let select = SeriesSelect { matchers: matchers.to_vec(), start_ms, end_ms };
    let mut cursor = context.source.select(context.tenant, &select, context.budget)?;
    let mut columns = SeriesColumns::default();
    while let Some(labels) = cursor.next(&mut columns)? {
        // Only the source knows what stands before the first.
        if let Some(((_, first), rest)) = columns.histograms.split_first_mut() {
            hint(Some(first), rest);
        }
        on_series(labels, &mut columns)?;
    }
    context.completeness.borrow_mut().merge(cursor.completeness());
    Ok(())
}

/// The latest sample of one series at or before a time, walking forward.
pub(crate) struct Latest<'a> {
    columns: &'a SeriesColumns,
    floats: usize,
    histograms: usize,
}

/// A sample found by [`Latest`].
pub(crate) struct Found {
    pub(crate) ts: i64,
    pub(crate) start: i64,
    pub(crate) cell: Cell,
}

impl<'a> Latest<'a> {
    pub(crate) fn new(columns: &'a SeriesColumns) -> Self {
        Self { columns, floats: 0, histograms: 0 }
    }

    /// The sample at `at`, if it is younger than `lookback` and no staleness marker.
    pub(crate) fn at(&mut self, at: i64, lookback: i64) -> Option<Found> {
        let SeriesColumns { ts_ms, values, histograms, .. } = self.columns;
        if self.floats > 0 && ts_ms.get(self.floats - 1).is_some_and(|ts| *ts > at)
            || self.histograms > 0 && histograms.get(self.histograms - 1).is_some_and(|(ts, _)| *ts > at)
        {
            (self.floats, self.histograms) = (0, 0);
        }
        while ts_ms.get(self.floats).is_some_and(|ts| *ts <= at) {
            self.floats += 1;
        }
        while histograms.get(self.histograms).is_some_and(|(ts, _)| *ts <= at) {
            self.histograms += 1;
        }
        let float = self.floats.checked_sub(1).and_then(|i| Some((*ts_ms.get(i)?, *values.get(i)?)));
        let histogram = self.histograms.checked_sub(1).and_then(|i| histograms.get(i));
        let oldest = at.saturating_sub(lookback);
        match (float, histogram) {
            (Some((ts, value)), other) if other.is_none_or(|(newer, _)| *newer < ts) => {
                let start = self.columns.start_ms.get(self.floats - 1).copied().unwrap_or_default();
                (ts > oldest && !is_stale_nan(value)).then_some(Found { ts, start, cell: Cell::Float(value) })
            }
            (_, Some((ts, h))) => {
                let starts = &self.columns.histogram_start_ms;
                let start = starts.get(self.histograms - 1).copied().unwrap_or_default();
                let cell = Cell::Histogram(Arc::clone(h));
                (*ts > oldest && !h.is_stale()).then_some(Found { ts: *ts, start, cell })
            }
            _ => None,
        }
    }
}

/// Gives the rows of an instant selector to `sink`.
pub(crate) fn instant(
    context: &Context<'_>,
    selector: &VectorSelector,
    grid: Grid,
    sink: Sink<'_>,
) -> Result<()> {
    let lookback = context.options.lookback_ms;
    let reference = reference(context, selector)?;
    let (first, last) = reference.span(grid);
    if selector.extension == Some(Extension::Smoothed) {
        return smoothed(context, selector, grid, sink);
    }
    let range = (first.saturating_sub(lookback).saturating_add(1), last);
    let totals = context.totals_only.contains(&selector.span);
    scan(context, &selector.matchers, range, &mut |labels, columns| {
        if totals {
            totals::reduce(&mut columns.histograms);
        }
        let mut latest = Latest::new(columns);
        let cell = |step| latest.at(reference.of(step), lookback).map_or(Cell::Empty, |found| found.cell);
        let row = Row::new(labels, grid.times().map(cell).collect());
        if row.has_cells() { sink(row) } else { Ok(()) }
    })
}

/// Gives, for each series of a selector, what `found` makes of its sample at each step.
pub(crate) fn instant_with(
    context: &Context<'_>,
    selector: &VectorSelector,
    grid: Grid,
    found: &dyn Fn(&Found) -> Cell,
    sink: Sink<'_>,
) -> Result<()> {
    let lookback = context.options.lookback_ms;
    let reference = reference(context, selector)?;
    let (first, last) = reference.span(grid);
    let range = (first.saturating_sub(lookback).saturating_add(1), last);
    scan(context, &selector.matchers, range, &mut |labels, columns| {
        let mut latest = Latest::new(columns);
        let cell =
            |step| latest.at(reference.of(step), lookback).map_or(Cell::Empty, |sample| found(&sample));
        let row = Row::new(labels, grid.times().map(cell).collect());
        if row.has_cells() { sink(row) } else { Ok(()) }
    })
}

/// Removes staleness markers.
pub(crate) fn fresh(columns: &SeriesColumns) -> Columns {
    let mut out = Columns::default();
    let with_starts = !columns.start_ms.is_empty();
    for (at, (ts, value)) in columns.ts_ms.iter().zip(&columns.values).enumerate() {
        if !is_stale_nan(*value) {
            out.ts.push(*ts);
            out.values.push(*value);
            if with_starts {
                out.starts.push(columns.start_ms.get(at).copied().unwrap_or_default());
            }
        }
    }
    let with_starts = !columns.histogram_start_ms.is_empty();
    for (at, (ts, h)) in columns.histograms.iter().enumerate() {
        if !h.is_stale() {
            out.histograms.push((*ts, Arc::clone(h)));
            if with_starts {
                out.histogram_starts.push(columns.histogram_start_ms.get(at).copied().unwrap_or_default());
            }
        }
    }
    out
}

/// The last sample at or before `at` and the first after it, within `lookback` on both sides.
fn neighbours<T>(points: &[(i64, T)], at: i64, lookback: i64) -> [Option<&(i64, T)>; 2] {
    let after = points.partition_point(|(ts, _)| *ts < at);
    let oldest = at.saturating_sub(lookback);
    let next = points.get(after).filter(|(ts, _)| *ts <= at.saturating_add(lookback));
    let previous = after.checked_sub(1).and_then(|i| points.get(i)).filter(|(ts, _)| *ts > oldest);
    [previous, next]
}

/// A smoothed instant selector: values between samples are interpolated.
fn smoothed(context: &Context<'_>, selector: &VectorSelector, grid: Grid, sink: Sink<'_>) -> Result<()> {
    let lookback = context.options.lookback_ms;
    let reference = reference(context, selector)?;
    let (first, last) = reference.span(grid);
    let range = (first.saturating_sub(lookback).saturating_add(1), last.saturating_add(lookback));
    scan(context, &selector.matchers, range, &mut |labels, columns| {
        let columns = fresh(columns);
        let floats: Vec<(i64, f64)> =
            columns.ts.iter().copied().zip(columns.values.iter().copied()).collect();
        let inside = |ts: i64, at: i64| ts > at - lookback && ts <= at + lookback;
        let cell = |step| {
            let at = reference.of(step);
            let any_float = columns.ts.iter().any(|ts| inside(*ts, at));
            let any_histogram = columns.histograms.iter().any(|(ts, _)| inside(*ts, at));
            if any_float && any_histogram {
                context.note(Note::MixedFloatsHistograms(labels.metric_name().to_owned()), selector.span);
                return Cell::Empty;
            }
            if any_histogram {
                let around = neighbours(&columns.histograms, at, lookback);
                return smooth_histogram(context, &labels, selector.span, around, at);
            }
            match neighbours(&floats, at, lookback) {
                [_, Some((ts, value))] if *ts == at => Cell::Float(*value),
                [Some(a), Some(b)] => Cell::Float(interpolate(*a, *b, at, false)),
                [Some((_, value)), None] => Cell::Float(*value),
                [None, _] => Cell::Empty,
            }
        };
        let cells = grid.times().map(cell).collect();
        let row = Row::new(labels.clone(), cells);
        if row.has_cells() { sink(row) } else { Ok(()) }
    })
}

type HistogramPoint = (i64, Arc<FloatHistogram>);

fn smooth_histogram(
    context: &Context<'_>,
    labels: &Labels,
    span: Span,
    around: [Option<&HistogramPoint>; 2],
    at: i64,
) -> Cell {
    match around {
        [_, Some((ts, h))] if *ts == at => Cell::Histogram(Arc::clone(h)),
        [Some(a), Some(b)] => {
            let counter = a.1.reset_hint != ResetHint::Gauge || b.1.reset_hint != ResetHint::Gauge;
            let Some(h) = interpolate_histogram(context, a, b, at, counter, span) else {
                context.note(Note::MixedSchemas(labels.metric_name().to_owned()), span);
                return Cell::Empty;
            };
            Cell::histogram(h)
        }
        [Some((_, h)), None] => {
            let mut h = FloatHistogram::clone(h);
            h.reset_hint = ResetHint::Unknown;
            Cell::histogram(h)
        }
        [None, _] => Cell::Empty,
    }
}

/// The value at `at` on the line through two samples; a counter that was reset starts from 0.
#[expect(clippy::cast_precision_loss, reason = "distances of samples in milliseconds")]
pub(crate) fn interpolate(a: (i64, f64), b: (i64, f64), at: i64, counter: bool) -> f64 {
    let from = if counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (at - a.0) as f64 / (b.0 - a.0) as f64
}

/// The same for histograms; `None` when their schemas do not go together.
#[expect(clippy::cast_precision_loss, reason = "distances of samples in milliseconds")]
pub(crate) fn interpolate_histogram(
    context: &Context<'_>,
    a: &HistogramPoint,
    b: &HistogramPoint,
    at: i64,
    counter: bool,
    span: Span,
) -> Option<FloatHistogram> {
    if at == a.0 {
        return Some(FloatHistogram::clone(&a.1));
    }
    if at == b.0 {
        return Some(FloatHistogram::clone(&b.1));
    }
    let fraction = (at - a.0) as f64 / (b.0 - a.0) as f64;
    if a.1.uses_custom_buckets() == b.1.uses_custom_buckets() && counter && detect_reset(&b.1, &a.1) {
        return Some(scaled(&b.1, fraction));
    }
    let mut work = Work::from(&*b.1);
    if work.subtract(&a.1).ok()?.bounds_reconciled {
        context.note(Note::MismatchedBounds("subtraction"), span);
    }
    work.scale(fraction);
    if work.add(&a.1).ok()?.bounds_reconciled {
        context.note(Note::MismatchedBounds("addition"), span);
    }
    Some(work.finish())
}

/// A range vector: where its windows end, how long they are, and where the samples come from.
pub(crate) struct Range<'e> {
    pub(crate) reference: Reference,
    pub(crate) length: i64,
    pub(crate) extension: Option<Extension>,
    pub(crate) span: Span,
    source: Source<'e>,
}

enum Source<'e> {
    Series(&'e VectorSelector),
    Subquery(&'e Subquery),
}

impl<'e> Range<'e> {
    /// The range vector `expr` is, or `None` when it is none.
    pub(crate) fn new(context: &Context<'_>, expr: &'e Expr) -> Result<Option<Self>> {
        Ok(match expr.unparen() {
            Expr::Matrix(matrix) => Some(Self {
                reference: reference(context, &matrix.selector)?,
                length: context.duration(&matrix.range, false)?,
                extension: matrix.selector.extension,
                span: matrix.span,
                source: Source::Series(&matrix.selector),
            }),
            Expr::Subquery(subquery) => {
                let offset = context.offset(subquery.offset.as_ref())?;
                Some(Self {
                    reference: Reference { fixed: context.at(subquery.at), offset },
                    length: context.duration(&subquery.range, false)?,
                    extension: None,
                    span: subquery.span,
                    source: Source::Subquery(subquery),
                })
            }
            _ => None,
        })
    }

    /// How far before and after the window its samples may lie.
    pub(crate) fn margins(&self, context: &Context<'_>) -> (i64, i64) {
        let lookback = context.options.lookback_ms;
        match self.extension {
            Some(Extension::Anchored) => (lookback, 0),
            Some(Extension::Smoothed) => (lookback, lookback),
            None => (0, 0),
        }
    }

    /// Gives each series' samples that some window of the grid may need, and whether its name is to be dropped.
    pub(crate) fn each(
        &self,
        context: &Context<'_>,
        grid: Grid,
        on_series: &mut dyn FnMut(&Labels, bool, Columns) -> Result<()>,
    ) -> Result<()> {
        let (first, last) = self.reference.span(grid);
        let (before, after) = self.margins(context);
        let start = first.saturating_sub(self.length).saturating_sub(before);
        match self.source {
            Source::Series(selector) => {
                let range = (start.saturating_add(1), last.saturating_add(after));
                scan(context, &selector.matchers, range, &mut |labels, columns| {
                    let mut columns = fresh(columns);
                    if context.totals_only.contains(&selector.span) {
                        totals::reduce(&mut columns.histograms);
                    }
                    let held = (columns.ts.len() + columns.histograms.len()) as u64;
                    context.hold(held)?;
                    on_series(&labels, false, columns)?;
                    context.release(held);
                    Ok(())
                })
            }
            Source::Subquery(subquery) => {
                let inner = subquery_grid(context, subquery, start, last)?;
                let rows = context.rows(&subquery.expr, inner)?;
                for row in rows {
                    let held = weight(&row);
                    on_series(&row.labels, row.drop_name, row_columns(&row, inner))?;
                    context.release(held);
                }
                Ok(())
            }
        }
    }
}

/// The times a subquery is evaluated at: multiples of its step after `start`, up to `end`.
fn subquery_grid(context: &Context<'_>, subquery: &Subquery, start: i64, end: i64) -> Result<Grid> {
    let step = match &subquery.step {
        Some(step) => context.duration(step, false)?,
        None => context.options.subquery_step_ms,
    };
    if step < 1 {
        return Err(PromError::execution("subquery step must be at least 1ms"));
    }
    let mut first = (start / step) * step;
    if first <= start {
        first += step;
    }
    let grid = Grid { start: first, end, step };
    check_steps(grid)?;
    Ok(grid)
}

/// A subquery's row as a series. Reset hints do not survive: samples may be missing or come twice.
fn row_columns(row: &Row, grid: Grid) -> Columns {
    let mut out = Columns::default();
    for (ts, cell) in grid.times().zip(&row.cells) {
        match cell {
            Cell::Empty => {}
            Cell::Float(value) => {
                out.ts.push(ts);
                out.values.push(*value);
            }
            Cell::Histogram(h) if matches!(h.reset_hint, ResetHint::Yes | ResetHint::No) => {
                let mut h = FloatHistogram::clone(h);
                h.reset_hint = ResetHint::Unknown;
                out.histograms.push((ts, Arc::new(h)));
            }
            Cell::Histogram(h) => out.histograms.push((ts, Arc::clone(h))),
        }
    }
    out
}
