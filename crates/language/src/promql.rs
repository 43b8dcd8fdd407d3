//! PromQL: lexer, Pratt parser, type checker and printer of Prometheus 3's query language.
//!
//! [`parse`] is total: any input gives a tree or one error with a byte position and Prometheus' wording. The tree keeps
//! byte spans, because warnings point into the query. Nothing here evaluates anything.

pub mod ast;
mod check;
pub mod duration;
mod error;
pub mod function;
pub mod json;
mod lexer;
mod parser;
mod pretty;
mod print;
mod quote;
mod regexp;
pub mod token;

pub use ast::Expr;
pub use error::ParseError;
pub use parser::{parse, parse_selector};
pub use pretty::pretty;
pub use print::{format_matcher, format_number};
pub use quote::{quote, unquote};

/// Longest query text the parser reads, bytes.
pub const QUERY_BYTES_MAX: usize = 1 << 20;

/// Deepest tree the parser builds, nodes: a chain of binary operators is as deep as it is long.
pub const TREE_DEPTH_MAX: usize = 250;

/// Deepest nesting of parentheses, calls and signs.
pub const NESTING_DEPTH_MAX: usize = 100;
