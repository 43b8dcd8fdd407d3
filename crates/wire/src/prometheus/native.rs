//! Native histograms as Prometheus' protobuf messages carry them: integer ones as deltas, float ones as absolute counts,
//! and the checks that Prometheus makes before it takes one.
//!
//! Source: `prometheus.io/docs/specs/native_histograms`. Span lengths are claims: nothing is sized by them.

use crate::WireError;
use crate::proto::{Field, Reader, unzigzag};
use model::FloatHistogram;
use model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS};

/// Reads a `BucketSpan { sint32 offset = 1; uint32 length = 2; }`.
///
/// # Errors
/// When it is not one.
pub(super) fn span(mut reader: Reader<'_>) -> Result<BucketSpan, WireError> {
    let mut span = BucketSpan::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                span.offset =
                    i32::try_from(field.sint()?).map_err(|_| invalid("span offset is out of range"))?;
            }
            2 => {
                span.length =
                    u32::try_from(field.u64()?).map_err(|_| invalid("span length is out of range"))?;
            }
            _ => {}
        }
    }
    Ok(span)
}

/// Counts of one side: deltas of integers, or absolute floats.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl Buckets {
    /// Appends a repeated sint64 field.
    pub(super) fn append_deltas(&mut self, field: &Field<'_>) -> Result<(), WireError> {
        field.append_varints(&mut self.deltas, unzigzag)
    }

    /// Appends a repeated double field.
    pub(super) fn append_counts(&mut self, field: &Field<'_>) -> Result<(), WireError> {
        field.append_fixed64(&mut self.counts, f64::from_bits)
    }

    /// Absolute counts.
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus turns integer counts into floats the same way"
    )]
    pub(super) fn absolute(self, float: bool) -> Vec<f64> {
        if float {
            return self.counts;
        }
        let mut count = 0_i64;
        let sum = |delta| {
            count = count.wrapping_add(delta);
            count as f64
        };
        self.deltas.into_iter().map(sum).collect()
    }
}

fn invalid(message: impl std::fmt::Display) -> WireError {
    WireError::Malformed(format!("native histogram: {message}"))
}

/// [`validate`] for a histogram of integer counts.
///
/// # Errors
/// The first violation.
pub(crate) fn validate_integer(histogram: &FloatHistogram) -> Result<(), WireError> {
    validate(histogram, false)
}

const NEGATIVE_OFFSET: &str = "histogram has a span whose offset is negative";
const SPANS_MISMATCH: &str = "histogram spans specify different number of buckets than provided";

/// Checks what Prometheus checks, in its words. A stale marker passes.
///
/// # Errors
/// The first violation.
pub(super) fn validate(histogram: &FloatHistogram, float: bool) -> Result<(), WireError> {
    if histogram.is_stale() {
        return Ok(());
    }
    if histogram.schema == CUSTOM_BUCKETS_SCHEMA {
        validate_custom(histogram)?;
    } else if EXPONENTIAL_SCHEMAS.contains(&histogram.schema) {
        validate_spans("positive", &histogram.positive_spans, histogram.positive_buckets.len())?;
        validate_spans("negative", &histogram.negative_spans, histogram.negative_buckets.len())?;
        validate_counts("negative", &histogram.negative_buckets)?;
        if histogram.zero_count < 0.0 {
            return Err(invalid(format_args!(
                "zero bucket has observation count of {}: histogram has a bucket whose observation count is negative",
                histogram.zero_count
            )));
        }
        if !histogram.custom_values.is_empty() {
            return Err(invalid("histogram with exponential schema must not have custom bounds"));
        }
    } else {
        return Err(invalid(format_args!(
            "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {}",
            histogram.schema
        )));
    }
    if histogram.count < 0.0 {
        return Err(invalid("histogram's observation count is negative"));
    }
    validate_counts("positive", &histogram.positive_buckets)?;
    if float { Ok(()) } else { validate_total(histogram) }
}

fn validate_spans(side: &str, spans: &[BucketSpan], buckets: usize) -> Result<(), WireError> {
    if let Some((at, span)) = spans.iter().enumerate().skip(1).find(|(_, span)| span.offset < 0) {
        return Err(invalid(format_args!(
            "{side} side: span number {} with offset {}: {NEGATIVE_OFFSET}",
            at + 1,
            span.offset
        )));
    }
    let needed: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if needed != buckets as u64 {
        return Err(invalid(format_args!(
            "{side} side: spans need {needed} buckets, have {buckets} buckets: {SPANS_MISMATCH}"
        )));
    }
    Ok(())
}

fn validate_counts(side: &str, counts: &[f64]) -> Result<(), WireError> {
    match counts.iter().position(|count| *count < 0.0) {
        Some(at) => Err(invalid(format_args!(
            "{side} side: bucket number {} has observation count of {}: histogram has a bucket whose observation count is negative",
            at + 1,
            counts[at]
        ))),
        None => Ok(()),
    }
}

fn validate_total(histogram: &FloatHistogram) -> Result<(), WireError> {
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets).sum::<f64>()
        + histogram.zero_count;
    let count = histogram.count;
    if histogram.sum.is_nan() {
        if buckets > count {
            return Err(invalid(format_args!(
                "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should be at least the number of observations found in the buckets"
            )));
        }
    } else if buckets.to_bits() != count.to_bits() && (buckets - count).abs() > f64::EPSILON * count.abs() {
        return Err(invalid(format_args!(
            "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"
        )));
    }
    Ok(())
}

fn validate_custom(histogram: &FloatHistogram) -> Result<(), WireError> {
    let bounds = &histogram.custom_values;
    if bounds.iter().any(|bound| bound.is_nan()) {
        return Err(invalid("custom buckets: histogram custom bounds must not be NaN"));
    }
    if let Some([before, bound, ..]) = bounds.windows(2).find(|pair| pair[1] <= pair[0]) {
        return Err(invalid(format_args!(
            "custom buckets: previous bound is {before:.6} and current is {bound:.6}: histogram custom bounds must be in strictly increasing order"
        )));
    }
    if bounds.last() == Some(&f64::INFINITY) {
        return Err(invalid(
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite",
        ));
    }
    if histogram.positive_spans.first().is_some_and(|span| span.offset < 0) {
        return Err(invalid(format_args!(
            "custom buckets: span number 1 with offset {}: {NEGATIVE_OFFSET}",
            histogram.positive_spans[0].offset
        )));
    }
    validate_spans("custom buckets: positive", &histogram.positive_spans, histogram.positive_buckets.len())?;
    let covered: i64 =
        histogram.positive_spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    if i64::try_from(bounds.len()).unwrap_or(i64::MAX).saturating_add(1) < covered {
        return Err(invalid(format_args!(
            "custom buckets: only {} custom bounds defined which is insufficient to cover total span length of {covered}: histogram custom bounds are too few",
            bounds.len()
        )));
    }
    if histogram.zero_count != 0.0 {
        return Err(invalid("custom buckets: must have zero count of 0"));
    }
    if histogram.zero_threshold != 0.0 {
        return Err(invalid("custom buckets: must have zero threshold of 0"));
    }
    if !histogram.negative_spans.is_empty() || !histogram.negative_buckets.is_empty() {
        return Err(invalid("custom buckets: must not have negative buckets"));
    }
    Ok(())
}
