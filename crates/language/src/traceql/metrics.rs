//! The part of the grammar that yields series: `pipeline | function() by(...)`, limits behind it, and arithmetic between
//! such queries in parentheses and numbers.

use super::ParseError;
use super::ast::{
    AggregateOp, At, BINARY_OPS, BinaryOp, COMPARE_TOP_DEFAULT, Limit, MetricsExpr, MetricsFunction, Static,
};
use super::lexer::Token;
use super::parser::Parser;

/// Functions that turn spans into series.
const FUNCTIONS: &[&str] = &[
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
];

/// Whether `word` turns spans into series.
pub(super) fn is_function(word: &str) -> bool {
    FUNCTIONS.contains(&word)
}

impl Parser<'_> {
    /// Whether a metrics function is called between two tokens.
    pub(super) fn is_metrics(&self, start: usize, end: usize) -> bool {
        let (ahead, len) = (start.saturating_sub(self.at), end.saturating_sub(start));
        (ahead..ahead + len).any(|at| self.function_at(at).is_some_and(is_function))
    }

    /// A whole metrics query.
    pub(super) fn metrics_query(&mut self) -> Result<MetricsExpr, ParseError> {
        let starts_with_number = matches!(self.peek(), Token::Int(_) | Token::Float(_) | Token::Op("-"));
        let starts_with_group = self.is_op("(") && (self.group_is_constant() || self.group_is_metrics());
        let expr = if starts_with_number || starts_with_group {
            let expr = self.metrics_math(0)?;
            if let MetricsExpr::Number(_) = expr {
                return Err(self.unexpected("a metrics query"));
            }
            expr
        } else {
            self.metrics_pipeline()?
        };
        self.limits(expr)
    }

    /// Whether the `(` here closes behind a metrics function.
    fn group_is_metrics(&self) -> bool {
        let mut depth = 0_usize;
        for (ahead, spanned) in self.tokens.get(self.at..).unwrap_or_default().iter().enumerate() {
            match spanned.token {
                Token::Op("(") => depth += 1,
                Token::Op(")") => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return self.is_metrics(self.at, self.at + ahead);
            }
        }
        true
    }

    /// `pipeline | function(...) by(...)`.
    fn metrics_pipeline(&mut self) -> Result<MetricsExpr, ParseError> {
        let (pipeline, scalar) = self.pipeline()?;
        if scalar.is_some() {
            return Err(self.unexpected("a comparison such as > 2"));
        }
        self.expect_op("|")?;
        let function = self.metrics_function()?;
        let by = if self.function_at(0) == Some("by") {
            self.advance();
            self.field_list()?
        } else {
            Vec::new()
        };
        Ok(MetricsExpr::Query { pipeline, function, by })
    }

    fn metrics_function(&mut self) -> Result<MetricsFunction, ParseError> {
        let name = self.function_at(0).unwrap_or_default().to_owned();
        if !is_function(&name) {
            return Err(self.unexpected("a metrics function such as rate()"));
        }
        self.advance();
        self.advance();
        let function = match name.as_str() {
            "rate" => MetricsFunction::Rate,
            "count_over_time" => MetricsFunction::CountOverTime,
            "min_over_time" => MetricsFunction::OverTime(AggregateOp::Min, self.field()?),
            "max_over_time" => MetricsFunction::OverTime(AggregateOp::Max, self.field()?),
            "avg_over_time" => MetricsFunction::OverTime(AggregateOp::Avg, self.field()?),
            "sum_over_time" => MetricsFunction::OverTime(AggregateOp::Sum, self.field()?),
            "histogram_over_time" => MetricsFunction::Histogram(self.field()?),
            "quantile_over_time" => {
                let field = self.field()?;
                let mut quantiles = Vec::new();
                while quantiles.is_empty() || self.is_op(",") {
                    self.expect_op(",")?;
                    quantiles.push(self.plain_number()?);
                }
                MetricsFunction::Quantile(field, quantiles)
            }
            _ => self.compare()?,
        };
        self.expect_op(")")?;
        Ok(function)
    }

    /// The arguments of `compare({filter}, top, start, end)`.
    fn compare(&mut self) -> Result<MetricsFunction, ParseError> {
        let filter = self.spanset_filter()?.map(Box::new);
        let mut top = COMPARE_TOP_DEFAULT;
        let mut window_ns = None;
        if self.take_op(",") {
            top = u64::try_from(self.integer()?)
                .map_err(|_| self.unexpected("a positive number before this"))?;
            if self.take_op(",") {
                let start = self.integer()?;
                self.expect_op(",")?;
                window_ns = Some((start, self.integer()?));
            }
        }
        Ok(MetricsFunction::Compare { filter, top, window_ns })
    }

    fn integer(&mut self) -> Result<i64, ParseError> {
        let Token::Int(value) = *self.peek() else {
            return Err(self.unexpected("an integer"));
        };
        self.advance();
        Ok(value)
    }

    /// A number without a unit.
    fn plain_number(&mut self) -> Result<f64, ParseError> {
        let start = self.at;
        match self.literal_number() {
            #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
            Some(Static::Int(value)) => Ok(value as f64),
            Some(Static::Float(value)) => Ok(value),
            _ => {
                self.at = start;
                Err(self.unexpected("a number"))
            }
        }
    }

    /// `| topk(k)`, `| bottomk(k)` and comparisons, as many as there are.
    fn limits(&mut self, expr: MetricsExpr) -> Result<MetricsExpr, ParseError> {
        let mut expr = expr;
        loop {
            let at = At(self.offset());
            let limit = if self.take_op("|") {
                let top = match self.function_at(0) {
                    Some("topk") => true,
                    Some("bottomk") => false,
                    _ => return Err(self.unexpected("topk or bottomk")),
                };
                self.advance();
                self.advance();
                let k = u64::try_from(self.integer()?).unwrap_or_default();
                self.expect_op(")")?;
                if top { Limit::Top(k) } else { Limit::Bottom(k) }
            } else if let Some(op) = self.comparison() {
                Limit::Compare(op, self.threshold()?)
            } else {
                return Ok(expr);
            };
            expr = self.deeper(|_| Ok(MetricsExpr::Limit { expr: Box::new(expr), limit, at }))?;
        }
    }

    /// What samples are compared with: a duration, or arithmetic on numbers.
    fn threshold(&mut self) -> Result<Static, ParseError> {
        let at = self.offset();
        let start = self.at;
        if let Some(literal @ (Static::Duration(_) | Static::Int(_))) = self.literal_number()
            && !matches!(self.peek(), Token::Op("+" | "-" | "*" | "/"))
        {
            return Ok(literal);
        }
        self.at = start;
        match fold(&self.metrics_math(0)?) {
            Some(value) if value.is_finite() => Ok(Static::Float(value)),
            Some(_) => Err(self.error(at, "a division by zero")),
            None => Err(self.error(at, "samples are compared with a number or a duration")),
        }
    }

    /// Arithmetic whose operators bind tighter than `power`.
    fn metrics_math(&mut self, power: u8) -> Result<MetricsExpr, ParseError> {
        let mut lhs = self.deeper(Self::metrics_primary)?;
        while let Some((op, op_power)) = self.math_op().filter(|(_, op_power)| *op_power > power) {
            let at = At(self.offset());
            self.advance();
            let rhs = self.deeper(|parser| parser.metrics_math(op_power))?;
            lhs = MetricsExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs), at };
        }
        Ok(lhs)
    }

    fn math_op(&self) -> Option<(BinaryOp, u8)> {
        let Token::Op(text @ ("+" | "-" | "*" | "/")) = self.peek() else {
            return None;
        };
        BINARY_OPS.iter().find(|(spelling, ..)| spelling == text).map(|(_, op, power)| (*op, *power))
    }

    fn metrics_primary(&mut self) -> Result<MetricsExpr, ParseError> {
        if !self.is_op("(") {
            return self.plain_number().map(MetricsExpr::Number);
        }
        let math = self.tokens.get(self.at + 1).map(|spanned| &spanned.token);
        let math = matches!(math, Some(Token::Op("(" | "-") | Token::Int(_) | Token::Float(_)));
        self.advance();
        let nested = math && (self.group_is_constant() || self.group_is_metrics());
        let inner = if nested { self.metrics_math(0)? } else { self.metrics_pipeline()? };
        let inner = if fold(&inner).is_some() { inner } else { self.limits(inner)? };
        self.expect_op(")")?;
        Ok(inner)
    }
}

/// The value of arithmetic on numbers alone.
pub(super) fn fold(expr: &MetricsExpr) -> Option<f64> {
    match expr {
        MetricsExpr::Number(value) => Some(*value),
        MetricsExpr::Binary { op, lhs, rhs, .. } => {
            let (lhs, rhs) = (fold(lhs)?, fold(rhs)?);
            match op {
                BinaryOp::Add => Some(lhs + rhs),
                BinaryOp::Sub => Some(lhs - rhs),
                BinaryOp::Mul => Some(lhs * rhs),
                BinaryOp::Div => Some(lhs / rhs),
                _ => None,
            }
        }
        MetricsExpr::Query { .. } | MetricsExpr::Limit { .. } => None,
    }
}
