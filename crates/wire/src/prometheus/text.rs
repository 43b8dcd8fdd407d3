//! Prometheus' text format 0.0.4, as laxly as Prometheus' own scrape parser reads it.
//!
//! Source: `prometheus.io/docs/instrumenting/exposition_formats`, and the behaviour of Prometheus 3.

use super::exposition::{Builder, Exposition, ExpositionOptions, SampleLine};
use super::scanner::{Dialect, Scanner, unescape};
use crate::WireError;
use model::MetricKind;

/// Parses an exposition.
///
/// # Errors
/// At the first line that Prometheus would refuse, in its words; nothing of the exposition counts then.
pub fn parse(body: &[u8], options: &ExpositionOptions) -> Result<Exposition, WireError> {
    let mut scanner = Scanner::new(body, Dialect::Text);
    let mut builder = Builder::new(options);
    let mut labels = Vec::new();
    loop {
        scanner.entry = scanner.at;
        scanner.skip_blanks();
        match scanner.peek() {
            // A NUL byte at the start of a line ends the exposition for Prometheus too.
            None | Some(0) => return Ok(builder.finish()),
            Some(b'\n') => scanner.at += 1,
            Some(b'#') => comment(&mut scanner, &mut builder)?,
            Some(_) => {
                labels.clear();
                sample(&mut scanner, &mut builder, &mut labels)?;
            }
        }
        scanner.check_length()?;
    }
}

/// A line that begins with `#`: HELP and TYPE count, everything else is a comment.
fn comment(scanner: &mut Scanner<'_>, builder: &mut Builder) -> Result<(), WireError> {
    scanner.at += 1;
    let start = scanner.at;
    scanner.skip_blanks();
    let keyword = if scanner.at == start { None } else { keyword(scanner) };
    if let Some(keyword) = keyword {
        metadata(scanner, builder, keyword)?;
    } else {
        scanner.at += scanner.count(|byte| byte != b'\n');
    }
    end_of_line(scanner, "linebreak expected after metadata")
}

fn keyword(scanner: &mut Scanner<'_>) -> Option<&'static str> {
    let start = scanner.at;
    let word = ["HELP", "TYPE"].into_iter().find(|word| scanner.take_all(word.as_bytes()))?;
    let blanks = scanner.at;
    scanner.skip_blanks();
    if scanner.at == blanks {
        scanner.at = start;
        return None;
    }
    Some(word)
}

fn metadata(scanner: &mut Scanner<'_>, builder: &mut Builder, keyword: &str) -> Result<(), WireError> {
    let name = scanner.quoted(true).or_else(|| scanner.name(true));
    let name = name.ok_or_else(|| scanner.unexpected(&format!("expected metric name after {keyword}")))?;
    let rest = scanner.at..scanner.at + scanner.count(|byte| byte != b'\n');
    scanner.at = rest.end;
    let bytes = scanner.bytes.get(rest).unwrap_or_default();
    // A line of only blanks has no text; otherwise exactly one byte sets it apart from the name.
    let blank = bytes.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    let text = if blank { &[] } else { bytes.get(1..).unwrap_or_default() };
    let name = scanner.text(&name);
    if keyword == "TYPE" {
        let kind = kind(text);
        let invalid =
            || WireError::malformed(format!("invalid metric type {:?}", String::from_utf8_lossy(text)));
        builder.kind(&name, kind.ok_or_else(invalid)?);
        return Ok(());
    }
    let help = std::str::from_utf8(text);
    let invalid = |_| {
        WireError::malformed(format!(
            "help text {:?} is not a valid utf8 string",
            String::from_utf8_lossy(text)
        ))
    };
    builder.family(&name).help = unescape(help.map_err(invalid)?, false).into_owned();
    Ok(())
}

fn kind(text: &[u8]) -> Option<MetricKind> {
    match text {
        b"counter" => Some(MetricKind::Counter),
        b"gauge" => Some(MetricKind::Gauge),
        b"histogram" => Some(MetricKind::Histogram),
        b"summary" => Some(MetricKind::Summary),
        b"untyped" => Some(MetricKind::Unknown),
        _ => None,
    }
}

fn sample(
    scanner: &mut Scanner<'_>,
    builder: &mut Builder,
    labels: &mut Vec<super::scanner::LabelSpan>,
) -> Result<(), WireError> {
    let start = scanner.at;
    let mut name = scanner.name(true);
    let mut end = scanner.at;
    scanner.skip_blanks();
    if scanner.take(b'{') {
        scanner.labels(&mut name, false, labels)?;
        end = scanner.at;
    } else if name.is_none() {
        return Err(scanner.unexpected("expected a valid start token"));
    }
    let name = name.ok_or_else(|| scanner.broken("metric name not set"))?;
    scanner.skip_blanks();
    if matches!(scanner.peek(), None | Some(b'\n' | b'{')) {
        return Err(scanner.unexpected("expected value after metric"));
    }
    let value = scanner.float(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'{'))?;
    scanner.skip_blanks();
    let digits = scanner.at..scanner.at + scanner.count(|byte| byte.is_ascii_digit());
    let ts_ms = if digits.is_empty() {
        None
    } else {
        scanner.at = digits.end;
        let text = scanner.text(&digits);
        Some(text.parse().map_err(|_| {
            scanner.broken(&format!("strconv.ParseInt: parsing {text:?}: value out of range"))
        })?)
    };
    let expected = if ts_ms.is_some() {
        "expected next entry after timestamp"
    } else {
        "expected timestamp or new record"
    };
    end_of_line(scanner, expected)?;
    builder.sample(scanner, &SampleLine { series: start..end, name, labels, value, ts_ms })?;
    Ok(())
}

/// A line break, or the end of the exposition.
fn end_of_line(scanner: &mut Scanner<'_>, expected: &str) -> Result<(), WireError> {
    scanner.skip_blanks();
    if scanner.take(b'\n') || scanner.peek().is_none() {
        return Ok(());
    }
    Err(scanner.unexpected(expected))
}
