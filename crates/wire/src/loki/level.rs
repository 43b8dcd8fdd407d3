//! The level of a log record: from fields that name it, else from the words of its line.

use super::fields::{json_field, logfmt_field};

/// Fields that hold a level, by precedence.
pub(super) const LEVEL_FIELDS: [&str; 15] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "log_level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

/// The level of a record that says nothing of it.
pub(super) const UNKNOWN: &str = "unknown";

/// The canonical spelling of a level; `None` for a word that is none.
#[must_use]
pub fn normalize_level(word: &[u8]) -> Option<&'static str> {
    const SPELLINGS: [(&str, &[&str]); 7] = [
        ("trace", &["trace", "trc"]),
        ("debug", &["debug", "dbg"]),
        ("info", &["info", "inf", "information"]),
        ("warn", &["warn", "wrn", "warning"]),
        ("error", &["error", "err"]),
        ("critical", &["critical"]),
        ("fatal", &["fatal"]),
    ];
    let same = |spelling: &&str| spelling.as_bytes().eq_ignore_ascii_case(word);
    SPELLINGS.iter().find(|(_, spellings)| spellings.iter().any(&same)).map(|(level, _)| *level)
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
    let field = if line.trim_ascii_start().first() == Some(&b'{') {
        json_field(line, &LEVEL_FIELDS)
    } else {
        logfmt_field(line, &LEVEL_FIELDS)
    };
    field.and_then(normalize_level).or_else(|| first_word(line)).unwrap_or(UNKNOWN)
}

/// The words that are looked for in text; short forms but `err` are too common in other words' stead.
const WORDS: [(&[u8], &str); 9] = [
    (b"trace", "trace"),
    (b"debug", "debug"),
    (b"info", "info"),
    (b"warning", "warn"),
    (b"warn", "warn"),
    (b"error", "error"),
    (b"err", "error"),
    (b"critical", "critical"),
    (b"fatal", "fatal"),
];

/// A word may begin after it.
const OPENS: u8 = 1;
/// One of the words begins with it.
const STARTS: u8 = 2;

/// What a byte is to the words.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte: u8 = 0;
    loop {
        class[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'=' | b'[' | b'(' | b'{' | b'"' => OPENS,
            b't' | b'd' | b'i' | b'w' | b'e' | b'c' | b'f' | b'T' | b'D' | b'I' | b'W' | b'E' | b'C'
            | b'F' => STARTS,
            _ => 0,
        };
        if byte == u8::MAX {
            break class;
        }
        byte += 1;
    }
};

fn closes(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b':' | b'=' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'"' | b',' | b'!'
    )
}

fn first_word(line: &[u8]) -> Option<&'static str> {
    let mut before = OPENS;
    for (at, byte) in line.iter().enumerate() {
        let class = CLASS[usize::from(*byte)];
        // `STARTS` moves onto `OPENS`.
        let starts = before & class >> 1 != 0;
        before = class;
        if starts && let Some(level) = word_at(&line[at..]) {
            return Some(level);
        }
    }
    None
}

fn word_at(rest: &[u8]) -> Option<&'static str> {
    let is_here = |word: &[u8]| {
        let (Some(head), next) = (rest.get(..word.len()), rest.get(word.len())) else { return false };
        head.eq_ignore_ascii_case(word) && next.is_none_or(|next| closes(*next))
    };
    WORDS.iter().find(|(word, _)| is_here(word)).map(|(_, level)| *level)
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
