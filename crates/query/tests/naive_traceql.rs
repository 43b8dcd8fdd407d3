//! The TraceQL engine against an evaluator that is as plain as the language's definition: nested loops over spans, no
//! index, no shared code but the parser. 200 queries are dealt from the tables of fields, operators and functions, so
//! that each is asked at least three times, over 2,000 random traces. `SEED=n` repeats a run.
#![expect(clippy::expect_used, reason = "a test stops at what cannot be")]

#[path = "naive_traceql/data.rs"]
mod data;
#[path = "naive_traceql/deal.rs"]
mod deal;
#[path = "naive_traceql/evaluate.rs"]
mod evaluate;
#[path = "naive_traceql/pruned.rs"]
mod pruned;
#[path = "naive_traceql/series.rs"]
mod series;

use data::{Trace, traces};
use deal::Dealer;
use language::traceql::{Body, check};
use model::Tenant;
use model::scan::Budget;
use platform::SeededRandom;
use pruned::Pruned;
use query::traceql::{MetricsParams, SearchParams, metrics_instant, metrics_range, search};
use std::collections::BTreeMap;

const QUERIES: usize = 200;
const TRACES: usize = 2_000;

/// The range that is asked: a part of the data's time, so that its ends matter.
const START_NS: i64 = data::START_NS + 60_000_000_000;
const END_NS: i64 = data::START_NS + 540_000_000_123;
const STEP_NS: i64 = 60_000_000_000;

#[test]
fn two_hundred_queries_answer_as_nested_loops_do() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    println!("SEED={seed}");
    let random = SeededRandom::new(seed);
    let traces = traces(&random, TRACES);
    let source = Pruned::default();
    for trace in &traces {
        source.0.push(&Tenant::default(), &trace.batch());
    }
    let mut dealer = Dealer::new(&random);
    let (mut with_answer, mut selected) = (0, 0);
    for at in 0..QUERIES {
        let query = dealer.query(at);
        let parsed = check(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let found = match &parsed.body {
            Body::Search(pipeline) => {
                let found = searched(&source, &query);
                assert_same(&query, &found, &evaluate::search(pipeline, &traces, START_NS, END_NS));
                found.len()
            }
            Body::Metrics(expr) => {
                let instant = at % 3 == 0;
                let found = measured(&source, &query, instant);
                let expected = series::evaluate(expr, &traces, instant);
                assert_close(&query, &found, &expected, series::tolerance(expr));
                found.len()
            }
        };
        with_answer += usize::from(found > 0);
        selected += found;
    }
    dealer.assert_dealt(3);
    println!("{QUERIES} queries, {with_answer} with an answer, {selected} traces or series");
    assert!(with_answer * 3 > QUERIES * 2, "most queries should find something: {with_answer}");
}

/// Trace id to its span sets: span ids and attributes, as text.
type Found = BTreeMap<String, Vec<String>>;

fn searched(source: &Pruned, query: &str) -> Found {
    let params = SearchParams { start_ns: START_NS, end_ns: END_NS, limit: usize::MAX, spans_per_set: 0 };
    let answer = search(source, &Tenant::default(), query, &params, &Budget::default()).expect(query);
    let mut found = Found::new();
    for trace in answer.traces {
        let sets = trace.span_sets.iter().map(|set| {
            assert_eq!(set.matched as usize, set.spans.len(), "{query}");
            let ids: Vec<String> = set.spans.iter().map(|span| span.span_id.to_string()).collect();
            format!("{ids:?} {:?}", set.attributes)
        });
        let mut sets: Vec<String> = sets.collect();
        sets.sort();
        sets.push(format!("{} {} {}", trace.root_service_name, trace.root_trace_name, trace.duration_ns));
        found.insert(trace.trace_id.to_string(), sets);
    }
    found
}

fn assert_same(query: &str, found: &Found, expected: &Found) {
    for (id, sets) in expected {
        assert_eq!(found.get(id), Some(sets), "{query}: trace {id}");
    }
    assert_eq!(found.len(), expected.len(), "{query}: traces");
}

/// Labels as text to samples.
type Measured = BTreeMap<String, BTreeMap<i64, f64>>;

fn measured(source: &Pruned, query: &str, instant: bool) -> Measured {
    let params = MetricsParams {
        start_ns: START_NS,
        end_ns: END_NS,
        step_ns: STEP_NS,
        exemplars_max: 0,
        series_max: 0,
    };
    let ask = if instant { metrics_instant } else { metrics_range };
    let answer = ask(source, &Tenant::default(), query, &params, &Budget::default()).expect(query);
    let series = answer.series.into_iter();
    series.map(|series| (format!("{:?}", series.labels), series.samples.into_iter().collect())).collect()
}

fn assert_close(query: &str, found: &Measured, expected: &Measured, tolerance: f64) {
    let labels = |series: &Measured| series.keys().cloned().collect::<Vec<_>>();
    assert_eq!(labels(found), labels(expected), "{query}: series");
    for (labels, samples) in expected {
        let found = &found[labels];
        let times = |samples: &BTreeMap<i64, f64>| samples.keys().copied().collect::<Vec<_>>();
        assert_eq!(times(found), times(samples), "{query}: times of {labels}");
        for (time, expected) in samples {
            let close = (found[time] - expected).abs() <= tolerance * expected.abs();
            assert!(close, "{query}: {labels} at {time}: {} instead of {expected}", found[time]);
        }
    }
}

/// All traces that have a span in the asked range.
fn in_range(trace: &Trace) -> bool {
    trace.spans.iter().any(|span| (START_NS..END_NS).contains(&span.start_ns))
}
