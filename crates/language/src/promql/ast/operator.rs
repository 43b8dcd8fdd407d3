//! Operators: binary and aggregating, their spelling and what kind each is.

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
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
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>`
    Gt,
    /// `<`
    Lt,
    /// `>=`
    Ge,
    /// `<=`
    Le,
    /// `</`: keep the observations below.
    TrimUpper,
    /// `>/`: keep the observations above.
    TrimLower,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
}

impl BinaryOp {
    /// Every operator and its spelling.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::Add, "+"),
        (Self::Sub, "-"),
        (Self::Mul, "*"),
        (Self::Div, "/"),
        (Self::Mod, "%"),
        (Self::Pow, "^"),
        (Self::Atan2, "atan2"),
        (Self::Eq, "=="),
        (Self::Ne, "!="),
        (Self::Gt, ">"),
        (Self::Lt, "<"),
        (Self::Ge, ">="),
        (Self::Le, "<="),
        (Self::TrimUpper, "</"),
        (Self::TrimLower, ">/"),
        (Self::And, "and"),
        (Self::Or, "or"),
        (Self::Unless, "unless"),
    ];

    /// As written in a query.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, text)| text)
    }

    /// `==`, `!=`, `>`, `<`, `>=`, `<=`.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Lt | Self::Ge | Self::Le)
    }

    /// `and`, `or`, `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// How strongly it binds; higher binds stronger.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Eq
            | Self::Ne
            | Self::Gt
            | Self::Lt
            | Self::Ge
            | Self::Le
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => 5,
            Self::Pow => 6,
        }
    }
}

/// Aggregation operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    /// Arithmetic mean.
    Avg,
    /// Smallest k.
    BottomK,
    /// How many series.
    Count,
    /// How many series per value.
    CountValues,
    /// Constant 1.
    Group,
    /// Largest value.
    Max,
    /// Smallest value.
    Min,
    /// φ-quantile.
    Quantile,
    /// Population standard deviation.
    Stddev,
    /// Population variance.
    Stdvar,
    /// Sum.
    Sum,
    /// Largest k.
    TopK,
    /// Any k, the same ones every time.
    LimitK,
    /// A share of the series, the same ones every time.
    LimitRatio,
}

impl AggregateOp {
    /// Every operator and its spelling.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Avg, "avg"),
        (Self::BottomK, "bottomk"),
        (Self::Count, "count"),
        (Self::CountValues, "count_values"),
        (Self::Group, "group"),
        (Self::Max, "max"),
        (Self::Min, "min"),
        (Self::Quantile, "quantile"),
        (Self::Stddev, "stddev"),
        (Self::Stdvar, "stdvar"),
        (Self::Sum, "sum"),
        (Self::TopK, "topk"),
        (Self::LimitK, "limitk"),
        (Self::LimitRatio, "limit_ratio"),
    ];

    /// As written in a query.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, text)| text)
    }

    /// Whether it takes a parameter before the vector.
    #[must_use]
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::TopK | Self::BottomK | Self::CountValues | Self::Quantile | Self::LimitK | Self::LimitRatio
        )
    }
}
