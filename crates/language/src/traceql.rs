//! TraceQL: a lexer, a parser, a validator and a printer, as Grafana Tempo's documentation describes the language.
//!
//! Total functions over a query text: they return a tree or an error with a byte position and never panic. Nothing
//! here knows spans or storage.

mod ast;
mod lexer;
mod metrics;
mod parser;
mod print;
#[cfg(test)]
mod tests;
mod validate;

pub use ast::*;
pub use lexer::QUERY_BYTES_MAX;
pub use parser::{DEPTH_MAX, OPERATORS_MAX};
pub use print::{duration, quote, quote_string};
pub use validate::constant;

/// Which stage refused a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text does not follow the grammar.
    Syntax,
    /// It parses, but types or arguments make no sense.
    Invalid,
    /// It makes sense, but no engine answers it.
    Unsupported,
}

/// Why a query was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Which stage refused it.
    pub kind: ErrorKind,
    /// For syntax errors `parse error at line 1, col 3: syntax error: ...`.
    pub message: String,
    /// Byte offset in the query.
    pub offset: usize,
}

/// Reads a query. It follows the grammar, no more: see [`validate`].
///
/// # Errors
/// [`ErrorKind::Syntax`] with the place and what was expected there.
pub fn parse(text: &str) -> Result<Query, ParseError> {
    parser::parse(text)
}

/// Checks types and arguments, then whether the engine has what the query asks for.
///
/// # Errors
/// [`ErrorKind::Invalid`], else [`ErrorKind::Unsupported`].
pub fn validate(query: &Query) -> Result<(), ParseError> {
    validate::validate(query)
}

/// [`parse`] and [`validate`].
///
/// # Errors
/// As the two.
pub fn check(text: &str) -> Result<Query, ParseError> {
    let query = parse(text)?;
    validate(&query)?;
    Ok(query)
}

/// One attribute or intrinsic and nothing else: `span.http.method`, `.foo`, `trace:rootName`, `status`.
///
/// # Errors
/// [`ErrorKind::Syntax`] when the text is anything else.
pub fn parse_field(text: &str) -> Result<FieldName, ParseError> {
    parser::parse_field(text)
}
