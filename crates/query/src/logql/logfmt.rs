//! `| logfmt`: `key=value key="quoted value"`, one pass, bad pairs skipped unless `--strict`.

use super::record::{Name, Record};
use std::borrow::Cow;

/// Error label of lines that are no logfmt.
pub(super) const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// One pair, or where the text is wrong.
#[derive(Debug, PartialEq)]
pub(super) enum Item<'a> {
    Pair(&'a str, Cow<'a, str>),
    Bad(String),
}

/// The pairs of `line`, in order.
pub(super) fn pairs(line: &str) -> impl Iterator<Item = Item<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || next(line, &mut at))
}

fn next<'a>(line: &'a str, at: &mut usize) -> Option<Item<'a>> {
    let bytes = line.as_bytes();
    while bytes.get(*at).is_some_and(|b| *b <= b' ') {
        *at += 1;
    }
    let start = *at;
    let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
    let stop = rest.iter().position(|b| *b <= b' ' || *b == b'=' || *b == b'"').unwrap_or(rest.len());
    let key = line.get(start..start + stop).unwrap_or_default();
    *at = start + stop;
    match rest.get(stop) {
        Some(b'=') if !key.is_empty() => {
            *at += 1;
            Some(value(line, key, at))
        }
        Some(found @ (b'=' | b'"')) => Some(bad(line, at, char::from(*found))),
        _ => Some(Item::Pair(key, Cow::Borrowed(""))),
    }
}

/// Skips to the next space.
fn bad<'a>(line: &'a str, at: &mut usize, found: char) -> Item<'a> {
    let message = format!("logfmt syntax error at pos {} : unexpected '{found}'", *at + 1);
    let rest = line.as_bytes().get(*at..).unwrap_or_default();
    *at += rest.iter().position(|b| *b <= b' ').unwrap_or(rest.len());
    Item::Bad(message)
}

fn value<'a>(line: &'a str, key: &'a str, at: &mut usize) -> Item<'a> {
    let start = *at;
    let rest = line.as_bytes().get(start..).unwrap_or_default();
    if rest.first() != Some(&b'"') {
        let stop = rest.iter().position(|b| *b <= b' ' || *b == b'=' || *b == b'"').unwrap_or(rest.len());
        *at = start + stop;
        return match rest.get(stop) {
            Some(found @ (b'=' | b'"')) => bad(line, at, char::from(*found)),
            _ => Item::Pair(key, Cow::Borrowed(line.get(start..start + stop).unwrap_or_default())),
        };
    }
    let mut end = 1;
    loop {
        match rest.get(end) {
            None => {
                *at = line.len();
                return Item::Bad(format!(
                    "logfmt syntax error at pos {} : unterminated quoted value",
                    line.len() + 1
                ));
            }
            Some(b'"') => break,
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
        }
    }
    *at = start + end + 1;
    let raw = line.get(start + 1..start + end).unwrap_or_default();
    if !raw.contains('\\') {
        return Item::Pair(key, Cow::Borrowed(raw));
    }
    match serde_json::from_str::<String>(line.get(start..=start + end).unwrap_or_default()) {
        Ok(text) => Item::Pair(key, Cow::Owned(text)),
        Err(_) => Item::Bad(format!("logfmt syntax error at pos {} : invalid quoted value", start + end + 1)),
    }
}

/// `| logfmt`.
pub(super) fn extract_all(record: &mut Record, line: &str, strict: bool, keep_empty: bool) {
    for item in pairs(line) {
        match item {
            Item::Pair(_, value) if value.is_empty() && !keep_empty => {}
            Item::Pair(key, value) => {
                if let Some(name) = record.names.key(key) {
                    record.extract(name, &value);
                }
            }
            Item::Bad(message) if strict => {
                record.fail(LOGFMT_ERROR, message);
                return;
            }
            Item::Bad(_) => {}
        }
    }
}

/// `| logfmt a="b"`: the named keys become labels, empty when the line lacks them.
pub(super) fn extract_fields(record: &mut Record, line: &str, strict: bool, fields: &[(Name, String)]) {
    let mut missing: Vec<bool> = vec![true; fields.len()];
    for item in pairs(line) {
        match item {
            Item::Pair(key, value) => {
                for ((name, field), missing) in fields.iter().zip(&mut missing) {
                    if field == key && *missing {
                        record.assign(*name, &value);
                        *missing = false;
                    }
                }
            }
            Item::Bad(message) if strict => {
                record.fail(LOGFMT_ERROR, message);
                break;
            }
            Item::Bad(_) => {}
        }
    }
    for ((name, _), _) in fields.iter().zip(&missing).filter(|(_, missing)| **missing) {
        record.assign(*name, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let text: Vec<String> = pairs(line)
            .map(|item| match item {
                Item::Pair(key, value) => format!("{key}={value}"),
                Item::Bad(message) => format!("!{}", message.rsplit(' ').next().unwrap_or_default()),
            })
            .collect();
        assert_eq!(text.join("|"), expected, "{line}");
    }

    #[test]
    fn pairs_are_read_and_faults_skipped() {
        check(r#"a=1 flag b="x \" y" c="#, r#"a=1|flag=|b=x " y|c="#);
        check(r#"a=1 b"c=2 d=3"#, r#"a=1|!'"'|d=3"#);
        check(r#"k4=a"b k5=x=y =noval z=1"#, r#"!'"'|!'='|!'='|z=1"#);
        check(r#"good=1 bad="unterminated x=2"#, "good=1|!value");
        check("", "");
    }
}
