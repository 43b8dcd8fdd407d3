//! Tokens to a tree: precedence climbing for the three kinds of expression (values of a span, span sets, scalars) and a
//! plain descent for pipelines. Metrics queries are in `metrics`.

use super::ParseError;
use super::ast::{
    AGGREGATES, AggregateOp, At, BINARY_OPS, BinaryOp, Body, Field, FieldExpr, FieldName, Intrinsic,
    Pipeline, Query, SPANSET_OPS, ScalarExpr, ScalarFilter, SpansetExpr, SpansetOp, Stage, Static,
    UNARY_POWER, UnaryOp,
};
use super::lexer::{Spanned, Token, syntax_error, tokenize};
use model::span::{SpanKind, StatusCode};

/// Most levels of parentheses, operators and pipelines inside each other.
pub const DEPTH_MAX: usize = 100;

/// Most operators in one query: a row of them is a tree as deep as it is long.
pub const OPERATORS_MAX: usize = 1_000;

/// What a stage in parentheses turned out to be.
pub(super) enum Operand {
    /// Selects spans.
    Spans(SpansetExpr),
    /// Computes a number.
    Scalar(ScalarExpr),
}

/// Reads a whole query.
pub(super) fn parse(text: &str) -> Result<Query, ParseError> {
    let mut parser = Parser { text, tokens: tokenize(text)?, at: 0, depth: 0 };
    parser.check_operators()?;
    let body = if parser.is_metrics(0, parser.tokens.len()) {
        Body::Metrics(parser.metrics_query()?)
    } else {
        let (pipeline, scalar) = parser.pipeline()?;
        if scalar.is_some() {
            return Err(parser.unexpected("a comparison such as > 2"));
        }
        Body::Search(pipeline)
    };
    let hints = parser.hints()?;
    parser.expect_end()?;
    Ok(Query { body, hints })
}

/// Reads one field.
pub(super) fn parse_field(text: &str) -> Result<FieldName, ParseError> {
    let mut parser = Parser { text, tokens: tokenize(text)?, at: 0, depth: 0 };
    let field = parser.field()?;
    parser.expect_end()?;
    Ok(field.name)
}

pub(super) struct Parser<'a> {
    text: &'a str,
    pub(super) tokens: Vec<Spanned>,
    pub(super) at: usize,
    depth: usize,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |spanned| &spanned.token)
    }

    pub(super) fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |spanned| spanned.at)
    }

    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len());
    }

    pub(super) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Token::Op(found) if *found == op)
    }

    pub(super) fn take_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Result<(), ParseError> {
        if self.take_op(op) { Ok(()) } else { Err(self.unexpected(op)) }
    }

    /// The word at `ahead` tokens from here when `(` follows it.
    pub(super) fn function_at(&self, ahead: usize) -> Option<&str> {
        let next = self.tokens.get(self.at + ahead + 1).map(|spanned| &spanned.token);
        match self.tokens.get(self.at + ahead).map(|spanned| &spanned.token) {
            Some(Token::Ident(word)) if next == Some(&Token::Op("(")) => Some(word),
            _ => None,
        }
    }

    pub(super) fn error(&self, offset: usize, what: &str) -> ParseError {
        syntax_error(self.text, offset, what)
    }

    pub(super) fn unexpected(&self, expected: &str) -> ParseError {
        let found = self.tokens.get(self.at).map_or_else(|| "end of query".to_owned(), Spanned::describe);
        self.error(self.offset(), &format!("unexpected {found}, expecting {expected}"))
    }

    fn check_operators(&self) -> Result<(), ParseError> {
        let operator = |spanned: &&Spanned| matches!(spanned.token, Token::Op(op) if !["(", ")", "{", "}", ","].contains(&op));
        match self.tokens.iter().filter(operator).nth(OPERATORS_MAX) {
            Some(one) => {
                Err(self.error(one.at, &format!("more than {OPERATORS_MAX} operators in one query")))
            }
            None => Ok(()),
        }
    }

    /// Runs `parse` one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error(self.offset(), &format!("more than {DEPTH_MAX} levels of nesting")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn expect_end(&self) -> Result<(), ParseError> {
        if *self.peek() == Token::End { Ok(()) } else { Err(self.unexpected("end of query")) }
    }

    /// `with(name=value, ...)` at the end of a query.
    fn hints(&mut self) -> Result<Vec<(String, Static)>, ParseError> {
        let mut hints = Vec::new();
        if self.function_at(0) != Some("with") {
            return Ok(hints);
        }
        self.advance();
        self.advance();
        loop {
            let Token::Ident(name) = self.peek().clone() else {
                return Err(self.unexpected("a hint's name"));
            };
            self.advance();
            self.expect_op("=")?;
            let expr = self.field_expr(UNARY_POWER)?;
            let FieldExpr::Static(value) = expr else {
                return Err(self.unexpected("a literal"));
            };
            hints.push((name, value));
            if !self.take_op(",") {
                self.expect_op(")")?;
                return Ok(hints);
            }
        }
    }

    /// Stages up to a `)`, a metrics function, hints or the end. A scalar that is not compared may only end it.
    pub(super) fn pipeline(&mut self) -> Result<(Pipeline, Option<ScalarExpr>), ParseError> {
        let mut stages = vec![];
        loop {
            let (stage, scalar) = self.deeper(|parser| parser.stage(stages.is_empty()))?;
            stages.extend(stage);
            if scalar.is_some()
                || !self.is_op("|")
                || self.function_at(1).is_some_and(super::metrics::is_function)
            {
                return Ok((Pipeline { stages }, scalar));
            }
            self.advance();
        }
    }

    fn stage(&mut self, first: bool) -> Result<(Option<Stage>, Option<ScalarExpr>), ParseError> {
        match self.function_at(0) {
            Some("by") => {
                self.advance();
                self.advance();
                let expr = self.field_expr(0)?;
                self.expect_op(")")?;
                return Ok((Some(Stage::By(expr)), None));
            }
            Some("coalesce") if !first => {
                self.advance();
                self.advance();
                self.expect_op(")")?;
                return Ok((Some(Stage::Coalesce), None));
            }
            Some("select") => {
                self.advance();
                return Ok((Some(Stage::Select(self.field_list()?)), None));
            }
            _ => {}
        }
        let at = At(self.offset());
        match self.operand(0)? {
            Operand::Spans(expr) => Ok((Some(Stage::Spanset(expr)), None)),
            Operand::Scalar(lhs) => match self.comparison() {
                None if aggregates(&lhs) => Ok((None, Some(lhs))),
                None => Err(self.unexpected("a span set, an aggregate or a comparison")),
                Some(op) => {
                    let rhs = self.scalar(0)?;
                    if !aggregates(&lhs) && !aggregates(&rhs) {
                        return Err(self.error(at.0, "a comparison in a pipeline needs an aggregate"));
                    }
                    Ok((Some(Stage::Filter(ScalarFilter { op, lhs, rhs, at })), None))
                }
            },
        }
    }

    /// Takes `=`, `<`, ... if that is next.
    pub(super) fn comparison(&mut self) -> Option<BinaryOp> {
        let Token::Op(text) = self.peek() else {
            return None;
        };
        let (_, op, _) =
            BINARY_OPS.iter().find(|(spelling, op, _)| spelling == text && op.is_comparison())?;
        self.advance();
        Some(*op)
    }

    /// A span set or scalar expression whose operators bind tighter than `power`.
    fn operand(&mut self, power: u8) -> Result<Operand, ParseError> {
        let first = self.deeper(Self::operand_primary)?;
        let mut lhs = match first {
            Operand::Scalar(scalar) => return self.scalar_rest(scalar, power).map(Operand::Scalar),
            Operand::Spans(expr) => expr,
        };
        while let Some((op, op_power)) = self.spanset_op().filter(|(_, op_power)| *op_power > power) {
            self.advance();
            let Operand::Spans(rhs) = self.deeper(|parser| parser.operand(op_power))? else {
                return Err(self.unexpected("a span set"));
            };
            lhs = SpansetExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
        }
        Ok(Operand::Spans(lhs))
    }

    fn spanset_op(&self) -> Option<(SpansetOp, u8)> {
        let Token::Op(text) = self.peek() else {
            return None;
        };
        SPANSET_OPS.iter().find(|(spelling, ..)| spelling == text).map(|(_, op, power)| (*op, *power))
    }

    fn operand_primary(&mut self) -> Result<Operand, ParseError> {
        if self.is_op("{") {
            return self.spanset_filter().map(|expr| Operand::Spans(SpansetExpr::Filter(expr.map(Box::new))));
        }
        if !self.is_op("(") {
            return self.scalar_primary().map(Operand::Scalar);
        }
        if self.group_is_constant() {
            self.advance();
            let inner = self.scalar(0)?;
            self.expect_op(")")?;
            return Ok(Operand::Scalar(inner));
        }
        self.advance();
        let (mut pipeline, scalar) = self.pipeline()?;
        self.expect_op(")")?;
        match (scalar, pipeline.stages.pop()) {
            (Some(scalar), None) => Ok(Operand::Scalar(scalar)),
            (Some(scalar), Some(last)) => {
                pipeline.stages.push(last);
                Ok(Operand::Scalar(ScalarExpr::Pipeline(pipeline, Box::new(scalar))))
            }
            (None, Some(Stage::Spanset(expr))) if pipeline.stages.is_empty() => Ok(Operand::Spans(expr)),
            (None, last) => {
                pipeline.stages.extend(last);
                Ok(Operand::Spans(SpansetExpr::Pipeline(pipeline)))
            }
        }
    }

    /// Whether the `(` here opens arithmetic on literals.
    pub(super) fn group_is_constant(&self) -> bool {
        let mut ahead = self.tokens.get(self.at..).unwrap_or_default().iter();
        let first = ahead.find(|spanned| !matches!(spanned.token, Token::Op("(" | "-")));
        matches!(
            first.map(|spanned| &spanned.token),
            Some(Token::Int(_) | Token::Float(_) | Token::Duration(_))
        )
    }

    /// `{ condition }`; the condition of `{}` is `None`.
    pub(super) fn spanset_filter(&mut self) -> Result<Option<FieldExpr>, ParseError> {
        self.expect_op("{")?;
        if self.take_op("}") {
            return Ok(None);
        }
        let expr = self.field_expr(0)?;
        self.expect_op("}")?;
        Ok(Some(expr))
    }

    fn scalar(&mut self, power: u8) -> Result<ScalarExpr, ParseError> {
        match self.deeper(Self::operand_primary)? {
            Operand::Scalar(first) => self.scalar_rest(first, power),
            Operand::Spans(_) => Err(self.unexpected("a number or an aggregate before this")),
        }
    }

    fn scalar_rest(&mut self, first: ScalarExpr, power: u8) -> Result<ScalarExpr, ParseError> {
        let mut lhs = first;
        while let Some((op, right_power)) = self.binary_op(power).filter(|(op, _)| op.is_arithmetic()) {
            self.advance();
            let rhs = self.deeper(|parser| parser.scalar(right_power))?;
            lhs = ScalarExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
        }
        Ok(lhs)
    }

    fn scalar_primary(&mut self) -> Result<ScalarExpr, ParseError> {
        let at = At(self.offset());
        let aggregate =
            self.function_at(0).and_then(|name| AGGREGATES.iter().find(|(word, _)| *word == name));
        if let Some((_, op)) = aggregate {
            self.advance();
            self.advance();
            let field = if *op == AggregateOp::Count { None } else { Some(self.field_expr(0)?) };
            self.expect_op(")")?;
            return Ok(ScalarExpr::Aggregate { op: *op, field, at });
        }
        let Some(number) = self.literal_number() else {
            return Err(self.unexpected("{, (, a number, an aggregate, by or select"));
        };
        Ok(ScalarExpr::Number(number))
    }

    /// Takes a number or duration with its sign.
    pub(super) fn literal_number(&mut self) -> Option<Static> {
        let negative = self.is_op("-");
        let token = self.tokens.get(self.at + usize::from(negative)).map(|spanned| &spanned.token);
        let value = match token? {
            Token::Int(value) => Static::Int(if negative { -value } else { *value }),
            Token::Float(value) => Static::Float(if negative { -value } else { *value }),
            Token::Duration(ns) => Static::Duration(if negative { -ns } else { *ns }),
            _ => return None,
        };
        self.at += 1 + usize::from(negative);
        Some(value)
    }

    /// The value operator here, when it binds tighter than `power`, with the power its right side starts from.
    fn binary_op(&self, power: u8) -> Option<(BinaryOp, u8)> {
        let Token::Op(text) = self.peek() else {
            return None;
        };
        let (_, op, op_power) = BINARY_OPS.iter().find(|(spelling, ..)| spelling == text)?;
        let right = if *op == BinaryOp::Pow { op_power - 1 } else { *op_power };
        (*op_power > power).then_some((*op, right))
    }

    /// A value expression whose operators bind tighter than `power`.
    pub(super) fn field_expr(&mut self, power: u8) -> Result<FieldExpr, ParseError> {
        let mut lhs = self.deeper(Self::field_primary)?;
        while let Some((op, right_power)) = self.binary_op(power) {
            let at = At(self.offset());
            self.advance();
            let rhs = self.deeper(|parser| parser.field_expr(right_power))?;
            lhs = FieldExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs), at };
        }
        Ok(lhs)
    }

    fn field_primary(&mut self) -> Result<FieldExpr, ParseError> {
        let negative = self.is_op("-");
        // A whole zero has no sign to keep, so that one before it stays an operator.
        let zero = matches!(self.tokens.get(self.at + 1), Some(next) if matches!(next.token, Token::Int(0) | Token::Duration(0)));
        if let Some(number) = if negative && zero { None } else { self.literal_number() } {
            return if negative { self.negated_power(number) } else { Ok(FieldExpr::Static(number)) };
        }
        let at = At(self.offset());
        for (text, op) in [("-", UnaryOp::Neg), ("!", UnaryOp::Not)] {
            if self.take_op(text) {
                let expr = Box::new(self.deeper(|parser| parser.field_expr(UNARY_POWER))?);
                return Ok(FieldExpr::Unary { op, expr, at });
            }
        }
        if self.take_op("(") {
            let expr = self.field_expr(0)?;
            self.expect_op(")")?;
            return Ok(expr);
        }
        let token = self.peek().clone();
        let expr = match token {
            Token::Str(text) => FieldExpr::Static(Static::Str(text)),
            Token::Field(name) => FieldExpr::Field(Field { name, at }),
            Token::Ident(word) => match keyword(&word) {
                Some(value) => FieldExpr::Static(value),
                None => FieldExpr::Field(Field { name: FieldName::Intrinsic(self.intrinsic(&word)?), at }),
            },
            _ => return Err(self.unexpected("an attribute, an intrinsic, a literal or (")),
        };
        self.advance();
        Ok(expr)
    }

    /// `-2 ^ 2` is `-(2 ^ 2)`: a sign that was read with its literal gives way to a power.
    fn negated_power(&mut self, number: Static) -> Result<FieldExpr, ParseError> {
        let positive = match number {
            Static::Int(value) => Static::Int(-value),
            Static::Float(value) => Static::Float(-value),
            Static::Duration(value) => Static::Duration(-value),
            ref other => other.clone(),
        };
        if !self.is_op("^") {
            return Ok(FieldExpr::Static(number));
        }
        let at = At(self.offset());
        self.advance();
        let rhs = Box::new(self.deeper(|parser| parser.field_expr(UNARY_POWER))?);
        let power =
            FieldExpr::Binary { op: BinaryOp::Pow, lhs: Box::new(FieldExpr::Static(positive)), rhs, at };
        Ok(FieldExpr::Unary { op: UnaryOp::Neg, expr: Box::new(power), at })
    }

    fn intrinsic(&self, word: &str) -> Result<Intrinsic, ParseError> {
        let hint = || {
            self.error(
                self.offset(),
                &format!("unexpected identifier {word}: write .{word} for an attribute"),
            )
        };
        Intrinsic::parse(word).ok_or_else(hint)
    }

    /// One attribute or intrinsic.
    pub(super) fn field(&mut self) -> Result<Field, ParseError> {
        let at = At(self.offset());
        let name = match self.peek().clone() {
            Token::Field(name) => name,
            Token::Ident(word) => FieldName::Intrinsic(self.intrinsic(&word)?),
            _ => return Err(self.unexpected("an attribute or an intrinsic")),
        };
        self.advance();
        Ok(Field { name, at })
    }

    /// `(field, ...)`, at least one.
    pub(super) fn field_list(&mut self) -> Result<Vec<Field>, ParseError> {
        self.expect_op("(")?;
        let mut fields = vec![self.field()?];
        while self.take_op(",") {
            fields.push(self.field()?);
        }
        self.expect_op(")")?;
        Ok(fields)
    }
}

/// Whether the expression reads spans.
fn aggregates(expr: &ScalarExpr) -> bool {
    match expr {
        ScalarExpr::Number(_) => false,
        ScalarExpr::Aggregate { .. } | ScalarExpr::Pipeline(..) => true,
        ScalarExpr::Binary { lhs, rhs, .. } => aggregates(lhs) || aggregates(rhs),
    }
}

/// Words that are values.
fn keyword(word: &str) -> Option<Static> {
    const STATUSES: [StatusCode; 3] = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
    let kind = (0..6).map(SpanKind::from_otlp).find(|kind| kind.as_str() == word);
    let status = STATUSES.into_iter().find(|status| status.as_str() == word);
    match word {
        "nil" => Some(Static::Nil),
        "true" => Some(Static::Bool(true)),
        "false" => Some(Static::Bool(false)),
        "minInt" => Some(Static::Int(i64::MIN)),
        "maxInt" => Some(Static::Int(i64::MAX)),
        _ => status.map(Static::Status).or(kind.map(Static::Kind)),
    }
}
