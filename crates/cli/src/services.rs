//! `binnacle services`: every service that the server knows, with its numbers over the range, worst first.
//!
//! What the server has no number for is shown as `-`: no data is not zero. Quantiles come from the buckets of span
//! metrics, so below the first bound and above the last only the bound is known, and that is what is shown.

use crate::listing::{Listing, ListingArgs, incomplete, named, show};
use crate::output::{Align, Column, Show, digits, digits_of, duration};
use crate::time::{RATE_SINCE, shown};
use crate::{Failure, Session};
use clap::Args;
use serde_json::Value;
use std::cmp::Ordering;

/// First and last bound of the buckets that quantiles are estimated from, in milliseconds.
const BOUNDS_MS: (f64, f64) = (2.0, 32_768.0);

/// Arguments of `services`.
#[derive(Args, Debug)]
pub struct ServiceArgs {
    /// Only these services.
    names: Vec<String>,
    #[command(flatten)]
    pub(crate) listing: ListingArgs,
}

/// Prints services, worst first.
pub(crate) async fn services(session: &Session, args: &ServiceArgs) -> Result<(), Failure> {
    show(session, &args.listing, async || {
        let range = args.listing.range.at(RATE_SINCE, session.clock.now_ns())?;
        let (start, end) = (range.start(), range.end());
        let mut params = vec![("start", start.as_str()), ("end", end.as_str())];
        params.extend(args.listing.namespaces.wanted().map(|namespace| ("namespace", namespace)));
        let answer = session.client.get("/api/binnacle/v1/services", &params).await?;
        Ok(listing(&answer, args))
    })
    .await
}

/// A text of an answer; empty when it has none.
pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

/// A text of an answer as a cell; `-` when it has none.
pub(crate) fn cell(row: &Value, key: &str) -> String {
    Some(text(row, key)).filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

fn listing(answer: &Value, args: &ServiceArgs) -> Listing {
    let all = answer["services"].as_array().map_or(&[][..], Vec::as_slice);
    let is = |row: &Value, name: &String| text(row, "name") == name;
    let wanted = |row: &&Value| args.names.is_empty() || args.names.iter().any(|name| is(row, name));
    let mut found: Vec<&Value> = all.iter().filter(wanted).collect();
    found.sort_by(|a, b| worse(a, b));
    let namespace = args.listing.namespaces.column(found.iter().map(|row| text(row, "namespace")));
    let silent: Vec<&str> =
        found.iter().filter(|row| row["rate"].is_null()).map(|row| text(row, "name")).collect();
    let words = args.listing.range.words(RATE_SINCE);
    let mut notes = incomplete(answer);
    if !silent.is_empty() {
        notes.push(format!("not enough data: too few calls answered {words} by {}", named(&silent)));
    }
    Listing {
        columns: vec![
            Column("namespace", namespace, Align::Left),
            Column("service", Show::Always, Align::Left),
            Column("rate/s", Show::Always, Align::Right),
            Column("errors %", Show::Always, Align::Right),
            Column("p50", Show::Wide, Align::Right),
            Column("p95", Show::Always, Align::Right),
            Column("p99", Show::Wide, Align::Right),
            Column("version", Show::Always, Align::Left),
            Column("pods", Show::Wide, Align::Right),
            Column("last seen", Show::Wide, Align::Left),
        ],
        rows: found.into_iter().map(|row| (row.clone(), cells(row))).collect(),
        none: match args.listing.namespaces.wanted() {
            Some(namespace) => format!("no service of namespace {namespace} has sent spans"),
            None => "no service has sent spans".to_owned(),
        },
        notes,
        unknown: args.names.iter().filter(|name| !all.iter().any(|row| is(row, name))).cloned().collect(),
    }
}

/// More errors first, then slower, then by name; what has no numbers comes last.
fn worse(a: &Value, b: &Value) -> Ordering {
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap_or(-1.0);
    let by = |key: &str| number(b, key).total_cmp(&number(a, key));
    by("errorRatio").then_with(|| by("p95Ms")).then_with(|| text(a, "name").cmp(text(b, "name")))
}

fn cells(row: &Value) -> Vec<String> {
    let seen = row["lastSeenMs"].as_i64().map_or_else(String::new, |ms| shown(ms.saturating_mul(1_000_000)));
    vec![
        cell(row, "namespace"),
        text(row, "name").to_owned(),
        digits_of(&row["rate"]),
        failed(row),
        quantile(&row["p50Ms"]),
        quantile(&row["p95Ms"]),
        quantile(&row["p99Ms"]),
        cell(row, "version"),
        row["pods"].as_u64().filter(|pods| *pods > 0).map_or_else(|| "-".to_owned(), |pods| pods.to_string()),
        seen,
    ]
}

/// Failed calls of a hundred; `-` when there was no call.
pub(crate) fn failed(row: &Value) -> String {
    match (row["rate"].as_f64(), row["errorRatio"].as_f64()) {
        (Some(rate), Some(ratio)) if rate > 0.0 => digits(ratio * 100.0),
        _ => "-".to_owned(),
    }
}

/// A quantile in milliseconds as it is known: `-`, at most the first bound, an estimate, above the last bound.
pub(crate) fn quantile(ms: &Value) -> String {
    let shown = |ms: f64| duration(ms / 1_000.0);
    match ms.as_f64() {
        None => "-".to_owned(),
        Some(ms) if ms <= BOUNDS_MS.0 => format!("≤{}", shown(BOUNDS_MS.0)),
        Some(ms) if ms >= BOUNDS_MS.1 => format!(">{}", shown(BOUNDS_MS.1)),
        Some(ms) => shown(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::table;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServiceArgs,
    }

    fn answer() -> Value {
        let row = |namespace: &str, name: &str, numbers: [Option<f64>; 3]| {
            json!({"namespace": namespace, "name": name, "rate": numbers[0], "errorRatio": numbers[1],
                   "p50Ms": numbers[2], "p95Ms": numbers[2], "p99Ms": null, "version": "1", "lastSeenMs": 0})
        };
        json!({"missing": [], "services": [
            row("shop", "fast", [Some(2.0), Some(0.0), Some(1.9)]),
            row("shop", "silent", [None, None, None]),
            row("shop", "idle", [Some(0.0), Some(0.0), None]),
            row("shop", "bad", [Some(0.5), Some(1.0), Some(40_000.0)]),
            row("", "slow", [Some(1.0), Some(0.0), Some(212.4)]),
        ]})
    }

    fn check(words: &[&str], expected: &str, note: Option<&str>, unknown: &[&str]) {
        let line = Line::try_parse_from([&["services"], words].concat()).expect("a command line");
        let listing = listing(&answer(), &line.args);
        let rows: Vec<Vec<String>> = listing.rows.into_iter().map(|row| row.1).collect();
        assert_eq!(table(&listing.columns, &rows, false), expected);
        assert_eq!(listing.notes.first().map(String::as_str), note);
        assert_eq!(listing.unknown, unknown);
    }

    #[test]
    fn every_service_has_a_row_and_no_data_is_not_zero() {
        check(
            &["--since", "1h"],
            "NAMESPACE  SERVICE  RATE/S  ERRORS %     P95  VERSION\n\
             shop       bad         0.5       100  >32.8s  1\n\
             -          slow          1         0   212ms  1\n\
             shop       fast          2         0    ≤2ms  1\n\
             shop       idle          0         -       -  1\n\
             shop       silent        -         -       -  1\n",
            Some("not enough data: too few calls answered in the last 1h by silent"),
            &[],
        );
    }

    #[test]
    fn names_choose_and_unknown_names_are_told() {
        check(
            &["nope", "fast"],
            "SERVICE  RATE/S  ERRORS %   P95  VERSION\nfast          2         0  ≤2ms  1\n",
            None,
            &["nope"],
        );
    }
}
