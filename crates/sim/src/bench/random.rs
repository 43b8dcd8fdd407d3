//! Seeded choices that the generators share: the same seed makes the same data on every machine.

use platform::{Random, SeededRandom};

/// A sequence of choices.
pub(super) struct Rng(SeededRandom);

impl Rng {
    /// The sequence `stream` of `seed`; streams of one seed are independent of each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mixed = SeededRandom::new(seed ^ stream.rotate_left(32)).next_u64();
        Self(SeededRandom::new(mixed.wrapping_add(stream)))
    }

    pub(super) fn next_u64(&self) -> u64 {
        self.0.next_u64()
    }

    /// Below `bound`, every number as likely.
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// Below `bound`, small numbers likelier, as popular users and short durations are.
    pub(super) fn skewed(&self, bound: u64) -> u64 {
        self.below(self.below(bound) + 1)
    }

    /// In `0.0..1.0`.
    pub(super) fn unit(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
        let bits = (self.next_u64() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// In `1.0 - spread .. 1.0 + spread`.
    pub(super) fn around_one(&self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.unit() - 1.0)
    }

    pub(super) fn pick<'a, T: ?Sized>(&self, choices: &[&'a T]) -> &'a T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)]
    }
}
