//! Learns from a sample of a block's pieces what all of them look like: which runs are always the same and can stay in
//! the template, and what follows what. The result is a [`Trie`] along which pieces are cut; a piece that it does not
//! know is cut without it.
//!
//! A run stays in the template as text only where that changes nothing of how the runs around it are cut, so that a
//! column has the same words, numbers and addresses with and without this.

use super::super::KeyMap;
use super::tokens::{Tokenizer, is_run_byte};
use super::trie::{Builder, Expected, Trie};
use super::{RowIds, SPAN, TIME, TRACE};

/// A run of which so many pieces have the same text is taken for constant.
const SAME_MIN: u32 = 8;
/// Longer pieces are not learned from.
const PIECE_BYTES_MAX: usize = 2 << 10;
/// A tree takes no more templates when it has so many nodes, or they so many bytes: a lesson is kept for long.
const NODES_MAX: usize = 4096;
const KEYS_BYTES_MAX: usize = 256 << 10;

/// Room for the steps of a piece; few have more.
const STEPS: usize = 32;

/// A fragment that was found behind another, or at the start.
#[derive(Debug)]
struct Step {
    /// The text before it.
    before: Box<[u8]>,
    /// Its part of the key; empty at the end of a piece.
    fragment: Box<[u8]>,
    /// What it stood for in the first piece.
    text: Box<[u8]>,
    /// It was the same in every piece.
    same: bool,
    pieces: u32,
}

impl Step {
    /// Whether its run may stay in the template as text, if it is always the same.
    fn may_stay(&self) -> bool {
        !self.fragment.iter().any(|byte| matches!(*byte, TIME | TRACE | SPAN))
    }

    /// Whether the text before it keeps its run apart from the one before: then neither changes how the other is cut.
    /// A dot alone does not, for digits with dots between them are one value.
    fn stands_apart(&self) -> bool {
        self.fragment.is_empty()
            || *self.before != *b"." && self.before.iter().any(|byte| !is_run_byte(*byte))
    }
}

/// A template of the sample.
#[derive(Debug)]
struct Shape {
    /// What it is made of; the last step is the end.
    steps: Box<[u32]>,
    /// Of each step, the text in the first piece,
    texts: Box<[Box<[u8]>]>,
    /// and whether all of its pieces have that.
    same: Box<[bool]>,
    pieces: u32,
}

/// What was learned.
#[derive(Debug)]
pub(super) struct Learner {
    wide: bool,
    /// The step before, the text between, and the fragment.
    known: KeyMap<Box<[u8]>, u32>,
    key: Vec<u8>,
    steps: Vec<Step>,
    /// By the last step.
    by_end: KeyMap<u32, u32>,
    shapes: Vec<Shape>,
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Learner {
    /// For pieces that are cut with words as slots or without.
    pub(super) fn new(wide: bool) -> Self {
        let (known, by_end) = (KeyMap::default(), KeyMap::default());
        Self { wide, known, key: Vec::new(), steps: Vec::new(), by_end, shapes: Vec::new() }
    }

    /// Learns from one piece; returns what [`pieces_like`](Self::pieces_like) knows it by.
    pub(super) fn add(&mut self, tokenizer: &mut Tokenizer, piece: &[u8], ids: &RowIds) -> Option<u32> {
        if piece.len() > PIECE_BYTES_MAX {
            return None;
        }
        let (mut steps, mut texts) = (Vec::with_capacity(STEPS), Vec::with_capacity(STEPS));
        let rest = tokenizer.fragments(piece, self.wide, ids, |before, fragment, text| {
            steps.push(self.step(steps.last().copied(), before, fragment, text));
            texts.push(text);
        })?;
        let end = self.step(steps.last().copied(), rest, &[], &[]);
        let at = *self.by_end.entry(end).or_insert_with(|| {
            steps.push(end);
            self.shapes.push(Shape {
                steps: std::mem::take(&mut steps).into(),
                texts: texts.iter().map(|text| (*text).into()).collect(),
                same: vec![true; texts.len()].into(),
                pieces: 0,
            });
            number(self.shapes.len() - 1)
        });
        if let Some(shape) = self.shapes.get_mut(at as usize) {
            shape.pieces += 1;
            for ((same, first), text) in shape.same.iter_mut().zip(&shape.texts).zip(texts) {
                *same &= **first == *text;
            }
        }
        Some(at)
    }

    /// The step behind `from`, new or known, with one more piece.
    fn step(&mut self, from: Option<u32>, before: &[u8], fragment: &[u8], text: &[u8]) -> u32 {
        self.key.clear();
        self.key.extend_from_slice(&from.unwrap_or(u32::MAX).to_le_bytes());
        self.key.extend_from_slice(&number(before.len()).to_le_bytes());
        self.key.extend_from_slice(before);
        self.key.extend_from_slice(fragment);
        if let Some(at) = self.known.get(&self.key[..]) {
            if let Some(step) = self.steps.get_mut(*at as usize) {
                step.pieces += 1;
                step.same &= *step.text == *text;
            }
            return *at;
        }
        let at = number(self.steps.len());
        self.known.insert(self.key.as_slice().into(), at);
        self.steps.push(Step {
            before: before.into(),
            fragment: fragment.into(),
            text: text.into(),
            same: true,
            pieces: 1,
        });
        at
    }

    /// Templates found.
    pub(super) fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// Pieces that had the template of the one that [`add`](Self::add) returned this for.
    pub(super) fn pieces_like(&self, shape: u32) -> u32 {
        self.shapes.get(shape as usize).map_or(0, |shape| shape.pieces)
    }

    /// The tree of the templates that at least `pieces_min` pieces had, the commonest first, as many as there is room for.
    /// `add` is given each template's key and pieces, and returns its number.
    pub(super) fn trie(&self, pieces_min: u32, mut add: impl FnMut(&[u8], u32) -> u32) -> Trie {
        let mut shapes: Vec<&Shape> = self.shapes.iter().filter(|shape| shape.pieces >= pieces_min).collect();
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.pieces));
        let (mut trie, mut key, mut bytes) = (Builder::default(), Vec::new(), 0);
        for shape in shapes {
            let parts = self.parts(shape);
            key.clear();
            for part in &parts {
                let (Expected::Text(text) | Expected::Slot(text)) = part;
                key.extend_from_slice(text);
            }
            bytes += key.len();
            if trie.len() >= NODES_MAX || bytes > KEYS_BYTES_MAX {
                break;
            }
            trie.add(parts.into_iter(), add(&key, shape.pieces));
        }
        trie.finish()
    }

    /// What a template is made of, with the runs that stay in it as text.
    fn parts<'l>(&'l self, shape: &'l Shape) -> Vec<Expected<'l>> {
        let steps: Vec<&Step> =
            shape.steps.iter().filter_map(|step| self.steps.get(*step as usize)).collect();
        let mut stays = vec![false; steps.len()];
        for at in (0..steps.len().saturating_sub(1)).rev() {
            let (step, next) = (steps[at], steps[at + 1]);
            let same = step.same && step.pieces >= SAME_MIN || shape.same[at] && shape.pieces >= SAME_MIN;
            stays[at] = same && step.may_stay() && (stays[at + 1] || next.stands_apart());
        }
        let mut parts = Vec::with_capacity(steps.len() * 2);
        for ((at, step), stays) in steps.into_iter().enumerate().zip(stays) {
            parts.push(Expected::Text(&step.before));
            match shape.texts.get(at) {
                Some(text) if stays => parts.push(Expected::Text(text)),
                Some(_) => parts.push(Expected::Slot(&step.fragment)),
                None => {}
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_bounded_whatever_the_lines_are() {
        let (mut learner, mut tokenizer) = (Learner::new(true), Tokenizer::default());
        for at in 0..2000_usize {
            let piece = (0..200).map(|word| [" ", ",", ";", "="][(at >> (word % 11)) % 4].to_owned() + "w");
            learner.add(&mut tokenizer, piece.collect::<String>().as_bytes(), &RowIds::default());
        }
        let mut keys = 0;
        let trie = learner.trie(1, |key, _| {
            keys += key.len();
            0
        });
        assert!(learner.shapes() > 1000, "{} shapes", learner.shapes());
        // The last template may begin below the limit.
        assert!(trie.len() < NODES_MAX + 1000, "{} nodes", trie.len());
        assert!(keys <= KEYS_BYTES_MAX, "{keys} bytes");
    }
}
