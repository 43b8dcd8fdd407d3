//! Tokens to tree: precedence climbing for binary operators, postfix modifiers that bind tightest, and Prometheus'
//! wording for what does not fit. The first error ends the parse.

mod duration;
mod operand;
mod selector;

use super::ast::{Binary, BinaryOp, Cardinality, Expr, Matching, Number, Span, Unary};
use super::error::ParseError;
use super::lexer::lex;
use super::token::{Keyword, Kind, Token};
use super::{NESTING_DEPTH_MAX, QUERY_BYTES_MAX, TREE_DEPTH_MAX, check, quote};
use model::Matcher;

type Result<T> = std::result::Result<T, ParseError>;

/// Parses and type-checks a query.
///
/// # Errors
/// What is wrong and where, in Prometheus' words.
pub fn parse(query: &str) -> Result<Expr> {
    let mut parser = Parser::new(query)?;
    if parser.peek() == &Kind::Eof {
        return Err(parser.error(Span::default(), "no expression found in input"));
    }
    let mut expr = parser.expr(0)?;
    parser.expect_end()?;
    check::check(query, &mut expr)?;
    Ok(expr)
}

/// Parses a series selector such as the HTTP API's `match[]` takes.
///
/// # Errors
/// What is wrong and where. Selectors that match every series are fine here; whoever must not have them looks.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser::new(text)?;
    let selector = parser.vector_selector()?;
    parser.expect_end()?;
    Ok(selector.matchers)
}

struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    at: usize,
    /// End of the last closing bracket, number or duration that was consumed.
    last_closing: usize,
    nesting: usize,
    duration_place: duration::Place,
    /// Height of the tree that the last operand or operation made.
    height: usize,
}

impl<'a> Parser<'a> {
    fn new(query: &'a str) -> Result<Self> {
        if query.len() > QUERY_BYTES_MAX {
            let message = format!("query is longer than {QUERY_BYTES_MAX} bytes");
            return Err(ParseError::new(query, Span::default(), message));
        }
        Ok(Self {
            query,
            tokens: lex(query),
            at: 0,
            last_closing: 0,
            nesting: 0,
            height: 0,
            duration_place: duration::Place::Range,
        })
    }

    fn token(&self) -> &Token {
        // The list ends with Eof or Error, and `advance` stops there.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn peek_second(&self) -> Option<&Kind> {
        self.tokens.get(self.at + 1).map(|token| &token.kind)
    }

    fn text(&self, span: Span) -> &'a str {
        self.query.get(span.start..span.end).unwrap_or_default()
    }

    /// Consumes the next token and returns its bytes.
    fn advance(&mut self) -> Span {
        let Token { kind, span } = self.token();
        let span = *span;
        if matches!(
            kind,
            Kind::RightBrace | Kind::RightParen | Kind::RightBracket | Kind::Duration | Kind::Number
        ) {
            self.last_closing = span.end;
        }
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        span
    }

    fn eat(&mut self, kind: &Kind) -> Option<Span> {
        (self.peek() == kind).then(|| self.advance())
    }

    fn eat_keyword(&mut self, keyword: Keyword) -> Option<Span> {
        self.eat(&Kind::Keyword(keyword))
    }

    fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(self.query, span, message)
    }

    /// The next token does not belong here.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.token();
        if let Kind::Error(message) = &token.kind {
            return self.error(token.span, message.clone());
        }
        let mut message = format!("unexpected {}", token.describe(self.query));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(token.span, message)
    }

    fn expect(&mut self, kind: &Kind) -> Result<Span> {
        self.eat(kind).ok_or_else(|| self.unexpected("", ""))
    }

    fn expect_end(&self) -> Result<()> {
        if self.peek() == &Kind::Eof { Ok(()) } else { Err(self.unexpected("", "")) }
    }

    /// Records a node over subtrees of height `below`.
    fn grow(&mut self, below: usize) -> Result<()> {
        self.height = below + 1;
        if self.height <= TREE_DEPTH_MAX {
            return Ok(());
        }
        let message = format!(
            "expression has more than {TREE_DEPTH_MAX} operators in a row; put some of them in parentheses"
        );
        Err(self.error(self.token().span, message))
    }

    fn check_nesting(&self, depth: usize) -> Result<()> {
        if depth <= NESTING_DEPTH_MAX {
            return Ok(());
        }
        let message = format!("expression is nested deeper than {NESTING_DEPTH_MAX}");
        Err(self.error(self.token().span, message))
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nesting += 1;
        self.check_nesting(self.nesting)?;
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    /// An expression whose operators bind at least as strongly as `min_precedence`.
    fn expr(&mut self, min_precedence: u8) -> Result<Expr> {
        self.nested(|parser| {
            let mut lhs = parser.unary()?;
            while let Kind::Operator(op) = *parser.peek() {
                if op.precedence() < min_precedence {
                    break;
                }
                let below = parser.height;
                parser.advance();
                let (matching, return_bool) = parser.binary_modifiers()?;
                let right_associative = op == BinaryOp::Pow;
                let rhs = parser.expr(op.precedence() + u8::from(!right_associative))?;
                parser.grow(below.max(parser.height))?;
                let matching = Some(matching);
                lhs = Expr::Binary(Box::new(Binary { op, lhs, rhs, matching, return_bool }));
            }
            Ok(lhs)
        })
    }

    fn unary(&mut self) -> Result<Expr> {
        let negative = match self.peek() {
            Kind::Operator(BinaryOp::Sub) => true,
            Kind::Operator(BinaryOp::Add) => false,
            _ => return self.postfix(),
        };
        let sign = self.advance();
        match self.expr(BinaryOp::Pow.precedence())? {
            Expr::Number(Number { value, is_duration, span }) => {
                let value = if negative { -value } else { value };
                Ok(Expr::Number(Number { value, is_duration, span: sign.to(span) }))
            }
            expr => {
                self.grow(self.height)?;
                let span = sign.to(expr.span());
                Ok(Expr::Unary(Unary { negative, expr: Box::new(expr), span }))
            }
        }
    }

    /// `bool`, `on`, `group_left`, `fill` and their kin, after the operator.
    fn binary_modifiers(&mut self) -> Result<(Matching, bool)> {
        let return_bool = self.eat_keyword(Keyword::Bool).is_some();
        let mut matching = Matching::default();
        let on = self.eat_keyword(Keyword::On).is_some();
        if on || self.eat_keyword(Keyword::Ignoring).is_some() {
            matching.on = on;
            matching.labels = self.grouping_labels()?;
            let grouped =
                [(Keyword::GroupLeft, Cardinality::ManyToOne), (Keyword::GroupRight, Cardinality::OneToMany)];
            for (keyword, cardinality) in grouped {
                if self.eat_keyword(keyword).is_some() {
                    matching.cardinality = cardinality;
                    if self.peek() == &Kind::LeftParen {
                        matching.include = self.grouping_labels()?;
                    }
                    break;
                }
            }
        }
        self.fill_modifiers(&mut matching)?;
        Ok((matching, return_bool))
    }

    fn fill_modifiers(&mut self, matching: &mut Matching) -> Result<()> {
        if self.eat_keyword(Keyword::Fill).is_some() {
            let value = self.fill_value()?;
            (matching.fill_left, matching.fill_right) = (Some(value), Some(value));
            return Ok(());
        }
        loop {
            match self.peek() {
                Kind::Keyword(Keyword::FillLeft) if matching.fill_left.is_none() => {
                    self.advance();
                    matching.fill_left = Some(self.fill_value()?);
                }
                Kind::Keyword(Keyword::FillRight) if matching.fill_right.is_none() => {
                    self.advance();
                    matching.fill_right = Some(self.fill_value()?);
                }
                _ => return Ok(()),
            }
        }
    }

    fn fill_value(&mut self) -> Result<f64> {
        self.expect(&Kind::LeftParen)?;
        let value = self.signed_number()?.ok_or_else(|| self.unexpected("", ""))?;
        self.expect(&Kind::RightParen)?;
        Ok(value)
    }

    /// An optional sign and a number or duration; `None`, at its token, when something else stands there.
    fn signed_number(&mut self) -> Result<Option<f64>> {
        let negative = match self.peek() {
            Kind::Operator(BinaryOp::Sub) => Some(true),
            Kind::Operator(BinaryOp::Add) => Some(false),
            _ => None,
        };
        if negative.is_some() {
            self.advance();
        }
        let number = self.number()?;
        Ok(number.map(|number| if negative == Some(true) { -number.value } else { number.value }))
    }

    /// `(a, b)` after `by`, `on` and the like.
    fn grouping_labels(&mut self) -> Result<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        if self.eat(&Kind::LeftParen).is_none() {
            return Err(self.unexpected(CONTEXT, "\"(\""));
        }
        let mut labels = Vec::new();
        while self.eat(&Kind::RightParen).is_none() {
            labels.push(self.grouping_label(CONTEXT)?);
            if self.eat(&Kind::Comma).is_none() && self.peek() != &Kind::RightParen {
                return Err(self.unexpected(CONTEXT, "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    fn grouping_label(&mut self, context: &str) -> Result<String> {
        let label = match self.peek() {
            Kind::String => {
                let span = self.advance();
                self.unquoted(span)?
            }
            Kind::Identifier
            | Kind::MetricIdentifier
            | Kind::Aggregator(_)
            | Kind::Keyword(_)
            | Kind::Preprocessor(_)
            | Kind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2) => {
                let span = self.advance();
                self.text(span).to_owned()
            }
            _ => return Err(self.unexpected(context, "label")),
        };
        if label.is_empty() {
            let message = format!("invalid label name for grouping: {}", quote(&label));
            return Err(self.error(self.token().span, message));
        }
        Ok(label)
    }

    fn unquoted(&self, span: Span) -> Result<String> {
        let literal = self.text(span);
        super::unquote(literal).map_err(|reason| {
            self.error(span, format!("error unquoting string {}: {reason}", quote(literal)))
        })
    }
}

#[cfg(test)]
mod tests;
