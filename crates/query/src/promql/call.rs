//! Function calls: what a function needs decides which table it is in.
//!
//! - functions of one sample (`abs`, `hour`) are in `simple`,
//! - functions of a window (`rate`, `sum_over_time`) in `window` and `rate`,
//! - functions of classic and native histograms in `classic`,
//! - functions of labels in `label`, `info` in `info`.

mod calendar;
mod classic;
mod extended;
mod info;
mod label;
mod rate;
mod simple;
mod window;

use super::annotation::Note;
use super::answer::PromError;
use super::eval::{Context, DUPLICATE_LABELS, Result, Sink, merge_rows, weight};
use super::select::{Range, instant_with};
use super::value::{Cell, Columns, Grid, Row, Value, Window, without_name};
use language::promql::ast::{Call, Expr, Extension, ValueType};
use model::{Labels, MatchOp};
use std::collections::{HashMap, HashSet};

pub(crate) use label::is_label_name;
pub(crate) use simple::{go_max, go_min};
pub(crate) use window::quantile_of;

/// Functions whose value depends on the evaluation time even when their arguments do not.
const TIME_DEPENDENT: [&str; 14] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "info",
    "minute",
    "month",
    "predict_linear",
    "start",
    "time",
    "timestamp",
    "year",
];

pub(crate) fn step_invariant(call: &Call) -> bool {
    !TIME_DEPENDENT.contains(&call.function.name)
}

/// Whether the call's rows can be pushed one by one.
pub(crate) fn streams(call: &Call) -> bool {
    let takes_range = call.args.iter().any(|arg| arg.value_type() == ValueType::Matrix);
    takes_range && call.function.name != "absent_over_time"
}

/// Gives the rows of a call for which [`streams`] holds.
pub(crate) fn each(context: &Context<'_>, call: &Call, grid: Grid, sink: Sink<'_>) -> Result<()> {
    let mut seen: HashSet<Labels> = HashSet::new();
    over_range(context, call, grid, &mut |row| {
        if !context.options.delayed_name_removal && !seen.insert(row.labels.clone()) {
            return Err(PromError::execution(DUPLICATE_LABELS));
        }
        context.hold(weight(&row))?;
        sink(row)
    })
}

pub(crate) fn eval(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Value> {
    if streams(call) {
        let mut rows = Vec::new();
        each(context, call, grid, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        return Ok(Value::Rows(rows));
    }
    if call.function.return_type == ValueType::Scalar {
        return scalar(context, call, grid).map(Value::Scalar);
    }
    let rows = match call.function.name {
        "absent_over_time" => absent_over_time(context, call, grid)?,
        "absent" => absent(context, call, grid)?,
        "vector" => vector(context, call, grid)?,
        "timestamp" | "start_timestamp" => timestamp(context, call, grid)?,
        "label_replace" => label::replace(context, call, grid)?,
        "label_join" => label::join(context, call, grid)?,
        "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => label::sort(context, call, grid)?,
        "info" => info::eval(context, call, grid)?,
        "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
            classic::eval(context, call, grid)?
        }
        _ => simple::eval(context, call, grid)?,
    };
    Ok(Value::Rows(rows))
}

fn missing_argument(call: &Call) -> PromError {
    PromError::execution(format!("missing argument in call to {}", call.function.name))
}

/// The argument at `at`, out of its parentheses.
fn argument(call: &Call, at: usize) -> Result<&Expr> {
    call.args.get(at).map(Expr::unparen).ok_or_else(|| missing_argument(call))
}

/// The text at `at`.
fn text_argument(call: &Call, at: usize) -> Result<&str> {
    match argument(call, at)? {
        Expr::String(text) => Ok(&text.value),
        _ => Err(missing_argument(call)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "PromQL's times are float seconds")]
fn scalar(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<f64>> {
    let constant = |value: f64| Ok(vec![value; grid.len()]);
    let seconds = |ms: i64| ms as f64 / 1000.0;
    match call.function.name {
        "time" => Ok(grid.times().map(seconds).collect()),
        "pi" => constant(std::f64::consts::PI),
        "start" => constant(seconds(context.query.start)),
        "end" => constant(seconds(context.query.end)),
        "range" => constant(seconds(context.query.end - context.query.start)),
        "step" => constant(seconds(context.step_ms())),
        "max_of" | "min_of" => {
            let left = context.scalars(argument(call, 0)?, grid)?;
            let right = context.scalars(argument(call, 1)?, grid)?;
            let pick = if call.function.name == "max_of" { go_max } else { go_min };
            Ok(left.into_iter().zip(right).map(|(left, right)| pick(left, right)).collect())
        }
        _ => {
            let rows = context.rows(argument(call, 0)?, grid)?;
            context.release_rows(&rows);
            Ok((0..grid.len()).map(|at| only_float(&rows, at)).collect())
        }
    }
}

/// `scalar()`: the one float at a step, or NaN.
fn only_float(rows: &[Row], at: usize) -> f64 {
    let mut floats = rows.iter().filter_map(|row| row.cells.get(at)?.float());
    match (floats.next(), floats.next()) {
        (Some(value), None) => value,
        _ => f64::NAN,
    }
}

fn vector(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let cells = context.scalars(argument(call, 0)?, grid)?.into_iter().map(Cell::Float).collect();
    Ok(vec![Row::new(Labels::empty(), cells)])
}

/// The labels that an absent series would surely have: those the selector fixes, each once.
fn absent_labels(arg: &Expr) -> Labels {
    let matchers = match arg {
        Expr::Vector(selector) => &selector.matchers,
        Expr::Matrix(matrix) => &matrix.selector.matchers,
        _ => return Labels::empty(),
    };
    let mut fixed: HashMap<&str, Option<&str>> = HashMap::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != model::labels::METRIC_NAME) {
        let first = !matches!(fixed.get(matcher.name.as_str()), Some(Some(_)));
        let value = (matcher.op == MatchOp::Equal && first && !fixed.contains_key(matcher.name.as_str()))
            .then_some(matcher.value.as_str());
        fixed.insert(&matcher.name, value);
    }
    fixed.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// 1 at the steps where no row has a value.
fn absent_row(arg: &Expr, present: &[bool]) -> Vec<Row> {
    let cells = present.iter().map(|there| if *there { Cell::Empty } else { Cell::Float(1.0) }).collect();
    let row = Row::new(absent_labels(arg), cells);
    if row.has_cells() { vec![row] } else { Vec::new() }
}

fn absent(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let arg = argument(call, 0)?;
    let mut present = vec![false; grid.len()];
    context.each(arg, grid, &mut |row| {
        mark(&mut present, &row);
        context.release(weight(&row));
        Ok(())
    })?;
    Ok(absent_row(arg, &present))
}

fn absent_over_time(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let mut present = vec![false; grid.len()];
    over_range(context, call, grid, &mut |row| {
        mark(&mut present, &row);
        Ok(())
    })?;
    Ok(absent_row(argument(call, 0)?, &present))
}

fn mark(present: &mut [bool], row: &Row) {
    for (there, cell) in present.iter_mut().zip(&row.cells) {
        *there |= !cell.is_empty();
    }
}

#[expect(clippy::cast_precision_loss, reason = "PromQL's times are float seconds")]
fn timestamp(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let starts = call.function.name == "start_timestamp";
    let mut rows = Vec::new();
    if let Expr::Vector(selector) = argument(call, 0)? {
        if starts && !context.options.start_timestamps {
            return Ok(rows);
        }
        let seconds = |found: &super::select::Found| {
            Cell::Float(if starts { found.start } else { found.ts } as f64 / 1000.0)
        };
        instant_with(context, selector, grid, &seconds, &mut |row| {
            context.hold(weight(&row))?;
            rows.push(row);
            Ok(())
        })?;
    } else {
        rows = context.rows(argument(call, 0)?, grid)?;
        if starts {
            // Values of an expression have no start; it is evaluated for its warnings.
            context.release_rows(&rows);
            return Ok(Vec::new());
        }
        for row in &mut rows {
            for (cell, at) in row.cells.iter_mut().zip(grid.times()) {
                if !cell.is_empty() {
                    *cell = Cell::Float(at as f64 / 1000.0);
                }
            }
        }
    }
    for row in &mut rows {
        context.drop_name(row);
    }
    merge_rows(rows)
}

/// Functions that may see samples outside their window.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

fn check_extension(extension: Option<Extension>, name: &str) -> Result<()> {
    let (word, safe): (_, &[&str]) = match extension {
        None => return Ok(()),
        Some(Extension::Anchored) => ("anchored", &ANCHORED),
        Some(Extension::Smoothed) => ("smoothed", &SMOOTHED),
    };
    if safe.contains(&name) {
        return Ok(());
    }
    let safe = safe.join(", ");
    Err(PromError::execution(format!("{word} modifier can only be used with: {safe} - not with {name}")))
}

/// The points of an extended range vector: samples inside, and one at each edge.
pub(crate) fn extended_points(
    columns: &Columns,
    extension: Extension,
    start: i64,
    end: i64,
    series: &Labels,
) -> Result<Vec<(i64, f64)>> {
    if !columns.histograms.is_empty() {
        let word = if extension == Extension::Anchored { "anchored" } else { "smoothed" };
        return Err(PromError::execution(format!("{word} modifier is not supported with histograms")));
    }
    let slider = Slider { floats: (0, columns.ts.len()), ..Slider::new(columns, (0, 0)) };
    let window = Window { extension: Some(extension), series, ..slider.window(end, end - start) };
    let Some((left, right, ..)) = extended::edge_values(&window, false) else { return Ok(Vec::new()) };
    let inside = columns.ts.iter().copied().zip(columns.values.iter().copied());
    let inside = inside.filter(|(ts, _)| *ts > start && *ts < end);
    Ok([(start, left)].into_iter().chain(inside).chain([(end, right)]).collect())
}

/// Slides a window over each series of the range vector and gives the row of results.
fn over_range(context: &Context<'_>, call: &Call, grid: Grid, sink: Sink<'_>) -> Result<()> {
    let name = call.function.name;
    let function = window::lookup(name).ok_or_else(|| missing_argument(call))?;
    let mut range = None;
    let mut params = Vec::new();
    for arg in &call.args {
        match Range::new(context, arg)? {
            Some(found) => range = Some(found),
            None => params.push(context.scalars(arg.unparen(), grid)?),
        }
    }
    let range = range.ok_or_else(|| missing_argument(call))?;
    check_extension(range.extension, name)?;
    // Prometheus evaluates a subquery ahead and forgets where it stood.
    let first_span = match argument(call, 0)? {
        Expr::Subquery(_) => language::promql::ast::Span::default(),
        other => other.span(),
    };
    let uses_starts =
        context.options.start_timestamps && matches!(name, "rate" | "increase" | "irate" | "resets");
    let keeps_name = matches!(name, "last_over_time" | "first_over_time");
    range.each(context, grid, &mut |labels, drop_name, mut columns| {
        if !uses_starts {
            columns.starts.clear();
            columns.histogram_starts.clear();
        }
        let mut slider = Slider::new(&columns, range.margins(context));
        let mut cells = Vec::with_capacity(grid.len());
        let mut at_step = vec![0.0; params.len()];
        for (at, time) in grid.times().enumerate() {
            for (slot, values) in at_step.iter_mut().zip(&params) {
                *slot = values.get(at).copied().unwrap_or(f64::NAN);
            }
            let end = range.reference.of(time);
            slider.advance(end, range.length);
            let mut window = slider.window(end, range.length);
            (window.at, window.params, window.series) = (time, &at_step, labels);
            (window.span, window.first_span, window.extension) = (range.span, first_span, range.extension);
            let empty = window.ts.is_empty() && window.histograms.is_empty();
            if !empty && name == "double_exponential_smoothing" {
                window::check_smoothing(&at_step)?;
            }
            cells.push(if empty { Cell::Empty } else { function(context, &window) });
        }
        let mut row = Row { labels: labels.clone(), drop_name: drop_name || !keeps_name, cells };
        if row.drop_name && !context.options.delayed_name_removal {
            row.labels = without_name(&row.labels);
        }
        if matches!(name, "rate" | "increase") && row.cells.iter().any(|cell| cell.float().is_some()) {
            check_counter(context, labels, first_span);
        }
        if row.has_cells() { sink(row) } else { Ok(()) }
    })
}

/// Doubts that a series is a counter.
fn check_counter(context: &Context<'_>, labels: &Labels, span: language::promql::ast::Span) {
    let metric = labels.metric_name();
    if metric.is_empty() {
        return;
    }
    if context.options.type_and_unit_labels {
        let kind = labels.get("__type__").unwrap_or_default();
        if !matches!(kind, "counter" | "histogram") {
            let (metric, kind) = (metric.to_owned(), kind.to_owned());
            context.note(Note::PossibleNonCounterLabel { metric, kind }, span);
        }
    } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| metric.ends_with(suffix)) {
        context.note(Note::PossibleNonCounter(metric.to_owned()), span);
    }
}

/// The bounds of a window in a series' columns, moving forward with the steps.
struct Slider<'c> {
    columns: &'c Columns,
    drops: Vec<usize>,
    before: i64,
    after: i64,
    floats: (usize, usize),
    histograms: (usize, usize),
    dropped: (usize, usize),
}

impl<'c> Slider<'c> {
    fn new(columns: &'c Columns, (before, after): (i64, i64)) -> Self {
        let pairs = columns.values.windows(2).enumerate();
        let drops = pairs.filter(|(_, pair)| pair[1] < pair[0]).map(|(at, _)| at + 1).collect();
        Self { columns, drops, before, after, floats: (0, 0), histograms: (0, 0), dropped: (0, 0) }
    }

    fn advance(&mut self, end: i64, range: i64) {
        let start = end.saturating_sub(range).saturating_sub(self.before);
        let end = end.saturating_add(self.after);
        let slide = |(mut low, mut high): (usize, usize), ts: &dyn Fn(usize) -> Option<i64>| {
            if low > 0 && ts(low - 1).is_some_and(|ts| ts > start) {
                (low, high) = (0, 0);
            }
            while ts(low).is_some_and(|ts| ts <= start) {
                low += 1;
            }
            high = high.max(low);
            while ts(high).is_some_and(|ts| ts <= end) {
                high += 1;
            }
            (low, high)
        };
        let Columns { ts, histograms, .. } = self.columns;
        self.floats = slide(self.floats, &|at| ts.get(at).copied());
        self.histograms = slide(self.histograms, &|at| histograms.get(at).map(|(ts, _)| *ts));
        let (low, high) = self.floats;
        if self.drops.get(self.dropped.0.wrapping_sub(1)).is_some_and(|drop| *drop > low) {
            self.dropped = (0, 0);
        }
        // A drop belongs to the window when the sample before it does.
        while self.drops.get(self.dropped.0).is_some_and(|drop| *drop <= low) {
            self.dropped.0 += 1;
        }
        self.dropped.1 = self.dropped.1.max(self.dropped.0);
        while self.drops.get(self.dropped.1).is_some_and(|drop| *drop < high) {
            self.dropped.1 += 1;
        }
    }

    fn window(&self, end: i64, range: i64) -> Window<'_> {
        fn cut<T>(all: &[T], (low, high): (usize, usize)) -> &[T] {
            all.get(low..high).unwrap_or_default()
        }
        static NO_LABELS: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::empty);
        let columns = self.columns;
        Window {
            ts: cut(&columns.ts, self.floats),
            values: cut(&columns.values, self.floats),
            histograms: cut(&columns.histograms, self.histograms),
            starts: cut(&columns.starts, self.floats),
            histogram_starts: cut(&columns.histogram_starts, self.histograms),
            drops: cut(&self.drops, self.dropped),
            first: self.floats.0,
            end,
            range,
            at: end,
            params: &[],
            series: &NO_LABELS,
            span: language::promql::ast::Span::default(),
            first_span: language::promql::ast::Span::default(),
            extension: None,
        }
    }
}
