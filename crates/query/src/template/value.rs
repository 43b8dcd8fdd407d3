//! Values of a running template, and how Go prints, compares and converts them.

use jiff::Zoned;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// No value.
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<[Value]>),
    Map(Rc<BTreeMap<String, Value>>),
    /// Label names and values: a missing one is the empty text.
    Labels(Rc<BTreeMap<String, Value>>),
    /// An instant, and the zone it is shown in.
    Time(Rc<Zoned>),
}

impl Value {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    /// Go's name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Labels(_) => "map[string]string",
            Self::Time(_) => "time.Time",
        }
    }

    /// What `if` thinks of it.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) | Self::Labels(map) => !map.is_empty(),
            Self::Time(_) => true,
        }
    }

    /// As `%v` prints it.
    pub(super) fn print(&self) -> String {
        match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => print_float(*value),
            Self::Text(text) => text.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::inner).collect::<Vec<_>>().join(" ")),
            Self::Map(map) | Self::Labels(map) => {
                let pairs: Vec<String> =
                    map.iter().map(|(key, value)| format!("{key}:{}", value.inner())).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Self::Time(time) => super::dates::format("2006-01-02 15:04:05.999999999 -0700 MST", time),
        }
    }

    fn inner(&self) -> String {
        if matches!(self, Self::Nil) { "<nil>".to_owned() } else { self.print() }
    }

    /// As a whole number; what is none is 0, as Loki's arithmetic has it.
    #[expect(clippy::cast_possible_truncation, reason = "Go cuts and saturates likewise")]
    pub(super) fn to_int(&self) -> i64 {
        match self {
            Self::Bool(value) => i64::from(*value),
            Self::Int(value) => *value,
            Self::Float(value) => *value as i64,
            Self::Text(text) => match whole_number(text) {
                Some(value) => value,
                None => text.parse::<f64>().map_or(0, |value| value as i64),
            },
            _ => 0,
        }
    }

    /// As a float; what is none is 0.
    #[expect(clippy::cast_precision_loss, reason = "Go loses the same")]
    pub(super) fn to_float(&self) -> f64 {
        match self {
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Int(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Text(text) => text.trim().parse().unwrap_or(0.0),
            _ => 0.0,
        }
    }

    /// From JSON.
    pub(super) fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(items) => Self::List(items.into_iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => Self::Map(Rc::new(
                map.into_iter().map(|(key, value)| (key, Self::from_json(value))).collect(),
            )),
        }
    }
}

/// A whole number, decimal or with Go's prefixes.
fn whole_number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix =
        |prefix: &str| digits.strip_prefix(prefix).or_else(|| digits.strip_prefix(&prefix.to_uppercase()));
    let value = if let Some(hex) = radix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(binary) = radix("0b") {
        i64::from_str_radix(binary, 2)
    } else if let Some(octal) = radix("0o") {
        i64::from_str_radix(octal, 8)
    } else {
        digits.parse()
    };
    value.ok().map(|value: i64| sign * value)
}

/// `%v` of a float: shortest digits, an exponent below 1e-4 and from 1e21.
pub(super) fn print_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        return exponent(&format!("{value:e}"));
    }
    value.to_string()
}

/// Rust's `1e5` as Go's `1e+05`.
pub(super) fn exponent(text: &str) -> String {
    let Some((mantissa, power)) = text.split_once('e') else { return text.to_owned() };
    let (sign, digits) = power.strip_prefix('-').map_or(("+", power), |digits| ("-", digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
