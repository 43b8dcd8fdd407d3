//! Reads template columns: any value alone, and which values can contain a text without building them.

use super::super::Decoded;
use super::super::ints::{read_ints, read_signed, read_u32s};
use super::super::segment::{COLUMN_VALUES_MAX, SegmentReader};
use super::super::text::TextColumn;
use super::dotted::{FRACTION_DIGITS_MAX, write_address, write_decimal};
use super::encode::{KeyPart, parts};
use super::time::Stamp;
use super::tokens::{is_digit, is_id_byte, is_plain_letter};
use super::{ADDRESS, RowIds, SPAN, TRACE, WORD};
use crate::error::Damage;
use memchr::memmem;

/// Most templates a column may claim.
const TEMPLATES_CLAIM_MAX: usize = 1 << 20;

#[derive(Debug)]
enum Part {
    /// Stays the same: a range of the template's key.
    Text(std::ops::Range<usize>),
    /// A slot: index into the column's slots.
    Slot(usize),
    /// A time: how it is written, and the index into the column's times.
    Time(Stamp, usize),
    /// Digits behind the point, and the index into the column's numbers.
    Decimal(usize, usize),
    /// Index into the column's numbers.
    Address(usize),
    Trace,
    Span,
}

#[derive(Debug)]
struct Template {
    key: Vec<u8>,
    parts: Vec<Part>,
    has_words: bool,
}

/// A decoded template column.
#[derive(Debug)]
pub struct TemplateColumn {
    /// First piece of each value, and one past the last.
    starts: Vec<u32>,
    /// Template of each piece.
    codes: Vec<u32>,
    /// How many pieces before it have the same template.
    ranks: Vec<u32>,
    templates: Vec<Template>,
    slots: Vec<TextColumn>,
    /// Differences to the times of the rows.
    times: Vec<Vec<i64>>,
    /// Decimal numbers without their point, and addresses.
    numbers: Vec<Vec<u64>>,
}

impl TemplateColumn {
    /// Reads a column of `count` values.
    ///
    /// # Errors
    /// When the bytes are not such a column.
    pub(crate) fn read(reader: &mut SegmentReader, count: usize) -> Decoded<Self> {
        let per_row = read_u32s(reader, count, COLUMN_VALUES_MAX)?;
        let pieces = per_row.iter().map(|pieces| *pieces as usize).sum::<usize>();
        if pieces > COLUMN_VALUES_MAX {
            return Err(Damage::new("a column claims too many pieces"));
        }
        let templates = reader.count()?;
        if templates > TEMPLATES_CLAIM_MAX {
            return Err(Damage::new("a column claims too many templates"));
        }
        let keys = (0..templates).map(|_| reader.bytes().map(<[u8]>::to_vec)).collect::<Decoded<Vec<_>>>()?;
        let codes = read_u32s(reader, pieces, templates.saturating_sub(1))?;
        reader.reserve(pieces * 8 + templates * 64)?;
        let mut used = vec![0_u32; templates];
        let mut ranks = Vec::with_capacity(pieces);
        for code in &codes {
            let used =
                used.get_mut(*code as usize).ok_or_else(|| Damage::new("a template code points nowhere"))?;
            ranks.push(*used);
            *used += 1;
        }
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        for pieces in per_row {
            starts.push(starts.last().copied().unwrap_or(0) + pieces);
        }
        let templates = Vec::with_capacity(templates);
        let mut column = Self {
            starts,
            codes,
            ranks,
            templates,
            slots: Vec::new(),
            times: Vec::new(),
            numbers: Vec::new(),
        };
        for (key, used) in keys.into_iter().zip(used) {
            column.push_template(reader, key, used as usize)?;
        }
        Ok(column)
    }

    fn push_template(&mut self, reader: &mut SegmentReader, key: Vec<u8>, used: usize) -> Decoded<()> {
        let (mut found, mut end) = (Vec::new(), 0);
        for part in parts(&key) {
            let start = end;
            end += part.len();
            found.push(match part {
                KeyPart::Text(_) => Part::Text(start..end),
                KeyPart::Marker(TRACE) => Part::Trace,
                KeyPart::Marker(SPAN) => Part::Span,
                KeyPart::Marker(ADDRESS) => {
                    self.numbers.push(read_ints(reader, used)?);
                    Part::Address(self.numbers.len() - 1)
                }
                KeyPart::Decimal(digits) => {
                    let behind = usize::from(digits.wrapping_sub(b'0'));
                    if !(1..=FRACTION_DIGITS_MAX).contains(&behind) {
                        return Err(Damage::new("a decimal number is written in an unknown way"));
                    }
                    self.numbers.push(read_ints(reader, used)?);
                    Part::Decimal(behind, self.numbers.len() - 1)
                }
                KeyPart::Marker(_) => {
                    self.slots.push(TextColumn::read(reader, used)?);
                    Part::Slot(self.slots.len() - 1)
                }
                KeyPart::Time(stamp) => {
                    let stamp = stamp.ok_or_else(|| Damage::new("a time is written in an unknown way"))?;
                    self.times.push(read_signed(reader, used)?);
                    Part::Time(stamp, self.times.len() - 1)
                }
            });
        }
        let has_words = key.contains(&WORD);
        self.templates.push(Template { key, parts: found, has_words });
        Ok(())
    }

    fn pieces(&self, at: usize) -> std::ops::Range<usize> {
        let start = self.starts.get(at).copied().unwrap_or(0);
        let end = self.starts.get(at + 1).copied().unwrap_or(start);
        start as usize..end as usize
    }

    /// Appends value `at`; `ids` are those of its row.
    pub fn append(&self, at: usize, ids: &RowIds, out: &mut Vec<u8>) {
        for piece in self.pieces(at) {
            let (Some(code), Some(rank)) = (self.codes.get(piece), self.ranks.get(piece)) else { return };
            let Some(template) = self.templates.get(*code as usize) else { return };
            for part in &template.parts {
                match part {
                    Part::Text(range) => {
                        out.extend_from_slice(template.key.get(range.clone()).unwrap_or_default());
                    }
                    Part::Slot(slot) => {
                        if let Some(slot) = self.slots.get(*slot) {
                            slot.append(*rank as usize, ids, out);
                        }
                    }
                    Part::Time(stamp, column) => {
                        let apart = self.times.get(*column).and_then(|column| column.get(*rank as usize));
                        stamp.write(ids.ts_ns.unwrap_or(0), apart.copied().unwrap_or(0), out);
                    }
                    Part::Decimal(behind, column) => write_decimal(self.number(*column, *rank), *behind, out),
                    Part::Address(column) => write_address(self.number(*column, *rank), out),
                    Part::Trace => out.extend_from_slice(ids.trace().as_ref().map_or(&[], |id| &id[..])),
                    Part::Span => out.extend_from_slice(ids.span().as_ref().map_or(&[], |id| &id[..])),
                }
            }
        }
    }

    fn number(&self, column: usize, rank: u32) -> u64 {
        self.numbers.get(column).and_then(|column| column.get(rank as usize)).copied().unwrap_or(0)
    }

    /// For each template whether a piece of it can contain the needle.
    #[must_use]
    pub fn verdicts(&self, needle: &Needle) -> Vec<Verdict> {
        self.templates.iter().map(|template| needle.judge(template)).collect()
    }

    /// Whether value `at` contains the needle, judged by its pieces' templates.
    #[must_use]
    pub fn judge(&self, at: usize, verdicts: &[Verdict]) -> Verdict {
        let codes = self.codes.get(self.pieces(at)).unwrap_or_default();
        let of = |code: &u32| verdicts.get(*code as usize).copied().unwrap_or(Verdict::Maybe);
        codes.iter().map(of).max().unwrap_or(Verdict::Never)
    }
}

/// What a template says about a needle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No piece of it contains the needle.
    Never,
    /// The piece must be built and looked at.
    Maybe,
    /// Every piece of it contains the needle.
    Always,
}

/// A text to look for.
#[derive(Debug)]
pub struct Needle {
    bytes: Vec<u8>,
    /// Parts that can only stand in a template's own text, when the template has no word slots.
    fixed: Vec<Vec<u8>>,
    /// The needle may reach over the cut between two pieces.
    crosses: bool,
}

impl Needle {
    /// Prepares `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let crosses = memchr::memchr2(b'\n', b'\\', bytes).is_some();
        Self { bytes: bytes.to_vec(), fixed: fixed_parts(bytes), crosses }
    }

    /// The bytes looked for.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn judge(&self, template: &Template) -> Verdict {
        let holds = |needle: &[u8]| {
            template.parts.iter().any(|part| match part {
                Part::Text(range) => {
                    memmem::find(template.key.get(range.clone()).unwrap_or_default(), needle).is_some()
                }
                _ => false,
            })
        };
        let in_slot = |fixed: &[u8]| {
            template.parts.iter().any(|part| match part {
                Part::Time(stamp, _) => stamp.may_hold(fixed),
                Part::Decimal(..) | Part::Address(_) => fixed == b".",
                _ => false,
            })
        };
        let possible = |fixed: &Vec<u8>| holds(fixed) || in_slot(fixed);
        if holds(&self.bytes) {
            Verdict::Always
        } else if !self.crosses && !template.has_words && !self.fixed.iter().all(possible) {
            Verdict::Never
        } else {
            Verdict::Maybe
        }
    }
}

/// The parts of a needle that no slot but a word can hold: delimiters, and runs of letters with one that is not a hex
/// digit. A slot covers a whole run of letters and digits or the digits of one, and is never empty, so neighbouring
/// parts stand together in the template's text. A time, a decimal number and an address begin and end with a digit, so
/// they are not both in one and beside it.
fn fixed_parts(needle: &[u8]) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut joined = false;
    let same = |a: &u8, b: &u8| kind(*a) == kind(*b);
    for run in needle.chunk_by(same) {
        let fixed = match kind(run[0]) {
            Kind::Delimiter => true,
            Kind::Letter => run.iter().any(|byte| is_plain_letter(*byte)),
            Kind::Digit => false,
        };
        match parts.last_mut() {
            Some(last) if joined && fixed => last.extend_from_slice(run),
            _ if fixed => parts.push(run.to_vec()),
            _ => {}
        }
        joined = fixed;
    }
    parts
}

#[derive(PartialEq)]
enum Kind {
    Delimiter,
    Letter,
    Digit,
}

fn kind(byte: u8) -> Kind {
    if is_digit(byte) {
        Kind::Digit
    } else if is_id_byte(byte) || is_plain_letter(byte) {
        Kind::Letter
    } else {
        Kind::Delimiter
    }
}
