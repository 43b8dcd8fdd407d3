//! Parameters as Tempo reads them: times in seconds (or nanoseconds), durations in Go's form, tags in logfmt.

use super::failure::Failure;
use crate::call::Params;
use crate::time::{NS_PER_S, go_duration_ns, step_ns, unix_ns};
use query::traceql;

/// How far back a metrics call looks that names no start.
pub(crate) const SINCE_DEFAULT_NS: i64 = 3_600 * NS_PER_S;

/// Intervals a metrics call without a step gets, about.
const STEPS_DEFAULT: i64 = 100;

/// Most intervals of a metrics answer.
const POINTS_MAX: i64 = 11_000;

fn time(params: &Params, name: &str) -> Result<Option<i64>, Failure> {
    let read = |text: &str| {
        unix_ns(text).filter(|ns| *ns >= 0).ok_or_else(|| {
            Failure::Parameter(format!("invalid {name}: must be a Unix timestamp, not {text:?}"))
        })
    };
    params.some(name).map(read).transpose()
}

/// `start..end` in nanoseconds; all time when a side is absent.
pub(crate) fn range(params: &Params) -> Result<(i64, i64), Failure> {
    let (start, end) = (time(params, "start")?, time(params, "end")?);
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        let seconds = |ns: i64| ns / NS_PER_S;
        return Err(Failure::Parameter(format!(
            "http parameter start must be before end. received start={} end={}",
            seconds(start),
            seconds(end)
        )));
    }
    Ok((start.unwrap_or(0), end.unwrap_or(i64::MAX)))
}

/// `start..end` of a metrics call: the last hour, or `since`, when absent.
pub(crate) fn metrics_range(params: &Params, now_ns: i64) -> Result<(i64, i64), Failure> {
    let since = duration(params, "since")?.unwrap_or(SINCE_DEFAULT_NS);
    past(time(params, "start")?, time(params, "end")?.unwrap_or(now_ns), since)
}

/// The range that ends at `end` and goes back by `since` when it has no start.
pub(crate) fn past(start: Option<i64>, end: i64, since: i64) -> Result<(i64, i64), Failure> {
    let start = start.unwrap_or_else(|| end.saturating_sub(since));
    if start >= end {
        return Err(Failure::Parameter("end must be greater than start".into()));
    }
    Ok((start, end))
}

/// `step` in nanoseconds, or one that gives about [`STEPS_DEFAULT`] whole-second intervals.
pub(crate) fn step(params: &Params, range: (i64, i64)) -> Result<i64, Failure> {
    let read = |text: &str| {
        step_ns(text).filter(|ns| *ns > 0).ok_or_else(|| {
            Failure::Parameter(format!("invalid step: must be a positive duration, not {text:?}"))
        })
    };
    checked_step(params.some("step").map(read).transpose()?, range)
}

/// `step`, or the default, unless it cuts the range into too many intervals.
pub(crate) fn checked_step(step: Option<i64>, (start, end): (i64, i64)) -> Result<i64, Failure> {
    let width = end.saturating_sub(start);
    let step = step.unwrap_or_else(|| (width / STEPS_DEFAULT / NS_PER_S).max(1) * NS_PER_S);
    if width / step > POINTS_MAX {
        return Err(Failure::Parameter(format!(
            "the range has more than {POINTS_MAX} intervals: raise step or shorten the range"
        )));
    }
    Ok(step)
}

/// Duration `name`, nanoseconds.
fn duration(params: &Params, name: &str) -> Result<Option<i64>, Failure> {
    let read = |text: &str| {
        go_duration_ns(text)
            .ok_or_else(|| Failure::Parameter(format!("invalid {name}: time: invalid duration {text:?}")))
    };
    params.some(name).map(read).transpose()
}

/// Count `name`, at most `most`; `default` when absent.
pub(crate) fn count(params: &Params, name: &str, default: usize, most: usize) -> Result<usize, Failure> {
    let Some(text) = params.some(name) else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(count) if count > 0 => Ok(count.min(most)),
        _ => Err(Failure::Parameter(format!("invalid {name}: must be a positive number"))),
    }
}

/// The TraceQL of a search: `q`, or what `tags`, `minDuration` and `maxDuration` stand for.
pub(crate) fn search_query(params: &Params) -> Result<String, Failure> {
    let (min, max) = (duration(params, "minDuration")?, duration(params, "maxDuration")?);
    if let (Some(min), Some(max)) = (min, max)
        && max <= min
    {
        return Err(Failure::Parameter("invalid maxDuration: must be greater than minDuration".into()));
    }
    match (params.some("q"), params.some("tags")) {
        (Some(_), Some(_)) => {
            Err(Failure::Parameter("invalid request: can't specify tags and q in the same query".into()))
        }
        (Some(q), None) => Ok(q.to_owned()),
        (None, tags) => {
            let tags = logfmt(tags.unwrap_or_default()).ok_or_else(|| {
                Failure::Parameter("invalid tags: must be logfmt, like service.name=shop".into())
            })?;
            Ok(traceql::query_of_tags(&tags, min, max))
        }
    }
}

/// `a=b c="d e"` as pairs; `None` for a pair without `=` or an open quote.
fn logfmt(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

/// The text up to the closing quote, escapes undone, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_logfmt() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let owned =
                |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            assert_eq!(logfmt(text), expected.map(owned), "{text}");
        };
        check("", Some(&[]));
        check(" a=b  c.d=\"e \\\"f\" g=", Some(&[("a", "b"), ("c.d", "e \"f"), ("g", "")]));
        check("a", None);
        check("a=\"b", None);
        check("=b", None);
    }
}
