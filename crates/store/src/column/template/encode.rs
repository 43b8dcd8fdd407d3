//! Finds the templates of a block of values and writes them.

use super::super::ints::{write_ints, write_signed, write_u32s};
use super::super::number::Number;
use super::super::segment::SegmentWriter;
use super::super::text::{write_numbers, write_plain, write_same, write_slot};
use super::sort::{Learned, Sorted, sort};
use super::time::{STAMP_BYTES, Stamp};
use super::tokens::Var;
use super::{ADDRESS, DECIMAL, DIGITS, MARKER_MIN, RowIds, SPAN, TIME, TRACE};

/// Bytes of a line of a stack trace, roughly: for what there is to be room.
const PIECE_BYTES: usize = 128;

/// A piece of a value, and the value's row.
pub(super) type Piece<'a> = (&'a [u8], u32);

/// A template found, with where its slots' values stand.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) key: Box<[u8]>,
    /// Indices of its pieces.
    pub(super) pieces: Vec<u32>,
    /// The values of each piece, one piece after the other.
    vars: Vec<Var>,
}

impl Template {
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Makes room for about so many pieces.
    pub(super) fn reserve(&mut self, pieces: usize) {
        let pieces = pieces + pieces / 8;
        self.pieces.reserve(pieces);
        self.vars.reserve(pieces * self.slots().count());
    }

    pub(super) fn push(&mut self, piece: u32, vars: &[Var]) {
        self.pieces.push(piece);
        self.vars.extend_from_slice(vars);
    }

    /// Puts the pieces into their order, as readers count them.
    pub(super) fn order(&mut self) {
        if self.pieces.is_sorted() {
            return;
        }
        let slots = self.vars.len() / self.pieces.len().max(1);
        let mut order: Vec<(u32, usize)> = self.pieces.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let vars = |at: usize| self.vars.get(at * slots..(at + 1) * slots).unwrap_or_default();
        self.vars = order.iter().flat_map(|(_, at)| vars(*at)).copied().collect();
        self.pieces = order.into_iter().map(|(piece, _)| piece).collect();
    }

    /// The parts of the key that are slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = KeyPart<'_>> {
        parts(&self.key).filter(|part| !matches!(part, KeyPart::Marker(TRACE | SPAN) | KeyPart::Text(_)))
    }

    fn vars(&self, (slot, slots): (usize, usize)) -> impl Iterator<Item = Var> {
        self.vars.iter().copied().skip(slot).step_by(slots.max(1))
    }

    /// Puts the values of slot `slot` of `slots` into `values`.
    fn values<'a>(&self, place: (usize, usize), all: &[Piece<'a>], values: &mut Vec<&'a [u8]>) {
        values.clear();
        values.extend(self.pieces.iter().zip(self.vars(place)).map(|(piece, var)| {
            let text = all.get(*piece as usize).map_or(&[][..], |(text, _)| *text);
            var.text(text)
        }));
    }
}

/// A part of a template's key.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyPart<'k> {
    Text(&'k [u8]),
    Marker(u8),
    /// `None` when the key is damaged.
    Time(Option<Stamp>),
    /// With the digits behind the point, as ASCII.
    Decimal(u8),
}

impl KeyPart<'_> {
    /// Bytes of the key that it takes.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Marker(_) => 1,
            Self::Time(_) => 1 + STAMP_BYTES,
            Self::Decimal(_) => 2,
        }
    }
}

/// The parts of a template's key.
pub(super) fn parts(key: &[u8]) -> impl Iterator<Item = KeyPart<'_>> {
    let mut rest = key;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let part = match *first {
            TIME => {
                let stamp = after.first_chunk::<STAMP_BYTES>();
                rest = after.get(STAMP_BYTES..).unwrap_or_default();
                return Some(KeyPart::Time(stamp.and_then(|bytes| Stamp::from_bytes(*bytes))));
            }
            DECIMAL => {
                let (digits, after) =
                    after.split_first().map_or((0, after), |(digits, after)| (*digits, after));
                rest = after;
                return Some(KeyPart::Decimal(digits));
            }
            marker @ MARKER_MIN.. => {
                rest = after;
                return Some(KeyPart::Marker(marker));
            }
            _ => {
                let end = rest.iter().position(|byte| *byte >= MARKER_MIN).unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                rest = after;
                KeyPart::Text(text)
            }
        };
        Some(part)
    })
}

/// The values of a block, cut and sorted into templates.
#[derive(Debug)]
pub struct Templates<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// Pieces of each value.
    per_row: Vec<u32>,
    /// Template of each piece.
    codes: Vec<u32>,
    /// The last one has the pieces that are kept whole.
    pub(super) found: Vec<Template>,
    /// Pieces whose template has their words.
    worded: usize,
    /// Bytes of the longest run with a digit, but of those in pieces that are kept whole.
    pub(super) longest_with_digit: usize,
}

impl<'a> Templates<'a> {
    /// Sorts `values` into templates; `ids` has the ids of each value's row, or is empty. `learned` is what a block of the
    /// same kind left there.
    #[must_use]
    pub fn find(values: &[&'a [u8]], ids: &[RowIds], learned: &mut Learned) -> Self {
        let mut per_row = Vec::with_capacity(values.len());
        let bytes: usize = values.iter().map(|value| value.len()).sum();
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(values.len() + bytes / PIECE_BYTES);
        for (row, value) in values.iter().enumerate() {
            let before = pieces.len();
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            cut(value, |piece| pieces.push((piece, row)));
            per_row.push(u32::try_from(pieces.len() - before).unwrap_or(u32::MAX));
        }
        let Sorted { codes, found, worded, longest_with_digit } = sort(&pieces, ids, learned);
        Self { pieces, per_row, codes, found, worded, longest_with_digit }
    }

    /// Whether at least half of the pieces share all their words with others, or half of all bytes stand in templates:
    /// then no other form comes near.
    #[must_use]
    pub fn are_certain(&self) -> bool {
        let all: usize = self.pieces.iter().map(|(piece, _)| piece.len()).sum();
        let shared: usize =
            self.found.iter().map(|template| template.pieces.len() * template.key.len()).sum();
        self.worded * 2 >= self.codes.len() || shared * 2 >= all
    }

    /// Appends the column.
    pub fn write(&self, writer: &mut SegmentWriter) {
        self.write_with(writer, |_| {});
    }

    /// Appends the column and shows what stands in each slot, but no times and no pieces that are kept whole.
    pub(super) fn write_with(&self, writer: &mut SegmentWriter, mut see: impl FnMut(Seen<'_, 'a>)) {
        write_u32s(writer, &self.per_row);
        writer.count(self.found.len());
        for template in &self.found {
            writer.bytes(&template.key);
        }
        write_u32s(writer, &self.codes);
        let (mut values, mut numbers) = (Vec::new(), Vec::new());
        let (whole, templates) =
            self.found.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
        for template in templates {
            let slots = template.slots().count();
            for (slot, part) in template.slots().enumerate() {
                let place = (slot, slots);
                let vars = template.vars(place);
                match part {
                    KeyPart::Time(_) => write_signed(writer, &vars.map(Var::units).collect::<Vec<_>>()),
                    KeyPart::Decimal(_) | KeyPart::Marker(ADDRESS) => {
                        let plain: Vec<u64> = vars.map(Var::plain).collect();
                        see(if let KeyPart::Decimal(digits) = part {
                            Seen::Decimals(&plain, digits)
                        } else {
                            Seen::Addresses(&plain)
                        });
                        write_ints(writer, &plain);
                    }
                    KeyPart::Marker(DIGITS) => {
                        numbers.clear();
                        numbers.extend(vars.map(Var::to_number));
                        see(Seen::Numbers(&numbers));
                        write_numbers(writer, &numbers);
                    }
                    KeyPart::Marker(marker) => {
                        template.values(place, &self.pieces, &mut values);
                        let distinct = write_words(writer, marker, &values);
                        see(Seen::Words(distinct.as_ref().unwrap_or(&values)));
                    }
                    KeyPart::Text(_) => {}
                }
            }
        }
        if let Some(template) = whole {
            template.values((0, 1), &self.pieces, &mut values);
            write_plain(writer, &values);
        }
    }
}

/// Appends a slot's values and returns the distinct ones, when they are known.
fn write_words<'a>(writer: &mut SegmentWriter, marker: u8, values: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    match values.first() {
        Some(first) if values.iter().all(|value| value == first) => {
            write_same(writer, first);
            Some(vec![*first])
        }
        _ => write_slot(writer, marker, values),
    }
}

/// What stands in a slot.
pub(super) enum Seen<'s, 'a> {
    Numbers(&'s [Number]),
    /// With the digits behind the point, as ASCII.
    Decimals(&'s [u64], u8),
    Addresses(&'s [u64]),
    Words(&'s [&'a [u8]]),
}

/// Cuts `value` after each newline and before each `\n` of two characters, so that a text that reaches over a cut has a
/// newline or a backslash in it.
fn cut<'a>(value: &'a [u8], mut on_piece: impl FnMut(&'a [u8])) {
    let mut start = 0;
    for at in memchr::memchr2_iter(b'\n', b'\\', value) {
        let end = match value.get(at) {
            Some(b'\n') => at + 1,
            _ if value.get(at + 1) == Some(&b'n') && at > start => at,
            _ => continue,
        };
        on_piece(value.get(start..end).unwrap_or_default());
        start = end;
    }
    let last = value.get(start..).unwrap_or_default();
    if !last.is_empty() {
        on_piece(last);
    }
}
