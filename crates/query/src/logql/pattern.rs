//! The pattern language of `| pattern` and `|>`: literals and `<captures>`.

use memchr::memmem;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(String),
    /// `None` is `<_>`.
    Capture(Option<String>),
}

impl Pattern {
    /// A pattern that extracts: at least one named capture, no name twice.
    pub(super) fn parser(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            let place = "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL";
            return Err(place.to_owned());
        }
        let pattern = Self::parse(text)?;
        let names: Vec<&str> = pattern.names().collect();
        if names.is_empty() {
            return Err("at least one capture is required".to_owned());
        }
        if let Some((_, name)) =
            names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|n| n == *name))
        {
            return Err(format!("duplicate capture name ({name}): invalid expression"));
        }
        Ok(pattern)
    }

    /// A pattern that filters: `<_>` only.
    pub(super) fn filter(text: &str) -> Result<Self, String> {
        let pattern = Self::parse(text)?;
        if let Some(name) = pattern.names().next() {
            return Err(format!("named captures are not allowed: found '<{name}>'"));
        }
        Ok(pattern)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some((name, after)) = capture(rest) {
                if let Some(Part::Capture(before)) = parts.last() {
                    let before = before.as_deref().unwrap_or("_");
                    return Err(format!(
                        "found consecutive capture '<{before}><{name}>': invalid expression"
                    ));
                }
                parts.push(Part::Capture((name != "_").then(|| name.to_owned())));
                rest = after;
            } else {
                let c = rest.chars().next().map_or(1, char::len_utf8);
                let (head, after) = rest.split_at(c);
                match parts.last_mut() {
                    Some(Part::Literal(literal)) => literal.push_str(head),
                    _ => parts.push(Part::Literal(head.to_owned())),
                }
                rest = after;
            }
        }
        Ok(Self { parts })
    }

    /// Names of the captures, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Capture(Some(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Calls `found` with each named capture of `line`, in order, until a literal is missing.
    pub(super) fn captures<'a>(&self, line: &'a str, mut found: impl FnMut(usize, &'a str)) {
        let mut rest = line;
        let mut parts = self.parts.iter().peekable();
        let mut index = 0;
        if let Some(Part::Literal(first)) = self.parts.first() {
            let Some(after) = rest.strip_prefix(first.as_str()) else { return };
            rest = after;
            parts.next();
        }
        while let Some(part) = parts.next() {
            let Part::Capture(name) = part else { continue };
            let end = match parts.peek() {
                Some(Part::Literal(literal)) => {
                    rest.find(literal.as_str()).map(|at| (at, at + literal.len()))
                }
                _ => Some((rest.len(), rest.len())),
            };
            let value = rest.get(..end.map_or(rest.len(), |(at, _)| at)).unwrap_or_default();
            if name.is_some() {
                if end.is_none() && value.is_empty() {
                    return;
                }
                found(index, value);
                index += 1;
            }
            let Some((_, next)) = end else { return };
            rest = rest.get(next..).unwrap_or_default();
        }
    }

    /// Whether the whole `line` has this shape; `<_>` stands for at least one character.
    pub(super) fn matches(&self, line: &str) -> bool {
        let mut rest = line.as_bytes();
        let mut floating = false;
        for (at, part) in self.parts.iter().enumerate() {
            let last = at + 1 == self.parts.len();
            let Part::Literal(literal) = part else {
                floating = true;
                continue;
            };
            let literal = literal.as_bytes();
            if last && floating {
                return rest.len() > literal.len() && rest.ends_with(literal);
            }
            let place = match (floating, rest.get(1..)) {
                (false, _) => rest.starts_with(literal).then_some(0),
                (true, tail) => tail.and_then(|tail| memmem::find(tail, literal)).map(|place| place + 1),
            };
            let Some(place) = place else { return false };
            rest = rest.get(place + literal.len()..).unwrap_or_default();
            floating = false;
        }
        self.parts.is_empty() || floating != rest.is_empty()
    }

    /// Substrings every matching line holds.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Capture(_) => None,
        })
    }
}

/// `<name>` at the start of `text`, and what follows.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, line: &str, expected: &[&str]) {
        let mut found = Vec::new();
        Pattern::parser(pattern).expect(pattern).captures(line, |_, value| found.push(value));
        assert_eq!(found, expected, "{pattern} on {line:?}");
    }

    #[test]
    fn captures_run_to_the_next_literal() {
        check("<m> <p> <s>", "GET /x 200", &["GET", "/x", "200"]);
        check("<m> <_> <s>", "GET /x 200", &["GET", "200"]);
        check("<m> <p>", "POST", &["POST"]);
        check("X<m>", "POST", &[]);
        check("<ip> - <ts>\"", "1.1.1.1 - [t] \"GET", &["1.1.1.1", "[t] "]);
    }

    #[test]
    fn filters_match_the_whole_line() {
        for (pattern, line, expected) in [
            ("GET <_> 200", "GET /api 200", true),
            ("GET /api", "GET /api 200", false),
            ("<_>api<_>", "GET /api 200", true),
            ("<_>api", "GET /api 200", false),
            ("GET<_> /api<_>", "GET /api", false),
            ("", "x", true),
        ] {
            assert_eq!(Pattern::filter(pattern).expect(pattern).matches(line), expected, "{pattern}");
        }
    }

    #[test]
    fn bad_patterns_say_why() {
        assert_eq!(Pattern::parser("foo").map(|_| ()), Err("at least one capture is required".into()));
        assert_eq!(
            Pattern::parser("<a><b>").map(|_| ()),
            Err("found consecutive capture '<a><b>': invalid expression".into())
        );
        assert!(Pattern::parser("<a> <a>").is_err());
        assert!(Pattern::filter("<a> x").is_err());
    }
}
