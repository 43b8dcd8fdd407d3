//! Regular expressions of LogQL: RE2 syntax, and RE2's words for what is wrong with one.

use model::matcher;
use regex::Regex;
use regex_syntax::ast::ErrorKind;

/// Compiles a pattern that may match anywhere in a line.
///
/// # Errors
/// `error parsing regexp: ...`, as Go says it.
pub fn search_regex(pattern: &str) -> Result<Regex, String> {
    matcher::search_regex(pattern).map_err(|_| explain(pattern, pattern))
}

/// What is wrong with `pattern`, for a message that shows it as `shown`.
#[must_use]
pub fn explain(pattern: &str, shown: &str) -> String {
    let kind = match regex_syntax::ast::parse::Parser::new().parse(pattern) {
        Err(error) => match error.kind() {
            ErrorKind::GroupUnclosed => format!("missing closing ): `{shown}`"),
            ErrorKind::GroupUnopened => format!("unexpected ): `{shown}`"),
            ErrorKind::ClassUnclosed => {
                format!("missing closing ]: `{}`", tail(pattern, error.span().start.offset))
            }
            ErrorKind::RepetitionMissing => {
                let at = error.span().start.offset;
                format!(
                    "missing argument to repetition operator: `{}`",
                    tail(pattern, at).chars().take(1).collect::<String>()
                )
            }
            ErrorKind::EscapeUnrecognized => {
                format!("invalid escape sequence: `{}`", span(pattern, error.span()))
            }
            ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
            ErrorKind::ClassRangeInvalid => {
                format!("invalid character class range: `{}`", span(pattern, error.span()))
            }
            ErrorKind::GroupNameDuplicate { .. } => {
                format!("duplicate capture group name: `{}`", span(pattern, error.span()))
            }
            ErrorKind::RepetitionCountInvalid => {
                format!("invalid repeat count: `{}`", span(pattern, error.span()))
            }
            _ => format!("invalid or unsupported Perl syntax: `{}`", span(pattern, error.span())),
        },
        Ok(_) => format!("expression is not supported or too large: `{shown}`"),
    };
    format!("error parsing regexp: {kind}")
}

fn tail(pattern: &str, at: usize) -> &str {
    pattern.get(at..).unwrap_or_default()
}

fn span<'a>(pattern: &'a str, span: &regex_syntax::ast::Span) -> &'a str {
    pattern.get(span.start.offset..span.end.offset).unwrap_or_default()
}
