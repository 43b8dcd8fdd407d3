//! `binnacle top`: the operations that take the most time, from span metrics.

use crate::listing::{Listing, ListingArgs, NamespaceArgs, show};
use crate::metrics::vector;
use crate::output::{Align, Column, Show, digits, digits_of, duration};
use crate::selector::{self, quoted};
use crate::services::{cell, text};
use crate::time::RATE_SINCE;
use crate::{Failure, Session};
use clap::Args;
use serde_json::{Value, json};

/// Calls that services answer.
const ANSWERED: &str = r#"span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER""#;
/// What tells one operation from another.
const BY: &str = "sum by (service, service_namespace, span_name)";

/// Arguments of `top`.
#[derive(Args, Debug)]
pub struct TopArgs {
    /// Only operations of this service.
    service: Option<String>,
    /// Only calls with these labels of span metrics: `service_version=2`, `status_code=STATUS_CODE_ERROR`.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// How many rows.
    #[arg(long, default_value_t = 20)]
    limit: u16,
    #[command(flatten)]
    pub(crate) listing: ListingArgs,
}

/// Prints the operations that take the most time: requests a second times mean duration.
pub(crate) async fn top(session: &Session, args: &TopArgs) -> Result<(), Failure> {
    let selector = matchers(args)?;
    show(session, &args.listing, async || {
        let range = args.listing.range.at(RATE_SINCE, session.clock.now_ns())?;
        let (window, end) = (range.window(), range.end());
        let rate = |metric: &str| format!("{BY} (rate({metric}{{{selector}}}[{window}]))");
        let busy = format!("topk({}, {} > 0)", args.limit, rate("traces_spanmetrics_latency_sum"));
        let busiest = vector(session, &busy, &end).await?;
        let rates = vector(session, &rate("traces_spanmetrics_calls_total"), &end).await?;
        let mut listing = listing(busiest, &rates, &args.listing.namespaces);
        listing.none = format!("no operation took time {}", args.listing.range.words(RATE_SINCE));
        listing.or_unknown(session, args.service.as_deref(), &args.listing.namespaces).await
    })
    .await
}

/// The matchers of the calls that are wanted.
fn matchers(args: &TopArgs) -> Result<String, Failure> {
    let mut all = vec![ANSWERED.to_owned()];
    all.extend(args.service.as_deref().map(|name| format!("service={}", quoted(name))));
    all.extend(args.listing.namespaces.wanted().map(|name| format!("service_namespace={}", quoted(name))));
    all.extend(selector::parse(args.selector.as_deref())?.iter().map(selector::Requirement::matcher));
    Ok(all.join(","))
}

/// Operations with seconds busy per second and calls per second, busiest first.
fn listing(mut busiest: Vec<(Value, f64)>, rates: &[(Value, f64)], namespaces: &NamespaceArgs) -> Listing {
    busiest.sort_by(|a, b| b.1.total_cmp(&a.1));
    let namespace = namespaces.column(busiest.iter().map(|row| text(&row.0, "service_namespace")));
    let row = |(metric, busy): &(Value, f64)| {
        let rate = rates.iter().find(|(other, _)| other == metric).map(|(_, rate)| *rate);
        let mean_s = rate.filter(|rate| *rate > 0.0).map(|rate| busy / rate);
        let thing = json!({
            "namespace": text(metric, "service_namespace"), "service": text(metric, "service"),
            "operation": text(metric, "span_name"), "busy": busy, "rate": rate, "mean_s": mean_s,
        });
        let cells = vec![
            cell(&thing, "namespace"),
            text(&thing, "service").to_owned(),
            text(&thing, "operation").to_owned(),
            digits(*busy),
            digits_of(&thing["rate"]),
            mean_s.map_or_else(|| "-".to_owned(), duration),
        ];
        (thing, cells)
    };
    Listing {
        columns: vec![
            Column("namespace", namespace, Align::Left),
            Column("service", Show::Always, Align::Left),
            Column("operation", Show::Always, Align::Left),
            Column("busy s/s", Show::Always, Align::Right),
            Column("rate/s", Show::Always, Align::Right),
            Column("mean", Show::Always, Align::Right),
        ],
        rows: busiest.iter().map(row).collect(),
        ..Listing::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::table;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TopArgs,
    }

    #[test]
    fn arguments_become_matchers() {
        let check = |words: &[&str], expected: &str| {
            let line = Line::try_parse_from([&["top"], words].concat()).expect("a command line");
            assert_eq!(matchers(&line.args).ok().as_deref(), Some(format!("{ANSWERED}{expected}").as_str()));
        };
        check(&[], "");
        check(
            &["pa\u{301}y", "-n", "shop", "-l", "service_version in (1,2)"],
            ",service=\"pa\u{301}y\",service_namespace=\"shop\",service_version=~\"1|2\"",
        );
        check(&["-A", "-n", "shop"], "");
    }

    #[test]
    fn the_busiest_operation_comes_first() {
        let metric = |name: &str| json!({"service": "web", "span_name": name});
        let busy = vec![(metric("GET /"), 0.01), (metric("POST /"), 1.5), (metric("new"), 0.001)];
        let rates = [(metric("POST /"), 3.0), (metric("GET /"), 27.1)];
        let listing = listing(busy, &rates, &NamespaceArgs::default());
        let rows: Vec<Vec<String>> = listing.rows.into_iter().map(|row| row.1).collect();
        assert_eq!(
            table(&listing.columns, &rows, false),
            "SERVICE  OPERATION  BUSY S/S  RATE/S   MEAN\n\
             web      POST /          1.5       3  500ms\n\
             web      GET /          0.01    27.1  369µs\n\
             web      new           0.001       -      -\n"
        );
    }
}
