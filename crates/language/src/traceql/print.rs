//! A tree as text that parses to the same tree: one line, one space around operators, parentheses only where needed.

use super::ast::{
    Body, Field, FieldExpr, FieldName, Limit, MetricsExpr, MetricsFunction, Pipeline, Query, ScalarExpr,
    ScalarFilter, SpansetExpr, Stage, Static, UNARY_POWER, UnaryOp,
};
use super::lexer::SCOPES;
use std::fmt::{self, Display, Formatter};

/// `text` as a TraceQL string or quoted attribute name: in double quotes, `"` and `\` escaped.
///
/// Line breaks stay as they are, which a quoted attribute name allows; in a string use [`quote_string`].
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// `text` as a TraceQL string.
#[must_use]
pub fn quote_string(text: &str) -> String {
    quote(text).replace('\n', "\\n")
}

/// `ns` nanoseconds as a TraceQL duration: `1h2m3.5s`, `250ms`, `40ns`.
#[must_use]
pub fn duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let total = ns.unsigned_abs();
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}us", decimal(total, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(total, 1_000_000)),
        _ => {
            let (minutes, rest) = (total / 60_000_000_000, total % 60_000_000_000);
            let hours = if minutes >= 60 { format!("{}h", minutes / 60) } else { String::new() };
            let minutes = if minutes > 0 { format!("{}m", minutes % 60) } else { String::new() };
            format!("{sign}{hours}{minutes}{}s", decimal(rest, 1_000_000_000))
        }
    }
}

/// `value / unit` (a power of ten) without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let fraction = format!("{:09}", value % unit * (1_000_000_000 / unit));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { (value / unit).to_string() } else { format!("{}.{fraction}", value / unit) }
}

fn join<T: Display>(f: &mut Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        f.write_str(if at > 0 { separator } else { "" })?;
        item.fmt(f)?;
    }
    Ok(())
}

/// Writes `inner`, in parentheses when asked to.
fn wrapped(f: &mut Formatter<'_>, parens: bool, inner: &dyn Display) -> fmt::Result {
    if parens { write!(f, "({inner})") } else { inner.fmt(f) }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Search(pipeline) => pipeline.fmt(f)?,
            Body::Metrics(expr) => expr.fmt(f)?,
        }
        for (at, (name, value)) in self.hints.iter().enumerate() {
            write!(f, "{}{name}={value}", if at > 0 { ", " } else { " with(" })?;
        }
        f.write_str(if self.hints.is_empty() { "" } else { ")" })
    }
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        join(f, &self.stages, " | ")
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spanset(expr) => expr.fmt(f),
            Self::Filter(filter) => filter.fmt(f),
            Self::By(expr) => write!(f, "by({expr})"),
            Self::Coalesce => f.write_str("coalesce()"),
            Self::Select(fields) => {
                f.write_str("select(")?;
                join(f, fields, ", ")?;
                f.write_str(")")
            }
        }
    }
}

/// `{ condition }`.
fn braces(f: &mut Formatter<'_>, condition: Option<&FieldExpr>) -> fmt::Result {
    match condition {
        None => f.write_str("{ }"),
        Some(condition) => write!(f, "{{ {condition} }}"),
    }
}

impl Display for SpansetExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(condition) => braces(f, condition.as_deref()),
            Self::Pipeline(pipeline) => write!(f, "({pipeline})"),
            Self::Binary { op, lhs, rhs } => {
                let power =
                    |side: &Self| if let Self::Binary { op, .. } = side { op.power() } else { u8::MAX };
                wrapped(f, power(lhs) < op.power(), lhs)?;
                write!(f, " {} ", op.as_str())?;
                wrapped(f, power(rhs) <= op.power(), rhs)
            }
        }
    }
}

/// Whether the literal prints with a sign.
fn negative(value: &Static) -> bool {
    match value {
        Static::Int(value) => *value < 0 && *value != i64::MIN,
        Static::Duration(value) => *value < 0,
        Static::Float(value) => value.is_sign_negative(),
        _ => false,
    }
}

impl Display for FieldExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(value) => value.fmt(f),
            Self::Field(field) => field.fmt(f),
            // Parentheses only where the text before had to have them, too: what is accepted must be accepted again.
            Self::Unary { op, expr, .. } => {
                f.write_str(if *op == UnaryOp::Not { "!" } else { "-" })?;
                let parens = match &**expr {
                    Self::Binary { op, .. } => op.power() <= UNARY_POWER,
                    Self::Field(_)
                    | Self::Unary { .. }
                    | Self::Static(Static::Int(0) | Static::Duration(0)) => false,
                    Self::Static(value) => *op == UnaryOp::Neg && !negative(value),
                };
                wrapped(f, parens, expr)
            }
            Self::Binary { op, lhs, rhs, .. } => {
                let power = |side: &Self| match side {
                    Self::Binary { op, .. } => op.power(),
                    Self::Unary { .. } => UNARY_POWER,
                    Self::Static(value) if negative(value) => UNARY_POWER,
                    Self::Static(_) | Self::Field(_) => u8::MAX,
                };
                let binary = |side: &Self| matches!(side, Self::Binary { .. });
                let from_right = *op == super::ast::BinaryOp::Pow;
                let left = power(lhs) < op.power() || (from_right && power(lhs) == op.power());
                let right =
                    binary(rhs) && (power(rhs) < op.power() || (!from_right && power(rhs) == op.power()));
                wrapped(f, left, lhs)?;
                write!(f, " {} ", op.as_str())?;
                wrapped(f, right, rhs)
            }
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl Display for FieldName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (parent, scope, name) = match self {
            Self::Intrinsic(intrinsic) => return f.write_str(intrinsic.as_str()),
            Self::Attribute { parent, scope, name } => (*parent, *scope, name),
        };
        let scope = SCOPES.iter().find(|(_, known)| Some(*known) == scope).map_or("", |(word, _)| word);
        f.write_str(match (parent, scope) {
            (true, "") => "parent",
            (true, _) => "parent.",
            (false, _) => "",
        })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':');
        let digit_first = name.starts_with(|c: char| !c.is_ascii_alphabetic());
        let scoped_again = parent && SCOPES.iter().any(|(word, _)| name.split('.').next() == Some(word));
        let quoted = digit_first || scoped_again || !name.chars().all(plain);
        write!(f, "{scope}.{}", if quoted { quote(name) } else { name.clone() })
    }
}

impl Display for Static {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Int(i64::MIN) => f.write_str("minInt"),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Str(text) => f.write_str(&quote_string(text)),
            Self::Bool(value) => value.fmt(f),
            Self::Duration(ns) => f.write_str(&duration(*ns)),
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Kind(kind) => f.write_str(kind.as_str()),
        }
    }
}

impl Display for ScalarFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.lhs, self.op.as_str(), self.rhs)
    }
}

impl Display for ScalarExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Aggregate { op, field: None, .. } => write!(f, "{}()", op.as_str()),
            Self::Aggregate { op, field: Some(field), .. } => write!(f, "{}({field})", op.as_str()),
            Self::Pipeline(pipeline, scalar) => write!(f, "({pipeline} | {scalar})"),
            Self::Binary { op, lhs, rhs } => {
                let power =
                    |side: &Self| if let Self::Binary { op, .. } = side { op.power() } else { u8::MAX };
                let from_right = *op == super::ast::BinaryOp::Pow;
                wrapped(f, power(lhs) < op.power() || (from_right && power(lhs) == op.power()), lhs)?;
                write!(f, " {} ", op.as_str())?;
                wrapped(f, power(rhs) < op.power() || (!from_right && power(rhs) == op.power()), rhs)
            }
        }
    }
}

impl Display for MetricsExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Query { pipeline, function, by } => {
                write!(f, "{pipeline} | {function}")?;
                if by.is_empty() {
                    return Ok(());
                }
                f.write_str(" by(")?;
                join(f, by, ", ")?;
                f.write_str(")")
            }
            Self::Binary { op, lhs, rhs, .. } => {
                let power = |side: &Self| match side {
                    Self::Number(_) => u8::MAX,
                    Self::Binary { op, .. } => op.power(),
                    Self::Query { .. } | Self::Limit { .. } => 0,
                };
                wrapped(f, power(lhs) < op.power(), lhs)?;
                write!(f, " {} ", op.as_str())?;
                wrapped(f, power(rhs) <= op.power(), rhs)
            }
            Self::Limit { expr, limit, .. } => match limit {
                Limit::Top(k) => write!(f, "{expr} | topk({k})"),
                Limit::Bottom(k) => write!(f, "{expr} | bottomk({k})"),
                Limit::Compare(op, value) => write!(f, "{expr} {} {value}", op.as_str()),
            },
        }
    }
}

impl Display for MetricsFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.write_str("rate()"),
            Self::CountOverTime => f.write_str("count_over_time()"),
            Self::OverTime(op, field) => write!(f, "{}_over_time({field})", op.as_str()),
            Self::Histogram(field) => write!(f, "histogram_over_time({field})"),
            Self::Quantile(field, quantiles) => {
                write!(f, "quantile_over_time({field}")?;
                quantiles.iter().try_for_each(|quantile| write!(f, ", {quantile:?}"))?;
                f.write_str(")")
            }
            Self::Compare { filter, top, window_ns } => {
                f.write_str("compare(")?;
                braces(f, filter.as_deref())?;
                write!(f, ", {top}")?;
                if let Some((start, end)) = window_ns {
                    write!(f, ", {start}, {end}")?;
                }
                f.write_str(")")
            }
        }
    }
}
