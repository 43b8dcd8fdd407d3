//! What a case expects, and whether an answer is that.

use super::script::{label_set, quoted};
use query::logql::{LabelSet, LogAnswer, LogError, LogParams, LogValue};
use regex::Regex;

/// Values may differ by this much, relative to the larger.
const EPSILON: f64 = 1e-9;

/// What must come.
#[derive(Default)]
pub(super) struct Expected {
    fail: Option<Failure>,
    empty: bool,
    ordered: bool,
    rows: Vec<Row>,
}

/// How a failure is recognised.
enum Failure {
    Any,
    Contains(String),
    Matches(Regex),
}

enum Row {
    /// A series and its value per step.
    Series(LabelSet, Vec<Option<f64>>),
    Scalar(f64),
    /// A stream's line.
    Line(LabelSet, String),
}

impl Expected {
    /// Reads the lines below an `eval`.
    pub(super) fn read(body: &[String]) -> Result<Self, String> {
        let mut expected = Self::default();
        for line in body {
            if let Some(rest) = line.strip_prefix("expect ") {
                expected.annotation(rest.trim())?;
            } else if !line.starts_with("skip ") {
                expected.rows.push(row(line).ok_or_else(|| format!("cannot read {line:?}"))?);
            }
        }
        Ok(expected)
    }

    fn annotation(&mut self, text: &str) -> Result<(), String> {
        if let Some(rest) = text.strip_prefix("fail") {
            let rest = rest.trim();
            self.fail = Some(if let Some(message) = rest.strip_prefix("msg:") {
                Failure::Contains(message.trim().to_owned())
            } else if let Some(pattern) = rest.strip_prefix("regex:") {
                Failure::Matches(Regex::new(pattern.trim()).map_err(|error| error.to_string())?)
            } else {
                Failure::Any
            });
            return Ok(());
        }
        match text {
            "empty" => self.empty = true,
            "ordered" => self.ordered = true,
            other => return Err(format!("unknown expectation {other:?}")),
        }
        Ok(())
    }
}

fn row(line: &str) -> Option<Row> {
    if !line.starts_with('{') {
        return number(line).map(Row::Scalar);
    }
    let (pairs, rest) = label_set(line)?;
    let labels = LabelSet::from_pairs(pairs);
    let rest = rest.trim();
    if rest.starts_with(['"', '`']) {
        return quoted(rest).map(|(text, _)| Row::Line(labels, text));
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let point = |text: &str| if text == "_" { Some(None) } else { number(text).map(Some) };
    rest.split_whitespace().map(point).collect::<Option<Vec<_>>>().map(|points| Row::Series(labels, points))
}

fn number(text: &str) -> Option<f64> {
    language::logql::units::parse_float(text.split('#').next()?.trim()).ok()
}

/// Whether `answer` is what was `expected`.
pub(super) fn check(
    expected: &Expected,
    answer: &Result<LogAnswer, LogError>,
    params: &LogParams,
) -> Result<(), String> {
    let answer = match (&expected.fail, answer) {
        (Some(failure), Err(error)) => return check_failure(failure, &error.to_string()),
        (Some(_), Ok(answer)) => return Err(format!("expected a failure, got {:?}", answer.value)),
        (None, Err(error)) => return Err(format!("failed: {error}")),
        (None, Ok(answer)) => answer,
    };
    if expected.rows.is_empty() && !expected.empty {
        return Err("the case expects nothing".to_owned());
    }
    let found = rows(&answer.value, params);
    if found.len() != expected.rows.len() {
        return Err(format!("expected {} rows, got {:?}", expected.rows.len(), answer.value));
    }
    let mut left: Vec<&Row> = found.iter().collect();
    for wanted in &expected.rows {
        let place = if expected.ordered { Some(0) } else { left.iter().position(|row| same(wanted, row)) };
        match place {
            Some(at) if left.get(at).is_some_and(|row| same(wanted, row)) => left.remove(at),
            _ => return Err(format!("got {:?}", answer.value)),
        };
    }
    Ok(())
}

fn check_failure(failure: &Failure, message: &str) -> Result<(), String> {
    let fits = match failure {
        Failure::Any => true,
        Failure::Contains(text) => message.contains(text),
        Failure::Matches(pattern) => pattern.is_match(message),
    };
    if fits { Ok(()) } else { Err(format!("failed with {message:?}")) }
}

/// An answer in the shape of expectations.
fn rows(value: &LogValue, params: &LogParams) -> Vec<Row> {
    match value {
        LogValue::Scalar(_, value) => vec![Row::Scalar(*value)],
        LogValue::Vector(samples) => samples
            .iter()
            .map(|sample| Row::Series(sample.labels.clone(), vec![Some(sample.value)]))
            .collect(),
        LogValue::Matrix(series) => series
            .iter()
            .map(|series| {
                let step = params.step_ms.unwrap_or(1);
                let (first, last) = (params.start_ns / 1_000_000, params.end_ns / 1_000_000);
                let at =
                    |ts: i64| series.points.iter().find(|(found, _)| *found == ts).map(|(_, value)| *value);
                let points = (0..=(last - first) / step).map(|n| at(first + n * step)).collect();
                Row::Series(series.labels.clone(), points)
            })
            .collect(),
        LogValue::Streams(streams) => streams
            .iter()
            .flat_map(|stream| {
                stream.entries.iter().map(|entry| {
                    Row::Line(stream.labels.with(&entry.metadata).with(&entry.parsed), entry.line.clone())
                })
            })
            .collect(),
    }
}

fn same(wanted: &Row, found: &Row) -> bool {
    match (wanted, found) {
        (Row::Scalar(a), Row::Scalar(b)) => close(*a, *b),
        (Row::Line(labels, line), Row::Line(found, text)) => labels == found && line == text,
        (Row::Series(labels, points), Row::Series(found, values)) => {
            labels == found
                && points.len() == values.len()
                && points.iter().zip(values).all(|pair| match pair {
                    (None, None) => true,
                    (Some(a), Some(b)) => close(*a, *b),
                    _ => false,
                })
        }
        _ => false,
    }
}

#[expect(clippy::float_cmp, reason = "equal infinities")]
fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= EPSILON * a.abs().max(b.abs())
}
