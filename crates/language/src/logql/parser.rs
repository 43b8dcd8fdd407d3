//! Tokens to tree: the expressions. Stages are in `pipeline.rs`, conditions in `filter.rs`.

use super::ast::{
    BinOp, BinaryExpr, Expr, Group, Grouping, LogExpr, LogRange, MatchOn, Modifier, RangeExpr, RangeOp,
    Stage, Unwrap, VectorExpr, VectorOp,
};
use super::error::ParseError;
use super::lexer::{Kind, Token, lex};
use super::{levels, regexp, units};
use model::matcher::anchored_regex;
use model::{MatchOp, Matcher};

/// Deepest nesting of parentheses, functions and operators.
pub const DEPTH_MAX: usize = 128;

const NEEDS_MATCHER: &str = "queries require at least one regexp or equality matcher that does not have an \
    empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";

/// Parses a query.
///
/// # Errors
/// Loki's message, with its position where it has one.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expression(0)?;
    if parser.peek() != &Kind::End {
        return Err(parser.unexpected(&[]));
    }
    if levels::of(&expr) > DEPTH_MAX {
        return Err(too_deep());
    }
    Ok(expr)
}

fn too_deep() -> ParseError {
    ParseError::meaning(format!("query is nested more than {DEPTH_MAX} levels deep"))
}

/// Parses a stream selector alone, as `series` takes it. `{}` selects everything.
///
/// # Errors
/// As [`parse`].
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text)?;
    let matchers = parser.matchers()?;
    if parser.peek() != &Kind::End {
        return Err(parser.unexpected(&[]));
    }
    Ok(matchers)
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

/// A range under construction: its `[5m]` may stand before or after the pipeline.
#[derive(Default)]
struct RangeParts {
    log: LogExpr,
    unwrap: Option<Unwrap>,
    interval_ns: Option<i64>,
    offset_ns: i64,
}

impl Parser {
    fn new(text: &str) -> Result<Self, ParseError> {
        Ok(Self { tokens: lex(text)?, next: 0, depth: 0 })
    }

    pub(super) fn peek(&self) -> &Kind {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Kind {
        self.tokens.get(self.next + ahead).map_or(&Kind::End, |token| &token.kind)
    }

    pub(super) fn bump(&mut self) {
        self.next += 1;
    }

    /// Takes `text` if it comes next.
    pub(super) fn take(&mut self, text: &'static str) -> bool {
        let found = matches!(self.peek(), Kind::Punct(t) | Kind::Keyword(t) | Kind::Flag(t) if *t == text);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect(&mut self, text: &'static str, expecting: &[&str]) -> Result<(), ParseError> {
        if self.take(text) { Ok(()) } else { Err(self.unexpected(expecting)) }
    }

    pub(super) fn unexpected(&self, expecting: &[&str]) -> ParseError {
        let last = self.tokens.last();
        let Some(found) = self.tokens.get(self.next).or(last) else {
            return ParseError::meaning("syntax error: unexpected $end");
        };
        let name = found.kind.name();
        let wanted = if expecting.is_empty() {
            String::new()
        } else {
            format!(", expecting {}", expecting.join(" or "))
        };
        ParseError::at(found.at, format!("syntax error: unexpected {name}{wanted}"))
    }

    pub(super) fn identifier(&mut self, expecting: &[&str]) -> Result<String, ParseError> {
        let Kind::Identifier(name) = self.peek() else { return Err(self.unexpected(expecting)) };
        let name = name.clone();
        self.bump();
        Ok(name)
    }

    pub(super) fn string(&mut self, expecting: &[&str]) -> Result<String, ParseError> {
        let Kind::Text(text) = self.peek() else { return Err(self.unexpected(expecting)) };
        let text = text.clone();
        self.bump();
        Ok(text)
    }

    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= DEPTH_MAX {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Operators that bind at least as tight as `min`.
    fn expression(&mut self, min: u8) -> Result<Expr, ParseError> {
        self.nested(|parser| {
            let mut lhs = parser.operand()?;
            let mut operators = 0;
            while let Some(op) = parser.peek_operator() {
                let precedence = op.precedence();
                if precedence < min {
                    break;
                }
                operators += 1;
                if operators > DEPTH_MAX {
                    return Err(ParseError::meaning(format!("more than {DEPTH_MAX} operators in a row")));
                }
                parser.bump();
                let modifier = parser.modifier()?;
                let right = if op == BinOp::Pow { precedence } else { precedence + 1 };
                let rhs = parser.expression(right)?;
                lhs = binary(op, modifier, lhs, rhs)?;
            }
            Ok(lhs)
        })
    }

    fn peek_operator(&self) -> Option<BinOp> {
        match self.peek() {
            Kind::Punct(text) | Kind::Keyword(text) => BinOp::from_text(text),
            _ => None,
        }
    }

    fn modifier(&mut self) -> Result<Modifier, ParseError> {
        let bool_result = self.take("bool");
        let on = match self.peek() {
            Kind::Keyword("on") => true,
            Kind::Keyword("ignoring") => false,
            _ => return Ok(Modifier { bool_result, matching: None }),
        };
        self.bump();
        let labels = self.label_list(&["("])?;
        let include = |parser: &mut Self| {
            parser.bump();
            let listed = parser.peek() == &Kind::Punct("(") && parser.peek_is_label_list();
            if listed { parser.label_list(&["("]) } else { Ok(Vec::new()) }
        };
        let group = match self.peek() {
            Kind::Keyword("group_left") => Group::Left(include(self)?),
            Kind::Keyword("group_right") => Group::Right(include(self)?),
            _ => Group::One,
        };
        Ok(Modifier { bool_result, matching: Some(MatchOn { on, labels, group }) })
    }

    /// Whether the parenthesis ahead holds label names rather than an expression.
    fn peek_is_label_list(&self) -> bool {
        matches!(self.peek_at(1), Kind::Punct(")"))
            || (matches!(self.peek_at(1), Kind::Identifier(_))
                && matches!(self.peek_at(2), Kind::Punct("," | ")")))
    }

    /// `(a, b)`, possibly empty.
    fn label_list(&mut self, expecting: &[&str]) -> Result<Vec<String>, ParseError> {
        self.expect("(", expecting)?;
        if self.take(")") {
            return Ok(Vec::new());
        }
        let mut labels = vec![self.identifier(&["IDENTIFIER", ")"])?];
        while !self.take(")") {
            self.expect(",", &[",", ")"])?;
            labels.push(self.identifier(&["IDENTIFIER"])?);
        }
        Ok(labels)
    }

    fn operand(&mut self) -> Result<Expr, ParseError> {
        match self.peek().clone() {
            Kind::Number(_) | Kind::Punct("+" | "-") => self.signed_number().map(Expr::Literal),
            Kind::Punct("{") => self.log_expr().map(Expr::Log),
            Kind::Punct("(") => {
                self.bump();
                let inner = self.expression(0)?;
                self.expect(")", &[])?;
                Ok(inner)
            }
            Kind::RangeOp(op) => self.range_expr(op).map(Expr::Range),
            Kind::VectorOp(op) => self.vector_expr(op),
            Kind::Function("vector") => self.vector_literal(),
            Kind::Function("label_replace") => self.label_replace(),
            Kind::Function("variants") => {
                Err(ParseError::meaning("multi variant queries are disabled for this instance"))
            }
            _ => Err(self.unexpected(&[])),
        }
    }

    fn signed_number(&mut self) -> Result<f64, ParseError> {
        let negative = match self.peek() {
            Kind::Punct("-") => true,
            Kind::Punct("+") => false,
            _ => return self.number(&["NUMBER"]),
        };
        self.bump();
        let value = self.number(&["NUMBER"])?;
        Ok(if negative { -value } else { value })
    }

    pub(super) fn number(&mut self, expecting: &[&str]) -> Result<f64, ParseError> {
        let Kind::Number(text) = self.peek() else { return Err(self.unexpected(expecting)) };
        let value = units::parse_float(text)
            .map_err(|error| ParseError::meaning(format!("unable to parse literal as a float: {error}")))?;
        self.bump();
        Ok(value)
    }

    fn vector_literal(&mut self) -> Result<Expr, ParseError> {
        self.bump();
        self.expect("(", &["("])?;
        let value = self.number(&["NUMBER"])?;
        self.expect(")", &[")"])?;
        Ok(Expr::VectorLiteral(value))
    }

    fn label_replace(&mut self) -> Result<Expr, ParseError> {
        self.bump();
        self.expect("(", &["("])?;
        let inner = Box::new(self.metric()?);
        let mut argument = || {
            self.expect(",", &[","])?;
            self.string(&["STRING"])
        };
        let (dst, replacement, src, regex) = (argument()?, argument()?, argument()?, argument()?);
        self.expect(")", &[")"])?;
        if anchored_regex(&regex).is_err() {
            let why = regexp::explain(&format!("^(?:{regex})$"), &format!("^(?:{regex})$"));
            return Err(ParseError::meaning(format!("invalid regex in label_replace: {why}")));
        }
        Ok(Expr::LabelReplace { inner, dst, replacement, src, regex })
    }

    /// An expression that is not a log query.
    fn metric(&mut self) -> Result<Expr, ParseError> {
        let expr = self.expression(0)?;
        if matches!(expr, Expr::Log(_)) { Err(self.unexpected(&[])) } else { Ok(expr) }
    }

    fn log_expr(&mut self) -> Result<LogExpr, ParseError> {
        let matchers = self.selector()?;
        let stages = self.stages()?;
        if self.peek_at(1) == &Kind::Keyword("unwrap") && self.take("|") {
            return Err(self.unexpected(&[]));
        }
        Ok(LogExpr { matchers, stages })
    }

    fn selector(&mut self) -> Result<Vec<Matcher>, ParseError> {
        let matchers = self.matchers()?;
        if matchers.iter().all(Matcher::matches_empty) {
            return Err(ParseError::meaning(NEEDS_MATCHER));
        }
        Ok(matchers)
    }

    fn matchers(&mut self) -> Result<Vec<Matcher>, ParseError> {
        self.expect("{", &["{"])?;
        let mut matchers = Vec::new();
        if self.take("}") {
            return Ok(matchers);
        }
        loop {
            let expecting: &[&str] = if matchers.is_empty() { &["IDENTIFIER", "}"] } else { &["IDENTIFIER"] };
            let name = self.identifier(expecting)?;
            let op = self.match_op(&["=", "=~", "!~", "!="])?;
            let value = self.string(&["STRING"])?;
            matchers.push(matcher(&name, op, &value)?);
            if self.take("}") {
                return Ok(matchers);
            }
            self.expect(",", &["}", ","])?;
        }
    }

    pub(super) fn match_op(&mut self, expecting: &[&str]) -> Result<MatchOp, ParseError> {
        let op = match self.peek() {
            Kind::Punct("=") => MatchOp::Equal,
            Kind::Punct("!=") => MatchOp::NotEqual,
            Kind::Punct("=~") => MatchOp::Regex,
            Kind::Punct("!~") => MatchOp::NotRegex,
            _ => return Err(self.unexpected(expecting)),
        };
        self.bump();
        Ok(op)
    }

    fn range_expr(&mut self, op: RangeOp) -> Result<RangeExpr, ParseError> {
        self.bump();
        self.expect("(", &["("])?;
        let param = match self.peek() {
            Kind::Number(_) => {
                let value = self.number(&[])?;
                self.expect(",", &[","])?;
                Some(value)
            }
            Kind::Punct("{" | "(") => None,
            _ => return Err(self.unexpected(&["NUMBER", "{", "("])),
        };
        let parts = self.range_parts()?;
        let Some(interval_ns) = parts.interval_ns else {
            let expecting: &[&str] = if parts.unwrap.is_some() { &["RANGE", "|"] } else { &[] };
            return Err(self.unexpected(expecting));
        };
        self.expect(")", &[")"])?;
        let grouping = self.grouping()?;
        let range =
            LogRange { log: parts.log, unwrap: parts.unwrap, interval_ns, offset_ns: parts.offset_ns };
        let expr = RangeExpr { op, param, range, grouping };
        check_range(&expr)?;
        Ok(expr)
    }

    fn range_parts(&mut self) -> Result<RangeParts, ParseError> {
        let mut parts = RangeParts::default();
        if self.take("(") {
            parts = self.nested(Self::range_parts)?;
            self.expect(")", &[])?;
        } else {
            parts.log.matchers = self.selector()?;
            self.interval(&mut parts)?;
            if matches!(self.peek(), Kind::Punct("|" | "|=" | "|~" | "|>" | "!=" | "!~" | "!>")) {
                parts.log.stages = self.stages()?;
                parts.unwrap = self.unwrap()?;
            }
        }
        if parts.interval_ns.is_none() {
            self.interval(&mut parts)?;
        }
        Ok(parts)
    }

    /// `[5m] offset 1h`.
    fn interval(&mut self, parts: &mut RangeParts) -> Result<(), ParseError> {
        let Kind::Range(interval) = self.peek() else { return Ok(()) };
        parts.interval_ns = Some(*interval);
        self.bump();
        if self.take("offset") {
            let negative = self.take("-");
            let Kind::Duration(offset) = self.peek() else { return Err(self.unexpected(&["DURATION"])) };
            parts.offset_ns = if negative { -*offset } else { *offset };
            self.bump();
        }
        Ok(())
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = match self.peek() {
            Kind::Keyword("by") => false,
            Kind::Keyword("without") => true,
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(Grouping { without, labels: self.label_list(&["("])? }))
    }

    fn vector_expr(&mut self, op: VectorOp) -> Result<Expr, ParseError> {
        self.bump();
        let before = self.grouping()?;
        self.expect("(", &["("])?;
        let parameter = match (self.peek(), self.peek_at(1)) {
            (Kind::Number(text), Kind::Punct(",")) => {
                let text = text.clone();
                self.bump();
                self.bump();
                Some(text)
            }
            _ => None,
        };
        let inner = self.metric()?;
        self.expect(")", &[")"])?;
        let grouping = if before.is_some() { before } else { self.grouping()? };
        let param = vector_param(op, parameter.as_deref())?;
        if grouping.is_some() && matches!(op, VectorOp::Sort | VectorOp::SortDesc) {
            return Err(ParseError::meaning("sort and sort_desc doesn't allow grouping by"));
        }
        if grouping.is_some() && op == VectorOp::ApproxTopk {
            return Err(ParseError::meaning("grouping not allowed for approx_topk aggregation"));
        }
        if matches!(inner, Expr::Literal(_)) {
            return Err(ParseError::meaning(NEEDS_MATCHER));
        }
        Ok(Expr::Vector(Box::new(VectorExpr { op, param, inner, grouping })))
    }

    fn stages(&mut self) -> Result<Vec<Stage>, ParseError> {
        let mut stages = Vec::new();
        while let Some(stage) = self.stage()? {
            stages.push(stage);
        }
        Ok(stages)
    }
}

/// A matcher, or why its pattern is none.
pub(super) fn matcher(name: &str, op: MatchOp, value: &str) -> Result<Matcher, ParseError> {
    Matcher::new(name, op, value).map_err(|_| ParseError::meaning(regexp::explain(value, value)))
}

fn check_range(expr: &RangeExpr) -> Result<(), ParseError> {
    let name = expr.op.as_str();
    let wrong = match (&expr.param, expr.op) {
        (Some(value), op) if op != RangeOp::QuantileOverTime => {
            Some(format!("parameter {value} not supported for operation {name}"))
        }
        (None, RangeOp::QuantileOverTime) => Some(format!("parameter required for operation {name}")),
        _ if expr.grouping.is_some() && !expr.op.allows_grouping() => {
            Some(format!("grouping not allowed for {name} aggregation"))
        }
        _ if expr.range.unwrap.is_some() && expr.op.refuses_unwrap() => {
            Some(format!("invalid aggregation {name} with unwrap"))
        }
        _ if expr.range.unwrap.is_none() && expr.op.needs_unwrap() => {
            Some(format!("invalid aggregation {name} without unwrap"))
        }
        _ => None,
    };
    wrong.map_or(Ok(()), |message| Err(ParseError::meaning(message)))
}

fn vector_param(op: VectorOp, text: Option<&str>) -> Result<Option<i64>, ParseError> {
    let name = op.as_str();
    let takes = matches!(op, VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk);
    match text {
        None if takes => Err(ParseError::meaning(format!("parameter required for operation {name}"))),
        None => Ok(None),
        Some(text) if !takes => {
            Err(ParseError::meaning(format!("unsupported parameter for operation {name}({text},")))
        }
        Some(text) => match text.parse::<i64>() {
            Ok(k) if k > 0 => Ok(Some(k)),
            Ok(_) => {
                Err(ParseError::meaning(format!("invalid parameter (must be greater than 0) {name}({text}")))
            }
            Err(_) => Err(ParseError::meaning(format!("invalid parameter {name}({text},"))),
        },
    }
}

/// Checks the operands and folds two literals into one.
fn binary(op: BinOp, modifier: Modifier, lhs: Expr, rhs: Expr) -> Result<Expr, ParseError> {
    for (side, expr) in [("left", &lhs), ("right", &rhs)] {
        if let Expr::Log(log) = expr {
            let kind = if log.stages.is_empty() { "*syntax.MatchersExpr" } else { "*syntax.PipelineExpr" };
            let op = op.as_str();
            let message = format!("unexpected type for {side} leg of binary operation ({op}): {kind}");
            return Err(ParseError::meaning(message));
        }
        if let (true, Expr::Literal(value)) = (op.is_set(), expr) {
            let op = op.as_str();
            let message = format!(
                "unexpected literal for {side} leg of logical/set binary operation ({op}): {value:.6}"
            );
            return Err(ParseError::meaning(message));
        }
    }
    if let (Expr::Literal(a), Expr::Literal(b)) = (&lhs, &rhs) {
        let value = op.apply(*a, *b);
        if value.is_finite() {
            return Ok(Expr::Literal(value));
        }
    }
    Ok(Expr::Binary(Box::new(BinaryExpr { op, modifier, lhs, rhs })))
}
