//! What the two text formats share: names, quoted strings, label sets, floats, and errors in Prometheus' words.
//!
//! The scanner stands on a whole exposition; it never copies, and a byte that no rule takes is an error at that place.

use super::float::parse_float;
use crate::WireError;
use crate::limits::{ATTRIBUTES_PER_RECORD_MAX, LINE_BYTES_MAX};
use std::borrow::Cow;
use std::ops::Range;

/// Which of the text formats is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Prometheus text 0.0.4: blanks between tokens, commas optional, quoted strings over several lines.
    Text,
    /// `OpenMetrics` 1.0: single spaces where the grammar has them.
    OpenMetrics,
}

/// Where one label stands: its name and value without quotes, still escaped.
pub(super) type LabelSpan = (Range<usize>, Range<usize>);

/// A position in an exposition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// The next byte.
    pub(super) at: usize,
    /// Where the current entry begins; errors quote from here.
    pub(super) entry: usize,
    /// Rules of the format.
    pub(super) dialect: Dialect,
}

fn is_name_start(byte: u8, colon: bool) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || (colon && byte == b':')
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], dialect: Dialect) -> Self {
        Self { bytes, at: 0, entry: 0, dialect }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes `byte` when it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Takes `prefix` when it is next.
    pub(super) fn take_all(&mut self, prefix: &[u8]) -> bool {
        let next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(prefix));
        self.at += if next { prefix.len() } else { 0 };
        next
    }

    /// Takes blanks, where the dialect lets them stand between tokens.
    pub(super) fn skip_blanks(&mut self) {
        if self.dialect == Dialect::Text {
            self.at += self.count(|byte| byte == b' ' || byte == b'\t');
        }
    }

    /// How many bytes from here satisfy `keep`.
    pub(super) fn count(&self, keep: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().position(|byte| !keep(*byte)).unwrap_or(rest.len())
    }

    /// The text of a range that a rule of ASCII or a UTF-8 check has passed.
    pub(super) fn text(&self, range: &Range<usize>) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes.get(range.clone()).unwrap_or_default())
    }

    /// An unquoted name; `colon` lets it hold colons, as metric names may.
    pub(super) fn name(&mut self, colon: bool) -> Option<Range<usize>> {
        self.peek().filter(|byte| is_name_start(*byte, colon))?;
        let start = self.at;
        self.at += self.count(|byte| is_name_start(byte, colon) || byte.is_ascii_digit());
        Some(start..self.at)
    }

    /// A string in double quotes, without them; `\` takes any next byte along.
    pub(super) fn quoted(&mut self, newlines: bool) -> Option<Range<usize>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.bytes.get(at)? {
                b'"' => break,
                b'\\' if *self.bytes.get(at + 1)? == b'\n' => return None,
                b'\\' => at += 2,
                b'\n' if !newlines => return None,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some(start..at)
    }

    /// Reads `{...}` after its opening brace. A lone quoted string is the metric name, where `name` still lacks it.
    pub(super) fn labels(
        &mut self,
        name: &mut Option<Range<usize>>,
        exemplar: bool,
        out: &mut Vec<LabelSpan>,
    ) -> Result<(), WireError> {
        let lines = self.dialect == Dialect::Text;
        loop {
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(());
            }
            let string = self.quoted(!exemplar);
            let quoted = string.is_some();
            let Some(label) = string.or_else(|| self.name(false)) else {
                return Err(self.unexpected("expected label name"));
            };
            self.skip_blanks();
            if quoted && matches!(self.peek(), Some(b',' | b'}')) {
                if exemplar {
                    return Err(self.unexpected("expected label name"));
                }
                if name.replace(label).is_some() {
                    return Err(self.broken("metric name already set"));
                }
                self.take(b',');
                continue;
            }
            if !self.take(b'=') {
                return Err(self.unexpected("expected equal"));
            }
            self.skip_blanks();
            let value = self.quoted(lines).ok_or_else(|| self.unexpected("expected label value"))?;
            if std::str::from_utf8(self.bytes.get(value.clone()).unwrap_or_default()).is_err() {
                return Err(WireError::malformed(format!(
                    "invalid UTF-8 label value: \"{}\"",
                    self.text(&value)
                )));
            }
            out.push((label, value));
            if out.len() > ATTRIBUTES_PER_RECORD_MAX {
                return Err(WireError::TooLarge {
                    what: "labels of one series",
                    limit: ATTRIBUTES_PER_RECORD_MAX,
                });
            }
            self.skip_blanks();
            if !self.take(b',') && !lines && self.peek() != Some(b'}') {
                return Err(self.unexpected("expected comma or brace close"));
            }
        }
    }

    /// A float that reaches to the next byte `ends` takes.
    pub(super) fn float(&mut self, ends: impl Fn(u8) -> bool) -> Result<f64, WireError> {
        let range = self.at..self.at + self.count(|byte| !ends(byte));
        let text = self.text(&range);
        self.at = range.end;
        if text.contains(['p', 'P', '_']) {
            return Err(self.broken("unsupported character in float"));
        }
        parse_float(&text)
            .ok_or_else(|| self.broken(&format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")))
    }

    /// Refuses an entry longer than one may be.
    pub(super) fn check_length(&self) -> Result<(), WireError> {
        if self.at - self.entry > LINE_BYTES_MAX {
            return Err(WireError::TooLarge {
                what: "line of the exposition in bytes",
                limit: LINE_BYTES_MAX,
            });
        }
        Ok(())
    }

    /// `message while parsing: "..."`.
    pub(super) fn broken(&self, message: &str) -> WireError {
        WireError::malformed(format!("{message} while parsing: {:?}", self.quote(self.entry, self.at)))
    }

    /// `message, got "x" ("TOKEN") while parsing: "..."`.
    pub(super) fn unexpected(&self, message: &str) -> WireError {
        let token = match self.peek() {
            None => "EOF",
            Some(b'\n') => "LINEBREAK",
            Some(b'{') => "BOPEN",
            Some(b'}') => "BCLOSE",
            Some(b'=') => "EQUAL",
            Some(b',') => "COMMA",
            Some(_) => "INVALID",
        };
        let end = (self.at + 1).min(self.bytes.len());
        let (got, line) = (self.quote(self.at, end), self.quote(self.entry, end));
        WireError::malformed(format!("{message}, got {got:?} ({token:?}) while parsing: {line:?}"))
    }

    /// The last [`QUOTE_BYTES_MAX`] bytes of a range, for an error message.
    fn quote(&self, start: usize, end: usize) -> Cow<'a, str> {
        let start = start.max(end.saturating_sub(QUOTE_BYTES_MAX));
        self.text(&(start..end))
    }
}

/// Most bytes of an exposition that an error message quotes.
const QUOTE_BYTES_MAX: usize = 256;

/// Undoes `\\`, `\"` and `\n`; another backslash stands for itself.
pub(super) fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = match (char, chars.peek()) {
            ('\\', Some('\\')) => Some('\\'),
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('"')) if quotes => Some('"'),
            _ => None,
        };
        out.push(escaped.unwrap_or(char));
        if escaped.is_some() {
            chars.next();
        }
    }
    Cow::Owned(out)
}
