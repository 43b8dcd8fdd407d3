//! Our PromQL engine against a real Prometheus: the same seeded data in both, queries generated from the tables of
//! functions, operators, aggregations and modifiers, answers compared.
//!
//! `PROMQL_SEED` repeats a run. Without the program (`$PEERS_DIR/bin/prometheus`, or below `~/.cache/peers`) the test
//! says `skipped: prometheus` and passes.

mod compare;
mod data;
mod generate;
mod peer;

use data::Data;
use generate::{Query, When};
use model::Tenant;
use model::scan::Budget;
use query::promql::{Engine, PromAnswer, PromError, QueryOptions};

/// Queries of one run, those on native histograms among them.
const QUERIES: usize = 400;
const HISTOGRAM_QUERIES: usize = 40;

fn seed() -> u64 {
    let given = std::env::var("PROMQL_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs()))
}

fn ours(data: &Data, query: &Query) -> Result<PromAnswer, PromError> {
    let (tenant, budget, options) = (Tenant::default(), Budget::default(), QueryOptions::default());
    match query.when {
        When::Instant(at) => Engine.instant(&data.source, &tenant, &query.text, at, &options, &budget),
        When::Range(start, end, step) => {
            Engine.range(&data.source, &tenant, &query.text, start, end, step, &options, &budget)
        }
    }
}

#[test]
fn answers_equal_those_of_prometheus() {
    let Some(program) = peer::program() else {
        println!("skipped: prometheus is not installed; PEERS_DIR names the folder of bin/prometheus");
        return;
    };
    let seed = seed();
    println!("seed {seed}: PROMQL_SEED={seed} repeats this run");
    let data = Data::new(seed);
    let peer = peer::Peer::start(&program);
    peer.write(&data.request);
    let queries = generate::queries(seed, QUERIES, HISTOGRAM_QUERIES);
    assert!(queries.len() >= QUERIES, "{} queries", queries.len());
    let (mut failures, mut filled) = (Vec::new(), 0);
    for query in &queries {
        let theirs = peer.query(query);
        filled += usize::from(theirs["data"]["result"].as_array().is_some_and(|result| !result.is_empty()));
        if let Err(difference) = compare::answers(&theirs, &ours(&data, query)) {
            failures.push(format!("{} {:?}\n  {difference}", query.text, query.when));
        }
    }
    println!("{} queries, {filled} with values, {} differ", queries.len(), failures.len());
    assert!(filled * 10 > queries.len() * 6, "only {filled} queries have values");
    assert!(failures.is_empty(), "seed {seed}: {} differ\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_tables_are_covered() {
    generate::check_coverage(&generate::queries(7, QUERIES, HISTOGRAM_QUERIES));
}
