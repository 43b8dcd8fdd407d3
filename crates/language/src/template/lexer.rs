//! Template text to tokens: text between actions, and what stands inside them.

use super::Place;

/// A token and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Place,
    /// Byte range in the source.
    pub(super) span: (usize, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Text(String),
    Open,
    Close,
    /// Space between arguments; matters to tell `.a.b` from `.a .b`.
    Space,
    Dot,
    Field(String),
    Variable(String),
    Word(String),
    Quoted(String),
    Number(String),
    Char(char),
    Pipe,
    Comma,
    Assign,
    Declare,
    LeftParen,
    RightParen,
}

/// Splits `text`; the error is a line and a message.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, (usize, String)> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    lexer.text()?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: at - line_start }
    }

    fn fail(&self, message: &str) -> (usize, String) {
        (self.place(self.at).line, message.to_owned())
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let (at, span) = (self.place(self.at), (self.at, self.at + length));
        self.tokens.push(Token { kind, at, span });
        self.at += length;
    }

    /// Text, then an action, again and again.
    fn text(&mut self) -> Result<(), (usize, String)> {
        let mut trim_left = false;
        while !self.rest().is_empty() {
            let rest = self.rest();
            let open = rest.find("{{");
            let mut literal = rest.get(..open.unwrap_or(rest.len())).unwrap_or_default();
            let length = literal.len();
            let after = rest.get(length + 2..).unwrap_or_default();
            let trim_right = open.is_some() && trims(after);
            if trim_left {
                literal = literal.trim_start_matches(SPACES);
            }
            if trim_right {
                literal = literal.trim_end_matches(SPACES);
            }
            if literal.is_empty() {
                self.at += length;
            } else {
                self.push(Kind::Text(literal.to_owned()), length);
            }
            if open.is_none() {
                return Ok(());
            }
            let marker = if trim_right { 2 } else { 0 };
            trim_left = if self.rest().get(2 + marker..).unwrap_or_default().starts_with("/*") {
                self.comment(2 + marker)?
            } else {
                self.push(Kind::Open, 2 + marker);
                self.action()?
            };
        }
        Ok(())
    }

    /// Skips a comment; tells whether it trims what follows.
    fn comment(&mut self, open: usize) -> Result<bool, (usize, String)> {
        self.at += open;
        let Some(end) = self.rest().find("*/") else { return Err(self.fail("unclosed comment")) };
        self.at += end + 2;
        for (close, trims) in [("}}", false), (" -}}", true)] {
            if self.rest().starts_with(close) {
                self.at += close.len();
                return Ok(trims);
            }
        }
        Err(self.fail("comment ends before closing delimiter"))
    }

    /// The inside of an action; tells whether it trims what follows.
    fn action(&mut self) -> Result<bool, (usize, String)> {
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(SPACES);
            let spaces = rest.len() - trimmed.len();
            if spaces > 0 && trimmed.starts_with("-}}") || rest.starts_with("}}") {
                if depth > 0 {
                    return Err(self.fail("unclosed left paren"));
                }
                let trims = !rest.starts_with("}}");
                let length = if trims { spaces + 3 } else { 2 };
                self.push(Kind::Close, length);
                return Ok(trims);
            }
            if spaces > 0 {
                self.push(Kind::Space, spaces);
                continue;
            }
            let Some(c) = rest.chars().next() else { return Err(self.fail("unclosed action")) };
            match c {
                '(' => depth += 1,
                ')' if depth == 0 => return Err(self.fail("unexpected right paren")),
                ')' => depth -= 1,
                _ => {}
            }
            self.inside(c, rest)?;
        }
    }

    fn inside(&mut self, c: char, rest: &'a str) -> Result<(), (usize, String)> {
        let word = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        let digit_next = rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        match c {
            '(' => self.push(Kind::LeftParen, 1),
            ')' => self.push(Kind::RightParen, 1),
            '|' => self.push(Kind::Pipe, 1),
            ',' => self.push(Kind::Comma, 1),
            ':' if rest.starts_with(":=") => self.push(Kind::Declare, 2),
            ':' => return Err(self.fail("expected :=")),
            '=' => self.push(Kind::Assign, 1),
            '"' | '`' => self.quoted(c, rest)?,
            '\'' => self.character(rest)?,
            '.' if !digit_next => {
                let name = rest.get(1..).unwrap_or_default();
                let name = name.get(..word(name)).unwrap_or_default();
                let kind = if name.is_empty() { Kind::Dot } else { Kind::Field(name.to_owned()) };
                self.push(kind, 1 + name.len());
            }
            '$' => {
                let name = rest.get(1..).unwrap_or_default();
                let name = name.get(..word(name)).unwrap_or_default();
                self.push(Kind::Variable(name.to_owned()), 1 + name.len());
            }
            _ if c.is_ascii_digit() || c == '.' || ((c == '+' || c == '-') && digit_next) => {
                let length = number(rest);
                self.push(Kind::Number(rest.get(..length).unwrap_or_default().to_owned()), length);
            }
            _ if c.is_alphabetic() || c == '_' => {
                let name = rest.get(..word(rest)).unwrap_or_default();
                self.push(Kind::Word(name.to_owned()), name.len());
            }
            _ => return Err(self.fail(&format!("unexpected {} in command", quoted_char(c)))),
        }
        Ok(())
    }

    fn quoted(&mut self, quote: char, rest: &str) -> Result<(), (usize, String)> {
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == quote && !escaped || (*c == '\n' && quote == '"');
            escaped = *c == '\\' && !escaped && quote == '"';
            closes
        });
        let (Some((end, c)), what) = (end, if quote == '"' { "quoted" } else { "raw quoted" }) else {
            return Err(self.fail("unterminated quoted string"));
        };
        if c != quote {
            return Err(self.fail(&format!("unterminated {what} string")));
        }
        let literal = rest.get(..=end).unwrap_or_default();
        let text = crate::logql::units::unquote(literal).ok_or_else(|| self.fail("invalid syntax"))?;
        self.push(Kind::Quoted(text), literal.len());
        Ok(())
    }

    fn character(&mut self, rest: &str) -> Result<(), (usize, String)> {
        let end = rest.get(2..).and_then(|tail| tail.find('\'')).map(|at| at + 2);
        let Some(end) = end else { return Err(self.fail("unterminated character constant")) };
        let body = rest.get(1..end).unwrap_or_default();
        let text = crate::logql::units::unquote(&format!("\"{body}\"")).unwrap_or_default();
        let mut chars = text.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            return Err(self.fail(&format!("malformed character constant: '{body}'")));
        };
        self.push(Kind::Char(c), end + 1);
        Ok(())
    }
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// Whether what follows `{{` is a trim marker.
fn trims(after: &str) -> bool {
    after.starts_with('-') && after.get(1..).is_some_and(|rest| rest.starts_with(SPACES))
}

fn quoted_char(c: char) -> String {
    format!("U+{:04X} '{c}'", c as u32)
}

/// Bytes of the number at the start of `text`.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = usize::from(bytes.first().is_some_and(|b| b"+-".contains(b)));
    let hex = bytes.get(end) == Some(&b'0') && bytes.get(end + 1).is_some_and(|b| b"xX".contains(b));
    let digits = |mut at: usize| {
        while bytes
            .get(at)
            .is_some_and(|b| *b == b'_' || b.is_ascii_digit() || hex && b.is_ascii_alphabetic())
        {
            at += 1;
        }
        at
    };
    end = digits(end);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if !hex && bytes.get(end).is_some_and(|b| b"eE".contains(b)) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|b| b"+-".contains(b)));
        end = digits(end + 1 + sign);
    }
    end
}
