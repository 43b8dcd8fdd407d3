//! What is wrong with a regular expression, in the words of RE2 and Go.

use regex_syntax::ast::{ErrorKind, parse::Parser};

/// Go's words for the first problem of `pattern`, where there are words for it.
pub(crate) fn explain(pattern: &str) -> Option<String> {
    let error = Parser::new().parse(pattern).err()?;
    let span = error.span();
    let (start, end) = (span.start.offset, span.end.offset);
    let at = pattern.get(start..end).unwrap_or_default();
    let rest = pattern.get(start..).unwrap_or_default();
    Some(match error.kind() {
        ErrorKind::GroupUnclosed => format!("missing closing ): `{pattern}`"),
        ErrorKind::GroupUnopened => format!("unexpected ): `{pattern}`"),
        ErrorKind::ClassUnclosed => format!("missing closing ]: `{rest}`"),
        ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral => {
            format!("invalid character class range: `{at}`")
        }
        ErrorKind::RepetitionMissing => {
            let operator = rest.chars().next().map(String::from).unwrap_or_default();
            format!("missing argument to repetition operator: `{operator}`")
        }
        ErrorKind::RepetitionCountInvalid => format!("invalid repeat count: `{at}`"),
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
        ErrorKind::EscapeUnrecognized => format!("invalid escape sequence: `{at}`"),
        ErrorKind::GroupNameDuplicate { .. } => format!("duplicate capture group name: `{at}`"),
        _ => return None,
    })
}

/// The last line of the regular expression compiler's message, which says what is wrong.
pub(crate) fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn problems_are_told_as_go_tells_them() {
        for (pattern, expected) in [
            ("(a", Some("missing closing ): `(a`")),
            ("a)", Some("unexpected ): `a)`")),
            ("[a", Some("missing closing ]: `[a`")),
            ("*a", Some("missing argument to repetition operator: `*`")),
            ("a\\y", Some("invalid escape sequence: `\\y`")),
            ("[z-a]", Some("invalid character class range: `z-a`")),
            ("a|b", None),
        ] {
            assert_eq!(super::explain(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
