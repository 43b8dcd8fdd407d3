//! Arithmetic on native histograms: adding, comparing, trimming, and estimating quantiles and fractions.
//!
//! Nothing here knows of queries; what went wrong is returned, what it means for the query is the caller's business.
//! Source: Prometheus' native histogram specification, <https://prometheus.io/docs/specs/native_histograms>.

mod bounds;
pub(crate) mod buckets;
mod estimate;
mod format;
mod reset;
mod trim;
mod work;

pub(crate) use estimate::{NanEffect, fraction, quantile, variance};
pub(crate) use format::{describe, format_g, format_g_precision};
pub(crate) use reset::{detect_reset, hint};
pub(crate) use trim::trim;
pub(crate) use work::{HistogramMean, Incompatible, Outcome, Work};

use model::FloatHistogram;
use model::histogram::ResetHint;

/// The sum (or difference) of two native histograms; `None` when one has exponential and the other custom buckets.
#[must_use]
pub fn add_histograms(a: &FloatHistogram, b: &FloatHistogram, subtract: bool) -> Option<FloatHistogram> {
    let mut work = Work::from(a);
    let outcome = if subtract { work.subtract(b) } else { work.add(b) };
    outcome.ok().map(|_| work.finish())
}

/// A bucket as the HTTP API shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShownBucket {
    /// 0: open on the left, 1: open on the right, 2: open, 3: closed.
    pub boundaries: u8,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Observations.
    pub count: f64,
}

/// The filled buckets of a native histogram in ascending order.
#[must_use]
pub fn shown_buckets(h: &FloatHistogram) -> Vec<ShownBucket> {
    let filled = buckets::all_buckets(h).into_iter().filter(|bucket| bucket.count != 0.0);
    let show = |bucket: buckets::Bucket| {
        let boundaries = match bucket.inclusive(h) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        ShownBucket { boundaries, lower: bucket.lower, upper: bucket.upper, count: bucket.count }
    };
    filled.map(show).collect()
}

/// `h * factor`.
pub(crate) fn scaled(h: &FloatHistogram, factor: f64) -> FloatHistogram {
    let mut out = h.clone();
    map_counts(&mut out, |count| count * factor);
    if factor < 0.0 {
        out.reset_hint = ResetHint::Gauge;
    }
    out
}

/// `h / divisor`; a division by zero leaves no buckets.
pub(crate) fn divided(h: &FloatHistogram, divisor: f64) -> FloatHistogram {
    let mut out = h.clone();
    if divisor == 0.0 {
        out.positive_buckets.clear();
        out.negative_buckets.clear();
        out.positive_spans.clear();
        out.negative_spans.clear();
    }
    map_counts(&mut out, |count| count / divisor);
    if divisor < 0.0 {
        out.reset_hint = ResetHint::Gauge;
    }
    out
}

fn map_counts(h: &mut FloatHistogram, apply: impl Fn(f64) -> f64) {
    let buckets = h.positive_buckets.iter_mut().chain(&mut h.negative_buckets);
    for count in buckets.chain([&mut h.zero_count, &mut h.count, &mut h.sum]) {
        *count = apply(*count);
    }
}

/// The histogram without empty buckets, so that equal histograms look equal.
#[must_use]
pub fn compacted(mut h: FloatHistogram) -> FloatHistogram {
    let positive =
        buckets::indexed(&h.positive_spans, &h.positive_buckets).filter(|(_, count)| *count != 0.0);
    let (positive_spans, positive_buckets) = buckets::pack(positive);
    let negative =
        buckets::indexed(&h.negative_spans, &h.negative_buckets).filter(|(_, count)| *count != 0.0);
    let (negative_spans, negative_buckets) = buckets::pack(negative);
    (h.positive_spans, h.positive_buckets) = (positive_spans, positive_buckets);
    (h.negative_spans, h.negative_buckets) = (negative_spans, negative_buckets);
    h
}

/// Whether both hold the same observations; the reset hint does not matter, bits of the numbers do.
pub(crate) fn equal(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let bits =
        |x: &[f64], y: &[f64]| x.len() == y.len() && x.iter().zip(y).all(|(x, y)| x.to_bits() == y.to_bits());
    let side = |h: &FloatHistogram| {
        let positive: Vec<i32> =
            buckets::indexed(&h.positive_spans, &h.positive_buckets).map(|(at, _)| at).collect();
        let negative: Vec<i32> =
            buckets::indexed(&h.negative_spans, &h.negative_buckets).map(|(at, _)| at).collect();
        (positive, negative)
    };
    a.schema == b.schema
        && bits(&[a.count, a.sum, a.zero_count], &[b.count, b.sum, b.zero_count])
        && a.zero_threshold.total_cmp(&b.zero_threshold).is_eq()
        && a.custom_values == b.custom_values
        && bits(&a.positive_buckets, &b.positive_buckets)
        && bits(&a.negative_buckets, &b.negative_buckets)
        && side(a) == side(b)
}

/// How many float samples a histogram counts for in a query's sample limit.
pub(crate) fn weight(h: &FloatHistogram) -> u64 {
    let spans = (h.positive_spans.len() + h.negative_spans.len()) * 8;
    let floats = (h.positive_buckets.len() + h.negative_buckets.len() + h.custom_values.len()) * 8;
    (168 + 8 + spans + floats) as u64 / 16
}
