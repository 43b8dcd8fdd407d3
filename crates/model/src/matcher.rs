//! Label matchers, `name op value`, with Prometheus' meaning: a missing label has the empty value, and regular
//! expressions are anchored at both ends and see newlines as ordinary characters.

use regex::Regex;
use std::fmt;

/// The four comparisons of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// As written in a selector.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// One condition of a selector.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Label name.
    pub name: String,
    /// Comparison.
    pub op: MatchOp,
    /// Literal or pattern, as written.
    pub value: String,
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Matcher {
    /// Compiles the pattern of `=~` and `!~`.
    ///
    /// # Errors
    /// The regular expression compiler's message, when the pattern is not RE2 syntax.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, regex::Error> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(anchored_regex(&value)?),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Self { name, op, value, regex })
    }

    /// `name = value`; cannot fail.
    #[must_use]
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// Whether `value` (empty for a missing label) satisfies the condition.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let hit = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.op {
            MatchOp::Equal => self.value == value,
            MatchOp::NotEqual => self.value != value,
            MatchOp::Regex => hit(),
            MatchOp::NotRegex => !hit(),
        }
    }

    /// Whether a series without the label satisfies it.
    #[must_use]
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if crate::labels::is_legacy_label_name(&self.name) {
            write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
        } else {
            write!(f, "{:?}{}{:?}", self.name, self.op.as_str(), self.value)
        }
    }
}

/// Compiled regular expressions may take this much memory each; a larger one is refused, not truncated.
pub const REGEX_BYTES_MAX: usize = 10 << 20;

/// Compiles `pattern` in RE2 syntax, anchored at both ends, dot matches newline.
///
/// # Errors
/// The compiler's message.
pub fn anchored_regex(pattern: &str) -> Result<Regex, regex::Error> {
    compile(&format!("^(?s:{})$", re2_to_rust(pattern)))
}

/// Compiles `pattern` in RE2 syntax, not anchored (LogQL line filters).
///
/// # Errors
/// The compiler's message.
pub fn search_regex(pattern: &str) -> Result<Regex, regex::Error> {
    compile(&re2_to_rust(pattern))
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build()
}

/// RE2 has `\Q...\E` quoting, which the `regex` crate lacks; everything else the two share is spelled alike.
fn re2_to_rust(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            out.push_str(&regex_syntax::escape(literal));
            rest = after;
        } else {
            let escaped = rest.chars().nth(1).map_or(1, |c| 1 + c.len_utf8());
            out.push_str(&rest[..escaped]);
            rest = &rest[escaped..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: MatchOp, pattern: &str, value: &str, expected: bool) {
        let matcher = Matcher::new("l", op, pattern).expect(pattern);
        assert_eq!(matcher.matches(value), expected, "{matcher} against {value:?}");
    }

    #[test]
    fn matching_follows_prometheus() {
        check(MatchOp::Regex, "a|b", "ab", false);
        check(MatchOp::Regex, "a|b", "b", true);
        check(MatchOp::Regex, "a.b", "a\nb", true);
        check(MatchOp::Regex, r"\Qa.b\E+", "a.bb", true);
        check(MatchOp::Regex, r"\Qa.b", "axb", false);
        check(MatchOp::Regex, r"\\Q", r"\Q", true);
        check(MatchOp::NotRegex, ".+", "", true);
        check(MatchOp::Equal, "", "", true);
        check(MatchOp::NotEqual, "x", "", true);
    }

    #[test]
    fn a_bad_pattern_is_an_error() {
        assert!(Matcher::new("l", MatchOp::Regex, "(").is_err());
    }
}
