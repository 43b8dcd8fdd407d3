//! The tree of a PromQL query. Spans are byte ranges of the query text; durations are milliseconds.

mod operator;

pub use operator::{AggregateOp, BinaryOp};

use super::function::Function;
use model::Matcher;

/// A half-open byte range of the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of `self` to the end of `last`.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }

    /// Line and column (both from 1) of the start in `query`, as Prometheus prints a position.
    #[must_use]
    pub fn line_column(self, query: &str) -> String {
        if query.is_empty() {
            return "unknown position".to_owned();
        }
        let Some(before) = query.as_bytes().get(..self.start) else {
            return "invalid position".to_owned();
        };
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        format!("{line}:{column}")
    }
}

/// What an expression evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number per step.
    Scalar,
    /// One sample per series and step.
    Vector,
    /// A window of samples per series and step.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// The name in the HTTP API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }

    /// The name in messages to people.
    #[must_use]
    pub fn documented(self) -> &'static str {
        match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

/// A PromQL expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `1.5`, `5m`.
    Number(Number),
    /// `"text"`.
    String(StringLiteral),
    /// `(expr)`.
    Paren(Paren),
    /// `-expr`.
    Unary(Unary),
    /// `lhs op rhs`.
    Binary(Box<Binary>),
    /// `sum by (job) (expr)`.
    Aggregate(Box<Aggregate>),
    /// `rate(expr)`.
    Call(Call),
    /// `metric{label="value"}`.
    Vector(VectorSelector),
    /// `metric[5m]`.
    Matrix(MatrixSelector),
    /// `expr[5m:1m]`.
    Subquery(Box<Subquery>),
}

/// A number or a duration in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The value; seconds for a duration.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
    /// Where.
    pub span: Span,
}

/// A quoted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringLiteral {
    /// Without quotes and escapes.
    pub value: String,
    /// Where, quotes included.
    pub span: Span,
}

/// An expression in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    /// What they enclose.
    pub expr: Box<Expr>,
    /// Where, parentheses included.
    pub span: Span,
}

/// A sign before an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Whether the sign is `-`.
    pub negative: bool,
    /// What it is applied to.
    pub expr: Box<Expr>,
    /// Where.
    pub span: Span,
}

/// How many series of one side may match one of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cardinality {
    /// Pairs.
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

impl Cardinality {
    /// As the HTTP API spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// How the series of two vectors find each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// How many match how many.
    pub cardinality: Cardinality,
    /// Labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether `labels` are those that count, rather than those that do not.
    pub on: bool,
    /// Labels copied from the "one" side.
    pub include: Vec<String>,
    /// Value of a series missing on the left.
    pub fill_left: Option<f64>,
    /// Value of a series missing on the right.
    pub fill_right: Option<f64>,
}

/// A binary operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Left operand.
    pub lhs: Expr,
    /// Right operand.
    pub rhs: Expr,
    /// Set when both operands are vectors.
    pub matching: Option<Matching>,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
}

/// An aggregation over groups of series.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The operator.
    pub op: AggregateOp,
    /// What is aggregated.
    pub expr: Expr,
    /// Parameter of the operators that take one.
    pub param: Option<Expr>,
    /// Labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether `grouping` are the labels to drop.
    pub without: bool,
    /// Where.
    pub span: Span,
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// Where.
    pub span: Span,
}

/// What `@` fixes the evaluation time to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// Milliseconds since the epoch.
    Ms(i64),
    /// Start of the query's range.
    Start,
    /// End of the query's range.
    End,
}

/// A length of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Duration {
    /// Milliseconds.
    Fixed(i64),
    /// Known only when step and range are.
    Computed(DurationExpr),
}

/// An arithmetic expression over lengths of time, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    /// A literal.
    Number(Number),
    /// `step()`.
    Step(Span),
    /// `range()`.
    Range(Span),
    /// `max_of(a, b)` or `min_of(a, b)`.
    Extreme {
        /// Whether it is `max_of`.
        max: bool,
        /// First operand.
        lhs: Box<DurationExpr>,
        /// Second operand.
        rhs: Box<DurationExpr>,
        /// Where.
        span: Span,
    },
    /// `-expr`.
    Negate {
        /// What is negated.
        expr: Box<DurationExpr>,
        /// Where.
        span: Span,
    },
    /// `lhs op rhs`.
    Binary {
        /// One of `+ - * / % ^`.
        op: BinaryOp,
        /// Left operand.
        lhs: Box<DurationExpr>,
        /// Right operand.
        rhs: Box<DurationExpr>,
    },
    /// `(expr)`.
    Paren {
        /// What the parentheses enclose.
        expr: Box<DurationExpr>,
        /// Where, parentheses included.
        span: Span,
    },
}

/// How the ends of a range are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// The last sample before the range stands at its start.
    Anchored,
    /// Values at both ends are interpolated.
    Smoothed,
}

/// An instant vector selector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// Metric name written before the braces; empty without one.
    pub name: String,
    /// All conditions; the name's comes last.
    pub matchers: Vec<Matcher>,
    /// `offset`.
    pub offset: Option<Duration>,
    /// `@`.
    pub at: Option<At>,
    /// `anchored` or `smoothed`.
    pub extension: Option<Extension>,
    /// Whether it may match everything (second argument of `info`).
    pub may_match_all: bool,
    /// Where.
    pub span: Span,
}

/// A range vector selector.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// Series and modifiers.
    pub selector: VectorSelector,
    /// Length of the window.
    pub range: Duration,
    /// Where.
    pub span: Span,
}

/// An expression evaluated over a window of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// Length of the window.
    pub range: Duration,
    /// Distance of the evaluations; the engine's default when absent.
    pub step: Option<Duration>,
    /// `offset`.
    pub offset: Option<Duration>,
    /// `@`.
    pub at: Option<At>,
    /// Where.
    pub span: Span,
}

impl Expr {
    /// Where the expression stands in the query.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::String(text) => text.span,
            Self::Paren(paren) => paren.span,
            Self::Unary(unary) => unary.span,
            Self::Binary(binary) => binary.lhs.span().to(binary.rhs.span()),
            Self::Aggregate(aggregate) => aggregate.span,
            Self::Call(call) => call.span,
            Self::Vector(selector) => selector.span,
            Self::Matrix(selector) => selector.span,
            Self::Subquery(subquery) => subquery.span,
        }
    }

    /// What the expression evaluates to.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Paren(paren) => paren.expr.value_type(),
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Binary(binary) => {
                let scalar = |side: &Self| side.value_type() == ValueType::Scalar;
                if scalar(&binary.lhs) && scalar(&binary.rhs) { ValueType::Scalar } else { ValueType::Vector }
            }
            Self::Aggregate(_) | Self::Vector(_) => ValueType::Vector,
            Self::Call(call) => call.function.return_type,
            Self::Matrix(_) | Self::Subquery(_) => ValueType::Matrix,
        }
    }

    /// The expression without the parentheses around it.
    #[must_use]
    pub fn unparen(&self) -> &Self {
        let mut expr = self;
        while let Self::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }

    /// The direct subexpressions.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_) | Self::String(_) | Self::Vector(_) | Self::Matrix(_) => Vec::new(),
            Self::Paren(paren) => vec![&paren.expr],
            Self::Unary(unary) => vec![&unary.expr],
            Self::Binary(binary) => vec![&binary.lhs, &binary.rhs],
            Self::Aggregate(aggregate) => {
                let mut children = vec![&aggregate.expr];
                children.extend(aggregate.param.as_ref());
                children
            }
            Self::Call(call) => call.args.iter().collect(),
            Self::Subquery(subquery) => vec![&subquery.expr],
        }
    }

    /// Calls `visit` for every selector of the tree, range selectors included.
    pub fn for_each_selector<'a>(&'a self, visit: &mut impl FnMut(&'a VectorSelector)) {
        match self {
            Self::Vector(selector) => visit(selector),
            Self::Matrix(matrix) => visit(&matrix.selector),
            _ => self.children().into_iter().for_each(|child| child.for_each_selector(visit)),
        }
    }
}

impl DurationExpr {
    /// Where the expression stands in the query.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::Step(span) | Self::Range(span) | Self::Negate { span, .. } => *span,
            Self::Extreme { lhs, rhs, .. } | Self::Binary { lhs, rhs, .. } => lhs.span().to(rhs.span()),
            Self::Paren { expr, span } => match **expr {
                Self::Number(_) => *span,
                _ => expr.span(),
            },
        }
    }
}
