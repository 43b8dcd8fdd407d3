//! The tree of a LogQL query. Plain data; every node prints back to LogQL (see `printer.rs`).

use model::Matcher;

/// A whole query or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Lines.
    Log(LogExpr),
    /// An aggregation over a range of lines.
    Range(RangeExpr),
    /// An aggregation of a vector.
    Vector(Box<VectorExpr>),
    /// Two operands and an operator.
    Binary(Box<BinaryExpr>),
    /// A number.
    Literal(f64),
    /// `vector(n)`.
    VectorLiteral(f64),
    /// `label_replace(inner, dst, replacement, src, regex)`.
    LabelReplace {
        /// What is relabelled.
        inner: Box<Expr>,
        /// Label to set.
        dst: String,
        /// Its value; `$1` and `${name}` stand for captures.
        replacement: String,
        /// Label to read.
        src: String,
        /// Anchored pattern.
        regex: String,
    },
}

/// A stream selector and its pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogExpr {
    /// At least one excludes the empty value.
    pub matchers: Vec<Matcher>,
    /// In order.
    pub stages: Vec<Stage>,
}

/// One stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "x"` and its kin.
    Line(LineFilter),
    /// `| json`, with expressions or for all fields.
    Json(Vec<Assign>),
    /// `| logfmt`.
    Logfmt {
        /// Fail the line on the first bad pair.
        strict: bool,
        /// Keep keys without a value.
        keep_empty: bool,
        /// Fields to extract; all when empty.
        fields: Vec<Assign>,
    },
    /// `| regexp "..."`.
    Regexp(String),
    /// `| pattern "..."`.
    Pattern(String),
    /// `| unpack`.
    Unpack,
    /// `| status >= 500`.
    Filter(LabelFilter),
    /// `| line_format "..."`.
    LineFormat(String),
    /// `| label_format a=b, c="..."`.
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`.
    Decolorize,
    /// `| drop a, b="c"`.
    Drop(Vec<FieldFilter>),
    /// `| keep a, b="c"`.
    Keep(Vec<FieldFilter>),
}

/// `name="expression"`, or `name` for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assign {
    /// Label to make.
    pub name: String,
    /// Where its value comes from.
    pub expression: String,
}

/// What a line filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Regex,
    /// `!~`
    NotRegex,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

/// `|= "a" or "b"`: a positive filter keeps a line that any operand matches, a negative one drops it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFilter {
    /// The comparison all operands share.
    pub op: LineOp,
    /// At least one.
    pub operands: Vec<Operand>,
}

/// What a line is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Text, a regular expression or a pattern.
    Text(String),
    /// `ip("...")`.
    Ip(String),
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// Both must hold; both run.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// Either; the right one runs only when the left one fails.
    Or(Box<LabelFilter>, Box<LabelFilter>),
    /// `name = "text"`.
    Text(Matcher),
    /// `name > 5`.
    Number(String, NumberOp, f64),
    /// `name > 5s`, nanoseconds.
    Duration(String, NumberOp, i64),
    /// `name > 5KB`.
    Bytes(String, NumberOp, u64),
    /// `name = ip("...")`; `true` is `=`, `false` is `!=`.
    Ip(String, bool, String),
}

/// Comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberOp {
    /// `==` or `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

/// One part of `label_format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// `dst=src`: moves the value.
    Rename {
        /// New name.
        dst: String,
        /// Old name.
        src: String,
    },
    /// `dst="template"`.
    Template {
        /// Label to set.
        dst: String,
        /// Go template.
        template: String,
    },
}

/// One part of `drop` or `keep`.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldFilter {
    /// Whatever its value.
    Name(String),
    /// Only when the value matches.
    Match(Matcher),
}

/// How `unwrap` reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// A float.
    Number,
    /// `bytes(x)`.
    Bytes,
    /// `duration(x)`, in seconds.
    Duration,
    /// `duration_seconds(x)`, the same.
    DurationSeconds,
}

/// `| unwrap label` and the filters after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    /// Label that holds the sample's value.
    pub label: String,
    /// How it is read.
    pub conversion: Conversion,
    /// Filters that run after the conversion.
    pub filters: Vec<LabelFilter>,
}

/// Lines over a sliding range.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRange {
    /// Which lines.
    pub log: LogExpr,
    /// Values instead of lines.
    pub unwrap: Option<Unwrap>,
    /// Nanoseconds.
    pub interval_ns: i64,
    /// Nanoseconds into the past.
    pub offset_ns: i64,
}

/// `rate({...}[5m])`.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeExpr {
    /// Which aggregation.
    pub op: RangeOp,
    /// `quantile_over_time`'s first argument.
    pub param: Option<f64>,
    /// Over what.
    pub range: LogRange,
    /// `by` or `without`.
    pub grouping: Option<Grouping>,
}

/// `sum by (a) (...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorExpr {
    /// Which aggregation.
    pub op: VectorOp,
    /// `k`.
    pub param: Option<i64>,
    /// Of what.
    pub inner: Expr,
    /// `by` or `without`.
    pub grouping: Option<Grouping>,
}

/// `by (...)` or `without (...)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// `without`.
    pub without: bool,
    /// Label names, as written.
    pub labels: Vec<String>,
}

/// `a + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryExpr {
    /// Operator.
    pub op: BinOp,
    /// `bool`, `on`, `group_left` and so on.
    pub modifier: Modifier,
    /// Left operand.
    pub lhs: Expr,
    /// Right operand.
    pub rhs: Expr,
}

/// How the two sides of an operator meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modifier {
    /// Comparisons answer 0 or 1 instead of filtering.
    pub bool_result: bool,
    /// `on` or `ignoring`.
    pub matching: Option<MatchOn>,
}

/// Vector matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchOn {
    /// `on` (true) or `ignoring`.
    pub on: bool,
    /// Label names.
    pub labels: Vec<String>,
    /// Cardinality.
    pub group: Group,
}

/// Cardinality of vector matching; the lists are the labels taken from the "one" side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// One to one.
    One,
    /// `group_left`.
    Left(Vec<String>),
    /// `group_right`.
    Right(Vec<String>),
}

/// Declares an enum whose variants have one spelling in LogQL.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// Every one, in the order of this table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// As LogQL spells it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
            /// The one that LogQL spells `text`.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|op| op.as_str() == text)
            }
        }
    };
}

spelled! {
    /// Aggregations over time.
    RangeOp {
        /// Lines, or sum of values, per second.
        Rate = "rate",
        /// Increase of a counter per second.
        RateCounter = "rate_counter",
        /// Lines.
        CountOverTime = "count_over_time",
        /// Bytes of lines per second.
        BytesRate = "bytes_rate",
        /// Bytes of lines.
        BytesOverTime = "bytes_over_time",
        /// Mean value.
        AvgOverTime = "avg_over_time",
        /// Sum of values.
        SumOverTime = "sum_over_time",
        /// Smallest value.
        MinOverTime = "min_over_time",
        /// Largest value.
        MaxOverTime = "max_over_time",
        /// Population standard deviation.
        StddevOverTime = "stddev_over_time",
        /// Population variance.
        StdvarOverTime = "stdvar_over_time",
        /// φ-quantile.
        QuantileOverTime = "quantile_over_time",
        /// Oldest value.
        FirstOverTime = "first_over_time",
        /// Newest value.
        LastOverTime = "last_over_time",
        /// 1 when there is no line.
        AbsentOverTime = "absent_over_time",
    }
}

spelled! {
    /// Aggregations of a vector.
    VectorOp {
        /// Sum.
        Sum = "sum",
        /// Mean.
        Avg = "avg",
        /// Smallest.
        Min = "min",
        /// Largest.
        Max = "max",
        /// How many series.
        Count = "count",
        /// Population standard deviation.
        Stddev = "stddev",
        /// Population variance.
        Stdvar = "stdvar",
        /// The k largest.
        Topk = "topk",
        /// The k smallest.
        Bottomk = "bottomk",
        /// The k largest, estimated.
        ApproxTopk = "approx_topk",
        /// Ascending.
        Sort = "sort",
        /// Descending.
        SortDesc = "sort_desc",
    }
}

spelled! {
    /// Binary operators.
    BinOp {
        /// Union.
        Or = "or",
        /// Intersection.
        And = "and",
        /// Difference.
        Unless = "unless",
        /// Equal.
        Eq = "==",
        /// Different.
        Ne = "!=",
        /// Greater.
        Gt = ">",
        /// At least.
        Ge = ">=",
        /// Less.
        Lt = "<",
        /// At most.
        Le = "<=",
        /// Sum.
        Add = "+",
        /// Difference.
        Sub = "-",
        /// Product.
        Mul = "*",
        /// Quotient.
        Div = "/",
        /// Remainder.
        Mod = "%",
        /// Power.
        Pow = "^",
    }
}

impl BinOp {
    /// `and`, `or`, `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }

    /// `==` and its kin.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// Higher binds tighter.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Eq | Self::Ne | Self::Gt | Self::Ge | Self::Lt | Self::Le => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod => 5,
            Self::Pow => 6,
        }
    }
}

impl LineOp {
    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Regex => "|~",
            Self::NotRegex => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }

    /// Whether matching lines are dropped.
    #[must_use]
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotRegex | Self::NotPattern)
    }
}

impl NumberOp {
    /// As Loki prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }
}

impl RangeOp {
    /// Whether it works on unwrapped values only.
    #[must_use]
    pub fn needs_unwrap(self) -> bool {
        !matches!(
            self,
            Self::Rate | Self::CountOverTime | Self::BytesRate | Self::BytesOverTime | Self::AbsentOverTime
        )
    }

    /// Whether it works on lines only.
    #[must_use]
    pub fn refuses_unwrap(self) -> bool {
        matches!(self, Self::CountOverTime | Self::BytesRate | Self::BytesOverTime)
    }

    /// Whether `by` and `without` may follow it.
    #[must_use]
    pub fn allows_grouping(self) -> bool {
        matches!(
            self,
            Self::AvgOverTime
                | Self::MinOverTime
                | Self::MaxOverTime
                | Self::StddevOverTime
                | Self::StdvarOverTime
                | Self::QuantileOverTime
                | Self::FirstOverTime
                | Self::LastOverTime
        )
    }
}
