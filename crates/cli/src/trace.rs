//! `binnacle traces` searches with TraceQL, `binnacle trace ID` draws a waterfall.

mod waterfall;

use crate::listing::{Listing, ListingArgs, show};
use crate::output::{Align, Column, Show, duration, write};
use crate::selector::{self, Requirement, quoted};
use crate::time::{RECORD_SINCE, shown};
use crate::{Common, Failure, Session};
use clap::Args;
use futures::{StreamExt, stream};
use serde_json::Value;

/// A duration of whole milliseconds has three digits from here on; shorter ones are asked for in nanoseconds.
const EXACT_BELOW_MS: f64 = 100.0;
/// Traces whose durations are asked for at the same time.
const ASKED_AT_ONCE: usize = 8;

/// Arguments of `traces`.
#[derive(Args, Debug)]
pub struct SearchArgs {
    /// TraceQL; everything when left out.
    traceql: Option<String>,
    /// Only traces through this service.
    #[arg(long)]
    service: Option<String>,
    /// Only traces at least this long (300ms, 2s).
    #[arg(long)]
    min_duration: Option<String>,
    /// Only traces with these resource attributes: `name=value`, `name!=value`, `name in (a,b)`, separated by commas.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    pub(crate) listing: ListingArgs,
}

/// Arguments of `trace`.
#[derive(Args, Debug)]
pub struct TraceArgs {
    /// Trace id in hex; leading zeros may be missing.
    id: String,
    /// Columns of the drawing.
    #[arg(long, env = "COLUMNS", default_value_t = 120)]
    width: u16,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Prints the newest matching traces.
pub(crate) async fn search(session: &Session, args: &SearchArgs) -> Result<(), Failure> {
    let query = traceql(args)?;
    let limit = args.limit.to_string();
    show(session, &args.listing, async || {
        let range = args.listing.range.at(RECORD_SINCE, session.clock.now_ns())?;
        let start = range.start_ns.div_euclid(1_000_000_000).to_string();
        let end = (range.end_ns.div_euclid(1_000_000_000) + 1).to_string();
        let mut params = vec![("q", query.as_str()), ("start", &start), ("end", &end), ("limit", &limit)];
        params.extend(args.min_duration.as_deref().map(|least| ("minDuration", least)));
        let answer = session.client.get("/tempo/api/search", &params).await?;
        let found = answer["traces"].as_array().cloned().unwrap_or_default();
        let took: Vec<String> = if session.output.is_data() {
            vec![String::new(); found.len()]
        } else {
            stream::iter(&found).map(|trace| took(session, trace)).buffered(ASKED_AT_ONCE).collect().await
        };
        Ok(Listing {
            columns: vec![
                Column("trace", Show::Always, Align::Left),
                Column("start", Show::Always, Align::Left),
                Column("duration", Show::Always, Align::Right),
                Column("spans", Show::Always, Align::Right),
                Column("errors", Show::Always, Align::Right),
                Column("root", Show::Always, Align::Left),
                Column("services", Show::Wide, Align::Right),
            ],
            rows: found.into_iter().zip(took).map(|(trace, took)| row(trace, took)).collect(),
            none: format!("no trace matches {}", args.listing.range.words(RECORD_SINCE)),
            ..Listing::default()
        })
    })
    .await
}

/// TraceQL of the arguments.
fn traceql(args: &SearchArgs) -> Result<String, Failure> {
    let mut conditions: Vec<String> = Vec::new();
    conditions
        .extend(args.service.as_deref().map(|name| format!("resource.service.name = {}", quoted(name))));
    conditions.extend(args.listing.namespaces.wanted().map(|name| {
        let each = ["service.namespace", "k8s.namespace.name"]
            .map(|attribute| format!("resource.{attribute} = {}", quoted(name)));
        format!("({})", each.join(" || "))
    }));
    conditions.extend(selector::parse(args.selector.as_deref())?.iter().map(Requirement::condition));
    match &args.traceql {
        Some(query) if conditions.is_empty() => Ok(query.clone()),
        Some(_) => Err(Failure::usage("give TraceQL, or --service, -n and -l, not both")
            .hint("-A leaves BINNACLE_NAMESPACE out")),
        None if conditions.is_empty() => Ok("{}".to_owned()),
        None => Ok(format!("{{ {} }}", conditions.join(" && "))),
    }
}

/// How long a found trace took. A search answers in whole milliseconds; of a short trace the exact time is asked for.
async fn took(session: &Session, trace: &Value) -> String {
    let ms = trace["durationMs"].as_f64().unwrap_or(0.0);
    if ms >= EXACT_BELOW_MS {
        return duration(ms / 1e3);
    }
    let path = format!("/api/binnacle/v1/traces/{}", trace["traceID"].as_str().unwrap_or_default());
    let exact = session.client.get(&path, &[("limit", "0")]).await.ok();
    match exact.and_then(|answer| answer["durationNs"].as_f64()) {
        Some(ns) => duration(ns / 1e9),
        // Gone since the search: what the search said of it.
        None if ms < 1.0 => "<1ms".to_owned(),
        None => duration(ms / 1e3),
    }
}

fn row(trace: Value, took: String) -> (Value, Vec<String>) {
    let text = |key: &str| trace[key].as_str().unwrap_or_default();
    let start = text("startTimeUnixNano").parse().map_or_else(|_| String::new(), shown);
    let stats: Vec<&Value> =
        trace["serviceStats"].as_object().into_iter().flat_map(|stats| stats.values()).collect();
    let sum = |key: &str| stats.iter().map(|stat| stat[key].as_u64().unwrap_or(0)).sum::<u64>().to_string();
    let cells = vec![
        text("traceID").to_owned(),
        start,
        took,
        sum("spanCount"),
        sum("errorCount"),
        format!("{} {}", text("rootServiceName"), text("rootTraceName")),
        stats.len().to_string(),
    ];
    (trace, cells)
}

/// Draws one trace.
pub(crate) async fn trace(session: &Session, args: &TraceArgs) -> Result<(), Failure> {
    let id: model::TraceId = args
        .id
        .parse()
        .map_err(|_| Failure::usage(format!("{:?} is not a trace id: 1 to 32 hex digits", args.id)))?;
    let answer = session.client.get(&format!("/tempo/api/v2/traces/{id}"), &[]).await?;
    if session.output.is_data() {
        return session.output.data(&answer["trace"]);
    }
    if answer["status"] == "PARTIAL" {
        eprintln!(
            "warning: spans are missing: {}",
            answer["message"].as_str().unwrap_or("the answer is partial")
        );
    }
    let spans = waterfall::read(&answer["trace"]);
    if spans.is_empty() {
        return Err(Failure::new(format!("trace {id} has no spans")));
    }
    write(&waterfall::draw(&spans, usize::from(args.width).clamp(60, 400)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SearchArgs,
    }

    #[test]
    fn arguments_become_traceql() {
        let check = |words: &[&str], expected: Option<&str>| {
            let line = Line::try_parse_from([&["traces"], words].concat()).expect("a command line");
            assert_eq!(traceql(&line.args).ok().as_deref(), expected, "{words:?}");
        };
        check(&[], Some("{}"));
        check(&["{ a }"], Some("{ a }"));
        check(&["--service", "a\"b"], Some(r#"{ resource.service.name = "a\"b" }"#));
        check(
            &["-n", "shop", "-l", "env=a"],
            Some(
                r#"{ (resource.service.namespace = "shop" || resource.k8s.namespace.name = "shop") && (resource."env" = "a") }"#,
            ),
        );
        check(&["{ a }", "-n", "shop", "-A"], Some("{ a }"));
        for both in [&["--service", "x"], &["-n", "x"], &["-l", "x"]] {
            check(&[&["{ a }"], &both[..]].concat(), None);
        }
    }
}
