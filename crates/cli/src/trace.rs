//! `binnacle traces` searches with TraceQL, `binnacle trace ID` draws a waterfall.

mod waterfall;

use crate::output::{Align, Column, Show, digits, duration, write};
use crate::time::shown;
use crate::{Failure, Session};
use clap::Args;
use serde_json::Value;

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
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// Arguments of `trace`.
#[derive(Args, Debug)]
pub struct TraceArgs {
    /// Trace id in hex; leading zeros may be missing.
    id: String,
    /// Columns of the drawing.
    #[arg(long, env = "COLUMNS", default_value_t = 120)]
    width: u16,
}

/// Prints the newest matching traces.
pub(crate) async fn search(session: &Session, args: &SearchArgs) -> Result<(), Failure> {
    let query = match (&args.traceql, &args.service) {
        (Some(query), None) => query.clone(),
        (None, Some(service)) => format!("{{ resource.service.name = {} }}", Value::from(service.as_str())),
        (None, None) => "{}".to_owned(),
        (Some(_), Some(_)) => return Err(Failure::usage("give TraceQL or --service, not both")),
    };
    let limit = args.limit.to_string();
    let start = session.range.start_ns.div_euclid(1_000_000_000).to_string();
    let end = (session.range.end_ns.div_euclid(1_000_000_000) + 1).to_string();
    let mut params = vec![("q", query.as_str()), ("start", &start), ("end", &end), ("limit", &limit)];
    if let Some(duration) = &args.min_duration {
        params.push(("minDuration", duration));
    }
    let answer = session.client.get("/tempo/api/search", &params).await?;
    let found = answer["traces"].as_array().cloned().unwrap_or_default();
    let columns = [
        Column("trace", Show::Always, Align::Left),
        Column("start", Show::Always, Align::Left),
        Column("duration", Show::Always, Align::Right),
        Column("spans", Show::Always, Align::Right),
        Column("errors", Show::Always, Align::Right),
        Column("root", Show::Always, Align::Left),
        Column("services", Show::Wide, Align::Right),
    ];
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    session.output.print(&Value::Array(found), &columns, &rows, "no trace matches in this range")
}

#[expect(clippy::cast_precision_loss, reason = "counts of spans are small")]
fn row(trace: &Value) -> Vec<String> {
    let text = |key: &str| trace[key].as_str().unwrap_or_default();
    let start = text("startTimeUnixNano").parse().map_or_else(|_| String::new(), shown);
    let stats: Vec<&Value> =
        trace["serviceStats"].as_object().into_iter().flat_map(|stats| stats.values()).collect();
    let sum =
        |key: &str| digits(stats.iter().map(|stat| stat[key].as_u64().unwrap_or(0)).sum::<u64>() as f64);
    vec![
        text("traceID").to_owned(),
        start,
        duration(trace["durationMs"].as_f64().unwrap_or(0.0) / 1000.0),
        sum("spanCount"),
        sum("errorCount"),
        format!("{} {}", text("rootServiceName"), text("rootTraceName")),
        stats.len().to_string(),
    ]
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
