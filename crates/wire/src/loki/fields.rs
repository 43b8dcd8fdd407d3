//! Finds what a line says of its record without parsing all of it: the field of its level, in JSON at the top level or in
//! logfmt, and ids in any notation. Nothing is allocated, and no byte is looked at more than a fixed number of times.

use memchr::memchr;

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

/// The letters that they end with, in lower case.
pub(super) const FIELD_ENDS: [u8; 3] = *b"lty";

/// Where a name stands among the [`LEVEL_FIELDS`].
pub(super) fn level_rank(name: &[u8]) -> Option<usize> {
    if !FIELD_ENDS.contains(&name.last()?.to_ascii_lowercase()) {
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

/// The value of the logfmt key that ends before `equal`, without quotes, if it is one of the [`LEVEL_FIELDS`]; and where
/// it stands among them.
pub(super) fn logfmt_level(line: &[u8], equal: usize) -> Option<(usize, &[u8])> {
    // A key begins after a blank; what fills more than this much is none of them.
    let key = &line[equal.saturating_sub(FIELD_BYTES_MAX + 1)..equal];
    let rank = level_rank(key.rsplit(|byte| *byte <= b' ').next()?)?;
    Some((rank, logfmt_value(&line[equal + 1..])))
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

/// The hexadecimal id of 16 to `digits_max` (at most 32) digits that follows a field named like `trace_id`, `traceId` or
/// `trace.id` in any notation that puts `=` or `:` between them; `rest` is the line after `trace`.
pub(super) fn hex_id(rest: &[u8], digits_max: usize) -> Option<u128> {
    let rest = match rest {
        [b'_' | b'.' | b'-', rest @ ..] => rest,
        _ => rest,
    };
    let [b'i' | b'I', b'd' | b'D', rest @ ..] = rest else { return None };
    let glue =
        rest.iter().take_while(|byte| matches!(byte, b'"' | b'\'' | b':' | b'=' | b' ' | b'\\')).count();
    let (glue, rest) = rest.split_at(glue);
    let separated = glue.iter().any(|byte| matches!(byte, b':' | b'='));
    let (high, high_digits) = hex(rest);
    let (low, low_digits) = if high_digits == HALF_DIGITS { hex(&rest[HALF_DIGITS..]) } else { (0, 0) };
    let digits = high_digits + low_digits;
    let ends = rest.get(digits).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    let id = u128::from(high) << (4 * low_digits) | u128::from(low);
    (separated && ends && (16..=digits_max).contains(&digits)).then_some(id)
}

/// Hexadecimal digits of half an id, of what a machine word holds.
const HALF_DIGITS: usize = 16;

/// The hexadecimal number that `text` begins with, [`HALF_DIGITS`] of it at most, and how many digits it has.
fn hex(text: &[u8]) -> (u64, usize) {
    let (mut value, mut digits) = (0, 0);
    for byte in text.iter().take(HALF_DIGITS) {
        let Some(digit) = char::from(*byte).to_digit(16) else { break };
        value = value << 4 | u64::from(digit);
        digits += 1;
    }
    (value, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_notation() {
        let id = "0af7651916cd43dd8448eb211c80319C";
        let number = u128::from_str_radix(id, 16).ok();
        for rest in [
            format!("_id={id} x"),
            format!(r#"Id": "{id}"}}"#),
            format!(r#".id":"{id}"}}"#),
            format!("ID: {id}"),
            format!(r#"_id\":\"{id}\"}}""#),
        ] {
            assert_eq!(hex_id(rest.as_bytes(), 32), number, "{rest}");
            assert_eq!(hex_id(rest.as_bytes(), 16), None, "{rest}");
        }
        assert_eq!(hex_id(b"_id=00f067aa0ba902b7", 16), Some(0x00f0_67aa_0ba9_02b7));
        assert_eq!(hex_id(b"_id=00f067aa0ba902b7", 32), Some(0x00f0_67aa_0ba9_02b7));
        assert_eq!(hex_id(b"-id=c8448eb211c80319c,", 32), Some(0xc_8448_eb21_1c80_319c));
        for rest in [
            "_id=abc",
            " 0af7651916cd43dd8448eb211c80319c",
            "id 0af7651916cd43dd8448eb211c80319c",
            "_id=0af7651916cd43dd8448eb211c80319c0",
            "_id=0af7651916cd43dd8448eb211c80319x",
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
}
