//! Values of one span and what operators make of them. Integers, floats and durations are numbers and mix; anything
//! else compares with its own kind only. A missing value satisfies no comparison, `!=` included.

use super::answer::AttrValue;
use language::traceql::{BinaryOp, Static};
use model::attr::ValueRef;
use model::span::{SpanKind, StatusCode};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value that borrows from a span batch or a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Val<'a> {
    Nil,
    Int(i64),
    Float(f64),
    Duration(i64),
    Bool(bool),
    Str(Cow<'a, str>),
    Status(StatusCode),
    Kind(SpanKind),
    /// OTLP JSON of an array or a map.
    Json(&'a str),
    /// Present, but nothing TraceQL has operators for.
    Bytes(&'a [u8]),
}

impl<'a> Val<'a> {
    pub(super) fn of_attr(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Empty => Self::Nil,
            ValueRef::Str(text) => Self::Str(Cow::Borrowed(text)),
            ValueRef::Int(value) => Self::Int(value),
            ValueRef::Double(value) => Self::Float(value),
            ValueRef::Bool(value) => Self::Bool(value),
            ValueRef::Bytes(bytes) => Self::Bytes(bytes),
            ValueRef::Json(text) => Self::Json(text),
        }
    }

    pub(super) fn of_static(value: &'a Static) -> Self {
        match value {
            Static::Nil => Self::Nil,
            Static::Int(value) => Self::Int(*value),
            Static::Float(value) => Self::Float(*value),
            Static::Str(text) => Self::Str(Cow::Borrowed(text)),
            Static::Bool(value) => Self::Bool(*value),
            Static::Duration(ns) => Self::Duration(*ns),
            Static::Status(status) => Self::Status(*status),
            Static::Kind(kind) => Self::Kind(*kind),
        }
    }

    /// As an answer shows it.
    pub(super) fn answer(&self) -> AttrValue {
        match self {
            Self::Nil => AttrValue::Nil,
            Self::Int(value) => AttrValue::Int(*value),
            Self::Float(value) => AttrValue::Double(*value),
            Self::Duration(ns) => AttrValue::Duration(*ns),
            Self::Bool(value) => AttrValue::Bool(*value),
            Self::Str(text) => AttrValue::Str(text.clone().into_owned()),
            Self::Status(status) => AttrValue::Str(status.as_str().to_owned()),
            Self::Kind(kind) => AttrValue::Str(kind.as_str().to_owned()),
            Self::Json(text) => match elements(text) {
                Some(values) => AttrValue::Array(values.iter().map(Val::answer).collect()),
                None => AttrValue::Str((*text).to_owned()),
            },
            Self::Bytes(bytes) => AttrValue::Str(hex(bytes)),
        }
    }

    /// As a number; durations in nanoseconds.
    #[expect(clippy::cast_precision_loss, reason = "aggregates and series are floats")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value),
            _ => None,
        }
    }
}

/// Bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The elements of an OTLP JSON array; `None` for a map.
pub(super) fn elements(json: &str) -> Option<Vec<Val<'static>>> {
    let tree: serde_json::Value = serde_json::from_str(json).ok()?;
    let values = tree.get("arrayValue")?.get("values").and_then(serde_json::Value::as_array);
    Some(values.into_iter().flatten().map(element).collect())
}

/// One `AnyValue`; nested arrays and maps have no operators.
fn element(any: &serde_json::Value) -> Val<'static> {
    if let Some(text) = any.get("stringValue").and_then(serde_json::Value::as_str) {
        return Val::Str(Cow::Owned(text.to_owned()));
    }
    if let Some(value) = any.get("boolValue").and_then(serde_json::Value::as_bool) {
        return Val::Bool(value);
    }
    if let Some(value) = any.get("doubleValue").and_then(serde_json::Value::as_f64) {
        return Val::Float(value);
    }
    let int = any.get("intValue");
    let int =
        int.and_then(|value| value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())));
    int.map_or(Val::Nil, Val::Int)
}

/// `lhs op rhs` for a comparison. Of an array any element may satisfy it; for `!=` none may be equal.
pub(super) fn compare(op: BinaryOp, lhs: &Val, rhs: &Val) -> bool {
    match (lhs, rhs) {
        (Val::Json(array), other) => elements(array)
            .is_some_and(|values| of_elements(op, &values, |op, value| compare(op, value, other))),
        (other, Val::Json(array)) => elements(array)
            .is_some_and(|values| of_elements(op, &values, |op, value| compare(op, other, value))),
        _ => compare_scalars(op, lhs, rhs),
    }
}

/// Any element, or for the negative operators none by the positive one.
pub(super) fn of_elements(op: BinaryOp, values: &[Val], test: impl Fn(BinaryOp, &Val) -> bool) -> bool {
    let positive = match op {
        BinaryOp::NotEqual => BinaryOp::Equal,
        BinaryOp::NotRegex => BinaryOp::Regex,
        _ => return values.iter().any(|value| test(op, value)),
    };
    !values.iter().any(|value| test(positive, value))
}

fn compare_scalars(op: BinaryOp, lhs: &Val, rhs: &Val) -> bool {
    let order = match (lhs, rhs) {
        (Val::Str(lhs), Val::Str(rhs)) => Some(lhs.cmp(rhs)),
        (Val::Bool(lhs), Val::Bool(rhs)) => Some(lhs.cmp(rhs)),
        (Val::Status(lhs), Val::Status(rhs)) => Some(lhs.cmp(rhs)),
        (Val::Kind(lhs), Val::Kind(rhs)) => Some(lhs.cmp(rhs)),
        _ => match (lhs.integer(), rhs.integer(), lhs.number(), rhs.number()) {
            (Some(lhs), Some(rhs), ..) => Some(lhs.cmp(&rhs)),
            (_, _, Some(lhs), Some(rhs)) => lhs.partial_cmp(&rhs),
            _ => None,
        },
    };
    order.is_some_and(|order| satisfies(op, order))
}

/// Whether two values in this order satisfy the comparison.
pub(super) fn satisfies(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        BinaryOp::GreaterEqual => order.is_ge(),
        _ => false,
    }
}

/// `lhs op rhs` for arithmetic; nil when an operand is no number. Whole numbers stay whole under `+ - * %` as long as
/// they fit in 64 bits; `/` and `^` give floats.
pub(super) fn arithmetic(op: BinaryOp, lhs: &Val, rhs: &Val) -> Val<'static> {
    if let (Some(lhs), Some(rhs)) = (lhs.integer(), rhs.integer()) {
        let whole = match op {
            BinaryOp::Add => lhs.checked_add(rhs),
            BinaryOp::Sub => lhs.checked_sub(rhs),
            BinaryOp::Mul => lhs.checked_mul(rhs),
            BinaryOp::Mod => lhs.checked_rem(rhs),
            _ => None,
        };
        if let Some(whole) = whole {
            return Val::Int(whole);
        }
    }
    let (Some(lhs), Some(rhs)) = (lhs.number(), rhs.number()) else {
        return Val::Nil;
    };
    match op {
        BinaryOp::Add => Val::Float(lhs + rhs),
        BinaryOp::Sub => Val::Float(lhs - rhs),
        BinaryOp::Mul => Val::Float(lhs * rhs),
        BinaryOp::Div => Val::Float(lhs / rhs),
        BinaryOp::Mod => Val::Float(lhs % rhs),
        BinaryOp::Pow => Val::Float(lhs.powf(rhs)),
        _ => Val::Nil,
    }
}

/// `-value`; nil when it is no number.
pub(super) fn negate(value: &Val) -> Val<'static> {
    match (value.integer().and_then(i64::checked_neg), value.number()) {
        (Some(whole), _) => Val::Int(whole),
        (None, Some(value)) => Val::Float(-value),
        (None, None) => Val::Nil,
    }
}
