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

/// A lesson holds for a block when at most so many pieces of a lot are strange to it.
const STRANGE_PIECES_MAX: usize = 8;
/// Lessons that are kept.
const LESSONS_MAX: usize = 16;
/// All pieces of a block, in the units of shares.
const ALL: usize = 1 << 16;

/// No template.
const NONE: u32 = u32::MAX;

/// A template with fewer of `pieces` pieces is rare, when there are many templates.
fn high_bar(pieces: usize) -> usize {
    (pieces / 1024).clamp(RARE_PIECES, RARE_PIECES_MAX)
}

/// What was learned from blocks, latest used first; it often holds for later ones.
#[derive(Debug, Default)]
pub struct Learned(Vec<Lesson>);

/// What was learned from one block.
#[derive(Debug, Default)]
struct Lesson {
    /// Templates with words are worth looking for.
    with_words: bool,
    narrow: Known,
    wide: Known,
}

/// The templates that are expected.
#[derive(Debug, Default)]
struct Known {
    trie: Trie,
    /// The key of each, and its share of a block's pieces in units of one in [`ALL`].
    templates: Vec<(Box<[u8]>, usize)>,
}

impl Known {
    /// Of a sample of `sample` pieces.
    fn new(learner: &Learner, pieces_min: u32, sample: usize) -> Self {
        let mut templates = Vec::new();
        let trie = learner.trie(pieces_min, |key, pieces| {
            templates.push((key.into(), pieces as usize * ALL / sample.max(1)));
            u32::try_from(templates.len() - 1).unwrap_or(NONE)
        });
        Self { trie, templates }
    }
}

/// The templates that one tokeniser found.
#[derive(Debug, Default)]
struct Table {
    by_key: KeyMap<Box<[u8]>, u32>,
    templates: Vec<Template>,
    /// Of each piece.
    codes: Vec<u32>,
}

impl Table {
    /// For `pieces` pieces; the first templates are those that are known.
    fn new(pieces: usize, known: &Known) -> Self {
        let template = |(key, share): &(Box<[u8]>, usize)| {
            let mut template = Template::new(key);
            template.reserve(pieces * share / ALL);
            template
        };
        let templates = known.templates.iter().map(template).collect();
        Self { codes: vec![NONE; pieces], templates, ..Self::default() }
    }

    fn add(&mut self, key: &[u8]) -> u32 {
        self.templates.push(Template::new(key));
        u32::try_from(self.templates.len() - 1).unwrap_or(NONE)
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

/// Sorts `pieces`; `ids` has the ids of each row, or is empty. What was learned from another block is used when it holds.
pub(super) fn sort(pieces: &[Piece<'_>], ids: &[RowIds], learned: &mut Learned) -> Sorted {
    let mut sorter = Sorter { pieces, ids, tokenizer: Tokenizer::default() };
    let nothing = Lesson { with_words: true, ..Lesson::default() };
    let lesson = if pieces.len() < LEARN_PIECES_MIN { &nothing } else { sorter.lesson(learned) };
    let [mut narrow, mut wide] = [&lesson.narrow, &lesson.wide].map(|known| Table::new(pieces.len(), known));
    if lesson.with_words {
        sorter.sort_narrow(lesson, &mut narrow, &mut wide);
    }
    sorter.sort_wide(lesson, &narrow, &mut wide);
    let tokenizer = sorter.tokenizer;
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
}

impl<'s> Sorter<'s, '_> {
    fn ids_of(&self, row: u32) -> &'s RowIds {
        self.ids.get(row as usize).unwrap_or(const { &RowIds::NONE })
    }

    /// The lesson that holds for these pieces, known or new.
    fn lesson<'l>(&mut self, Learned(lessons): &'l mut Learned) -> &'l Lesson {
        let known = lessons.iter().position(|lesson| self.is_known(lesson));
        let lesson = if let Some(at) = known { lessons.remove(at) } else { self.learn() };
        lessons.truncate(LESSONS_MAX - 1);
        lessons.insert(0, lesson);
        &lessons[0]
    }

    /// Learns what pieces look like.
    fn learn(&mut self) -> Lesson {
        let count = self.pieces.len();
        let sample: Vec<usize> = (0..self.pieces_of_sample()).map(|at| self.spread(at)).collect();
        let mut narrow = Learner::new(false);
        let looked_at = self.learn_from(&mut narrow, &sample);
        let rare = u32::try_from(high_bar(count) * looked_at.len() / count).unwrap_or(u32::MAX).max(2);
        let is_rare = |shape: &Option<u32>| shape.is_some_and(|shape| narrow.pieces_like(shape) < rare);
        let few = looked_at.iter().filter(|(_, shape)| is_rare(shape));
        let few: Vec<usize> = few.map(|(at, _)| *at).collect();
        // It pays to look for templates with words.
        let with_words = few.len() * RARE_SHARE <= looked_at.len();
        let mut wide = Learner::new(true);
        let widely = self.learn_from(&mut wide, if with_words { &few } else { &sample }).len();
        Lesson {
            with_words,
            wide: Known::new(&wide, 1, if with_words { looked_at.len() } else { widely }),
            narrow: if with_words { Known::new(&narrow, rare, looked_at.len()) } else { Known::default() },
        }
    }

    /// Whether what was learned from another block holds for this one: hardly a piece is strange to it.
    fn is_known(&mut self, lesson: &Lesson) -> bool {
        let Lesson { with_words, narrow, wide } = lesson;
        let strange = (0..LOT_PIECES).filter(|at| {
            let Some((piece, row)) = self.pieces.get(self.spread(*at)) else { return false };
            let ids = self.ids_of(*row);
            let mut follow = |known: &Known, wide| self.tokenizer.follow(piece, &known.trie, wide, ids);
            if *with_words && follow(narrow, false).is_some() {
                return false;
            }
            // The rare ones of the others have slots where constant words could stand.
            let template = follow(wide, true).and_then(|code| wide.templates.get(code as usize));
            template.is_none_or(|(_, share)| share * LOT_PIECES < ALL)
        });
        strange.take(STRANGE_PIECES_MAX + 1).count() <= STRANGE_PIECES_MAX
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
                looked_at.push((*at, learner.add(&mut self.tokenizer, piece, ids)));
            }
            let new = learner.shapes() - before;
            if new * LOT_KNOWN_SHARE <= lot.len() || number > 0 && new * 2 > lot.len() {
                break;
            }
        }
        looked_at
    }

    fn sort_narrow(&mut self, lesson: &Lesson, narrow: &mut Table, wide: &mut Table) {
        for (at, (piece, row)) in self.pieces.iter().enumerate() {
            let ids = self.ids_of(*row);
            let tokenizer = &mut self.tokenizer;
            if let Some(code) = tokenizer.follow(piece, &lesson.narrow.trie, false, ids) {
                narrow.push(code, at, &tokenizer.vars);
            } else if let Some(code) = tokenizer.follow(piece, &lesson.wide.trie, true, ids) {
                wide.push(code, at, &tokenizer.vars);
            } else if tokenizer.cut(piece, false, ids) {
                narrow.take(&tokenizer.key, at, &tokenizer.vars);
            }
        }
    }

    /// Of what is in no template yet, or in a rare one.
    fn sort_wide(&mut self, lesson: &Lesson, narrow: &Table, wide: &mut Table) {
        let bar = narrow.bar();
        for (at, (piece, row)) in self.pieces.iter().enumerate() {
            if narrow.is_kept(at, bar) || wide.codes.get(at).is_some_and(|code| *code != NONE) {
                continue;
            }
            let ids = self.ids_of(*row);
            let tokenizer = &mut self.tokenizer;
            if let Some(code) = tokenizer.follow(piece, &lesson.wide.trie, true, ids) {
                wide.push(code, at, &tokenizer.vars);
            } else if tokenizer.cut(piece, true, ids) {
                wide.take(&tokenizer.key, at, &tokenizer.vars);
            }
        }
    }
}
