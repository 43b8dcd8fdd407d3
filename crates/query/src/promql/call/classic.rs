//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, on classic buckets (series with an `le` label)
//! and on native histograms.

use super::super::annotation::{Note, Repair};
use super::super::eval::{Context, Result, merge_rows};
use super::super::histogram::{self, NanEffect, format_g};
use super::super::value::{Cell, Grid, Row};
use super::{argument, text_argument};
use language::promql::ast::{Call, Span};
use model::{FloatHistogram, Labels};
use std::collections::HashMap;

const BUCKET_LABEL: &str = "le";

/// Differences below this share of a bucket's count are rounding.
const TOLERANCE: f64 = 1e-12;

/// A cumulative classic bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// All series of one histogram, classic and native.
struct Group {
    labels: Labels,
    drop_name: bool,
    /// (bound or what is wrong with it, row).
    buckets: Vec<(std::result::Result<f64, String>, usize)>,
    native: Vec<usize>,
}

/// What is asked of each histogram; one output row per entry.
enum Question {
    Quantile { values: Vec<f64>, label: Option<(String, Vec<String>)> },
    Fraction { lower: Vec<f64>, upper: Vec<f64> },
}

pub(crate) fn eval(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let (vector, questions) = questions(context, call, grid)?;
    let span = argument(call, vector)?.span();
    let rows = context.rows(argument(call, vector)?, grid)?;
    let groups = group(&rows);
    let mut out = Vec::new();
    for (at_question, question) in questions.iter().enumerate() {
        for group in &groups {
            answer(context, question, group, &rows, span, grid, at_question == 0, &mut out);
        }
    }
    context.release_rows(&rows);
    for row in &mut out {
        context.drop_name(row);
    }
    merge_rows(out)
}

/// The position of the vector argument and what is asked of it.
fn questions(context: &Context<'_>, call: &Call, grid: Grid) -> Result<(usize, Vec<Question>)> {
    let quantiles = |at: usize| -> Result<Vec<f64>> {
        let arg = argument(call, at)?;
        let values = context.scalars(arg, grid)?;
        for q in values.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            context.note(Note::InvalidQuantile(*q), arg.span());
        }
        Ok(values)
    };
    Ok(match call.function.name {
        "histogram_quantile" => (1, vec![Question::Quantile { values: quantiles(0)?, label: None }]),
        "histogram_fraction" => {
            let lower = context.scalars(argument(call, 0)?, grid)?;
            let upper = context.scalars(argument(call, 1)?, grid)?;
            (2, vec![Question::Fraction { lower, upper }])
        }
        _ => {
            let name = text_argument(call, 1)?;
            let question = |at: usize| -> Result<Question> {
                let values = quantiles(at)?;
                let texts = values.iter().map(|q| open_metrics_float(*q)).collect();
                Ok(Question::Quantile { values, label: Some((name.to_owned(), texts)) })
            };
            (0, (2..call.args.len()).map(question).collect::<Result<_>>()?)
        }
    })
}

/// A float as `OpenMetrics` writes it: with a point even when it is whole.
fn open_metrics_float(value: f64) -> String {
    let text = format_g(value);
    if value.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

fn group(rows: &[Row]) -> Vec<Group> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut place = |labels: &Labels, drop_name: bool, groups: &mut Vec<Group>| {
        let next = groups.len();
        let at = *places.entry(labels.clone()).or_insert(next);
        if at == next {
            let labels = labels.clone();
            groups.push(Group { labels, drop_name, buckets: Vec::new(), native: Vec::new() });
        }
        at
    };
    for (index, row) in rows.iter().enumerate() {
        if row.cells.iter().any(|cell| matches!(cell, Cell::Histogram(_))) {
            let at = place(&row.labels, row.drop_name, &mut groups);
            groups[at].native.push(index);
        }
        if row.cells.iter().any(|cell| matches!(cell, Cell::Float(_))) {
            let text = row.labels.get(BUCKET_LABEL).unwrap_or_default();
            let bound = text.parse::<f64>().map_err(|_| text.to_owned());
            let at = place(&row.labels.retain(|name| name != BUCKET_LABEL), row.drop_name, &mut groups);
            groups[at].buckets.push((bound, index));
        }
    }
    groups
}

#[expect(clippy::too_many_arguments, reason = "one loop body, named")]
fn answer(
    context: &Context<'_>,
    question: &Question,
    group: &Group,
    rows: &[Row],
    span: Span,
    grid: Grid,
    first: bool,
    out: &mut Vec<Row>,
) {
    let metric = || {
        if context.options.delayed_name_removal {
            group.labels.metric_name().to_owned()
        } else {
            String::new()
        }
    };
    let cell = |row: usize, at: usize| rows.get(row).and_then(|row| row.cells.get(at));
    let mut cells = Vec::with_capacity(grid.len());
    for (at, time) in grid.times().enumerate() {
        let mut buckets = Vec::with_capacity(group.buckets.len());
        for (bound, row) in &group.buckets {
            let Some(Cell::Float(count)) = cell(*row, at) else { continue };
            match bound {
                Ok(bound) => buckets.push(Bucket { bound: *bound, count: *count }),
                Err(label) if first => {
                    let (metric, label) = (metric(), label.clone());
                    context.note(Note::BadBucketLabel { metric, label }, span);
                }
                Err(_) => {}
            }
        }
        let native = group.native.iter().find_map(|row| match cell(*row, at) {
            Some(Cell::Histogram(h)) => Some(h),
            _ => None,
        });
        cells.push(match native {
            Some(_) if !buckets.is_empty() => {
                context.note(Note::MixedClassicNative(metric()), span);
                Cell::Empty
            }
            Some(h) => Cell::Float(of_native(context, question, h, at, &metric(), span)),
            None if buckets.is_empty() => Cell::Empty,
            None => Cell::Float(of_classic(context, question, buckets, (at, time), &metric(), span)),
        });
    }
    emit(question, group, cells, out);
}

/// Output rows: one, or one per distinct value of the quantile label.
fn emit(question: &Question, group: &Group, cells: Vec<Cell>, out: &mut Vec<Row>) {
    let row = |labels, cells| Row { labels, drop_name: group.drop_name, cells };
    let Question::Quantile { label: Some((name, texts)), .. } = question else {
        out.push(row(group.labels.clone(), cells));
        return;
    };
    let mut by_text: Vec<(&String, Vec<Cell>)> = Vec::new();
    let steps = cells.len();
    for (at, (cell, text)) in cells.into_iter().zip(texts).enumerate() {
        if !by_text.iter().any(|(other, _)| *other == text) {
            by_text.push((text, vec![Cell::Empty; steps]));
        }
        let found = by_text.iter_mut().find(|(other, _)| *other == text);
        if let Some(slot) = found.and_then(|(_, cells)| cells.get_mut(at)) {
            *slot = cell;
        }
    }
    for (text, cells) in by_text {
        let mut builder = group.labels.builder();
        builder.set(name, text);
        out.push(row(builder.build(), cells));
    }
}

fn of_native(
    context: &Context<'_>,
    question: &Question,
    h: &FloatHistogram,
    at: usize,
    metric: &str,
    span: Span,
) -> f64 {
    let value = |values: &[f64]| values.get(at).copied().unwrap_or(f64::NAN);
    let estimate = match question {
        Question::Quantile { values, .. } => histogram::quantile(value(values), h),
        Question::Fraction { lower, upper } => histogram::fraction(value(lower), value(upper), h),
    };
    if let Some(effect) = estimate.note {
        let metric = metric.to_owned();
        let note = match effect {
            NanEffect::Result => Note::QuantileNan(metric),
            NanEffect::Skew => Note::QuantileSkew(metric),
            NanEffect::Excluded => Note::FractionNan(metric),
        };
        context.note(note, span);
    }
    estimate.value
}

fn of_classic(
    context: &Context<'_>,
    question: &Question,
    mut buckets: Vec<Bucket>,
    (at, time): (usize, i64),
    metric: &str,
    span: Span,
) -> f64 {
    let value = |values: &[f64]| values.get(at).copied().unwrap_or(f64::NAN);
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    match question {
        Question::Quantile { values, .. } => {
            let (quantile, repaired) = bucket_quantile(value(values), buckets);
            if let Some((bucket_min, bucket_max, difference_max)) = repaired {
                let (first_ms, last_ms, count) = (time, time, 1);
                let repair = Repair { first_ms, last_ms, bucket_min, bucket_max, difference_max, count };
                context.note(Note::ForcedMonotonicity { metric: metric.to_owned(), repair }, span);
            }
            quantile
        }
        Question::Fraction { lower, upper } => bucket_fraction(value(lower), value(upper), buckets),
    }
}

/// Adds the counts of buckets with the same bound.
fn coalesce(buckets: Vec<Bucket>) -> Vec<Bucket> {
    let mut out: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match out.last_mut() {
            Some(last) if last.bound.total_cmp(&bucket.bound).is_eq() => last.count += bucket.count,
            _ => out.push(bucket),
        }
    }
    out
}

/// (smallest bound, largest bound, largest difference) of what was forced to grow.
type Forced = Option<(f64, f64, f64)>;

/// Removes decreases; those within rounding silently.
fn force_monotonic(buckets: &mut [Bucket]) -> Forced {
    let mut forced: Forced = None;
    let (first, rest) = buckets.split_first_mut()?;
    let mut before = first.count;
    for bucket in rest {
        let now = bucket.count;
        if almost_equal(before, now, TOLERANCE) {
            bucket.count = before;
        } else if now < before {
            bucket.count = before;
            let (low, high, difference) = forced.unwrap_or((f64::INFINITY, f64::NEG_INFINITY, 0.0));
            forced = Some((low.min(bucket.bound), high.max(bucket.bound), difference.max(before - now)));
        } else {
            before = now;
        }
    }
    forced
}

/// Whether two floats differ by less than `tolerance` of their size.
pub(crate) fn almost_equal(a: f64, b: f64, tolerance: f64) -> bool {
    if a.is_nan() && b.is_nan() || a.total_cmp(&b).is_eq() {
        return true;
    }
    let (size, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || size < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / size.min(f64::MAX) < tolerance
}

fn bucket_quantile(q: f64, buckets: Vec<Bucket>) -> (f64, Forced) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return (f64::NAN, None);
    }
    let mut buckets = coalesce(buckets);
    let forced = force_monotonic(&mut buckets);
    let [.., second_last, last] = buckets.as_slice() else { return (f64::NAN, forced) };
    if last.count == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = q * last.count;
    let below = buckets.get(..buckets.len() - 1).unwrap_or_default();
    let at = below.partition_point(|bucket| bucket.count < rank || bucket.count.is_nan());
    let Some(bucket) = below.get(at) else { return (second_last.bound, forced) };
    if at == 0 && bucket.bound <= 0.0 {
        return (bucket.bound, forced);
    }
    let (mut start, mut count) = (0.0, bucket.count);
    if let Some(previous) = at.checked_sub(1).and_then(|at| below.get(at)) {
        start = previous.bound;
        count -= previous.count;
        rank -= previous.count;
    }
    (start + (bucket.bound - start) * (rank / count), forced)
}

fn bucket_fraction(lower: f64, upper: f64, buckets: Vec<Bucket>) -> f64 {
    let buckets = coalesce(buckets);
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return f64::NAN };
    let total = last.count;
    if last.bound != f64::INFINITY || total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank_of = |value: f64| {
        let (mut rank, mut low) = (0.0, if first.bound <= 0.0 { f64::NEG_INFINITY } else { 0.0 });
        for bucket in &buckets {
            if low >= value {
                return Some(rank);
            }
            if bucket.bound > value {
                return Some(if low == f64::NEG_INFINITY {
                    bucket.count
                } else {
                    rank + (bucket.count - rank) * (value - low) / (bucket.bound - low)
                });
            }
            (rank, low) = (bucket.count, bucket.bound);
        }
        None
    };
    let rank = |value: f64| rank_of(value).filter(|rank| *rank <= total).unwrap_or(total);
    (rank(upper) - rank(lower)) / total
}
