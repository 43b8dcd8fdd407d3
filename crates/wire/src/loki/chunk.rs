//! Classes the bytes of a line many at a time, to find where a level may stand. Knows how the names of fields end and how
//! words begin; whether one truly stands there is for the caller to see.

use super::fields::FIELD_ENDS;
use wide::u8x32;

/// Bytes that are classed at a time.
const CHUNK_BYTES: usize = 32;

/// Some bytes of a line; after its end they are 0.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    bytes: u8x32,
    /// The bytes with upper-case letters as lower-case ones.
    lower: u8x32,
    /// The bytes that no chunk before held.
    new: u32,
}

/// The line in chunks, and where each starts. The last one reaches back, so that none but a short line's is copied.
#[inline]
pub(super) fn chunks(line: &[u8]) -> impl Iterator<Item = (usize, Chunk)> {
    let last = line.len().saturating_sub(CHUNK_BYTES);
    (0..line.len()).step_by(CHUNK_BYTES).map(move |new| {
        let start = new.min(last);
        let bytes = line[start..].first_chunk().map_or_else(|| padded(line), |bytes| *bytes);
        (start, Chunk::of(bytes, u32::MAX << (new - start)))
    })
}

/// A line shorter than a chunk.
fn padded(line: &[u8]) -> [u8; CHUNK_BYTES] {
    let mut bytes = [0; CHUNK_BYTES];
    bytes.iter_mut().zip(line).for_each(|(to, byte)| *to = *byte);
    bytes
}

/// The positions of a set, whose lowest bit stands for the first.
pub(super) fn bits(set: u32) -> impl Iterator<Item = usize> {
    let next = |set: &u32| Some(set & (set - 1)).filter(|rest| *rest != 0);
    std::iter::successors(Some(set).filter(|set| *set != 0), next).map(|set| set.trailing_zeros() as usize)
}

impl Chunk {
    #[inline]
    fn of(bytes: [u8; CHUNK_BYTES], new: u32) -> Self {
        let bytes = u8x32::new(bytes);
        Self { bytes, lower: bytes | u8x32::splat(0x20), new }
    }

    /// The `=` that may end the name of a field that holds a level.
    #[inline]
    pub(super) fn field_ends(&self) -> u32 {
        let equals = self.bytes.simd_eq(u8x32::splat(b'=')).to_bitmask() & self.new;
        // What comes before the first byte is not known.
        if equals == 0 { 0 } else { equals & (self.is_one_of(FIELD_ENDS).to_bitmask() << 1 | 1) }
    }

    /// Where words that are levels may begin.
    #[inline]
    pub(super) fn words(&self) -> u32 {
        // What comes before the first byte and after the last is not known.
        let after = self.may_open().to_bitmask() << 1 | 1;
        let second = self.is_one_of(*b"rena").to_bitmask() >> 1 | 1 << (CHUNK_BYTES - 1);
        // t, i, w, and from c to f.
        let above_c = self.lower - u8x32::splat(b'c');
        let first = self.is_one_of(*b"tiw") | is_at_most(above_c, b'f' - b'c');
        after & first.to_bitmask() & second & self.new
    }

    /// All bytes that [`opens_word`] accepts, and some more.
    #[inline]
    fn may_open(&self) -> u8x32 {
        // A bracket and a brace differ in the bit that differs between cases.
        let bracket = self.lower.simd_eq(u8x32::splat(b'{'));
        is_at_most(self.bytes, b'(') | self.bytes.simd_eq(u8x32::splat(b'=')) | bracket
    }

    /// Bytes that are one of these letters, in upper or lower case.
    #[inline]
    fn is_one_of<const N: usize>(&self, letters: [u8; N]) -> u8x32 {
        let found = letters.map(|letter| self.lower.simd_eq(u8x32::splat(letter)));
        found.into_iter().fold(u8x32::splat(0), |all, some| all | some)
    }
}

#[inline]
fn is_at_most(bytes: u8x32, most: u8) -> u8x32 {
    bytes.simd_eq(bytes.min(u8x32::splat(most)))
}

/// Whether a word may begin after this byte.
pub(super) fn opens_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'=' | b'[' | b'(' | b'{' | b'"')
}
