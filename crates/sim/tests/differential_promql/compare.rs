//! Prometheus' JSON answer against ours: values, labels, warnings and infos, or the kind of error.

use model::{FloatHistogram, Labels};
use query::promql::{PromAnswer, PromError, PromValue, SampleValue, shown_buckets};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Largest relative difference of two values that count as equal.
const TOLERANCE: f64 = 1e-12;

/// The HTTP API shows this many warnings and infos each.
const ANNOTATIONS_MAX: usize = 10;

/// A value at a time (milliseconds).
#[derive(Clone, Debug)]
enum Point {
    Float(i64, f64),
    Histogram(i64, Vec<f64>),
}

type Matrix = BTreeMap<Labels, Vec<Point>>;

/// `Err` says what differs.
pub(crate) fn answers(theirs: &Value, ours: &Result<PromAnswer, PromError>) -> Result<(), String> {
    let failed = theirs["status"] == "error";
    match ours {
        Err(error) if failed && theirs["errorType"] == error.kind.as_str() => Ok(()),
        Err(error) => Err(format!("ours: {} {error}; theirs: {}", error.kind.as_str(), shorten(theirs))),
        Ok(_) if failed => Err(format!("ours answers; theirs: {} {}", theirs["errorType"], theirs["error"])),
        Ok(answer) => {
            annotations("warnings", &theirs["warnings"], &answer.warnings)?;
            annotations("infos", &theirs["infos"], &answer.infos)?;
            values(&theirs["data"], &answer.value)
        }
    }
}

fn shorten(value: &Value) -> String {
    value.to_string().chars().take(600).collect()
}

fn annotations(kind: &str, theirs: &Value, ours: &[String]) -> Result<(), String> {
    let theirs: BTreeSet<&str> = theirs.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let ours: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
    if theirs == ours || ours.len() > ANNOTATIONS_MAX {
        return Ok(());
    }
    Err(format!("{kind}: ours {ours:?}, theirs {theirs:?}"))
}

fn values(data: &Value, ours: &PromValue) -> Result<(), String> {
    let (kind, ours) = match ours {
        PromValue::Scalar(ts, value) => {
            ("scalar", Matrix::from([(Labels::empty(), vec![Point::Float(*ts, *value)])]))
        }
        PromValue::String(_, text) => {
            let same = data["resultType"] == "string" && data["result"][1] == text.as_str();
            return if same { Ok(()) } else { Err(format!("string {text:?}, theirs {}", shorten(data))) };
        }
        PromValue::Vector(samples) => {
            let point = |sample: &query::promql::Sample| match &sample.value {
                SampleValue::Float(value) => Point::Float(sample.ts_ms, *value),
                SampleValue::Histogram(h) => Point::Histogram(sample.ts_ms, numbers(h)),
            };
            ("vector", samples.iter().map(|sample| (sample.labels.clone(), vec![point(sample)])).collect())
        }
        PromValue::Matrix(series) => {
            let points = |series: &query::promql::Series| {
                let floats = series.floats.iter().map(|(ts, value)| Point::Float(*ts, *value));
                let histograms = series.histograms.iter().map(|(ts, h)| Point::Histogram(*ts, numbers(h)));
                floats.chain(histograms).collect()
            };
            ("matrix", series.iter().map(|one| (one.labels.clone(), points(one))).collect())
        }
    };
    if data["resultType"] != kind {
        return Err(format!("ours is a {kind}, theirs a {}", data["resultType"]));
    }
    same_matrix(&parse(kind, &data["result"]), &ours)
}

fn same_matrix(theirs: &Matrix, ours: &Matrix) -> Result<(), String> {
    let names = |matrix: &Matrix| matrix.keys().map(ToString::to_string).collect::<Vec<_>>();
    if !theirs.keys().eq(ours.keys()) {
        return Err(format!("series: ours {:?}, theirs {:?}", names(ours), names(theirs)));
    }
    for ((labels, theirs), ours) in theirs.iter().zip(ours.values()) {
        if theirs.len() != ours.len() {
            return Err(format!("{labels}: ours has {} points, theirs {}", ours.len(), theirs.len()));
        }
        for (a, b) in theirs.iter().zip(ours) {
            let same = match (a, b) {
                (Point::Float(t, x), Point::Float(u, y)) => t == u && close(*x, *y),
                (Point::Histogram(t, x), Point::Histogram(u, y)) => {
                    t == u && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| close(*x, *y))
                }
                _ => false,
            };
            if !same {
                return Err(format!("{labels}: ours {b:?}, theirs {a:?}"));
            }
        }
    }
    Ok(())
}

fn close(a: f64, b: f64) -> bool {
    let equal = a.is_nan() && b.is_nan() || a.total_cmp(&b).is_eq() || (a - b).abs() <= f64::MIN_POSITIVE;
    equal || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

/// Count, sum, and each filled bucket.
fn numbers(h: &FloatHistogram) -> Vec<f64> {
    let buckets = shown_buckets(h).into_iter();
    let buckets = buckets.flat_map(|b| [f64::from(b.boundaries), b.lower, b.upper, b.count]);
    [h.count, h.sum].into_iter().chain(buckets).collect()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or(f64::NAN),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "times of the test's data")]
fn milliseconds(value: &Value) -> i64 {
    (number(value) * 1000.0).round() as i64
}

fn float_point(pair: &Value) -> Point {
    Point::Float(milliseconds(&pair[0]), number(&pair[1]))
}

fn histogram_point(pair: &Value) -> Point {
    let (ts, h) = (milliseconds(&pair[0]), &pair[1]);
    let buckets = h["buckets"].as_array().into_iter().flatten();
    let buckets = buckets.flat_map(|bucket| bucket.as_array().into_iter().flatten().map(number));
    Point::Histogram(ts, [number(&h["count"]), number(&h["sum"])].into_iter().chain(buckets).collect())
}

fn parse(kind: &str, result: &Value) -> Matrix {
    if kind == "scalar" {
        return Matrix::from([(Labels::empty(), vec![float_point(result)])]);
    }
    let series = |one: &Value| {
        let pairs = one["metric"].as_object().into_iter().flatten();
        let labels =
            Labels::from_pairs(pairs.map(|(name, value)| (name, value.as_str().unwrap_or_default())));
        let list = |key: &str| one[key].as_array().into_iter().flatten();
        let floats = one.get("value").into_iter().chain(list("values")).map(float_point);
        let histograms = one.get("histogram").into_iter().chain(list("histograms")).map(histogram_point);
        (labels, floats.chain(histograms).collect())
    };
    result.as_array().into_iter().flatten().map(series).collect()
}
