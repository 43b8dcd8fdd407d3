//! What the pieces of a block are expected to be: their templates as one tree, text on its branches, so that a piece is
//! compared with all of them in one walk. Knows nothing of how a slot's text is recognised.

use wide::i8x16;

/// A place in the tree, between texts and slots.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The texts that may follow; no two begin with the same byte.
    texts: Vec<Branch>,
    /// The bytes that the first of them begin with.
    firsts: [u8; FIRSTS],
    /// The fragments of a key that may follow.
    pub(super) slots: Vec<(Box<[u8]>, usize)>,
    /// The template of a piece that ends here.
    pub(super) template: Option<u32>,
}

#[derive(Debug)]
struct Branch {
    first: u8,
    /// Place in [`Trie::bytes`].
    start: usize,
    end: usize,
    node: usize,
}

/// Branches that are found at once.
const FIRSTS: usize = 16;

impl Node {
    #[inline]
    fn branch(&self, first: u8) -> Option<&Branch> {
        if let [only] = &self.texts[..] {
            return Some(only);
        }
        let firsts = i8x16::new(self.firsts.map(u8::cast_signed));
        let same = firsts.simd_eq(i8x16::splat(first.cast_signed())).to_bitmask();
        let branch = self.texts.get(same.trailing_zeros() as usize);
        match branch {
            Some(branch) if branch.first == first => Some(branch),
            _ if self.texts.len() <= FIRSTS => None,
            _ => self.texts.iter().find(|branch| branch.first == first),
        }
    }

    fn push(&mut self, branch: Branch) {
        if let Some(first) = self.firsts.get_mut(self.texts.len()) {
            *first = branch.first;
        }
        self.texts.push(branch);
    }
}

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected<'p> {
    Text(&'p [u8]),
    /// The fragment of a key that a run is to have.
    Slot(&'p [u8]),
}

/// Whether `rest` begins with `text`.
#[inline]
fn begins_with(rest: &[u8], text: &[u8]) -> bool {
    rest.get(..text.len()).is_some_and(|head| equal(head, text))
}

/// Whether two short texts are the same: cheaper than a call.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    a.len() == b.len()
        && match a.len() {
            0 => true,
            1..4 => a[0] == b[0] && a[a.len() / 2] == b[b.len() / 2] && a.last() == b.last(),
            4..8 => ends::<4>(a, b),
            8..16 => ends::<8>(a, b),
            16..=32 => ends::<16>(a, b),
            _ => a == b,
        }
}

/// The tree.
#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    bytes: Vec<u8>,
}

impl Trie {
    /// Where a piece begins; `None` when nothing is known.
    pub(super) fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    /// The node behind the text of `node` that `rest` begins with, and the bytes of that text.
    #[inline]
    pub(super) fn text(&self, node: &Node, rest: &[u8]) -> Option<(&Node, usize)> {
        let branch = node.branch(*rest.first()?)?;
        let text = self.bytes.get(branch.start..branch.end)?;
        begins_with(rest, text).then_some((self.nodes.get(branch.node)?, text.len()))
    }

    /// The node behind a fragment.
    #[inline]
    pub(super) fn slot(&self, node: &Node, fragment: &[u8]) -> Option<&Node> {
        let (_, next) = node.slots.iter().find(|(known, _)| equal(known, fragment))?;
        self.nodes.get(*next)
    }

    /// Nodes.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a template as the texts and fragments that it is made of.
    pub(super) fn add<'p>(&mut self, parts: impl Iterator<Item = Expected<'p>>, template: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        // Texts that follow each other become one.
        let (mut at, mut text) = (0, Vec::new());
        for part in parts {
            match part {
                Expected::Text(more) => text.extend_from_slice(more),
                Expected::Slot(fragment) => {
                    at = self.add_text(at, &text);
                    text.clear();
                    at = self.add_slot(at, fragment);
                }
            }
        }
        at = self.add_text(at, &text);
        if let Some(node) = self.nodes.get_mut(at) {
            node.template = Some(template);
        }
    }

    fn add_node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn add_slot(&mut self, at: usize, fragment: &[u8]) -> usize {
        let known =
            |node: &Node| node.slots.iter().find(|(known, _)| **known == *fragment).map(|(_, next)| *next);
        if let Some(next) = self.nodes.get(at).and_then(known) {
            return next;
        }
        let next = self.add_node();
        if let Some(node) = self.nodes.get_mut(at) {
            node.slots.push((fragment.into(), next));
        }
        next
    }

    fn add_text(&mut self, at: usize, text: &[u8]) -> usize {
        let (mut at, mut rest) = (at, text);
        while let Some(first) = rest.first() {
            let known = self
                .nodes
                .get(at)
                .and_then(|node| node.texts.iter().position(|branch| branch.first == *first));
            let Some(number) = known else {
                let next = self.add_node();
                self.branch(at, rest, next);
                return next;
            };
            let shared = self.split(at, number, rest);
            rest = rest.get(shared..).unwrap_or_default();
            at = self.nodes.get(at).and_then(|node| node.texts.get(number)).map_or(0, |branch| branch.node);
        }
        at
    }

    /// Cuts branch `number` of node `at` behind the bytes that it shares with `text`; returns how many those are.
    fn split(&mut self, at: usize, number: usize, text: &[u8]) -> usize {
        let Some(branch) = self.nodes.get(at).and_then(|node| node.texts.get(number)) else {
            return text.len();
        };
        let known = self.bytes.get(branch.start..branch.end).unwrap_or_default();
        let shared = known.iter().zip(text).take_while(|(a, b)| a == b).count();
        if shared < known.len() {
            let lower = Branch { first: known[shared], start: branch.start + shared, ..*branch };
            let middle = self.add_node();
            if let Some(node) = self.nodes.get_mut(middle) {
                node.push(lower);
            }
            if let Some(branch) = self.nodes.get_mut(at).and_then(|node| node.texts.get_mut(number)) {
                (branch.end, branch.node) = (branch.start + shared, middle);
            }
        }
        shared
    }

    fn branch(&mut self, from: usize, text: &[u8], to: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        let end = self.bytes.len();
        if let (Some(node), Some(first)) = (self.nodes.get_mut(from), text.first()) {
            node.push(Branch { first: *first, start, end, node: to });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_share_what_they_have_in_common() {
        let mut trie = Trie::default();
        for (template, text) in (0..).zip(["open", "opened ", "close", "closed", ""]) {
            let slot = (template == 1).then_some(Expected::Slot(&[1]));
            trie.add([Expected::Text(text.as_bytes())].into_iter().chain(slot), template);
        }
        let walk = |text: &str| {
            let (mut node, mut rest) = (trie.root().expect("root"), text.as_bytes());
            while let Some((next, len)) = trie.text(node, rest) {
                (node, rest) = (next, &rest[len..]);
            }
            (node.template, node.slots.len(), rest.len())
        };
        assert_eq!(walk(""), (Some(4), 0, 0));
        assert_eq!(walk("open"), (Some(0), 0, 0));
        assert_eq!(walk("opened 5"), (None, 1, 1));
        assert_eq!(walk("close"), (Some(2), 0, 0));
        assert_eq!(walk("closed"), (Some(3), 0, 0));
        assert_eq!(walk("closer"), (Some(2), 0, 1));
        assert_eq!(walk("opex"), (Some(4), 0, 4));
        assert_eq!(walk("x"), (Some(4), 0, 1));
    }
}
