//! Types and rules that the grammar alone cannot say. Also settles how vectors match: set operators are many-to-many,
//! and an operation with a scalar has no matching.

use super::ast::{AggregateOp, Binary, Call, Cardinality, Expr, Span, ValueType, VectorSelector};
use super::error::ParseError;
use super::quote;
use model::labels::METRIC_NAME;

type Result<T = ()> = std::result::Result<T, ParseError>;

struct Checker<'a> {
    query: &'a str,
}

/// Checks `expr` and everything below it, in Prometheus' order.
pub(crate) fn check(query: &str, expr: &mut Expr) -> Result {
    Checker { query }.expr(expr)
}

impl Checker<'_> {
    fn fail(&self, span: Span, message: impl Into<String>) -> Result {
        Err(ParseError::new(self.query, span, message))
    }

    fn expr(&self, expr: &mut Expr) -> Result {
        let span = expr.span();
        match expr {
            Expr::Number(_) | Expr::String(_) => Ok(()),
            Expr::Paren(paren) => self.expr(&mut paren.expr),
            Expr::Unary(unary) => {
                self.expr(&mut unary.expr)?;
                match unary.expr.value_type() {
                    ValueType::Scalar | ValueType::Vector => Ok(()),
                    other => self.fail(
                        span,
                        format!(
                            "unary expression only allowed on expressions of type scalar or instant vector, \
                             got {}",
                            quote(other.documented())
                        ),
                    ),
                }
            }
            Expr::Binary(binary) => self.binary(binary, span),
            Expr::Aggregate(aggregate) => {
                self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
                let wanted = match aggregate.op {
                    AggregateOp::CountValues => ValueType::String,
                    _ => ValueType::Scalar,
                };
                match &mut aggregate.param {
                    Some(param) => self.expect(param, wanted, "aggregation parameter"),
                    None => Ok(()),
                }
            }
            Expr::Call(call) => self.call(call),
            Expr::Vector(selector) => self.selector(selector),
            Expr::Matrix(matrix) => self.selector(&matrix.selector),
            Expr::Subquery(subquery) => {
                self.expr(&mut subquery.expr)?;
                match subquery.expr.value_type() {
                    ValueType::Vector => Ok(()),
                    other => self.fail(
                        span,
                        format!("subquery is only allowed on instant vector, got {} instead", other.as_str()),
                    ),
                }
            }
        }
    }

    fn expect(&self, expr: &mut Expr, wanted: ValueType, context: &str) -> Result {
        self.expr(expr)?;
        let got = expr.value_type();
        if got == wanted {
            return Ok(());
        }
        let message = format!("expected type {} in {context}, got {}", wanted.documented(), got.documented());
        self.fail(expr.span(), message)
    }

    fn binary(&self, binary: &mut Binary, span: Span) -> Result {
        self.expr(&mut binary.lhs)?;
        self.expr(&mut binary.rhs)?;
        let (left, right) = (binary.lhs.value_type(), binary.rhs.value_type());
        let op_span = self.operator_span(binary);
        if binary.return_bool && !binary.op.is_comparison() {
            return self.fail(op_span, "bool modifier can only be used on comparison operators");
        }
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
        if binary.op.is_comparison() && !binary.return_bool && scalars {
            return self.fail(op_span, "comparisons between scalars must use BOOL modifier");
        }
        if let Some(matching) = &mut binary.matching {
            if binary.op.is_set() && matching.cardinality == Cardinality::OneToOne {
                matching.cardinality = Cardinality::ManyToMany;
            }
            let twice = matching.labels.iter().find(|label| matching.include.contains(label));
            if let Some(label) = twice.filter(|_| matching.on) {
                let message = format!("label {} must not occur in ON and GROUP clause at once", quote(label));
                return self.fail(op_span, message);
            }
        }
        for (side, value_type) in [(&binary.lhs, left), (&binary.rhs, right)] {
            if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return self.fail(side.span(), message);
            }
        }
        self.matching(binary, span, left == ValueType::Vector && right == ValueType::Vector)
    }

    fn matching(&self, binary: &mut Binary, span: Span, vectors: bool) -> Result {
        let Some(matching) = &binary.matching else { return Ok(()) };
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        if !vectors {
            if !matching.labels.is_empty() {
                return self.fail(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                return self.fail(span, "filling in missing series only allowed between instant vectors");
            }
            binary.matching = None;
            if binary.op.is_set() {
                let op = quote(binary.op.as_str());
                let message = format!("set operator {op} not allowed in binary scalar expression");
                return self.fail(span, message);
            }
            return Ok(());
        }
        if !binary.op.is_set() {
            return Ok(());
        }
        if matches!(matching.cardinality, Cardinality::OneToMany | Cardinality::ManyToOne) {
            let message = format!("no grouping allowed for {} operation", quote(binary.op.as_str()));
            return self.fail(span, message);
        }
        if fills {
            return self.fail(span, "filling in missing series not allowed for set operators");
        }
        Ok(())
    }

    /// The operator and its modifiers, without the space around them.
    fn operator_span(&self, binary: &Binary) -> Span {
        let (start, end) = (binary.lhs.span().end, binary.rhs.span().start);
        let between = self.query.get(start..end).unwrap_or_default();
        let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
        let start = start + (between.len() - between.trim_start_matches(space).len());
        Span { start, end: end - (between.len() - between.trim_end_matches(space).len()) }
    }

    fn call(&self, call: &mut Call) -> Result {
        let function = call.function;
        let (name, got, types) = (quote(function.name), call.args.len(), function.arg_types);
        if function.variadic == 0 {
            if types.len() != got {
                let message = format!("expected {} argument(s) in call to {name}, got {got}", types.len());
                return self.fail(call.span, message);
            }
        } else {
            let least = types.len() - 1;
            let most = usize::try_from(function.variadic).ok().map(|more| least + more);
            if got < least {
                let message = format!("expected at least {least} argument(s) in call to {name}, got {got}");
                return self.fail(call.span, message);
            }
            if let Some(most) = most.filter(|most| got > *most) {
                let message = format!("expected at most {most} argument(s) in call to {name}, got {got}");
                return self.fail(call.span, message);
            }
        }
        if function.name == "info" {
            self.info(call)?;
        }
        for (at, arg) in call.args.iter_mut().enumerate() {
            let Some(wanted) = types.get(at).or(types.last()) else { continue };
            self.expect(arg, *wanted, &format!("call to function {name}"))?;
        }
        Ok(())
    }

    /// `info`'s second argument is a selector without a name, and may match everything.
    fn info(&self, call: &mut Call) -> Result {
        let call_span = call.span;
        let Some(arg) = call.args.get_mut(1) else { return Ok(()) };
        if arg.value_type() != ValueType::Vector {
            let message = format!(
                "expected type instant vector in call to function \"info\", got {}",
                arg.value_type().documented()
            );
            return self.fail(call_span, message);
        }
        let span = arg.span();
        match arg {
            Expr::Vector(selector) if selector.name.is_empty() => {
                selector.may_match_all = true;
                Ok(())
            }
            Expr::Vector(_) => self.fail(span, "expected label selectors only, got vector selector instead"),
            _ => self.fail(span, "expected label selectors only"),
        }
    }

    fn selector(&self, selector: &VectorSelector) -> Result {
        if !selector.name.is_empty() {
            let others = selector.matchers.split_last().map_or(&[][..], |(_, others)| others);
            let Some(twice) = others.iter().find(|matcher| matcher.name == METRIC_NAME) else {
                return Ok(());
            };
            let message = format!(
                "metric name must not be set twice: {} or {}",
                quote(&selector.name),
                quote(&twice.value)
            );
            return self.fail(selector.span, message);
        }
        if !selector.may_match_all && selector.matchers.iter().all(model::Matcher::matches_empty) {
            return self.fail(selector.span, "vector selector must contain at least one non-empty matcher");
        }
        Ok(())
    }
}
