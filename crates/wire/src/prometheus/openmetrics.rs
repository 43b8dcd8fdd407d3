//! `OpenMetrics` 1.0 text, as laxly as Prometheus' own scrape parser reads it, and the strict check.
//!
//! Source: `prometheus.io/docs/specs/om/open_metrics_spec`, and the behaviour of Prometheus 3.

use super::exposition::{Builder, Exposition, ExpositionOptions, SampleLine};
use super::scanner::{Dialect, LabelSpan, Scanner, unescape};
use super::strict::Validator;
use crate::WireError;
use model::{LabelsBuilder, MetricKind};
use std::ops::Range;

/// Parses an exposition. `_created` lines are series like others, as in Prometheus' default.
///
/// # Errors
/// At the first line that Prometheus would refuse, in its words; nothing of the exposition counts then.
pub fn parse(body: &[u8], options: &ExpositionOptions) -> Result<Exposition, WireError> {
    let mut builder = Builder::new(options);
    read(body, |scanner, entry| match entry {
        Entry::Kind(name, kind) => {
            builder.kind(&scanner.text(name), kind);
            Ok(())
        }
        Entry::Help(name, text) => {
            builder.family(&scanner.text(name)).help = unescape(&scanner.text(text), true).into_owned();
            Ok(())
        }
        Entry::Unit(name, text) => {
            builder.family(&scanner.text(name)).unit = scanner.text(text).into_owned();
            Ok(())
        }
        Entry::Sample(line, exemplar) => {
            let at = builder.sample(scanner, line)?;
            if let Some(exemplar) = exemplar {
                let mut labels = LabelsBuilder::default();
                for (name, value) in exemplar.labels {
                    labels.push(&scanner.text(name), &scanner.text(value));
                }
                builder.exemplar(at, labels.build(), exemplar.value, exemplar.ts_ms());
            }
            Ok(())
        }
    })?;
    Ok(builder.finish())
}

/// Checks an exposition against the whole specification: a scrape takes it, families stand together, types have their
/// samples, values and label values are canonical.
///
/// # Errors
/// The first violation, with the line it is in.
pub fn validate_strict(body: &[u8]) -> Result<(), WireError> {
    if std::str::from_utf8(body).is_err() {
        return Err(WireError::malformed("the exposition is not UTF-8"));
    }
    parse(body, &ExpositionOptions::default())?;
    let mut validator = Validator::default();
    read(body, |scanner, entry| {
        validator.entry(scanner, &entry).map_err(|message| scanner.broken(&message))
    })?;
    validator.finish().map_err(WireError::Malformed)
}

/// One line of an exposition.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    /// `# TYPE`.
    Kind(&'a Range<usize>, MetricKind),
    /// `# HELP`, the text still escaped.
    Help(&'a Range<usize>, &'a Range<usize>),
    /// `# UNIT`.
    Unit(&'a Range<usize>, &'a Range<usize>),
    /// A sample.
    Sample(&'a SampleLine<'a>, Option<ExemplarLine<'a>>),
}

/// What stands behind ` # ` of a sample.
#[derive(Debug)]
pub(super) struct ExemplarLine<'a> {
    /// Its labels.
    pub(super) labels: &'a [LabelSpan],
    /// The text of the labels, closing brace included.
    pub(super) text: Range<usize>,
    /// Its value.
    pub(super) value: f64,
    /// Its time, seconds.
    pub(super) ts_s: Option<f64>,
}

impl ExemplarLine<'_> {
    fn ts_ms(&self) -> Option<i64> {
        self.ts_s.map(milliseconds)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, where Prometheus' result is undefined")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

/// Walks the lines up to `# EOF`.
fn read<'a>(
    body: &'a [u8],
    mut on_entry: impl FnMut(&Scanner<'a>, Entry<'_>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut scanner = Scanner::new(body, Dialect::OpenMetrics);
    let (mut labels, mut exemplar_labels) = (Vec::new(), Vec::new());
    loop {
        scanner.entry = scanner.at;
        if scanner.take_all(b"# ") {
            if scanner.take_all(b"EOF") {
                scanner.take(b'\n');
                let done = scanner.peek().is_none();
                return if done { Ok(()) } else { Err(WireError::malformed("unexpected data after # EOF")) };
            }
            metadata(&mut scanner, &mut on_entry)?;
        } else {
            labels.clear();
            exemplar_labels.clear();
            let (series, name) = series(&mut scanner, &mut labels)?;
            let (value, seconds) = value_and_time(&mut scanner, "metric")?;
            let mut exemplar = None;
            if !scanner.take(b'\n') {
                if !scanner.take_all(b" # {") {
                    return Err(scanner.unexpected("expected next entry after timestamp"));
                }
                let start = scanner.at;
                scanner.labels(&mut None, true, &mut exemplar_labels)?;
                let text = start..scanner.at;
                let (value, ts_s) = value_and_time(&mut scanner, "exemplar labels")?;
                if !scanner.take(b'\n') {
                    return Err(end_or(&scanner, "expected next entry after exemplar timestamp"));
                }
                exemplar = Some(ExemplarLine { labels: &exemplar_labels, text, value, ts_s });
            }
            let ts_ms = seconds.map(milliseconds);
            on_entry(
                &scanner,
                Entry::Sample(&SampleLine { series, name, labels: &labels, value, ts_ms }, exemplar),
            )?;
        }
        scanner.check_length()?;
    }
}

fn end_or(scanner: &Scanner<'_>, expected: &str) -> WireError {
    if scanner.peek().is_none() {
        WireError::malformed("data does not end with # EOF")
    } else {
        scanner.unexpected(expected)
    }
}

fn metadata<'a>(
    scanner: &mut Scanner<'a>,
    on_entry: &mut impl FnMut(&Scanner<'a>, Entry<'_>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let keyword = ["HELP", "TYPE", "UNIT"].into_iter().find(|word| scanner.take_all(word.as_bytes()));
    let keyword = keyword
        .filter(|_| scanner.take(b' '))
        .ok_or_else(|| scanner.unexpected("expected a valid start token"))?;
    let name = scanner.quoted(true).or_else(|| scanner.name(true));
    let name = name.ok_or_else(|| end_or(scanner, &format!("expected metric name after {keyword}")))?;
    let end = scanner.at + scanner.count(|byte| byte != b'\n');
    if !scanner.take(b' ') || scanner.bytes.get(end) != Some(&b'\n') {
        return Err(WireError::malformed(format!("expected text in {keyword}")));
    }
    let rest = scanner.at..end;
    scanner.at = end + 1;
    match keyword {
        "TYPE" => {
            let text = scanner.text(&rest);
            let kind =
                kind(&text).ok_or_else(|| WireError::malformed(format!("invalid metric type {text:?}")))?;
            on_entry(scanner, Entry::Kind(&name, kind))
        }
        "HELP" => {
            if std::str::from_utf8(scanner.bytes.get(rest.clone()).unwrap_or_default()).is_err() {
                return Err(WireError::malformed(format!(
                    "help text {:?} is not a valid utf8 string",
                    scanner.text(&rest)
                )));
            }
            on_entry(scanner, Entry::Help(&name, &rest))
        }
        _ => {
            let (family, unit) = (scanner.text(&name), scanner.text(&rest));
            let named =
                unit.is_empty() || family.strip_suffix(&*unit).is_some_and(|stem| stem.ends_with('_'));
            if !named {
                return Err(WireError::malformed(format!("unit {unit:?} not a suffix of metric {family:?}")));
            }
            on_entry(scanner, Entry::Unit(&name, &rest))
        }
    }
}

fn kind(text: &str) -> Option<MetricKind> {
    match text {
        "counter" => Some(MetricKind::Counter),
        "gauge" => Some(MetricKind::Gauge),
        "histogram" => Some(MetricKind::Histogram),
        "gaugehistogram" => Some(MetricKind::GaugeHistogram),
        "summary" => Some(MetricKind::Summary),
        "info" => Some(MetricKind::Info),
        "stateset" => Some(MetricKind::StateSet),
        "unknown" => Some(MetricKind::Unknown),
        _ => None,
    }
}

/// The series' text and the range of its name.
fn series(
    scanner: &mut Scanner<'_>,
    labels: &mut Vec<LabelSpan>,
) -> Result<(Range<usize>, Range<usize>), WireError> {
    let start = scanner.at;
    let mut name = scanner.name(true);
    if scanner.take(b'{') {
        scanner.labels(&mut name, false, labels)?;
    } else if name.is_none() {
        return Err(end_or(scanner, "expected a valid start token"));
    }
    let name = name.ok_or_else(|| scanner.broken("metric name not set"))?;
    Ok((start..scanner.at, name))
}

/// ` VALUE[ SECONDS]`.
fn value_and_time(scanner: &mut Scanner<'_>, after: &str) -> Result<(f64, Option<f64>), WireError> {
    let ends = |byte| byte == b' ' || byte == b'\n';
    if !scanner.take(b' ') {
        return Err(scanner.unexpected(&format!("expected value after {after}")));
    }
    let value = scanner.float(ends)?;
    let comment = scanner.bytes.get(scanner.at..).is_some_and(|rest| rest.starts_with(b" # {"));
    if comment || scanner.peek() == Some(b'\n') {
        return Ok((value, None));
    }
    if !scanner.take(b' ') {
        return Err(end_or(scanner, "expected timestamp or comment"));
    }
    let seconds = scanner.float(ends)?;
    if !seconds.is_finite() {
        return Err(WireError::malformed(format!("invalid timestamp {}", super::format_float(seconds))));
    }
    if scanner.peek().is_none() {
        return Err(WireError::malformed("data does not end with # EOF"));
    }
    Ok((value, Some(seconds)))
}
