//! Selectors under `histogram_count`, `histogram_sum` and `histogram_avg` need no buckets. Without buckets resets cannot be
//! told later, so they are told here, sample by sample.

use super::histogram::detect_reset;
use language::promql::Expr;
use language::promql::ast::{BinaryOp, Span};
use model::FloatHistogram;
use model::histogram::ResetHint;
use std::sync::Arc;

/// What the functions above an expression need of its histograms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Everything,
    /// Nobody said.
    Unknown,
    Totals,
}

/// Spans of the selectors whose buckets are not needed.
pub(crate) fn selectors(expr: &Expr) -> Vec<Span> {
    let mut found = Vec::new();
    walk(expr, Need::Unknown, &mut found);
    found
}

fn walk(expr: &Expr, above: Need, found: &mut Vec<Span>) {
    let need = match expr {
        Expr::Vector(selector) => {
            found.extend((above == Need::Totals).then_some(selector.span));
            return;
        }
        Expr::Matrix(matrix) => {
            found.extend((above == Need::Totals).then_some(matrix.selector.span));
            return;
        }
        // A subquery may skip samples, so that resets must be told from the buckets.
        Expr::Subquery(_) => Need::Everything,
        Expr::Binary(binary) if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => {
            Need::Everything
        }
        Expr::Call(call) => match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" if above != Need::Everything => {
                Need::Totals
            }
            "histogram_quantile"
            | "histogram_quantiles"
            | "histogram_fraction"
            | "histogram_stddev"
            | "histogram_stdvar" => Need::Everything,
            _ => above,
        },
        _ => above,
    };
    for child in expr.children() {
        walk(child, need, found);
    }
}

/// Replaces the histograms by their totals, each with a hint whether it was reset.
pub(crate) fn reduce(histograms: &mut [(i64, Arc<FloatHistogram>)]) {
    let mut before: Option<Arc<FloatHistogram>> = None;
    for (_, h) in histograms {
        if h.is_stale() {
            continue;
        }
        let reset_hint = match (&before, h.reset_hint) {
            (Some(before), ResetHint::Unknown) if detect_reset(h, before) => ResetHint::Yes,
            (Some(_), ResetHint::Unknown) => ResetHint::No,
            (_, hint) => hint,
        };
        let totals = FloatHistogram {
            reset_hint,
            schema: h.schema,
            count: h.count,
            sum: h.sum,
            ..FloatHistogram::default()
        };
        let mut whole = std::mem::replace(h, Arc::new(totals));
        if whole.reset_hint != reset_hint {
            Arc::make_mut(&mut whole).reset_hint = reset_hint;
        }
        before = Some(whole);
    }
}
