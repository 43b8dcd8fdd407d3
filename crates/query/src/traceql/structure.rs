//! Structural operators over a trace's tree, each one or two passes over its spans: no pair of spans is ever compared.

use super::trace::{Trace, Tree};
use language::traceql::{Relation, Sides};
use model::SpanId;
use std::collections::HashMap;

/// The spans of `lhs op rhs`; both inputs and the output ascend.
pub(super) fn relate(trace: &Trace, relation: Relation, sides: Sides, lhs: &[u32], rhs: &[u32]) -> Vec<u32> {
    if rhs.is_empty() || (lhs.is_empty() && sides != Sides::NotRight) {
        return Vec::new();
    }
    let related = related(trace, relation, lhs);
    let right = |keep: bool| rhs.iter().copied().filter(|at| flag(&related, *at) == keep).collect::<Vec<_>>();
    match sides {
        Sides::Right => right(true),
        Sides::NotRight => right(false),
        Sides::Both => {
            let back = self::related(trace, inverse(relation), rhs);
            let left = lhs.iter().copied().filter(|at| flag(&back, *at)).collect::<Vec<_>>();
            union(&left, &right(true))
        }
    }
}

/// `b relation a` read from the other side.
fn inverse(relation: Relation) -> Relation {
    match relation {
        Relation::Descendant => Relation::Ancestor,
        Relation::Ancestor => Relation::Descendant,
        Relation::Child => Relation::Parent,
        Relation::Parent => Relation::Child,
        Relation::Sibling => Relation::Sibling,
    }
}

fn flag(flags: &[bool], at: u32) -> bool {
    flags.get(at as usize).copied().unwrap_or_default()
}

/// For every span of the trace, whether it stands in `relation` to some span of `to`.
fn related(trace: &Trace, relation: Relation, to: &[u32]) -> Vec<bool> {
    let tree = trace.tree();
    let mut member = vec![false; trace.len() as usize];
    for at in to {
        member[*at as usize] = true;
    }
    match relation {
        Relation::Child => tree.parent.iter().map(|up| up.is_some_and(|up| flag(&member, up))).collect(),
        Relation::Parent => parents(tree, &member),
        Relation::Descendant => {
            let mut below = vec![false; member.len()];
            for at in &tree.order {
                if let Some(up) = tree.parent[*at as usize] {
                    below[*at as usize] = member[up as usize] || below[up as usize];
                }
            }
            below
        }
        Relation::Ancestor => {
            let mut above = vec![false; member.len()];
            for at in tree.order.iter().rev() {
                if let Some(up) = tree.parent[*at as usize] {
                    above[up as usize] |= member[*at as usize] || above[*at as usize];
                }
            }
            above
        }
        Relation::Sibling => siblings(trace, &member),
    }
}

fn parents(tree: &Tree, member: &[bool]) -> Vec<bool> {
    let mut parents = vec![false; member.len()];
    for (up, is_member) in tree.parent.iter().zip(member) {
        if let (Some(up), true) = (up, is_member) {
            parents[*up as usize] = true;
        }
    }
    parents
}

/// Siblings share a parent id, whether or not that parent has arrived; roots have none.
fn siblings(trace: &Trace, member: &[bool]) -> Vec<bool> {
    let mut members_of: HashMap<SpanId, u32> = HashMap::new();
    for (span, _) in trace.spans().zip(member).filter(|(_, is_member)| **is_member) {
        *members_of.entry(span.row.parent_id).or_default() += 1;
    }
    let others = |(span, is_member): (model::SpanRef, &bool)| {
        let members = members_of.get(&span.row.parent_id).copied().unwrap_or_default();
        !span.row.parent_id.is_none() && members > u32::from(*is_member)
    };
    trace.spans().zip(member).map(others).collect()
}

/// Both ascending lists as one, each span once.
pub(super) fn union(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    while let (Some(one), Some(other)) = (left.peek().copied(), right.peek().copied()) {
        all.push(one.min(other));
        if one <= other {
            left.next();
        }
        if other <= one {
            right.next();
        }
    }
    all.extend(left);
    all.extend(right);
    all
}
