//! Floats and times as the peers' JSON prints them: Go's shortest decimal that reads back as the same bits.

use std::io::Write;

/// Smallest magnitude that Prometheus prints without an exponent.
const PLAIN_MIN: f64 = 1e-6;
/// First magnitude that it prints with one.
const PLAIN_MAX: f64 = 1e21;

/// Appends `value` as Prometheus' JSON does: `'f'` format, `'e'` below 1e-6 and from 1e21 on; `NaN`, `+Inf`, `-Inf`.
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    if magnitude.is_finite() && magnitude != 0.0 && !(PLAIN_MIN..PLAIN_MAX).contains(&magnitude) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        out.extend_from_slice(format!("{mantissa}e{sign}{digits:0>2}").as_bytes());
    } else {
        push_plain_float(out, value);
    }
}

/// Appends `value` in Go's `'f'` format, never with an exponent: Loki's way.
pub(crate) fn push_plain_float(out: &mut Vec<u8>, value: f64) {
    let text = match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{value}");
            return;
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// `value` as [`push_float`] prints it.
pub(crate) fn float(value: f64) -> String {
    let mut out = Vec::new();
    push_float(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}

/// Appends milliseconds as seconds: `1`, `1.500`, `-0.001`.
pub(crate) fn push_seconds(out: &mut Vec<u8>, ts_ms: i64) {
    let sign = if ts_ms < 0 { "-" } else { "" };
    let magnitude = ts_ms.unsigned_abs();
    let (seconds, rest) = (magnitude / 1_000, magnitude % 1_000);
    let _ = if rest == 0 { write!(out, "{sign}{seconds}") } else { write!(out, "{sign}{seconds}.{rest:03}") };
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    // Writing a string to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_gos() {
        let check = |value: f64, expected: &str| assert_eq!(float(value), expected);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(0.1 + 0.2, "0.30000000000000004");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(-1.5e300, "-1.5e+300");
        check(1e-6, "0.000001");
        check(9.9e-7, "9.9e-07");
        check(5e-324, "5e-324");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn times_are_seconds_with_up_to_three_decimals() {
        let check = |ts_ms: i64, expected: &str| {
            let mut out = Vec::new();
            push_seconds(&mut out, ts_ms);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(0, "0");
        check(1_500, "1.500");
        check(-1, "-0.001");
        check(1_700_000_000_010, "1700000000.010");
    }
}
