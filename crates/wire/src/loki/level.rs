//! The level of a log record: from fields that name it, else from the words of its line.

use super::chunk::{bits, chunks, opens_word};
use super::fields::{LEVEL_FIELDS, json_level, logfmt_level};

/// The level of a record that says nothing of it.
pub(super) const UNKNOWN: &str = "unknown";

/// The canonical spelling of a level; `None` for a word that is none.
#[must_use]
pub fn normalize_level(word: &[u8]) -> Option<&'static str> {
    const TRC: u128 = packed(b"trc");
    const DBG: u128 = packed(b"dbg");
    const INF: u128 = packed(b"inf");
    const INFORMATION: u128 = packed(b"information");
    const WRN: u128 = packed(b"wrn");
    if word.len() > PACKED_BYTES_MAX {
        return None;
    }
    match packed(word) {
        TRC => Some("trace"),
        DBG => Some("debug"),
        INF | INFORMATION => Some("info"),
        WRN => Some("warn"),
        word => level_of_word(word),
    }
}

/// The level of a word that is looked for in text too: the other short forms are too common in other words' stead.
fn level_of_word(word: u128) -> Option<&'static str> {
    const TRACE: u128 = packed(b"trace");
    const DEBUG: u128 = packed(b"debug");
    const INFO: u128 = packed(b"info");
    const WARN: u128 = packed(b"warn");
    const WARNING: u128 = packed(b"warning");
    const ERR: u128 = packed(b"err");
    const ERROR: u128 = packed(b"error");
    const CRITICAL: u128 = packed(b"critical");
    const FATAL: u128 = packed(b"fatal");
    match word {
        TRACE => Some("trace"),
        DEBUG => Some("debug"),
        INFO => Some("info"),
        WARN | WARNING => Some("warn"),
        ERR | ERROR => Some("error"),
        CRITICAL => Some("critical"),
        FATAL => Some("fatal"),
        _ => None,
    }
}

/// Bytes that a packed word has room for.
const PACKED_BYTES_MAX: usize = 16;

/// A word of at most [`PACKED_BYTES_MAX`] bytes as a number that is equal for words of letters that differ in case only,
/// and for no others.
const fn packed(word: &[u8]) -> u128 {
    let (mut number, mut at) = (0, 0);
    while at < word.len() {
        number = number << 8 | (word[at] | 0x20) as u128;
        at += 1;
    }
    number
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
    let is_json = line.trim_ascii_start().first() == Some(&b'{');
    let level = if is_json { json_level(line).and_then(normalize_level) } else { None };
    level.or_else(|| level_of_text(line, !is_json)).unwrap_or(UNKNOWN)
}

/// The level that a logfmt field tells, if `has_fields`, else the first word that is a level.
fn level_of_text(line: &[u8], has_fields: bool) -> Option<&'static str> {
    let (mut field, mut word) = (None, None);
    // Only fields that come before it in the list of fields are looked for.
    let mut rank_end = if has_fields { LEVEL_FIELDS.len() } else { 0 };
    for (start, chunk) in chunks(line) {
        for at in bits(if rank_end > 0 { chunk.field_ends() } else { 0 }) {
            if let Some((rank, value)) = logfmt_level(line, start + at).filter(|(rank, _)| *rank < rank_end) {
                (rank_end, field) = (rank, normalize_level(value));
            }
        }
        if rank_end == 0 && field.is_some() {
            break;
        }
        if word.is_none() {
            word = bits(chunk.words()).find_map(|at| word_at(line, start + at));
        }
        if rank_end == 0 && word.is_some() {
            break;
        }
    }
    field.or(word)
}

fn closes(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b':' | b'=' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'"' | b',' | b'!'
    )
}

/// The level of the whole word that begins at `at`.
fn word_at(line: &[u8], at: usize) -> Option<&'static str> {
    let (before, rest) = line.split_at_checked(at)?;
    if !before.last().is_none_or(|byte| opens_word(*byte)) {
        return None;
    }
    let len = rest.iter().take(PACKED_BYTES_MAX).take_while(|byte| !closes(**byte)).count();
    level_of_word(packed(&rest[..len]))
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
            ("lvl=debug level=info", "info"),
            ("lvl=dbg level=x warn", "warn"),
            ("warn xlevel=info", "warn"),
            ("warn ==level=info", "warn"),
            ("warn severity_text=info", "info"),
            ("warn aseverity_text=info", "warn"),
            ("info SEVERITY_TEXT=\"error\"", "error"),
            ("level=informational x", "unknown"),
            ("= =level", "unknown"),
        ];
        for (line, expected) in cases {
            assert_eq!(level_of_line(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn where_in_a_line_a_level_stands_does_not_matter() {
        let parts = [
            (" error ", "error"),
            ("=Fatal", "fatal"),
            ("\tCRITICAL:", "critical"),
            (" aserror ", "unknown"),
            (" lvl=dbg", "debug"),
            (" severity_text=wrn ", "warn"),
            (" xlvl=dbg ", "unknown"),
        ];
        for (part, expected) in parts {
            for (before, after) in (0..100).flat_map(|before| [0, 1, 40].map(|after| (before, after))) {
                let line = format!("{}{part}{}", "-".repeat(before), "-".repeat(after));
                let cut = after > 0 && !part.ends_with([' ', ':']);
                let expected = if cut { "unknown" } else { expected };
                assert_eq!(level_of_line(line.as_bytes()), expected, "{line:?}");
            }
        }
    }
}
