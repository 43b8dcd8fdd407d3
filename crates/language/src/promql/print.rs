//! The tree as query text, spaced as Prometheus spaces it. What is printed parses to the same tree.

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, Duration, DurationExpr, Expr, Extension, Matching,
    MatrixSelector, Number, Subquery, VectorSelector,
};
use super::{duration, quote};
use model::labels::{METRIC_NAME, is_legacy_label_name};
use model::{MatchOp, Matcher};
use std::fmt::{self, Display, Write};

/// A number as Go's `FormatFloat(value, 'f', -1, 64)` prints it.
#[must_use]
pub fn format_number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

/// `name="value"` with Go's quoting.
#[must_use]
pub fn format_matcher(matcher: &Matcher) -> String {
    format!("{}{}{}", label_name(&matcher.name), matcher.op.as_str(), quote(&matcher.value))
}

fn label_name(name: &str) -> String {
    if is_legacy_label_name(name) { name.to_owned() } else { quote(name) }
}

fn write_labels(f: &mut impl Write, labels: &[String]) -> fmt::Result {
    for (at, label) in labels.iter().enumerate() {
        write!(f, "{}{}", if at == 0 { "" } else { ", " }, label_name(label))?;
    }
    Ok(())
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_possible_truncation, reason = "saturates; durations are checked by the parser")]
        if self.is_duration {
            f.write_str(&duration::format((self.value * 1000.0).round() as i64))
        } else {
            f.write_str(&format_number(self.value))
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::String(text) => f.write_str(&quote(&text.value)),
            Self::Paren(paren) => write!(f, "({})", paren.expr),
            Self::Unary(unary) => write!(f, "{}{}", if unary.negative { "-" } else { "+" }, unary.expr),
            Self::Binary(binary) => {
                write!(f, "{} {} {}", binary.lhs, operator(binary), binary.rhs)
            }
            Self::Aggregate(aggregate) => {
                write!(f, "{}(", aggregate_head(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            Self::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                for (at, arg) in call.args.iter().enumerate() {
                    write!(f, "{}{arg}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Vector(selector) => selector.fmt(f),
            Self::Matrix(matrix) => matrix.fmt(f),
            Self::Subquery(subquery) => write!(f, "{}{}", subquery.expr, subquery_suffix(subquery)),
        }
    }
}

/// `sum by (job) `, before the parenthesis.
pub(crate) fn aggregate_head(aggregate: &Aggregate) -> String {
    let mut head = aggregate.op.as_str().to_owned();
    let clause = match (aggregate.without, aggregate.grouping.is_empty()) {
        (true, _) => "without",
        (false, false) => "by",
        (false, true) => return head,
    };
    let _ = write!(head, " {clause} (");
    let _ = write_labels(&mut head, &aggregate.grouping);
    head.push_str(") ");
    head
}

/// The operator with its modifiers.
pub(crate) fn operator(binary: &Binary) -> String {
    let mut text = binary.op.as_str().to_owned();
    if binary.return_bool {
        text.push_str(" bool");
    }
    if let Some(matching) = &binary.matching {
        let _ = write_matching(&mut text, matching);
    }
    text
}

fn write_matching(f: &mut String, matching: &Matching) -> fmt::Result {
    let group = match matching.cardinality {
        Cardinality::ManyToOne => Some("left"),
        Cardinality::OneToMany => Some("right"),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    if matching.on || !matching.labels.is_empty() || group.is_some() {
        f.write_str(if matching.on { " on (" } else { " ignoring (" })?;
        write_labels(f, &matching.labels)?;
        f.write_str(")")?;
    }
    if let Some(group) = group {
        write!(f, " group_{group} (")?;
        write_labels(f, &matching.include)?;
        f.write_str(")")?;
    }
    match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
            write!(f, " fill ({})", format_number(left))
        }
        (left, right) => {
            for (side, value) in [("left", left), ("right", right)] {
                if let Some(value) = value {
                    write!(f, " fill_{side} ({})", format_number(value))?;
                }
            }
            Ok(())
        }
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(ms) => f.write_str(&duration::format(*ms)),
            Self::Computed(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Step(_) => f.write_str("step()"),
            Self::Range(_) => f.write_str("range()"),
            Self::Extreme { max, lhs, rhs, .. } => {
                write!(f, "{}({lhs}, {rhs})", if *max { "max_of" } else { "min_of" })
            }
            Self::Negate { expr, .. } => write!(f, "-{expr}"),
            Self::Binary { op, lhs, rhs } => write!(f, "{lhs} {} {rhs}", BinaryOp::as_str(*op)),
            Self::Paren { expr, .. } => write!(f, "({expr})"),
        }
    }
}

struct Modifiers<'a> {
    at: Option<At>,
    extension: Option<Extension>,
    offset: Option<&'a Duration>,
    extension_first: bool,
}

impl Display for Modifiers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extension = match self.extension {
            Some(Extension::Anchored) => " anchored",
            Some(Extension::Smoothed) => " smoothed",
            None => "",
        };
        if self.extension_first {
            f.write_str(extension)?;
        }
        match self.at {
            #[expect(clippy::cast_precision_loss, reason = "printed with three decimals")]
            Some(At::Ms(ms)) => write!(f, " @ {:.3}", ms as f64 / 1000.0)?,
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            None => {}
        }
        if !self.extension_first {
            f.write_str(extension)?;
        }
        match self.offset {
            Some(offset) => write!(f, " offset {offset}"),
            None => Ok(()),
        }
    }
}

/// Name and conditions, without modifiers.
fn series(selector: &VectorSelector) -> String {
    let is_name = |matcher: &&Matcher| {
        matcher.name == METRIC_NAME
            && matcher.op == MatchOp::Equal
            && matcher.value == selector.name
            && !matcher.value.is_empty()
    };
    let mut conditions: Vec<String> =
        selector.matchers.iter().filter(|matcher| !is_name(matcher)).map(format_matcher).collect();
    if conditions.is_empty() {
        return if selector.name.is_empty() { "{}".to_owned() } else { selector.name.clone() };
    }
    conditions.sort();
    format!("{}{{{}}}", selector.name, conditions.join(","))
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modifiers = Modifiers {
            at: self.at,
            extension: self.extension,
            offset: self.offset.as_ref(),
            extension_first: false,
        };
        write!(f, "{}{modifiers}", series(self))
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selector = &self.selector;
        let modifiers = Modifiers {
            at: selector.at,
            extension: selector.extension,
            offset: selector.offset.as_ref(),
            extension_first: true,
        };
        write!(f, "{}[{}]{modifiers}", series(selector), self.range)
    }
}

/// `[range:step]` and the modifiers after it.
pub(crate) fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map(ToString::to_string).unwrap_or_default();
    let offset = subquery.offset.as_ref();
    let modifiers = Modifiers { at: subquery.at, extension: None, offset, extension_first: false };
    format!("[{}:{step}]{modifiers}", subquery.range)
}
