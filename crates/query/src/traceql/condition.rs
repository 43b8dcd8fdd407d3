//! A value expression made ready for many spans: patterns compiled, ids padded, boolean attributes and `nil` given
//! their meaning. Evaluating never allocates, except for ids and arrays.

use super::answer::TraceQlError;
use super::field::{each_value, first_value};
use super::trace::Trace;
use super::value::{Val, arithmetic, compare, elements, negate, of_elements};
use language::traceql::{
    BinaryOp, ErrorKind, Field, FieldExpr, FieldName, Intrinsic, ParseError, Static, UnaryOp,
};
use model::matcher::anchored_regex;
use model::{SpanId, TraceId};
use regex::Regex;
use std::ops::ControlFlow;

/// A prepared expression.
#[derive(Debug)]
pub(super) enum Expr {
    Const(Static),
    Field(FieldName),
    Neg(Box<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x = nil` (`true`) or `x != nil`.
    Nil(Box<Expr>, bool),
    Match(BinaryOp, Box<Expr>, Regex),
    Arithmetic(BinaryOp, Box<Expr>, Box<Expr>),
}

/// Prepares an expression whose value is used as it is (`by`, aggregates).
pub(super) fn prepare(expr: &FieldExpr) -> Result<Expr, TraceQlError> {
    Ok(match expr {
        FieldExpr::Static(value) => Expr::Const(value.clone()),
        FieldExpr::Field(field) => Expr::Field(field.name.clone()),
        FieldExpr::Unary { op: UnaryOp::Neg, expr, .. } => Expr::Neg(Box::new(prepare(expr)?)),
        FieldExpr::Unary { op: UnaryOp::Not, expr, .. } => Expr::Not(Box::new(prepare(expr)?)),
        FieldExpr::Binary { op, lhs, rhs, at } => return prepare_binary(*op, lhs, rhs, at.0),
    })
}

/// Prepares an expression whose truth counts: an attribute alone stands for `attribute = true`.
pub(super) fn prepare_condition(expr: &FieldExpr) -> Result<Expr, TraceQlError> {
    match prepare(expr)? {
        field @ Expr::Field(_) => {
            let yes = Box::new(Expr::Const(Static::Bool(true)));
            Ok(Expr::Compare(BinaryOp::Equal, Box::new(field), yes))
        }
        other => Ok(other),
    }
}

fn prepare_binary(op: BinaryOp, lhs: &FieldExpr, rhs: &FieldExpr, at: usize) -> Result<Expr, TraceQlError> {
    let nil = |expr: &FieldExpr| matches!(expr, FieldExpr::Static(Static::Nil));
    match op {
        BinaryOp::And => Ok(Expr::And(Box::new(prepare_condition(lhs)?), Box::new(prepare_condition(rhs)?))),
        BinaryOp::Or => Ok(Expr::Or(Box::new(prepare_condition(lhs)?), Box::new(prepare_condition(rhs)?))),
        BinaryOp::Equal | BinaryOp::NotEqual if nil(rhs) => {
            Ok(Expr::Nil(Box::new(prepare(lhs)?), op == BinaryOp::Equal))
        }
        BinaryOp::Equal | BinaryOp::NotEqual if nil(lhs) => {
            Ok(Expr::Nil(Box::new(prepare(rhs)?), op == BinaryOp::Equal))
        }
        BinaryOp::Regex | BinaryOp::NotRegex => {
            let refused = |kind, message| TraceQlError::Parse(ParseError { kind, message, offset: at });
            let FieldExpr::Static(Static::Str(pattern)) = rhs else {
                let message = "unsupported: a regular expression must be a literal".to_owned();
                return Err(refused(ErrorKind::Unsupported, message));
            };
            let regex = anchored_regex(pattern);
            let regex = regex.map_err(|error| {
                refused(ErrorKind::Invalid, format!("invalid regular expression: {error}"))
            })?;
            Ok(Expr::Match(op, Box::new(prepare(lhs)?), regex))
        }
        _ if op.is_comparison() => {
            let (mut lhs, mut rhs) = (prepare(lhs)?, prepare(rhs)?);
            pad_id(&lhs, &mut rhs);
            pad_id(&rhs, &mut lhs);
            Ok(Expr::Compare(op, Box::new(lhs), Box::new(rhs)))
        }
        _ => Ok(Expr::Arithmetic(op, Box::new(prepare(lhs)?), Box::new(prepare(rhs)?))),
    }
}

/// Writes an id that is compared with an id field at full width, as the field is.
fn pad_id(field: &Expr, literal: &mut Expr) {
    let (Expr::Field(FieldName::Intrinsic(field)), Expr::Const(Static::Str(text))) = (field, literal) else {
        return;
    };
    let padded = match field {
        Intrinsic::TraceId | Intrinsic::LinkTraceId => text.parse::<TraceId>().map(|id| id.to_string()),
        Intrinsic::SpanId | Intrinsic::ParentId | Intrinsic::LinkSpanId => {
            text.parse::<SpanId>().map(|id| id.to_string())
        }
        _ => return,
    };
    if let Ok(padded) = padded {
        *text = padded;
    }
}

/// Prepares a field that is read for its first value.
pub(super) fn prepare_field(field: &Field) -> Expr {
    Expr::Field(field.name.clone())
}

impl Expr {
    /// Whether span `at` satisfies the condition.
    pub(super) fn holds(&self, trace: &Trace, at: u32) -> bool {
        match self {
            Self::And(lhs, rhs) => lhs.holds(trace, at) && rhs.holds(trace, at),
            Self::Or(lhs, rhs) => lhs.holds(trace, at) || rhs.holds(trace, at),
            Self::Compare(op, lhs, rhs) => lhs.any_value(trace, at, &mut |one| {
                rhs.any_value(trace, at, &mut |other| compare(*op, one, other))
            }),
            Self::Match(op, expr, regex) => {
                expr.any_value(trace, at, &mut |value| matches(*op, value, regex))
            }
            Self::Nil(expr, wanted) => (expr.value(trace, at) == Val::Nil) == *wanted,
            _ => self.value(trace, at) == Val::Bool(true),
        }
    }

    /// Whether one of the expression's values passes the test; only a field of events or links has several.
    fn any_value<'a>(&'a self, trace: &Trace<'a>, at: u32, test: &mut dyn FnMut(&Val<'a>) -> bool) -> bool {
        let Self::Field(field) = self else {
            return test(&self.value(trace, at));
        };
        let until =
            |value: Val<'a>| if test(&value) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        each_value(field, trace, at, &mut { until }).is_break()
    }

    /// The expression's (first) value.
    pub(super) fn value<'a>(&'a self, trace: &Trace<'a>, at: u32) -> Val<'a> {
        match self {
            Self::Const(value) => Val::of_static(value),
            Self::Field(field) => first_value(field, trace, at),
            Self::Neg(expr) => negate(&expr.value(trace, at)),
            Self::Not(expr) => match expr.value(trace, at) {
                Val::Bool(value) => Val::Bool(!value),
                _ => Val::Nil,
            },
            Self::Arithmetic(op, lhs, rhs) => arithmetic(*op, &lhs.value(trace, at), &rhs.value(trace, at)),
            Self::And(..) | Self::Or(..) | Self::Compare(..) | Self::Match(..) | Self::Nil(..) => {
                Val::Bool(self.holds(trace, at))
            }
        }
    }
}

/// `value =~ regex`; of an array any element (none, for `!~`), of anything but text nothing.
fn matches(op: BinaryOp, value: &Val, regex: &Regex) -> bool {
    match value {
        Val::Str(text) => regex.is_match(text) == (op == BinaryOp::Regex),
        Val::Json(array) => elements(array)
            .is_some_and(|values| of_elements(op, &values, |op, value| matches(op, value, regex))),
        _ => false,
    }
}
