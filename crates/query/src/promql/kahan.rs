//! Compensated summation (Neumaier's variant of Kahan's), as Prometheus sums.

/// A running sum and what rounding has lost of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Kahan {
    pub(crate) sum: f64,
    pub(crate) lost: f64,
}

impl Kahan {
    pub(crate) fn new(sum: f64) -> Self {
        Self { sum, lost: 0.0 }
    }

    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        self.sum *= factor;
        self.lost *= factor;
    }

    pub(crate) fn divide(&mut self, divisor: f64) {
        self.sum /= divisor;
        self.lost /= divisor;
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// An arithmetic mean: the sum while it does not overflow, then an incremental mean.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    value: Kahan,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count < 1.5 {
            self.value = Kahan::new(value);
            return;
        }
        if !self.incremental {
            let mut sum = self.value;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.value = sum;
                return;
            }
            self.incremental = true;
            self.value.divide(self.count - 1.0);
        }
        self.value.scale((self.count - 1.0) / self.count);
        self.value.add(value / self.count);
    }

    pub(crate) fn get(self) -> f64 {
        if self.incremental {
            self.value.total()
        } else {
            self.value.sum / self.count + self.value.lost / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let mut sum = Kahan::default();
        for term in [1e100, 1.0, -1e100, 2.0] {
            sum.add(term);
        }
        assert_eq!(sum.total().to_bits(), 3.0_f64.to_bits());
    }

    #[test]
    fn a_mean_does_not_overflow_with_its_sum() {
        let mut mean = Mean::default();
        for term in [f64::MAX; 3] {
            mean.add(term);
        }
        assert!((mean.get() / f64::MAX - 1.0).abs() < 1e-15);
    }
}
