//! Go's double-quoted strings, in and out: what Prometheus prints in messages and reads in queries.

use std::fmt::Write;

/// `text` in double quotes, escaped as Go's `%q` does.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{ad}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The text of a literal in single, double or back quotes.
///
/// # Errors
/// `invalid syntax`, as Go says, when the literal is malformed.
pub fn unquote(literal: &str) -> Result<String, &'static str> {
    const BAD: &str = "invalid syntax";
    let mut chars = literal.chars();
    let (open, close) = (chars.next().ok_or(BAD)?, chars.next_back().ok_or(BAD)?);
    if open != close {
        return Err(BAD);
    }
    let body = chars.as_str();
    match open {
        '`' => Ok(body.to_owned()),
        '"' | '\'' => {
            let mut bytes = Vec::with_capacity(body.len());
            let mut rest = body.chars();
            while let Some(c) = rest.next() {
                match c {
                    '\n' => return Err(BAD),
                    '\\' => escape(&mut rest, open, &mut bytes).ok_or(BAD)?,
                    c if c == open => return Err(BAD),
                    c => push_char(&mut bytes, c),
                }
            }
            Ok(String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
        }
        _ => Err(BAD),
    }
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Decodes what follows a backslash; `None` when it is no escape.
fn escape(rest: &mut std::str::Chars<'_>, open: char, bytes: &mut Vec<u8>) -> Option<()> {
    let c = rest.next()?;
    let mut digits = |first: Option<char>, count: usize, radix: u32| -> Option<u32> {
        let mut value = first.map_or(Some(0), |c| c.to_digit(radix))?;
        for _ in 0..count {
            value = value * radix + rest.next()?.to_digit(radix)?;
        }
        Some(value)
    };
    match c {
        'a' => bytes.push(7),
        'b' => bytes.push(8),
        'f' => bytes.push(12),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'v' => bytes.push(11),
        '\\' => bytes.push(b'\\'),
        'x' => bytes.push(u8::try_from(digits(None, 2, 16)?).ok()?),
        '0'..='7' => bytes.push(u8::try_from(digits(Some(c), 2, 8)?).ok()?),
        'u' => push_char(bytes, char::from_u32(digits(None, 4, 16)?)?),
        'U' => push_char(bytes, char::from_u32(digits(None, 8, 16)?)?),
        c if c == open => push_char(bytes, c),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_go_reads_them() {
        for (literal, expected) in [
            (r#""a\tb""#, Ok("a\tb")),
            (r#"'it\'s "x"'"#, Ok(r#"it's "x""#)),
            (r"`raw\n`", Ok(r"raw\n")),
            (r#""\x41\101\u00e9\U0001F600""#, Ok("AAé😀")),
            (r#""\q""#, Err("invalid syntax")),
            (r#""\xZZ""#, Err("invalid syntax")),
            ("\"a", Err("invalid syntax")),
        ] {
            assert_eq!(unquote(literal), expected.map(str::to_owned), "{literal}");
        }
    }

    #[test]
    fn quoting_round_trips() {
        for text in ["", "a\"b\\c", "\u{1}\n\u{7f}é\u{85}", "日本"] {
            assert_eq!(unquote(&quote(text)), Ok(text.to_owned()));
        }
    }
}
