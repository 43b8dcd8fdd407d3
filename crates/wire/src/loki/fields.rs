//! Finds a field in a line without parsing all of it: JSON at the top level, or logfmt. Nothing is allocated.

use memchr::{memchr, memchr_iter};

/// The string value of the first top-level key of a JSON object that is one of `names`, as it stands there (escaped).
pub(super) fn json_field<'a>(line: &'a [u8], names: &[&str]) -> Option<&'a [u8]> {
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
                    if line.get(value) == Some(&b'"') && rank(text, names).is_some() {
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

/// The value of the logfmt key that comes first in `names`, without quotes.
pub(super) fn logfmt_field<'a>(line: &'a [u8], names: &[&str]) -> Option<&'a [u8]> {
    let mut best: Option<(usize, &[u8])> = None;
    for equal in memchr_iter(b'=', line) {
        let key = line[..equal].rsplit(|byte| *byte <= b' ').next().unwrap_or_default();
        let Some(rank) = rank(key, names) else { continue };
        if best.is_none_or(|(before, _)| rank < before) {
            best = Some((rank, logfmt_value(&line[equal + 1..])));
        }
    }
    best.map(|(_, value)| value)
}

/// Where `key` stands among `names`.
fn rank(key: &[u8], names: &[&str]) -> Option<usize> {
    let first = key.first()?;
    let same = |name: &&str| {
        name.len() == key.len() && name.as_bytes().first() == Some(first) && name.as_bytes() == key
    };
    names.iter().position(same)
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

/// The hexadecimal id that follows a field named like `trace_id`, `traceId` or `trace.id` anywhere in a line, in any
/// notation that puts `=` or `:` between them. `stem` is the name without its first letter and without `id`: `race`.
pub(super) fn hex_id<'a>(
    line: &'a [u8],
    stem: &memchr::memmem::Finder<'_>,
    digits_max: usize,
) -> Option<&'a [u8]> {
    for at in stem.find_iter(line) {
        let rest = &line[at + stem.needle().len()..];
        let rest = rest
            .strip_prefix(b"_")
            .or_else(|| rest.strip_prefix(b"."))
            .or_else(|| rest.strip_prefix(b"-"))
            .unwrap_or(rest);
        let Some((name, rest)) = rest.split_at_checked(2) else { continue };
        if !name.eq_ignore_ascii_case(b"id") {
            continue;
        }
        let glue =
            rest.iter().take_while(|byte| matches!(byte, b'"' | b'\'' | b':' | b'=' | b' ' | b'\\')).count();
        let separated = rest[..glue].iter().any(|byte| matches!(byte, b':' | b'='));
        let rest = &rest[glue..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let ends = rest.get(digits).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
        if separated && ends && (16..=digits_max).contains(&digits) {
            return Some(&rest[..digits]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_notation() {
        let stem = memchr::memmem::Finder::new("race");
        let id = "0af7651916cd43dd8448eb211c80319c";
        for line in [
            format!("trace_id={id} x"),
            format!(r#"{{"traceId": "{id}"}}"#),
            format!(r#"{{"trace.id":"{id}"}}"#),
            format!("msg TraceID: {id}"),
            format!(r#"log="{{\"trace_id\":\"{id}\"}}""#),
        ] {
            assert_eq!(hex_id(line.as_bytes(), &stem, 32), Some(id.as_bytes()), "{line}");
        }
        for line in [
            "trace_id=abc",
            "trace 0af7651916cd43dd8448eb211c80319c",
            "trace_id=0af76519-16cd-43dd-8448-eb211c80319c",
        ] {
            assert_eq!(hex_id(line.as_bytes(), &stem, 32), None, "{line}");
        }
    }

    #[test]
    fn broken_json_ends_the_search() {
        for line in [r#"{"level"#, r#"{"level":"#, r#"{"level":"er"#, r#"{"a\"#, "{", r#"{"a":"\"#] {
            assert_eq!(json_field(line.as_bytes(), &["level"]), None, "{line}");
        }
    }
}
