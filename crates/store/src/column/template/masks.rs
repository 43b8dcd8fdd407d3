//! Which class each byte of a text has, as bit sets, sixteen bytes at a time. Knows bytes and nothing of templates.

use wide::i8x16;

/// Bytes of one word of the sets.
const WORD_BYTES: usize = 64;
/// Bytes of one vector.
const VECTOR_BYTES: usize = 16;

/// Sets over 64 bytes, the lowest bit for the first; bytes after the end of the text are in none.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Letters, digits and bytes of multi-byte characters: what runs are made of.
    run: u64,
    digit: u64,
    /// Of a run, but in no number and no lower-case hex id.
    plain: u64,
    /// Digits, and the first of four neighbours that could be a hex id.
    candidate: u64,
    /// 0xF8 and above, which UTF-8 never has.
    forbidden: u64,
}

/// Where the range check of [`within`] begins: the lowest signed byte.
const LOWEST: i8 = i8::MIN;

/// The bytes from `first` on, `count` of them, as a set.
fn within(bytes: i8x16, first: u8, count: i8) -> u64 {
    // Shifted so that the range begins at the lowest signed byte, one comparison tells.
    let shifted = bytes + i8x16::splat(LOWEST.wrapping_sub(first.cast_signed()));
    u64::from(shifted.simd_lt(i8x16::splat(LOWEST + count)).to_bitmask())
}

impl Word {
    fn of(bytes: &[u8; WORD_BYTES]) -> Self {
        let mut word = Self::default();
        let (vectors, _) = bytes.as_chunks::<VECTOR_BYTES>();
        for (at, vector) in vectors.iter().enumerate() {
            let shift = at * VECTOR_BYTES;
            let bytes = i8x16::new(vector.map(u8::cast_signed));
            let digit = within(bytes, b'0', 10);
            let letter = within(bytes | i8x16::splat(0x20), b'a', 26);
            let hex_letter = within(bytes, b'a', 6);
            let high = u64::from(bytes.to_bitmask());
            word.run |= (digit | letter | high) << shift;
            word.digit |= digit << shift;
            word.plain |= (letter & !hex_letter | high) << shift;
            word.forbidden |= within(bytes, 0xF8, 8) << shift;
        }
        word
    }

    /// What [`candidate`](Self::candidate) is, `after` being the hex digits of the next word.
    fn candidates(&self, after: u64) -> u64 {
        let hex = self.hex();
        let ahead = |by: u32| hex >> by | after << (64 - by);
        self.digit | hex & ahead(1) & ahead(2) & ahead(3)
    }

    /// Digits and lower-case hex letters.
    fn hex(&self) -> u64 {
        self.run & !self.plain
    }
}

/// The classes of one text's bytes.
#[derive(Debug, Default)]
pub(super) struct Masks {
    words: Vec<Word>,
    len: usize,
}

/// A run and what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    /// A digit.
    pub(super) digit: bool,
    /// Any other byte.
    pub(super) letter: bool,
    /// A byte that is in no number and no lower-case hex id.
    pub(super) plain: bool,
}

impl Masks {
    /// Reads `text`; `false` when it has a byte that UTF-8 never has.
    pub(super) fn read(&mut self, text: &[u8]) -> bool {
        self.words.clear();
        self.len = text.len();
        let (whole, rest) = text.as_chunks::<WORD_BYTES>();
        self.words.extend(whole.iter().map(Word::of));
        if !rest.is_empty() {
            let mut last = [0; WORD_BYTES];
            last[..rest.len()].copy_from_slice(rest);
            self.words.push(Word::of(&last));
        }
        let (mut after, mut forbidden) = (0, 0);
        for word in self.words.iter_mut().rev() {
            word.candidate = word.candidates(after);
            after = word.hex();
            forbidden |= word.forbidden;
        }
        forbidden == 0
    }

    /// The next run at or after `from`, which must be no inside of a run: with `wide` any, else one that has a digit or
    /// four hex letters in a row.
    #[inline]
    pub(super) fn next(&self, from: usize, wide: bool) -> Option<Run> {
        let mut at = from / WORD_BYTES;
        let mut ahead = !0 << (from % WORD_BYTES);
        let (word, bit) = loop {
            let word = self.words.get(at)?;
            let bits = ahead & if wide { word.run } else { word.candidate };
            if bits != 0 {
                break (word, bits.trailing_zeros());
            }
            (at, ahead) = (at + 1, !0);
        };
        let (before, after) = (!word.run & ((1 << bit) - 1), !word.run & (!0 << bit));
        let begins_here = before != 0 || at == from / WORD_BYTES;
        if after == 0 || !begins_here {
            return Some(self.across(at * WORD_BYTES + bit as usize, from));
        }
        // All of the run is in this word.
        let first = if before == 0 { 0 } else { before.ilog2() + 1 };
        let start = (at * WORD_BYTES + first as usize).max(from);
        let end = at * WORD_BYTES + after.trailing_zeros() as usize;
        let inside = (after & after.wrapping_neg()) - 1 & !0 << (start % WORD_BYTES);
        let has = |set: u64| set & inside != 0;
        Some(Run {
            start,
            end,
            digit: has(word.digit),
            letter: has(word.run & !word.digit),
            plain: has(word.plain),
        })
    }

    /// The run around `inside`, which reaches into other words; it begins not before `from`.
    #[cold]
    fn across(&self, inside: usize, from: usize) -> Run {
        let set = |at: usize, pick: fn(&Word) -> u64| {
            self.words.get(at / WORD_BYTES).is_some_and(|word| pick(word) >> (at % WORD_BYTES) & 1 == 1)
        };
        let mut run = Run { start: inside, end: inside, digit: false, letter: false, plain: false };
        while run.start > from && set(run.start - 1, |word| word.run) {
            run.start -= 1;
        }
        while set(run.end, |word| word.run) {
            run.end += 1;
        }
        for at in run.start..run.end {
            let digit = set(at, |word| word.digit);
            run.digit |= digit;
            run.letter |= !digit;
            run.plain |= set(at, |word| word.plain);
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{self, HEX_MIN};
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte, as the sets must say.
    fn runs(text: &[u8], wide: bool) -> Vec<Run> {
        let mut at = 0;
        let mut found = Vec::new();
        for run in text.chunk_by(|a, b| tokens::is_run_byte(*a) == tokens::is_run_byte(*b)) {
            let (start, end) = (at, at + run.len());
            at = end;
            let digit = run.iter().any(u8::is_ascii_digit);
            let letter = !run.iter().all(u8::is_ascii_digit);
            let plain = run.iter().any(|byte| tokens::is_plain_letter(*byte));
            let four = run.windows(HEX_MIN).any(|four| four.iter().all(|byte| tokens::is_id_byte(*byte)));
            if tokens::is_run_byte(run[0]) && (wide || digit || four) {
                found.push(Run { start, end, digit, letter, plain });
            }
        }
        found
    }

    fn check(text: &[u8]) {
        let mut masks = Masks::default();
        assert_eq!(masks.read(text), text.iter().all(|byte| *byte < 0xF8));
        for wide in [false, true] {
            let (mut at, mut found) = (0, Vec::new());
            while let Some(run) = masks.next(at, wide) {
                at = run.end;
                found.push(run);
            }
            assert_eq!(found, runs(text, wide), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn every_byte_has_its_class() {
        let all: Vec<u8> = (0..=255).collect();
        check(&all);
        (0..=255_u8).for_each(|byte| check(&[b' ', byte, b' ']));
        (0..200).for_each(|len| check(&vec![b'a'; len]));
        (0..200).for_each(|len| check(&[vec![b'z'; len], b"1 dead 2".to_vec()].concat()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn runs_are_those_of_the_bytes(text in "[a-f0-9]{0,6}([ .a-gz0-9é]{0,70}[0-9a-f]{0,140}){0,3}") {
            check(text.as_bytes());
        }
    }
}
