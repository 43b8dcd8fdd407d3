//! Times and durations as the peers' parameters write them. Each returns `None` for text it cannot read; the doors
//! word the refusal.

use std::str::FromStr;

/// Nanoseconds per second.
pub(crate) const NS_PER_S: i64 = 1_000_000_000;
/// Nanoseconds per millisecond.
pub(crate) const NS_PER_MS: i64 = 1_000_000;

/// Digits from which Loki and Tempo read an integer as nanoseconds rather than seconds.
const SECONDS_DIGITS_MAX: usize = 10;

/// The lowest and highest times Go's clients send for "any time".
const GO_TIME_MIN: &str = "-292273086-05-16T16:47:06Z";
const GO_TIME_MAX: &str = "292277025-08-18T07:12:54.999999999Z";

/// RFC 3339 with any number of decimals, as nanoseconds since the epoch.
pub(crate) fn rfc3339_ns(text: &str) -> Option<i64> {
    let strict = text.as_bytes().get(10) == Some(&b'T') && text.is_ascii() && !text.contains('[');
    let ns = jiff::Timestamp::from_str(text).ok().filter(|_| strict)?.as_nanosecond();
    i64::try_from(ns).ok()
}

/// Nanoseconds since the epoch as RFC 3339 in UTC with up to nine decimals.
pub(crate) fn to_rfc3339(ts_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ts_ns)).map(|time| time.to_string()).unwrap_or_default()
}

/// A finite decimal float; no `inf`, no `nan`.
fn finite(text: &str) -> Option<f64> {
    f64::from_str(text).ok().filter(|value| value.is_finite())
}

/// Rounds to the nearest integer that fits 64 bits.
fn to_i64(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9.2e18;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (value.abs() < LIMIT).then(|| value.round() as i64)
}

/// Prometheus' time: float seconds, RFC 3339, or one of its two literal extremes; milliseconds since the epoch.
pub(crate) fn prometheus_ms(text: &str) -> Option<i64> {
    match text {
        GO_TIME_MIN => return Some(i64::MIN / NS_PER_MS),
        GO_TIME_MAX => return Some(i64::MAX / NS_PER_MS),
        _ => {}
    }
    if let Some(seconds) = finite(text) {
        return to_i64(seconds * 1_000.0).map(|ms| ms.clamp(i64::MIN / NS_PER_MS, i64::MAX / NS_PER_MS));
    }
    rfc3339_ns(text).map(|ns| ns.div_euclid(NS_PER_MS))
}

/// Prometheus' duration: float seconds or `1h30m`; milliseconds.
pub(crate) fn prometheus_duration_ms(text: &str) -> Option<i64> {
    match finite(text) {
        Some(seconds) => to_i64(seconds * 1_000.0),
        None => language::promql::duration::parse(text).ok(),
    }
}

/// Loki's and Tempo's time: integer seconds (up to ten digits) or nanoseconds, float seconds, RFC 3339; nanoseconds.
pub(crate) fn unix_ns(text: &str) -> Option<i64> {
    if text.contains('.')
        && let Some(seconds) = finite(text)
    {
        return to_i64(seconds * 1_000.0)?.checked_mul(NS_PER_MS);
    }
    match i64::from_str(text) {
        Ok(seconds) if text.len() <= SECONDS_DIGITS_MAX => seconds.checked_mul(NS_PER_S),
        Ok(ns) => Some(ns),
        Err(_) => rfc3339_ns(text),
    }
}

/// Go's duration, `1h15m30.5s`, with Prometheus' `d`, `w`, `y` too; nanoseconds. A bare number has no unit: `None`.
pub(crate) fn go_duration_ns(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 10] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 6e10),
        ("h", 3.6e12),
        ("d", 8.64e13),
        ("w", 6.048e14),
        ("y", 3.1536e16),
    ];
    let (sign, mut rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
        let (unit, tail) = tail.split_at(letters);
        let (_, ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += finite(number)? * ns;
        rest = tail;
        parts += 1;
    }
    if parts == 0 { None } else { to_i64(sign * total) }
}

/// A step: float seconds or a duration; nanoseconds.
pub(crate) fn step_ns(text: &str) -> Option<i64> {
    match finite(text) {
        Some(seconds) => to_i64(seconds * 1e9),
        None => go_duration_ns(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_times() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(prometheus_ms(text), expected, "{text}");
        check("4", Some(4_000));
        check("1.5004", Some(1_500));
        check("1e3", Some(1_000_000));
        check("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781));
        check("2015-07-01T20:10:51+02:00", Some(1_435_774_251_000));
        check("2015-07-01 20:10:51Z", None);
        check("NaN", None);
        check("inf", None);
        check("", None);
        check(GO_TIME_MIN, Some(-9_223_372_036_854));
        check("1e300", None);
    }

    #[test]
    fn loki_times() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(unix_ns(text), expected, "{text}");
        check("1700000000", Some(1_700_000_000_000_000_000));
        check("1700000000000000001", Some(1_700_000_000_000_000_001));
        check("1700000000.5", Some(1_700_000_000_500_000_000));
        check("2023-11-14T22:13:20.000000001Z", Some(1_700_000_000_000_000_001));
        check("now", None);
    }

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(step_ns(text), expected, "{text}");
        check("15", Some(15 * NS_PER_S));
        check("0.5", Some(500 * NS_PER_MS));
        check("15000ms", Some(15 * NS_PER_S));
        check("1h1.5m", Some(3_690 * NS_PER_S));
        check("-1s", Some(-NS_PER_S));
        check("1", Some(NS_PER_S));
        check("1x", None);
        check("s", None);
        check("", None);
        check("1d", Some(86_400 * NS_PER_S));
    }
}
