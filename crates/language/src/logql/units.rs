//! Numbers with units as LogQL reads them, both in queries and in label values: Go durations, byte sizes, floats.

use std::borrow::Cow;
use std::fmt::Write;

/// Nanoseconds per unit of a duration literal.
const DURATION_UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
    ("y", 31_536_000_000_000_000),
];

/// Bytes per unit, lower case.
const BYTE_UNITS: &[(&str, f64)] = &[
    ("", 1.0),
    ("b", 1.0),
    ("kb", 1e3),
    ("k", 1e3),
    ("mb", 1e6),
    ("m", 1e6),
    ("gb", 1e9),
    ("g", 1e9),
    ("tb", 1e12),
    ("t", 1e12),
    ("pb", 1e15),
    ("p", 1e15),
    ("eb", 1e18),
    ("e", 1e18),
    ("kib", 1024.0),
    ("ki", 1024.0),
    ("mib", 1_048_576.0),
    ("mi", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("gi", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("ti", 1_099_511_627_776.0),
    ("pib", 1_125_899_906_842_624.0),
    ("pi", 1_125_899_906_842_624.0),
    ("eib", 1_152_921_504_606_846_976.0),
    ("ei", 1_152_921_504_606_846_976.0),
];

/// Reads `1h30m`, `-5s`, `1.5ms`: what a label value may hold (units up to `h`).
///
/// # Errors
/// Go's sentence.
pub fn parse_go_duration(text: &str) -> Result<i64, String> {
    duration(text, 8)
}

/// Reads a duration literal of a query: as [`parse_go_duration`], plus `d`, `w` and `y`.
///
/// # Errors
/// Go's sentence.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    duration(text, DURATION_UNITS.len())
}

fn duration(text: &str, units: usize) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if number.is_empty() || number == "." || fraction.contains('.') {
            return Err(invalid());
        }
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let known = DURATION_UNITS.iter().take(units).find(|(name, _)| *name == unit);
        let Some((_, scale)) = known else {
            return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)));
        };
        let ns = decimal(whole, fraction, *scale).and_then(|ns| total.checked_add(ns));
        total = ns.ok_or_else(invalid)?;
        rest = after;
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -total } else { total })
}

/// `whole.fraction * scale`, what is below one cut off; `None` when it is too large.
fn decimal(whole: &str, fraction: &str, scale: u64) -> Option<u64> {
    /// Digits of a fraction that count; the finest of a year's nanoseconds is the 17th.
    const FRACTION_DIGITS_MAX: usize = 18;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = fraction.get(..FRACTION_DIGITS_MAX.min(fraction.len()))?;
    let part: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let part = part * u128::from(scale) / 10_u128.pow(u32::try_from(digits.len()).ok()?);
    whole.checked_mul(scale)?.checked_add(u64::try_from(part).ok()?)
}

/// Reads `1KB`, `1.5 MiB`, `2,048`: case does not matter, fractions of a byte are cut.
///
/// # Errors
/// Go's sentence.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before the cast")]
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.replace(',', "");
    let value = parse_float(&number)?;
    let unit = unit.trim().to_lowercase();
    let Some((_, scale)) = BYTE_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("unhandled size name: {unit}"));
    };
    let bytes = value * scale;
    if bytes >= 18_446_744_073_709_551_615.0 {
        return Err(format!("too large: {text}"));
    }
    Ok(bytes as u64)
}

/// Reads a float as Go's `strconv.ParseFloat` does: decimal, hexadecimal with `p`, underscores between digits, `inf`, `nan`.
///
/// # Errors
/// Go's sentence.
pub fn parse_float(text: &str) -> Result<f64, String> {
    let invalid = || format!("strconv.ParseFloat: parsing {}: invalid syntax", quote(text));
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match body.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(sign * f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        hex if hex.starts_with("0x") => return hex_float(&hex[2..]).map(|v| sign * v).ok_or_else(invalid),
        _ => {}
    }
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(invalid());
    }
    let value: f64 = ungrouped(body).and_then(|body| body.parse().ok()).ok_or_else(invalid)?;
    if value.is_infinite() {
        return Err(format!("strconv.ParseFloat: parsing {}: value out of range", quote(text)));
    }
    Ok(sign * value)
}

/// Digits without the underscores between them; `None` when one stands elsewhere.
fn ungrouped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let digit = |part: &str, last: bool| {
        let edge = if last { part.bytes().last() } else { part.bytes().next() };
        edge.is_some_and(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('_').collect();
    let between = parts.windows(2).all(|pair| digit(pair[0], true) && digit(pair[1], false));
    between.then(|| Cow::Owned(parts.concat()))
}

/// `1.8p3` after the `0x`; an exponent is required.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2.0_f64.powi(exponent.checked_sub(shift)?))
}

/// A duration as Go prints it: `1h30m0s`, `1.5ms`, `0s`.
#[must_use]
pub fn go_duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let abs = ns.unsigned_abs();
    let fraction = |value: u64, scale: u64, unit: &str| {
        let (whole, rest) = (value / scale, value % scale);
        let width = scale.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        let digits = digits.trim_end_matches('0');
        if rest == 0 || width == 0 { format!("{whole}{unit}") } else { format!("{whole}.{digits}{unit}") }
    };
    let text = match abs {
        0 => return "0s".to_owned(),
        1..1_000 => format!("{abs}ns"),
        1_000..1_000_000 => fraction(abs, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(abs, 1_000_000, "ms"),
        _ => {
            let seconds = abs / 1_000_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let rest = fraction(abs % 60_000_000_000, 1_000_000_000, "s");
            match (hours, minutes) {
                (0, 0) => rest,
                (0, _) => format!("{minutes}m{rest}"),
                _ => format!("{hours}h{minutes}m{rest}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// Reads a range or step: Prometheus' duration (`1h30m`, whole numbers, units `ms` to `y` in falling order).
///
/// # Errors
/// Prometheus' sentence.
pub fn parse_range(text: &str) -> Result<i64, String> {
    const UNITS: &[(&str, i64)] = &[
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let invalid = || format!("not a valid duration string: {}", quote(text));
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let (mut rest, mut total, mut next) = (text, 0_i64, 0_usize);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: i64 = number.parse().map_err(|_| invalid())?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(invalid());
        }
        let Some(at) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("unknown unit {} in duration {}", quote(unit), quote(text)));
        };
        if at < next {
            return Err(invalid());
        }
        next = at + 1;
        let ms = UNITS.get(at).map_or(0, |(_, ms)| *ms);
        total = number.checked_mul(ms).and_then(|ms| total.checked_add(ms)).ok_or("duration out of range")?;
        rest = after;
    }
    total.checked_mul(1_000_000).ok_or_else(|| "duration out of range".to_owned())
}

/// A range as Prometheus prints it: `1h30m`, `1d`, `0s`.
#[must_use]
pub fn range_text(ns: i64) -> String {
    let ms = ns / 1_000_000;
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut rest = ms;
    let mut out = String::new();
    let exact = [("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000)];
    let always = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    for (unit, scale) in exact {
        if rest % scale == 0 && rest >= scale {
            let _ = write!(out, "{}{unit}", rest / scale);
            rest = 0;
        }
    }
    for (unit, scale) in always {
        if rest >= scale {
            let _ = write!(out, "{}{unit}", rest / scale);
            rest %= scale;
        }
    }
    out
}

/// Text in Go's quotes.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What a Go string literal (quotes included) stands for; `None` when an escape is not Go's.
#[must_use]
pub fn unquote(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        return Some(raw.replace('\r', ""));
    }
    let body = literal.strip_prefix('"')?.strip_suffix('"')?;
    if !body.contains('\\') {
        return Some(body.to_owned());
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            unescape(&mut chars, &mut bytes)?;
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Reads what follows a backslash.
fn unescape(chars: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Option<()> {
    let code = |chars: &mut std::str::Chars<'_>, first: Option<char>, digits: usize, radix: u32| {
        let mut value = first.map_or(Some(0), |c| c.to_digit(radix))?;
        for _ in 0..digits {
            value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
        }
        Some(value)
    };
    let simple = match chars.next()? {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(code(chars, None, 2, 16)?).ok()?,
        first @ '0'..='7' => u8::try_from(code(chars, Some(first), 2, 8)?).ok()?,
        kind @ ('u' | 'U') => {
            let digits = if kind == 'u' { 4 } else { 8 };
            let c = char::from_u32(code(chars, None, digits, 16)?)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(());
        }
        _ => return None,
    };
    out.push(simple);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        for (text, ns) in
            [("1h30m", 5_400_000_000_000), ("-5s", -5_000_000_000), ("1.5ms", 1_500_000), ("0", 0)]
        {
            assert_eq!(parse_go_duration(text), Ok(ns), "{text}");
        }
        for (text, error) in [
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("90", r#"time: missing unit in duration "90""#),
            ("oops", r#"time: invalid duration "oops""#),
            ("", r#"time: invalid duration """#),
        ] {
            assert_eq!(parse_go_duration(text), Err(error.into()), "{text}");
        }
        for (ns, text) in [(5_400_000_000_000, "1h30m0s"), (1_500_000, "1.5ms"), (-300_000_000_000, "-5m0s")]
        {
            assert_eq!(go_duration(ns), text);
        }
        assert_eq!(parse_range("1d").map(range_text), Ok("1d".into()));
        assert_eq!(parse_range("90s").map(range_text), Ok("1m30s".into()));
    }

    #[test]
    fn byte_sizes_ignore_case_and_commas() {
        for (text, bytes) in
            [("2Kb", 2000), ("1.5B", 1), ("2,048", 2048), ("1MiB", 1 << 20), ("3 mb", 3_000_000)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse_bytes("oops"), Err(r#"strconv.ParseFloat: parsing "": invalid syntax"#.into()));
        assert_eq!(parse_bytes("1XB"), Err("unhandled size name: xb".into()));
    }

    #[test]
    fn floats_read_as_in_go() {
        for (text, value) in [
            ("0x1p3", 8.0),
            ("0X1.8p3", 12.0),
            ("1e3", 1000.0),
            ("1_000", 1000.0),
            ("-.5", -0.5),
            ("+Inf", f64::INFINITY),
        ] {
            assert_eq!(parse_float(text), Ok(value), "{text}");
        }
        for bad in ["0o17", "0x10", "", " 1", "1__0", "_1", "e"] {
            assert!(parse_float(bad).is_err(), "{bad:?}");
        }
    }
}
