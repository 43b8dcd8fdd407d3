//! Query text to tokens. Contextual: a function name is a function only before a parenthesis (or `by (`), a number
//! with a unit is a duration or a size, `[` swallows everything to its `]`.

use super::ast::{RangeOp, VectorOp};
use super::error::{ParseError, Position};
use super::units;

/// Longest query accepted, in bytes; Loki's `max_query_length` is a time, its parser takes 5120 by default.
pub const QUERY_BYTES_MAX: usize = 131_072;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Position,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Identifier(String),
    Text(String),
    Number(String),
    Duration(i64),
    Bytes(u64),
    Range(i64),
    /// `--strict`, `--keep-empty`.
    Flag(&'static str),
    /// A reserved word, lower case.
    Keyword(&'static str),
    /// `rate`, before a parenthesis.
    RangeOp(RangeOp),
    /// `sum`, before a parenthesis or a grouping.
    VectorOp(VectorOp),
    /// `ip`, `vector`, `label_replace`, `bytes`, `duration`, `duration_seconds`, `variants` before a parenthesis.
    Function(&'static str),
    Punct(&'static str),
    End,
}

const KEYWORDS: &[&str] = &[
    "by",
    "without",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "or",
    "and",
    "unless",
    "unwrap",
    "json",
    "logfmt",
    "regexp",
    "pattern",
    "unpack",
    "line_format",
    "label_format",
    "decolorize",
    "drop",
    "keep",
    "of",
];
const FUNCTIONS: &[&str] =
    &["ip", "vector", "label_replace", "bytes", "duration", "duration_seconds", "variants"];
/// Longest first.
const PUNCTUATION: &[&str] = &[
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")", "[", "]", ",", "|", "=",
    ">", "<", "+", "-", "*", "/", "%", "^", ".",
];

impl Kind {
    /// As Loki names it in an error.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Identifier(_) => "IDENTIFIER".to_owned(),
            Self::Text(_) => "STRING".to_owned(),
            Self::Number(_) => "NUMBER".to_owned(),
            Self::Duration(_) => "DURATION".to_owned(),
            Self::Bytes(_) => "BYTES".to_owned(),
            Self::Range(_) => "RANGE".to_owned(),
            Self::Flag(_) => "PARSER_FLAG".to_owned(),
            Self::Keyword(text) | Self::Punct(text) => (*text).to_owned(),
            Self::RangeOp(op) => op.as_str().to_uppercase(),
            Self::VectorOp(op) => op.as_str().to_uppercase(),
            Self::Function("ip") => "ip".to_owned(),
            Self::Function("bytes") => "BYTES_CONV".to_owned(),
            Self::Function("duration") => "DURATION_CONV".to_owned(),
            Self::Function("duration_seconds") => "DURATION_SECONDS_CONV".to_owned(),
            Self::Function(text) => text.to_uppercase(),
            Self::End => "$end".to_owned(),
        }
    }
}

/// Splits `text`; the last token is [`Kind::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Token>, ParseError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(ParseError::meaning(format!("query is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let mut lexer = Lexer { text, at: 0, line: 1, line_start: 0, tokens: Vec::new() };
    loop {
        lexer.skip_space();
        let at = lexer.position();
        let Some(c) = lexer.rest().chars().next() else {
            lexer.tokens.push(Token { kind: Kind::End, at });
            return Ok(lexer.tokens);
        };
        let (kind, assembled) = lexer.token(c, at)?;
        let line = if assembled { 0 } else { at.line };
        lexer.tokens.push(Token { kind, at: Position { line, ..at } });
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn position(&self) -> Position {
        let column = self.text.get(self.line_start..self.at).map_or(0, |s| s.chars().count()) + 1;
        Position { offset: self.at, line: self.line, column }
    }

    /// Moves over `bytes`, counting lines.
    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or_default();
        self.line += passed.matches('\n').count();
        if let Some(last) = passed.rfind('\n') {
            self.line_start = self.at + last + 1;
        }
        self.at += bytes;
    }

    /// Spaces and `#` comments.
    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let space = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.advance(space);
            if !self.rest().starts_with('#') {
                return;
            }
            let comment = self.rest().find('\n').unwrap_or(self.rest().len());
            self.advance(comment);
        }
    }

    /// The next token, and whether Loki's scanner assembles it (and then forgets the line).
    fn token(&mut self, c: char, at: Position) -> Result<(Kind, bool), ParseError> {
        let next_is_digit = self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        match c {
            '"' | '`' => self.string(c, at).map(|kind| (kind, false)),
            '[' => self.range(at).map(|kind| (kind, true)),
            _ if c.is_ascii_digit() || (c == '.' && next_is_digit) => self.number(at),
            _ if c.is_alphabetic() || c == '_' => Ok((self.word(), false)),
            '-' if self.rest().starts_with("--strict") => Ok((self.flag("--strict"), true)),
            '-' if self.rest().starts_with("--keep-empty") => Ok((self.flag("--keep-empty"), true)),
            _ => {
                let rest = self.rest();
                if let Some(text) = PUNCTUATION.iter().find(|text| rest.starts_with(**text)) {
                    self.advance(text.len());
                    return Ok((Kind::Punct(text), text.len() > 1));
                }
                self.advance(c.len_utf8());
                Ok((Kind::Identifier(c.to_string()), false))
            }
        }
    }

    fn flag(&mut self, text: &'static str) -> Kind {
        self.advance(text.len());
        Kind::Flag(text)
    }

    fn string(&mut self, quote: char, at: Position) -> Result<Kind, ParseError> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == quote && !escaped || (*c == '\n' && quote == '"');
            escaped = *c == '\\' && !escaped && quote == '"';
            closes
        });
        let literal = match end {
            Some((end, c)) if c == quote => rest.get(..=end).unwrap_or_default(),
            _ => return Err(ParseError::at(at, "literal not terminated")),
        };
        self.advance(literal.len());
        units::unquote(literal).map(Kind::Text).ok_or_else(|| ParseError::at(at, "invalid char escape"))
    }

    fn range(&mut self, at: Position) -> Result<Kind, ParseError> {
        let at = Position { line: 0, ..at };
        let rest = self.rest();
        let Some(end) = rest.find(']') else {
            return Err(ParseError::at(at, "missing closing ']' in duration"));
        };
        let interval = units::parse_range(rest.get(1..end).unwrap_or_default());
        let interval = interval.map_err(|message| ParseError::at(at, message))?;
        self.advance(end + 1);
        Ok(Kind::Range(interval))
    }

    /// A number, or a number and a unit.
    fn number(&mut self, at: Position) -> Result<(Kind, bool), ParseError> {
        let rest = self.rest();
        let length = number_length(rest).ok_or_else(|| ParseError::at(at, "exponent has no digits"))?;
        let (number, after) = rest.split_at(length);
        let unit = |allowed: &str| {
            let fits = |c: char| c.is_ascii_digit() || allowed.contains(c);
            after.find(|c: char| !fits(c)).unwrap_or(after.len())
        };
        let duration = unit(".nuµμmshdwy");
        let text = rest.get(..length + duration).unwrap_or_default();
        if duration > 0
            && let Ok(ns) = units::parse_duration(text)
        {
            self.advance(text.len());
            return Ok((Kind::Duration(ns), true));
        }
        let size = unit("BKMGTPEkib");
        let text = rest.get(..length + size).unwrap_or_default();
        let plain = text.get(length..).unwrap_or_default();
        if size > 0
            && !plain.ends_with('b')
            && let Ok(bytes) = units::parse_bytes(text)
        {
            self.advance(text.len());
            return Ok((Kind::Bytes(bytes), true));
        }
        self.advance(length);
        Ok((Kind::Number(number.to_owned()), false))
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        self.advance(end);
        let lower = word.to_lowercase();
        if let Some(keyword) = KEYWORDS.iter().find(|keyword| **keyword == lower) {
            return Kind::Keyword(keyword);
        }
        let call = after.trim_start().starts_with('(');
        if call && let Some(op) = RangeOp::from_text(&lower) {
            return Kind::RangeOp(op);
        }
        if (call || before_grouping(after))
            && let Some(op) = VectorOp::from_text(&lower)
        {
            return Kind::VectorOp(op);
        }
        if call && let Some(function) = FUNCTIONS.iter().find(|function| **function == lower) {
            return Kind::Function(function);
        }
        Kind::Identifier(word.to_owned())
    }
}

/// Whether `by (` or `without (` follows.
fn before_grouping(after: &str) -> bool {
    let after = after.trim_start();
    ["by", "without"].iter().any(|word| {
        after.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
            && after.get(word.len()..).is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}

/// Bytes of the number at the start of `text`, in Go's syntax; `None` when an exponent lacks digits.
fn number_length(text: &str) -> Option<usize> {
    let digits = |from: usize, hex: bool| {
        let tail = text.get(from..).unwrap_or_default();
        let is_digit = |c: char| c == '_' || if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        from + tail.find(|c: char| !is_digit(c)).unwrap_or(tail.len())
    };
    let bytes = text.as_bytes();
    let prefixed = bytes.first() == Some(&b'0') && bytes.get(1).is_some_and(|b| b"xXoObB".contains(b));
    let hex = prefixed && bytes.get(1).is_some_and(|b| b"xX".contains(b));
    let needs_digit = bytes.get(2).is_some_and(|b| b.is_ascii_hexdigit() || *b == b'.');
    if prefixed && !(hex || bytes.get(2).is_some_and(u8::is_ascii_digit)) || hex && !needs_digit {
        return Some(1);
    }
    let mut end = digits(if prefixed { 2 } else { 0 }, hex);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1, hex);
    }
    let exponent: &[u8] = if hex { b"pP" } else { b"eE" };
    if bytes.get(end).is_some_and(|b| exponent.contains(b)) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|b| b"+-".contains(b)));
        let last = digits(end + 1 + sign, false);
        return (last > end + 1 + sign).then_some(last);
    }
    Some(end)
}
