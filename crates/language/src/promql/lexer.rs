//! Text to tokens. A token is a kind and a byte range; the first malformed one ends the list as [`Kind::Error`].

use super::ast::{AggregateOp, BinaryOp, Span};
use super::quote;
use super::token::{KEYWORDS, Keyword, Kind, PREPROCESSORS, Preprocessor, Token};

/// What the lexer is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Statement,
    Braces,
    /// Right after `[`, until the first number or duration.
    Duration,
}

struct Lexer<'a> {
    query: &'a str,
    at: usize,
    start: usize,
    mode: Mode,
    parens: usize,
    bracket_open: bool,
    got_colon: bool,
    got_duration: bool,
    tokens: Vec<Token>,
}

/// All tokens of `query`, comments left out; the last is `Eof` or `Error`.
pub(crate) fn lex(query: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        query,
        at: 0,
        start: 0,
        mode: Mode::Statement,
        parens: 0,
        bracket_open: false,
        got_colon: false,
        got_duration: false,
        tokens: Vec::new(),
    };
    loop {
        match lexer.step() {
            Ok(true) => {}
            Ok(false) => {
                let end = Span { start: query.len(), end: query.len() };
                lexer.tokens.push(Token { kind: Kind::Eof, span: end });
                break;
            }
            Err(message) => {
                let span = Span { start: lexer.start, end: query.len() };
                lexer.tokens.push(Token { kind: Kind::Error(message), span });
                break;
            }
        }
    }
    lexer.tokens
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_word(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

/// A character as Go's `%q` prints a rune.
fn quote_char(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

fn quote_next(c: Option<char>) -> String {
    c.map_or_else(|| "'�'".to_owned(), quote_char)
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.query[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, c: char) -> bool {
        let hit = self.peek() == Some(c);
        if hit {
            self.next();
        }
        hit
    }

    fn accept_any(&mut self, set: &str) -> bool {
        let hit = self.peek().is_some_and(|c| set.contains(c));
        if hit {
            self.next();
        }
        hit
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&keep) {
            self.next();
        }
    }

    fn text(&self) -> &str {
        &self.query[self.start..self.at]
    }

    #[expect(clippy::unnecessary_wraps, reason = "every branch of a step ends in it")]
    fn emit(&mut self, kind: Kind) -> Result<bool, String> {
        self.tokens.push(Token { kind, span: Span { start: self.start, end: self.at } });
        Ok(true)
    }

    /// Reads one token; `false` at the end of the text.
    fn step(&mut self) -> Result<bool, String> {
        loop {
            self.take_while(is_space);
            if self.peek() != Some('#') || self.mode == Mode::Duration {
                break;
            }
            self.take_while(|c| c != '\n' && c != '\r');
        }
        self.start = self.at;
        match self.mode {
            Mode::Statement => self.statement(),
            Mode::Braces => self.braces(),
            Mode::Duration => self.duration(),
        }
    }

    fn statement(&mut self) -> Result<bool, String> {
        let Some(c) = self.next() else {
            return match (self.parens, self.bracket_open) {
                (0, false) => Ok(false),
                (0, true) => Err("unclosed left bracket".to_owned()),
                _ => Err("unclosed left parenthesis".to_owned()),
            };
        };
        match c {
            ',' => self.emit(Kind::Comma),
            '@' => self.emit(Kind::At),
            '*' | '/' | '%' | '+' | '-' | '^' | '=' | '!' | '<' | '>' => self.operator(c),
            '"' | '\'' | '`' => self.string(c),
            '(' | ')' => self.paren(c),
            '{' => {
                self.mode = Mode::Braces;
                self.emit(Kind::LeftBrace)
            }
            '[' if self.bracket_open => Err(format!("unexpected left bracket {}", quote_char(c))),
            '[' => {
                (self.bracket_open, self.got_colon, self.got_duration) = (true, false, false);
                self.mode = Mode::Duration;
                self.emit(Kind::LeftBracket)
            }
            ']' if !self.bracket_open => Err(format!("unexpected right bracket {}", quote_char(c))),
            ']' => {
                self.bracket_open = false;
                self.emit(Kind::RightBracket)
            }
            c if c.is_ascii_digit() || c == '.' && self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                self.at = self.start;
                self.number_or_duration()
            }
            c if is_alpha(c) || c == ':' => self.word(c),
            c => Err(format!("unexpected character: {}", quote_char(c))),
        }
    }

    fn operator(&mut self, c: char) -> Result<bool, String> {
        let op = match c {
            '*' => BinaryOp::Mul,
            '/' => BinaryOp::Div,
            '%' => BinaryOp::Mod,
            '+' => BinaryOp::Add,
            '-' => BinaryOp::Sub,
            '^' => BinaryOp::Pow,
            '=' if self.accept('=') => BinaryOp::Eq,
            '=' if self.peek() == Some('~') => {
                return Err("unexpected character after '=': '~'".to_owned());
            }
            '=' => return self.emit(Kind::Assign),
            '!' if self.accept('=') => BinaryOp::Ne,
            '!' => return Err(format!("unexpected character after '!': {}", quote_next(self.next()))),
            '<' if self.accept('=') => BinaryOp::Le,
            '<' if self.accept('/') => BinaryOp::TrimUpper,
            '<' => BinaryOp::Lt,
            _ if self.accept('=') => BinaryOp::Ge,
            _ if self.accept('/') => BinaryOp::TrimLower,
            _ => BinaryOp::Gt,
        };
        self.emit(Kind::Operator(op))
    }

    fn paren(&mut self, c: char) -> Result<bool, String> {
        if c == '(' {
            self.parens += 1;
            return self.emit(Kind::LeftParen);
        }
        let Some(parens) = self.parens.checked_sub(1) else {
            self.start = self.at;
            return Err(format!("unexpected right parenthesis {}", quote_char(c)));
        };
        self.parens = parens;
        self.emit(Kind::RightParen)
    }

    fn word(&mut self, first: char) -> Result<bool, String> {
        if self.bracket_open {
            return self.word_in_bracket(first);
        }
        self.take_while(|c| is_word(c) || c == ':');
        let word = self.text().to_ascii_lowercase();
        let kind = match word_kind(&word) {
            Some(Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self.query[self.at..].trim_start_matches(is_space).starts_with('(') =>
            {
                Kind::Identifier
            }
            Some(kind) => kind,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        };
        self.emit(kind)
    }

    fn word_in_bracket(&mut self, first: char) -> Result<bool, String> {
        if first == ':' {
            if self.got_colon {
                return Err(format!("unexpected colon {}", quote_char(first)));
            }
            self.got_colon = true;
            return self.emit(Kind::Colon);
        }
        if let Some(word) = self.duration_word() {
            return self.emit(Kind::Preprocessor(word));
        }
        Err(format!("unexpected character: {}, expected ':'", quote_char(first)))
    }

    /// `step`, `range`, `max_of` or `min_of`, whose first letter is already read.
    fn duration_word(&mut self) -> Option<Preprocessor> {
        self.take_while(is_alpha);
        let word = self.text().to_ascii_lowercase();
        let (_, found) = PREPROCESSORS.iter().find(|(name, _)| *name == word)?;
        (!matches!(found, Preprocessor::Start | Preprocessor::End)).then_some(*found)
    }

    fn duration(&mut self) -> Result<bool, String> {
        let Some(c) = self.next() else {
            return Err("unexpected end of input in duration expression".to_owned());
        };
        match c {
            ']' => {
                self.bracket_open = false;
                self.mode = Mode::Statement;
                self.emit(Kind::RightBracket)
            }
            ':' if !self.got_duration => {
                self.start = self.at;
                Err("unexpected colon before duration in duration expression".to_owned())
            }
            ':' if self.got_colon => {
                self.start = self.at;
                Err("unexpected repeated colon in duration expression".to_owned())
            }
            ':' => {
                self.got_colon = true;
                self.emit(Kind::Colon)
            }
            '(' | ')' => self.paren(c),
            ',' => self.emit(Kind::Comma),
            '+' | '-' | '*' | '/' | '%' | '^' => self.operator(c),
            c if c.is_ascii_digit() || c == '.' && self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                self.got_duration = true;
                self.mode = Mode::Statement;
                self.at = self.start;
                self.number_or_duration()
            }
            c if is_alpha(c) => match self.duration_word() {
                Some(word) => self.emit(Kind::Preprocessor(word)),
                None => Err(format!("unexpected character in duration expression: {}", quote_char(c))),
            },
            c => Err(format!("unexpected character in duration expression: {}", quote_char(c))),
        }
    }

    fn braces(&mut self) -> Result<bool, String> {
        let Some(c) = self.next() else {
            return Err("unexpected end of input inside braces".to_owned());
        };
        match c {
            ',' => self.emit(Kind::Comma),
            '"' | '\'' | '`' => self.string(c),
            '=' if self.accept('~') => self.emit(Kind::EqualRegex),
            '=' => self.emit(Kind::Assign),
            '!' => match self.next() {
                Some('~') => self.emit(Kind::NotEqualRegex),
                Some('=') => self.emit(Kind::Operator(BinaryOp::Ne)),
                other => Err(format!("unexpected character after '!' inside braces: {}", quote_next(other))),
            },
            '{' => Err(format!("unexpected left brace {}", quote_char(c))),
            '}' => {
                self.mode = Mode::Statement;
                self.emit(Kind::RightBrace)
            }
            c if is_alpha(c) => {
                self.take_while(is_word);
                self.emit(Kind::Identifier)
            }
            c => Err(format!("unexpected character inside braces: {}", quote_char(c))),
        }
    }

    fn string(&mut self, open: char) -> Result<bool, String> {
        loop {
            match self.next() {
                None if open == '`' => return Err("unterminated raw string".to_owned()),
                None => return Err("unterminated quoted string".to_owned()),
                Some('\n') if open != '`' => return Err("unterminated quoted string".to_owned()),
                Some('\u{fffd}') => return Err("invalid UTF-8 rune".to_owned()),
                Some('\\') if open != '`' => self.escape(open)?,
                Some(c) if c == open => return self.emit(Kind::String),
                Some(_) => {}
            }
        }
    }

    fn escape(&mut self, open: char) -> Result<(), String> {
        const UNTERMINATED: &str = "escape sequence not terminated";
        let c = self.next().ok_or(UNTERMINATED)?;
        let (count, radix, max) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == open => return Ok(()),
            '0'..='7' => {
                self.at -= 1;
                (3, 8, 255)
            }
            'x' => (2, 16, 255),
            'u' => (4, 16, 0x0010_ffff),
            'U' => (8, 16, 0x0010_ffff),
            c => return Err(format!("unknown escape sequence U+{:04X} '{c}'", c as u32)),
        };
        let mut value = 0_u64;
        for _ in 0..count {
            let c = self.next().ok_or(UNTERMINATED)?;
            let digit = c
                .to_digit(radix)
                .ok_or_else(|| format!("illegal character U+{:04X} '{c}' in escape sequence", c as u32))?;
            value = value * u64::from(radix) + u64::from(digit);
        }
        if value > max || (0xD800..0xE000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn number_or_duration(&mut self) -> Result<bool, String> {
        if self.scan_number() {
            return self.emit(Kind::Number);
        }
        if self.scan_duration() {
            return self.emit(Kind::Duration);
        }
        Err(format!("bad number or duration syntax: {}", quote(self.text())))
    }

    /// The rest of a duration whose first digits are read.
    fn scan_duration(&mut self) -> bool {
        if !self.accept_any("smhdwy") {
            return false;
        }
        self.accept('s');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.take_while(|c| c.is_ascii_digit());
            if !self.accept_any("smhdw") {
                return false;
            }
            self.accept('s');
        }
        if self.peek().is_some_and(is_word) {
            self.next();
            return false;
        }
        true
    }

    /// Decimal, hexadecimal or float; what it reads may still be malformed, which the parser finds out.
    fn scan_number(&mut self) -> bool {
        let mut hex = false;
        if self.accept('0') && self.accept_any("xX") {
            self.accept('_');
            hex = true;
        }
        let digit = move |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        let (mut dot, mut exponent) = (self.accept('.'), false);
        let leading_dot = dot;
        dot = false;
        if self.peek().is_some_and(digit) {
            self.next();
        }
        while let Some(c) = self.peek().filter(|c| digit(*c) || matches!(c, '.' | '_' | 'e' | 'E')) {
            if digit(c) {
                self.take_while(digit);
                continue;
            }
            self.next();
            let bad = match c {
                '.' => {
                    let again = dot || leading_dot;
                    dot = true;
                    again || hex || self.accept_any("_.")
                }
                '_' => self.accept_any("._eE") || self.peek().is_none(),
                _ => {
                    let again = exponent;
                    exponent = true;
                    again || {
                        self.accept_any("+-");
                        self.accept_any("._eE") || self.peek().is_none()
                    }
                }
            };
            if bad {
                return false;
            }
        }
        self.at > self.start && !self.peek().is_some_and(is_word)
    }
}

fn word_kind(word: &str) -> Option<Kind> {
    let operator = || {
        let (op, _) = BinaryOp::ALL.iter().find(|(_, text)| *text == word)?;
        Some(Kind::Operator(*op))
    };
    let aggregator = || {
        let (op, _) = AggregateOp::ALL.iter().find(|(_, text)| *text == word)?;
        Some(Kind::Aggregator(*op))
    };
    let keyword = || KEYWORDS.iter().find(|(text, _)| *text == word).map(|(_, k)| Kind::Keyword(*k));
    let preprocessor =
        || PREPROCESSORS.iter().find(|(text, _)| *text == word).map(|(_, p)| Kind::Preprocessor(*p));
    if word == "inf" || word == "nan" {
        return Some(Kind::Number);
    }
    operator().or_else(aggregator).or_else(keyword).or_else(preprocessor)
}
