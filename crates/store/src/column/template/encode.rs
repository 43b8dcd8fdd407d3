//! Finds the templates of a block of values and writes them.

use super::super::KeyMap;
use super::super::ints::{write_ints, write_signed, write_u32s};
use super::super::number::Number;
use super::super::segment::SegmentWriter;
use super::super::text::{write_numbers, write_plain, write_same, write_slot};
use super::time::{STAMP_BYTES, Stamp};
use super::tokens::{Tokenizer, Var};
use super::{ADDRESS, DECIMAL, DIGITS, MARKER_MIN, RowIds, SPAN, TIME, TRACE, WORD};

/// Templates of one block and tokeniser; further ones count as rare.
const TEMPLATES_MAX: usize = 8192;
/// A template of fewer pieces is rare.
const RARE_PIECES: usize = 8;
/// With more templates than this, the bar for rare rises with the block.
const TEMPLATES_FEW: usize = 256;
/// The highest bar.
const RARE_PIECES_MAX: usize = 64;

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
    fn new(key: &[u8]) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    fn push(&mut self, piece: u32, vars: &[Var]) {
        self.pieces.push(piece);
        self.vars.extend_from_slice(vars);
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

/// The templates that one tokeniser found.
#[derive(Debug, Default)]
struct Table {
    by_key: KeyMap<Box<[u8]>, u32>,
    templates: Vec<Template>,
}

/// After this many pieces the first tokeniser, when it found a new template for one in [`HOPELESS_SHARE`] of them, is given up.
const HOPELESS_PIECES: usize = 4096;
const HOPELESS_SHARE: usize = 4;

/// No template: the piece is kept whole.
const NONE: u32 = u32::MAX;

impl Table {
    fn take(&mut self, key: &[u8], piece: u32, vars: &[Var]) -> u32 {
        let at = match self.by_key.get(key) {
            Some(at) => *at,
            None if self.templates.len() >= TEMPLATES_MAX => return NONE,
            None => {
                let at = u32::try_from(self.templates.len()).unwrap_or(NONE);
                self.by_key.insert(key.into(), at);
                self.templates.push(Template::new(key));
                at
            }
        };
        if let Some(template) = self.templates.get_mut(at as usize) {
            template.push(piece, vars);
        }
        at
    }

    fn is_rare(&self, at: u32, bar: usize) -> bool {
        self.templates.get(at as usize).is_none_or(|template| template.pieces.len() < bar)
    }

    fn bar(&self, pieces: usize) -> usize {
        if self.templates.len() <= TEMPLATES_FEW {
            return RARE_PIECES;
        }
        (pieces / 1024).clamp(RARE_PIECES, RARE_PIECES_MAX)
    }
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
    /// Sorts `values` into templates; `ids` has the ids of each value's row, or is empty.
    #[must_use]
    pub fn find(values: &[&'a [u8]], ids: &[RowIds]) -> Self {
        let mut per_row = Vec::with_capacity(values.len());
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            let before = pieces.len();
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            cut(value, |piece| pieces.push((piece, row)));
            per_row.push(u32::try_from(pieces.len() - before).unwrap_or(u32::MAX));
        }
        let mut tokenizer = Tokenizer::default();
        let (mut narrow, mut wide) = (Table::default(), Table::default());
        let mut codes = sort(&mut narrow, &pieces, ids, &mut tokenizer, false, |_| true);
        let bar = narrow.bar(pieces.len());
        let rare = |at: usize| narrow.is_rare(codes.get(at).copied().unwrap_or(NONE), bar);
        let wide_codes = sort(&mut wide, &pieces, ids, &mut tokenizer, true, rare);
        let wide_bar = wide.bar(pieces.len());
        let mut found = Vec::new();
        let narrow_map = keep(narrow, bar, &mut found);
        let worded = found.iter().map(|template| template.pieces.len()).sum();
        let wide_map = keep(wide, wide_bar, &mut found);
        let mut whole = Template::new(&[WORD]);
        let whole_code = u32::try_from(found.len()).unwrap_or(NONE);
        for (at, (code, wide_code)) in (0..).zip(codes.iter_mut().zip(&wide_codes)) {
            let kept = narrow_map.get(*code as usize).copied().filter(|at| *at != NONE);
            let kept = kept.or_else(|| wide_map.get(*wide_code as usize).copied().filter(|at| *at != NONE));
            *code = kept.unwrap_or_else(|| {
                let len = pieces.get(at as usize).map_or(0, |(piece, _)| piece.len());
                whole.push(at, &[Var::place(0, len)]);
                whole_code
            });
        }
        found.push(whole);
        let longest_with_digit = tokenizer.longest_with_digit;
        Self { pieces, per_row, codes, found, worded, longest_with_digit }
    }

    /// Whether at least half of the pieces share all their words with others: then no other form comes near.
    #[must_use]
    pub fn are_certain(&self) -> bool {
        self.worded * 2 >= self.codes.len()
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
                        see(Seen::Words(&values));
                        write_words(writer, marker, &values);
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

fn write_words(writer: &mut SegmentWriter, marker: u8, values: &[&[u8]]) {
    match values.first() {
        Some(first) if values.iter().all(|value| value == first) => write_same(writer, first),
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

/// Tokenises the pieces that `wanted` names and returns each piece's template, [`NONE`] for the others.
fn sort(
    table: &mut Table,
    pieces: &[Piece<'_>],
    ids: &[RowIds],
    tokenizer: &mut Tokenizer,
    wide: bool,
    wanted: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let no_ids = RowIds::default();
    let mut codes = Vec::with_capacity(pieces.len());
    for (number, (piece, row)) in (0..).zip(pieces) {
        let at = codes.len();
        if at == HOPELESS_PIECES && !wide && table.templates.len() * HOPELESS_SHARE > at {
            *table = Table::default();
            return vec![NONE; pieces.len()];
        }
        if !wanted(at) {
            codes.push(NONE);
            continue;
        }
        let ids = ids.get(*row as usize).unwrap_or(&no_ids);
        let fits = tokenizer.cut(piece, wide, ids);
        codes.push(if fits { table.take(&tokenizer.key, number, &tokenizer.vars) } else { NONE });
    }
    codes
}

/// Moves the templates that are not rare into `templates`; returns their new codes, [`NONE`] for the rare ones.
fn keep(table: Table, bar: usize, templates: &mut Vec<Template>) -> Vec<u32> {
    let mut codes = Vec::with_capacity(table.templates.len());
    for template in table.templates {
        if template.pieces.len() < bar {
            codes.push(NONE);
        } else {
            codes.push(u32::try_from(templates.len()).unwrap_or(NONE));
            templates.push(template);
        }
    }
    codes
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
