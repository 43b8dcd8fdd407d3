//! Line filters: bytes in, yes or no out. They run before anything is parsed.

use super::ip::IpMatcher;
use super::pattern::Pattern;
use aho_corasick::AhoCorasick;
use language::logql::{LineFilter, LineOp, Operand, search_regex};
use memchr::memmem::Finder;
use regex::Regex;

/// A compiled line filter.
pub(super) struct LineMatcher {
    negative: bool,
    tests: Vec<Test>,
}

enum Test {
    Contains(Box<Finder<'static>>),
    AnyOf(AhoCorasick),
    Regex(Regex),
    Pattern(Pattern),
    Ip(IpMatcher),
}

impl LineMatcher {
    /// Compiles a filter; the error is what follows `stage '...' : `.
    pub(super) fn new(filter: &LineFilter) -> Result<Self, String> {
        let mut tests = Vec::new();
        let mut literals: Vec<&str> = Vec::new();
        for operand in &filter.operands {
            match (operand, filter.op) {
                (Operand::Text(text), LineOp::Contains | LineOp::NotContains) => literals.push(text),
                (Operand::Text(text), LineOp::Regex | LineOp::NotRegex) => {
                    tests.push(Test::Regex(search_regex(text)?));
                }
                (Operand::Text(text), LineOp::Pattern | LineOp::NotPattern) => {
                    tests.push(Test::Pattern(Pattern::filter(text)?));
                }
                (Operand::Ip(text), LineOp::Contains | LineOp::NotContains) => {
                    tests.push(Test::Ip(IpMatcher::new(text)?));
                }
                (Operand::Ip(_), _) => return Err("ip: invalid operation".to_owned()),
            }
        }
        match literals.as_slice() {
            [] => {}
            [one] => tests.insert(0, Test::Contains(Box::new(Finder::new(one).into_owned()))),
            many => tests.insert(0, Test::AnyOf(AhoCorasick::new(many).map_err(|error| error.to_string())?)),
        }
        Ok(Self { negative: filter.op.is_negative(), tests })
    }

    pub(super) fn keeps(&self, line: &str) -> bool {
        self.tests.iter().any(|test| test.holds(line)) != self.negative
    }
}

impl Test {
    fn holds(&self, line: &str) -> bool {
        match self {
            Self::Contains(finder) => finder.find(line.as_bytes()).is_some(),
            Self::AnyOf(literals) => literals.is_match(line),
            Self::Regex(regex) => regex.is_match(line),
            Self::Pattern(pattern) => pattern.matches(line),
            Self::Ip(ip) => ip.found_in(line),
        }
    }
}
