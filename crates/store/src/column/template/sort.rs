//! Sorts the pieces of a block into templates: with their words in the template where enough pieces share them, else with
//! words as slots, else whole. What most pieces look like is learned from a sample first.

use super::super::KeyMap;
use super::encode::{Piece, Template};
use super::learn::Learner;
use super::tokens::{Tokenizer, Var};
use super::trie::Trie;
use super::{RowIds, WORD};

/// Templates of one block and tokeniser; further ones count as rare.
const TEMPLATES_MAX: usize = 8192;
/// A template of fewer pieces is rare.
const RARE_PIECES: usize = 8;
/// With more templates than this, the bar for rare rises with the block.
const TEMPLATES_FEW: usize = 256;
/// The highest bar.
const RARE_PIECES_MAX: usize = 64;
/// Of fewer pieces nothing is learned.
const LEARN_PIECES_MIN: usize = 4096;
/// Pieces are learned from in lots, until one brings at most one new template in this many pieces, or in the second lot
/// or later one in two,
const LOT_PIECES: usize = 256;
const LOT_KNOWN_SHARE: usize = 100;
/// or so many pieces are: one in this many, but not fewer and not more than these.
const SAMPLE_SHARE: usize = 16;
const SAMPLE_PIECES_MIN: usize = 1024;
const SAMPLE_PIECES_MAX: usize = 4096;

/// A prime: its multiples are spread over any block.
const SPREAD: usize = 2_654_435_761;
/// Templates with words are not looked for when more than one in so many pieces of the sample is in a rare one.
const RARE_SHARE: usize = 4;

/// No template.
const NONE: u32 = u32::MAX;

/// A template with fewer of `pieces` pieces is rare, when there are many templates.
fn high_bar(pieces: usize) -> usize {
    (pieces / 1024).clamp(RARE_PIECES, RARE_PIECES_MAX)
}

/// The templates that one tokeniser found.
#[derive(Debug, Default)]
struct Table {
    trie: Trie,
    by_key: KeyMap<Box<[u8]>, u32>,
    templates: Vec<Template>,
    /// Of each piece.
    codes: Vec<u32>,
}

impl Table {
    fn new(pieces: usize) -> Self {
        Self { codes: vec![NONE; pieces], ..Self::default() }
    }

    fn add(&mut self, key: &[u8]) -> u32 {
        self.templates.push(Template::new(key));
        u32::try_from(self.templates.len() - 1).unwrap_or(NONE)
    }

    fn learn(&mut self, learner: &Learner, pieces_min: u32, sample: usize) {
        let all = self.codes.len();
        self.trie = learner.trie(pieces_min, |key, pieces| {
            let at = self.add(key);
            if let Some(template) = self.templates.last_mut() {
                template.reserve(pieces as usize * all / sample.max(1));
            }
            at
        });
    }

    /// Notes that piece `piece` has template `at`.
    fn push(&mut self, at: u32, piece: usize, vars: &[Var]) {
        if let (Some(template), Some(code)) = (self.templates.get_mut(at as usize), self.codes.get_mut(piece))
        {
            template.push(u32::try_from(piece).unwrap_or(u32::MAX), vars);
            *code = at;
        }
    }

    /// Notes that piece `piece` has the template `key`.
    fn take(&mut self, key: &[u8], piece: usize, vars: &[Var]) {
        let at = match self.by_key.get(key) {
            Some(at) => *at,
            None if self.templates.len() >= TEMPLATES_MAX => return,
            None => {
                let at = self.add(key);
                self.by_key.insert(key.into(), at);
                at
            }
        };
        self.push(at, piece, vars);
    }

    fn bar(&self) -> usize {
        if self.templates.len() <= TEMPLATES_FEW { RARE_PIECES } else { high_bar(self.codes.len()) }
    }

    /// For each piece whether its template has at least `bar` pieces.
    fn is_kept(&self, piece: usize, bar: usize) -> bool {
        let code = self.codes.get(piece).copied().unwrap_or(NONE);
        self.templates.get(code as usize).is_some_and(|template| template.pieces.len() >= bar)
    }

    /// Moves the templates that are not rare into `templates`; returns the new code of each piece, [`NONE`] for the others.
    fn keep(self, templates: &mut Vec<Template>) -> Vec<u32> {
        let bar = self.bar();
        let mut moved = Vec::with_capacity(self.templates.len());
        for mut template in self.templates {
            if template.pieces.len() < bar {
                moved.push(NONE);
            } else {
                template.order();
                moved.push(u32::try_from(templates.len()).unwrap_or(NONE));
                templates.push(template);
            }
        }
        let mut codes = self.codes;
        for code in &mut codes {
            *code = moved.get(*code as usize).copied().unwrap_or(NONE);
        }
        codes
    }
}

/// Pieces with their templates.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Template of each piece.
    pub(super) codes: Vec<u32>,
    /// The last one has the pieces that are kept whole.
    pub(super) found: Vec<Template>,
    /// Pieces whose template has their words.
    pub(super) worded: usize,
    /// Bytes of the longest run with a digit, but of those in pieces that are kept whole.
    pub(super) longest_with_digit: usize,
}

/// Sorts `pieces`; `ids` has the ids of each row, or is empty.
pub(super) fn sort(pieces: &[Piece<'_>], ids: &[RowIds]) -> Sorted {
    let mut sorter = Sorter {
        pieces,
        ids,
        tokenizer: Tokenizer::default(),
        narrow: Table::new(pieces.len()),
        wide: Table::new(pieces.len()),
    };
    if sorter.learn() {
        sorter.sort_narrow();
    }
    sorter.sort_wide();
    let Sorter { tokenizer, narrow, wide, .. } = sorter;
    let mut found = Vec::new();
    let mut codes = narrow.keep(&mut found);
    let worded = found.iter().map(|template| template.pieces.len()).sum();
    let wide_codes = wide.keep(&mut found);
    let mut whole = Template::new(&[WORD]);
    let whole_code = u32::try_from(found.len()).unwrap_or(NONE);
    for ((at, (piece, _)), (code, wide)) in (0..).zip(pieces).zip(codes.iter_mut().zip(&wide_codes)) {
        if *code == NONE {
            *code = *wide;
        }
        if *code == NONE {
            whole.push(at, &[Var::place(0, piece.len())]);
            *code = whole_code;
        }
    }
    found.push(whole);
    Sorted { codes, found, worded, longest_with_digit: tokenizer.longest_with_digit }
}

struct Sorter<'s, 'a> {
    pieces: &'s [Piece<'a>],
    ids: &'s [RowIds],
    tokenizer: Tokenizer,
    /// Words stay in the template.
    narrow: Table,
    /// Words are slots.
    wide: Table,
}

impl Sorter<'_, '_> {
    fn ids_of(&self, row: u32) -> RowIds {
        self.ids.get(row as usize).copied().unwrap_or_default()
    }

    /// Learns what pieces look like. Returns whether it pays to look for templates with words.
    fn learn(&mut self) -> bool {
        let count = self.pieces.len();
        if count < LEARN_PIECES_MIN {
            return true;
        }
        let sample: Vec<usize> = (0..self.pieces_of_sample()).map(|at| self.spread(at)).collect();
        let mut narrow = Learner::new(false);
        let looked_at = self.learn_from(&mut narrow, &sample);
        let rare = u32::try_from(high_bar(count) * looked_at.len() / count).unwrap_or(u32::MAX).max(2);
        let is_rare = |shape: &Option<u32>| shape.is_some_and(|shape| narrow.pieces_like(shape) < rare);
        let few = looked_at.iter().filter(|(_, shape)| is_rare(shape));
        let few: Vec<usize> = few.map(|(at, _)| *at).collect();
        let with_words = few.len() * RARE_SHARE <= looked_at.len();
        let mut wide = Learner::new(true);
        let learned = self.learn_from(&mut wide, if with_words { &few } else { &sample }).len();
        self.wide.learn(&wide, 1, if with_words { looked_at.len() } else { learned });
        if with_words {
            self.narrow.learn(&narrow, rare, looked_at.len());
        }
        with_words
    }

    fn pieces_of_sample(&self) -> usize {
        (self.pieces.len() / SAMPLE_SHARE).clamp(SAMPLE_PIECES_MIN, SAMPLE_PIECES_MAX)
    }

    /// Piece `at` of the sample: any number of first ones is spread over the block.
    fn spread(&self, at: usize) -> usize {
        at.wrapping_mul(SPREAD) % self.pieces.len().max(1)
    }

    /// Learns from these pieces until there is hardly anything new, or mostly. Returns the pieces and what they look like.
    fn learn_from(&mut self, learner: &mut Learner, sample: &[usize]) -> Vec<(usize, Option<u32>)> {
        let mut looked_at = Vec::with_capacity(sample.len());
        for (number, lot) in sample.chunks(LOT_PIECES).enumerate() {
            let before = learner.shapes();
            for at in lot {
                let Some((piece, row)) = self.pieces.get(*at) else { continue };
                let ids = self.ids_of(*row);
                looked_at.push((*at, learner.add(&mut self.tokenizer, piece, &ids)));
            }
            let new = learner.shapes() - before;
            if new * LOT_KNOWN_SHARE <= lot.len() || number > 0 && new * 2 > lot.len() {
                break;
            }
        }
        looked_at
    }

    fn sort_narrow(&mut self) {
        for (at, (piece, row)) in self.pieces.iter().enumerate() {
            let ids = self.ids_of(*row);
            let tokenizer = &mut self.tokenizer;
            if let Some(code) = tokenizer.follow(piece, &self.narrow.trie, false, &ids) {
                self.narrow.push(code, at, &tokenizer.vars);
            } else if let Some(code) = tokenizer.follow(piece, &self.wide.trie, true, &ids) {
                self.wide.push(code, at, &tokenizer.vars);
            } else if tokenizer.cut(piece, false, &ids) {
                self.narrow.take(&tokenizer.key, at, &tokenizer.vars);
            }
        }
    }

    /// Of what is in no template yet, or in a rare one.
    fn sort_wide(&mut self) {
        let bar = self.narrow.bar();
        for (at, (piece, row)) in self.pieces.iter().enumerate() {
            if self.narrow.is_kept(at, bar) || self.wide.codes.get(at).is_some_and(|code| *code != NONE) {
                continue;
            }
            let ids = self.ids_of(*row);
            let tokenizer = &mut self.tokenizer;
            if let Some(code) = tokenizer.follow(piece, &self.wide.trie, true, &ids) {
                self.wide.push(code, at, &tokenizer.vars);
            } else if tokenizer.cut(piece, true, &ids) {
                self.wide.take(&tokenizer.key, at, &tokenizer.vars);
            }
        }
    }
}
