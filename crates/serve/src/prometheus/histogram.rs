//! A native histogram as Prometheus' JSON: count, sum, and every bucket that holds something, from low to high.
//!
//! Bounds follow the native histogram specification: bucket `i` of schema `s` ends at `2^(i * 2^-s)`.

use crate::number::push_float;
use model::FloatHistogram;
use model::histogram::BucketSpan;
use std::io::Write;

/// One bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    lower: f64,
    upper: f64,
    lower_inclusive: bool,
    upper_inclusive: bool,
    count: f64,
}

/// Appends `histogram` as JSON.
pub(crate) fn push(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(br#"{"count":""#);
    push_float(out, histogram.count);
    out.extend_from_slice(br#"","sum":""#);
    push_float(out, histogram.sum);
    out.push(b'"');
    let mut is_first = true;
    for bucket in buckets(histogram).into_iter().filter(|bucket| bucket.count != 0.0) {
        out.extend_from_slice(if is_first { br#","buckets":["# } else { b"," });
        is_first = false;
        push_bucket(out, bucket);
    }
    out.extend_from_slice(if is_first { b"}" } else { b"]}" });
}

fn push_bucket(out: &mut Vec<u8>, bucket: Bucket) {
    let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => 0,
        (true, false) => 1,
        (false, false) => 2,
        (true, true) => 3,
    };
    // Writing to a vector cannot fail.
    let _ = write!(out, "[{rule}");
    for value in [bucket.lower, bucket.upper, bucket.count] {
        out.extend_from_slice(b",\"");
        push_float(out, value);
        out.push(b'"');
    }
    out.push(b']');
}

/// Index and count of every bucket of one side, in ascending index.
fn indexed<'a>(spans: &'a [BucketSpan], counts: &'a [f64]) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0_i32;
    let indices = spans.iter().flat_map(move |span| {
        let first = next.saturating_add(span.offset);
        let length = i32::try_from(span.length).unwrap_or(i32::MAX);
        next = first.saturating_add(length);
        first..next
    });
    indices.zip(counts.iter().copied())
}

/// All buckets from the lowest to the highest; those that reach into the zero bucket are cut at its edge.
fn buckets(histogram: &FloatHistogram) -> Vec<Bucket> {
    let mut out: Vec<Bucket> = Vec::new();
    for (index, count) in indexed(&histogram.negative_spans, &histogram.negative_buckets) {
        let (lower, upper) = (-bound(histogram, index), -bound(histogram, index - 1));
        let upper = upper.min(-histogram.zero_threshold);
        out.push(Bucket { lower, upper, lower_inclusive: true, upper_inclusive: false, count });
    }
    out.reverse();
    if histogram.zero_count != 0.0 {
        let edge = histogram.zero_threshold;
        out.push(Bucket {
            lower: -edge,
            upper: edge,
            lower_inclusive: true,
            upper_inclusive: true,
            count: histogram.zero_count,
        });
    }
    for (index, count) in indexed(&histogram.positive_spans, &histogram.positive_buckets) {
        let (lower, upper) = (bound(histogram, index - 1), bound(histogram, index));
        let is_custom = histogram.uses_custom_buckets();
        let lower = if is_custom { lower } else { lower.max(histogram.zero_threshold) };
        out.push(Bucket {
            lower,
            upper,
            lower_inclusive: is_custom && index == 0,
            upper_inclusive: true,
            count,
        });
    }
    out
}

/// Upper bound of bucket `index`.
fn bound(histogram: &FloatHistogram, index: i32) -> f64 {
    if histogram.uses_custom_buckets() {
        return match usize::try_from(index) {
            Ok(at) => histogram.custom_values.get(at).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        };
    }
    exponential_bound(histogram.schema, index)
}

/// `2^(index * 2^-schema)`; the last bucket before overflow ends at the largest float.
fn exponential_bound(schema: i32, index: i32) -> f64 {
    const EXPONENT_MAX: i64 = 1024;
    let index = i64::from(index);
    if schema <= 0 {
        let exponent = index << (-schema).clamp(0, 16);
        return power_of_two(exponent, 1.0);
    }
    let schema = schema.clamp(0, 16);
    let (whole, part) = (index >> schema, index & ((1 << schema) - 1));
    if whole == EXPONENT_MAX && part == 0 {
        return f64::MAX;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 2^16")]
    let fraction = (part as f64 / f64::from(1 << schema)).exp2();
    power_of_two(whole, fraction)
}

/// `fraction * 2^exponent`, the largest float for exactly 2^1024.
fn power_of_two(exponent: i64, fraction: f64) -> f64 {
    const EXPONENT_MAX: i64 = 1024;
    if exponent == EXPONENT_MAX && fraction <= 1.0 {
        return f64::MAX;
    }
    let half = i32::try_from(exponent / 2).unwrap_or(i32::MAX);
    let rest = i32::try_from(exponent - exponent / 2).unwrap_or(i32::MAX);
    fraction * 2_f64.powi(half) * 2_f64.powi(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(histogram: &FloatHistogram, expected: &str) {
        let mut out = Vec::new();
        push(&mut out, histogram);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn buckets_ascend_with_their_boundary_rules() {
        let spans = vec![BucketSpan { offset: 0, length: 2 }, BucketSpan { offset: 1, length: 1 }];
        let histogram = FloatHistogram {
            schema: 0,
            count: 13.0,
            sum: 18.4,
            zero_threshold: 0.001,
            zero_count: 2.0,
            positive_spans: spans.clone(),
            positive_buckets: vec![1.0, 2.0, 0.0],
            negative_spans: spans,
            negative_buckets: vec![1.0, 0.0, 3.0],
            ..FloatHistogram::default()
        };
        check(
            &histogram,
            r#"{"count":"13","sum":"18.4","buckets":[[1,"-8","-4","3"],[1,"-1","-0.5","1"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"1","2","2"]]}"#,
        );
        check(&FloatHistogram::default(), r#"{"count":"0","sum":"0"}"#);
    }

    #[test]
    fn custom_bounds_end_at_infinity() {
        let histogram = FloatHistogram {
            schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
            count: 3.0,
            sum: 1.0,
            positive_spans: vec![BucketSpan { offset: 0, length: 3 }],
            positive_buckets: vec![1.0, 1.0, 1.0],
            custom_values: vec![0.5, 1.0],
            ..FloatHistogram::default()
        };
        check(
            &histogram,
            r#"{"count":"3","sum":"1","buckets":[[3,"-Inf","0.5","1"],[0,"0.5","1","1"],[0,"1","+Inf","1"]]}"#,
        );
    }

    #[test]
    fn bounds_are_exact_powers() {
        let check = |bound: f64, expected: f64| assert_eq!(bound.to_bits(), expected.to_bits(), "{bound}");
        check(exponential_bound(0, 1024), f64::MAX);
        check(exponential_bound(0, 1025), f64::INFINITY);
        check(exponential_bound(3, 8), 2.0);
        check(exponential_bound(-2, 1), 16.0);
        check(exponential_bound(2, 2), std::f64::consts::SQRT_2);
        check(exponential_bound(0, -1074), 5e-324);
    }
}
