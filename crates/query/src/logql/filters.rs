//! Conditions on labels, compiled. A value that cannot be read as a number marks the line with `__error__` and keeps
//! it, as Loki does; a missing label drops the line, except for text, where it is the empty value.

use super::ip::IpMatcher;
use super::record::{Name, Names, Record};
use language::logql::{LabelFilter, NumberOp, units};
use model::Matcher;

/// Error label of a value that a filter cannot read.
const FILTER_ERROR: &str = "LabelFilterErr";

/// A compiled condition.
pub(super) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Text(Name, Matcher),
    Number(Name, NumberOp, f64),
    Duration(Name, NumberOp, i64),
    Bytes(Name, NumberOp, u64),
    Ip(Name, bool, IpMatcher),
}

impl Condition {
    pub(super) fn new(filter: &LabelFilter, names: &mut Names) -> Result<Self, String> {
        let both = |a: &LabelFilter, b: &LabelFilter, names: &mut Names| {
            Ok::<_, String>((Box::new(Self::new(a, names)?), Box::new(Self::new(b, names)?)))
        };
        Ok(match filter {
            LabelFilter::And(a, b) => both(a, b, names).map(|(a, b)| Self::And(a, b))?,
            LabelFilter::Or(a, b) => both(a, b, names).map(|(a, b)| Self::Or(a, b))?,
            LabelFilter::Text(matcher) => Self::Text(names.intern(&matcher.name), matcher.clone()),
            LabelFilter::Number(name, op, value) => Self::Number(names.intern(name), *op, *value),
            LabelFilter::Duration(name, op, ns) => Self::Duration(names.intern(name), *op, *ns),
            LabelFilter::Bytes(name, op, bytes) => Self::Bytes(names.intern(name), *op, *bytes),
            LabelFilter::Ip(name, equal, pattern) => {
                Self::Ip(names.intern(name), *equal, IpMatcher::new(pattern)?)
            }
        })
    }

    /// Whether the line stays.
    pub(super) fn keeps(&self, record: &mut Record) -> bool {
        match self {
            Self::And(a, b) => {
                let (a, b) = (a.keeps(record), b.keeps(record));
                a && b
            }
            Self::Or(a, b) => a.keeps(record) || b.keeps(record),
            Self::Text(name, matcher) => matcher.matches(record.get(*name).unwrap_or_default()),
            Self::Number(name, op, value) => compare(record, *name, *op, value, units::parse_float),
            Self::Duration(name, op, ns) => compare(record, *name, *op, ns, units::parse_go_duration),
            Self::Bytes(name, op, bytes) => compare(record, *name, *op, bytes, units::parse_bytes),
            Self::Ip(name, equal, ip) => {
                if record.error().is_some() {
                    return true;
                }
                record.label(*name).is_some_and(|text| ip.found_in(text) == *equal)
            }
        }
    }
}

fn compare<T: PartialOrd>(
    record: &mut Record,
    name: Name,
    op: NumberOp,
    value: &T,
    parse: impl Fn(&str) -> Result<T, String>,
) -> bool {
    let Some(text) = record.label(name) else { return false };
    match parse(text) {
        Ok(found) => match op {
            NumberOp::Equal => found == *value,
            NumberOp::NotEqual => found != *value,
            NumberOp::Greater => found > *value,
            NumberOp::GreaterEqual => found >= *value,
            NumberOp::Less => found < *value,
            NumberOp::LessEqual => found <= *value,
        },
        Err(details) => {
            record.fail(FILTER_ERROR, details);
            true
        }
    }
}
