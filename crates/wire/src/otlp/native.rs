//! OTLP histograms as Prometheus' native ones: dense buckets become sparse ones, and scales that Prometheus has not are
//! merged down.

use super::points::{Dense, Explicit, Exponential};
use crate::prometheus::validate_native;
use model::FloatHistogram;
use model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS};
use model::metric::stale_nan;

/// What Prometheus takes as the width of the zero bucket, as OTLP's own is not yet used by it.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Up to this many empty buckets are written out rather than starting a new span.
const GAP_MAX: i64 = 2;

/// An exponential histogram.
///
/// # Errors
/// When its scale is below what Prometheus has, or its counts do not add up.
pub(super) fn exponential(point: &Exponential<'_>) -> Result<FloatHistogram, String> {
    let lowest = *EXPONENTIAL_SCHEMAS.start();
    if point.scale < lowest {
        return Err(format!(
            "cannot convert exponential to native histogram. Scale must be >= {lowest}, was {}",
            point.scale
        ));
    }
    let down = scale_down(point.scale);
    let (positive_spans, positive_buckets) = sparse(&point.positive, down, 1);
    let (negative_spans, negative_buckets) = sparse(&point.negative, down, 1);
    finish(
        FloatHistogram {
            schema: point.scale.min(*EXPONENTIAL_SCHEMAS.end()),
            zero_threshold: ZERO_THRESHOLD,
            zero_count: count(point.zero_count),
            count: count(point.count),
            sum: point.sum.unwrap_or_default(),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            ..FloatHistogram::default()
        },
        point.common.stale,
    )
}

fn scale_down(scale: i32) -> u32 {
    u32::try_from(scale - *EXPONENTIAL_SCHEMAS.end()).unwrap_or(0)
}

/// A histogram with explicit bounds, as one with custom bounds.
///
/// # Errors
/// When its counts or bounds are not consistent.
pub(super) fn custom(point: &Explicit<'_>) -> Result<FloatHistogram, String> {
    let dense = Dense { offset: 0, counts: point.counts.clone() };
    let (positive_spans, positive_buckets) = sparse(&dense, 0, 0);
    finish(
        FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: count(point.count),
            sum: point.sum.unwrap_or_default(),
            positive_spans,
            positive_buckets,
            custom_values: point.bounds.clone(),
            ..FloatHistogram::default()
        },
        point.common.stale,
    )
}

fn finish(mut histogram: FloatHistogram, stale: bool) -> Result<FloatHistogram, String> {
    if stale {
        histogram.sum = stale_nan();
    }
    validate_native(&histogram).map_err(|error| error.to_string())?;
    Ok(histogram)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus turns integer counts into floats the same way")]
fn count(count: u64) -> f64 {
    count as f64
}

/// Sparse buckets of dense ones, 2^`down` merged into one. `shift` is 1 where bucket 0 of OTLP is (1, base] and that of
/// Prometheus ends at 1.
fn sparse(dense: &Dense, down: u32, shift: i64) -> (Vec<BucketSpan>, Vec<f64>) {
    let (mut spans, mut counts): (Vec<BucketSpan>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut next = 0;
    for (at, (index, merged)) in merge(dense, down).into_iter().filter(|(_, merged)| *merged > 0).enumerate()
    {
        let index = index + shift;
        let gap = index - next;
        if at == 0 || gap > GAP_MAX {
            spans.push(BucketSpan { offset: i32::try_from(gap).unwrap_or(i32::MAX), length: 0 });
        } else {
            (0..gap).for_each(|_| counts.push(0.0));
        }
        counts.push(count(merged));
        if let Some(span) = spans.last_mut() {
            span.length +=
                1 + if at == 0 || gap > GAP_MAX { 0 } else { u32::try_from(gap).unwrap_or_default() };
        }
        next = index + 1;
    }
    (spans, counts)
}

/// Bucket indices and counts after merging 2^`down` buckets into one, in index order.
fn merge(dense: &Dense, down: u32) -> Vec<(i64, u64)> {
    let down = down.min(62);
    let mut merged: Vec<(i64, u64)> = Vec::new();
    for (index, count) in (i64::from(dense.offset)..).zip(&dense.counts) {
        let index = index >> down;
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum = sum.saturating_add(*count),
            _ => merged.push((index, *count)),
        }
    }
    merged
}

/// Merges 2^`down` buckets into one.
pub(super) fn downscale(dense: &Dense, down: u32) -> Dense {
    let merged = merge(dense, down);
    let offset = merged.first().map_or(0, |(index, _)| i32::try_from(*index).unwrap_or_default());
    Dense { offset, counts: merged.into_iter().map(|(_, count)| count).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset: i32, counts: &[u64], down: u32, spans: &[(i32, u32)], expected: &[f64]) {
        let (got, buckets) = sparse(&Dense { offset, counts: counts.to_vec() }, down, 1);
        let got: Vec<_> = got.iter().map(|span| (span.offset, span.length)).collect();
        assert_eq!((got.as_slice(), buckets.as_slice()), (spans, expected));
    }

    #[test]
    fn dense_buckets_become_sparse() {
        check(0, &[4, 3, 2], 0, &[(1, 3)], &[4.0, 3.0, 2.0]);
        check(0, &[], 0, &[], &[]);
        check(-3, &[1, 0, 0, 2], 0, &[(-2, 4)], &[1.0, 0.0, 0.0, 2.0]);
        check(0, &[1, 0, 0, 0, 2], 0, &[(1, 1), (3, 1)], &[1.0, 2.0]);
        check(0, &[1, 2, 3, 4], 1, &[(1, 2)], &[3.0, 7.0]);
        check(-1, &[1, 2, 3], 1, &[(0, 2)], &[1.0, 5.0]);
        check(i32::MAX, &[1, 1], 0, &[(i32::MAX, 2)], &[1.0, 1.0]);
    }
}
