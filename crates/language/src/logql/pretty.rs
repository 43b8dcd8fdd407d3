//! The layout of `format_query`: one line when it fits, else one argument or stage a line, indented by two spaces.

use super::ast::{BinaryExpr, Expr, Grouping, LogExpr, RangeExpr, Stage, VectorExpr};
use super::printer::{interval, names, number, selector, unwrapped};
use super::units::quote;
use std::fmt::Write;

/// Longest line that is left as it is, in characters.
const LINE_CHARS_MAX: usize = 100;

/// Lays `expr` out for reading.
#[must_use]
pub fn pretty(expr: &Expr) -> String {
    layout(expr, 0)
}

fn pad(level: usize) -> String {
    "  ".repeat(level)
}

fn layout(expr: &Expr, level: usize) -> String {
    let line = format!("{}{expr}", pad(level));
    if line.chars().count() <= LINE_CHARS_MAX {
        return line;
    }
    match expr {
        Expr::Log(log) => lines(log, level),
        Expr::Range(range) => range_lines(range, level),
        Expr::Vector(vector) => vector_lines(vector, level),
        Expr::Binary(binary) => binary_lines(binary, level),
        Expr::LabelReplace { inner, dst, replacement, src, regex } => {
            let inside = pad(level + 1);
            let texts = [dst, replacement, src, regex].map(|text| format!("{inside}{}", quote(text)));
            format!(
                "{0}label_replace(\n{1},\n{2}\n{0})",
                pad(level),
                layout(inner, level + 1),
                texts.join(",\n")
            )
        }
        Expr::Literal(_) | Expr::VectorLiteral(_) => line,
    }
}

/// The selector, then a line per stage; neighbouring line filters share one.
fn lines(log: &LogExpr, level: usize) -> String {
    let mut out = format!("{}{}", pad(level), selector(&log.matchers));
    let mut after_filter = false;
    for stage in &log.stages {
        let filter = matches!(stage, Stage::Line(_));
        if filter && after_filter {
            let _ = write!(out, " {stage}");
        } else {
            let _ = write!(out, "\n{}{stage}", pad(level + 1));
        }
        after_filter = filter;
    }
    out
}

fn range_lines(expr: &RangeExpr, level: usize) -> String {
    let mut out = format!("{}{}(\n", pad(level), expr.op.as_str());
    if let Some(param) = expr.param {
        let _ = writeln!(out, "{}{},", pad(level + 1), number(param));
    }
    out.push_str(&layout(&Expr::Log(expr.range.log.clone()), level + 1));
    if let Some(unwrap) = &expr.range.unwrap {
        let _ = write!(out, "\n{}{}", pad(level + 2), unwrapped(unwrap));
        for filter in &unwrap.filters {
            let _ = write!(out, "\n{}| {filter}", pad(level + 2));
        }
    }
    let _ = write!(out, " {}\n{})", interval(&expr.range), pad(level));
    if let Some(grouping) = &expr.grouping {
        let _ = write!(out, " {}", spaced(grouping));
    }
    out
}

fn vector_lines(expr: &VectorExpr, level: usize) -> String {
    let grouping = expr.grouping.as_ref().map(|g| format!(" {}", spaced(g))).unwrap_or_default();
    let mut out = format!("{}{}{grouping}(\n", pad(level), expr.op.as_str());
    if let Some(param) = expr.param {
        let _ = writeln!(out, "{}{param},", pad(level + 1));
    }
    out.push_str(&layout(&expr.inner, level + 1));
    let _ = write!(out, "\n{})", pad(level));
    out
}

fn binary_lines(expr: &BinaryExpr, level: usize) -> String {
    let operand = |side: &Expr| {
        let text = layout(side, level + 1);
        if matches!(side, Expr::Binary(_)) && text.contains('\n') {
            format!("{0}(\n{text}\n{0})", pad(level + 1))
        } else {
            text
        }
    };
    let (lhs, rhs) = (operand(&expr.lhs), operand(&expr.rhs));
    format!("{lhs}\n{}{}{}\n{rhs}", pad(level), expr.op.as_str(), expr.modifier)
}

fn spaced(grouping: &Grouping) -> String {
    format!("{} ({})", if grouping.without { "without" } else { "by" }, names(&grouping.labels, ", "))
}
