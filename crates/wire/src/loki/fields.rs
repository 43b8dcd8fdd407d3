//! Finds what a line says of its record without parsing all of it: its level, in JSON at the top level or in logfmt, and
//! ids in any notation. Nothing is allocated, and no byte is looked at more often than a fixed number of times.

use memchr::{memchr, memchr_iter};

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

/// Length of the longest of them.
const FIELD_BYTES_MAX: usize = "severity_text".len();

/// Whether one of them ends with this byte.
static ENDS: [bool; 256] = {
    let (mut ends, mut at) = ([false; 256], 0);
    while at < LEVEL_FIELDS.len() {
        let name = LEVEL_FIELDS[at].as_bytes();
        assert!(name.len() <= FIELD_BYTES_MAX);
        ends[name[name.len() - 1] as usize] = true;
        at += 1;
    }
    ends
};

/// Where a name stands among the [`LEVEL_FIELDS`].
pub(super) fn level_rank(name: &[u8]) -> Option<usize> {
    if !ENDS[usize::from(*name.last()?)] {
        return None;
    }
    LEVEL_FIELDS.iter().position(|field| field.as_bytes() == name)
}

/// The string value of the first top-level key of a JSON object that holds a level, as it stands there (escaped).
pub(super) fn json_level(line: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut at) = (0_usize, 0);
    while at < line.len() {
        match line[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let (text, end) = string(line, at)?;
                at = end;
                let colon = skip_blanks(line, end);
                if depth == 1 && line.get(colon) == Some(&b':') {
                    let value = skip_blanks(line, colon + 1);
                    if line.get(value) == Some(&b'"') && level_rank(text).is_some() {
                        return string(line, value).map(|(value, _)| value);
                    }
                    at = colon + 1;
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// A JSON string that begins at `at`, and where it ends.
fn string(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let start = at + 1;
    let mut end = start;
    loop {
        end += memchr(b'"', line.get(end..)?)?;
        let backslashes = line[start..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some((&line[start..end], end + 1));
        }
        end += 1;
    }
}

fn skip_blanks(line: &[u8], at: usize) -> usize {
    at + line.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The value of the logfmt key that comes first in [`LEVEL_FIELDS`], without quotes.
pub(super) fn logfmt_level(line: &[u8]) -> Option<&[u8]> {
    let mut best: Option<(usize, &[u8])> = None;
    for equal in memchr_iter(b'=', line) {
        let Some(rank) = level_rank_at_end(&line[..equal]) else { continue };
        if best.is_none_or(|(before, _)| rank < before) {
            best = Some((rank, logfmt_value(&line[equal + 1..])));
        }
        if rank == 0 {
            break;
        }
    }
    best.map(|(_, value)| value)
}

/// As [`level_rank`], of the key that `head` ends with; a key begins after a blank.
fn level_rank_at_end(head: &[u8]) -> Option<usize> {
    if !ENDS[usize::from(*head.last()?)] {
        return None;
    }
    // A key that fills more than this much has no rank.
    let tail = &head[head.len().saturating_sub(FIELD_BYTES_MAX + 1)..];
    level_rank(tail.rsplit(|byte| *byte <= b' ').next()?)
}

fn logfmt_value(rest: &[u8]) -> &[u8] {
    if rest.first() == Some(&b'"')
        && let Some((value, _)) = string(rest, 0)
    {
        return value;
    }
    let end = rest.iter().position(|byte| *byte <= b' ').unwrap_or(rest.len());
    &rest[..end]
}

/// The hexadecimal id that follows a field named like `trace_id`, `traceId` or `trace.id` in any notation that puts `=`
/// or `:` between them; `rest` is the line after `trace`.
pub(super) fn hex_id(rest: &[u8], digits_max: usize) -> Option<&[u8]> {
    let rest = match rest {
        [b'_' | b'.' | b'-', rest @ ..] => rest,
        _ => rest,
    };
    let [b'i' | b'I', b'd' | b'D', rest @ ..] = rest else { return None };
    let glue =
        rest.iter().take_while(|byte| matches!(byte, b'"' | b'\'' | b':' | b'=' | b' ' | b'\\')).count();
    let separated = rest[..glue].iter().any(|byte| matches!(byte, b':' | b'='));
    let rest = &rest[glue..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let ends = rest.get(digits).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    (separated && ends && (16..=digits_max).contains(&digits)).then(|| &rest[..digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_notation() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        for rest in [
            format!("_id={id} x"),
            format!(r#"Id": "{id}"}}"#),
            format!(r#".id":"{id}"}}"#),
            format!("ID: {id}"),
            format!(r#"_id\":\"{id}\"}}""#),
        ] {
            assert_eq!(hex_id(rest.as_bytes(), 32), Some(id.as_bytes()), "{rest}");
            assert_eq!(hex_id(rest.as_bytes(), 16), None, "{rest}");
        }
        for rest in [
            "_id=abc",
            " 0af7651916cd43dd8448eb211c80319c",
            "id 0af7651916cd43dd8448eb211c80319c",
            "_id=0af76519-16cd-43dd-8448-eb211c80319c",
            "_i",
            "",
        ] {
            assert_eq!(hex_id(rest.as_bytes(), 32), None, "{rest}");
        }
    }

    #[test]
    fn broken_json_ends_the_search() {
        for line in [r#"{"level"#, r#"{"level":"#, r#"{"level":"er"#, r#"{"a\"#, "{", r#"{"a":"\"#] {
            assert_eq!(json_level(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn logfmt_keys_are_whole_words() {
        let cases = [
            ("level=a", Some("a")),
            ("lvl=a level=b level=c", Some("b")),
            ("severity_text=a", Some("a")),
            ("x SEVERITY_TEXT=\"a b\"", Some("a b")),
            ("xlevel=a", None),
            ("aseverity_text=a", None),
            ("a.log.level=a", None),
            ("==level=a", None),
            ("=", None),
        ];
        for (line, expected) in cases {
            assert_eq!(logfmt_level(line.as_bytes()), expected.map(str::as_bytes), "{line}");
        }
    }
}
