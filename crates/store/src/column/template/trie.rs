//! What the pieces of a block are expected to be: their templates as one tree, text on its branches, so that a piece is
//! compared with all of them in one walk. Knows nothing of how a slot's text is recognised.

use super::DIGITS;
use wide::i8x16;

/// A place in the tree, between texts and slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The bytes that the first of the texts that may follow begin with; no two begin with the same.
    firsts: [u8; FIRSTS],
    /// The first of those texts; an empty one when there is none.
    text: Branch,
    /// Texts that may follow, in [`Trie::branches`] from `branch` on.
    texts: u32,
    branch: u32,
    /// Fragments that may follow, in [`Trie::slots`].
    slots: (u32, u32),
    /// The node behind the slot that is a number and nothing else.
    number: u32,
    template: u32,
}

/// No template, no node.
const NONE: u32 = u32::MAX;

/// A text that leads to a node; its bytes stand in [`Trie::bytes`].
#[derive(Clone, Copy, Debug, Default)]
struct Branch {
    start: u32,
    len: u32,
    node: u32,
}

/// A fragment of a key that leads to a node; its bytes stand in [`Trie::bytes`].
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u8,
    start: u32,
    len: u32,
    node: u32,
}

/// Branches that are found at once, and bytes that are compared at once.
const FIRSTS: usize = 16;

/// All of them, as a set.
const ALL: u32 = (1 << FIRSTS) - 1;

/// The bytes of `a` that equal those of `b`, as a set.
#[inline]
fn same(a: &[u8; FIRSTS], b: &[u8; FIRSTS]) -> u32 {
    let [a, b] = [a, b].map(|bytes| i8x16::new(bytes.map(u8::cast_signed)));
    a.simd_eq(b).to_bitmask()
}

impl Node {
    /// Whether a slot may follow.
    pub(super) fn has_slots(&self) -> bool {
        self.slots.0 < self.slots.1
    }

    /// The template of a piece that ends here.
    pub(super) fn template(&self) -> Option<u32> {
        (self.template != NONE).then_some(self.template)
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
    let Some(head) = rest.get(..text.len()) else { return false };
    let chunks = (head.first_chunk(), text.first_chunk(), head.last_chunk(), text.last_chunk());
    match chunks {
        (Some(head), Some(text), Some(last), Some(text_last)) if head.len() <= 2 * FIRSTS => {
            same(head, text) & same(last, text_last) == ALL
        }
        _ => head == text,
    }
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
    branches: Vec<Branch>,
    slots: Vec<Slot>,
    /// [`FIRSTS`] more than the texts take.
    bytes: Vec<u8>,
}

impl Trie {
    /// Where a piece begins; `None` when nothing is known.
    pub(super) fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    /// Nodes.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node behind the text of `node` that `rest` begins with, and the bytes of that text.
    #[inline]
    pub(super) fn text(&self, node: &Node, rest: &[u8]) -> Option<(&Node, usize)> {
        let branch = match node.texts {
            0 => return None,
            1 => &node.text,
            _ => self.branch(node, *rest.first()?)?,
        };
        let len = branch.len as usize;
        let text = self.bytes.get(branch.start as usize..)?;
        let is_same = match (rest.first_chunk(), text.first_chunk()) {
            (Some(rest), Some(text)) if len <= FIRSTS => (!same(rest, text)).trailing_zeros() >= branch.len,
            _ => begins_with(rest, text.get(..len)?),
        };
        if is_same { Some((self.nodes.get(branch.node as usize)?, len)) } else { None }
    }

    /// The node behind the slot of `node` that is a number and nothing else.
    #[inline]
    pub(super) fn number(&self, node: &Node) -> Option<&Node> {
        self.nodes.get(node.number as usize)
    }

    /// The branch of a node with any number of them but one.
    fn branch(&self, node: &Node, first: u8) -> Option<&Branch> {
        let branches = self.branches.get(node.branch as usize..(node.branch + node.texts) as usize)?;
        let at = same(&node.firsts, &[first; FIRSTS]).trailing_zeros() as usize;
        let begins = |branch: &&Branch| self.bytes.get(branch.start as usize) == Some(&first);
        if at < FIRSTS {
            return branches.get(at);
        }
        branches.get(FIRSTS..)?.iter().find(begins)
    }

    /// The node behind a fragment.
    #[inline]
    pub(super) fn slot(&self, node: &Node, fragment: &[u8]) -> Option<&Node> {
        let slots = self.slots.get(node.slots.0 as usize..node.slots.1 as usize)?;
        let first = *fragment.first()?;
        let text = |slot: &Slot| self.bytes.get(slot.start as usize..(slot.start + slot.len) as usize);
        let known = |slot: &&Slot| {
            slot.first == first
                && slot.len as usize == fragment.len()
                && (slot.len == 1 || text(slot).is_some_and(|text| equal(text, fragment)))
        };
        self.nodes.get(slots.iter().find(known)?.node as usize)
    }
}

/// A tree in the making.
#[derive(Debug, Default)]
pub(super) struct Builder {
    nodes: Vec<Growing>,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Growing {
    texts: Vec<Branch>,
    slots: Vec<(Box<[u8]>, u32)>,
    template: Option<u32>,
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Builder {
    /// Nodes.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a template as the texts and fragments that it is made of.
    pub(super) fn add<'p>(&mut self, parts: impl Iterator<Item = Expected<'p>>, template: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Growing::default());
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
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.template = Some(template);
        }
    }

    /// The tree.
    pub(super) fn finish(mut self) -> Trie {
        let (mut nodes, mut branches, mut slots) = (Vec::with_capacity(self.len()), Vec::new(), Vec::new());
        for node in &self.nodes {
            let (branch, slot) = (number(branches.len()), number(slots.len()));
            let mut firsts = [0; FIRSTS];
            for (first, text) in firsts.iter_mut().zip(&node.texts) {
                *first = self.first_of(text).unwrap_or(0);
            }
            branches.extend_from_slice(&node.texts);
            for (fragment, to) in &node.slots {
                let (start, len) = (number(self.bytes.len()), number(fragment.len()));
                self.bytes.extend_from_slice(fragment);
                slots.push(Slot { first: fragment.first().copied().unwrap_or(0), start, len, node: *to });
            }
            nodes.push(Node {
                firsts,
                text: node.texts.first().copied().unwrap_or_default(),
                texts: number(node.texts.len()),
                branch,
                slots: (slot, number(slots.len())),
                number: node.slots.iter().find(|(key, _)| **key == [DIGITS]).map_or(NONE, |(_, to)| *to),
                template: node.template.unwrap_or(NONE),
            });
        }
        self.bytes.extend_from_slice(&[0; FIRSTS]);
        Trie { nodes, branches, slots, bytes: self.bytes }
    }

    fn first_of(&self, branch: &Branch) -> Option<u8> {
        self.bytes.get(branch.start as usize).copied()
    }

    fn add_node(&mut self) -> u32 {
        self.nodes.push(Growing::default());
        number(self.nodes.len() - 1)
    }

    fn add_slot(&mut self, at: u32, fragment: &[u8]) -> u32 {
        let known =
            |node: &Growing| node.slots.iter().find(|(known, _)| **known == *fragment).map(|(_, next)| *next);
        if let Some(next) = self.nodes.get(at as usize).and_then(known) {
            return next;
        }
        let next = self.add_node();
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.slots.push((fragment.into(), next));
        }
        next
    }

    fn add_text(&mut self, at: u32, text: &[u8]) -> u32 {
        let (mut at, mut rest) = (at, text);
        while let Some(first) = rest.first() {
            let known = self
                .nodes
                .get(at as usize)
                .and_then(|node| node.texts.iter().position(|branch| self.first_of(branch) == Some(*first)));
            let Some(branch) = known else {
                let node = self.add_node();
                let branch = Branch { start: number(self.bytes.len()), len: number(rest.len()), node };
                self.bytes.extend_from_slice(rest);
                if let Some(from) = self.nodes.get_mut(at as usize) {
                    from.texts.push(branch);
                }
                return node;
            };
            let shared = self.split(at, branch, rest);
            rest = rest.get(shared..).unwrap_or_default();
            at = self
                .nodes
                .get(at as usize)
                .and_then(|node| node.texts.get(branch))
                .map_or(0, |branch| branch.node);
        }
        at
    }

    /// Cuts branch `branch` of node `at` behind the bytes that it shares with `text`; returns how many those are.
    fn split(&mut self, at: u32, branch: usize, text: &[u8]) -> usize {
        let node = self.nodes.get(at as usize);
        let Some(Branch { start, len, node }) = node.and_then(|node| node.texts.get(branch)).copied() else {
            return text.len();
        };
        let known = self.bytes.get(start as usize..(start + len) as usize).unwrap_or_default();
        let shared = known.iter().zip(text).take_while(|(a, b)| a == b).count();
        let upper_len = number(shared);
        if upper_len < len {
            let middle = self.add_node();
            let lower = Branch { start: start + upper_len, len: len - upper_len, node };
            if let Some(node) = self.nodes.get_mut(middle as usize) {
                node.texts.push(lower);
            }
            if let Some(upper) = self.nodes.get_mut(at as usize).and_then(|node| node.texts.get_mut(branch)) {
                (upper.len, upper.node) = (upper_len, middle);
            }
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_share_what_they_have_in_common() {
        let mut trie = Builder::default();
        for (template, text) in (0..).zip(["open", "opened ", "close", "closed", ""]) {
            let slot = (template == 1).then_some(Expected::Slot(&[1]));
            trie.add([Expected::Text(text.as_bytes())].into_iter().chain(slot), template);
        }
        let trie = trie.finish();
        let walk = |text: &str| {
            let (mut node, mut rest) = (trie.root().expect("root"), text.as_bytes());
            while let Some((next, len)) = trie.text(node, rest) {
                (node, rest) = (next, &rest[len..]);
            }
            (node.template(), node.has_slots(), rest.len())
        };
        assert_eq!(walk(""), (Some(4), false, 0));
        assert_eq!(walk("open"), (Some(0), false, 0));
        assert_eq!(walk("opened 5"), (None, true, 1));
        assert_eq!(walk("close"), (Some(2), false, 0));
        assert_eq!(walk("closed"), (Some(3), false, 0));
        assert_eq!(walk("closer"), (Some(2), false, 1));
        assert_eq!(walk("opex"), (Some(4), false, 4));
        assert_eq!(walk("x"), (Some(4), false, 1));
    }
}
