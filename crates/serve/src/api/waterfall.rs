//! A trace as rows in the order a waterfall draws them: parents before children, siblings by start.
//!
//! Whatever the spans' parents say, every span is one row: a span whose parent is missing stands at the top, and spans
//! whose parents go round in a circle are cut open at the earliest.

use model::{SpanBatch, SpanId};
use std::collections::{HashMap, HashSet};

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Index into the batch's spans.
    pub(crate) span: usize,
    /// 0 at the top.
    pub(crate) depth: usize,
    /// Direct children.
    pub(crate) children: usize,
}

/// The rows of the trace in `batch`, whose spans stand by start.
pub(crate) fn rows(batch: &SpanBatch) -> Vec<Row> {
    let known: HashSet<SpanId> = batch.spans.iter().map(|span| span.span_id).collect();
    let mut children: HashMap<SpanId, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (at, span) in batch.spans.iter().enumerate() {
        if span.parent_id.is_none() || !known.contains(&span.parent_id) {
            roots.push(at);
        } else {
            children.entry(span.parent_id).or_default().push(at);
        }
    }
    let mut walk = Walk { batch, children, seen: vec![false; batch.spans.len()], rows: Vec::new() };
    for at in roots.into_iter().chain(0..batch.spans.len()) {
        walk.from(at);
    }
    walk.rows
}

struct Walk<'a> {
    batch: &'a SpanBatch,
    children: HashMap<SpanId, Vec<usize>>,
    seen: Vec<bool>,
    rows: Vec<Row>,
}

impl Walk<'_> {
    /// Appends span `at` and everything below it, unless it has its row already.
    fn from(&mut self, at: usize) {
        let mut stack = vec![(at, 0)];
        while let Some((at, depth)) = stack.pop() {
            let Some(seen) = self.seen.get_mut(at) else { continue };
            if std::mem::replace(seen, true) {
                continue;
            }
            let id = self.batch.spans.get(at).map(|span| span.span_id).unwrap_or_default();
            let below = self.children.get(&id).map_or(&[][..], Vec::as_slice);
            self.rows.push(Row { span: at, depth, children: below.len() });
            stack.extend(below.iter().rev().map(|child| (*child, depth + 1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SpanRow;

    /// Spans as (id, parent); the answer as `id:depth`.
    fn check(spans: &[(u8, u8)], expected: &str) {
        let id = |n: u8| SpanId([0, 0, 0, 0, 0, 0, 0, n]);
        let spans = spans.iter().map(|(span, parent)| SpanRow {
            span_id: id(*span),
            parent_id: id(*parent),
            ..SpanRow::default()
        });
        let batch = SpanBatch { spans: spans.collect(), ..SpanBatch::default() };
        let text: Vec<String> = rows(&batch)
            .iter()
            .map(|row| format!("{}:{}", batch.spans[row.span].span_id.0[7], row.depth))
            .collect();
        assert_eq!(text.join(" "), expected);
    }

    #[test]
    fn every_span_is_one_row_below_its_parent() {
        check(&[(1, 0), (2, 1), (3, 1), (4, 2)], "1:0 2:1 4:2 3:1");
        check(&[(2, 9), (1, 0), (3, 2)], "2:0 3:1 1:0");
        check(&[(1, 0), (2, 3), (3, 2)], "1:0 2:0 3:1");
        check(&[(1, 1)], "1:0");
        check(&[], "");
    }
}
