//! The tokens of lines that are sorted into templates: a word of a template is added once, not once per line. A token
//! never reaches over the cut between two pieces, for each begins or ends with a delimiter there.

use super::super::bloom::{BloomBuilder, tokens};
use super::encode::{Template, Templates};
use super::slot::Slot;
use super::{DIGITS, HEX, MARKER_MIN, RowIds, SPAN, TRACE, WORD};

impl Templates<'_> {
    /// Adds every token of the values to `bloom` but the trace ids of their rows; `ids` as in [`find`](Self::find).
    pub fn add_tokens(&self, ids: &[RowIds], bloom: &mut BloomBuilder) {
        let rows = self.rows(|template| *template.key == [WORD] || tokens(&template.key).any(needs_ids));
        for (template, rows) in self.found.iter().zip(&rows) {
            if *template.key == [WORD] {
                add_whole(template, rows, ids, bloom);
            } else {
                add_template(template, rows, ids, bloom);
            }
        }
    }
}

/// Whether a part of a template is built from an id of the row; a trace id that stands alone is not looked at.
fn needs_ids(token: &[u8]) -> bool {
    token != [TRACE] && token.iter().any(|byte| matches!(*byte, TRACE | SPAN))
}

fn add_whole(template: &Template<'_>, rows: &[u32], ids: &[RowIds], bloom: &mut BloomBuilder) {
    let Some(slot) = template.slots.first() else { return };
    for (at, row) in rows.iter().enumerate() {
        let trace = ids.get(*row as usize).and_then(|ids| ids.trace.as_ref()).map_or(&[][..], |id| &id[..]);
        bloom.add_text(slot.get(at), &[trace]);
    }
}

/// Markers count as bytes of tokens: a token of the key is text, a slot, or both joined.
fn add_template(template: &Template<'_>, rows: &[u32], ids: &[RowIds], bloom: &mut BloomBuilder) {
    let mut next = 0;
    for token in tokens(&template.key) {
        let first = next;
        next += token.iter().filter(|byte| is_slot(**byte)).count();
        let slots = template.slots.get(first..next).unwrap_or_default();
        match (token, slots) {
            ([TRACE], _) => bloom.skip(RowIds::TRACE_DIGITS),
            ([_], [slot]) => slot.values().iter().for_each(|value| bloom.add_token(value)),
            _ if token.iter().all(|byte| *byte < MARKER_MIN) => bloom.add_token(token),
            _ => {
                let varies = needs_ids(token) || slots.iter().any(|slot| slot.same().is_none());
                let mut joined = Vec::new();
                for at in 0..if varies { template.pieces } else { 1 } {
                    let ids = rows.get(at).and_then(|row| ids.get(*row as usize)).copied();
                    join(token, slots, at, &ids.unwrap_or_default(), &mut joined);
                    bloom.add_token(&joined);
                }
            }
        }
    }
}

/// The text of a token of the key in piece `at`.
fn join(token: &[u8], slots: &[Slot<'_>], at: usize, ids: &RowIds, out: &mut Vec<u8>) {
    let mut values = slots.iter().map(|slot| slot.get(at));
    out.clear();
    for byte in token {
        match *byte {
            DIGITS | HEX | WORD => out.extend_from_slice(values.next().unwrap_or_default()),
            TRACE => out.extend(ids.trace.into_iter().flatten()),
            SPAN => out.extend(ids.span.into_iter().flatten()),
            byte => out.push(byte),
        }
    }
}

fn is_slot(byte: u8) -> bool {
    matches!(byte, DIGITS | HEX | WORD)
}
