//! Duration expressions: inside brackets a whole expression, after `offset` one operand with a sign.

use super::super::ParseError;
use super::super::ast::{BinaryOp, Duration, DurationExpr, Number, Span};
use super::super::token::{Kind, Preprocessor};
use super::{Parser, Result};

/// Where a duration stands, which messages name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Place {
    #[default]
    Range,
    Step,
    Offset,
}

/// Seconds whose nanoseconds fit 64 bits.
const DURATION_SECONDS_MAX: f64 = 9_223_372_036.854_775;

impl Parser<'_> {
    /// The range after `[`.
    pub(super) fn bracket_duration(&mut self) -> Result<Duration> {
        self.duration_place = Place::Range;
        self.positive_duration()
    }

    /// The step after `:`.
    pub(super) fn subquery_step(&mut self) -> Result<Duration> {
        self.duration_place = Place::Step;
        self.positive_duration()
    }

    /// The next token is not part of a duration here.
    fn unexpected_in_duration(&self) -> ParseError {
        match self.duration_place {
            Place::Range => {
                self.unexpected("subquery or range selector", "number, duration, step(), or range()")
            }
            Place::Step => {
                self.unexpected("subquery selector", "number, duration, step(), range(), or \"]\"")
            }
            Place::Offset => self.unexpected("offset", "number, duration, step(), or range()"),
        }
    }

    fn expect_in_duration(&mut self, kind: &Kind) -> Result<Span> {
        self.eat(kind).ok_or_else(|| self.unexpected_in_duration())
    }

    fn positive_duration(&mut self) -> Result<Duration> {
        match self.duration_expr(0)? {
            DurationExpr::Number(number) if number.value <= 0.0 => {
                Err(self.error(number.span, "duration must be greater than 0"))
            }
            DurationExpr::Number(number) => Ok(Duration::Fixed(milliseconds(&number))),
            expr => Ok(Duration::Computed(expr)),
        }
    }

    /// The length after `offset`.
    pub(super) fn offset_duration(&mut self) -> Result<Duration> {
        self.duration_place = Place::Offset;
        let expr = match self.sign() {
            Some((negative, span)) => {
                let operand = self.duration_operand()?;
                self.signed(negative, span, operand)?
            }
            None => self.duration_operand()?,
        };
        match expr {
            DurationExpr::Number(number) => Ok(Duration::Fixed(milliseconds(&number))),
            expr => Ok(Duration::Computed(expr)),
        }
    }

    fn sign(&mut self) -> Option<(bool, Span)> {
        let negative = match self.peek() {
            Kind::Operator(BinaryOp::Sub) => true,
            Kind::Operator(BinaryOp::Add) => false,
            _ => return None,
        };
        Some((negative, self.advance()))
    }

    fn signed(&self, negative: bool, sign: Span, expr: DurationExpr) -> Result<DurationExpr> {
        match expr {
            DurationExpr::Number(Number { value, is_duration, span }) => {
                let value = if negative { -value } else { value };
                self.in_range(Number { value, is_duration, span: sign.to(span) })
            }
            expr if negative => {
                let span = sign.to(expr.span());
                Ok(DurationExpr::Negate { expr: Box::new(expr), span })
            }
            expr => Ok(expr),
        }
    }

    fn in_range(&self, number: Number) -> Result<DurationExpr> {
        if number.value.abs() > DURATION_SECONDS_MAX {
            return Err(self.error(number.span, "duration out of range"));
        }
        Ok(DurationExpr::Number(number))
    }

    fn duration_expr(&mut self, min_precedence: u8) -> Result<DurationExpr> {
        self.nested(|parser| {
            let mut lhs = match parser.sign() {
                Some((negative, span)) => {
                    let operand = parser.duration_expr(BinaryOp::Pow.precedence())?;
                    parser.signed(negative, span, operand)?
                }
                None => parser.duration_operand()?,
            };
            let mut chain = 0;
            while let Kind::Operator(op) = *parser.peek() {
                let arithmetic = op.precedence() >= BinaryOp::Add.precedence() && op != BinaryOp::Atan2;
                if !arithmetic || op.precedence() < min_precedence {
                    break;
                }
                chain += 1;
                parser.check_nesting(parser.nesting + chain)?;
                let sign = parser.advance();
                let right_associative = op == BinaryOp::Pow;
                let rhs = parser.duration_expr(op.precedence() + u8::from(!right_associative))?;
                parser.nonzero(op, sign, &rhs)?;
                lhs = DurationExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
            }
            Ok(lhs)
        })
    }

    fn nonzero(&self, op: BinaryOp, sign: Span, rhs: &DurationExpr) -> Result<()> {
        let zero = matches!(rhs, DurationExpr::Number(number) if number.value == 0.0);
        match op {
            BinaryOp::Div if zero => Err(self.error(sign, "division by zero")),
            BinaryOp::Mod if zero => Err(self.error(sign, "modulo by zero")),
            _ => Ok(()),
        }
    }

    fn duration_operand(&mut self) -> Result<DurationExpr> {
        if let Some(number) = self.number()? {
            return self.in_range(number);
        }
        let start = self.token().span;
        match *self.peek() {
            Kind::LeftParen => {
                self.advance();
                let expr = Box::new(self.duration_expr(0)?);
                let span = start.to(self.expect_in_duration(&Kind::RightParen)?);
                Ok(DurationExpr::Paren { expr, span })
            }
            Kind::Preprocessor(word @ (Preprocessor::Step | Preprocessor::Range)) => {
                self.advance();
                self.expect_in_duration(&Kind::LeftParen)?;
                let span = start.to(self.expect_in_duration(&Kind::RightParen)?);
                Ok(if word == Preprocessor::Step {
                    DurationExpr::Step(span)
                } else {
                    DurationExpr::Range(span)
                })
            }
            Kind::Preprocessor(word @ (Preprocessor::MaxOf | Preprocessor::MinOf)) => {
                self.advance();
                self.expect_in_duration(&Kind::LeftParen)?;
                let lhs = Box::new(self.duration_expr(0)?);
                self.expect_in_duration(&Kind::Comma)?;
                let rhs = Box::new(self.duration_expr(0)?);
                let span = start.to(self.expect_in_duration(&Kind::RightParen)?);
                Ok(DurationExpr::Extreme { max: word == Preprocessor::MaxOf, lhs, rhs, span })
            }
            _ => Err(self.unexpected_in_duration()),
        }
    }
}

/// Whole milliseconds, after rounding to nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "checked against the range before")]
fn milliseconds(number: &Number) -> i64 {
    ((number.value * 1e9).round() / 1e6).trunc() as i64
}
