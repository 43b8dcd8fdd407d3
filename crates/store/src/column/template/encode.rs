//! Finds the templates of a block of values and writes them.

use super::super::KeyMap;
use super::super::ints::write_u32s;
use super::super::segment::SegmentWriter;
use super::slot::Slot;
use super::tokens::tokenize;
use super::{MARKER_MIN, RowIds, SPAN, TRACE, WORD};

/// Templates of one block and tokeniser; further ones count as rare.
const TEMPLATES_MAX: usize = 8192;
/// A template of fewer pieces is rare.
const RARE_PIECES: usize = 8;
/// With more templates than this, the bar for rare rises with the block.
const TEMPLATES_FEW: usize = 256;
/// The highest bar.
const RARE_PIECES_MAX: usize = 64;

/// A template found, with its slots' values by slot.
#[derive(Debug, Default)]
pub(super) struct Template<'a> {
    pub(super) key: Box<[u8]>,
    pub(super) slots: Vec<Slot<'a>>,
    pub(super) pieces: usize,
}

impl<'a> Template<'a> {
    fn new(key: &[u8], slots: usize) -> Self {
        Self { key: key.into(), slots: (0..slots).map(|_| Slot::default()).collect(), pieces: 0 }
    }

    fn push(&mut self, vars: &[&'a [u8]]) {
        for (slot, value) in self.slots.iter_mut().zip(vars) {
            slot.push(value, self.pieces);
        }
        self.pieces += 1;
    }

    /// Each slot with its marker.
    fn marked_slots(&self) -> impl Iterator<Item = (u8, &Slot<'a>)> {
        let is_slot = |byte: &u8| *byte >= MARKER_MIN && *byte != TRACE && *byte != SPAN;
        self.key.iter().copied().filter(is_slot).zip(&self.slots)
    }
}

/// The templates that one tokeniser found.
#[derive(Debug, Default)]
struct Table<'a> {
    by_key: KeyMap<Box<[u8]>, u32>,
    templates: Vec<Template<'a>>,
}

/// After this many pieces the first tokeniser, when it found a new template for one in [`HOPELESS_SHARE`] of them, is given up.
const HOPELESS_PIECES: usize = 4096;
const HOPELESS_SHARE: usize = 4;

/// No template: the piece is kept whole.
const NONE: u32 = u32::MAX;

impl<'a> Table<'a> {
    fn take(&mut self, key: &[u8], vars: &[&'a [u8]]) -> u32 {
        let at = match self.by_key.get(key) {
            Some(at) => *at,
            None if self.templates.len() >= TEMPLATES_MAX => return NONE,
            None => {
                let at = u32::try_from(self.templates.len()).unwrap_or(NONE);
                self.by_key.insert(key.into(), at);
                self.templates.push(Template::new(key, vars.len()));
                at
            }
        };
        if let Some(template) = self.templates.get_mut(at as usize) {
            template.push(vars);
        }
        at
    }

    fn is_rare(&self, at: u32, bar: usize) -> bool {
        self.templates.get(at as usize).is_none_or(|template| template.pieces < bar)
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
    /// Pieces of each value.
    per_row: Vec<u32>,
    /// Template of each piece.
    codes: Vec<u32>,
    /// The last one has the pieces that are kept whole.
    pub(super) found: Vec<Template<'a>>,
    /// Pieces whose template has their words.
    worded: usize,
}

impl<'a> Templates<'a> {
    /// Sorts `values` into templates; `ids` has the ids of each value's row, or is empty.
    #[must_use]
    pub fn find(values: &[&'a [u8]], ids: &[RowIds]) -> Self {
        let mut per_row = Vec::with_capacity(values.len());
        let mut pieces: Vec<(&'a [u8], u32)> = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            let before = pieces.len();
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            cut(value, |piece| pieces.push((piece, row)));
            per_row.push(u32::try_from(pieces.len() - before).unwrap_or(u32::MAX));
        }
        let mut narrow = Table::default();
        let mut codes = sort(&mut narrow, &pieces, ids, false, |_| true);
        let bar = narrow.bar(pieces.len());
        let mut wide = Table::default();
        let rare = |at: usize| narrow.is_rare(codes.get(at).copied().unwrap_or(NONE), bar);
        let wide_codes = sort(&mut wide, &pieces, ids, true, rare);
        let wide_bar = wide.bar(pieces.len());
        let mut templates = Vec::new();
        let narrow_map = keep(narrow, bar, &mut templates);
        let worded = templates.iter().map(|template| template.pieces).sum();
        let wide_map = keep(wide, wide_bar, &mut templates);
        let mut whole = Template::new(&[WORD], 1);
        let whole_code = u32::try_from(templates.len()).unwrap_or(NONE);
        for ((code, wide_code), (piece, _)) in codes.iter_mut().zip(&wide_codes).zip(&pieces) {
            let kept = narrow_map.get(*code as usize).copied().filter(|at| *at != NONE);
            let kept = kept.or_else(|| wide_map.get(*wide_code as usize).copied().filter(|at| *at != NONE));
            *code = kept.unwrap_or_else(|| {
                whole.push(&[piece]);
                whole_code
            });
        }
        templates.push(whole);
        Self { per_row, codes, found: templates, worded }
    }

    /// Whether at least half of the pieces share all their words with others: then no other form comes near.
    #[must_use]
    pub fn are_certain(&self) -> bool {
        self.worded * 2 >= self.codes.len()
    }

    /// For each template that is `wanted` the rows of its pieces, in their order.
    pub(super) fn rows(&self, wanted: impl Fn(&Template<'a>) -> bool) -> Vec<Vec<u32>> {
        let wanted: Vec<bool> = self.found.iter().map(wanted).collect();
        let mut rows = vec![Vec::new(); wanted.len()];
        if !wanted.contains(&true) {
            return rows;
        }
        let row_of_piece =
            (0_u32..).zip(&self.per_row).flat_map(|(row, pieces)| (0..*pieces).map(move |_| row));
        for (code, row) in self.codes.iter().zip(row_of_piece) {
            if wanted.get(*code as usize) == Some(&true) {
                rows[*code as usize].push(row);
            }
        }
        rows
    }

    /// Appends the column.
    pub fn write(&self, writer: &mut SegmentWriter) {
        write_u32s(writer, &self.per_row);
        writer.count(self.found.len());
        for template in &self.found {
            writer.bytes(&template.key);
        }
        write_u32s(writer, &self.codes);
        let (whole, templates) =
            self.found.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
        for template in templates {
            template.marked_slots().for_each(|(marker, slot)| slot.write(marker, writer));
        }
        if let Some(template) = whole {
            template.slots.iter().for_each(|slot| slot.write_plain(template.pieces, writer));
        }
    }
}

/// Tokenises the pieces that `wanted` names and returns each piece's template, [`NONE`] for the others.
fn sort<'a>(
    table: &mut Table<'a>,
    pieces: &[(&'a [u8], u32)],
    ids: &[RowIds],
    wide: bool,
    wanted: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let (mut key, mut vars) = (Vec::new(), Vec::new());
    let no_ids = RowIds::default();
    let mut codes = Vec::with_capacity(pieces.len());
    for (at, (piece, row)) in pieces.iter().enumerate() {
        if at == HOPELESS_PIECES && !wide && table.templates.len() * HOPELESS_SHARE > at {
            *table = Table::default();
            return vec![NONE; pieces.len()];
        }
        if !wanted(at) {
            codes.push(NONE);
            continue;
        }
        key.clear();
        vars.clear();
        let ids = ids.get(*row as usize).unwrap_or(&no_ids);
        let fits = tokenize(piece, wide, ids, &mut key, &mut vars);
        codes.push(if fits { table.take(&key, &vars) } else { NONE });
    }
    codes
}

/// Moves the templates that are not rare into `templates`; returns their new codes, [`NONE`] for the rare ones.
fn keep<'a>(table: Table<'a>, bar: usize, templates: &mut Vec<Template<'a>>) -> Vec<u32> {
    let mut codes = Vec::with_capacity(table.templates.len());
    for template in table.templates {
        if template.pieces < bar {
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
