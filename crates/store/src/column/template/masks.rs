//! Which class each byte of a text has, as bit sets, sixteen bytes at a time. Knows bytes and nothing of templates.

use super::tokens::{is_digit, is_plain_letter};
use wide::i8x16;

/// Bytes of one word of the sets.
pub(super) const WORD_BYTES: usize = 64;
/// Bytes of one vector.
pub(super) const VECTOR_BYTES: usize = 16;

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
            let (part, shift) = (Self::of_vector(vector), at * VECTOR_BYTES);
            word.run |= part.run << shift;
            word.digit |= part.digit << shift;
            word.plain |= part.plain << shift;
            word.forbidden |= part.forbidden << shift;
        }
        word
    }

    /// The sets over sixteen bytes.
    #[inline]
    fn of_vector(bytes: &[u8; VECTOR_BYTES]) -> Self {
        let bytes = i8x16::new(bytes.map(u8::cast_signed));
        let digit = within(bytes, b'0', 10);
        let letter = within(bytes | i8x16::splat(0x20), b'a', 26);
        let hex_letter = within(bytes, b'a', 6);
        let high = u64::from(bytes.to_bitmask());
        let forbidden = if high == 0 { 0 } else { within(bytes, 0xF8, 8) };
        Self {
            run: digit | letter | high,
            digit,
            plain: letter & !hex_letter | high,
            candidate: 0,
            forbidden,
        }
    }

    /// The run of the first bytes, when it ends inside of the `count` that are known and has no byte that UTF-8 never has.
    #[inline]
    fn first_run(&self, count: u32, start: usize) -> Option<Run> {
        let len = self.run.trailing_ones();
        if len >= count {
            return None;
        }
        let inside = (1 << len) - 1;
        let (digits, plain) = (self.digit & inside, self.plain & inside);
        let turns = (digits ^ digits << 1) & inside & !1;
        let run = Run { start, end: start + len as usize, digits, letters: inside & !digits, plain, turns };
        (self.forbidden & inside == 0).then_some(run)
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

/// How many digits `text` begins with; of more than sixteen, sixteen.
#[inline]
pub(super) fn digits(text: &[u8]) -> usize {
    let bytes = i8x16::new(head::<VECTOR_BYTES>(text).map(u8::cast_signed));
    within(bytes, b'0', 10).trailing_ones() as usize
}

/// The first `N` bytes of `text`, zeros behind its end.
#[inline]
fn head<const N: usize>(text: &[u8]) -> [u8; N] {
    text.first_chunk().copied().unwrap_or_else(|| {
        let mut head = [0; N];
        head[..text.len()].copy_from_slice(text);
        head
    })
}

impl Run {
    /// The run that begins at `start` of `text`. `None` when it has [`WORD_BYTES`] or more, or a byte that UTF-8 never has.
    #[inline]
    pub(super) fn read(text: &[u8], start: usize) -> Option<Self> {
        let rest = text.get(start..)?;
        let word = Word::of_vector(&head(rest));
        if word.run.trailing_ones() < 16 {
            return word.first_run(16, start);
        }
        Word::of(&head(rest)).first_run(64, start)
    }

    /// Byte by byte.
    pub(super) fn of(run: &[u8], start: usize) -> Self {
        let set = |has: &dyn Fn(u8) -> bool| u64::from(run.iter().any(|byte| has(*byte)));
        let (digits, letters) = (set(&is_digit), set(&|byte| !is_digit(byte)));
        let turn = |pair: &[u8]| is_digit(pair[0]) != is_digit(pair[1]);
        let turns = run.windows(2).enumerate().filter(|(_, pair)| turn(pair));
        let turns = if run.len() < WORD_BYTES { turns.fold(0, |set, (at, _)| set | 2 << at) } else { 0 };
        Self { start, end: start + run.len(), digits, letters, plain: set(&is_plain_letter), turns }
    }

    /// Whether it has a digit.
    pub(super) fn digit(&self) -> bool {
        self.digits != 0
    }

    /// Whether it has any other byte.
    pub(super) fn letter(&self) -> bool {
        self.letters != 0
    }

    /// Whether it has a byte that is in no number and no lower-case hex id.
    pub(super) fn plain(&self) -> bool {
        self.plain != 0
    }
}

/// The classes of one text's bytes.
#[derive(Debug, Default)]
pub(super) struct Masks {
    words: Vec<Word>,
    len: usize,
}

/// A run and what it has; sets are of its bytes, and of a long run only whether they are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Its digits.
    digits: u64,
    /// Its other bytes.
    letters: u64,
    /// Those that are in no number and no lower-case hex id.
    plain: u64,
    /// Bit n: byte n of the run is a digit and the one before it is not, or the other way round. Only of the first
    /// [`WORD_BYTES`].
    pub(super) turns: u64,
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

    /// Start and end of the next run at or after `from`, which must be no inside of a run: with `wide` any, else one that
    /// has a digit or four hex letters in a row.
    #[inline]
    pub(super) fn next(&self, from: usize, wide: bool) -> Option<(usize, usize)> {
        let mut at = from / WORD_BYTES;
        let mut ahead = !0 << (from % WORD_BYTES);
        let bit = loop {
            let word = self.words.get(at)?;
            let bits = ahead & if wide { word.run } else { word.candidate };
            if bits != 0 {
                break bits.trailing_zeros();
            }
            (at, ahead) = (at + 1, !0);
        };
        let start = self.start(at, bit, from);
        Some((start, self.run_end(start)))
    }

    #[inline]
    fn run_end(&self, start: usize) -> usize {
        let mut end = start;
        loop {
            let len = (!self.window(end, |word| word.run)).trailing_zeros() as usize;
            end += len;
            if len < WORD_BYTES {
                return end;
            }
        }
    }

    /// What a run of less than [`WORD_BYTES`] has.
    #[inline]
    pub(super) fn run(&self, start: usize, end: usize) -> Run {
        let inside = (1 << (end - start)) - 1;
        let digits = self.window(start, |word| word.digit) & inside;
        let plain = self.window(start, |word| word.plain) & inside;
        let turns = (digits ^ digits << 1) & inside & !1;
        Run { start, end, digits, letters: inside & !digits, plain, turns }
    }

    /// Where the run begins that has bit `bit` of word `at`, not before `from`.
    fn start(&self, at: usize, bit: u32, from: usize) -> usize {
        let gap_before = |at: usize, below: u64| {
            let gaps = self.words.get(at).map_or(!0, |word| !word.run) & below;
            (gaps != 0).then(|| at * WORD_BYTES + gaps.ilog2() as usize + 1)
        };
        let mut found = gap_before(at, (1 << bit) - 1);
        let mut at = at;
        while found.is_none() && at > from / WORD_BYTES {
            at -= 1;
            found = gap_before(at, !0);
        }
        found.unwrap_or(0).max(from)
    }

    /// 64 bits of a set from `start` on.
    fn window(&self, start: usize, pick: impl Fn(&Word) -> u64) -> u64 {
        let (at, shift) = (start / WORD_BYTES, start % WORD_BYTES);
        let word = |at: usize| self.words.get(at).map_or(0, &pick);
        // In two steps, for a shift by 64 is none.
        word(at) >> shift | word(at + 1) << 1 << (WORD_BYTES - 1 - shift)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{HEX_MIN, is_id_byte, is_run_byte};
    use super::*;
    use proptest::prelude::*;

    /// A run without its sets.
    type Plain = (usize, usize, bool, bool, bool, u64);

    fn plain(run: Run) -> Plain {
        (run.start, run.end, run.digit(), run.letter(), run.plain(), run.turns)
    }

    /// Byte by byte, as the sets must say.
    fn runs(text: &[u8], wide: bool) -> Vec<Plain> {
        let mut at = 0;
        let mut found = Vec::new();
        for run in text.chunk_by(|a, b| is_run_byte(*a) == is_run_byte(*b)) {
            let four = run.windows(HEX_MIN).any(|four| four.iter().all(|byte| is_id_byte(*byte)));
            if is_run_byte(run[0]) && (wide || four || run.iter().any(u8::is_ascii_digit)) {
                found.push(plain(Run::of(run, at)));
            }
            at += run.len();
        }
        found
    }

    fn check(text: &[u8]) {
        let mut masks = Masks::default();
        assert_eq!(masks.read(text), text.iter().all(|byte| *byte < 0xF8));
        for wide in [false, true] {
            let (mut at, mut found) = (0, Vec::new());
            while let Some((start, end)) = masks.next(at, wide) {
                at = end;
                let long = end - start >= WORD_BYTES;
                let run = if long { Run::of(&text[start..end], start) } else { masks.run(start, end) };
                found.push(plain(run));
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
