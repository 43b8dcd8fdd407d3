//! Series in scripts: `metric{label="value"} 1 2+1x3 _x2 stale {{schema:0 buckets:[1 2]}}x4`.

use language::promql::{duration, unquote};
use model::histogram::{BucketSpan, ResetHint};
use model::labels::METRIC_NAME;
use model::{FloatHistogram, Labels, LabelsBuilder};
use query::promql::add_histograms;

/// One position of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    None,
    Float(f64),
    Stale,
    /// The histogram, and whether its reset hint was written.
    Histogram(FloatHistogram, bool),
}

/// A line that defines a series.
pub(super) fn parse_series(line: &str) -> Result<(Labels, Vec<Item>), String> {
    let (labels, mut rest) = parse_labels(line.trim())?;
    let mut items = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((labels, items));
        }
        rest = parse_item(rest, &mut items)?;
    }
}

fn parse_labels(line: &str) -> Result<(Labels, &str), String> {
    let mut builder = LabelsBuilder::default();
    let word = |c: char| c == '_' || c == ':' || c.is_ascii_alphanumeric();
    let (name, mut rest) = line.split_at(line.find(|c| !word(c)).unwrap_or(line.len()));
    if !name.is_empty() {
        builder.push(METRIC_NAME, name);
    }
    let after = rest.trim_start();
    if after.starts_with('{') && !after.starts_with("{{") {
        rest = after.get(1..).unwrap_or_default();
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return Ok((builder.build(), after));
            }
            rest = parse_label(rest, &mut builder)?;
        }
    }
    if name.is_empty() && !after.starts_with("{{") {
        return Err(format!("series without a name or labels: {line}"));
    }
    Ok((builder.build(), rest))
}

fn parse_label<'l>(rest: &'l str, builder: &mut LabelsBuilder) -> Result<&'l str, String> {
    let (name, after) = if rest.starts_with(['"', '\'', '`']) {
        let (literal, after) = take_literal(rest)?;
        (unquote(literal)?, after)
    } else {
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        (name.to_owned(), after)
    };
    let after = after.trim_start();
    let Some(after) = after.strip_prefix('=') else {
        builder.push(METRIC_NAME, &name);
        return if after.starts_with([',', '}']) { Ok(after) } else { Err(format!("bad label at {rest}")) };
    };
    let (literal, after) = take_literal(after.trim_start())?;
    builder.push(&name, &unquote(literal)?);
    Ok(after)
}

/// A quoted literal off the front.
fn take_literal(rest: &str) -> Result<(&str, &str), String> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')).ok_or("expected a string")?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return Ok(rest.split_at(at + 1));
        }
    }
    Err("unterminated string".to_owned())
}

fn parse_item<'l>(rest: &'l str, items: &mut Vec<Item>) -> Result<&'l str, String> {
    if rest.starts_with("{{") {
        return parse_histograms(rest, items);
    }
    let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    if let Some(repeat) = word.strip_prefix('_') {
        let count = match repeat.strip_prefix('x') {
            Some(count) => parse_count(count)?,
            None if repeat.is_empty() => 1,
            None => return Err(format!("bad item {word}")),
        };
        items.extend(std::iter::repeat_n(Item::None, count));
        return Ok(after);
    }
    if let Some(repeat) = word.strip_prefix("stale") {
        let count = repeat.strip_prefix('x').map_or(Ok(0), parse_count)?;
        items.extend(std::iter::repeat_n(Item::Stale, count + 1));
        return Ok(after);
    }
    let (first, tail) = take_number(word)?;
    let (step, tail) = if tail.starts_with(['+', '-']) { take_number(tail)? } else { (0.0, tail) };
    let count = match tail.strip_prefix('x') {
        Some(count) => parse_count(count)?,
        None if tail.is_empty() => 0,
        None => return Err(format!("bad item {word}")),
    };
    let mut value = first;
    for _ in 0..=count {
        items.push(Item::Float(value));
        value += step;
    }
    Ok(after)
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|error| format!("bad repetition {text}: {error}"))
}

/// A number off the front, with its sign.
fn take_number(text: &str) -> Result<(f64, &str), String> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let sign = text.len() - unsigned.len();
    let lower = unsigned.to_ascii_lowercase();
    let length = if lower.starts_with("inf") || lower.starts_with("nan") {
        3
    } else {
        let bytes = unsigned.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|b| matches!(b, b'e' | b'E'));
            if !(byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E') || exponent_sign) {
                break;
            }
            at += 1;
        }
        at
    };
    let (number, rest) = text.split_at(sign + length);
    Ok((number.parse().map_err(|_| format!("bad number {text}"))?, rest))
}

fn parse_histograms<'l>(rest: &'l str, items: &mut Vec<Item>) -> Result<&'l str, String> {
    let (first, hinted, mut rest) = parse_histogram(rest)?;
    let mut step = None;
    if rest.starts_with("+{{") || rest.starts_with("-{{") {
        let subtract = rest.starts_with('-');
        let (by, by_hinted, after) = parse_histogram(rest.get(1..).unwrap_or_default())?;
        step = Some((by, by_hinted, subtract));
        rest = after;
    }
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (tail, after) = rest.split_at(end);
    let count = match tail.strip_prefix('x') {
        Some(count) => parse_count(count)?,
        None if tail.is_empty() => 0,
        None => return Err(format!("bad histogram item at {rest}")),
    };
    let hinted = step.as_ref().map_or(hinted, |(_, by_hinted, _)| *by_hinted);
    let mut value = first;
    for at in 0..=count {
        items.push(Item::Histogram(value.clone(), hinted));
        if let Some((by, _, subtract)) = step.as_ref().filter(|_| at < count) {
            value = add_histograms(&value, by, *subtract).ok_or("histograms do not add up")?;
        }
    }
    Ok(after)
}

fn parse_histogram(rest: &str) -> Result<(FloatHistogram, bool, &str), String> {
    let inner = rest.strip_prefix("{{").ok_or("expected {{")?;
    let (body, after) = inner.split_once("}}").ok_or("histogram without }}")?;
    let mut h = FloatHistogram::default();
    let (mut hinted, mut offset, mut negative_offset) = (false, 0, 0);
    let mut left = body.trim();
    while !left.is_empty() {
        let (key, value) = left.split_once(':').ok_or_else(|| format!("bad histogram field {left}"))?;
        let (value, next) = match value.strip_prefix('[') {
            Some(list) => list.split_once(']').ok_or("list without ]")?,
            None => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        left = next.trim_start();
        let number = || take_number(value).map(|(number, _)| number);
        let integer = || value.parse::<i32>().map_err(|error| format!("{value}: {error}"));
        let list = || -> Result<Vec<f64>, String> {
            value.split_whitespace().map(|word| take_number(word).map(|(n, _)| n)).collect()
        };
        match key.trim() {
            "schema" => h.schema = integer()?,
            "sum" => h.sum = number()?,
            "count" => h.count = number()?,
            "z_bucket" => h.zero_count = number()?,
            "z_bucket_w" => h.zero_threshold = number()?,
            "custom_values" => h.custom_values = list()?,
            "buckets" => h.positive_buckets = list()?,
            "n_buckets" => h.negative_buckets = list()?,
            "offset" => offset = integer()?,
            "n_offset" => negative_offset = integer()?,
            "counter_reset_hint" => {
                hinted = true;
                h.reset_hint = match value {
                    "reset" => ResetHint::Yes,
                    "not_reset" => ResetHint::No,
                    "gauge" => ResetHint::Gauge,
                    "unknown" => ResetHint::Unknown,
                    _ => return Err(format!("bad reset hint {value}")),
                };
            }
            other => return Err(format!("bad histogram field {other}")),
        }
    }
    h.positive_spans = one_span(offset, h.positive_buckets.len());
    h.negative_spans = one_span(negative_offset, h.negative_buckets.len());
    Ok((h, hinted, after))
}

fn one_span(offset: i32, length: usize) -> Vec<BucketSpan> {
    match u32::try_from(length) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(length) => vec![BucketSpan { offset, length }],
    }
}

/// A line of start timestamps, each relative to its sample, milliseconds.
pub(super) fn parse_starts(line: &str) -> Result<Vec<Option<i64>>, String> {
    let mut out = Vec::new();
    for word in line.split_whitespace() {
        if let Some(rest) = word.strip_prefix('_') {
            let count = rest.strip_prefix('x').map_or(Ok(1), parse_count)?;
            out.extend(std::iter::repeat_n(None, count));
            continue;
        }
        let (mut offset, rest) = take_duration(word)?;
        let (step, rest) = if rest.starts_with(['+', '-']) { take_duration(rest)? } else { (0, rest) };
        let count = rest.strip_prefix('x').map_or(Ok(0), parse_count)?;
        for _ in 0..=count {
            out.push(Some(offset));
            offset += step;
        }
    }
    Ok(out)
}

/// A signed duration off the front.
fn take_duration(text: &str) -> Result<(i64, &str), String> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let unit = unsigned.get(digits..).unwrap_or_default();
    let letters = unit.find(|c: char| !c.is_ascii_alphabetic() || c == 'x').unwrap_or(unit.len());
    let (number, rest) = unsigned.split_at(digits + letters);
    let ms = duration::parse(number)?;
    Ok((if text.starts_with('-') { -ms } else { ms }, rest))
}
