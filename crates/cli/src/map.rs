//! `binnacle map`: who calls whom, with the numbers of every edge.

use crate::listing::{Listing, ListingArgs, incomplete, known_services, show};
use crate::output::{Align, Column, Show, digits_of};
use crate::services::{cell, failed, quantile, text};
use crate::time::RATE_SINCE;
use crate::{Failure, Session};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeSet;

/// Arguments of `map`.
#[derive(Args, Debug)]
pub struct MapArgs {
    /// Only edges from or to this service.
    service: Option<String>,
    #[command(flatten)]
    pub(crate) listing: ListingArgs,
}

/// Prints edges of the service graph, by client and server.
pub(crate) async fn map(session: &Session, args: &MapArgs) -> Result<(), Failure> {
    show(session, &args.listing, async || {
        let range = args.listing.range.at(RATE_SINCE, session.clock.now_ns())?;
        let (start, end) = (range.start(), range.end());
        let mut params = vec![("start", start.as_str()), ("end", end.as_str())];
        params.extend(args.service.as_deref().map(|service| ("service", service)));
        let answer = session.client.get("/api/binnacle/v1/map", &params).await?;
        let inside = match args.listing.namespaces.wanted() {
            Some(namespace) => Some(known_services(session, Some(namespace)).await?),
            None => None,
        };
        let mut listing = listing(&answer, inside.as_ref());
        listing.none = format!("no call was seen {}", args.listing.range.words(RATE_SINCE));
        listing.or_unknown(session, args.service.as_deref(), &args.listing.namespaces).await
    })
    .await
}

/// The edges that carried calls; of those that touch one of `inside`, when there is such a set.
fn listing(answer: &Value, inside: Option<&BTreeSet<String>>) -> Listing {
    let ends = |edge: &Value| (text(edge, "client").to_owned(), text(edge, "server").to_owned());
    let touches = |edge: &&Value| {
        let (client, server) = ends(edge);
        inside.is_none_or(|inside| inside.contains(&client) || inside.contains(&server))
    };
    let edges = answer["edges"].as_array().into_iter().flatten();
    let mut edges: Vec<&Value> =
        edges.filter(touches).filter(|edge| edge["rate"].as_f64().is_some_and(|rate| rate > 0.0)).collect();
    edges.sort_by_cached_key(|edge| ends(edge));
    let cells = |edge: &Value| {
        vec![
            text(edge, "client").to_owned(),
            text(edge, "server").to_owned(),
            digits_of(&edge["rate"]),
            failed(edge),
            quantile(&edge["p50Ms"]),
            quantile(&edge["p95Ms"]),
            cell(edge, "connectionType"),
        ]
    };
    let mut notes = incomplete(answer);
    if let Some(folded) = answer["edgesFolded"].as_u64().filter(|folded| *folded > 0) {
        notes.push(format!("{folded} edges with the fewest calls are left out; name a service"));
    }
    Listing {
        columns: vec![
            Column("client", Show::Always, Align::Left),
            Column("server", Show::Always, Align::Left),
            Column("rate/s", Show::Always, Align::Right),
            Column("errors %", Show::Always, Align::Right),
            Column("p50", Show::Wide, Align::Right),
            Column("p95", Show::Always, Align::Right),
            Column("kind", Show::Wide, Align::Left),
        ],
        rows: edges.into_iter().map(|edge| (edge.clone(), cells(edge))).collect(),
        notes,
        ..Listing::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::table;
    use serde_json::json;

    #[test]
    fn edges_with_calls_stand_by_name() {
        let edge = |client: &str, server: &str, rate: f64| json!({"client": client, "server": server, "rate": rate, "errorRatio": 0.5, "p95Ms": 30, "connectionType": ""});
        let answer = json!({"edgesFolded": 3, "missing": ["a part"], "edges": [
            edge("web", "pay", 2.0), edge("user", "web", 1.0), edge("pay", "db", 0.0), edge("a", "b", 1.0),
        ]});
        let inside = BTreeSet::from(["web".to_owned()]);
        let check = |inside: Option<&BTreeSet<String>>, expected: &str| {
            let listing = listing(&answer, inside);
            let rows: Vec<Vec<String>> = listing.rows.into_iter().map(|row| row.1).collect();
            assert_eq!(table(&listing.columns, &rows, false), expected);
            assert_eq!(listing.notes.len(), 2);
        };
        check(
            None,
            "CLIENT  SERVER  RATE/S  ERRORS %   P95\n\
             a       b            1        50  30ms\n\
             user    web          1        50  30ms\n\
             web     pay          2        50  30ms\n",
        );
        check(
            Some(&inside),
            "CLIENT  SERVER  RATE/S  ERRORS %   P95\n\
             user    web          1        50  30ms\n\
             web     pay          2        50  30ms\n",
        );
    }
}
