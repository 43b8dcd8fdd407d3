//! The words of lines that are sorted into templates: a word of a template is added once, not once per line. A run
//! never reaches over the cut between two pieces, for each begins or ends with a delimiter there.

use super::super::line_filter::LineFilterBuilder;
use super::super::number::Number;
use super::super::segment::SegmentWriter;
use super::dotted::FRACTION_DIGITS_MAX;
use super::encode::{KeyPart, Seen, Templates, parts};
use super::time::{self, Stamp};
use super::{RowIds, SPAN};

impl Templates<'_> {
    /// Appends the column and adds every part of the values to `filter` but the trace ids of their rows; `ids` as in
    /// [`find`](Self::find).
    pub fn write_lines(&self, writer: &mut SegmentWriter, ids: &[RowIds], filter: &mut LineFilterBuilder) {
        self.write_with(writer, |seen| match seen {
            Seen::Numbers(numbers) => numbers.iter().for_each(|number| filter.add_number(*number)),
            Seen::Words(words) => words.iter().for_each(|word| filter.add_word(word)),
            Seen::Decimals(scaled, digits) => add_decimals(scaled, digits, filter),
            Seen::Addresses(addresses) => {
                changes(addresses)
                    .for_each(|address| filter.add_address(u32::try_from(address).unwrap_or(0)));
            }
        });
        filter.note_run(self.longest_with_digit);
        let ids_of = |piece: u32| {
            let row = self.pieces.get(piece as usize).map_or(0, |(_, row)| *row);
            ids.get(row as usize).copied().unwrap_or_default()
        };
        let Some((whole, templates)) = self.found.split_last() else { return };
        let mut stamps = Vec::new();
        for template in templates {
            for part in parts(&template.key) {
                match part {
                    KeyPart::Text(text) => filter.add_text(text, None),
                    KeyPart::Time(stamp) => stamps.extend(stamp.filter(|stamp| !stamps.contains(stamp))),
                    KeyPart::Marker(SPAN) => {
                        let spans = template.pieces.iter().filter_map(|piece| ids_of(*piece).span());
                        spans.for_each(|span| filter.add_text(&span, None));
                    }
                    KeyPart::Marker(_) | KeyPart::Decimal(_) => {}
                }
            }
        }
        add_times(&stamps, ids, filter);
        for piece in &whole.pieces {
            let text = self.pieces.get(*piece as usize).map_or(&[][..], |(text, _)| *text);
            filter.add_text(text, ids_of(*piece).trace().as_ref().map(|trace| &trace[..]));
        }
    }
}

/// The values but those that equal the one before.
fn changes(values: &[u64]) -> impl Iterator<Item = u64> {
    let mut last = None;
    values.iter().copied().filter(move |value| last.replace(*value) != Some(*value))
}

fn add_decimals(scaled: &[u64], digits: u8, filter: &mut LineFilterBuilder) {
    let behind = usize::from(digits.wrapping_sub(b'0')).min(FRACTION_DIGITS_MAX);
    let unit = 10_u64.pow(u32::try_from(behind).unwrap_or(0));
    for value in changes(scaled) {
        let whole = value / unit;
        filter.add_number(Number::of(whole, whole.checked_ilog10().map_or(1, |log| log as usize + 1)));
        filter.add_number(Number::of(value % unit, behind));
    }
}

/// Adds what can stand in times near those of the rows: every number that could, rather than each row's.
fn add_times(stamps: &[Stamp], ids: &[RowIds], filter: &mut LineFilterBuilder) {
    if stamps.is_empty() {
        return;
    }
    let (first, last) = ids
        .iter()
        .filter_map(|ids| ids.ts_ns)
        .fold((i64::MAX, i64::MIN), |(first, last), ts_ns| (first.min(ts_ns), last.max(ts_ns)));
    let (first, last) = if first > last { (0, 0) } else { (first, last) };
    let years = time::year_of(first) - 1..=time::year_of(last) + 1;
    years.for_each(|year| filter.add_text(format!("{year:04}").as_bytes(), None));
    (0..60).for_each(|value| filter.add_text(format!("{value:02}").as_bytes(), None));
    if stamps.iter().any(|stamp| stamp.has_day_of_year()) {
        let days = (1..=12).flat_map(|month| (1..=31).map(move |day| month * 100 + day));
        days.for_each(|day| filter.add_text(format!("{day:04}").as_bytes(), None));
    }
    for stamp in stamps {
        filter.any_number(stamp.digits());
        stamp.words().for_each(|word| filter.add_word(word));
    }
}
