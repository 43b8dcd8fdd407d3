//! Buckets by index: from spans and back, their bounds, and walks over all of them in order of value.

use super::bounds::between_powers;
use model::FloatHistogram;
use model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA};

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

impl Bucket {
    /// Whether its lower and its upper bound belong to it.
    pub(crate) fn inclusive(&self, h: &FloatHistogram) -> (bool, bool) {
        if h.uses_custom_buckets() {
            return (self.lower == f64::NEG_INFINITY, true);
        }
        let zero = self.lower <= 0.0 && self.upper >= 0.0;
        (zero || self.lower < 0.0, zero || self.upper > 0.0)
    }

    /// The share of the bucket's width below `value`, which lies inside its finite bounds: linear, or on a
    /// logarithmic scale, where exponential bounds are equally far apart.
    pub(crate) fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let (lower, upper) = (self.lower.abs().log2(), self.upper.abs().log2());
        let at = value.abs().log2();
        if value > 0.0 { (at - lower) / (upper - lower) } else { 1.0 - (at - upper) / (lower - upper) }
    }
}

/// (index, count) of each bucket that the spans name and that has a count.
pub(crate) fn indexed<'a>(
    spans: &'a [BucketSpan],
    counts: &'a [f64],
) -> impl DoubleEndedIterator<Item = (i32, f64)> + use<'a> {
    let mut next = 0_i64;
    let mut starts = Vec::with_capacity(spans.len());
    for span in spans {
        next += i64::from(span.offset);
        starts.push((next, span.length));
        next += i64::from(span.length);
    }
    let room = counts.len();
    let indices: Vec<i32> = starts
        .into_iter()
        .flat_map(|(start, length)| (start..start + i64::from(length)).take(room))
        .take(room)
        .map(|index| i32::try_from(index).unwrap_or(i32::MAX))
        .collect();
    let counts = &counts[..indices.len()];
    indices.into_iter().zip(counts.iter().copied())
}

/// Spans and counts of buckets in ascending order.
pub(crate) fn pack(buckets: impl Iterator<Item = (i32, f64)>) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut counts = Vec::new();
    let mut next = 0;
    for (index, count) in buckets {
        match spans.last_mut() {
            Some(last) if index == next => last.length += 1,
            _ => spans.push(BucketSpan { offset: index.saturating_sub(next), length: 1 }),
        }
        next = index.saturating_add(1);
        counts.push(count);
    }
    (spans, counts)
}

/// The bucket of a coarser schema that holds bucket `index` of schema `from`.
pub(crate) fn coarser_index(index: i32, from: i32, to: i32) -> i32 {
    (index.saturating_sub(1) >> (from - to).clamp(0, 31)) + 1
}

/// Upper bound of bucket `index`.
pub(crate) fn upper_bound(index: i32, schema: i32, custom: &[f64]) -> f64 {
    if schema == CUSTOM_BUCKETS_SCHEMA {
        return match usize::try_from(index) {
            Err(_) => f64::NEG_INFINITY,
            Ok(at) => custom.get(at).copied().unwrap_or(f64::INFINITY),
        };
    }
    let bound = if schema <= 0 {
        power_of_two(i64::from(index) << schema.unsigned_abs().min(31))
    } else {
        let steps = 1_i64 << schema.min(31);
        let (whole, part) = (i64::from(index).div_euclid(steps), i64::from(index).rem_euclid(steps));
        between_powers(part, schema) * power_of_two(whole)
    };
    // The bucket that ends at 2^1024 ends at the largest float, so that infinities have a bucket of their own.
    let last = if schema <= 0 {
        i64::from(index) << schema.unsigned_abs().min(31) == 1024
    } else {
        i64::from(index) == 1024 << schema.min(31)
    };
    if last { f64::MAX } else { bound }
}

fn power_of_two(exponent: i64) -> f64 {
    let exponent = i32::try_from(exponent.clamp(-2000, 2000)).unwrap_or_default();
    2.0_f64.powi(exponent)
}

/// The bucket of a side, with its sign.
pub(crate) fn bounds(h: &FloatHistogram, positive: bool, index: i32, count: f64) -> Bucket {
    let upper = upper_bound(index, h.schema, &h.custom_values);
    let lower = upper_bound(index.saturating_sub(1), h.schema, &h.custom_values);
    if positive { Bucket { lower, upper, count } } else { Bucket { lower: -upper, upper: -lower, count } }
}

/// All buckets in ascending order of value, the zero bucket among them; buckets that overlap it are cut.
pub(crate) fn all_buckets(h: &FloatHistogram) -> Vec<Bucket> {
    let threshold = h.zero_threshold;
    let mut out = Vec::with_capacity(h.positive_buckets.len() + h.negative_buckets.len() + 1);
    for (index, count) in indexed(&h.negative_spans, &h.negative_buckets).rev() {
        let mut bucket = bounds(h, false, index, count);
        if bucket.upper < 0.0 && bucket.upper > -threshold {
            bucket.upper = -threshold;
        }
        out.push(bucket);
    }
    if h.zero_count > 0.0 {
        out.push(Bucket { lower: -threshold, upper: threshold, count: h.zero_count });
    }
    for (index, count) in indexed(&h.positive_spans, &h.positive_buckets) {
        let mut bucket = bounds(h, true, index, count);
        if bucket.lower > 0.0 && bucket.lower < threshold {
            bucket.lower = threshold;
        }
        out.push(bucket);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_the_schema() {
        for (index, schema, expected) in [
            (0, 0, 1.0),
            (3, 0, 8.0),
            (1, -1, 4.0),
            (2, 1, 2.0),
            (1024, 0, f64::MAX),
            (1025, 0, f64::INFINITY),
        ] {
            let bound = upper_bound(index, schema, &[]);
            assert_eq!(bound.to_bits(), expected.to_bits(), "{index} of schema {schema}");
        }
        assert!(upper_bound(1, CUSTOM_BUCKETS_SCHEMA, &[1.0]).is_infinite());
    }

    #[test]
    fn spans_round_trip() {
        let spans = [BucketSpan { offset: -2, length: 2 }, BucketSpan { offset: 3, length: 1 }];
        let buckets: Vec<_> = indexed(&spans, &[1.0, 2.0, 3.0]).collect();
        assert_eq!(buckets, [(-2, 1.0), (-1, 2.0), (3, 3.0)]);
        assert_eq!(pack(buckets.into_iter()), (spans.to_vec(), vec![1.0, 2.0, 3.0]));
    }

    #[test]
    fn coarser_buckets_hold_finer_ones() {
        assert_eq!([-3, -1, 0, 1, 2, 3].map(|at| coarser_index(at, 1, 0)), [-1, 0, 0, 1, 1, 2]);
    }
}
