//! Cuts a piece of text into what stays in the template and what goes into slots.

use super::super::number::{NUMBER_DIGITS_MAX, Number};
use super::dotted::{self, Dotted};
use super::masks::{Masks, Run, VECTOR_BYTES, WORD_BYTES, digits};
use super::time::Times;
use super::trie::{Node, Trie};
use super::{ADDRESS, DECIMAL, DIGITS, HEX, MARKER_MIN, SPAN, TIME, TRACE, WORD};
use model::{SpanId, TraceId};

/// Longest run of digits that is taken for a number: a Unix time in nanoseconds.
const DIGITS_MAX: usize = 19;
/// A number of more digits than one [`Number`] has is two; so many digits are in the second.
const LOW_DIGITS: usize = 9;
/// Digits of a span id, the shorter of a row's ids, and of a trace id.
const SPAN_DIGITS: usize = 16;
const TRACE_DIGITS: usize = 32;
/// Shortest run of hex digits that is taken for an id.
pub(super) const HEX_MIN: usize = 4;
/// A run of letters and digits that changes between the two more often is kept as one slot, and so is a long one.
const TURNS_MAX: u32 = 3;

/// The ids and the time of a row, as they may stand in its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowIds {
    /// All zeros when the row has none; so for the span.
    trace: TraceId,
    span: SpanId,
    /// Unix time, nanoseconds; `None` when the row has none.
    pub ts_ns: Option<i64>,
}

impl RowIds {
    /// Of a row that has neither ids nor a time.
    pub(super) const NONE: Self = Self { trace: TraceId([0; 16]), span: SpanId([0; 8]), ts_ns: None };

    /// Of a row that has a time.
    #[must_use]
    pub fn new(trace: TraceId, span: SpanId, ts_ns: i64) -> Self {
        Self { trace, span, ts_ns: Some(ts_ns) }
    }

    /// The trace id in lower-case hex; `None` when the row has none.
    #[must_use]
    pub fn trace(&self) -> Option<[u8; TRACE_DIGITS]> {
        (!self.trace.is_none()).then(|| hex(self.trace.0))
    }

    /// The span id in lower-case hex; `None` when the row has none.
    #[must_use]
    pub fn span(&self) -> Option<[u8; SPAN_DIGITS]> {
        (!self.span.is_none()).then(|| hex(self.span.0))
    }
}

/// Lower-case hex digits, four bytes at a time; `N` is a multiple of four, and `M` twice that.
fn hex<const N: usize, const M: usize>(bytes: [u8; N]) -> [u8; M] {
    let mut hex = [0; M];
    for (digits, four) in hex.as_chunks_mut::<8>().0.iter_mut().zip(bytes.as_chunks::<4>().0) {
        let four = u64::from(u32::from_be_bytes(*four));
        let twos = (four | four << 16) & 0x0000_ffff_0000_ffff;
        let ones = (twos | twos << 8) & 0x00ff_00ff_00ff_00ff;
        let nibbles = (ones | ones << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        // Six more make a nibble over nine one of 16 or more.
        let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        *digits = (nibbles + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes();
    }
    hex
}

const DELIMITER: u8 = 0;
const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
const LETTER: u8 = 4;

/// What a byte is; bytes of multi-byte characters count as letters. [`Masks`] says the same of many bytes at once.
static CLASS: [u8; 256] = {
    let mut class = [DELIMITER; 256];
    let mut byte: u8 = 0;
    loop {
        class[byte as usize] = match byte {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LETTER,
            b'g'..=b'z' | b'A'..=b'Z' | 0x80..=0xFF => LETTER,
            _ => DELIMITER,
        };
        if byte == u8::MAX {
            break class;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// Whether `byte` belongs to a run.
pub(super) fn is_run_byte(byte: u8) -> bool {
    class(byte) != DELIMITER
}

/// Whether `byte` is a letter that no number and no lower-case hex id has.
pub(super) fn is_plain_letter(byte: u8) -> bool {
    class(byte) == LETTER
}

/// Whether `byte` can stand in a number or an id.
pub(super) fn is_id_byte(byte: u8) -> bool {
    class(byte) & (DIGIT | HEX_LETTER) != 0
}

/// Whether `byte` is a digit.
pub(super) fn is_digit(byte: u8) -> bool {
    class(byte) == DIGIT
}

/// The runs of `text`, byte by byte.
pub(crate) fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_run_byte(*byte)).filter(|run| !run.is_empty())
}

/// What a part of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Up to 17 digits.
    Digits,
    /// Four or more lower-case hex digits, not all decimal.
    Hex,
    /// No digits.
    Letters,
    /// Letters and digits in turns, or too many digits.
    Mixed,
}

/// The parts of a run, in their order, each with where it begins in the run.
pub(crate) fn parts(run: &[u8], mut take: impl FnMut(Part, usize, &[u8])) {
    parts_of(run, Run::of(run, 0), &mut take);
}

#[inline]
fn take_digits(at: usize, digits: &[u8], take: &mut impl FnMut(Part, usize, &[u8])) {
    if digits.len() <= NUMBER_DIGITS_MAX {
        take(Part::Digits, at, digits);
    } else if digits.len() <= DIGITS_MAX {
        let (high, low) = digits.split_at(digits.len() - LOW_DIGITS);
        take(Part::Digits, at, high);
        take(Part::Digits, at + high.len(), low);
    } else {
        take(Part::Mixed, at, digits);
    }
}

/// [`parts`] of a run of which is known what it has.
#[inline]
fn parts_of(text: &[u8], run: Run, take: &mut impl FnMut(Part, usize, &[u8])) {
    if !run.letter() {
        return take_digits(0, text, take);
    }
    if !run.plain() && text.len() >= HEX_MIN {
        return take(Part::Hex, 0, text);
    }
    if !run.digit() {
        return take(Part::Letters, 0, text);
    }
    if run.turns.count_ones() > TURNS_MAX || text.len() >= WORD_BYTES {
        return take(Part::Mixed, 0, text);
    }
    let (mut start, mut rest) = (0, run.turns);
    while start < text.len() {
        let end = if rest == 0 { text.len() } else { rest.trailing_zeros() as usize };
        rest &= rest.wrapping_sub(1);
        let part = &text[start..end];
        if is_digit(part[0]) {
            take_digits(start, part, take);
        } else {
            take(Part::Letters, start, part);
        }
        start = end;
    }
}

/// A slot's value: a number, how far a time is from its record's, or where any other stands in its piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Var(u64);

impl Var {
    pub(super) fn place(start: usize, end: usize) -> Self {
        let at = |at| u64::from(u32::try_from(at).unwrap_or(u32::MAX));
        Self(at(end) << 32 | at(start))
    }

    pub(super) fn text(self, piece: &[u8]) -> &[u8] {
        let (start, end) = (self.0 & u64::from(u32::MAX), self.0 >> 32);
        let at = |at| usize::try_from(at).unwrap_or(usize::MAX);
        piece.get(at(start)..at(end)).unwrap_or_default()
    }

    fn apart(units: i64) -> Self {
        Self(units.cast_unsigned())
    }

    fn number(number: Number) -> Self {
        Self(number.bits())
    }

    pub(super) fn to_number(self) -> Number {
        Number::from_bits(self.0)
    }

    pub(super) fn plain(self) -> u64 {
        self.0
    }

    pub(super) fn units(self) -> i64 {
        self.0.cast_signed()
    }
}

/// Appends `piece[start..end]`. Texts between slots are short: a copy of fixed length is much cheaper than a call.
fn push(key: &mut Vec<u8>, piece: &[u8], start: usize, end: usize) {
    let len = end - start;
    match piece[start..].first_chunk::<16>() {
        Some(chunk) if len <= chunk.len() => {
            let before = key.len();
            key.extend_from_slice(chunk);
            key.truncate(before + len);
        }
        _ => key.extend_from_slice(&piece[start..end]),
    }
}

/// Cuts pieces, one after the other, into the same buffers.
#[derive(Debug, Default)]
pub(super) struct Tokenizer {
    masks: Masks,
    times: Times,
    /// The template of the piece.
    pub(super) key: Vec<u8>,
    /// The values of its slots.
    pub(super) vars: Vec<Var>,
    /// Bytes of the longest run so far that has a digit.
    pub(super) longest_with_digit: usize,
}

impl Tokenizer {
    /// Cuts `piece`; with `wide`, words are slots too. `false` when the piece has a marker byte.
    pub(super) fn cut(&mut self, piece: &[u8], wide: bool, ids: &RowIds) -> bool {
        if !self.masks.read(piece) {
            return false;
        }
        self.key.clear();
        self.vars.clear();
        let mut kept = 0;
        while let Some((_, end)) = self.next(piece, kept, wide, ids) {
            kept = end;
        }
        push(&mut self.key, piece, kept, piece.len());
        true
    }

    /// Cuts `piece` up to the end of the first fragment behind `kept`: the part of a run, or of some, that has slots.
    /// Returns the fragment's place; text from `kept` on and the fragment are appended to the key.
    fn next(&mut self, piece: &[u8], kept: usize, wide: bool, ids: &RowIds) -> Option<(usize, usize)> {
        let (mut at, before) = (kept, self.key.len());
        loop {
            let (start, end) = self.masks.next(at, wide)?;
            push(&mut self.key, piece, kept, start);
            let long = end - start >= WORD_BYTES;
            let run = if long { Run::of(&piece[start..end], start) } else { self.masks.run(start, end) };
            if let Some(end) = self.fragment(piece, run, wide, ids) {
                return Some((start, end));
            }
            self.key.truncate(before);
            at = end;
        }
    }

    /// Cuts `piece` and shows each fragment: the text before it, what of the key it is, and the text that it stands for.
    /// Returns the text behind the last one; `None` when the piece has a marker byte.
    pub(super) fn fragments<'p>(
        &mut self,
        piece: &'p [u8],
        wide: bool,
        ids: &RowIds,
        mut see: impl FnMut(&'p [u8], &[u8], &'p [u8]),
    ) -> Option<&'p [u8]> {
        if !self.masks.read(piece) {
            return None;
        }
        let mut kept = 0;
        loop {
            self.key.clear();
            self.vars.clear();
            let Some((start, end)) = self.next(piece, kept, wide, ids) else { return piece.get(kept..) };
            see(&piece[kept..start], &self.key[start - kept..], &piece[start..end]);
            kept = end;
        }
    }

    /// Cuts `piece` as `trie` says that it may be cut, and returns the template. What stands in the trie as text is
    /// compared, and only what is a slot there is looked at, so that this is much cheaper than [`cut`](Self::cut). `None`
    /// when the trie does not know such a piece.
    pub(super) fn follow(&mut self, piece: &[u8], trie: &Trie, wide: bool, ids: &RowIds) -> Option<u32> {
        self.vars.clear();
        let (mut node, mut at) = (trie.root()?, 0);
        // Where a text was chosen last though a slot was possible, and the values until there.
        let mut other = None;
        let mut texts = true;
        loop {
            let rest = &piece[at..];
            let found = if texts { trie.text(node, rest) } else { None };
            if let Some((next, len)) = found {
                if node.has_slots() {
                    other = Some((node, at, self.vars.len()));
                }
                (node, at) = (next, at + len);
                continue;
            }
            if rest.is_empty()
                && let Some(template) = node.template()
            {
                return Some(template);
            }
            let next =
                if node.has_slots() { self.follow_slot(piece, at, trie, node, wide, ids) } else { None };
            texts = next.is_some();
            (node, at) = if let Some(next) = next {
                next
            } else {
                let (node, at, vars) = other.take()?;
                self.vars.truncate(vars);
                (node, at)
            };
        }
    }

    /// The node behind the slot of `node` that stands at `at`, and where that ends.
    #[expect(clippy::inline_always, reason = "a tenth of the instructions of `follow`")]
    #[inline(always)]
    fn follow_slot<'t>(
        &mut self,
        piece: &[u8],
        at: usize,
        trie: &'t Trie,
        node: &Node,
        wide: bool,
        ids: &RowIds,
    ) -> Option<(&'t Node, usize)> {
        if let Some(next) = trie.number(node)
            && let Some(end) = self.follow_number(piece, at)
        {
            return Some((next, end));
        }
        let run = Run::read(piece, at)?;
        if run.end == at {
            return None;
        }
        self.key.clear();
        let end = self.fragment(piece, run, wide, ids)?;
        Some((trie.slot(node, &self.key)?, end))
    }

    /// Takes the run at `at` when it has nothing but digits and is no part of a time or of a dotted value; returns its end.
    #[inline]
    fn follow_number(&mut self, piece: &[u8], at: usize) -> Option<usize> {
        let len = digits(piece.get(at..)?);
        let end = at + len;
        match (piece.get(end).copied().unwrap_or(0), len) {
            (_, 0 | VECTOR_BYTES..) | (b'.', _) | (b'-', 4) | (b'/' | b':', 2) => return None,
            (after, _) if is_run_byte(after) => return None,
            _ => {}
        }
        self.longest_with_digit = self.longest_with_digit.max(len);
        self.vars.push(Var::number(Number::read(piece, end, len)));
        Some(end)
    }

    /// Appends what `run` is in a template, and returns up to where. `None` when it has no slot.
    #[expect(clippy::inline_always, reason = "a tenth of the instructions of `follow`")]
    #[inline(always)]
    fn fragment(&mut self, piece: &[u8], run: Run, wide: bool, ids: &RowIds) -> Option<usize> {
        let (len, after) = (run.end - run.start, piece.get(run.end).copied().unwrap_or(0));
        let taken = if run.letter() {
            let klog = len == 5 && after == b' ' && run.digit() && run.plain() && !is_digit(piece[run.start]);
            if klog { self.time(piece, &run, run.start + 1, ids) } else { None }
        } else {
            match (after, len) {
                (b'-', 4) | (b'/' | b':', 2) => self.time(piece, &run, run.start, ids),
                (b'.', _) => self.dotted(piece, &run),
                _ => None,
            }
        };
        if taken.is_some() {
            return taken;
        }
        self.take(piece, run, wide, ids)
    }

    /// Takes the time that begins at `start`, in `run`; returns its end.
    #[inline]
    fn time(&mut self, piece: &[u8], run: &Run, start: usize, ids: &RowIds) -> Option<usize> {
        let found = self.times.read(piece.get(start..)?, ids.ts_ns?)?;
        push(&mut self.key, piece, run.start, start);
        self.key.push(TIME);
        self.key.extend_from_slice(&found.stamp.to_bytes());
        self.vars.push(Var::apart(found.apart));
        self.longest_with_digit = self.longest_with_digit.max(found.len);
        Some(start + found.len)
    }

    /// Takes the decimal number or address that begins with `run`; returns its end.
    #[inline]
    fn dotted(&mut self, piece: &[u8], run: &Run) -> Option<usize> {
        let found = dotted::read(piece, run.start, run.end)?;
        self.vars.push(match found.dotted {
            Dotted::Decimal(scaled, behind) => {
                self.key.push(DECIMAL);
                self.key.push(b'0' + u8::try_from(behind).unwrap_or(0));
                Var(scaled)
            }
            Dotted::Address(address) => {
                self.key.push(ADDRESS);
                Var(address.into())
            }
        });
        self.longest_with_digit = self.longest_with_digit.max(found.run_end - run.start);
        Some(found.end)
    }

    /// Takes what of `run` goes into slots and the rest of it; `None` when nothing does.
    #[inline]
    fn take(&mut self, piece: &[u8], run: Run, wide: bool, ids: &RowIds) -> Option<usize> {
        let len = run.end - run.start;
        if run.digit() {
            self.longest_with_digit = self.longest_with_digit.max(len);
        } else if !wide && (run.plain() || len < HEX_MIN) {
            return None;
        }
        if len < SPAN_DIGITS && !run.letter() {
            self.key.push(DIGITS);
            self.vars.push(Var::number(Number::read(piece, run.end, len)));
            return Some(run.end);
        }
        let text = &piece[run.start..run.end];
        if len >= SPAN_DIGITS {
            if len == TRACE_DIGITS && ids.trace().is_some_and(|id| id == text) {
                self.key.push(TRACE);
                return Some(run.end);
            }
            if len == SPAN_DIGITS && ids.span().is_some_and(|id| id == text) {
                self.key.push(SPAN);
                return Some(run.end);
            }
        }
        let (key, vars) = (&mut self.key, &mut self.vars);
        parts_of(text, run, &mut |part, at, text| {
            let (start, end) = (run.start + at, run.start + at + text.len());
            key.push(match part {
                Part::Digits => {
                    vars.push(Var::number(Number::read(piece, end, text.len())));
                    return key.push(DIGITS);
                }
                Part::Hex => HEX,
                Part::Mixed => WORD,
                Part::Letters if wide => WORD,
                Part::Letters => return key.extend_from_slice(text),
            });
            vars.push(Var::place(start, end));
        });
        Some(run.end)
    }
}

const _: () = assert!(MARKER_MIN == 0xF8, "masks take these bytes for markers");
