//! Histograms and floats as text, as Go's `%g` prints them.

use super::buckets::{Bucket, bounds, indexed};
use model::FloatHistogram;
use std::fmt::Write;

/// `value` as Go's `%g`: shortest digits that read back, exponent from 1e21 on and below 1e-4.
pub(crate) fn format_g(value: f64) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let (digits, exponent) = decompose(&format!("{value:e}"));
    assemble(value.is_sign_negative(), &digits, exponent, 21)
}

/// `value` as Go's `%.{precision}g`.
pub(crate) fn format_g_precision(value: f64, precision: usize) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let (digits, exponent) = decompose(&format!("{value:.*e}", precision.saturating_sub(1)));
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    assemble(value.is_sign_negative(), digits, exponent, i32::try_from(precision).unwrap_or(i32::MAX))
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// Digits without sign and point, and the exponent of the first.
fn decompose(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
    (digits, exponent.parse().unwrap_or_default())
}

fn assemble(negative: bool, digits: &str, exponent: i32, exponent_max: i32) -> String {
    let mut out = String::new();
    if negative {
        out.push('-');
    }
    if exponent < -4 || exponent >= exponent_max {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
        return out;
    }
    match usize::try_from(exponent) {
        Err(_) => {
            out.push_str("0.");
            out.push_str(&"0".repeat(exponent.unsigned_abs() as usize - 1));
            out.push_str(digits);
        }
        Ok(whole) if digits.len() <= whole + 1 => {
            out.push_str(digits);
            out.push_str(&"0".repeat(whole + 1 - digits.len()));
        }
        Ok(whole) => {
            let (before, after) = digits.split_at(whole + 1);
            out.push_str(before);
            out.push('.');
            out.push_str(after);
        }
    }
    out
}

/// `{count:2, sum:3, (0.5,1]:2}`.
pub(crate) fn describe(h: &FloatHistogram) -> String {
    let mut out = format!("{{count:{}, sum:{}", format_g(h.count), format_g(h.sum));
    let mut write_bucket = |bucket: Bucket| {
        if bucket.count != 0.0 {
            let (lower_in, upper_in) = bucket.inclusive(h);
            let (open, close) = (if lower_in { '[' } else { '(' }, if upper_in { ']' } else { ')' });
            let (lower, upper) = (format_g(bucket.lower), format_g(bucket.upper));
            let _ = write!(out, ", {open}{lower},{upper}{close}:{}", format_g(bucket.count));
        }
    };
    for (index, count) in indexed(&h.negative_spans, &h.negative_buckets).rev() {
        write_bucket(bounds(h, false, index, count));
    }
    if !h.uses_custom_buckets() {
        let (lower, upper) = (-h.zero_threshold, h.zero_threshold);
        write_bucket(Bucket { lower, upper, count: h.zero_count });
    }
    for (index, count) in indexed(&h.positive_spans, &h.positive_buckets) {
        write_bucket(bounds(h, true, index, count));
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (-2.5e-7, "-2.5e-07"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(format_g(value), expected);
        }
        assert_eq!(format_g_precision(0.123_456, 2), "0.12");
        assert_eq!(format_g_precision(123.0, 2), "1.2e+02");
        assert_eq!(format_g_precision(2.0, 2), "2");
    }
}
