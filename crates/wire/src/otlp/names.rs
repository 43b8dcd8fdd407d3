//! Names of OTLP metrics, attributes and units as names of series and labels, the way Prometheus' OTLP receiver makes
//! them.
//!
//! Source: the OpenTelemetry specification "Prometheus and OpenMetrics Compatibility" and the behaviour of Prometheus 3.

use crate::WireError;
use std::str::FromStr;

/// How names are translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TranslationStrategy {
    /// Other characters than letters, digits, `_` (and `:` in metric names) become `_`; unit and type suffixes are added.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// The same without suffixes.
    UnderscoreEscapingWithoutSuffixes,
    /// Names stay as they are; suffixes are added.
    NoUtf8EscapingWithSuffixes,
    /// Names stay as they are.
    NoTranslation,
}

impl TranslationStrategy {
    /// Whether names are reduced to the classic alphabet.
    #[must_use]
    pub fn escapes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes)
    }

    /// Whether unit and type suffixes are added.
    #[must_use]
    pub fn adds_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUtf8EscapingWithSuffixes)
    }
}

impl FromStr for TranslationStrategy {
    type Err = WireError;

    /// From Prometheus' `translation_strategy`.
    fn from_str(name: &str) -> Result<Self, WireError> {
        match name {
            "UnderscoreEscapingWithSuffixes" => Ok(Self::UnderscoreEscapingWithSuffixes),
            "UnderscoreEscapingWithoutSuffixes" => Ok(Self::UnderscoreEscapingWithoutSuffixes),
            "NoUTF8EscapingWithSuffixes" => Ok(Self::NoUtf8EscapingWithSuffixes),
            "NoTranslation" => Ok(Self::NoTranslation),
            other => Err(WireError::Unsupported(format!(
                "OTLP translation strategy {other:?}: use UnderscoreEscapingWithSuffixes, UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes or NoTranslation"
            ))),
        }
    }
}

/// What a metric's type adds to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    /// `_total`.
    Counter,
    /// `_ratio` when the unit is 1.
    Gauge,
    /// Nothing.
    Other,
}

const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

const PER_UNITS: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

fn spelled<'a>(table: &[(&str, &'static str)], unit: &'a str) -> &'a str {
    table.iter().find(|(short, _)| *short == unit).map_or(unit, |(_, long)| *long)
}

/// The two suffixes of a unit: `By/s` is `bytes` and `per_second`. Annotations in braces count as no unit.
fn unit_suffixes(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let plain = |part: &str| !part.is_empty() && !part.contains(['{', '}']);
    let (main, per) = (main.trim(), per.trim());
    let main = if plain(main) { spelled(UNITS, main) } else { "" };
    let per = if plain(per) { spelled(PER_UNITS, per) } else { "" };
    (main.to_owned(), if per.is_empty() { String::new() } else { format!("per_{per}") })
}

/// A unit suffix in the metric name alphabet, without doubled or leading underscores.
fn clean(unit: &str) -> String {
    let mut out = String::new();
    for char in unit.chars() {
        let char = if is_name_char(char) { char } else { '_' };
        if char != '_' || !out.ends_with('_') {
            out.push(char);
        }
    }
    out.strip_prefix('_').map(str::to_owned).unwrap_or(out)
}

/// The unit as metadata carries it.
pub(super) fn unit(unit: &str) -> String {
    let (main, per) = unit_suffixes(unit);
    let (main, per) = (clean(&main), clean(&per));
    let joined = if !main.is_empty() && !per.is_empty() { format!("{main}_{per}") } else { main + &per };
    let joined = joined.strip_prefix('_').unwrap_or(&joined);
    joined.strip_suffix('_').unwrap_or(joined).to_owned()
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == ':'
}

/// The series' name of a metric.
///
/// # Errors
/// When nothing but underscores is left of it.
pub(super) fn metric(
    strategy: TranslationStrategy,
    name: &str,
    unit: &str,
    kind: NameKind,
) -> Result<String, String> {
    let translated = match (strategy.escapes(), strategy.adds_suffixes()) {
        (true, true) => escaped_with_suffixes(name, unit, kind),
        (true, false) => {
            let parts: Vec<_> = name
                .split(|char| !is_name_char(char) && char != '_')
                .filter(|part| !part.is_empty())
                .collect();
            no_leading_digit(parts.join("_"))
        }
        (false, true) => with_suffixes(name, unit, kind),
        (false, false) => name.to_owned(),
    };
    if translated.is_empty() {
        return Err(format!("normalization for metric {name:?} resulted in empty name"));
    }
    if strategy.escapes() && translated != name && translated.bytes().all(|byte| byte == b'_') {
        return Err(format!("normalization for metric {name:?} resulted in invalid name {translated:?}"));
    }
    Ok(translated)
}

fn no_leading_digit(name: String) -> String {
    if name.starts_with(|char: char| char.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn escaped_with_suffixes(name: &str, unit: &str, kind: NameKind) -> String {
    let mut tokens: Vec<String> =
        name.split(|char| !is_name_char(char)).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let (main, per) = unit_suffixes(unit);
    let (mut main, per) = (clean(&main), clean(&per));
    let has = |tokens: &[String], suffix: &str| tokens.iter().any(|token| token == suffix);
    if has(&tokens, &main) {
        main.clear();
    }
    let mut per = if per == "per_" { "" } else { per.strip_suffix('_').unwrap_or(&per) };
    if has(&tokens, per) {
        per = "";
    }
    let main = if per.is_empty() { main.as_str() } else { main.strip_suffix('_').unwrap_or(&main) };
    tokens.extend([main, per].into_iter().filter(|suffix| !suffix.is_empty()).map(str::to_owned));
    let last = match kind {
        NameKind::Counter => Some("total"),
        NameKind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        tokens.retain(|token| token != last);
        tokens.push(last.to_owned());
    }
    no_leading_digit(tokens.join("_"))
}

fn with_suffixes(name: &str, unit: &str, kind: NameKind) -> String {
    let (main, per) = unit_suffixes(unit);
    let mut name = name;
    let mut suffixes = Vec::new();
    if unit == "1" && kind == NameKind::Gauge {
        name = without_suffix(name, "ratio");
        suffixes.push("ratio");
    }
    if kind == NameKind::Counter {
        name = without_suffix(name, "total");
        suffixes.push("total");
    }
    if !per.is_empty() {
        name = without_suffix(name, &per);
        suffixes.push(&per);
    }
    if !main.is_empty() && !name.ends_with(&main) {
        suffixes.push(&main);
    }
    suffixes.iter().rev().fold(name.to_owned(), |name, suffix| format!("{name}_{suffix}"))
}

/// `name` less `suffix` and the one character before it.
fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    match name.strip_suffix(suffix) {
        Some(stem) if stem.len() > 1 => stem.char_indices().next_back().map_or(stem, |(at, _)| &stem[..at]),
        _ => name,
    }
}

/// The label of an attribute.
///
/// # Errors
/// When the name is empty or nothing but underscores is left of it.
pub(super) fn label(strategy: TranslationStrategy, name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("label name is empty".into());
    }
    let underscores = |name: &str| name.bytes().all(|byte| byte == b'_');
    if !strategy.escapes() {
        return if underscores(name) {
            Err(format!("label name {name:?} contains only underscores"))
        } else {
            Ok(name.to_owned())
        };
    }
    let mut out: String =
        name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    if out.starts_with(|char: char| char.is_ascii_digit()) {
        out.insert_str(0, "key_");
    } else if out.starts_with('_') && !out.starts_with("__") {
        out.insert_str(0, "key");
    }
    if underscores(&out) {
        return Err(format!("normalization for label name {name:?} resulted in invalid name {out:?}"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::TranslationStrategy::{
        NoTranslation, NoUtf8EscapingWithSuffixes, UnderscoreEscapingWithSuffixes,
        UnderscoreEscapingWithoutSuffixes,
    };
    use super::*;

    #[test]
    fn metric_names() {
        use NameKind::{Counter, Gauge, Other};
        let cases = [
            (
                UnderscoreEscapingWithSuffixes,
                "http.server.duration",
                "s",
                Other,
                "http_server_duration_seconds",
            ),
            (UnderscoreEscapingWithSuffixes, "requests.total.count", "1", Counter, "requests_count_total"),
            (UnderscoreEscapingWithSuffixes, "cpu.utilization", "1", Gauge, "cpu_utilization_ratio"),
            (UnderscoreEscapingWithSuffixes, "net.io", "By/s", Gauge, "net_io_bytes_per_second"),
            (UnderscoreEscapingWithSuffixes, "net.bytes", "By", Counter, "net_bytes_total"),
            (UnderscoreEscapingWithSuffixes, "queue", "{items}", Gauge, "queue"),
            (UnderscoreEscapingWithSuffixes, "9lives", "", Other, "_9lives"),
            (UnderscoreEscapingWithSuffixes, "a__b", "", Other, "a_b"),
            (UnderscoreEscapingWithSuffixes, "rate", "{req}/m", Gauge, "rate_per_minute"),
            (UnderscoreEscapingWithSuffixes, "x", "foo bar", Gauge, "x_foo_bar"),
            (UnderscoreEscapingWithoutSuffixes, "a.b__c", "s", Counter, "a_b__c"),
            (NoUtf8EscapingWithSuffixes, "http.duration", "s", Counter, "http.duration_seconds_total"),
            (NoUtf8EscapingWithSuffixes, "http.total", "", Counter, "http_total"),
            (NoTranslation, "http.duration", "s", Counter, "http.duration"),
        ];
        for (strategy, name, unit, kind, expected) in cases {
            assert_eq!(
                metric(strategy, name, unit, kind).as_deref(),
                Ok(expected),
                "{strategy:?} {name} {unit}"
            );
        }
        assert!(metric(UnderscoreEscapingWithSuffixes, "...", "", Other).is_err());
    }

    #[test]
    fn label_names() {
        let cases = [
            ("http.method", "http_method"),
            ("9x", "key_9x"),
            ("_x", "key_x"),
            ("__x", "__x"),
            ("a..b", "a__b"),
            ("é", "key_"),
        ];
        for (name, expected) in cases {
            assert_eq!(label(UnderscoreEscapingWithSuffixes, name).as_deref(), Ok(expected), "{name}");
        }
        assert_eq!(label(NoTranslation, "http.method").as_deref(), Ok("http.method"));
        assert!(label(UnderscoreEscapingWithSuffixes, "").is_err());
        assert!(label(UnderscoreEscapingWithSuffixes, "..").is_err());
        assert!(label(NoTranslation, "__").is_err());
    }

    #[test]
    fn units() {
        for (given, expected) in
            [("s", "seconds"), ("By/s", "bytes_per_second"), ("1", ""), ("{x}", ""), ("foo bar", "foo_bar")]
        {
            assert_eq!(unit(given), expected);
        }
    }
}
