//! `| json` and `| unpack`: one pass over the text, no tree. Bounded depth, no recursion beyond it.

use super::record::{Name, Record};
use std::borrow::Cow;

/// Deepest object nesting that is read; what lies deeper is an error of the line.
const DEPTH_MAX: usize = 64;
/// Error label of lines that are no JSON.
pub(super) const JSON_ERROR: &str = "JSONParserErr";
const NO_OBJECT: &str = "Value looks like object, but can't find closing '}' symbol";
const MALFORMED: &str = "Malformed JSON error";

/// A JSON value as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Raw<'a> {
    /// Without its quotes, escapes as written.
    Text(&'a str),
    Object(&'a str),
    Array(&'a str),
    Null,
    /// A number or a boolean.
    Plain(&'a str),
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The inside of a string; the quote comes next.
    fn string(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..)?;
            let stop = memchr::memchr2(b'"', b'\\', rest)?;
            self.at += stop + 1;
            if rest.get(stop) == Some(&b'"') {
                return self.text.get(start..self.at - 1);
            }
            self.at += 1;
        }
    }

    /// Any value; objects and arrays are skipped over whole.
    fn value(&mut self) -> Option<Raw<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Raw::Text),
            b'{' => self.block().map(Raw::Object),
            b'[' => self.block().map(Raw::Array),
            _ => {
                let rest = self.text.get(self.at..)?;
                let end = rest.find([',', '}', ']', ' ', '\t', '\n', '\r', ':']).unwrap_or(rest.len());
                let word = rest.get(..end)?;
                self.at += end;
                match word {
                    "null" => Some(Raw::Null),
                    "true" | "false" => Some(Raw::Plain(word)),
                    _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Some(Raw::Plain(word)),
                    _ => None,
                }
            }
        }
    }

    /// The text from an opening bracket to the one that closes it.
    fn block(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return self.text.get(start..self.at);
            }
        }
    }

    /// Steps to the next member of the object begun; `None` at a fault, `Some(None)` at its end.
    #[expect(clippy::option_option, reason = "a fault and the end are two answers")]
    fn member(&mut self, first: bool) -> Option<Option<&'a str>> {
        match self.peek()? {
            b'}' => {
                self.at += 1;
                return Some(None);
            }
            b',' if !first => self.at += 1,
            _ if first => {}
            _ => return None,
        }
        if first || self.peek()? == b'"' {
            let key = self.string()?;
            self.eat(b':')?;
            return Some(Some(key));
        }
        None
    }
}

/// Resolves escapes; invalid ones stand as they are.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    match serde_json::from_str::<String>(&format!("\"{raw}\"")) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(raw),
    }
}

impl<'a> Raw<'a> {
    /// As a label value; arrays and objects are their text.
    fn label(self) -> Cow<'a, str> {
        match self {
            Self::Text(raw) => unescape(raw),
            Self::Object(text) | Self::Array(text) | Self::Plain(text) => Cow::Borrowed(text),
            Self::Null => Cow::Borrowed(""),
        }
    }
}

/// A leaf found by [`flatten`]: its path and value.
pub(super) type OnLeaf<'f> = dyn FnMut(&[&str], &str) + 'f;

/// Calls `leaf` for every text, number and boolean of the object in `line`, in order.
///
/// # Errors
/// What Loki writes into `__error_details__`.
pub(super) fn flatten(line: &str, leaf: &mut OnLeaf<'_>) -> Result<(), &'static str> {
    let mut scanner = Scanner::new(line);
    if scanner.eat(b'{').is_none() {
        return Err(NO_OBJECT);
    }
    let mut path: Vec<&str> = Vec::new();
    let mut first = true;
    loop {
        match scanner.member(first).ok_or(MALFORMED)? {
            None if path.pop().is_none() => return Ok(()),
            None => first = false,
            Some(key) => {
                path.push(key);
                first = scanner.peek() == Some(b'{');
                if first {
                    scanner.at += 1;
                    if path.len() > DEPTH_MAX {
                        return Err(MALFORMED);
                    }
                    continue;
                }
                match scanner.value().ok_or(MALFORMED)? {
                    Raw::Text(raw) => leaf(&path, &unescape(raw)),
                    Raw::Plain(text) => leaf(&path, text),
                    Raw::Object(_) | Raw::Array(_) | Raw::Null => {}
                }
                path.pop();
            }
        }
    }
}

/// `| json`: every leaf becomes a label, its path joined by `_`.
pub(super) fn extract_all(record: &mut Record, line: &str) {
    let mut joined = String::new();
    let result = flatten(line, &mut |path, value| {
        let name = match path {
            [key] if !key.contains('\\') => record.names.key(key),
            keys => {
                joined.clear();
                for (at, key) in keys.iter().enumerate() {
                    joined.push_str(if at == 0 { "" } else { "_" });
                    joined.push_str(&unescape(key));
                }
                record.names.key(&joined)
            }
        };
        if let Some(name) = name {
            record.extract(name, value);
        }
    });
    if let Err(details) = result {
        record.fail(JSON_ERROR, details);
    }
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Field(String),
    Index(usize),
}

/// Reads `a.b[0]["c"]`.
///
/// # Errors
/// What follows `cannot parse expression [...]: `.
pub(super) fn parse_path(text: &str) -> Result<Vec<Step>, String> {
    let fail = |what: &str, expecting: &str| Err(format!("syntax error: unexpected {what}{expecting}"));
    let token = |rest: &str| match rest.chars().next() {
        None => "$end",
        Some('.') => "DOT",
        Some('[') => "LSB",
        Some(']') => "RSB",
        Some('"') => "STRING",
        Some(c) if c.is_ascii_digit() => "INDEX",
        Some(_) => "FIELD",
    };
    let mut steps = Vec::new();
    let mut rest = text.trim();
    let mut after_dot = false;
    while !rest.is_empty() || steps.is_empty() || after_dot {
        match token(rest) {
            "LSB" if !after_dot => {
                let inside = rest.get(1..).unwrap_or_default().trim_start();
                let (step, after) = match token(inside) {
                    "INDEX" => {
                        let end = inside.find(|c: char| !c.is_ascii_digit()).unwrap_or(inside.len());
                        let (digits, after) = inside.split_at(end);
                        (Step::Index(digits.parse().unwrap_or(usize::MAX)), after)
                    }
                    "STRING" => match inside.get(1..).and_then(|body| body.split_once('"')) {
                        Some((field, after)) => (Step::Field(field.to_owned()), after),
                        None => return fail("$end", ", expecting STRING or INDEX"),
                    },
                    other => return fail(other, ", expecting STRING or INDEX"),
                };
                let Some(after) = after.trim_start().strip_prefix(']') else {
                    return fail("$end", ", expecting STRING or INDEX");
                };
                steps.push(step);
                rest = after;
            }
            "FIELD" if steps.is_empty() || after_dot => {
                let end =
                    rest.find(|c: char| !(c.is_alphanumeric() || "_-@:/$".contains(c))).unwrap_or(rest.len());
                let (field, after) = rest.split_at(end.max(1).min(rest.len()));
                steps.push(Step::Field(field.to_owned()));
                (rest, after_dot) = (after, false);
            }
            "DOT" if !steps.is_empty() && !after_dot => {
                rest = rest.get(1..).unwrap_or_default();
                after_dot = true;
                continue;
            }
            other if after_dot => return fail(other, ", expecting FIELD"),
            other if steps.is_empty() => return fail(other, ", expecting LSB or FIELD"),
            other => return fail(other, ""),
        }
        if !rest.starts_with(['.', '[']) && !rest.trim().is_empty() {
            return fail(token(rest.trim_start()), "");
        }
        rest = rest.trim_start();
    }
    Ok(steps)
}

/// The value at `path`, if there is one.
fn find<'a>(line: &'a str, path: &[Step]) -> Option<Raw<'a>> {
    let mut scanner = Scanner::new(line);
    for step in path {
        match step {
            Step::Field(field) => {
                scanner.eat(b'{')?;
                let mut first = true;
                loop {
                    let key = scanner.member(first)??;
                    first = false;
                    if unescape(key) == *field {
                        break;
                    }
                    scanner.value()?;
                }
            }
            Step::Index(index) => {
                scanner.eat(b'[')?;
                for _ in 0..*index {
                    scanner.value()?;
                    scanner.eat(b',')?;
                }
            }
        }
    }
    scanner.value()
}

/// `| json a="b.c"`: the named paths become labels, empty when there is nothing.
pub(super) fn extract_paths(record: &mut Record, line: &str, paths: &[(Name, Vec<Step>)]) {
    if !line.trim_start().starts_with(['{', '[']) {
        record.fail(JSON_ERROR, "");
        return;
    }
    for (name, path) in paths {
        let value = find(line, path).map(Raw::label).unwrap_or_default();
        record.assign(*name, &value);
    }
}

/// `| unpack`: texts become labels and `_entry` the line; `None` keeps the line.
pub(super) fn unpack(record: &mut Record, line: &str) -> Option<String> {
    let mut scanner = Scanner::new(line);
    if scanner.eat(b'{').is_none() {
        record.fail(JSON_ERROR, "expecting json object(6), but it is not");
        return None;
    }
    let mut entry = None;
    let mut found: Vec<(&str, Cow<'_, str>)> = Vec::new();
    let mut first = true;
    loop {
        let member = scanner.member(first);
        first = false;
        let Some(Some(key)) = member else {
            if member.is_none() {
                record.fail(JSON_ERROR, "Value is array, but can't find closing ']' symbol");
                return None;
            }
            break;
        };
        match scanner.value() {
            Some(Raw::Text(raw)) if key == "_entry" => entry = Some(unescape(raw).into_owned()),
            Some(Raw::Text(raw)) => found.push((key, unescape(raw))),
            Some(_) => {}
            None => {
                record.fail(JSON_ERROR, MALFORMED);
                return None;
            }
        }
    }
    let entry = entry?;
    for (key, value) in found {
        if let Some(name) = record.names.key(&unescape(key)) {
            record.extract(name, &value);
        }
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let mut found = Vec::new();
        let result = flatten(line, &mut |path, value| found.push(format!("{}={value}", path.join("_"))));
        let text = found.join(" ") + result.err().map_or("", |_| " !");
        assert_eq!(text, expected, "{line}");
    }

    #[test]
    fn leaves_are_found_in_order() {
        check(r#"{"a":"x","b":{"c":1.0,"d":{}},"e":true,"n":null,"l":[1,{"z":"]"}]}"#, "a=x b_c=1.0 e=true");
        check(r#" {"a":"q\"\n\u00e9"} rest"#, "a=q\"\né");
        check(r#"{"a":"x","b":"#, "a=x !");
        check("x=1", " !");
        check("{}", "");
        check(r#"{"a" "b"}"#, " !");
        check(&r#"{"a":"#.repeat(100_000), " !");
    }

    #[test]
    fn paths_reach_into_objects_and_arrays() {
        let line = r#"{"user":{"id":"u1"},"tags":["x",{"z":2}],"o":{"i j":null}}"#;
        for (path, expected) in [
            ("user.id", "u1"),
            ("tags[0]", "x"),
            ("tags[1].z", "2"),
            (r#"["o"]["i j"]"#, ""),
            ("user", r#"{"id":"u1"}"#),
        ] {
            let steps = parse_path(path).expect(path);
            assert_eq!(find(line, &steps).map(Raw::label).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(parse_path("b["), Err("syntax error: unexpected $end, expecting STRING or INDEX".into()));
        assert_eq!(parse_path(""), Err("syntax error: unexpected $end, expecting LSB or FIELD".into()));
        assert_eq!(parse_path("b..c"), Err("syntax error: unexpected DOT, expecting FIELD".into()));
        assert_eq!(parse_path("b c"), Err("syntax error: unexpected FIELD".into()));
    }
}
