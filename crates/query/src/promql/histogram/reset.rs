//! Whether a counter started anew between two histograms.

use super::buckets::{bounds, coarser_index, indexed, upper_bound};
use model::FloatHistogram;
use model::histogram::{BucketSpan, ResetHint};
use std::sync::Arc;

/// Whether `current` cannot have grown out of `previous`.
pub(crate) fn detect_reset(current: &FloatHistogram, previous: &FloatHistogram) -> bool {
    match current.reset_hint {
        ResetHint::Yes => true,
        ResetHint::No => false,
        ResetHint::Unknown | ResetHint::Gauge => counts_decreased(current, previous),
    }
}

/// Whether the counts alone tell of a reset.
fn counts_decreased(current: &FloatHistogram, previous: &FloatHistogram) -> bool {
    if current.count < previous.count {
        return true;
    }
    if current.uses_custom_buckets() {
        return !previous.uses_custom_buckets() || custom_bucket_decreased(current, previous);
    }
    if current.schema > previous.schema || current.zero_threshold < previous.zero_threshold {
        return true;
    }
    zero_bucket_decreased(current, previous)
        || side_decreased(current, previous, true)
        || side_decreased(current, previous, false)
}

/// Says of each histogram of a series whether it is known to continue the one before it (of the first: `before`), as
/// Prometheus' storage does when samples are appended. What a sender claimed of resets is not kept; gauges and staleness
/// markers stay as they are.
pub(crate) fn hint(before: Option<&FloatHistogram>, series: &mut [(i64, Arc<FloatHistogram>)]) {
    for at in (0..series.len()).rev() {
        let (earlier, from) = series.split_at_mut(at);
        let Some((_, current)) = from.first_mut() else { continue };
        if current.reset_hint == ResetHint::Gauge || current.is_stale() {
            continue;
        }
        let before = earlier.last().map(|(_, h)| &**h).or(before);
        let continued = before.is_some_and(|before| continues(current, before));
        let hint = if continued { ResetHint::No } else { ResetHint::Unknown };
        if current.reset_hint != hint {
            Arc::make_mut(current).reset_hint = hint;
        }
    }
}

/// Whether `current` has the layout of `before` and may have grown out of it.
fn continues(current: &FloatHistogram, before: &FloatHistogram) -> bool {
    before.reset_hint != ResetHint::Gauge
        && !before.is_stale()
        && before.schema == current.schema
        && before.zero_threshold.total_cmp(&current.zero_threshold).is_eq()
        && before.custom_values == current.custom_values
        && current.reset_hint != ResetHint::Yes
        && !counts_decreased(current, before)
}

type Buckets<'a> = (&'a [BucketSpan], &'a [f64]);

fn side(h: &FloatHistogram, positive: bool) -> Buckets<'_> {
    if positive { (&h.positive_spans, &h.positive_buckets) } else { (&h.negative_spans, &h.negative_buckets) }
}

/// Compares zero buckets after widening the previous one; a filled bucket across the new edge is a reset.
fn zero_bucket_decreased(current: &FloatHistogram, previous: &FloatHistogram) -> bool {
    let threshold = current.zero_threshold;
    if threshold <= previous.zero_threshold {
        return current.zero_count < previous.zero_count;
    }
    let mut zero = previous.zero_count;
    for positive in [true, false] {
        let (spans, counts) = side(previous, positive);
        for (index, count) in indexed(spans, counts) {
            let bucket = bounds(previous, true, index, count);
            if bucket.lower >= threshold {
                break;
            }
            if bucket.upper > threshold && count != 0.0 {
                return true;
            }
            zero += count;
        }
    }
    current.zero_count < zero
}

/// Buckets of `h` in the coarser `schema` that reach beyond `threshold`.
fn outside_zero(h: &FloatHistogram, positive: bool, threshold: f64, schema: i32) -> Vec<(i32, f64)> {
    let (spans, counts) = side(h, positive);
    let mut out: Vec<(i32, f64)> = Vec::with_capacity(counts.len());
    for (index, count) in indexed(spans, counts) {
        let index = coarser_index(index, h.schema, schema);
        match out.last_mut() {
            Some((last, sum)) if *last == index => *sum += count,
            _ => out.push((index, count)),
        }
    }
    if threshold > 0.0 {
        out.retain(|(index, _)| upper_bound(*index, schema, &[]) > threshold);
    }
    out
}

fn side_decreased(current: &FloatHistogram, previous: &FloatHistogram, positive: bool) -> bool {
    let (threshold, schema) = (current.zero_threshold, current.schema);
    let now = outside_zero(current, positive, threshold, schema);
    let mut now = now.into_iter().peekable();
    outside_zero(previous, positive, threshold, schema).into_iter().any(|(index, before)| {
        while now.next_if(|(at, _)| *at < index).is_some() {}
        match now.peek() {
            Some((at, count)) if *at == index => *count < before,
            _ => before != 0.0,
        }
    })
}

/// Compares custom buckets, rolled up to the bounds both have.
fn custom_bucket_decreased(current: &FloatHistogram, previous: &FloatHistogram) -> bool {
    let common: Vec<f64> = current
        .custom_values
        .iter()
        .copied()
        .filter(|bound| previous.custom_values.iter().any(|other| other.total_cmp(bound).is_eq()))
        .collect();
    let rolled = |h: &FloatHistogram| {
        let mut sums = vec![0.0; common.len() + 1];
        for (index, count) in indexed(&h.positive_spans, &h.positive_buckets) {
            let bound = upper_bound(index, h.schema, &h.custom_values);
            let at = common.partition_point(|common| *common < bound);
            if let Some(sum) = sums.get_mut(at) {
                *sum += count;
            }
        }
        sums
    };
    rolled(current).into_iter().zip(rolled(previous)).any(|(now, before)| now < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(counts: &[f64], reset_hint: ResetHint) -> FloatHistogram {
        FloatHistogram {
            reset_hint,
            count: counts.iter().sum(),
            positive_spans: vec![BucketSpan { offset: 0, length: u32::try_from(counts.len()).unwrap() }],
            positive_buckets: counts.to_vec(),
            ..Default::default()
        }
    }

    fn check(current: &[f64], previous: &[f64], hint: ResetHint, expected: bool) {
        let reset = detect_reset(&histogram(current, hint), &histogram(previous, ResetHint::Unknown));
        assert_eq!(reset, expected, "{previous:?} -> {current:?}");
    }

    #[test]
    fn a_smaller_bucket_is_a_reset_unless_the_hint_says_otherwise() {
        check(&[2.0, 2.0], &[1.0, 2.0], ResetHint::Unknown, false);
        check(&[5.0, 1.0], &[1.0, 2.0], ResetHint::Unknown, true);
        check(&[5.0], &[1.0, 2.0], ResetHint::Unknown, true);
        check(&[5.0], &[1.0, 0.0], ResetHint::Unknown, false);
        check(&[0.0], &[1.0], ResetHint::No, false);
        check(&[2.0], &[1.0], ResetHint::Yes, true);
    }

    #[test]
    fn a_series_says_which_histograms_continue_it() {
        use ResetHint::{Gauge, No, Unknown, Yes};
        let given =
            [(1.0, No), (2.0, Unknown), (3.0, Yes), (4.0, Unknown), (1.0, No), (2.0, Gauge), (3.0, No)];
        let mut series: Vec<_> = given
            .iter()
            .zip(0..)
            .map(|((count, hint), ts)| (ts, Arc::new(histogram(&[*count], *hint))))
            .collect();
        hint(None, &mut series);
        let hints: Vec<ResetHint> = series.iter().map(|(_, h)| h.reset_hint).collect();
        assert_eq!(hints, [Unknown, No, Unknown, No, Unknown, Gauge, Unknown]);
        hint(Some(&histogram(&[1.0], Unknown)), &mut series);
        assert_eq!(series[0].1.reset_hint, No);
    }
}
