//! Summaries of many numbers in little memory: power-of-two buckets for heat maps, and a quantile sketch with buckets
//! of constant relative width (as in `DDSketch`, Masson, Rim, Lee 2019), so that a quantile is off by at most 1 %.

use std::collections::BTreeMap;

/// Ratio of a bucket's bounds; the answer stands (`RATIO - 1) / (RATIO + 1)` from either, which is 1 %.
const RATIO: f64 = 1.02;

/// Above the number of any bucket of a finite float, so that the sign can be kept in the key.
const KEY_OFFSET: i32 = 1 << 20;

/// Counts per bucket, ascending by value.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    counts: BTreeMap<i32, u64>,
    total: u64,
}

impl Sketch {
    /// Counts a finite number.
    pub(super) fn add(&mut self, value: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm of a float is below 36,000 here")]
        let bucket = || (value.abs().ln() / RATIO.ln()).ceil() as i32 + KEY_OFFSET;
        let key = match value {
            _ if value > 0.0 => bucket(),
            _ if value < 0.0 => -bucket(),
            _ => 0,
        };
        *self.counts.entry(key).or_default() += 1;
        self.total += 1;
    }

    /// The value of rank `ceil(quantile * count)`; NaN when nothing was counted.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "ranks beyond 2^53 do not occur")]
        let rank = (quantile * self.total as f64).ceil().max(1.0);
        let mut seen = 0.0;
        for (key, count) in &self.counts {
            #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 do not occur")]
            let count = *count as f64;
            seen += count;
            if seen >= rank {
                let size = || 2.0 * RATIO.powi(key.abs() - KEY_OFFSET) / (RATIO + 1.0);
                return if *key == 0 { 0.0 } else { f64::from(key.signum()) * size() };
            }
        }
        f64::NAN
    }
}

/// The smallest power of two that is not below `value`; 0 for what is not positive.
pub(super) fn power_of_two(value: f64) -> f64 {
    if value > 0.0 { value.log2().ceil().exp2() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_percent() {
        let mut sketch = Sketch::default();
        (-1000..=100_000).for_each(|value| sketch.add(f64::from(value) / 1e6));
        for (quantile, expected) in [(0.0, -0.001), (0.5, 0.0495), (0.9, 0.0899), (1.0, 0.1)] {
            let found = sketch.quantile(quantile);
            assert!(
                (found - expected).abs() <= 0.0101 * expected.abs(),
                "{quantile}: {found}, expected {expected}"
            );
        }
        assert!(Sketch::default().quantile(0.5).is_nan());
    }

    #[test]
    fn buckets_are_closed_above() {
        let cases =
            [(1.0, 1.0), (1.5, 2.0), (1024.0, 1024.0), (1025.0, 2048.0), (0.3, 0.5), (0.0, 0.0), (-4.0, 0.0)];
        for (value, bucket) in cases {
            assert!((power_of_two(value) - bucket).abs() < f64::EPSILON, "{value}");
        }
    }
}
