//! Stream labels: the text form clients push, and the service name that every stream gets.

use crate::WireError;
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use model::Labels;

/// Labels that name a service, by precedence.
const SERVICE_LABELS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// The service of a stream that names none.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Adds `service_name` to labels that lack it.
#[must_use]
pub fn with_service_name(labels: Labels) -> Labels {
    if labels.get("service_name").is_some() {
        return labels;
    }
    let service = SERVICE_LABELS.iter().find_map(|name| labels.get(name)).unwrap_or(UNKNOWN_SERVICE);
    let mut builder = labels.builder();
    builder.push("service_name", service);
    builder.build()
}

/// Parses `{name="value", ...}`; values are Go strings, in double quotes or backticks.
///
/// # Errors
/// In Loki's words, with line and column of the problem.
pub fn parse_labels(text: &str) -> Result<Labels, WireError> {
    let mut parser = Parser { text, at: 0 };
    let mut pairs = Vec::new();
    parser.expect('{')?;
    loop {
        if parser.take('}') {
            break;
        }
        let name = parser.name()?;
        parser.expect('=')?;
        let value = parser.value()?;
        pairs.push((name, value));
        if pairs.len() > ATTRIBUTES_PER_RECORD_MAX {
            return Err(WireError::TooLarge {
                what: "labels of one stream",
                limit: ATTRIBUTES_PER_RECORD_MAX,
            });
        }
        if !parser.take(',') && parser.peek() != Some('}') {
            return Err(parser.unexpected());
        }
    }
    if parser.peek().is_some() {
        return Err(parser.unexpected());
    }
    let labels = Labels::from_pairs(pairs.iter().map(|(name, value)| (*name, value)));
    Ok(labels)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Option<char> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn take(&mut self, wanted: char) -> bool {
        let next = self.peek() == Some(wanted);
        self.at += if next { wanted.len_utf8() } else { 0 };
        next
    }

    fn expect(&mut self, wanted: char) -> Result<(), WireError> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&mut self) -> WireError {
        let what = match self.peek() {
            Some(found) => format!("unexpected character inside braces: '{found}'"),
            None => "unexpected end of input inside braces".into(),
        };
        self.broken(&what)
    }

    fn broken(&self, what: &str) -> WireError {
        WireError::malformed(format!("couldn't parse labels: 1:{}: parse error: {what}", self.at + 1))
    }

    fn name(&mut self) -> Result<&'a str, WireError> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|char: char| char.is_ascii_digit()) {
            return Err(self.unexpected());
        }
        self.at += end;
        Ok(name)
    }

    fn value(&mut self) -> Result<String, WireError> {
        let quote = self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        if quote == Some('`') {
            let inner = rest.get(1..).unwrap_or_default();
            let end = inner.find('`').ok_or_else(|| self.broken("unterminated raw string"))?;
            self.at += end + 2;
            return Ok(inner.get(..end).unwrap_or_default().to_owned());
        }
        if quote != Some('"') {
            return Err(self.unexpected());
        }
        let (value, len) = go_string(rest).ok_or_else(|| self.broken("unterminated quoted string"))?;
        self.at += len;
        Ok(value)
    }
}

/// A Go string literal in double quotes at the start of `text`, and how many bytes it takes.
fn go_string(text: &str) -> Option<(String, usize)> {
    let mut out = Vec::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((String::from_utf8_lossy(&out).into_owned(), at + 1)),
            '\n' => return None,
            '\\' => go_escape(&mut chars, &mut out)?,
            _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    None
}

fn go_escape(chars: &mut impl Iterator<Item = (usize, char)>, out: &mut Vec<u8>) -> Option<()> {
    let (_, kind) = chars.next()?;
    let mut number = |digits: usize, radix: u32, first: u32| -> Option<u32> {
        (0..digits).try_fold(first, |value, _| Some(value * radix + chars.next()?.1.to_digit(radix)?))
    };
    match kind {
        'a' => out.push(7),
        'b' => out.push(8),
        'f' => out.push(12),
        'n' => out.push(b'\n'),
        'r' => out.push(b'\r'),
        't' => out.push(b'\t'),
        'v' => out.push(11),
        '\\' | '"' | '\'' => out.push(u8::try_from(kind).ok()?),
        'x' => out.push(u8::try_from(number(2, 16, 0)?).ok()?),
        '0'..='7' => out.push(u8::try_from(number(2, 8, kind.to_digit(8)?)?).ok()?),
        'u' | 'U' => {
            let code = number(if kind == 'u' { 4 } else { 8 }, 16, 0)?;
            out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_texts() {
        let cases = [
            (r#"{app="a", job = "b",}"#, Some(r#"{app="a", job="b"}"#)),
            ("{}", Some("{}")),
            (r#"{a="x\"\n\u00e9\x41"}"#, Some("{a=\"x\\\"\\néA\"}")),
            ("{a=`x\\n`}", Some(r#"{a="x\\n"}"#)),
            (r#"{1a="x"}"#, None),
            (r#"{a.b="x"}"#, None),
            (r#"{a="x" b="y"}"#, None),
            (r#"{a="x"} z"#, None),
            (r#"{a="x"#, None),
            (r#"{a="\q"}"#, None),
            (r#"{a="\uFFFFFF"#, None),
            ("", None),
            ("{", None),
            (r#"{a=~"x"}"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse_labels(text).ok().map(|labels| labels.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
        let error = parse_labels(r#"{1a="x"}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "couldn't parse labels: 1:2: parse error: unexpected character inside braces: '1'"
        );
    }

    #[test]
    fn every_stream_gets_a_service_name() {
        let name = |pairs: &[(&str, &str)]| {
            with_service_name(Labels::from_pairs(pairs.iter().copied()))
                .get("service_name")
                .map(str::to_owned)
        };
        assert_eq!(name(&[("app", "a"), ("service", "s")]).as_deref(), Some("s"));
        assert_eq!(name(&[("service_name", "n"), ("app", "a")]).as_deref(), Some("n"));
        assert_eq!(name(&[("service_name", ""), ("job", "j")]).as_deref(), Some("j"));
        assert_eq!(name(&[("pod", "p")]).as_deref(), Some("unknown_service"));
    }
}
