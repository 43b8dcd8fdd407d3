//! Prometheus' durations: `1h30m`, in this order and each unit once.

use std::fmt::Write;

/// Units from large to small, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `1h30m` as milliseconds.
///
/// # Errors
/// Prometheus' message, when the text is no duration or does not fit 64 bits of nanoseconds.
pub fn parse(text: &str) -> Result<i64, String> {
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let bad = || format!("not a valid duration string: {}", super::quote(text));
    let (mut rest, mut next_unit, mut total) = (text, 0, 0_u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let at = UNITS.iter().position(|(name, _)| *name == unit).filter(|at| *at >= next_unit);
        let at = at.ok_or_else(bad)?;
        let count: u64 = number.parse().map_err(|_| bad())?;
        let part = UNITS.get(at).and_then(|(_, ms)| ms.checked_mul(count));
        total = part
            .and_then(|ms| total.checked_add(ms))
            .filter(|ms| *ms <= i64::MAX as u64 / 1_000_000)
            .ok_or("duration out of range")?;
        (rest, next_unit) = (tail, at + 1);
    }
    i64::try_from(total).map_err(|_| bad())
}

/// Prints milliseconds as `1h30m`; years, weeks and days only when they divide exactly.
#[must_use]
pub fn format(duration_ms: i64) -> String {
    let mut rest = duration_ms.unsigned_abs();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if duration_ms < 0 {
        out.push('-');
    }
    for (at, (name, ms)) in UNITS.iter().enumerate() {
        let exact_only = at < 3;
        if rest / ms > 0 && (!exact_only || rest.is_multiple_of(*ms)) {
            let _ = write!(out, "{}{name}", rest / ms);
            rest %= ms;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    fn check(text: &str, expected: Result<i64, &str>) {
        assert_eq!(super::parse(text), expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn durations_have_ordered_units() {
        check("1h30m", Ok(5_400_000));
        check("1y2w3d4h5m6s7ms", Ok(33_019_506_007));
        check("30m1h", Err(r#"not a valid duration string: "30m1h""#));
        check("1h1h", Err(r#"not a valid duration string: "1h1h""#));
        check("999999y", Err("duration out of range"));
    }

    #[test]
    fn days_are_printed_only_when_exact() {
        for (ms, text) in [(0, "0s"), (86_400_000, "1d"), (90_000_000, "25h"), (-1500, "-1s500ms")] {
            assert_eq!(super::format(ms), text);
        }
    }
}
