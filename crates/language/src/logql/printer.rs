//! Tree to text, one line, in the spelling Loki uses; the result parses to the same tree.

use super::ast::{
    Assign, BinOp, BinaryExpr, Conversion, Expr, FieldFilter, Group, Grouping, LabelFilter, LabelFormat,
    LineFilter, LogExpr, LogRange, Modifier, Operand, RangeExpr, Stage, Unwrap, VectorExpr,
};
use super::units::{go_duration, quote, range_text};
use model::Matcher;
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(log) => log.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Vector(vector) => vector.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Literal(value) => write!(f, "{}", number(*value)),
            Self::VectorLiteral(value) => {
                // Loki prints six places; what these would lose is printed whole.
                let short = format!("{value:.6}");
                let whole = short.parse() == Ok(*value);
                write!(f, "vector({})", if whole { short } else { number(*value) })
            }
            Self::LabelReplace { inner, dst, replacement, src, regex } => {
                write!(f, "label_replace({inner},")?;
                write!(f, "{},{},{},{})", quote(dst), quote(replacement), quote(src), quote(regex))
            }
        }
    }
}

/// A float as Go's `%g`-like shortest form prints it in LogQL.
pub(super) fn number(value: f64) -> String {
    if value.abs() >= 1e21 || (value != 0.0 && value.abs() < 1e-6) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

fn join<T: Display>(items: &[T], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// A name. Loki's lexer takes a single odd character for one, too; apart from its neighbours, lest it become part of an
/// operator.
fn name(name: &str) -> Cow<'_, str> {
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!(" {name} "))
    }
}

/// Names with `separator` between them.
pub(super) fn names(labels: &[String], separator: &str) -> String {
    labels.iter().map(|label| name(label)).collect::<Vec<_>>().join(separator)
}

/// A matcher in Go's quotes.
fn matcher(m: &Matcher) -> String {
    format!("{}{}{}", name(&m.name), m.op.as_str(), quote(&m.value))
}

/// `{a="b", c=~"d"}`.
pub(super) fn selector(matchers: &[Matcher]) -> String {
    format!("{{{}}}", matchers.iter().map(matcher).collect::<Vec<_>>().join(", "))
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&selector(&self.matchers))?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(filter) => filter.fmt(f),
            Self::Json(fields) if fields.is_empty() => f.write_str("| json"),
            Self::Json(fields) => write!(f, "| json {}", join(fields, ",")),
            Self::Logfmt { strict, keep_empty, fields } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                f.write_str(if fields.is_empty() { "" } else { " " })?;
                f.write_str(&join(fields, ","))
            }
            Self::Regexp(pattern) => write!(f, "| regexp {}", quote(pattern)),
            Self::Pattern(pattern) => write!(f, "| pattern {}", quote(pattern)),
            Self::Unpack => f.write_str("| unpack"),
            Self::Filter(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", quote(template)),
            Self::LabelFormat(formats) => write!(f, "| label_format {}", join(formats, ",")),
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Drop(fields) => write!(f, "| drop {}", join(fields, ",")),
            Self::Keep(fields) => write!(f, "| keep {}", join(fields, ",")),
        }
    }
}

impl Display for Assign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", name(&self.name), quote(&self.expression))
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename { dst, src } => write!(f, "{}={}", name(dst), name(src)),
            Self::Template { dst, template } => write!(f, "{}={}", name(dst), quote(template)),
        }
    }
}

impl Display for FieldFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(field) => f.write_str(&name(field)),
            Self::Match(m) => f.write_str(&matcher(m)),
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.as_str(), join(&self.operands, " or "))
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Ip(pattern) => write!(f, "ip({})", quote(pattern)),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(a, b) => write!(f, "( {a} , {b} )"),
            Self::Or(a, b) => write!(f, "( {a} or {b} )"),
            Self::Text(m) => f.write_str(&matcher(m)),
            Self::Number(label, op, value) => write!(f, "{}{}{}", name(label), op.as_str(), number(*value)),
            Self::Duration(label, op, ns) => {
                write!(f, "{}{}{}", name(label), op.as_str(), go_duration(*ns))
            }
            Self::Bytes(label, op, bytes) => write!(f, "{}{}{bytes}B", name(label), op.as_str()),
            Self::Ip(label, equal, pattern) => {
                write!(f, "{}{}ip({})", name(label), if *equal { "=" } else { "!=" }, quote(pattern))
            }
        }
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&unwrapped(self))?;
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

/// `| unwrap duration(x)`, without the filters after it.
pub(super) fn unwrapped(unwrap: &Unwrap) -> String {
    let label = name(&unwrap.label);
    match unwrap.conversion {
        Conversion::Number => format!("| unwrap {label}"),
        Conversion::Bytes => format!("| unwrap bytes({label})"),
        Conversion::Duration => format!("| unwrap duration({label})"),
        Conversion::DurationSeconds => format!("| unwrap duration_seconds({label})"),
    }
}

/// `[5m] offset 1h`.
pub(super) fn interval(range: &LogRange) -> String {
    let interval = range_text(range.interval_ns);
    match range.offset_ns {
        0 => format!("[{interval}]"),
        offset => format!("[{interval}] offset {}", go_duration(offset)),
    }
}

impl Display for LogRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.log.fmt(f)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        f.write_str(&interval(self))
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", if self.without { "without" } else { "by" }, names(&self.labels, ","))
    }
}

impl Display for RangeExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.as_str())?;
        if let Some(param) = self.param {
            write!(f, "{},", number(param))?;
        }
        write!(f, "{})", self.range)?;
        self.grouping.as_ref().map_or(Ok(()), |grouping| write!(f, " {grouping}"))
    }
}

impl Display for VectorExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if let Some(grouping) = &self.grouping {
            write!(f, " {grouping}")?;
        }
        f.write_str("(")?;
        if let Some(param) = self.param {
            write!(f, "{param},")?;
        }
        write!(f, "{})", self.inner)
    }
}

impl Display for Modifier {
    /// With a leading space, or nothing.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.bool_result {
            f.write_str(" bool")?;
        }
        let Some(matching) = &self.matching else { return Ok(()) };
        let word = if matching.on { "on" } else { "ignoring" };
        write!(f, " {word} ({})", names(&matching.labels, ", "))?;
        match &matching.group {
            Group::One => Ok(()),
            Group::Left(labels) => write!(f, " group_left ({})", names(labels, ", ")),
            Group::Right(labels) => write!(f, " group_right ({})", names(labels, ", ")),
        }
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({} {}{} {})", self.lhs, self.op.as_str(), self.modifier, self.rhs)
    }
}

impl BinOp {
    /// The operator on two floats; comparisons answer 0 or 1, a zero divisor gives NaN.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "LogQL's == is exact")]
    pub fn apply(self, a: f64, b: f64) -> f64 {
        let truth = |holds: bool| f64::from(u8::from(holds));
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Or | Self::And | Self::Unless => f64::NAN,
            Self::Div | Self::Mod if b == 0.0 => f64::NAN,
            Self::Div => a / b,
            Self::Mod => a % b,
            Self::Pow => a.powf(b),
            Self::Eq => truth(a == b),
            Self::Ne => truth(a != b),
            Self::Gt => truth(a > b),
            Self::Ge => truth(a >= b),
            Self::Lt => truth(a < b),
            Self::Le => truth(a <= b),
        }
    }
}
