//! `name{label="value", ...}`.

use super::super::ast::{BinaryOp, VectorSelector};
use super::super::regexp;
use super::super::token::{Keyword, Kind};
use super::{Parser, Result};
use model::labels::METRIC_NAME;
use model::{MatchOp, Matcher};

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    pub(super) fn vector_selector(&mut self) -> Result<VectorSelector> {
        let mut span = self.token().span;
        let mut name = String::new();
        if self.peek_metric_name() {
            self.advance();
            self.text(span).clone_into(&mut name);
        } else if self.peek() != &Kind::LeftBrace {
            return Err(self.unexpected("", ""));
        }
        let mut matchers = Vec::new();
        if self.eat(&Kind::LeftBrace).is_some() {
            matchers = self.matchers()?;
            span.end = self.last_closing;
        }
        if !name.is_empty() {
            matchers.push(Matcher::equal(METRIC_NAME, name.clone()));
        }
        Ok(VectorSelector {
            name,
            matchers,
            offset: None,
            at: None,
            extension: None,
            may_match_all: false,
            span,
        })
    }

    fn peek_metric_name(&self) -> bool {
        match self.peek() {
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregator(_) | Kind::Preprocessor(_) => true,
            Kind::Operator(op) => op.is_set(),
            Kind::Keyword(keyword) => matches!(
                keyword,
                Keyword::By
                    | Keyword::Without
                    | Keyword::Offset
                    | Keyword::Anchored
                    | Keyword::Smoothed
                    | Keyword::Fill
                    | Keyword::FillLeft
                    | Keyword::FillRight
            ),
            _ => false,
        }
    }

    /// The conditions and the closing brace.
    fn matchers(&mut self) -> Result<Vec<Matcher>> {
        let mut matchers = Vec::new();
        while self.eat(&Kind::RightBrace).is_none() {
            matchers.push(self.matcher()?);
            if self.eat(&Kind::Comma).is_none() && self.peek() != &Kind::RightBrace {
                return Err(self.unexpected(CONTEXT, "\",\" or \"}\""));
            }
        }
        Ok(matchers)
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let label = self.token().span;
        let (name, quoted) = match self.peek() {
            Kind::Identifier => (self.text(label).to_owned(), false),
            Kind::String => (self.unquoted(label)?, true),
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        self.advance();
        let op = match self.peek() {
            Kind::Assign => MatchOp::Equal,
            Kind::Operator(BinaryOp::Ne) => MatchOp::NotEqual,
            Kind::EqualRegex => MatchOp::Regex,
            Kind::NotEqualRegex => MatchOp::NotRegex,
            Kind::Comma | Kind::RightBrace if quoted => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ if quoted => return Err(self.unexpected(CONTEXT, "\",\" or \"}\"")),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.advance();
        if self.peek() != &Kind::String {
            return Err(self.unexpected(CONTEXT, "string"));
        }
        let literal = self.advance();
        let value = self.unquoted(literal)?;
        let problem = regexp::explain(&value);
        Matcher::new(name, op, value).map_err(|error| {
            let problem = problem.unwrap_or_else(|| regexp::last_line(&error.to_string()));
            self.error(label.to(literal), format!("error parsing regexp: {problem}"))
        })
    }
}
