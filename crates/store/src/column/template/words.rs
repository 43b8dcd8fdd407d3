//! The words of lines that are sorted into templates: a word of a template is added once, not once per line. A run
//! never reaches over the cut between two pieces, for each begins or ends with a delimiter there.

use super::super::line_filter::LineFilterBuilder;
use super::super::segment::SegmentWriter;
use super::encode::Templates;
use super::{DIGITS, MARKER_MIN, RowIds, SPAN};

impl Templates<'_> {
    /// Appends the column and adds every part of the values to `filter` but the trace ids of their rows; `ids` as in
    /// [`find`](Self::find).
    pub fn write_lines(&self, writer: &mut SegmentWriter, ids: &[RowIds], filter: &mut LineFilterBuilder) {
        self.write_with(writer, |marker, values| match marker {
            DIGITS => values.iter().for_each(|value| filter.add_digits(value)),
            _ => values.iter().for_each(|value| filter.add_word(value)),
        });
        filter.note_run(self.longest_with_digit);
        let ids_of = |piece: u32| {
            let row = self.pieces.get(piece as usize).map_or(0, |(_, row)| *row);
            ids.get(row as usize).copied().unwrap_or_default()
        };
        let Some((whole, templates)) = self.found.split_last() else { return };
        for template in templates {
            template.key.split(|byte| *byte >= MARKER_MIN).for_each(|text| filter.add_text(text, None));
            if template.key.contains(&SPAN) {
                let spans = template.pieces.iter().filter_map(|piece| ids_of(*piece).span);
                spans.for_each(|span| filter.add_word(&span));
            }
        }
        for piece in &whole.pieces {
            let text = self.pieces.get(*piece as usize).map_or(&[][..], |(text, _)| *text);
            filter.add_text(text, ids_of(*piece).trace.as_ref().map(|trace| &trace[..]));
        }
    }
}
