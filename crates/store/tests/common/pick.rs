//! Choosing by a seeded random number.

use platform::{Random, SeededRandom};

/// One of `choices`.
pub fn pick<T: Copy>(random: &SeededRandom, choices: &[T]) -> T {
    let at = random.below(choices.len() as u64);
    choices[usize::try_from(at).unwrap_or_default()]
}
