//! One trace where it stands in a batch, and what is worked out about it at most once and only when asked: its tree, its
//! root, its duration.

use model::SpanId;
use model::span::{SpanBatch, SpanRef};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

/// The spans of one trace, numbered from 0 by (start, span id).
pub(super) struct Trace<'a> {
    batch: &'a SpanBatch,
    rows: Range<usize>,
    tree: OnceCell<Tree>,
    root: OnceCell<Option<u32>>,
    duration_ns: OnceCell<i64>,
}

/// Who is whose child. Positions are those of the nested set model: a span lies inside of another when its left and
/// right do. Spans whose parent has not arrived are tops of trees of their own, so that structure works without a root.
pub(super) struct Tree {
    /// Parent of each span, if it is in the trace.
    pub(super) parent: Vec<Option<u32>>,
    /// Spans, each after its parent; those on a cycle of parents are left out.
    pub(super) order: Vec<u32>,
    /// Positions from 1; 0 on a cycle of parents.
    pub(super) left: Vec<i64>,
    /// Positions from 1; 0 on a cycle of parents.
    pub(super) right: Vec<i64>,
    /// Direct children.
    pub(super) children: Vec<u32>,
}

impl<'a> Trace<'a> {
    /// The trace at `rows` of `batch`.
    pub(super) fn new(batch: &'a SpanBatch, rows: Range<usize>) -> Self {
        Self { batch, rows, tree: OnceCell::new(), root: OnceCell::new(), duration_ns: OnceCell::new() }
    }

    pub(super) fn batch(&self) -> &'a SpanBatch {
        self.batch
    }

    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// How many spans.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    /// Span `at`; `None` when out of range.
    pub(super) fn span(&self, at: u32) -> Option<SpanRef<'a>> {
        self.batch.span(self.rows.start + at as usize)
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = SpanRef<'a>> {
        (0..self.len()).filter_map(|at| self.span(at))
    }

    /// The first span without a parent id.
    pub(super) fn root(&self) -> Option<SpanRef<'a>> {
        let find =
            || (0..self.len()).find(|at| self.span(*at).is_some_and(|span| span.row.parent_id.is_none()));
        self.root.get_or_init(find).and_then(|at| self.span(at))
    }

    /// Start of the earliest span.
    pub(super) fn start_ns(&self) -> i64 {
        self.spans().map(|span| span.row.start_ns).min().unwrap_or_default()
    }

    /// Latest end less earliest start.
    pub(super) fn duration_ns(&self) -> i64 {
        let end = || self.spans().map(|span| span.end_ns()).max().unwrap_or_default();
        *self.duration_ns.get_or_init(|| end().saturating_sub(self.start_ns()))
    }

    pub(super) fn tree(&self) -> &Tree {
        self.tree.get_or_init(|| Tree::new(self))
    }
}

impl Tree {
    /// One walk over a list of children; linear in the number of spans.
    fn new(trace: &Trace) -> Self {
        let len = trace.len() as usize;
        let ids: HashMap<SpanId, u32> =
            (0..).zip(trace.spans()).map(|(at, span)| (span.row.span_id, at)).collect();
        let parent_of =
            |span: SpanRef| if span.row.parent_id.is_none() { None } else { ids.get(&span.row.parent_id) };
        let parent: Vec<Option<u32>> = trace.spans().map(|span| parent_of(span).copied()).collect();
        let mut children = vec![0; len];
        // Children as linked lists; built from the back, so that they come out in order.
        let (mut first_child, mut next_sibling) = (vec![None; len], vec![None; len]);
        for at in (0..trace.len()).rev() {
            if let Some(up) = parent[at as usize] {
                next_sibling[at as usize] = first_child[up as usize];
                first_child[up as usize] = Some(at);
                children[up as usize] += 1;
            }
        }
        let mut tree = Self {
            parent,
            order: Vec::with_capacity(len),
            left: vec![0; len],
            right: vec![0; len],
            children,
        };
        let mut position = 0;
        let tops: Vec<u32> =
            (0_u32..).zip(&tree.parent).filter(|(_, up)| up.is_none()).map(|(at, _)| at).collect();
        for top in tops {
            tree.walk(top, &mut first_child, &next_sibling, &mut position);
        }
        tree
    }

    /// Numbers the tree under `top` without recursion: a chain of spans may be as long as the trace.
    fn walk(
        &mut self,
        top: u32,
        first_child: &mut [Option<u32>],
        next_sibling: &[Option<u32>],
        position: &mut i64,
    ) {
        let mut at = top;
        loop {
            if self.left[at as usize] == 0 {
                *position += 1;
                self.left[at as usize] = *position;
                self.order.push(at);
            }
            if let Some(child) = first_child[at as usize] {
                first_child[at as usize] = next_sibling[child as usize];
                at = child;
                continue;
            }
            *position += 1;
            self.right[at as usize] = *position;
            match self.parent[at as usize] {
                Some(up) if at != top => at = up,
                _ => return,
            }
        }
    }

    /// TraceQL's `nestedSetParent`: the parent's left; -1 for a root, 0 when the parent is not known.
    pub(super) fn nested_set_parent(&self, at: u32, is_root: bool) -> i64 {
        match self.parent.get(at as usize).copied().flatten() {
            Some(up) => self.left.get(up as usize).copied().unwrap_or_default(),
            None if is_root => -1,
            None => 0,
        }
    }
}
