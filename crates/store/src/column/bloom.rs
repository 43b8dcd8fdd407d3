//! Bloom filters: which tokens a block can have.
//!
//! Split into cache lines: a token's six bits stand in one 64-byte line, so that a probe touches one line. Two bytes per
//! distinct token, less when that would be more than a fixed share of the block (see [`BloomBuilder::finish`]).

use crate::codec::Reader;
use crate::error::Damage;
use xxhash_rust::xxh3::xxh3_64;

/// Bits of a line: one cache line.
const LINE_BITS: usize = 512;
/// Words of a line.
const LINE_WORDS: usize = LINE_BITS / 64;
/// Bits set per token.
const HASHES: u32 = 6;
/// Bits aimed at per distinct token.
const BITS_PER_TOKEN: usize = 16;
/// Most lines of a filter being built: 1 MiB.
const BUILD_LINES: usize = 1 << 14;
/// Hashes remembered to leave out what was just added.
const RECENT: u64 = 1 << 12;
/// Longest filter believed when read: 64 MiB.
const LINES_MAX: usize = 1 << 20;

type Line = [u64; LINE_WORDS];

/// The bits of a token in its line: a word, and a bit of it.
fn places(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let bits = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..HASHES).map(move |at| {
        let bit = (bits.rotate_left(9 * at) >> 55) as usize;
        (bit / 64, 1 << (bit % 64))
    })
}

fn line_of(hash: u64, lines: usize) -> usize {
    // `lines` is a power of two: the top bits choose, so that halving a filter joins neighbours.
    if lines <= 1 { 0 } else { usize::try_from(hash >> (64 - lines.trailing_zeros())).unwrap_or(0) }
}

/// Collects tokens.
#[derive(Debug)]
pub struct BloomBuilder {
    lines: Vec<Line>,
    /// Hashes added lately, by their low bits: most tokens come again and again.
    recent: Vec<u64>,
    distinct: usize,
}

impl Default for BloomBuilder {
    fn default() -> Self {
        Self::sized(usize::MAX)
    }
}

impl BloomBuilder {
    /// One whose filter will take at most `bytes_max` bytes.
    #[must_use]
    pub fn sized(bytes_max: usize) -> Self {
        let wanted = bytes_max / (LINE_BITS / 8) + 1;
        let lines = wanted.checked_ilog2().map_or(1, |bits| 1 << bits).min(BUILD_LINES);
        Self {
            lines: vec![[0; LINE_WORDS]; lines],
            recent: vec![0; usize::try_from(RECENT).unwrap_or(0)],
            distinct: 0,
        }
    }

    /// Adds one token, of whatever bytes.
    pub fn add(&mut self, token: &[u8]) {
        self.add_hash(xxh3_64(token));
    }

    /// Adds a token by a hash of its own.
    pub(super) fn add_hash(&mut self, hash: u64) {
        let recent = self.recent.get_mut(usize::try_from(hash % RECENT).unwrap_or(0));
        if recent.is_some_and(|recent| std::mem::replace(recent, hash) == hash) {
            return;
        }
        let lines = self.lines.len();
        let Some(line) = self.lines.get_mut(line_of(hash, lines)) else { return };
        let mut fresh = 0;
        for (word, bit) in places(hash) {
            fresh |= bit & !line[word];
            line[word] |= bit;
        }
        self.distinct += usize::from(fresh != 0);
    }

    /// The filter: the largest power of two of lines that has at most [`BITS_PER_TOKEN`] and a half bits per distinct
    /// token and at most `bytes_max` bytes.
    #[must_use]
    pub fn finish(self, bytes_max: usize) -> Bloom {
        let wanted = (self.distinct * BITS_PER_TOKEN * 3 / 2).min(bytes_max * 8) / LINE_BITS;
        let mut lines = self.lines;
        while lines.len() > 1 && lines.len() > wanted {
            let (pairs, _) = lines.as_chunks::<2>();
            let join = |[a, b]: &[Line; 2]| std::array::from_fn(|at| a[at] | b[at]);
            lines = pairs.iter().map(join).collect();
        }
        Bloom { lines }
    }
}

/// Which tokens a block may have.
#[derive(Debug)]
pub struct Bloom {
    lines: Vec<Line>,
}

impl Bloom {
    /// Whether the block may have `token`.
    #[must_use]
    pub fn may_have(&self, token: &[u8]) -> bool {
        self.may_have_hash(xxh3_64(token))
    }

    /// Whether the block may have the token of this hash of its own.
    pub(super) fn may_have_hash(&self, hash: u64) -> bool {
        let line = self.lines.get(line_of(hash, self.lines.len()));
        line.is_none_or(|line| places(hash).all(|(word, bit)| line[word] & bit != 0))
    }

    /// The filter's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.len() * LINE_BITS / 8 + 1);
        self.put(&mut out);
        out
    }

    /// Appends the filter's bytes: a zero, then the lines.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(0);
        self.lines.iter().flatten().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    /// Reads [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// When the length is not that of a filter.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(bytes);
        reader.varint()?;
        let (words, rest) = reader.rest().as_chunks::<8>();
        let (lines, odd) = words.as_chunks::<LINE_WORDS>();
        if !rest.is_empty() || !odd.is_empty() || !lines.len().is_power_of_two() || lines.len() > LINES_MAX {
            return Err(Damage::new("a token filter has an odd length"));
        }
        let lines = lines.iter().map(|line| line.map(u64::from_le_bytes)).collect();
        Ok(Self { lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_little_else() {
        for bytes_max in [usize::MAX / 8, 8192] {
            let mut builder = BloomBuilder::default();
            (0..5000).for_each(|at| builder.add(format!("user_{at}").as_bytes()));
            let bloom = Bloom::from_bytes(&builder.finish(bytes_max).to_bytes()).expect("filter");
            let found = |token: &str| bloom.may_have(token.as_bytes());
            assert!((0..5000).all(|at| found(&format!("user_{at}"))));
            let wrong = (0..10_000).filter(|at| found(&format!("absent_{at}"))).count();
            assert!(wrong < if bytes_max == 8192 { 1000 } else { 100 }, "{wrong} of 10000");
        }
    }

    #[test]
    fn odd_lengths_are_damage() {
        for len in [0, 1, 7, 63, 66, 193] {
            assert!(Bloom::from_bytes(&vec![0; len]).is_err(), "{len}");
        }
    }
}
