//! Estimates from native histograms: quantiles, fractions, variance.

use super::super::kahan::Kahan;
use super::buckets::{Bucket, all_buckets};
use model::FloatHistogram;

/// An estimate, and what observations that are no number do to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) note: Option<NanEffect>,
}

/// Observations of NaN: counted, but in no bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NanEffect {
    /// The quantile lies among them.
    Result,
    /// The quantile is too high because of them.
    Skew,
    /// They are in no fraction.
    Excluded,
}

impl From<f64> for Estimate {
    fn from(value: f64) -> Self {
        Self { value, note: None }
    }
}

/// The `q`-quantile.
pub(crate) fn quantile(q: f64, h: &FloatHistogram) -> Estimate {
    if q < 0.0 {
        return f64::NEG_INFINITY.into();
    }
    if q > 1.0 {
        return f64::INFINITY.into();
    }
    if h.count == 0.0 || q.is_nan() {
        return f64::NAN.into();
    }
    let forward = h.sum.is_nan() || q < 0.5;
    let mut buckets = all_buckets(h);
    if !forward {
        buckets.reverse();
    }
    let mut rank = if forward { q * h.count } else { (1.0 - q) * h.count };
    let (mut count, mut bucket, mut rest) = (0.0, Bucket::default(), buckets.iter());
    for next in rest.by_ref() {
        bucket = *next;
        count += next.count;
        if next.count != 0.0 && count >= rank {
            break;
        }
    }
    if let Some(edge) = adjust_edge(h, &mut bucket) {
        return edge.into();
    }
    count = count.min(h.count);
    if count < rank {
        return if h.sum.is_nan() {
            Estimate { value: f64::NAN, note: Some(NanEffect::Result) }
        } else {
            bucket.upper.into()
        };
    }
    rank = if forward { rank - (count - bucket.count) } else { count - rank };
    let skewed = h.sum.is_nan() && count + rest.map(|b| b.count).sum::<f64>() < h.count;
    let value = interpolate(h, &bucket, rank / bucket.count);
    Estimate { value, note: skewed.then_some(NanEffect::Skew) }
}

/// The zero bucket reaches only where observations are; an open custom bucket ends the estimate.
fn adjust_edge(h: &FloatHistogram, bucket: &mut Bucket) -> Option<f64> {
    if h.uses_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return Some(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return Some(bucket.lower);
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        limit_zero(h, bucket);
    }
    None
}

fn limit_zero(h: &FloatHistogram, bucket: &mut Bucket) {
    match (h.negative_buckets.is_empty(), h.positive_buckets.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

fn interpolate(h: &FloatHistogram, bucket: &Bucket, fraction: f64) -> f64 {
    if h.uses_custom_buckets() || bucket.lower <= 0.0 && bucket.upper >= 0.0 {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        (lower + (upper - lower) * fraction).exp2()
    } else {
        -(upper + (lower - upper) * (1.0 - fraction)).exp2()
    }
}

/// The share of observations between `lower` and `upper`.
pub(crate) fn fraction(lower: f64, upper: f64, h: &FloatHistogram) -> Estimate {
    if h.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN.into();
    }
    if lower >= upper {
        return 0.0.into();
    }
    let buckets = all_buckets(h);
    let rank_of = |value: f64| {
        let mut rank = 0.0;
        for bucket in &buckets {
            let mut bucket = *bucket;
            let zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if zero {
                limit_zero(h, &mut bucket);
            }
            if bucket.lower >= value {
                return Some(rank);
            }
            if bucket.upper > value {
                if (h.uses_custom_buckets() || zero) && bucket.lower == f64::NEG_INFINITY {
                    return Some(bucket.count);
                }
                let linear = h.uses_custom_buckets() || zero;
                return Some(rank + bucket.count * bucket.fraction_below(value, linear));
            }
            rank += bucket.count;
        }
        None
    };
    let mut note = None;
    let mut count = h.count;
    if h.sum.is_nan() {
        count = buckets.iter().map(|bucket| bucket.count).sum();
        note = (count < h.count).then_some(NanEffect::Excluded);
    }
    let rank = |value: f64| rank_of(value).filter(|rank| *rank <= count).unwrap_or(count);
    Estimate { value: (rank(upper) - rank(lower)) / h.count, note }
}

/// The population variance, each bucket's observations taken to be at its middle.
pub(crate) fn variance(h: &FloatHistogram) -> f64 {
    let mean = h.sum / h.count;
    let mut sum = Kahan::default();
    for bucket in all_buckets(h).iter().filter(|bucket| bucket.count != 0.0) {
        let value = if h.uses_custom_buckets() {
            f64::midpoint(bucket.upper, bucket.lower)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.upper * bucket.lower).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        };
        let delta = value - mean;
        sum.add(bucket.count * delta * delta);
    }
    sum.total() / h.count
}
