//! The time range of a command.

use crate::{Common, Failure};

/// Nanoseconds since the epoch, start before end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
}

const NS_PER_S: i64 = 1_000_000_000;

impl Range {
    /// From `--since`, `--from` and `--to`.
    pub(crate) fn parse(common: &Common, now_ns: i64) -> Result<Self, Failure> {
        let end_ns = match &common.to {
            Some(text) => instant(text).map_err(|error| Failure::usage(format!("--to: {error}")))?,
            None => now_ns,
        };
        let start_ns = if let Some(text) = &common.from {
            instant(text).map_err(|error| Failure::usage(format!("--from: {error}")))?
        } else {
            let back =
                duration_ns(&common.since).map_err(|error| Failure::usage(format!("--since: {error}")))?;
            end_ns.saturating_sub(back)
        };
        if start_ns >= end_ns {
            return Err(Failure::usage("the range is empty: its start is not before its end"));
        }
        Ok(Self { start_ns, end_ns })
    }

    /// Start in seconds with fraction, as the APIs take it.
    pub(crate) fn start(self) -> String {
        seconds(self.start_ns)
    }

    /// End in seconds with fraction.
    pub(crate) fn end(self) -> String {
        seconds(self.end_ns)
    }
}

/// `1700000000.123`
pub(crate) fn seconds(ns: i64) -> String {
    format!("{}.{:03}", ns.div_euclid(NS_PER_S), ns.rem_euclid(NS_PER_S) / 1_000_000)
}

/// Time of day and date in UTC, milliseconds.
pub(crate) fn shown(ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => ns.to_string(),
    }
}

fn instant(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return i64::try_from(at.as_nanosecond()).map_err(|_| format!("{text:?} is out of range"));
    }
    let wrong = || format!("{text:?} is neither RFC 3339 (2026-01-02T03:04:05Z) nor Unix seconds");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    whole.checked_mul(NS_PER_S).and_then(|ns| ns.checked_add(fraction)).ok_or_else(wrong)
}

/// `90s`, `15m`, `6h`, `7d` in nanoseconds.
fn duration_ns(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no duration: write it like 90s, 15m, 6h or 7d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: i64 = text[..at].parse().map_err(|_| wrong())?;
    let factor = match &text[at..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor * NS_PER_S).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(instant("2026-01-02T03:04:05Z"), Ok(1_767_323_045_000_000_000));
        assert_eq!(instant("17.25"), Ok(17_250_000_000));
        assert_eq!(duration_ns("15m"), Ok(900 * NS_PER_S));
        assert_eq!(seconds(1_500_000_000), "1.500");
        for text in ["", "soon", "1.2.3", "1,5", "99999999999999999999"] {
            assert!(instant(text).is_err(), "{text}");
        }
        for text in ["", "15", "m", "-5m", "5y", "99999999999999d"] {
            assert!(duration_ns(text).is_err(), "{text}");
        }
    }
}
