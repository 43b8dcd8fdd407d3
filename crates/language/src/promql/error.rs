//! The one error a query can have before it runs.

use super::ast::Span;
use std::fmt;

/// Why a query was not understood. Displays as `line:column: parse error: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The bytes that are wrong.
    pub span: Span,
    /// What is wrong, in Prometheus' words.
    pub message: String,
    position: String,
}

impl ParseError {
    pub(crate) fn new(query: &str, span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), position: span.line_column(query) }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: parse error: {}", self.position, self.message)
    }
}

impl std::error::Error for ParseError {}
