//! Looks at some values of a column to tell which form suits it, without making any: trials cost more than the denser
//! forms save in the short columns that templates leave.

use super::Int;
use super::bits::{BLOCK_VALUES, Block, Frame, bits, zigzag};

/// Runs of a sample, of one block each; shorter columns are looked at as a whole.
const RUNS: usize = 4;
/// Slots of the counts of values; values that meet in one count as the same.
const SLOTS: usize = 256;
/// Slots of what came after two values.
const PAIRS: usize = 512;
/// Bits of the header and bins of `pco`, about.
const LATENTS_HEADER_BITS: u64 = 320;
/// Entropies are counted in such fractions of a bit.
const FRACTION: u64 = 256;

/// What a sample says of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Bits of the column, packed.
    pub(super) packed_bits: u64,
    /// Bits of the column as `pco` latents.
    pub(super) latent_bits: u64,
    /// Neighbours are closer to each other than to the minimum.
    pub(super) deltas: bool,
    /// All values are the minimum and multiples of more than 1.
    pub(super) stepped: bool,
    /// Most values are what came after the same two values before.
    pub(super) repeats: bool,
}

impl Sample {
    pub(super) fn of<T: Int>(values: &[T]) -> Self {
        let taken = take(values);
        let frame = Frame::of(&taken);
        let mut block = Block::new();
        let (mut packed, mut plain, mut delta) = (0, 0, 0);
        let mut offsets = Vec::with_capacity(taken.len());
        let mut last = 0;
        for values in taken.chunks(BLOCK_VALUES) {
            block.fill(frame, values);
            packed += u64::from(block.width()) * values.len() as u64;
            for offset in block.offsets() {
                plain += bits(*offset);
                delta += bits(offset.abs_diff(last)) + 1;
                last = *offset;
                offsets.push(*offset);
            }
        }
        let deltas = delta < plain;
        let of_all = |bits: u64| bits * values.len() as u64 / taken.len().max(1) as u64;
        Self {
            packed_bits: of_all(packed),
            latent_bits: of_all(entropy_bits(&offsets, deltas)) + LATENTS_HEADER_BITS,
            deltas,
            stepped: frame.step > 1,
            repeats: repeats(&offsets),
        }
    }
}

fn take<T: Int>(values: &[T]) -> Vec<T> {
    if values.len() <= RUNS * BLOCK_VALUES {
        return values.to_vec();
    }
    let runs = values.chunks(values.len() / RUNS).take(RUNS);
    runs.flat_map(|run| run.get(..BLOCK_VALUES).unwrap_or(run)).copied().collect()
}

/// Bits that an entropy coder needs for the offsets or their differences: of their lengths in bits, with the bits below
/// the first as they are, or of the numbers themselves where few are distinct.
fn entropy_bits(offsets: &[u64], deltas: bool) -> u64 {
    let (mut lengths, mut numbers) = ([0; 65], [0; SLOTS]);
    let (mut below, mut last) = (0, 0);
    for offset in offsets {
        let number = if deltas { zigzag(offset.wrapping_sub(last)) } else { *offset };
        last = *offset;
        let length = bits(number);
        below += u64::from(length.saturating_sub(1));
        lengths[length as usize] += 1;
        numbers[slot(number, SLOTS)] += 1;
    }
    let total = offsets.len() as u64;
    let by_length = entropy(&lengths, total) + below;
    let distinct = numbers.iter().filter(|count| **count > 0).count() as u64;
    if distinct * 4 < total { by_length.min(entropy(&numbers, total)) } else { by_length }
}

/// Bits that `total` draws take that fall on each slot as often as counted.
fn entropy(counts: &[u64], total: u64) -> u64 {
    let spent = |count: u64| count * log2(count);
    (spent(total) - counts.iter().map(|count| spent(*count)).sum::<u64>()) / FRACTION
}

/// The logarithm in units of 1/[`FRACTION`], straight between powers of two; 0 of 0.
fn log2(value: u64) -> u64 {
    let whole = value.checked_ilog2().unwrap_or(0);
    u64::from(whole) * FRACTION + ((value * FRACTION) >> whole).saturating_sub(FRACTION)
}

fn repeats(offsets: &[u64]) -> bool {
    let mut after = [u64::MAX; PAIRS];
    let (mut before, mut hits) = ([0_u64; 2], 0);
    for offset in offsets {
        let after = &mut after[slot(before[0].rotate_left(32) ^ before[1], PAIRS)];
        hits += usize::from(*after == *offset);
        *after = *offset;
        before = [before[1], *offset];
    }
    hits * 2 > offsets.len()
}

/// The slot of `number`, of a power of two of them.
fn slot(number: u64, slots: usize) -> usize {
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(hash >> (u64::BITS - slots.trailing_zeros())).unwrap_or(0)
}
