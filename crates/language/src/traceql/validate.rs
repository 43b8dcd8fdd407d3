//! What the grammar lets through but makes no sense: operands of the wrong type, aggregates of nothing, bad regular
//! expressions; then what makes sense but no engine answers. Reads the tree, changes nothing.

use super::ast::{
    BinaryOp, Body, Field, FieldExpr, FieldName, Intrinsic, Limit, MetricsExpr, MetricsFunction, Pipeline,
    Query, ScalarExpr, ScalarFilter, SpansetExpr, Stage, Static, Type, UnaryOp,
};
use super::{ErrorKind, ParseError};
use model::scan::AttrScope;

type Verdict = Result<(), ParseError>;

/// Checks a parsed query; see [`validate`](super::validate).
pub(super) fn validate(query: &Query) -> Verdict {
    let both = |check: &Check| match &query.body {
        Body::Search(pipeline) => check.pipeline(pipeline),
        Body::Metrics(expr) => check.metrics(expr),
    };
    both(&Check { support: false })?;
    both(&Check { support: true })
}

fn invalid(offset: usize, message: String) -> ParseError {
    ParseError { kind: ErrorKind::Invalid, message, offset }
}

fn unsupported(offset: usize, what: &str) -> ParseError {
    ParseError { kind: ErrorKind::Unsupported, message: format!("unsupported: {what}"), offset }
}

/// Two passes over one tree: first what is wrong, then (`support`) what is not there, so that a query with both is wrong.
struct Check {
    support: bool,
}

impl Check {
    fn pipeline(&self, pipeline: &Pipeline) -> Verdict {
        pipeline.stages.iter().try_for_each(|stage| match stage {
            Stage::Spanset(expr) => self.spanset(expr),
            Stage::Filter(filter) => self.filter(filter),
            Stage::By(expr) => {
                self.type_of(expr)?;
                let what = || invalid(offset(expr), format!("by({expr}) must reference the span"));
                if reads_span(expr) { Ok(()) } else { Err(what()) }
            }
            Stage::Coalesce => Ok(()),
            Stage::Select(fields) => fields.iter().try_for_each(|field| self.field(field).map(|_| ())),
        })
    }

    fn spanset(&self, expr: &SpansetExpr) -> Verdict {
        match expr {
            SpansetExpr::Filter(condition) => self.condition(condition.as_deref()),
            SpansetExpr::Pipeline(pipeline) => self.pipeline(pipeline),
            SpansetExpr::Binary { lhs, rhs, .. } => self.spanset(lhs).and_then(|()| self.spanset(rhs)),
        }
    }

    fn condition(&self, condition: Option<&FieldExpr>) -> Verdict {
        let Some(expr) = condition else {
            return Ok(());
        };
        match self.type_of(expr)? {
            Type::Bool | Type::Any => Ok(()),
            found => Err(invalid(
                offset(expr),
                format!("a span filter must be a boolean, but {expr} is {}", name(found)),
            )),
        }
    }

    fn filter(&self, filter: &ScalarFilter) -> Verdict {
        self.scalar(&filter.lhs)?;
        self.scalar(&filter.rhs)?;
        let simple = |side: &ScalarExpr, other: &ScalarExpr| {
            matches!(side, ScalarExpr::Aggregate { .. }) && constant(other).is_some()
        };
        if self.support && !simple(&filter.lhs, &filter.rhs) && !simple(&filter.rhs, &filter.lhs) {
            return Err(unsupported(filter.at.0, "a pipeline compares one aggregate with a number"));
        }
        Ok(())
    }

    fn scalar(&self, expr: &ScalarExpr) -> Verdict {
        match expr {
            ScalarExpr::Number(_) | ScalarExpr::Aggregate { field: None, .. } => Ok(()),
            ScalarExpr::Aggregate { op, field: Some(field), at } => {
                let found = self.type_of(field)?;
                if !matches!(found, Type::Number | Type::Any) {
                    let what = format!("{}({field}) needs a number, not {}", op.as_str(), name(found));
                    return Err(invalid(at.0, what));
                }
                if !reads_span(field) {
                    return Err(invalid(at.0, format!("{}({field}) must reference the span", op.as_str())));
                }
                Ok(())
            }
            ScalarExpr::Pipeline(pipeline, scalar) => {
                self.pipeline(pipeline).and_then(|()| self.scalar(scalar))
            }
            ScalarExpr::Binary { lhs, rhs, .. } => self.scalar(lhs).and_then(|()| self.scalar(rhs)),
        }
    }

    fn field(&self, field: &Field) -> Result<Type, ParseError> {
        match &field.name {
            FieldName::Attribute { parent: true, .. } | FieldName::Intrinsic(Intrinsic::Parent)
                if self.support =>
            {
                Err(unsupported(field.at.0, "fields of the parent span"))
            }
            FieldName::Attribute { .. } => Ok(Type::Any),
            FieldName::Intrinsic(intrinsic) => Ok(intrinsic.type_of()),
        }
    }

    fn type_of(&self, expr: &FieldExpr) -> Result<Type, ParseError> {
        match expr {
            FieldExpr::Static(value) => Ok(static_type(value)),
            FieldExpr::Field(field) => self.field(field),
            FieldExpr::Unary { op, expr: operand, at } => {
                let found = self.type_of(operand)?;
                let (wanted, sign) = match op {
                    UnaryOp::Neg => (Type::Number, "-"),
                    UnaryOp::Not => (Type::Bool, "!"),
                };
                if found == wanted || found == Type::Any {
                    return Ok(wanted);
                }
                Err(invalid(
                    at.0,
                    format!("illegal operation for the given type: {sign}{operand} of {}", name(found)),
                ))
            }
            FieldExpr::Binary { op, lhs, rhs, at } => {
                let (left, right) = (self.type_of(lhs)?, self.type_of(rhs)?);
                let result = binary_type(*op, left, right);
                let result =
                    result.filter(|_| !(*op == BinaryOp::Equal && compares_present_with_nil(lhs, rhs)));
                let result = result.ok_or_else(|| {
                    let (left, right) = (name(left), name(right));
                    invalid(
                        at.0,
                        format!(
                            "illegal operation for the given types: {expr} ({left} {} {right})",
                            op.as_str()
                        ),
                    )
                })?;
                check_pattern(*op, rhs, at.0)?;
                Ok(result)
            }
        }
    }

    fn metrics(&self, expr: &MetricsExpr) -> Verdict {
        match expr {
            MetricsExpr::Number(_) => Ok(()),
            MetricsExpr::Query { pipeline, function, by } => {
                self.pipeline(pipeline)?;
                by.iter().try_for_each(|field| self.field(field).map(|_| ()))?;
                self.function(function)
            }
            MetricsExpr::Binary { lhs, rhs, at, .. } => {
                self.metrics(lhs)?;
                self.metrics(rhs)?;
                if compares(lhs) || compares(rhs) { Err(alone(at.0)) } else { Ok(()) }
            }
            MetricsExpr::Limit { expr, limit, at } => {
                self.metrics(expr)?;
                match limit {
                    Limit::Top(0) | Limit::Bottom(0) => {
                        Err(invalid(at.0, "topk and bottomk need a limit greater than 0".to_owned()))
                    }
                    _ if compares(expr) => Err(alone(at.0)),
                    _ => Ok(()),
                }
            }
        }
    }

    fn function(&self, function: &MetricsFunction) -> Verdict {
        let number = |field: &Field| match self.field(field)? {
            Type::Number | Type::Any => Ok(()),
            found => Err(invalid(field.at.0, format!("{field} must be a number, not {}", name(found)))),
        };
        match function {
            MetricsFunction::Rate | MetricsFunction::CountOverTime => Ok(()),
            MetricsFunction::OverTime(_, field) | MetricsFunction::Histogram(field) => number(field),
            MetricsFunction::Quantile(field, quantiles) => {
                let bad = quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile));
                match bad {
                    Some(bad) => Err(invalid(field.at.0, format!("quantile {bad} must be between 0 and 1"))),
                    None => number(field),
                }
            }
            MetricsFunction::Compare { filter, top, window_ns } => {
                self.condition(filter.as_deref())?;
                let at = filter.as_deref().map_or(0, offset);
                if *top == 0 {
                    return Err(invalid(at, "compare() needs a limit greater than 0".to_owned()));
                }
                match window_ns {
                    Some((start, end)) if start >= end => {
                        Err(invalid(at, "compare() needs a start before its end".to_owned()))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

fn alone(offset: usize) -> ParseError {
    invalid(offset, "compare() cannot be limited, compared or computed with".to_owned())
}

fn compares(expr: &MetricsExpr) -> bool {
    match expr {
        MetricsExpr::Query { function, .. } => matches!(function, MetricsFunction::Compare { .. }),
        MetricsExpr::Number(_) => false,
        MetricsExpr::Binary { lhs, rhs, .. } => compares(lhs) || compares(rhs),
        MetricsExpr::Limit { expr, .. } => compares(expr),
    }
}

/// The type of `left op right`; `None` when there is no such operation.
fn binary_type(op: BinaryOp, left: Type, right: Type) -> Option<Type> {
    use Type::{Any, Bool, Nil, Number, Str};
    let among = |allowed: &[Type]| allowed.contains(&left) && allowed.contains(&right);
    let alike = left == right || left == Any || right == Any;
    match op {
        BinaryOp::And | BinaryOp::Or => among(&[Bool, Any]).then_some(Bool),
        BinaryOp::Regex | BinaryOp::NotRegex => among(&[Str, Any]).then_some(Bool),
        BinaryOp::Equal | BinaryOp::NotEqual => (alike || left == Nil || right == Nil).then_some(Bool),
        _ if op.is_comparison() => (alike && among(&[Number, Str, Any])).then_some(Bool),
        _ if left == Any && right == Any => Some(Any),
        _ => among(&[Number, Any]).then_some(Number),
    }
}

/// `x = nil` for an `x` that every span has is never true.
fn compares_present_with_nil(lhs: &FieldExpr, rhs: &FieldExpr) -> bool {
    let nil = |expr: &FieldExpr| matches!(expr, FieldExpr::Static(Static::Nil));
    let present = |expr: &FieldExpr| {
        let FieldExpr::Field(field) = expr else {
            return false;
        };
        match &field.name {
            FieldName::Intrinsic(intrinsic) => *intrinsic != Intrinsic::Parent,
            FieldName::Attribute { scope: Some(AttrScope::Resource), name, .. } => name == "service.name",
            FieldName::Attribute { .. } => false,
        }
    };
    (nil(lhs) && present(rhs)) || (present(lhs) && nil(rhs))
}

fn check_pattern(op: BinaryOp, rhs: &FieldExpr, at: usize) -> Verdict {
    let FieldExpr::Static(Static::Str(pattern)) = rhs else {
        return Ok(());
    };
    if !matches!(op, BinaryOp::Regex | BinaryOp::NotRegex) {
        return Ok(());
    }
    model::matcher::anchored_regex(pattern)
        .map(|_| ())
        .map_err(|error| invalid(at, format!("invalid regular expression {pattern:?}: {error}")))
}

/// The value of arithmetic on literals alone; durations count in nanoseconds.
#[must_use]
pub fn constant(expr: &ScalarExpr) -> Option<f64> {
    match expr {
        #[expect(clippy::cast_precision_loss, reason = "scalars are floats")]
        ScalarExpr::Number(Static::Int(value) | Static::Duration(value)) => Some(*value as f64),
        ScalarExpr::Number(Static::Float(value)) => Some(*value),
        ScalarExpr::Number(_) | ScalarExpr::Aggregate { .. } | ScalarExpr::Pipeline(..) => None,
        ScalarExpr::Binary { op, lhs, rhs } => {
            let (lhs, rhs) = (constant(lhs)?, constant(rhs)?);
            match op {
                BinaryOp::Add => Some(lhs + rhs),
                BinaryOp::Sub => Some(lhs - rhs),
                BinaryOp::Mul => Some(lhs * rhs),
                BinaryOp::Div => Some(lhs / rhs),
                BinaryOp::Mod => Some(lhs % rhs),
                BinaryOp::Pow => Some(lhs.powf(rhs)),
                _ => None,
            }
        }
    }
}

fn reads_span(expr: &FieldExpr) -> bool {
    match expr {
        FieldExpr::Static(_) => false,
        FieldExpr::Field(_) => true,
        FieldExpr::Unary { expr, .. } => reads_span(expr),
        FieldExpr::Binary { lhs, rhs, .. } => reads_span(lhs) || reads_span(rhs),
    }
}

fn static_type(value: &Static) -> Type {
    match value {
        Static::Nil => Type::Nil,
        Static::Int(_) | Static::Float(_) | Static::Duration(_) => Type::Number,
        Static::Str(_) => Type::Str,
        Static::Bool(_) => Type::Bool,
        Static::Status(_) => Type::Status,
        Static::Kind(_) => Type::Kind,
    }
}

fn name(of: Type) -> &'static str {
    match of {
        Type::Any => "attribute",
        Type::Nil => "nil",
        Type::Number => "number",
        Type::Str => "string",
        Type::Bool => "boolean",
        Type::Status => "status",
        Type::Kind => "kind",
    }
}

/// Where an expression can be pointed at.
fn offset(expr: &FieldExpr) -> usize {
    match expr {
        FieldExpr::Static(_) => 0,
        FieldExpr::Field(field) => field.at.0,
        FieldExpr::Unary { at, .. } | FieldExpr::Binary { at, .. } => at.0,
    }
}
