//! The level of a log record: from fields that name it, else from the words of its line.

use super::fields::{json_level, logfmt_level};
use wide::u8x32;

/// The level of a record that says nothing of it.
pub(super) const UNKNOWN: &str = "unknown";

/// The longest word that stands for a level.
const WORD_BYTES_MAX: usize = "information".len();

/// The canonical spelling of a level; `None` for a word that is none.
#[must_use]
pub fn normalize_level(word: &[u8]) -> Option<&'static str> {
    match lower(word, &mut [0; WORD_BYTES_MAX])? {
        b"trc" => Some("trace"),
        b"dbg" => Some("debug"),
        b"inf" | b"information" => Some("info"),
        b"wrn" => Some("warn"),
        word => whole_word(word),
    }
}

/// The level of a word that is looked for in text too: the other short forms are too common in other words' stead.
fn whole_word(lower: &[u8]) -> Option<&'static str> {
    match lower {
        b"trace" => Some("trace"),
        b"debug" => Some("debug"),
        b"info" => Some("info"),
        b"warn" | b"warning" => Some("warn"),
        b"err" | b"error" => Some("error"),
        b"critical" => Some("critical"),
        b"fatal" => Some("fatal"),
        _ => None,
    }
}

/// The word in lower case; `None` when it is longer than any level.
fn lower<'a>(word: &[u8], into: &'a mut [u8; WORD_BYTES_MAX]) -> Option<&'a [u8]> {
    let into = into.get_mut(..word.len())?;
    into.copy_from_slice(word);
    into.make_ascii_lowercase();
    Some(into)
}

/// The level of an OTLP severity number.
#[must_use]
pub fn level_of_severity_number(number: i32) -> &'static str {
    match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => UNKNOWN,
    }
}

/// The level that a line tells: by a field, if it is JSON or logfmt, else by the first word that is a level.
#[must_use]
pub fn level_of_line(line: &[u8]) -> &'static str {
    let field =
        if line.trim_ascii_start().first() == Some(&b'{') { json_level(line) } else { logfmt_level(line) };
    field.and_then(normalize_level).or_else(|| first_word(line)).unwrap_or(UNKNOWN)
}

/// Bytes that are classed at a time.
const CHUNK_BYTES: usize = 32;

/// Which bytes of a chunk are what to the words, the lowest bit for the first.
struct Chunk {
    /// A word may begin after it.
    opens: u32,
    /// One of the words begins with it.
    first: u32,
    /// It is the second letter of one of the words.
    second: u32,
}

impl Chunk {
    fn of(bytes: &[u8; CHUNK_BYTES]) -> Self {
        let bytes = u8x32::new(*bytes);
        let lower = bytes | u8x32::splat(0x20);
        let is = |in_bytes: u8x32, byte: u8| in_bytes.simd_eq(u8x32::splat(byte));
        // Two bytes that differ by one bit are one comparison: `[` and `{`, blank and `(`.
        let opens = is(lower, b'{')
            | is(bytes & u8x32::splat(!0x08), b' ')
            | is(bytes, b'"')
            | is(bytes, b'=')
            | is(bytes, b'\t')
            | is(bytes, b'\n');
        let any =
            |letters: &[u8]| letters.iter().fold(u8x32::splat(0), |found, letter| found | is(lower, *letter));
        Self {
            opens: opens.to_bitmask(),
            first: any(b"tdiwecf").to_bitmask(),
            second: any(b"rena").to_bitmask(),
        }
    }

    /// Where words may begin, given whether one may at the first byte.
    fn candidates(&self, opened: bool) -> u32 {
        let unknown_after_last = 1 << (CHUNK_BYTES - 1);
        (self.opens << 1 | u32::from(opened)) & self.first & (self.second >> 1 | unknown_after_last)
    }
}

fn closes(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b':' | b'=' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'"' | b',' | b'!'
    )
}

/// The level of the first word that is one.
fn first_word(line: &[u8]) -> Option<&'static str> {
    let (chunks, rest) = line.as_chunks();
    let mut last = [0; CHUNK_BYTES];
    last[..rest.len()].copy_from_slice(rest);
    let mut opened = true;
    for (index, bytes) in chunks.iter().chain([&last]).enumerate() {
        let chunk = Chunk::of(bytes);
        let mut candidates = chunk.candidates(opened);
        while candidates != 0 {
            let at = index * CHUNK_BYTES + candidates.trailing_zeros() as usize;
            if let Some(level) = word_at(&line[at..]) {
                return Some(level);
            }
            candidates &= candidates - 1;
        }
        opened = chunk.opens >> (CHUNK_BYTES - 1) == 1;
    }
    None
}

fn word_at(rest: &[u8]) -> Option<&'static str> {
    let len = rest.iter().take(WORD_BYTES_MAX + 1).take_while(|byte| !closes(**byte)).count();
    whole_word(lower(&rest[..len], &mut [0; WORD_BYTES_MAX])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let cases = [
            ("info: started", "info"),
            ("an ERROR occurred", "error"),
            ("err=timeout", "error"),
            ("[WARNING] low", "warn"),
            ("warn error", "warn"),
            ("x:error", "unknown"),
            ("x-error-y", "unknown"),
            ("'error'", "unknown"),
            ("error! again", "error"),
            ("no errors, inform me", "unknown"),
            ("dbg x", "unknown"),
            (r#"{"msg":"x","severity":"ERROR"}"#, "error"),
            (r#"{"lvl":"info","level":"error"}"#, "info"),
            (r#"{"level":"WeIrD"}"#, "unknown"),
            (r#"{"a":{"level":"error"}}"#, "error"),
            (r#"{"log.level":"wrn"}"#, "warn"),
            (r#" { "level" : "dbg" }"#, "debug"),
            (r#"{"level":"warning!"}"#, "warn"),
            ("lvl=info level=err", "error"),
            (r#"msg="error happened" level=info"#, "info"),
            (r#"level="warn""#, "warn"),
            ("level=emerg", "unknown"),
            ("level=infoX error", "error"),
            ("", "unknown"),
        ];
        for (line, expected) in cases {
            assert_eq!(level_of_line(line.as_bytes()), expected, "{line:?}");
        }
    }
}
