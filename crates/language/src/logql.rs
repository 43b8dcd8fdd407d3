//! LogQL, as Loki 3.7 documents it: text to tree, tree to text, and Loki's wording for what is wrong.
//!
//! The lexer is contextual (`rate` is a function only before a parenthesis, `[` starts a range), the parser is
//! recursive descent. Nothing here touches a log line; nothing here panics, whatever the input.

mod ast;
mod error;
mod filter;
mod levels;
mod lexer;
mod parser;
mod pipeline;
mod pretty;
mod printer;
mod regexp;
pub mod units;

pub use ast::{
    Assign, BinOp, BinaryExpr, Conversion, Expr, FieldFilter, Group, Grouping, LabelFilter, LabelFormat,
    LineFilter, LineOp, LogExpr, LogRange, MatchOn, Modifier, NumberOp, Operand, RangeExpr, RangeOp, Stage,
    Unwrap, VectorExpr, VectorOp,
};
pub use error::ParseError;
pub use lexer::QUERY_BYTES_MAX;
pub use parser::{DEPTH_MAX, parse, parse_selector};
pub use pretty::pretty;
pub use regexp::{explain as explain_regex, search_regex};

#[cfg(test)]
mod tests;
