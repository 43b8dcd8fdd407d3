//! Tokens of a query and how messages name them.

use super::ast::{AggregateOp, BinaryOp, Span};
use super::quote;

/// Words with a meaning of their own where an operator or modifier may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// `offset`
    Offset,
    /// `smoothed`
    Smoothed,
    /// `anchored`
    Anchored,
    /// `by`
    By,
    /// `without`
    Without,
    /// `on`
    On,
    /// `ignoring`
    Ignoring,
    /// `group_left`
    GroupLeft,
    /// `group_right`
    GroupRight,
    /// `fill`, only before `(`
    Fill,
    /// `fill_left`, only before `(`
    FillLeft,
    /// `fill_right`, only before `(`
    FillRight,
    /// `bool`
    Bool,
}

/// Words that `@` or a duration expression may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preprocessor {
    /// `start`
    Start,
    /// `end`
    End,
    /// `step`
    Step,
    /// `range`
    Range,
    /// `max_of`
    MaxOf,
    /// `min_of`
    MinOf,
}

/// Keywords and their spelling, lower case.
pub const KEYWORDS: [(&str, Keyword); 13] = [
    ("offset", Keyword::Offset),
    ("smoothed", Keyword::Smoothed),
    ("anchored", Keyword::Anchored),
    ("by", Keyword::By),
    ("without", Keyword::Without),
    ("on", Keyword::On),
    ("ignoring", Keyword::Ignoring),
    ("group_left", Keyword::GroupLeft),
    ("group_right", Keyword::GroupRight),
    ("fill", Keyword::Fill),
    ("fill_left", Keyword::FillLeft),
    ("fill_right", Keyword::FillRight),
    ("bool", Keyword::Bool),
];

/// Preprocessors and their spelling, lower case.
pub const PREPROCESSORS: [(&str, Preprocessor); 6] = [
    ("start", Preprocessor::Start),
    ("end", Preprocessor::End),
    ("step", Preprocessor::Step),
    ("range", Preprocessor::Range),
    ("max_of", Preprocessor::MaxOf),
    ("min_of", Preprocessor::MinOf),
];

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    Assign,
    EqualRegex,
    NotEqualRegex,
    At,
    Operator(BinaryOp),
    Aggregator(AggregateOp),
    Keyword(Keyword),
    Preprocessor(Preprocessor),
    Identifier,
    MetricIdentifier,
    String,
    Number,
    Duration,
    Eof,
    /// The lexer stopped here, with this message.
    Error(String),
}

/// A token and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

impl Token {
    /// As messages call it: `identifier "foo"`, `<op:+>`, `"("`.
    pub(crate) fn describe(&self, query: &str) -> String {
        let text = query.get(self.span.start..self.span.end).unwrap_or_default();
        let quoted = || {
            if text.len() > 10 {
                format!("{}...", quote(&text.chars().take(10).collect::<String>()))
            } else {
                quote(text)
            }
        };
        match self.kind {
            Kind::Eof => "end of input".to_owned(),
            Kind::Identifier => format!("identifier {}", quote(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Kind::String => format!("string {}", quoted()),
            Kind::Number => format!("number {}", quoted()),
            Kind::Duration => format!("duration {}", quoted()),
            Kind::Keyword(_) => format!("<{text}>"),
            Kind::Operator(_) | Kind::At | Kind::EqualRegex | Kind::NotEqualRegex => format!("<op:{text}>"),
            Kind::Aggregator(_) => format!("<aggr:{text}>"),
            _ => quoted(),
        }
    }
}
