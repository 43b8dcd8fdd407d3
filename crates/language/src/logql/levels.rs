//! How deep a tree nests when it is printed. A row of operators parses without nesting, but prints with a pair of
//! parentheses each; what is accepted must be accepted again.

use super::ast::{Expr, LabelFilter, Stage};

/// Levels that the parser takes to read the printed tree.
pub(super) fn of(expr: &Expr) -> usize {
    1 + match expr {
        Expr::Literal(_) | Expr::VectorLiteral(_) => 0,
        Expr::Log(log) => of_stages(&log.stages),
        Expr::Range(range) => {
            let unwrap = range.range.unwrap.iter().flat_map(|unwrap| &unwrap.filters);
            of_stages(&range.range.log.stages).max(unwrap.map(of_filter).max().unwrap_or(0))
        }
        Expr::Vector(vector) => of(&vector.inner),
        Expr::LabelReplace { inner, .. } => of(inner),
        Expr::Binary(binary) => of(&binary.lhs).max(1 + of(&binary.rhs)),
    }
}

fn of_stages(stages: &[Stage]) -> usize {
    let filters = stages.iter().filter_map(|stage| match stage {
        Stage::Filter(filter) => Some(of_filter(filter)),
        _ => None,
    });
    filters.max().unwrap_or(0)
}

fn of_filter(filter: &LabelFilter) -> usize {
    1 + match filter {
        LabelFilter::And(a, b) | LabelFilter::Or(a, b) => of_filter(a).max(of_filter(b)),
        _ => 0,
    }
}
