//! Which words, numbers and ids the lines of a block can have, so that a search leaves out blocks.
//!
//! Lines are cut as templates cut them: into runs of letters and digits, and those into parts. Numbers of up to four
//! digits stand in an exact set, all other parts in a [`Bloom`] filter. Never says no to what is there.

use super::bloom::{Bloom, BloomBuilder};
use super::number::Number;
use super::template::{Dotted, Found, Part, parts, read_dotted, runs};
use crate::codec::{Reader, put_varint};
use crate::error::Damage;

/// Numbers of at most so many digits have a bit of their own.
const SHORT_DIGITS_MAX: usize = 4;
/// The Bloom part takes at most this share of the lines' bytes; see also [`LineFilterBuilder::finish`].
const FILTER_SHARE: usize = 32;
/// The bit of the first number of one, two, ... digits; leading zeros count.
const FIRST_OF: [usize; SHORT_DIGITS_MAX + 1] = [0, 10, 110, 1_110, 11_110];
/// Words of the exact set.
const NUMBER_WORDS: usize = FIRST_OF[SHORT_DIGITS_MAX].div_ceil(64);

type Numbers = [u64; NUMBER_WORDS];

/// The bit of a short number.
fn bit_of(number: Number) -> Option<usize> {
    let first = FIRST_OF.get(number.digits().checked_sub(1)?)?;
    let value = usize::try_from(number.value()).ok()?;
    (number.digits() <= SHORT_DIGITS_MAX).then_some(first + value)
}

fn number(digits: &[u8]) -> Number {
    Number::read(digits, digits.len(), digits.len())
}

/// The hash that addresses are known by: no number has so many digits.
fn hash_of(address: u32) -> u64 {
    Number::of(address.into(), 31).hash()
}

/// The IPv4 address in `text` that begins with `run`, a part of it, and where it ends.
fn address_at(text: &[u8], run: &[u8]) -> Option<(u32, usize)> {
    if run.len() > 3 || !run.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let start = run.as_ptr() as usize - text.as_ptr() as usize;
    match read_dotted(text, start, start + run.len())? {
        Found { dotted: Dotted::Address(address), end, .. } => Some((address, end)),
        _ => None,
    }
}

fn has_digit(run: &[u8]) -> bool {
    run.iter().any(u8::is_ascii_digit)
}

/// Collects the parts of lines.
#[derive(Debug)]
pub struct LineFilterBuilder {
    numbers: Box<Numbers>,
    others: BloomBuilder,
    longest_with_digit: usize,
    any_number: u64,
}

impl LineFilterBuilder {
    /// For lines of `bytes` bytes together.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let numbers = Box::new([0; NUMBER_WORDS]);
        let others = BloomBuilder::sized(bytes / FILTER_SHARE);
        Self { numbers, others, longest_with_digit: 0, any_number: 0 }
    }

    /// Adds every part of `text`, but of runs that equal `known`, which another index finds.
    pub fn add_text(&mut self, text: &[u8], known: Option<&[u8]>) {
        for run in runs(text) {
            if let Some((address, _)) = address_at(text, run) {
                self.others.add_hash(hash_of(address));
            }
            if run.len() > self.longest_with_digit && has_digit(run) {
                self.longest_with_digit = run.len();
            }
            if known != Some(run) {
                parts(run, |part, _, text| match part {
                    Part::Digits => self.add_number(number(text)),
                    Part::Hex | Part::Letters | Part::Mixed => self.add_word(text),
                });
            }
        }
    }

    /// Adds a part that has only digits.
    pub(super) fn add_number(&mut self, number: Number) {
        match bit_of(number) {
            Some(bit) => {
                if let Some(word) = self.numbers.get_mut(bit / 64) {
                    *word |= 1 << (bit % 64);
                }
            }
            None => self.others.add_hash(number.hash()),
        }
    }

    /// Adds an IPv4 address and its four numbers.
    pub(super) fn add_address(&mut self, address: u32) {
        self.others.add_hash(hash_of(address));
        for octet in address.to_be_bytes() {
            let digits = octet.checked_ilog10().map_or(1, |log| log as usize + 1);
            self.add_number(Number::of(octet.into(), digits));
        }
    }

    /// Adds any other part.
    pub(super) fn add_word(&mut self, word: &[u8]) {
        self.others.add(word);
    }

    /// Takes note that a line has a run of `len` bytes with a digit in it.
    pub(super) fn note_run(&mut self, len: usize) {
        self.longest_with_digit = self.longest_with_digit.max(len);
    }

    /// Takes note that any number of so many digits may be there.
    pub(super) fn any_number(&mut self, digits: usize) {
        self.any_number |= 1 << digits.min(63);
    }

    /// The filter; its Bloom part takes at most `bytes_max` bytes.
    #[must_use]
    pub fn finish(self, bytes_max: usize) -> LineFilter {
        let numbers = self.numbers;
        let others = self.others.finish(bytes_max);
        let Self { longest_with_digit, any_number, .. } = self;
        LineFilter(Some(Parts { numbers, others, longest_with_digit, any_number }))
    }
}

/// Which parts a block's lines may have; that of a block without one lets everything through.
#[derive(Debug)]
pub struct LineFilter(Option<Parts>);

#[derive(Debug)]
struct Parts {
    numbers: Box<Numbers>,
    others: Bloom,
    longest_with_digit: usize,
    /// Bit n: any number of n digits may be there.
    any_number: u64,
}

impl LineFilter {
    /// The filter of a block that has none.
    pub(crate) const ABSENT: Self = Self(None);

    /// Whether a line of the block may contain `needle`, anywhere. `known` says whether the other index has a run.
    ///
    /// A run inside the needle is a run of the line. One at its edge may be a part of a longer run there; only when it
    /// has a digit and no run with a digit is longer, it must be whole.
    #[must_use]
    pub fn may_contain(&self, needle: &[u8], known: impl Fn(&[u8]) -> bool) -> bool {
        let Some(has) = &self.0 else { return true };
        let start = needle.as_ptr() as usize;
        runs(needle).all(|run| {
            let at = run.as_ptr() as usize - start;
            let at_edge = at == 0 || at + run.len() == needle.len();
            // What follows a dot at the end is not known.
            let address = address_at(needle, run).filter(|(_, end)| {
                at > 0 && *end < needle.len() && (needle.get(*end) != Some(&b'.') || *end + 1 < needle.len())
            });
            if address.is_some_and(|(address, _)| !has.others.may_have_hash(hash_of(address))) {
                return false;
            }
            let with_digit = has_digit(run);
            if with_digit && run.len() > has.longest_with_digit {
                return false;
            }
            let whole = !at_edge || with_digit && run.len() == has.longest_with_digit;
            !whole || has.run(run) || known(run)
        })
    }

    /// The filter's bytes; none for that of a block without one.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(parts) = &self.0 {
            put_varint(&mut out, parts.longest_with_digit as u64);
            put_varint(&mut out, parts.any_number);
            parts.numbers.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            parts.others.put(&mut out);
        }
        out
    }

    /// Reads [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// When the length is not that of a filter.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damage> {
        if bytes.is_empty() {
            return Ok(Self::ABSENT);
        }
        let mut reader = Reader::new(bytes);
        let longest_with_digit = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        let any_number = reader.varint()?;
        let mut numbers = Box::new([0; NUMBER_WORDS]);
        for word in numbers.iter_mut() {
            *word = reader.u64()?;
        }
        let others = Bloom::from_bytes(reader.rest())?;
        Ok(Self(Some(Parts { numbers, others, longest_with_digit, any_number })))
    }
}

impl Parts {
    fn run(&self, run: &[u8]) -> bool {
        let mut all = true;
        parts(run, |part, _, text| all &= self.part(part, text));
        all
    }

    fn part(&self, part: Part, text: &[u8]) -> bool {
        if part != Part::Digits {
            return self.others.may_have(text);
        }
        let number = number(text);
        self.any_number >> text.len().min(63) & 1 == 1
            || match bit_of(number) {
                Some(bit) => self.numbers.get(bit / 64).is_none_or(|word| word >> (bit % 64) & 1 == 1),
                None => self.others.may_have_hash(number.hash()),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> LineFilter {
        let mut builder = LineFilterBuilder::new(1 << 20);
        for at in 0..5000 {
            let line = format!("user_{at} paid order={} ünï 0{:x}ff in {}ms", at * 31, at + 70_000, at % 90);
            builder.add_text(line.as_bytes(), None);
        }
        builder.add_text(b"peer=10.0.7.5:443", None);
        builder
            .add_text(b"trace 4bf92f3577b34da6a3ce929d0e0e4736", Some(b"4bf92f3577b34da6a3ce929d0e0e4736"));
        LineFilter::from_bytes(&builder.finish(usize::MAX / 8).to_bytes()).expect("filter")
    }

    #[test]
    fn a_needle_is_judged_by_its_whole_runs() {
        let filter = filter();
        let check = |needle: &str, expected: bool| {
            assert_eq!(filter.may_contain(needle.as_bytes(), |_| false), expected, "{needle}");
        };
        check("user_12 paid", true);
        check("er_12 pa", true);
        check(" paid order", true);
        check(" refunded order", false);
        check("order=154938 ", true);
        check("order=154939 ", false);
        check(" 89ms", true);
        check("in 89ms ", true);
        check("in 5000ms ", false);
        check(" 10.0.7.5:", true);
        check(" 10.0.7.6:", false);
        check("10.0.7.6:", true);
        check(" 10.0.7.6", true);
        check("in 089ms ", false);
        check("9", true);
        check("", true);
        check(" 4bf92f3577b34da6a3ce929d0e0e4736 ", false);
        check("4bf92f3577b34da6a3ce929d0e0e4736", false);
        check("4bf92f3577b34da6a3ce929d0e0e4736f", false);
        check("4bf92f3577b34da6a3ce929d0e0e473", true);
        assert!(filter.may_contain(b"4bf92f3577b34da6a3ce929d0e0e4736", |run| run.len() == 32));
    }

    #[test]
    fn no_filter_lets_everything_through_and_odd_lengths_are_damage() {
        let absent = LineFilter::from_bytes(&LineFilter::ABSENT.to_bytes()).expect("absent");
        assert!(absent.may_contain(b" nothing ", |_| false));
        for len in [1, 7, 64, 1393, 1394, 1394 + 64, 1394 + 1 + 3 * 64] {
            assert!(LineFilter::from_bytes(&vec![0; len]).is_err(), "{len}");
        }
    }
}
