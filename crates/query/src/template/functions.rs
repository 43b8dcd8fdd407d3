//! The functions of templates: Go's own and those Loki documents. One table; a function is one row.

use super::dates;
use super::printf::printf;
use super::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Zoned;
use jiff::tz::TimeZone;
use language::logql::units;
use std::cmp::Ordering;
use std::fmt::Write;
use std::rc::Rc;

/// What functions may read besides their arguments.
pub(super) struct Call<'a> {
    pub(super) line: &'a str,
    pub(super) ts_ns: i64,
    pub(super) now_ns: i64,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Text,
    Int,
    Float,
    Time,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Time => "time.Time",
        }
    }
}

type Body = fn(&Call<'_>, &[Value]) -> Result<Value, String>;

/// A function: its name, its arguments (the last may repeat) and what it does.
pub(super) struct Function {
    name: &'static str,
    pub(super) kinds: &'static [Kind],
    pub(super) rest: bool,
    pub(super) run: Body,
}

/// Most bytes one call may produce.
const RESULT_BYTES_MAX: usize = 1 << 20;

const A: Kind = Kind::Any;
const S: Kind = Kind::Text;
const I: Kind = Kind::Int;

const fn row(name: &'static str, kinds: &'static [Kind], run: Body) -> Function {
    Function { name, kinds, rest: false, run }
}

const fn rest(name: &'static str, kinds: &'static [Kind], run: Body) -> Function {
    Function { name, kinds, rest: true, run }
}

/// Every function.
const FUNCTIONS: &[Function] = &[
    // Loki's own.
    row("__line__", &[], |call, _| ok(call.line)),
    row("__timestamp__", &[], |call, _| time(dates::utc(call.ts_ns))),
    row("now", &[], |call, _| time(dates::utc(call.now_ns))),
    row("ToLower", &[S], |_, a| ok(text(a, 0).to_lowercase())),
    row("ToUpper", &[S], |_, a| ok(text(a, 0).to_uppercase())),
    row("Replace", &[S, S, S, I], |_, a| replace(text(a, 0), text(a, 1), text(a, 2), int(a, 3))),
    row("Trim", &[S, S], |_, a| ok(text(a, 0).trim_matches(|c| text(a, 1).contains(c)))),
    row("TrimLeft", &[S, S], |_, a| ok(text(a, 0).trim_start_matches(|c| text(a, 1).contains(c)))),
    row("TrimRight", &[S, S], |_, a| ok(text(a, 0).trim_end_matches(|c| text(a, 1).contains(c)))),
    row("TrimPrefix", &[S, S], |_, a| ok(text(a, 0).strip_prefix(text(a, 1)).unwrap_or(text(a, 0)))),
    row("TrimSuffix", &[S, S], |_, a| ok(text(a, 0).strip_suffix(text(a, 1)).unwrap_or(text(a, 0)))),
    row("TrimSpace", &[S], |_, a| ok(text(a, 0).trim())),
    row("regexReplaceAll", &[S, S, S], |_, a| {
        regex(a).map(|r| Value::text(r.replace_all(text(a, 1), text(a, 2))))
    }),
    row("regexReplaceAllLiteral", &[S, S, S], |_, a| {
        regex(a).map(|r| Value::text(r.replace_all(text(a, 1), regex::NoExpand(text(a, 2)))))
    }),
    row("count", &[S, S], |_, a| regex(a).map(|r| count(r.find_iter(text(a, 1)).count()))),
    row("urldecode", &[S], |_, a| urldecode(text(a, 0))),
    row("urlencode", &[S], |_, a| ok(urlencode(text(a, 0)))),
    row("bytes", &[S], |_, a| bytes(text(a, 0))),
    row("duration", &[S], |_, a| seconds(text(a, 0))),
    row("duration_seconds", &[S], |_, a| seconds(text(a, 0))),
    row("unixEpochMillis", &[Kind::Time], |_, a| ok((ns(a, 0) / 1_000_000).to_string())),
    row("unixEpochNanos", &[Kind::Time], |_, a| ok(ns(a, 0).to_string())),
    row("unixEpoch", &[Kind::Time], |_, a| ok((ns(a, 0) / 1_000_000_000).to_string())),
    row("toDate", &[S, S], |_, a| to_date(text(a, 0), &TimeZone::UTC, text(a, 1))),
    row("toDateInZone", &[S, S, S], |_, a| {
        let zone = TimeZone::get(text(a, 1)).unwrap_or(TimeZone::UTC);
        to_date(text(a, 0), &zone, text(a, 2))
    }),
    row("date", &[S, A], |_, a| match a.get(1) {
        Some(Value::Time(time)) => ok(dates::format(text(a, 0), time)),
        other => {
            let seconds = other.map_or(0, Value::to_int);
            ok(dates::format(text(a, 0), &dates::utc(seconds.saturating_mul(1_000_000_000))))
        }
    }),
    row("unixToTime", &[S], |_, a| unix_to_time(text(a, 0))),
    row("alignLeft", &[I, S], |_, a| align(int(a, 0), text(a, 1), true)),
    row("alignRight", &[I, S], |_, a| align(int(a, 0), text(a, 1), false)),
    row("fromJson", &[S], |_, a| Ok(serde_json::from_str(text(a, 0)).map_or(Value::Nil, Value::from_json))),
    // Sprig's.
    row("lower", &[S], |_, a| ok(text(a, 0).to_lowercase())),
    row("upper", &[S], |_, a| ok(text(a, 0).to_uppercase())),
    row("title", &[S], |_, a| ok(title(text(a, 0)))),
    row("trunc", &[I, S], |_, a| trunc(int(a, 0), text(a, 1))),
    row("substr", &[I, I, S], |_, a| substr(int(a, 0), int(a, 1), text(a, 2))),
    row("contains", &[S, S], |_, a| Ok(Value::Bool(text(a, 1).contains(text(a, 0))))),
    row("hasPrefix", &[S, S], |_, a| Ok(Value::Bool(text(a, 1).starts_with(text(a, 0))))),
    row("hasSuffix", &[S, S], |_, a| Ok(Value::Bool(text(a, 1).ends_with(text(a, 0))))),
    row("indent", &[I, S], |_, a| indent(int(a, 0), text(a, 1))),
    row("nindent", &[I, S], |_, a| {
        indent(int(a, 0), text(a, 1)).map(|v| Value::text(format!("\n{}", v.print())))
    }),
    row("replace", &[S, S, S], |_, a| replace(text(a, 2), text(a, 0), text(a, 1), -1)),
    row("repeat", &[I, S], |_, a| repeat(int(a, 0), text(a, 1))),
    row("trim", &[S], |_, a| ok(text(a, 0).trim())),
    row("trimAll", &[S, S], |_, a| ok(text(a, 1).trim_matches(|c| text(a, 0).contains(c)))),
    row("trimSuffix", &[S, S], |_, a| ok(text(a, 1).strip_suffix(text(a, 0)).unwrap_or(text(a, 1)))),
    row("trimPrefix", &[S, S], |_, a| ok(text(a, 1).strip_prefix(text(a, 0)).unwrap_or(text(a, 1)))),
    row("b64enc", &[S], |_, a| ok(STANDARD.encode(text(a, 0)))),
    row("b64dec", &[S], |_, a| {
        let bytes = STANDARD.decode(text(a, 0)).map_err(|error| error.to_string());
        ok(bytes.map_or_else(|error| error, |bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }),
    rest("default", &[A, A], |_, a| {
        let given = a.get(1).filter(|value| value.is_true());
        Ok(given.or(a.first()).cloned().unwrap_or(Value::Nil))
    }),
    row("int", &[A], |_, a| Ok(Value::Int(int(a, 0)))),
    row("float64", &[A], |_, a| Ok(Value::Float(float(a, 0)))),
    rest("add", &[A], |_, a| Ok(Value::Int(a.iter().fold(0, |sum, v| sum.wrapping_add(v.to_int()))))),
    row("sub", &[A, A], |_, a| Ok(Value::Int(int(a, 0).wrapping_sub(int(a, 1))))),
    rest("mul", &[A, A], |_, a| {
        Ok(Value::Int(a.iter().fold(1, |product, v| product.wrapping_mul(v.to_int()))))
    }),
    row("div", &[A, A], |_, a| int(a, 0).checked_div(int(a, 1)).map(Value::Int).ok_or_else(zero)),
    row("mod", &[A, A], |_, a| int(a, 0).checked_rem(int(a, 1)).map(Value::Int).ok_or_else(zero)),
    rest("addf", &[A], |_, a| Ok(Value::Float(a.iter().map(Value::to_float).sum()))),
    rest("subf", &[A, A], |_, a| Ok(Value::Float(fold(a, |x, y| x - y)))),
    rest("mulf", &[A, A], |_, a| Ok(Value::Float(fold(a, |x, y| x * y)))),
    rest("divf", &[A, A], |_, a| Ok(Value::Float(fold(a, |x, y| x / y)))),
    rest("max", &[A, A], |_, a| Ok(Value::Int(a.iter().map(Value::to_int).max().unwrap_or(0)))),
    rest("min", &[A, A], |_, a| Ok(Value::Int(a.iter().map(Value::to_int).min().unwrap_or(0)))),
    rest("maxf", &[A, A], |_, a| Ok(Value::Float(fold(a, f64::max)))),
    rest("minf", &[A, A], |_, a| Ok(Value::Float(fold(a, f64::min)))),
    row("ceil", &[A], |_, a| Ok(Value::Float(float(a, 0).ceil()))),
    row("floor", &[A], |_, a| Ok(Value::Float(float(a, 0).floor()))),
    rest("round", &[A, I, Kind::Float], |_, a| round(a)),
    // Go's.
    rest("and", &[A, A], |_, a| Ok(a.last().cloned().unwrap_or(Value::Nil))),
    rest("or", &[A, A], |_, a| Ok(a.last().cloned().unwrap_or(Value::Nil))),
    row("not", &[A], |_, a| Ok(Value::Bool(!a.first().is_some_and(Value::is_true)))),
    row("len", &[A], |_, a| len(a)),
    rest("index", &[A, A], |_, a| index(a)),
    rest("slice", &[A, A], |_, a| slice(a)),
    rest("print", &[A], |_, a| ok(print(a))),
    rest("println", &[A], |_, a| ok(a.iter().map(Value::print).collect::<Vec<_>>().join(" ") + "\n")),
    rest("printf", &[S, A], |_, a| ok(printf(text(a, 0), a.get(1..).unwrap_or_default()))),
    rest("html", &[A], |_, a| ok(html(&print(a)))),
    rest("js", &[A], |_, a| ok(js(&print(a)))),
    rest("urlquery", &[A], |_, a| ok(urlencode(&print(a)))),
    rest("eq", &[A, A, A], |_, a| {
        let first = a.first().cloned().unwrap_or(Value::Nil);
        let mut found = false;
        for other in a.get(1..).unwrap_or_default() {
            found |= equal(&first, other)?;
        }
        Ok(Value::Bool(found))
    }),
    row("ne", &[A, A], |_, a| equal(&a[0], &a[1]).map(|same| Value::Bool(!same))),
    row("lt", &[A, A], |_, a| order(a).map(|o| Value::Bool(o == Ordering::Less))),
    row("le", &[A, A], |_, a| order(a).map(|o| Value::Bool(o != Ordering::Greater))),
    row("gt", &[A, A], |_, a| order(a).map(|o| Value::Bool(o == Ordering::Greater))),
    row("ge", &[A, A], |_, a| order(a).map(|o| Value::Bool(o != Ordering::Less))),
];

/// Whether templates may call `name`.
pub(super) fn exists(name: &str) -> bool {
    find(name).is_some()
}

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Names of all functions, for tests that are generated from the table.
#[must_use]
pub fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a float is what Loki answers")]
fn bytes(text: &str) -> Result<Value, String> {
    units::parse_bytes(text).map(|bytes| Value::Float(bytes as f64))
}

#[expect(clippy::cast_precision_loss, reason = "a float is what Loki answers")]
fn seconds(text: &str) -> Result<Value, String> {
    units::parse_go_duration(text).map(|ns| Value::Float(ns as f64 / 1e9))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every function's answer")]
fn ok(text: impl AsRef<str>) -> Result<Value, String> {
    Ok(Value::text(text))
}

fn text(arguments: &[Value], at: usize) -> &str {
    match arguments.get(at) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn int(arguments: &[Value], at: usize) -> i64 {
    arguments.get(at).map_or(0, Value::to_int)
}

fn float(arguments: &[Value], at: usize) -> f64 {
    arguments.get(at).map_or(0.0, Value::to_float)
}

fn ns(arguments: &[Value], at: usize) -> i128 {
    match arguments.get(at) {
        Some(Value::Time(time)) => time.timestamp().as_nanosecond(),
        _ => 0,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every function's answer")]
fn time(time: Zoned) -> Result<Value, String> {
    Ok(Value::Time(Rc::new(time)))
}

fn count(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn zero() -> String {
    "runtime error: integer divide by zero".to_owned()
}

fn fold(arguments: &[Value], with: impl Fn(f64, f64) -> f64) -> f64 {
    arguments.iter().map(Value::to_float).reduce(with).unwrap_or(0.0)
}

fn print(arguments: &[Value]) -> String {
    let mut out = String::new();
    for (at, value) in arguments.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| arguments.get(before));
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if before.is_some_and(|before| !is_text(before)) && !is_text(value) {
            out.push(' ');
        }
        out.push_str(&value.print());
    }
    out
}

fn regex(arguments: &[Value]) -> Result<regex::Regex, String> {
    language::logql::search_regex(text(arguments, 0))
}

fn bounded(bytes: usize) -> Result<(), String> {
    if bytes > RESULT_BYTES_MAX {
        Err(format!("result is longer than {RESULT_BYTES_MAX} bytes"))
    } else {
        Ok(())
    }
}

fn replace(text: &str, old: &str, new: &str, n: i64) -> Result<Value, String> {
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    bounded(text.len().saturating_add(found.saturating_mul(new.len())))?;
    match usize::try_from(n) {
        Ok(n) => ok(text.replacen(old, new, n)),
        Err(_) => ok(text.replace(old, new)),
    }
}

fn repeat(n: i64, text: &str) -> Result<Value, String> {
    let n = usize::try_from(n).map_err(|_| "strings: negative Repeat count".to_owned())?;
    bounded(n.saturating_mul(text.len()))?;
    ok(text.repeat(n))
}

fn indent(spaces: i64, text: &str) -> Result<Value, String> {
    let pad = repeat(spaces.max(0), " ")?.print();
    replace(text, "\n", &format!("\n{pad}"), -1).map(|rest| Value::text(format!("{pad}{}", rest.print())))
}

/// Runs of letters begin with a capital.
fn title(text: &str) -> String {
    let mut start = true;
    let capital = |c: char| {
        let letter = c.is_alphanumeric() || c == '_' || c == '\'';
        let out: String = if start && letter { c.to_uppercase().collect() } else { c.to_string() };
        start = !letter;
        out
    };
    text.chars().map(capital).collect()
}

/// The first `n` bytes, or the last when negative.
fn trunc(n: i64, text: &str) -> Result<Value, String> {
    let size = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    if size >= text.len() {
        return ok(text);
    }
    let range = if n < 0 { text.len() - size..text.len() } else { 0..size };
    ok(String::from_utf8_lossy(text.as_bytes().get(range).unwrap_or_default()))
}

fn substr(start: i64, end: i64, text: &str) -> Result<Value, String> {
    let size = text.len();
    let end = usize::try_from(end).unwrap_or(size).min(size);
    let start = usize::try_from(start).unwrap_or(0).min(end);
    ok(String::from_utf8_lossy(text.as_bytes().get(start..end).unwrap_or_default()))
}

/// Pads or cuts to `width` characters; `left` keeps the beginning.
fn align(width: i64, text: &str, left: bool) -> Result<Value, String> {
    let Ok(width) = usize::try_from(width) else { return ok(text) };
    bounded(width)?;
    let size = text.chars().count();
    let pad = " ".repeat(width.saturating_sub(size));
    match (left, size > width) {
        (true, true) => ok(text.chars().take(width).collect::<String>()),
        (false, true) => ok(text.chars().skip(size - width).collect::<String>()),
        (true, false) => ok(format!("{text}{pad}")),
        (false, false) => ok(format!("{pad}{text}")),
    }
}

fn to_date(layout: &str, zone: &TimeZone, text: &str) -> Result<Value, String> {
    time(dates::parse(layout, text, zone).unwrap_or_else(dates::zero))
}

/// Seconds, milliseconds, microseconds or nanoseconds, told apart by their digits.
fn unix_to_time(text: &str) -> Result<Value, String> {
    let number: i64 = text.parse().map_err(|_| format!("unable to parse time '{text}'"))?;
    let scale = match text.len() {
        5 => 86_400_000_000_000,
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return Err(format!("unable to parse time '{text}'")),
    };
    let ns = number.checked_mul(scale).ok_or_else(|| format!("unable to parse time '{text}'"))?;
    time(dates::utc(ns))
}

#[expect(clippy::cast_possible_truncation, reason = "digits are few")]
#[expect(clippy::unnecessary_wraps, reason = "the shape of every function's answer")]
fn round(a: &[Value]) -> Result<Value, String> {
    let on = a.get(2).map_or(0.5, Value::to_float);
    let power = 10.0_f64.powi(int(a, 1).clamp(-300, 300) as i32);
    let digit = power * float(a, 0);
    let up = (digit - digit.trunc()).abs() >= on;
    let whole = if up { digit.trunc() + digit.signum() } else { digit.trunc() };
    Ok(Value::Float(whole / power))
}

fn len(a: &[Value]) -> Result<Value, String> {
    match a.first() {
        Some(Value::Text(text)) => Ok(count(text.len())),
        Some(Value::List(items)) => Ok(count(items.len())),
        Some(Value::Map(map) | Value::Labels(map)) => Ok(count(map.len())),
        other => Err(format!("len of type {}", other.map_or("nil", Value::type_name))),
    }
}

fn index(a: &[Value]) -> Result<Value, String> {
    let mut value = a.first().cloned().unwrap_or(Value::Nil);
    for key in a.get(1..).unwrap_or_default() {
        value = match (&value, key) {
            (Value::List(items), Value::Int(at)) => {
                element(items.len(), *at).and_then(|at| items.get(at).cloned())
            }
            (Value::Text(text), Value::Int(at)) => {
                let byte = element(text.len(), *at).and_then(|at| text.as_bytes().get(at));
                byte.map(|byte| Value::Int(i64::from(*byte)))
            }
            (Value::Labels(map), Value::Text(key)) => {
                Some(map.get(&**key).cloned().unwrap_or_else(|| Value::text("")))
            }
            (Value::Map(map), Value::Text(key)) => Some(map.get(&**key).cloned().unwrap_or(Value::Nil)),
            (Value::Nil, _) => return Err("index of untyped nil".to_owned()),
            (other, Value::Int(_)) => return Err(format!("can't index item of type {}", other.type_name())),
            (other, key) => {
                let (item, key) = (other.type_name(), key.type_name());
                return Err(format!("cannot index {item} with type {key}"));
            }
        }
        .ok_or_else(|| format!("index out of range: {}", key.print()))?;
    }
    Ok(value)
}

fn element(length: usize, at: i64) -> Option<usize> {
    usize::try_from(at).ok().filter(|at| *at < length)
}

fn slice(a: &[Value]) -> Result<Value, String> {
    let bound = |at: usize, default: usize| {
        let Some(value) = a.get(at) else { return Ok(default) };
        usize::try_from(value.to_int()).map_err(|_| format!("index out of range: {}", value.print()))
    };
    let range = |length: usize| {
        let (from, to) = (bound(1, 0)?, bound(2, length)?);
        if from > to || to > length {
            return Err(format!("index out of range: {}", from.max(to)));
        }
        Ok(from..to)
    };
    match a.first() {
        Some(Value::Text(text)) => {
            let range = range(text.len())?;
            ok(String::from_utf8_lossy(text.as_bytes().get(range).unwrap_or_default()))
        }
        Some(Value::List(items)) => {
            let range = range(items.len())?;
            Ok(Value::List(Rc::from(items.get(range).unwrap_or_default())))
        }
        other => Err(format!("can't slice item of type {}", other.map_or("nil", Value::type_name))),
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Bool(_), Value::Bool(_))
        | (Value::Int(_), Value::Int(_))
        | (Value::Float(_), Value::Float(_))
        | (Value::Text(_), Value::Text(_))
        | (Value::Time(_), Value::Time(_))
        | (Value::Nil, _)
        | (_, Value::Nil) => Ok(a == b),
        (Value::List(_) | Value::Map(_) | Value::Labels(_), _)
        | (_, Value::List(_) | Value::Map(_) | Value::Labels(_)) => Err("non-comparable types".to_owned()),
        _ => Err(incompatible(a, b)),
    }
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}

fn order(a: &[Value]) -> Result<Ordering, String> {
    match (a.first(), a.get(1)) {
        (Some(Value::Int(a)), Some(Value::Int(b))) => Ok(a.cmp(b)),
        (Some(Value::Float(a)), Some(Value::Float(b))) => Ok(a.partial_cmp(b).unwrap_or(Ordering::Greater)),
        (Some(Value::Text(a)), Some(Value::Text(b))) => Ok(a.cmp(b)),
        (
            Some(Value::Int(_) | Value::Float(_) | Value::Text(_)),
            Some(Value::Int(_) | Value::Float(_) | Value::Text(_)),
        ) => Err("incompatible types for comparison".to_owned()),
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            c if (c as u32) < 0x20 || "<>&=".contains(c) => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

fn urlencode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn urldecode(text: &str) -> Result<Value, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                let shown = || {
                    String::from_utf8_lossy(rest.get(..2.min(rest.len())).unwrap_or_default()).into_owned()
                };
                bytes.push(byte.ok_or_else(|| format!("invalid URL escape \"%{}\"", shown()))?);
                rest = rest.get(2..).unwrap_or_default();
            }
            byte => bytes.push(*byte),
        }
    }
    ok(String::from_utf8_lossy(&bytes))
}
