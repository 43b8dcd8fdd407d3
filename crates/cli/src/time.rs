//! The time range of a command.

use crate::Failure;
use clap::Args;

/// How far back a command looks that shows rates, when nobody says.
pub(crate) const RATE_SINCE: &str = "5m";
/// How far back a command looks that shows records.
pub(crate) const RECORD_SINCE: &str = "15m";

const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_MS: i64 = 1_000_000;

/// Flags that choose the time.
#[derive(Args, Clone, Debug, Default)]
pub struct RangeArgs {
    /// How far back to look [default: 15m; services, map and top: 5m].
    #[arg(long)]
    since: Option<String>,
    /// Start: RFC 3339 or Unix seconds; wins over --since.
    #[arg(long)]
    from: Option<String>,
    /// End: RFC 3339 or Unix seconds; now by default.
    #[arg(long)]
    to: Option<String>,
}

/// Nanoseconds since the epoch, start before end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
}

impl RangeArgs {
    /// The range at `now_ns`, `since` long when nobody says how long.
    pub(crate) fn at(&self, since: &str, now_ns: i64) -> Result<Range, Failure> {
        let named = |flag: &str, text: &str| {
            instant(text).map_err(|error| Failure::usage(format!("{flag}: {error}")))
        };
        let end_ns = self.to.as_deref().map_or(Ok(now_ns), |text| named("--to", text))?;
        let start_ns = if let Some(text) = &self.from {
            named("--from", text)?
        } else {
            let back = duration_ns(self.since.as_deref().unwrap_or(since))
                .map_err(|error| Failure::usage(format!("--since: {error}")))?;
            end_ns.saturating_sub(back)
        };
        if start_ns >= end_ns {
            return Err(Failure::usage("the range is empty: its start is not before its end"));
        }
        Ok(Range { start_ns, end_ns })
    }

    /// Whether a start was asked for.
    pub(crate) fn has_start(&self) -> bool {
        self.since.is_some() || self.from.is_some()
    }

    /// Whether an end was asked for, so that nothing new can come into the range.
    pub(crate) fn has_end(&self) -> bool {
        self.to.is_some()
    }

    /// The range in words, to end a sentence with.
    pub(crate) fn words(&self, since: &str) -> String {
        match (&self.from, &self.to) {
            (None, None) => format!("in the last {}", self.since.as_deref().unwrap_or(since)),
            _ => "in this range".to_owned(),
        }
    }
}

impl Range {
    /// Start in seconds with fraction, as the APIs take it.
    pub(crate) fn start(self) -> String {
        seconds(self.start_ns)
    }

    /// End in seconds with fraction.
    pub(crate) fn end(self) -> String {
        seconds(self.end_ns)
    }

    /// Its length as the window of a PromQL rate.
    pub(crate) fn window(self) -> String {
        format!("{}ms", ((self.end_ns - self.start_ns) / NS_PER_MS).max(1))
    }

    /// A step in whole seconds that gives about `points`.
    pub(crate) fn step(self, points: i64) -> String {
        format!("{}s", ((self.end_ns - self.start_ns) / NS_PER_S / points).max(1))
    }
}

/// `1700000000.123`
pub(crate) fn seconds(ns: i64) -> String {
    format!("{}.{:03}", ns.div_euclid(NS_PER_S), ns.rem_euclid(NS_PER_S) / NS_PER_MS)
}

/// Time of day and date in UTC, milliseconds.
pub(crate) fn shown(ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => ns.to_string(),
    }
}

/// RFC 3339 or Unix seconds with fraction, in nanoseconds.
pub(crate) fn instant(text: &str) -> Result<i64, String> {
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

    #[test]
    fn the_range_is_the_one_asked_for() {
        let check = |since: &str, from: &str, to: &str, expected: Option<(i64, i64)>| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let args = RangeArgs { since: some(since), from: some(from), to: some(to) };
            let got = args.at(RATE_SINCE, 1_000 * NS_PER_S).ok();
            assert_eq!(got.map(|range| (range.start_ns / NS_PER_S, range.end_ns / NS_PER_S)), expected);
        };
        check("", "", "", Some((700, 1_000)));
        check("1m", "", "", Some((940, 1_000)));
        check("1m", "", "500", Some((440, 500)));
        check("1m", "100", "500", Some((100, 500)));
        check("", "500", "", Some((500, 1_000)));
        check("", "500", "500", None);
        check("0s", "", "", None);
    }

    #[test]
    fn a_range_gives_window_step_and_words() {
        let range = Range { start_ns: 0, end_ns: 3_000 * NS_PER_S };
        assert_eq!(
            (range.window(), range.step(60), range.step(9_000)),
            ("3000000ms".into(), "50s".into(), "1s".into())
        );
        let since = RangeArgs { since: Some("1h".into()), ..RangeArgs::default() };
        assert_eq!(RangeArgs::default().words(RATE_SINCE), "in the last 5m");
        assert_eq!(since.words(RATE_SINCE), "in the last 1h");
        assert_eq!(RangeArgs { from: Some("1".into()), ..since }.words(RATE_SINCE), "in this range");
    }
}
