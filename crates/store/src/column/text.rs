//! Text columns: a block's values of one field. Each column is stored in the form that suits it; see [`write_text`].

use super::Decoded;
use super::distinct::Distinct;
use super::ints::{read_ints, read_u32s, write_ints, write_repeated, write_u32s};
use super::line_filter::LineFilterBuilder;
use super::number::Number;
use super::segment::{SegmentReader, SegmentWriter};
use super::template::{self, Learned, RowIds, TemplateColumn, Templates};
use crate::error::Damage;

const CONSTANT: u64 = 0;
const DICTIONARY: u64 = 1;
const DIGITS: u64 = 2;
const HEX: u64 = 3;
const PLAIN: u64 = 4;
const TEMPLATE: u64 = 5;

/// Most digits of a number column.
const DIGITS_MAX: usize = 19;
/// Shortest hex value that is worth packing.
const HEX_BYTES_MIN: usize = 4;
/// Values looked at before a dictionary is given up.
const SAMPLE_VALUES: usize = 1024;
/// It is given up as well when none of the first values came twice, of so many times the square root of all: were half
/// of all distinct, two of them would have met.
const SAMPLE_ROOTS: usize = 3;
/// Values of one run of the sample that decides on templates, and the number of runs.
const TRIAL_VALUES: usize = 256;
const TRIAL_RUNS: usize = 4;
/// Below this many values templates are not tried.
const TEMPLATE_VALUES_MIN: usize = 64;
/// With at most one distinct value in this many, a dictionary is taken without a trial.
const DICTIONARY_VALUES: usize = 32;

/// Appends values of a field: one value, numbers, hex ids, a dictionary, templates or plain text, whichever is smallest.
pub fn write_text(writer: &mut SegmentWriter, values: &[&[u8]]) {
    if write_constant(writer, values) || write_digits(writer, values) {
        return;
    }
    let dictionary = Dictionary::find(values, values.len() / 2);
    let distinct = dictionary.as_ref().map_or(usize::MAX, |found| found.values.len());
    if distinct > values.len() / 4 && write_hex(writer, values) {
        return;
    }
    let few = distinct.saturating_mul(DICTIONARY_VALUES) <= values.len();
    if !few && values.len() >= TEMPLATE_VALUES_MIN {
        let trial = Trial::of(values, &[]);
        let other =
            dictionary.as_ref().map_or_else(|| trial.plain(), |found| found.bytes_of(trial.values.len()));
        if trial.templates() < other {
            write_templates(writer, values, &[]);
            return;
        }
    }
    match dictionary {
        Some(dictionary) => dictionary.write(writer),
        None => write_plain(writer, values),
    }
}

/// Appends log lines: templates when most lines share their words, or when a sample of the block says that they pay,
/// else plain text. `ids` has those of each line's record, or is empty. The lines' words go into `filter`, but for the
/// trace ids. `learned` is what the block before left there.
pub fn write_lines(
    writer: &mut SegmentWriter,
    lines: &[&[u8]],
    ids: &[RowIds],
    filter: &mut LineFilterBuilder,
    learned: &mut Learned,
) {
    let trace = |at: usize| ids.get(at).and_then(RowIds::trace);
    if write_constant(writer, lines) {
        lines.iter().take(1).for_each(|line| filter.add_text(line, trace(0).as_ref().map(|id| &id[..])));
        return;
    }
    let templates = Templates::find(lines, ids, learned);
    let trial = (!templates.are_certain()).then(|| Trial::of(lines, ids));
    if trial.is_none_or(|trial| trial.templates() < trial.plain()) {
        writer.number(TEMPLATE);
        templates.write_lines(writer, ids, filter);
    } else {
        write_plain(writer, lines);
        for (at, line) in lines.iter().enumerate() {
            filter.add_text(line, trace(at).as_ref().map(|id| &id[..]));
        }
    }
}

fn write_templates(writer: &mut SegmentWriter, values: &[&[u8]], ids: &[RowIds]) {
    writer.number(TEMPLATE);
    Templates::find(values, ids, &mut Learned::default()).write(writer);
}

/// A sample of a column, to see how small a form makes it.
struct Trial<'a> {
    values: Vec<&'a [u8]>,
    ids: Vec<RowIds>,
}

impl<'a> Trial<'a> {
    fn of(values: &[&'a [u8]], ids: &[RowIds]) -> Self {
        let mut trial = Self { values: Vec::new(), ids: Vec::new() };
        let step = (values.len() / TRIAL_RUNS).max(TRIAL_VALUES);
        for start in (0..values.len()).step_by(step) {
            let end = (start + TRIAL_VALUES).min(values.len());
            trial.values.extend_from_slice(values.get(start..end).unwrap_or_default());
            trial.ids.extend_from_slice(ids.get(start..end).unwrap_or_default());
        }
        trial
    }

    fn templates(&self) -> usize {
        let mut writer = SegmentWriter::new();
        write_templates(&mut writer, &self.values, &self.ids);
        writer.finish().len()
    }

    fn plain(&self) -> usize {
        let mut writer = SegmentWriter::new();
        write_plain(&mut writer, &self.values);
        writer.finish().len()
    }
}

/// Appends a template's slot; its marker says what the values are. Returns the distinct ones, when there are much fewer.
pub(crate) fn write_slot<'a>(
    writer: &mut SegmentWriter,
    marker: u8,
    values: &[&'a [u8]],
) -> Option<Vec<&'a [u8]>> {
    let dictionary = Dictionary::find(values, values.len() / 2);
    let distinct = dictionary.as_ref().map_or(usize::MAX, |found| found.values.len());
    if marker == template::HEX && distinct > values.len() / 4 && write_hex(writer, values) {
        return dictionary.map(|found| found.values);
    }
    match &dictionary {
        Some(dictionary) => dictionary.write(writer),
        None => write_plain(writer, values),
    }
    dictionary.map(|found| found.values)
}

/// Appends one value that all have.
pub(crate) fn write_same(writer: &mut SegmentWriter, value: &[u8]) {
    writer.number(CONSTANT);
    writer.bytes(value);
}

/// Appends lengths and bytes.
pub(crate) fn write_plain(writer: &mut SegmentWriter, values: &[&[u8]]) {
    writer.number(PLAIN);
    let lengths: Vec<u64> = values.iter().map(|value| value.len() as u64).collect();
    write_ints(writer, &lengths);
    for value in values {
        writer.text.extend_from_slice(value);
    }
}

fn write_constant(writer: &mut SegmentWriter, values: &[&[u8]]) -> bool {
    let first = values.first().copied().unwrap_or_default();
    let constant = values.iter().all(|value| *value == first);
    if constant {
        write_same(writer, first);
    }
    constant
}

fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > DIGITS_MAX {
        return None;
    }
    let mut number = 0_u64;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

fn write_digits(writer: &mut SegmentWriter, values: &[&[u8]]) -> bool {
    let first = values.first().map_or(0, |value| value.len());
    let mut numbers = Vec::with_capacity(values.len());
    let (mut same, mut padded) = (true, false);
    for value in values {
        let Some(number) = number(value) else { return false };
        numbers.push(number);
        same &= value.len() == first;
        padded |= is_padded(value);
    }
    writer.number(DIGITS);
    // A width of 0 says "as many digits as the number has"; a number with leading zeros has its width.
    if !padded {
        write_repeated(writer, 0);
    } else if same {
        write_repeated(writer, first as u64);
    } else {
        let width = |value: &&[u8]| if is_padded(value) { value.len() as u64 } else { 0 };
        write_ints(writer, &values.iter().map(width).collect::<Vec<_>>());
    }
    write_ints(writer, &numbers);
    true
}

/// Appends numbers that texts write.
pub(crate) fn write_numbers(writer: &mut SegmentWriter, numbers: &[Number]) {
    let first = numbers.first().map_or(0, |number| number.digits());
    let (mut same, mut padded) = (true, false);
    for number in numbers {
        same &= number.digits() == first;
        padded |= number.is_padded();
    }
    writer.number(DIGITS);
    if !padded {
        write_repeated(writer, 0);
    } else if same {
        write_repeated(writer, first as u64);
    } else {
        let width = |number: &Number| if number.is_padded() { number.digits() as u64 } else { 0 };
        write_ints(writer, &numbers.iter().map(width).collect::<Vec<_>>());
    }
    write_ints(writer, &numbers.iter().map(|number| number.value()).collect::<Vec<_>>());
}

fn is_padded(digits: &[u8]) -> bool {
    digits.len() > 1 && digits.first() == Some(&b'0')
}

/// In [`NIBBLES`]: not a digit.
const NO_DIGIT: u8 = 0x80;

/// The value of each lower-case hex digit.
static NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        nibbles[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    nibbles
};

fn write_hex(writer: &mut SegmentWriter, values: &[&[u8]]) -> bool {
    let width = values.first().map_or(0, |value| value.len());
    let start = writer.raw.len();
    if width < HEX_BYTES_MIN || !pack_hex(values, width, &mut writer.raw) {
        writer.raw.truncate(start);
        return false;
    }
    writer.number(HEX);
    writer.count(width);
    true
}

/// Appends the digits, two to a byte, until a value is not `width` of them.
fn pack_hex(values: &[&[u8]], width: usize, out: &mut Vec<u8>) -> bool {
    let mut pack = |value: &[u8]| {
        let mut seen = 0;
        let mut nibble = |digit: u8| {
            let nibble = NIBBLES[usize::from(digit)];
            seen |= nibble;
            nibble
        };
        let (pairs, last) = value.as_chunks::<2>();
        out.extend(pairs.iter().map(|[high, low]| nibble(*high) << 4 | nibble(*low)));
        out.extend(last.iter().map(|digit| nibble(*digit) << 4));
        seen & NO_DIGIT == 0
    };
    values.iter().all(|value| value.len() == width && pack(value))
}

struct Dictionary<'a> {
    values: Vec<&'a [u8]>,
    codes: Vec<u32>,
}

impl<'a> Dictionary<'a> {
    /// `None` when there are more than `distinct_max` values.
    fn find(values: &[&'a [u8]], distinct_max: usize) -> Option<Self> {
        let roots = SAMPLE_ROOTS * values.len().isqrt();
        let (mut distinct, mut count) = (Distinct::new(values.len()), 0);
        let mut codes: Vec<u32> = Vec::with_capacity(values.len());
        let pays = distinct.number(values, |code| {
            let at = codes.len();
            codes.push(code);
            if code as usize != count {
                return true;
            }
            count += 1;
            let hopeless = at == SAMPLE_VALUES && count * 10 > SAMPLE_VALUES * 9 || at == roots && count > at;
            count <= distinct_max && !hopeless
        });
        pays.then_some(Self { values: distinct.texts, codes })
    }

    /// What `count` of the values take, roughly: their codes, and their share of the texts, which zstd makes about half
    /// as long.
    fn bytes_of(&self, count: usize) -> usize {
        let texts: usize = self.values.iter().map(|value| value.len()).sum();
        let code_bits = self.values.len().max(2).ilog2() as usize + 1;
        count * code_bits / 8 + texts / 2 * count / self.codes.len().max(1)
    }

    fn write(&self, writer: &mut SegmentWriter) {
        writer.number(DICTIONARY);
        writer.count(self.values.len());
        let values = &self.values;
        if !write_constant(writer, values) && !write_digits(writer, values) && !write_hex(writer, values) {
            write_plain(writer, values);
        }
        write_u32s(writer, &self.codes);
    }
}

/// A decoded text column.
#[derive(Debug)]
pub struct TextColumn(Form);

#[derive(Debug)]
enum Form {
    Constant(Vec<u8>),
    Dictionary { values: Box<TextColumn>, codes: Vec<u32> },
    Digits { widths: Vec<u64>, numbers: Vec<u64> },
    Hex { width: usize, bytes: Vec<u8> },
    Plain { ends: Vec<u32>, bytes: Vec<u8> },
    Template(Box<TemplateColumn>),
}

impl TextColumn {
    /// Reads a column of `count` values.
    ///
    /// # Errors
    /// When the bytes are not such a column.
    pub fn read(reader: &mut SegmentReader, count: usize) -> Decoded<Self> {
        let form = match reader.number()? {
            DICTIONARY => {
                let distinct = reader.count()?;
                let values = Box::new(Self(read_flat(reader, distinct)?));
                Form::Dictionary { values, codes: read_u32s(reader, count, distinct.saturating_sub(1))? }
            }
            TEMPLATE => Form::Template(Box::new(TemplateColumn::read(reader, count)?)),
            mode => read_mode(reader, count, mode)?,
        };
        Ok(Self(form))
    }

    /// The templates, when the column has this form.
    #[must_use]
    pub fn templates(&self) -> Option<&TemplateColumn> {
        match &self.0 {
            Form::Template(column) => Some(column),
            _ => None,
        }
    }

    /// Value `at` when it stands in the column as it is; else see [`append`](Self::append).
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&[u8]> {
        match &self.0 {
            Form::Constant(value) => Some(value),
            Form::Dictionary { values, codes } => values.get(*codes.get(at)? as usize),
            Form::Plain { ends, bytes } => {
                let start = at.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
                bytes.get(start as usize..*ends.get(at)? as usize)
            }
            Form::Digits { .. } | Form::Hex { .. } | Form::Template(_) => None,
        }
    }

    /// Appends value `at`, nothing when there is none; `ids` are those of its row.
    pub fn append(&self, at: usize, ids: &RowIds, out: &mut Vec<u8>) {
        if let Some(value) = self.get(at) {
            out.extend_from_slice(value);
            return;
        }
        match &self.0 {
            Form::Dictionary { values, codes } => {
                if let Some(code) = codes.get(at) {
                    values.append(*code as usize, ids, out);
                }
            }
            Form::Digits { widths, numbers } => {
                if let (Some(width), Some(number)) = (widths.get(at), numbers.get(at)) {
                    append_digits(*number, *width, out);
                }
            }
            Form::Hex { width, bytes } => append_hex(*width, bytes, at, out),
            Form::Template(column) => column.append(at, ids, out),
            Form::Constant(_) | Form::Plain { .. } => {}
        }
    }

    /// For each of `count` values whether it equals `wanted`; a dictionary is asked once per distinct value.
    #[must_use]
    pub fn equal(&self, wanted: &[u8], count: usize) -> Vec<bool> {
        if let Form::Dictionary { values, codes } = &self.0 {
            let distinct = codes.iter().max().map_or(0, |max| *max as usize + 1);
            let hits = values.equal(wanted, distinct);
            return codes.iter().map(|code| hits.get(*code as usize) == Some(&true)).collect();
        }
        let mut scratch = Vec::new();
        let mut is_equal = |at| {
            scratch.clear();
            self.append(at, &RowIds::default(), &mut scratch);
            scratch == wanted
        };
        (0..count).map(&mut is_equal).collect()
    }
}

/// A column that is neither a dictionary nor templates; those never nest in a dictionary.
fn read_flat(reader: &mut SegmentReader, count: usize) -> Decoded<Form> {
    let mode = reader.number()?;
    read_mode(reader, count, mode)
}

fn read_mode(reader: &mut SegmentReader, count: usize, mode: u64) -> Decoded<Form> {
    match mode {
        CONSTANT => {
            let value = reader.bytes()?.to_vec();
            reader.reserve(value.len())?;
            Ok(Form::Constant(value))
        }
        DIGITS => Ok(Form::Digits { widths: read_ints(reader, count)?, numbers: read_ints(reader, count)? }),
        HEX => {
            let width = reader.count()?;
            let bytes = reader.raw(width.div_ceil(2).saturating_mul(count))?.to_vec();
            Ok(Form::Hex { width, bytes })
        }
        PLAIN => {
            let mut end = 0_u32;
            let sum = |len: u64| {
                end = u32::try_from(len).ok().and_then(|len| end.checked_add(len))?;
                Some(end)
            };
            let lengths = read_ints(reader, count)?;
            let ends: Option<Vec<u32>> = lengths.into_iter().map(sum).collect();
            let ends = ends.ok_or_else(|| Damage::new("a text column claims more than 4 GiB"))?;
            Ok(Form::Plain { bytes: reader.text(end as usize)?.to_vec(), ends })
        }
        mode => Err(Damage(format!("unknown text form {mode}"))),
    }
}

fn append_digits(mut number: u64, width: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 && at > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let width = usize::try_from(width).unwrap_or(0).clamp(1, digits.len());
    let start = at.min(digits.len() - width);
    out.extend_from_slice(&digits[start..]);
}

fn append_hex(width: usize, bytes: &[u8], at: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let stride = width.div_ceil(2);
    let packed = bytes.get(at * stride..(at + 1) * stride).unwrap_or_default();
    for (at, byte) in packed.iter().enumerate() {
        out.push(DIGITS[usize::from(byte >> 4)]);
        if at * 2 + 1 < width {
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests;
