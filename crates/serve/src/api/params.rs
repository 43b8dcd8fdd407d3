//! Parameters that the own calls share: a time range and a window of rows.

use super::failure::Failure;
use crate::call::Params;
use crate::time::{NS_PER_MS, NS_PER_S, go_duration_ns, unix_ns};

/// How far back a call looks that names neither `start` nor `since`.
const SINCE_DEFAULT_NS: i64 = 900 * NS_PER_S;

/// Shortest range, so that a rate has something to stand on.
const RANGE_MIN_NS: i64 = 10 * NS_PER_S;

/// A time range in nanoseconds; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
}

impl Range {
    /// First and last millisecond.
    pub(crate) fn ms(self) -> (i64, i64) {
        (self.start_ns / NS_PER_MS, self.end_ns / NS_PER_MS)
    }
}

/// A time: milliseconds are not accepted, as they cannot be told from nanoseconds of 1970.
pub(crate) fn time(field: &str, text: &str) -> Result<i64, Failure> {
    unix_ns(text).ok_or_else(|| {
        Failure::field(
            field,
            format!(
                "{text:?} is no time: use RFC 3339 (2026-01-31T12:00:00Z), Unix seconds, or Unix nanoseconds"
            ),
        )
    })
}

/// `start..end`; the end is now, the start `since` (default 15m) before the end, unless said.
pub(crate) fn range(params: &Params, now_ns: i64) -> Result<Range, Failure> {
    let end_ns = params.some("end").map_or(Ok(now_ns), |text| time("end", text))?;
    let since = match params.some("since") {
        None => SINCE_DEFAULT_NS,
        Some(text) => go_duration_ns(text)
            .filter(|ns| *ns > 0)
            .ok_or_else(|| Failure::field("since", format!("{text:?} is no duration: use 15m, 2h, 1d")))?,
    };
    let start_ns =
        params.some("start").map_or(Ok(end_ns.saturating_sub(since)), |text| time("start", text))?;
    if start_ns >= end_ns {
        return Err(Failure::field("start", "start must be before end"));
    }
    Ok(Range { start_ns: start_ns.min(end_ns.saturating_sub(RANGE_MIN_NS)), end_ns })
}

/// Count `name`, at most `most`.
pub(crate) fn count(params: &Params, name: &str, default: usize, most: usize) -> Result<usize, Failure> {
    let Some(text) = params.some(name) else { return Ok(default) };
    let count: usize =
        text.parse().map_err(|_| Failure::field(name, format!("{text:?} is no count: use 0 to {most}")))?;
    Ok(count.min(most))
}
