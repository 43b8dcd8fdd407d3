//! Typed attributes, as OpenTelemetry defines them, laid out in a batch's arena.

use crate::text::Text;

/// An attribute value. Text, bytes and composite values stand in the batch's arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// An `AnyValue` with no value set.
    Empty,
    /// UTF-8 text.
    Str(Text),
    /// 64-bit integer.
    Int(i64),
    /// 64-bit float.
    Double(f64),
    /// Boolean.
    Bool(bool),
    /// Opaque bytes.
    Bytes(Text),
    /// An array or key-value list, as the OTLP JSON text of its `AnyValue` (lossless):
    /// `{"arrayValue":{"values":[{"stringValue":"a"}]}}`.
    Json(Text),
}

/// One key and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attr {
    /// UTF-8, in the arena.
    pub key: Text,
    /// The value.
    pub value: Value,
}

/// An attribute value that borrows from an arena: what engines compare and doors print.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Empty,
    /// UTF-8 text.
    Str(&'a str),
    /// 64-bit integer.
    Int(i64),
    /// 64-bit float.
    Double(f64),
    /// Boolean.
    Bool(bool),
    /// Opaque bytes.
    Bytes(&'a [u8]),
    /// OTLP JSON text of an array or key-value list.
    Json(&'a str),
}

impl Value {
    /// The value with its text resolved against `arena`.
    #[must_use]
    pub fn resolve(self, arena: &[u8]) -> ValueRef<'_> {
        match self {
            Self::Empty => ValueRef::Empty,
            Self::Str(text) => ValueRef::Str(text.str(arena)),
            Self::Int(value) => ValueRef::Int(value),
            Self::Double(value) => ValueRef::Double(value),
            Self::Bool(value) => ValueRef::Bool(value),
            Self::Bytes(text) => ValueRef::Bytes(text.bytes(arena)),
            Self::Json(text) => ValueRef::Json(text.str(arena)),
        }
    }

    /// The same value after its arena was appended to another at `offset`.
    #[must_use]
    pub fn shifted(self, offset: u32) -> Self {
        match self {
            Self::Str(text) => Self::Str(text.shifted(offset)),
            Self::Bytes(text) => Self::Bytes(text.shifted(offset)),
            Self::Json(text) => Self::Json(text.shifted(offset)),
            other => other,
        }
    }
}

impl ValueRef<'_> {
    /// Copies the value into `arena`.
    pub fn store(self, arena: &mut Vec<u8>) -> Value {
        match self {
            Self::Empty => Value::Empty,
            Self::Str(text) => Value::Str(Text::push(arena, text.as_bytes())),
            Self::Int(value) => Value::Int(value),
            Self::Double(value) => Value::Double(value),
            Self::Bool(value) => Value::Bool(value),
            Self::Bytes(bytes) => Value::Bytes(Text::push(arena, bytes)),
            Self::Json(text) => Value::Json(Text::push(arena, text.as_bytes())),
        }
    }
}
