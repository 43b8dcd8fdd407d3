//! The tree of a TraceQL query. Where a node stands in the text is not part of what it is: [`At`] compares equal always,
//! so that a query equals its printed and parsed self.

use model::scan::AttrScope;
use model::span::{SpanKind, StatusCode};

/// Byte offset of a node in its query.
#[derive(Clone, Copy, Debug, Default)]
pub struct At(pub usize);

impl PartialEq for At {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What it computes.
    pub body: Body,
    /// `with(name=value, ...)`.
    pub hints: Vec<(String, Static)>,
}

/// Search or metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Answers span sets.
    Search(Pipeline),
    /// Answers series.
    Metrics(MetricsExpr),
}

/// Stages joined by `|`; one that does not begin with a span set works on all spans of the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// At least one.
    pub stages: Vec<Stage>,
}

/// One stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `{ ... }` and combinations of them.
    Spanset(SpansetExpr),
    /// `count() > 2`.
    Filter(ScalarFilter),
    /// `by(...)`.
    By(FieldExpr),
    /// `coalesce()`.
    Coalesce,
    /// `select(...)`.
    Select(Vec<Field>),
}

/// Selects spans of one trace.
#[derive(Clone, Debug, PartialEq)]
pub enum SpansetExpr {
    /// `{ condition }`; `{}` has none.
    Filter(Option<Box<FieldExpr>>),
    /// A pipeline in parentheses.
    Pipeline(Pipeline),
    /// Two span sets.
    Binary {
        /// How they combine.
        op: SpansetOp,
        /// Left side.
        lhs: Box<SpansetExpr>,
        /// Right side; structural operators select from it.
        rhs: Box<SpansetExpr>,
    },
}

/// How a structural operator relates a span of the right side to one of the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `>>`: right is below left.
    Descendant,
    /// `<<`: right is above left.
    Ancestor,
    /// `>`: right's parent is left.
    Child,
    /// `<`: right is left's parent.
    Parent,
    /// `~`: right and left have the same parent.
    Sibling,
}

/// Which spans a structural operator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sides {
    /// Those of the right side that stand in the relation.
    Right,
    /// `!`: those of the right side that do not.
    NotRight,
    /// `&`: those of both sides that stand in the relation.
    Both,
}

/// Operators between span sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpansetOp {
    /// `&&`: all spans of both sides, when neither is empty.
    And,
    /// `||`: all spans of both sides.
    Or,
    /// `>>`, `!~`, `&<`, ...
    Structural(Relation, Sides),
}

/// Every span set operator with its spelling and how tightly it binds. As in Tempo `&&` and `||` bind alike, from the left.
pub const SPANSET_OPS: &[(&str, SpansetOp, u8)] = &[
    ("||", SpansetOp::Or, 2),
    ("&&", SpansetOp::And, 2),
    (">>", SpansetOp::Structural(Relation::Descendant, Sides::Right), 3),
    ("<<", SpansetOp::Structural(Relation::Ancestor, Sides::Right), 3),
    (">", SpansetOp::Structural(Relation::Child, Sides::Right), 3),
    ("<", SpansetOp::Structural(Relation::Parent, Sides::Right), 3),
    ("~", SpansetOp::Structural(Relation::Sibling, Sides::Right), 3),
    ("!>>", SpansetOp::Structural(Relation::Descendant, Sides::NotRight), 3),
    ("!<<", SpansetOp::Structural(Relation::Ancestor, Sides::NotRight), 3),
    ("!>", SpansetOp::Structural(Relation::Child, Sides::NotRight), 3),
    ("!<", SpansetOp::Structural(Relation::Parent, Sides::NotRight), 3),
    ("!~", SpansetOp::Structural(Relation::Sibling, Sides::NotRight), 3),
    ("&>>", SpansetOp::Structural(Relation::Descendant, Sides::Both), 3),
    ("&<<", SpansetOp::Structural(Relation::Ancestor, Sides::Both), 3),
    ("&>", SpansetOp::Structural(Relation::Child, Sides::Both), 3),
    ("&<", SpansetOp::Structural(Relation::Parent, Sides::Both), 3),
    ("&~", SpansetOp::Structural(Relation::Sibling, Sides::Both), 3),
];

/// Operators between values of one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`, the one that groups from the right.
    Pow,
}

/// Every value operator with its spelling and how tightly it binds. As in Tempo `&&` and `||` bind alike, from the left.
pub const BINARY_OPS: &[(&str, BinaryOp, u8)] = &[
    ("||", BinaryOp::Or, 2),
    ("&&", BinaryOp::And, 2),
    ("=", BinaryOp::Equal, 3),
    ("!=", BinaryOp::NotEqual, 3),
    ("<", BinaryOp::Less, 3),
    ("<=", BinaryOp::LessEqual, 3),
    (">", BinaryOp::Greater, 3),
    (">=", BinaryOp::GreaterEqual, 3),
    ("=~", BinaryOp::Regex, 3),
    ("!~", BinaryOp::NotRegex, 3),
    ("+", BinaryOp::Add, 4),
    ("-", BinaryOp::Sub, 4),
    ("*", BinaryOp::Mul, 5),
    ("/", BinaryOp::Div, 5),
    ("%", BinaryOp::Mod, 5),
    ("^", BinaryOp::Pow, 7),
];

/// How tightly `-` and `!` bind: above `*`, below `^`.
pub const UNARY_POWER: u8 = 6;

impl BinaryOp {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        BINARY_OPS.iter().find(|(_, op, _)| *op == self).map_or("", |(text, ..)| text)
    }

    /// How tightly it binds.
    #[must_use]
    pub fn power(self) -> u8 {
        BINARY_OPS.iter().find(|(_, op, _)| *op == self).map_or(0, |(_, _, power)| *power)
    }

    /// `=`, `!=`, `<`, `<=`, `>`, `>=`: all that a number can be compared with.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        self.power() == 3 && !matches!(self, Self::Regex | Self::NotRegex)
    }

    /// `+`, `-`, `*`, `/`, `%`, `^`.
    #[must_use]
    pub fn is_arithmetic(self) -> bool {
        self.power() > 3
    }
}

impl SpansetOp {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        SPANSET_OPS.iter().find(|(_, op, _)| *op == self).map_or("", |(text, ..)| text)
    }

    /// How tightly it binds.
    #[must_use]
    pub fn power(self) -> u8 {
        SPANSET_OPS.iter().find(|(_, op, _)| *op == self).map_or(0, |(_, _, power)| *power)
    }
}

/// A value computed from one span.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldExpr {
    /// A literal.
    Static(Static),
    /// An attribute or intrinsic.
    Field(Field),
    /// `-x` or `!x`.
    Unary {
        /// Which of the two.
        op: UnaryOp,
        /// Operand.
        expr: Box<FieldExpr>,
        /// Where the operator stands.
        at: At,
    },
    /// `x op y`.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left operand.
        lhs: Box<FieldExpr>,
        /// Right operand.
        rhs: Box<FieldExpr>,
        /// Where the operator stands.
        at: At,
    },
}

/// Operators before one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `!`
    Not,
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Static {
    /// `nil`
    Nil,
    /// `200`, `minInt`
    Int(i64),
    /// `0.5`
    Float(f64),
    /// `"GET"`
    Str(String),
    /// `true`
    Bool(bool),
    /// `10ms`, in nanoseconds.
    Duration(i64),
    /// `error`
    Status(StatusCode),
    /// `client`
    Kind(SpanKind),
}

/// What a query reads of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Which.
    pub name: FieldName,
    /// Where it stands.
    pub at: At,
}

/// Names an attribute or an intrinsic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FieldName {
    /// Every span has it.
    Intrinsic(Intrinsic),
    /// `.name` (the span's, else the resource's) or `scope.name`.
    Attribute {
        /// `parent.` stands before it.
        parent: bool,
        /// `None` without a scope.
        scope: Option<AttrScope>,
        /// Without quotes.
        name: String,
    },
}

/// Fields that every span has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intrinsic {
    /// `duration`
    Duration,
    /// `childCount`
    ChildCount,
    /// `name`
    Name,
    /// `status`
    Status,
    /// `statusMessage`
    StatusMessage,
    /// `kind`
    Kind,
    /// `parent`
    Parent,
    /// `rootName`
    RootName,
    /// `rootServiceName`
    RootServiceName,
    /// `traceDuration`
    TraceDuration,
    /// `nestedSetLeft`
    NestedSetLeft,
    /// `nestedSetRight`
    NestedSetRight,
    /// `nestedSetParent`
    NestedSetParent,
    /// `trace:id`
    TraceId,
    /// `span:id`
    SpanId,
    /// `span:parentID`
    ParentId,
    /// `event:name`
    EventName,
    /// `event:timeSinceStart`
    EventTimeSinceStart,
    /// `link:traceID`
    LinkTraceId,
    /// `link:spanID`
    LinkSpanId,
    /// `instrumentation:name`
    InstrumentationName,
    /// `instrumentation:version`
    InstrumentationVersion,
}

/// Static types. Integers, floats and durations are all numbers and mix freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Known only from the span: an attribute.
    Any,
    /// No value.
    Nil,
    /// Integer, float or duration.
    Number,
    /// Text.
    Str,
    /// Boolean.
    Bool,
    /// Span status.
    Status,
    /// Span kind.
    Kind,
}

/// Every spelling of every intrinsic with its type; the first spelling of each is the one that is printed.
pub const INTRINSICS: &[(&str, Intrinsic, Type)] = &[
    ("duration", Intrinsic::Duration, Type::Number),
    ("span:duration", Intrinsic::Duration, Type::Number),
    ("span:childCount", Intrinsic::ChildCount, Type::Number),
    ("childCount", Intrinsic::ChildCount, Type::Number),
    ("name", Intrinsic::Name, Type::Str),
    ("span:name", Intrinsic::Name, Type::Str),
    ("status", Intrinsic::Status, Type::Status),
    ("span:status", Intrinsic::Status, Type::Status),
    ("statusMessage", Intrinsic::StatusMessage, Type::Str),
    ("span:statusMessage", Intrinsic::StatusMessage, Type::Str),
    ("kind", Intrinsic::Kind, Type::Kind),
    ("span:kind", Intrinsic::Kind, Type::Kind),
    ("parent", Intrinsic::Parent, Type::Any),
    ("rootName", Intrinsic::RootName, Type::Str),
    ("trace:rootName", Intrinsic::RootName, Type::Str),
    ("rootServiceName", Intrinsic::RootServiceName, Type::Str),
    ("trace:rootService", Intrinsic::RootServiceName, Type::Str),
    ("traceDuration", Intrinsic::TraceDuration, Type::Number),
    ("trace:duration", Intrinsic::TraceDuration, Type::Number),
    ("nestedSetLeft", Intrinsic::NestedSetLeft, Type::Number),
    ("nestedSetRight", Intrinsic::NestedSetRight, Type::Number),
    ("nestedSetParent", Intrinsic::NestedSetParent, Type::Number),
    ("trace:id", Intrinsic::TraceId, Type::Str),
    ("span:id", Intrinsic::SpanId, Type::Str),
    ("span:parentID", Intrinsic::ParentId, Type::Str),
    ("event:name", Intrinsic::EventName, Type::Str),
    ("event:timeSinceStart", Intrinsic::EventTimeSinceStart, Type::Number),
    ("link:traceID", Intrinsic::LinkTraceId, Type::Str),
    ("link:spanID", Intrinsic::LinkSpanId, Type::Str),
    ("instrumentation:name", Intrinsic::InstrumentationName, Type::Str),
    ("instrumentation:version", Intrinsic::InstrumentationVersion, Type::Str),
];

impl Intrinsic {
    /// The intrinsic spelled `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        INTRINSICS.iter().find(|(spelling, ..)| *spelling == text).map(|(_, intrinsic, _)| *intrinsic)
    }

    /// Its first spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        INTRINSICS.iter().find(|(_, intrinsic, _)| *intrinsic == self).map_or("", |(spelling, ..)| spelling)
    }

    /// Its type.
    #[must_use]
    pub fn type_of(self) -> Type {
        INTRINSICS.iter().find(|(_, intrinsic, _)| *intrinsic == self).map_or(Type::Any, |(.., kind)| *kind)
    }
}

/// `lhs op rhs`, one of which aggregates.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarFilter {
    /// A comparison.
    pub op: BinaryOp,
    /// Left side.
    pub lhs: ScalarExpr,
    /// Right side.
    pub rhs: ScalarExpr,
    /// Where the operator stands.
    pub at: At,
}

/// A number computed from a span set.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarExpr {
    /// A number or duration.
    Number(Static),
    /// `count()`, `max(duration)`, ...
    Aggregate {
        /// Which.
        op: AggregateOp,
        /// Argument; `count` has none.
        field: Option<FieldExpr>,
        /// Where it stands.
        at: At,
    },
    /// A pipeline in parentheses that ends in a scalar.
    Pipeline(Pipeline, Box<ScalarExpr>),
    /// Arithmetic.
    Binary {
        /// Arithmetic operator.
        op: BinaryOp,
        /// Left operand.
        lhs: Box<ScalarExpr>,
        /// Right operand.
        rhs: Box<ScalarExpr>,
    },
}

/// Functions over the spans of a span set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    /// How many.
    Count,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Mean.
    Avg,
    /// Sum.
    Sum,
}

/// Every aggregate with its spelling.
pub const AGGREGATES: &[(&str, AggregateOp)] = &[
    ("count", AggregateOp::Count),
    ("min", AggregateOp::Min),
    ("max", AggregateOp::Max),
    ("avg", AggregateOp::Avg),
    ("sum", AggregateOp::Sum),
];

impl AggregateOp {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        AGGREGATES.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }
}

/// Series, or a number to compute with them.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsExpr {
    /// `{ ... } | rate() by (...)`.
    Query {
        /// Which spans.
        pipeline: Pipeline,
        /// What of them.
        function: MetricsFunction,
        /// A series per combination of these.
        by: Vec<Field>,
    },
    /// A number.
    Number(f64),
    /// `+`, `-`, `*` or `/` between samples of equal labels and time.
    Binary {
        /// Arithmetic operator.
        op: BinaryOp,
        /// Left operand.
        lhs: Box<MetricsExpr>,
        /// Right operand.
        rhs: Box<MetricsExpr>,
        /// Where the operator stands.
        at: At,
    },
    /// Fewer series or samples.
    Limit {
        /// Of these.
        expr: Box<MetricsExpr>,
        /// Which stay.
        limit: Limit,
        /// Where it stands.
        at: At,
    },
}

/// What keeps a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Limit {
    /// `| topk(k)`: the k largest at each time.
    Top(u64),
    /// `| bottomk(k)`: the k smallest at each time.
    Bottom(u64),
    /// `> 10`, `<= 10ms`.
    Compare(BinaryOp, Static),
}

/// Functions from spans to series.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsFunction {
    /// Spans per second.
    Rate,
    /// Spans per interval.
    CountOverTime,
    /// `min_`, `max_`, `avg_` or `sum_over_time` of a number (never `Count`).
    OverTime(AggregateOp, Field),
    /// One series per quantile.
    Quantile(Field, Vec<f64>),
    /// One series per power of two.
    Histogram(Field),
    /// Attribute values inside and outside of a selection.
    Compare {
        /// The selection.
        filter: Option<Box<FieldExpr>>,
        /// Values per attribute.
        top: u64,
        /// The selection's time, `start..end` in nanoseconds.
        window_ns: Option<(i64, i64)>,
    },
}

/// Values per attribute that `compare` answers when the query does not say.
pub const COMPARE_TOP_DEFAULT: u64 = 10;
