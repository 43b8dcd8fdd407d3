//! `</` and `>/`: what is left of a histogram below or above a value.

use super::buckets::{Bucket, bounds, indexed};
use model::FloatHistogram;

/// Keeps the observations below (`upper`) or above `at`. Buckets that hold `at` are interpolated; the sum is estimated
/// from the buckets' midpoints once anything was cut.
pub(crate) fn trim(h: &FloatHistogram, at: f64, upper: bool) -> FloatHistogram {
    let mut out = h.clone();
    let custom = h.uses_custom_buckets();
    let (mut count, mut sum, mut cut) = (0.0, 0.0, false);
    let mut filled = [false, false];
    for (side, positive) in [(0, true), (1, false)] {
        let (spans, counts, target) = if positive {
            (&h.positive_spans, &h.positive_buckets, &mut out.positive_buckets)
        } else {
            (&h.negative_spans, &h.negative_buckets, &mut out.negative_buckets)
        };
        for ((index, old), slot) in indexed(spans, counts).zip(target) {
            if old == 0.0 {
                continue;
            }
            filled[side] = true;
            let bucket = bounds(h, positive, index, old);
            let (kept, midpoint) = trim_bucket(&bucket, at, upper, positive, custom);
            count += kept;
            sum += midpoint * kept;
            cut |= old.total_cmp(&kept).is_ne();
            *slot = kept;
        }
    }
    if h.zero_count > 0.0 {
        let (kept, midpoint) = trim_zero(h, at, upper, filled);
        cut |= h.zero_count.total_cmp(&kept).is_ne();
        out.zero_count = kept;
        sum += midpoint * kept;
        count += kept;
    }
    if cut {
        (out.count, out.sum) = (count, sum);
        out = super::compacted(out);
    }
    out
}

/// (kept count, midpoint of what is kept).
fn trim_bucket(bucket: &Bucket, at: f64, upper: bool, positive: bool, linear: bool) -> (f64, f64) {
    let (keep_all, touched) =
        if upper { (bucket.upper <= at, bucket.lower < at) } else { (bucket.lower >= at, bucket.upper > at) };
    if keep_all {
        return (bucket.count, midpoint(bucket.lower, bucket.upper, positive, linear));
    }
    if !touched {
        return (0.0, 0.0);
    }
    if bucket.lower == f64::NEG_INFINITY {
        return trim_open_below(bucket, at, upper);
    }
    if bucket.upper == f64::INFINITY {
        return trim_open_above(bucket, at, upper);
    }
    let below = if at <= bucket.lower {
        0.0
    } else if at >= bucket.upper {
        bucket.count
    } else {
        bucket.count * bucket.fraction_below(at, linear)
    };
    if upper {
        (below, midpoint(bucket.lower, at, positive, linear))
    } else {
        (bucket.count - below, midpoint(at, bucket.upper, positive, linear))
    }
}

fn zero_if_infinite(value: f64) -> f64 {
    if value.is_infinite() { 0.0 } else { value }
}

/// A bucket without a lower bound: with a positive upper bound it is taken to start at 0, else nothing is known of it.
fn trim_open_below(bucket: &Bucket, at: f64, upper: bool) -> (f64, f64) {
    let bounded = bucket.upper != f64::INFINITY;
    if upper {
        if at >= bucket.upper {
            return (bucket.count, 0.0);
        }
        if at > 0.0 && bucket.upper > 0.0 && bounded {
            return (bucket.count * at / bucket.upper, at / 2.0);
        }
        if bucket.upper <= 0.0 {
            return (bucket.count, at);
        }
        return (0.0, zero_if_infinite(bucket.upper));
    }
    if at <= bucket.lower {
        return (bucket.count, 0.0);
    }
    if at >= 0.0 && bucket.upper > at && bounded {
        return (bucket.count * (1.0 - at / bucket.upper), f64::midpoint(at, bucket.upper));
    }
    (0.0, zero_if_infinite(bucket.upper))
}

/// A bucket without an upper bound is kept whole or not at all.
fn trim_open_above(bucket: &Bucket, at: f64, upper: bool) -> (f64, f64) {
    if !upper && at >= bucket.lower { (bucket.count, at) } else { (0.0, zero_if_infinite(bucket.lower)) }
}

/// The zero bucket reaches only to the side that has other buckets, if just one has.
fn trim_zero(h: &FloatHistogram, at: f64, keep_below: bool, [positive, negative]: [bool; 2]) -> (f64, f64) {
    let lower = if positive && !negative { 0.0 } else { -h.zero_threshold };
    let upper = if negative && !positive { 0.0 } else { h.zero_threshold };
    let (all, none) = if keep_below { (at >= upper, at <= lower) } else { (at <= lower, at >= upper) };
    if none && (keep_below || !all) {
        return (0.0, 0.0);
    }
    if all {
        return (h.zero_count, f64::midpoint(lower, upper));
    }
    let (part, middle) = if keep_below {
        (at - lower, f64::midpoint(lower, at))
    } else {
        (upper - at, f64::midpoint(at, upper))
    };
    (h.zero_count * (part / (upper - lower)), middle)
}

fn midpoint(lower: f64, upper: f64, positive: bool, linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) => {
            if upper > 0.0 {
                upper / 2.0
            } else {
                upper
            }
        }
        (false, true) => lower,
        (false, false) if linear => f64::midpoint(lower, upper),
        (false, false) => {
            let mean = (lower * upper).abs().sqrt();
            if positive { mean } else { -mean }
        }
    }
}
