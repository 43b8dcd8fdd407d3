//! Operands and what follows them: literals, calls, aggregations, selectors, ranges, `offset` and `@`.

use super::super::ast::{
    Aggregate, AggregateOp, At, Call, Duration, Expr, Extension, MatrixSelector, Number, Paren, Span,
    StringLiteral, Subquery,
};
use super::super::token::{Keyword, Kind, Preprocessor};
use super::super::{duration, function, quote};
use super::{Parser, Result};

/// Milliseconds that fit Prometheus' nanosecond durations and 64-bit times.
const SECONDS_MAX: f64 = 9_223_372_036_854_775_807.0;

impl Parser<'_> {
    /// An operand and all modifiers after it.
    pub(super) fn postfix(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        loop {
            expr = match self.peek() {
                Kind::LeftBracket => self.bracket(expr)?,
                Kind::At => self.at_modifier(expr)?,
                Kind::Keyword(Keyword::Offset) => self.offset(expr)?,
                Kind::Keyword(Keyword::Anchored) => self.extension(expr, Extension::Anchored)?,
                Kind::Keyword(Keyword::Smoothed) => self.extension(expr, Extension::Smoothed)?,
                _ => return Ok(expr),
            };
        }
    }

    fn primary(&mut self) -> Result<Expr> {
        self.height = 1;
        match self.peek() {
            Kind::Number | Kind::Duration => {
                self.number()?.map(Expr::Number).ok_or_else(|| self.unexpected("", ""))
            }
            Kind::String => {
                let span = self.advance();
                let value = self.unquoted(span)?;
                Ok(Expr::String(StringLiteral { value, span }))
            }
            Kind::LeftParen => {
                let open = self.advance();
                let expr = Box::new(self.expr(0)?);
                let span = open.to(self.expect(&Kind::RightParen)?);
                self.grow(self.height)?;
                Ok(Expr::Paren(Paren { expr, span }))
            }
            Kind::Aggregator(op) => self.aggregate_or_selector(*op),
            Kind::Identifier | Kind::Preprocessor(_) if self.peek_second() == Some(&Kind::LeftParen) => {
                self.call()
            }
            _ => Ok(Expr::Vector(self.vector_selector()?)),
        }
    }

    /// A number or a duration, if one stands here.
    pub(super) fn number(&mut self) -> Result<Option<Number>> {
        let is_duration = match self.peek() {
            Kind::Number => false,
            Kind::Duration => true,
            _ => return Ok(None),
        };
        let span = self.advance();
        let text = self.text(span);
        #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 milliseconds")]
        let value = if is_duration {
            duration::parse(text).map_err(|message| self.error(span, message))? as f64 / 1000.0
        } else {
            parse_number(text)
                .map_err(|reason| self.error(span, format!("error parsing number: {reason}")))?
        };
        Ok(Some(Number { value, is_duration, span }))
    }

    fn call(&mut self) -> Result<Expr> {
        let name = self.advance();
        let args = self.arguments()?;
        let text = self.text(name);
        let function = function::lookup(text)
            .ok_or_else(|| self.error(name, format!("unknown function with name {}", quote(text))))?;
        let span = Span { start: name.start, end: self.last_closing };
        Ok(Expr::Call(Call { function, args, span }))
    }

    fn arguments(&mut self) -> Result<Vec<Expr>> {
        self.expect(&Kind::LeftParen)?;
        let mut args = Vec::new();
        let mut below = 0;
        if self.eat(&Kind::RightParen).is_none() {
            loop {
                args.push(self.expr(0)?);
                below = below.max(self.height);
                let Some(comma) = self.eat(&Kind::Comma) else { break };
                if self.peek() == &Kind::RightParen {
                    return Err(self.error(comma, "trailing commas not allowed in function call args"));
                }
            }
            self.expect(&Kind::RightParen)?;
        }
        self.grow(below)?;
        Ok(args)
    }

    fn aggregate_or_selector(&mut self, op: AggregateOp) -> Result<Expr> {
        match self.peek_second() {
            Some(Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without)) => self.aggregate(op),
            Some(
                Kind::Identifier
                | Kind::MetricIdentifier
                | Kind::String
                | Kind::Number
                | Kind::Duration
                | Kind::Aggregator(_)
                | Kind::Preprocessor(_),
            ) => {
                self.advance();
                Err(self.unexpected("", ""))
            }
            _ => Ok(Expr::Vector(self.vector_selector()?)),
        }
    }

    fn aggregate(&mut self, op: AggregateOp) -> Result<Expr> {
        let start = self.advance().start;
        let mut modifier = self.aggregate_modifier()?;
        if self.peek() != &Kind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        let mut args = self.arguments()?;
        if modifier.is_none() {
            modifier = self.aggregate_modifier()?;
        }
        let span = Span { start, end: self.last_closing };
        let (without, grouping) = modifier.unwrap_or_default();
        let wanted = if op.has_param() { 2 } else { 1 };
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        let message = format!(
            "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
            args.len()
        );
        if args.len() > wanted {
            return Err(self.error(span, message));
        }
        let expr = args.pop();
        let param = args.pop();
        match expr {
            Some(expr) if param.is_some() == op.has_param() => {
                let aggregate = Aggregate { op, expr, param, grouping, without, span };
                Ok(Expr::Aggregate(Box::new(aggregate)))
            }
            _ => Err(self.error(span, message)),
        }
    }

    /// `by (...)` (false) or `without (...)` (true).
    fn aggregate_modifier(&mut self) -> Result<Option<(bool, Vec<String>)>> {
        let without = match self.peek() {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((without, self.grouping_labels()?)))
    }

    /// `[range]` or `[range:step]` after `expr`.
    fn bracket(&mut self, expr: Expr) -> Result<Expr> {
        let open = self.advance();
        let range = self.bracket_duration()?;
        if let Some(close) = self.eat(&Kind::RightBracket) {
            return self.range_selector(expr, range, open.to(close));
        }
        if self.eat(&Kind::Colon).is_none() {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        }
        let step = match self.peek() {
            Kind::RightBracket => None,
            _ => Some(self.subquery_step()?),
        };
        let Some(close) = self.eat(&Kind::RightBracket) else {
            return Err(self.unexpected("subquery selector", "\"]\""));
        };
        self.grow(self.height)?;
        let span = expr.span().to(close);
        Ok(Expr::Subquery(Box::new(Subquery { expr, range, step, offset: None, at: None, span })))
    }

    fn range_selector(&mut self, expr: Expr, range: Duration, bracket: Span) -> Result<Expr> {
        let Expr::Vector(selector) = expr else {
            return Err(self.error(bracket, "ranges only allowed for vector selectors"));
        };
        if selector.offset.is_some() {
            return Err(self.error(bracket, "no offset modifiers allowed before range"));
        }
        if selector.at.is_some() {
            return Err(self.error(bracket, "no @ modifiers allowed before range"));
        }
        let span = selector.span.to(bracket);
        Ok(Expr::Matrix(MatrixSelector { selector, range, span }))
    }

    fn at_modifier(&mut self, mut expr: Expr) -> Result<Expr> {
        self.advance();
        let at = match self.peek() {
            Kind::Preprocessor(Preprocessor::Start) => At::Start,
            Kind::Preprocessor(Preprocessor::End) => At::End,
            _ => {
                let Some(seconds) = self.signed_number()? else {
                    return Err(self.unexpected("@", "timestamp"));
                };
                if !seconds.is_finite() || seconds.abs() >= SECONDS_MAX {
                    let seconds = if seconds.is_infinite() {
                        format!("{}Inf", if seconds > 0.0 { "+" } else { "-" })
                    } else if seconds.is_nan() {
                        "NaN".to_owned()
                    } else {
                        format!("{seconds:.6}")
                    };
                    let message = format!("timestamp out of bounds for @ modifier: {seconds}");
                    return Err(self.error(expr.span(), message));
                }
                #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                At::Ms((seconds * 1000.0).round() as i64)
            }
        };
        if matches!(at, At::Start | At::End) {
            self.advance();
            for paren in [Kind::LeftParen, Kind::RightParen] {
                self.eat(&paren).ok_or_else(|| self.unexpected("@", "timestamp"))?;
            }
        }
        let whole = expr.span();
        let (slot, span) = match &mut expr {
            Expr::Vector(selector) => (&mut selector.at, &mut selector.span),
            Expr::Matrix(matrix) => (&mut matrix.selector.at, &mut matrix.span),
            Expr::Subquery(subquery) => (&mut subquery.at, &mut subquery.span),
            _ => {
                let message = "@ modifier must be preceded by an instant vector selector or range vector \
                               selector or a subquery";
                return Err(self.error(whole, message));
            }
        };
        if slot.is_some() {
            return Err(self.error(whole, "@ <timestamp> may not be set multiple times"));
        }
        *slot = Some(at);
        span.end = self.last_closing;
        Ok(expr)
    }

    fn offset(&mut self, mut expr: Expr) -> Result<Expr> {
        self.advance();
        let offset = self.offset_duration()?;
        let whole = expr.span();
        let (slot, span) = match &mut expr {
            Expr::Vector(selector) => (&mut selector.offset, &mut selector.span),
            Expr::Matrix(matrix) => (&mut matrix.selector.offset, &mut matrix.span),
            Expr::Subquery(subquery) => (&mut subquery.offset, &mut subquery.span),
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or range vector \
                               selector or a subquery";
                return Err(self.error(whole, message));
            }
        };
        if slot.is_some() {
            return Err(self.error(whole, "offset may not be set multiple times"));
        }
        *slot = (offset != Duration::Fixed(0)).then_some(offset);
        span.end = self.last_closing;
        Ok(expr)
    }

    fn extension(&mut self, mut expr: Expr, extension: Extension) -> Result<Expr> {
        let keyword = self.advance();
        let word = self.text(keyword).to_ascii_lowercase();
        let whole = expr.span();
        let slot = match &mut expr {
            Expr::Vector(selector) => &mut selector.extension,
            Expr::Matrix(matrix) => &mut matrix.selector.extension,
            Expr::Subquery(_) => {
                return Err(self.error(whole, format!("{word} modifier is not supported for subqueries")));
            }
            _ => return Err(self.error(whole, format!("{word} modifier not implemented"))),
        };
        if slot.is_some_and(|set| set != extension) {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(self.error(whole, message));
        }
        *slot = Some(extension);
        Ok(expr)
    }
}

/// A number as Go's `ParseInt` (any base, underscores) or else `ParseFloat` reads it.
fn parse_number(text: &str) -> std::result::Result<f64, String> {
    let lower = text.to_ascii_lowercase();
    if let Some(integer) = parse_integer(&lower) {
        #[expect(clippy::cast_precision_loss, reason = "a number literal is a float")]
        return Ok(integer as f64);
    }
    let fail = |why: &str| Err(format!("strconv.ParseFloat: parsing {}: {why}", quote(text)));
    match lower.parse::<f64>() {
        Ok(value) if value.is_infinite() && lower != "inf" => fail("value out of range"),
        Ok(value) => Ok(value),
        Err(_) => fail("invalid syntax"),
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    let (radix, digits) = match text.strip_prefix('0') {
        None | Some("") => (10, text),
        Some(rest) => match rest.strip_prefix('x') {
            Some(hex) => (16, hex),
            None => (8, rest),
        },
    };
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    i64::from_str_radix(&digits, radix).ok()
}
