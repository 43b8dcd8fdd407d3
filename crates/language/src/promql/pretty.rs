//! The tree as text of many lines: what is longer than a line is broken and indented (`/api/v1/format_query`).

use super::ast::Expr;
use super::print::{aggregate_head, operator, subquery_suffix};

/// Longest line that is not broken, bytes.
const LINE_BYTES_MAX: usize = 100;

/// Formats `expr` with two spaces of indentation per level.
#[must_use]
pub fn pretty(expr: &Expr) -> String {
    write(expr, 0)
}

fn write(expr: &Expr, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = expr.to_string();
    if line.len() <= LINE_BYTES_MAX {
        return if matches!(expr, Expr::Subquery(_)) { line } else { indent + &line };
    }
    match expr {
        Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => indent + &line,
        Expr::Paren(paren) => format!("{indent}(\n{}\n{indent})", write(&paren.expr, level + 1)),
        Expr::Unary(unary) => {
            let sign = if unary.negative { "-" } else { "+" };
            format!("{indent}{sign}{}", write(&unary.expr, level).trim())
        }
        Expr::Binary(binary) => format!(
            "{}\n{indent}{}\n{}",
            write(&binary.lhs, level + 1),
            operator(binary),
            write(&binary.rhs, level + 1)
        ),
        Expr::Aggregate(aggregate) => {
            let mut out = format!("{indent}{}(\n", aggregate_head(aggregate));
            if let Some(param) = &aggregate.param {
                out.push_str(&write(param, level + 1));
                out.push_str(",\n");
            }
            out + &format!("{}\n{indent})", write(&aggregate.expr, level + 1))
        }
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(|arg| write(arg, level + 1)).collect();
            format!("{indent}{}(\n{}\n{indent})", call.function.name, args.join(",\n"))
        }
        Expr::Subquery(subquery) => {
            format!("{}{}", write(&subquery.expr, level), subquery_suffix(subquery))
        }
    }
}
