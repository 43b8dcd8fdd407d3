//! The time range of a Loki call: `start`, `end`, `since`, `step`, with Loki's defaults.

use super::failure::Failure;
use crate::call::Params;
use crate::time::{NS_PER_MS, NS_PER_S, go_duration_ns, step_ns, unix_ns};
use query::logql::MetaRange;

/// How far back a call looks that names no start.
const SINCE_DEFAULT_NS: i64 = 3_600 * NS_PER_S;

/// Points that Loki aims at when a range query names no step.
const STEPS_DEFAULT: i64 = 250;

fn time(params: &Params, name: &str) -> Result<Option<i64>, Failure> {
    let read = |text: &str| {
        unix_ns(text).ok_or_else(|| {
            Failure::Parameter(format!("could not parse '{name}' parameter: {}", not_a_number(text)))
        })
    };
    params.some(name).map(read).transpose()
}

/// What Go's parser says of a text that is no number; Loki's clients know these words.
fn not_a_number(text: &str) -> String {
    format!("strconv.ParseInt: parsing {text:?}: invalid syntax")
}

fn not_a_duration(text: &str) -> Failure {
    Failure::Parameter(format!("cannot parse {text:?} to a valid duration"))
}

/// `start..end` of a call, nanoseconds; `end` defaults to now, `start` to `since` or an hour before the end.
pub(crate) fn bounds(params: &Params, now_ns: i64) -> Result<(i64, i64), Failure> {
    let end = time(params, "end")?.unwrap_or(now_ns);
    let since = match params.some("since") {
        None => SINCE_DEFAULT_NS,
        Some(text) => go_duration_ns(text).ok_or_else(|| {
            let what = format!("could not parse 'since' parameter: not a valid duration string: {text:?}");
            Failure::Parameter(what)
        })?,
    };
    let start = time(params, "start")?.unwrap_or_else(|| end.min(now_ns).saturating_sub(since));
    if end < start {
        return Err(Failure::Parameter("end timestamp must not be before or equal to start time".into()));
    }
    Ok((start, end))
}

/// The same for calls about streams.
pub(crate) fn meta_range(params: &Params, now_ns: i64) -> Result<MetaRange, Failure> {
    let (start_ns, end_ns) = bounds(params, now_ns)?;
    Ok(MetaRange { start_ns, end_ns })
}

/// The instant of an instant query.
pub(crate) fn instant(params: &Params, now_ns: i64) -> Result<i64, Failure> {
    match params.some("time") {
        None => Ok(now_ns),
        Some(text) => unix_ns(text).ok_or_else(|| Failure::Parameter(not_a_number(text))),
    }
}

/// `step` in milliseconds, or the one Loki would choose for the range.
pub(crate) fn step_ms(params: &Params, bounds: (i64, i64)) -> Result<i64, Failure> {
    let Some(text) = params.some("step") else {
        let seconds = bounds.1.saturating_sub(bounds.0) / NS_PER_S;
        return Ok((seconds / STEPS_DEFAULT).max(1) * 1_000);
    };
    match step_ns(text) {
        Some(ns) if ns >= NS_PER_MS => Ok(ns / NS_PER_MS),
        Some(_) => Err(Failure::Parameter(
            "zero or negative query resolution step widths are not accepted. Try a positive integer".into(),
        )),
        None => Err(not_a_duration(text)),
    }
}

/// `interval` in milliseconds, 0 when absent.
pub(crate) fn interval_ms(params: &Params) -> Result<i64, Failure> {
    let Some(text) = params.some("interval") else { return Ok(0) };
    match step_ns(text) {
        Some(ns) if ns >= 0 => Ok(ns / NS_PER_MS),
        Some(_) => Err(Failure::Parameter("interval must be >= 0".into())),
        None => Err(not_a_duration(text)),
    }
}
