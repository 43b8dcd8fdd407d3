//! Compares an answer with what a script expects.

use super::script::{Eval, Pattern, When};
use super::series::Item;
use model::{FloatHistogram, Labels};
use query::promql::{PromAnswer, PromError, PromValue, Sample, SampleValue, Series, compact_histogram};

/// Relative error allowed for sample values, as in Prometheus' runner.
const EPSILON: f64 = 1e-6;

type Outcome = Result<PromAnswer, PromError>;

/// Value, errors and annotations.
pub(super) fn check(eval: &Eval, outcome: Outcome) -> Result<(), String> {
    if let Ok(answer) = &outcome {
        check_annotations("warning", &eval.warn, eval.no_warn, &answer.warnings)?;
        check_annotations("info", &eval.info, eval.no_info, &answer.infos)?;
    }
    check_value(eval, outcome)
}

/// Value and errors.
pub(super) fn check_value(eval: &Eval, outcome: Outcome) -> Result<(), String> {
    let answer = match (outcome, &eval.fail) {
        (Ok(_), Some(_)) => return Err("expected a failure".to_owned()),
        (Err(error), Some(pattern)) if pattern.matches(&error.message) => return Ok(()),
        (Err(error), Some(pattern)) => {
            return Err(format!("failed with {:?}, expected {pattern:?}", error.message));
        }
        (Err(error), None) => return Err(format!("failed: {}", error.message)),
        (Ok(answer), None) => answer,
    };
    match answer.value {
        PromValue::Scalar(_, value) => match eval.scalar {
            Some(expected) if almost_equal(expected, value) => Ok(()),
            expected => Err(format!("got scalar {value}, expected {expected:?}")),
        },
        PromValue::String(_, text) => match &eval.text {
            Some(expected) if *expected == text => Ok(()),
            expected => Err(format!("got string {text:?}, expected {expected:?}")),
        },
        PromValue::Vector(samples) => check_vector(eval, &samples),
        PromValue::Matrix(series) => check_matrix(eval, &series),
    }
}

fn check_annotations(kind: &str, expected: &[Pattern], none: bool, found: &[String]) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("expected no {kind}, got {found:?}"));
    }
    if expected.is_empty() {
        return Ok(());
    }
    for pattern in expected {
        if !found.iter().any(|text| pattern.matches(text)) {
            return Err(format!("expected {kind} {pattern:?}, got {found:?}"));
        }
    }
    match found.iter().find(|text| !expected.iter().any(|pattern| pattern.matches(text))) {
        Some(text) => Err(format!("unexpected {kind} {text:?}")),
        None => Ok(()),
    }
}

fn check_vector(eval: &Eval, samples: &[Sample]) -> Result<(), String> {
    if eval.scalar.is_some() {
        return Err(format!("expected a scalar, got {} samples", samples.len()));
    }
    for (at, sample) in samples.iter().enumerate() {
        let place = eval.series.iter().rposition(|(labels, _)| *labels == sample.labels);
        let Some(place) = place else { return Err(format!("unexpected {}", describe(sample))) };
        if eval.ordered && place != at {
            return Err(format!("{} is at {at}, expected at {place}", describe(sample)));
        }
        let item = eval.series.get(place).and_then(|(_, items)| items.first());
        let matches = match (item, &sample.value) {
            (Some(Item::Float(expected)), SampleValue::Float(value)) => almost_equal(*expected, *value),
            (Some(Item::Histogram(expected, hinted)), SampleValue::Histogram(h)) => {
                same_histogram(expected, h, *hinted)
            }
            _ => false,
        };
        if !matches {
            return Err(format!("got {}, expected {item:?}", describe(sample)));
        }
    }
    let found = |labels: &Labels| samples.iter().any(|sample| sample.labels == *labels);
    match eval.series.iter().find(|(labels, _)| !found(labels)) {
        Some((labels, _)) => Err(format!("expected {labels}, not found")),
        None => Ok(()),
    }
}

fn describe(sample: &Sample) -> String {
    format!("{} {:?}", sample.labels, sample.value)
}

fn check_matrix(eval: &Eval, series: &[Series]) -> Result<(), String> {
    let (start, end, step) = match (eval.range_vector, eval.when) {
        (Some(times), _) => times,
        (None, When::Range(start, end, step)) => (start, end, step),
        (None, When::Instant(at)) => (at, at, 1),
    };
    for one in series {
        let expected = eval.series.iter().rfind(|(labels, _)| *labels == one.labels);
        let Some((_, items)) = expected else { return Err(format!("unexpected {one:?}")) };
        let (mut floats, mut histograms) = (one.floats.iter(), one.histograms.iter());
        let mut ts = start;
        for item in items {
            if ts > end {
                return Err(format!("more points expected of {} than steps", one.labels));
            }
            let matches = match item {
                Item::None => true,
                Item::Stale => false,
                Item::Float(expected) => {
                    floats.next().is_some_and(|(at, value)| *at == ts && almost_equal(*expected, *value))
                }
                Item::Histogram(expected, hinted) => {
                    histograms.next().is_some_and(|(at, h)| *at == ts && same_histogram(expected, h, *hinted))
                }
            };
            if !matches {
                return Err(format!("got {one:?}, expected {item:?} at {ts}"));
            }
            ts += step;
        }
        if floats.next().is_some() || histograms.next().is_some() {
            return Err(format!("more points than expected: {one:?}"));
        }
    }
    let found = |labels: &Labels| series.iter().any(|one| one.labels == *labels);
    match eval.series.iter().find(|(labels, items)| !found(labels) && items.iter().any(|i| *i != Item::None))
    {
        Some((labels, _)) => Err(format!("expected {labels}, not found")),
        None => Ok(()),
    }
}

fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    if a.total_cmp(&b).is_eq() || a - b == 0.0 {
        return true;
    }
    let (size, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || size < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / size.min(f64::MAX) < EPSILON
}

fn same_histogram(expected: &FloatHistogram, found: &FloatHistogram, hinted: bool) -> bool {
    let (a, b) = (compact_histogram(expected.clone()), compact_histogram(found.clone()));
    let numbers =
        |x: &[f64], y: &[f64]| x.len() == y.len() && x.iter().zip(y).all(|(x, y)| almost_equal(*x, *y));
    a.schema == b.schema
        && numbers(&[a.count, a.sum, a.zero_count], &[b.count, b.sum, b.zero_count])
        && a.zero_threshold.total_cmp(&b.zero_threshold).is_eq()
        && a.custom_values == b.custom_values
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && numbers(&a.positive_buckets, &b.positive_buckets)
        && numbers(&a.negative_buckets, &b.negative_buckets)
        && (!hinted || a.reset_hint == b.reset_hint)
}
