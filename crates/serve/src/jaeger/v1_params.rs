//! The parameters of v1's search, as Jaeger's own query parser reads and refuses them.

use super::failure::Cause;
use super::find::{self, TRACES_DEFAULT};
use crate::call::Params;
use crate::time::{NS_PER_S, go_duration_ns};
use query::jaeger::TraceQuery;
use std::collections::BTreeMap;

/// How far back a search looks that names no start.
const LOOKBACK_DEFAULT_NS: i64 = 2 * 86_400 * NS_PER_S;

/// Nanoseconds per microsecond, v1's unit.
const NS_PER_US: i64 = 1_000;

/// Most tags one search may ask for.
const TAGS_MAX: usize = 100;

fn unparsable(name: &str, reason: impl std::fmt::Display) -> Cause {
    Cause::Parameter(format!("unable to parse param '{name}': {reason}"))
}

/// Microseconds `name` as nanoseconds.
fn time_us(params: &Params, name: &str, default: i64) -> Result<i64, Cause> {
    let Some(text) = params.some(name) else { return Ok(default) };
    let us: i64 = text
        .parse()
        .map_err(|_| unparsable(name, format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
    Ok(us.saturating_mul(NS_PER_US))
}

fn duration(params: &Params, name: &str) -> Result<i64, Cause> {
    let Some(text) = params.some(name) else { return Ok(0) };
    go_duration_ns(text).ok_or_else(|| unparsable(name, format!("time: invalid duration {text:?}")))
}

/// `tag=key:value` (repeated) and `tags={"key":"value"}`.
fn tags(params: &Params) -> Result<Vec<(String, String)>, Cause> {
    let mut tags = Vec::new();
    for text in params.all("tag") {
        let (key, value) = text.split_once(':').ok_or_else(|| {
            Cause::Parameter(format!("malformed 'tag' parameter, expecting key:value, received: {text}"))
        })?;
        tags.push((key.to_owned(), value.to_owned()));
    }
    for text in params.all("tags") {
        let map: BTreeMap<String, String> = serde_json::from_str(text).map_err(|error| {
            Cause::Parameter(format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}"))
        })?;
        tags.extend(map);
    }
    if tags.len() > TAGS_MAX {
        return Err(Cause::Parameter(format!("more than {TAGS_MAX} tags")));
    }
    Ok(tags)
}

/// The whole search.
pub(crate) fn search(params: &Params, now_ns: i64) -> Result<TraceQuery, Cause> {
    let service = params.get("service");
    if service.is_empty() {
        return Err(Cause::Parameter("parameter 'service' is required".into()));
    }
    let limit =
        match params.some("limit") {
            None => TRACES_DEFAULT,
            Some(text) => find::depth(text.parse().map_err(|_| {
                Cause::Parameter(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            })?)?,
        };
    let (min, max) = (duration(params, "minDuration")?, duration(params, "maxDuration")?);
    if max > 0 && max < min {
        return Err(Cause::Parameter("'maxDuration' should be greater than 'minDuration'".into()));
    }
    Ok(TraceQuery {
        service: service.to_owned(),
        operation: params.get("operation").to_owned(),
        tags: tags(params)?,
        start_ns: time_us(params, "start", now_ns.saturating_sub(LOOKBACK_DEFAULT_NS))?,
        end_ns: time_us(params, "end", now_ns)?,
        duration_min_ns: min,
        duration_max_ns: max,
        limit,
    })
}

/// `start`, `end` and `raw` of a trace by id. They must be readable and change nothing: a trace is found whenever it was,
/// and no span is adjusted.
pub(crate) fn check_trace(params: &Params) -> Result<(), Cause> {
    const BOOLS: [&str; 12] =
        ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    time_us(params, "start", 0)?;
    time_us(params, "end", 0)?;
    match params.some("raw").filter(|text| !BOOLS.contains(text)) {
        None => Ok(()),
        Some(text) => Err(unparsable("raw", format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))),
    }
}

/// `endTs` and `lookback` of the dependency call, milliseconds, as a range in nanoseconds.
pub(crate) fn dependency_range(params: &Params, now_ns: i64) -> Result<std::ops::Range<i64>, Cause> {
    const NS_PER_MS: i64 = 1_000_000;
    const LOOKBACK_DEFAULT_MS: i64 = 86_400_000;
    let number = |name: &str, default: i64| match params.some(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<i64>()
            .map_err(|_| unparsable(name, format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))),
    };
    let end_ms = number("endTs", now_ns / NS_PER_MS)?;
    let lookback_ms = number("lookback", LOOKBACK_DEFAULT_MS)?;
    let end = end_ms.saturating_add(1).saturating_mul(NS_PER_MS);
    Ok(end.saturating_sub(lookback_ms.saturating_mul(NS_PER_MS))..end)
}
