//! Parameters as Prometheus reads them, refused in its words.

use super::failure::Failure;
use crate::call::Params;
use crate::time::{NS_PER_MS, prometheus_duration_ms, prometheus_ms};
use language::promql;
use model::Matcher;
use model::scan::SeriesSelect;
use query::promql::QueryOptions;
use std::time::Duration;

/// Most points per series of a range query.
const POINTS_MAX: i64 = 11_000;

/// Most selectors one request may carry.
const SELECTORS_MAX: usize = 1_000;

/// Earliest and latest time that survives the way to nanoseconds, milliseconds.
const ANY_TIME_MS: (i64, i64) = (i64::MIN / NS_PER_MS, i64::MAX / NS_PER_MS);

/// Go's `%q`, near enough for what a parameter holds.
fn quoted(text: &str) -> String {
    promql::quote(text)
}

/// Time `name`, required.
pub(crate) fn time(params: &Params, name: &str) -> Result<i64, Failure> {
    let text = params.get(name);
    prometheus_ms(text).ok_or_else(|| {
        Failure::parameter(name, format!("cannot parse {} to a valid timestamp", quoted(text)))
    })
}

/// Time `name`, or `default` when absent.
pub(crate) fn time_or(params: &Params, name: &str, default: i64) -> Result<i64, Failure> {
    let Some(text) = params.some(name) else { return Ok(default) };
    prometheus_ms(text).ok_or_else(|| {
        let reason = format!("cannot parse {} to a valid timestamp", quoted(text));
        Failure::parameter(name, format!("invalid time value for '{name}': {reason}"))
    })
}

/// A duration in milliseconds; the reason when it is none.
fn duration(text: &str) -> Result<i64, String> {
    prometheus_duration_ms(text).ok_or_else(|| format!("cannot parse {} to a valid duration", quoted(text)))
}

/// `timeout`, when the caller names one.
pub(crate) fn timeout(params: &Params) -> Result<Option<Duration>, Failure> {
    let Some(text) = params.some("timeout") else { return Ok(None) };
    let ms = duration(text).map_err(|reason| Failure::parameter("timeout", reason))?;
    Ok(Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
}

/// The engine's options: the server's lookback, or the caller's `lookback_delta`.
pub(crate) fn options(params: &Params, lookback_ms: i64) -> Result<QueryOptions, Failure> {
    let mut options = QueryOptions { lookback_ms, ..QueryOptions::default() };
    if let Some(text) = params.some("lookback_delta") {
        let ms = duration(text).map_err(|reason| {
            Failure::bad_data(format!("error parsing lookback delta duration: {reason}"))
        })?;
        if ms > 0 {
            options.lookback_ms = ms;
        }
    }
    Ok(options)
}

/// Count `name`; 0 (unlimited) when absent.
pub(crate) fn count(params: &Params, name: &str) -> Result<usize, Failure> {
    let Some(text) = params.some(name) else { return Ok(0) };
    let number: i64 = text.parse().map_err(|_| {
        Failure::parameter(name, format!("strconv.Atoi: parsing {}: invalid syntax", quoted(text)))
    })?;
    usize::try_from(number).map_err(|_| Failure::parameter(name, format!("{name} must be non-negative")))
}

/// Limit `name` of the metadata calls: `None` (unlimited) when absent or negative.
pub(crate) fn limit(params: &Params, name: &str) -> Result<Option<usize>, Failure> {
    let Some(text) = params.some(name) else { return Ok(None) };
    let number: i64 = text.parse().map_err(|_| Failure::bad_data(format!("{name} must be a number")))?;
    Ok(usize::try_from(number).ok())
}

/// Start, end and step of a range query, milliseconds.
pub(crate) fn range(params: &Params) -> Result<(i64, i64, i64), Failure> {
    let (start, end) = (time(params, "start")?, time(params, "end")?);
    if end < start {
        return Err(Failure::parameter("end", "end timestamp must not be before start time"));
    }
    let step = duration(params.get("step")).map_err(|reason| Failure::parameter("step", reason))?;
    if step <= 0 {
        return Err(Failure::parameter(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if end.saturating_sub(start) / step > POINTS_MAX {
        return Err(Failure::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ));
    }
    Ok((start, end, step))
}

/// The `query` parameter, parsed.
pub(crate) fn query(params: &Params) -> Result<promql::Expr, Failure> {
    promql::parse(params.get("query")).map_err(|error| Failure::parameter("query", error))
}

/// One selection per `match[]`; none when there is no selector, or when the range ends before it starts.
pub(crate) fn selections(params: &Params) -> Result<Vec<SeriesSelect>, Failure> {
    let (start_ms, end_ms) = meta_range(params)?;
    let mut selections = Vec::new();
    for text in params.all("match[]") {
        if selections.len() == SELECTORS_MAX {
            return Err(Failure::parameter("match[]", format!("more than {SELECTORS_MAX} selectors")));
        }
        let matchers = promql::parse_selector(text).map_err(|error| Failure::parameter("match[]", error))?;
        if matchers.iter().all(Matcher::matches_empty) {
            let reason = "match[] must contain at least one non-empty matcher";
            return Err(Failure::parameter("match[]", reason));
        }
        selections.push(SeriesSelect { matchers, start_ms, end_ms });
    }
    selections.retain(|_| start_ms <= end_ms);
    Ok(selections)
}

/// As [`selections`], with one selection of everything when there is no selector.
pub(crate) fn selections_or_all(params: &Params) -> Result<Vec<SeriesSelect>, Failure> {
    let mut selections = selections(params)?;
    let (start_ms, end_ms) = meta_range(params)?;
    if params.all("match[]").next().is_none() && start_ms <= end_ms {
        selections.push(SeriesSelect { matchers: Vec::new(), start_ms, end_ms });
    }
    Ok(selections)
}

/// `start` and `end` of a call about series: all time when absent. The end may be before the start.
pub(crate) fn meta_range(params: &Params) -> Result<(i64, i64), Failure> {
    let start = time_or(params, "start", ANY_TIME_MS.0)?;
    let end = time_or(params, "end", ANY_TIME_MS.1)?;
    Ok((start, end))
}

/// A label name from a path: `U__` names are unescaped, as Prometheus' "values" escaping scheme says.
pub(crate) fn unescape_label(name: &str) -> String {
    name.strip_prefix("U__").and_then(unescape).unwrap_or_else(|| name.to_owned())
}

/// `a__b` is `a_b`, `_2e_` is `.`; `None` for a broken escape.
fn unescape(mut rest: &str) -> Option<String> {
    const HEX_DIGITS_MAX: usize = 6;
    let mut out = String::new();
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
        } else {
            let (code, after) = rest.split_once('_')?;
            if code.len() > HEX_DIGITS_MAX {
                return None;
            }
            out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
            rest = after;
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_names_in_paths_are_unescaped() {
        let check = |name: &str, expected: &str| assert_eq!(unescape_label(name), expected);
        check("job", "job");
        check("U__http_2e_status__code", "http.status_code");
        check("U___e9_", "é");
        check("U__no_end", "U__no_end");
        check("U__bad_zz_", "U__bad_zz_");
        check("U__long_0000041_", "U__long_0000041_");
    }
}
