//! Aggregations over time: the samples of one window to one number.

use language::logql::RangeOp;

/// A window: its samples in time order, its bounds, nanoseconds.
pub(super) struct Window<'a> {
    pub(super) ts_ns: &'a [i64],
    pub(super) values: &'a [f64],
    /// Exclusive.
    pub(super) start_ns: i64,
    /// Inclusive.
    pub(super) end_ns: i64,
}

/// The aggregation of a window that is not empty.
pub(super) fn aggregate(op: RangeOp, quantile: f64, window: &Window<'_>) -> f64 {
    let values = window.values;
    let seconds = seconds(window.end_ns - window.start_ns);
    match op {
        RangeOp::Rate | RangeOp::BytesRate => values.iter().sum::<f64>() / seconds,
        RangeOp::CountOverTime => count(values.len()),
        RangeOp::BytesOverTime | RangeOp::SumOverTime => values.iter().sum(),
        RangeOp::AvgOverTime => mean(values),
        RangeOp::MinOverTime => extreme(values, |a, b| a < b),
        RangeOp::MaxOverTime => extreme(values, |a, b| a > b),
        RangeOp::StdvarOverTime => variance(values),
        RangeOp::StddevOverTime => variance(values).sqrt(),
        RangeOp::QuantileOverTime => quantile_of(quantile, values),
        RangeOp::FirstOverTime => values.first().copied().unwrap_or(f64::NAN),
        RangeOp::LastOverTime => values.last().copied().unwrap_or(f64::NAN),
        RangeOp::RateCounter => rate_counter(window),
        RangeOp::AbsentOverTime => 1.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds with a fraction are what is asked for")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// Running mean, which infinities of one sign survive.
#[expect(clippy::float_cmp, reason = "equal infinities")]
pub(super) fn mean(values: &[f64]) -> f64 {
    let mut mean = 0.0_f64;
    for (at, value) in values.iter().enumerate() {
        if mean.is_infinite() && (value.is_finite() || *value == mean) {
            continue;
        }
        let n = count(at + 1);
        mean += value / n - mean / n;
    }
    mean
}

/// The value that wins against all others; NaN only when there is nothing else.
pub(super) fn extreme(values: &[f64], wins: impl Fn(f64, f64) -> bool) -> f64 {
    let mut best = f64::NAN;
    for value in values {
        if wins(*value, best) || best.is_nan() {
            best = *value;
        }
    }
    best
}

/// Population variance, by Welford's recurrence.
pub(super) fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (0.0_f64, 0.0_f64);
    for (at, value) in values.iter().enumerate() {
        let delta = value - mean;
        mean += delta / count(at + 1);
        squares += delta * (value - mean);
    }
    squares / count(values.len())
}

/// The φ-quantile with linear interpolation between ranks, as Prometheus defines it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank lies inside the slice")]
fn quantile_of(q: f64, values: &[f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (count(sorted.len()) - 1.0);
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

/// Increase per second with resets added back, extrapolated to the window's edges as Prometheus' `rate` does.
fn rate_counter(window: &Window<'_>) -> f64 {
    let (Some(first), Some(last)) = (window.values.first(), window.values.last()) else { return 0.0 };
    let (Some(first_ns), Some(last_ns)) = (window.ts_ns.first(), window.ts_ns.last()) else { return 0.0 };
    if window.values.len() < 2 {
        return 0.0;
    }
    let resets: f64 =
        window.values.windows(2).map(|pair| if pair[1] < pair[0] { pair[0] } else { 0.0 }).sum();
    let increase = last - first + resets;
    let sampled = seconds(last_ns - first_ns);
    let average = sampled / (count(window.values.len()) - 1.0);
    let threshold = average * 1.1;
    let mut to_start = seconds(first_ns - window.start_ns);
    let mut to_end = seconds(window.end_ns - last_ns);
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    if increase > 0.0 && *first >= 0.0 {
        to_start = to_start.min(sampled * (first / increase));
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let factor = (sampled + to_start + to_end) / sampled;
    increase * factor / seconds(window.end_ns - window.start_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::float_cmp, reason = "small whole numbers are exact")]
    fn check(op: RangeOp, values: &[f64], expected: f64) {
        let ts_ns: Vec<i64> =
            (1..=values.len()).map(|n| i64::try_from(n).unwrap_or(0) * 10_000_000_000).collect();
        let window = Window { ts_ns: &ts_ns, values, start_ns: 0, end_ns: 60_000_000_000 };
        let value = aggregate(op, 0.5, &window);
        assert!(value == expected || (value.is_nan() && expected.is_nan()), "{op:?} {values:?}: {value}");
    }

    #[test]
    fn special_values_behave() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        check(RangeOp::AvgOverTime, &[inf, 5.0], inf);
        check(RangeOp::AvgOverTime, &[inf, -inf], nan);
        check(RangeOp::AvgOverTime, &[7.0, nan], nan);
        check(RangeOp::MinOverTime, &[nan, 7.0, 13.0], 7.0);
        check(RangeOp::MaxOverTime, &[nan, nan], nan);
        check(RangeOp::StddevOverTime, &[2.0, 6.0], 2.0);
        check(RangeOp::QuantileOverTime, &[4.0, 1.0, 3.0, 2.0], 2.5);
        check(RangeOp::RateCounter, &[5.0], 0.0);
    }
}
