//! Floats as Prometheus reads and prints them.

/// Parses what Go's `strconv.ParseFloat` takes, less hexadecimal and underscores: a value out of range is an error, and a
/// sign may stand before infinity but not before NaN.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let named = !text.bytes().any(|byte| byte.is_ascii_digit());
    if value.is_infinite() && !named {
        return None;
    }
    if value.is_nan() {
        return (text.len() == 3).then_some(f64::from_bits(NORMAL_NAN_BITS));
    }
    Some(value)
}

/// The NaN that Prometheus stores for any NaN it reads from text.
const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// Prints a float as `OpenMetrics` wants it in `le` and `quantile`: shortest digits that read back the same, always
/// with a point or an exponent, exponent form below 1e-4 and from 1e6 on.
#[must_use]
pub fn format_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1", 1.0),
            ("+1.5e3", 1500.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-Inf", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
        ] {
            assert_eq!(parse_float(text), Some(expected), "{text}");
        }
        assert!(parse_float("nAn").is_some_and(f64::is_nan));
        for text in ["", "+NaN", "-nan", "1e999", "0x1p-3", "0x10", "1_000", "1e", "e1", " 1", "1 ", "1\r"] {
            assert_eq!(parse_float(text).map(f64::to_bits), None, "{text:?}");
        }
    }

    #[test]
    fn bounds_are_printed_canonically() {
        let cases = [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (0.5, "0.5"),
            (1e-5, "1e-05"),
            (1e5, "100000.0"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-07"),
            (f64::INFINITY, "+Inf"),
            (-2.0, "-2.0"),
        ];
        for (value, expected) in cases {
            assert_eq!(format_float(value), expected);
        }
    }
}
