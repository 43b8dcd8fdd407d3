//! Bytes to tokens. Attribute names are the only words whose alphabet depends on what stands before them (a dot), so the
//! whole text is cut in one pass without asking the parser.

use super::ast::{At, Field, FieldName, Intrinsic};
use super::{ErrorKind, ParseError};
use model::scan::AttrScope;

/// Longest query text, in bytes.
pub const QUERY_BYTES_MAX: usize = 128 << 10;

/// One word of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Ident(String),
    Field(FieldName),
    Int(i64),
    Float(f64),
    Duration(i64),
    Str(String),
    Op(&'static str),
    End,
}

/// A word and its first byte.
#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) at: usize,
}

/// Longest first, so that `>>` is not read as two `>`.
const OPS: &[&str] = &[
    "!>>", "!<<", "&>>", "&<<", "||", "&&", "!=", "<=", ">=", "=~", "!~", ">>", "<<", "!>", "!<", "&>", "&<",
    "&~", "{", "}", "(", ")", ",", "|", "=", "<", ">", "!", "+", "-", "*", "/", "%", "^", "~",
];

/// Attribute scopes as written.
pub(super) const SCOPES: &[(&str, AttrScope)] = &[
    ("span", AttrScope::Span),
    ("resource", AttrScope::Resource),
    ("event", AttrScope::Event),
    ("link", AttrScope::Link),
    ("instrumentation", AttrScope::Instrumentation),
];

/// Units of a duration and their nanoseconds, longest spelling first.
const UNITS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Cuts `text` into tokens; the last one is [`Token::End`].
pub(super) fn tokenize(text: &str) -> Result<Vec<Spanned>, ParseError> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("query is longer than {QUERY_BYTES_MAX} bytes");
        return Err(ParseError { kind: ErrorKind::Syntax, message, offset: QUERY_BYTES_MAX });
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space_and_comments()?;
        let at = lexer.at;
        let token = lexer.next()?;
        let done = token == Token::End;
        tokens.push(Spanned { token, at });
        if done {
            return Ok(tokens);
        }
    }
}

/// `parse error at line L, col C: syntax error: WHAT`, as Tempo words it.
pub(super) fn syntax_error(text: &str, offset: usize, what: &str) -> ParseError {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let col = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = format!("parse error at line {line}, col {col}: syntax error: {what}");
    ParseError { kind: ErrorKind::Syntax, message, offset }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Comments are `// to the end of the line` and `/* ... */`, which do not nest.
    fn skip_space_and_comments(&mut self) -> Result<(), ParseError> {
        loop {
            self.at = self.text.len() - self.rest().trim_start().len();
            let rest = self.rest();
            self.at += if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/").ok_or_else(|| self.error(self.at, "comment not terminated"))?;
                end + "/**/".len()
            } else {
                return Ok(());
            };
        }
    }

    /// Takes bytes while `accept` holds for their character.
    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn error(&self, at: usize, what: &str) -> ParseError {
        syntax_error(self.text, at, what)
    }

    fn next(&mut self) -> Result<Token, ParseError> {
        let rest = self.rest();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else {
            return Ok(Token::End);
        };
        let second = chars.next().unwrap_or_default();
        match first {
            '0'..='9' => self.number(),
            '.' if second.is_ascii_digit() => self.number(),
            '.' => {
                self.at += 1;
                self.attribute(false, None)
            }
            '"' | '`' => self.string(first).map(Token::Str),
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            _ => self.operator(first),
        }
    }

    fn operator(&mut self, first: char) -> Result<Token, ParseError> {
        let op = OPS.iter().find(|op| self.rest().starts_with(**op));
        let op = op.ok_or_else(|| self.error(self.at, &format!("unexpected character {first:?}")))?;
        self.at += op.len();
        Ok(Token::Op(op))
    }

    /// A number, or a duration when units follow.
    fn number(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        let digits = self.decimal();
        if !self.rest().starts_with(|c: char| c.is_alphabetic() || c == '_') {
            if !digits.contains(['.', 'e', 'E']) {
                let bad = |_| self.error(start, &format!("integer {digits} does not fit in 64 bits"));
                return digits.parse().map(Token::Int).map_err(bad);
            }
            let value = digits.parse::<f64>().ok().filter(|value| value.is_finite());
            return value.map(Token::Float).ok_or_else(|| self.error(start, &format!("bad number {digits}")));
        }
        self.duration(start, digits)
    }

    /// `1h30m`, `1.5s`: `first` is the number before the first unit.
    fn duration(&mut self, start: usize, first: &'a str) -> Result<Token, ParseError> {
        let bad = |lexer: &Self| {
            lexer.error(start, "bad duration: use whole or decimal numbers of ns, us, ms, s, m or h")
        };
        let mut total: i128 = 0;
        let mut number = first;
        loop {
            let unit = UNITS.iter().find(|(unit, _)| self.rest().starts_with(unit));
            let (unit, unit_ns) = unit.ok_or_else(|| bad(self))?;
            self.at += unit.len();
            total += scaled(number, *unit_ns).ok_or_else(|| bad(self))?;
            if !self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                break;
            }
            number = self.take_while(|c| c.is_ascii_digit() || c == '.');
        }
        if self.rest().starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return Err(bad(self));
        }
        i64::try_from(total).map(Token::Duration).map_err(|_| bad(self))
    }

    /// Digits, a fraction and an exponent.
    fn decimal(&mut self) -> &'a str {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit());
        if self.rest().starts_with('.') {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let mut ahead = self.rest().chars();
        if matches!(ahead.next(), Some('e' | 'E')) {
            let sign = usize::from(matches!(ahead.clone().next(), Some('+' | '-')));
            if ahead.nth(sign).is_some_and(|c| c.is_ascii_digit()) {
                self.at += 1 + sign;
                self.take_while(|c| c.is_ascii_digit());
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A keyword, a function, a scoped attribute (`span.x`) or a scoped intrinsic (`span:name`).
    fn word(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let scope = SCOPES.iter().find(|(name, _)| *name == word).map(|(_, scope)| *scope);
        match self.rest().chars().next() {
            Some(':') => {
                self.at += 1;
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                let full = self.text.get(start..self.at).unwrap_or_default();
                let intrinsic = Intrinsic::parse(full);
                let intrinsic =
                    intrinsic.ok_or_else(|| self.error(start, &format!("unknown intrinsic {full}")))?;
                Ok(Token::Field(FieldName::Intrinsic(intrinsic)))
            }
            Some('.') if scope.is_some() => {
                self.at += 1;
                self.attribute(false, scope)
            }
            Some('.') if word == "parent" => {
                self.at += 1;
                let inner = SCOPES.iter().find(|(name, _)| {
                    self.rest().strip_prefix(name).is_some_and(|after| after.starts_with('.'))
                });
                self.at += inner.map_or(0, |(name, _)| name.len() + 1);
                self.attribute(true, inner.map(|(_, scope)| *scope))
            }
            Some('.') => {
                Err(self.error(start, &format!("unknown scope {word}: write .{word} for an attribute")))
            }
            _ => Ok(Token::Ident(word.to_owned())),
        }
    }

    /// The name after a scope's dot: bare and quoted pieces joined.
    fn attribute(&mut self, parent: bool, scope: Option<AttrScope>) -> Result<Token, ParseError> {
        let start = self.at;
        let mut name = String::new();
        loop {
            name.push_str(self.take_while(|c| !c.is_whitespace() && !"{}()=~!<>&|^,\"".contains(c)));
            if !self.rest().starts_with('"') {
                break;
            }
            name.push_str(&self.quoted_name()?);
        }
        if name.is_empty() {
            return Err(self.error(start, "expecting an attribute name after the dot"));
        }
        Ok(Token::Field(FieldName::Attribute { parent, scope, name }))
    }

    /// `"..."` in an attribute name: only `\"` and `\\` are escapes.
    fn quoted_name(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        let mut name = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(name);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => name.push(escaped),
                    _ => {
                        return Err(
                            self.error(start + at, "only \\\" and \\\\ are escapes in an attribute name")
                        );
                    }
                },
                _ => name.push(c),
            }
        }
        Err(self.error(start, "attribute name is not terminated"))
    }

    /// A string as in Go: `"..."` with escapes or raw between back quotes.
    fn string(&mut self, quote: char) -> Result<String, ParseError> {
        let start = self.at;
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + 1;
                return Ok(value);
            }
            match c {
                '\\' if quote == '"' => {
                    let escape = chars.next().map(|(_, c)| c).unwrap_or_default();
                    let digits = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    let decoded = unescape(escape, &hex);
                    value.push(decoded.ok_or_else(|| self.error(start + at, "unknown escape in string"))?);
                }
                '\n' if quote == '"' => break,
                _ => value.push(c),
            }
        }
        Err(self.error(start, "string is not terminated"))
    }
}

/// A decimal number of `unit_ns` in nanoseconds, exact.
fn scaled(number: &str, unit_ns: i128) -> Option<i128> {
    const DIGITS_MAX: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| match text {
        "" => Some(0),
        _ if text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<i128>().ok()
        }
        _ => None,
    };
    let scale = 10_i128.pow(u32::try_from(fraction.len().min(DIGITS_MAX)).ok()?);
    Some(digits(whole)? * unit_ns + digits(fraction)? * unit_ns / scale)
}

/// The character that `\escape` (with its hexadecimal digits) stands for.
fn unescape(escape: char, hex: &str) -> Option<char> {
    match escape {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'v' => Some('\x0b'),
        '"' | '\\' | '\'' => Some(escape),
        'x' | 'u' | 'U' => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
        _ => None,
    }
}

impl Spanned {
    /// As an error names it.
    pub(super) fn describe(&self) -> String {
        match &self.token {
            Token::Ident(word) => format!("identifier {word}"),
            Token::Field(name) => format!("field {}", Field { name: name.clone(), at: At(self.at) }),
            Token::Int(value) => format!("integer {value}"),
            Token::Float(value) => format!("float {value}"),
            Token::Duration(ns) => format!("duration {}", super::duration(*ns)),
            Token::Str(text) => format!("string {text:?}"),
            Token::Op(op) => (*op).to_owned(),
            Token::End => "end of query".to_owned(),
        }
    }
}
