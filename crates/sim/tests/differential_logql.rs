//! 200 LogQL queries, made from the tables of stages, functions and operators, answered by our engine and by a real
//! Loki over the same lines. Each row of each table comes at least three times, at an instant and over a range.
//!
//! The seed is printed and can be given as `DIFFERENTIAL_SEED`. Skips with a message where Loki or its
//! configuration is absent.

#[path = "differential_logql/generate.rs"]
mod generate;
#[path = "differential_logql/loki.rs"]
mod loki;

use generate::{Generator, Kind, Query};
use loki::Loki;
use model::scan::{Budget, Direction};
use model::tenant::Tenant;
use model::{Labels, LogBatch};
use query::logql::{LogParams, LogValue, query};
use query::memory::MemoryLogs;
use std::collections::BTreeMap;

/// How many queries are compared.
const QUERIES: usize = 200;
/// Relative difference of values that still counts as equal.
const EPSILON: f64 = 1e-10;
const NS_PER_S: i64 = 1_000_000_000;

/// Labels of a series or stream.
type Identity = BTreeMap<String, String>;
/// Points or lines as text, each with its time.
type Points = Vec<(String, String)>;
/// An answer in a form both sides share.
type Answer = Result<BTreeMap<Identity, Points>, String>;

#[test]
fn answers_are_loki_s() {
    let Some(loki) = Loki::start() else {
        println!("skipped: loki");
        return;
    };
    let seed =
        std::env::var("DIFFERENTIAL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121);
    println!("seed {seed}");
    let mut generator = Generator::new(seed);
    // Whole minutes, so that a range query's instants are the same on both sides.
    let end_s = loki::now_s() / 60 * 60 - 60;
    let streams = generator.streams(end_s);
    loki.push(&streams);
    let logs = memory(&streams);
    let mut wrong = Vec::new();
    for _ in 0..QUERIES {
        let query = generator.query();
        let (ours, theirs) = (ours(&logs, &query, end_s), loki.query(&query, end_s));
        if !same(&ours, &theirs) {
            wrong.push(format!("{:?} {}\n{}", query.kind, query.text, difference(&ours, &theirs)));
        }
    }
    generator.check_coverage();
    println!("{} of {QUERIES} answers equal", QUERIES - wrong.len());
    assert!(wrong.is_empty(), "seed {seed}, {} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Names with their values.
type Pairs = Vec<(String, String)>;

/// A stream of the data set: labels, and time, line and metadata of each entry.
pub struct Stream {
    labels: Pairs,
    entries: Vec<(i64, String, Pairs)>,
}

fn memory(streams: &[Stream]) -> MemoryLogs {
    let mut batch = LogBatch::default();
    for stream in streams {
        batch.push_stream(Labels::from_pairs(stream.labels.iter().map(|(k, v)| (k, v))));
        for (ts, line, metadata) in &stream.entries {
            let metadata = metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            batch.push_entry(*ts, line, metadata, Default::default());
        }
    }
    let mut logs = MemoryLogs::default();
    logs.push(&Tenant::default(), &batch);
    logs
}

fn ours(logs: &MemoryLogs, asked: &Query, end_s: i64) -> Answer {
    let (from, to) = ((end_s - generate::SPAN_S) * NS_PER_S, end_s * NS_PER_S);
    let params = LogParams {
        start_ns: if asked.kind == Kind::Instant { to } else { from },
        end_ns: to,
        step_ms: (asked.kind != Kind::Instant).then_some(generate::STEP_S * 1000),
        direction: Direction::Forward,
        limit: generate::ENTRIES_MAX,
        series_max: 0,
        ..LogParams::default()
    };
    let answer = query(logs, &Tenant::default(), &asked.text, &params, &Budget::default());
    let mut out = BTreeMap::new();
    let pairs = |labels: &query::logql::LabelSet| {
        labels
            .iter()
            .map(|label| (label.name.to_string(), label.value.to_string()))
            .collect::<BTreeMap<_, _>>()
    };
    match answer.map_err(|error| error.to_string())?.value {
        LogValue::Scalar(_, value) => {
            out.insert(BTreeMap::new(), vec![(end_s.to_string(), value.to_string())]);
        }
        LogValue::Vector(samples) => {
            for sample in samples {
                out.insert(
                    pairs(&sample.labels),
                    vec![((sample.ts_ms / 1000).to_string(), sample.value.to_string())],
                );
            }
        }
        LogValue::Matrix(series) => {
            for one in series {
                let points =
                    one.points.iter().map(|(ts, value)| ((ts / 1000).to_string(), value.to_string()));
                out.insert(pairs(&one.labels), points.collect());
            }
        }
        LogValue::Streams(streams) => {
            for stream in streams {
                for entry in stream.entries {
                    let labels = pairs(&stream.labels.with(&entry.metadata).with(&entry.parsed));
                    out.entry(labels).or_insert_with(Vec::new).push((entry.ts_ns.to_string(), entry.line));
                }
            }
        }
    }
    Ok(out)
}

fn same(ours: &Answer, theirs: &Answer) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|((labels, points), (other, others))| {
                    labels == other
                        && points.len() == others.len()
                        && points.iter().zip(others).all(same_point)
                })
        }
        // Which failing series is named first is chance.
        (Err(ours), Err(theirs)) => ours.split(" for series").next() == theirs.split(" for series").next(),
        _ => false,
    }
}

#[expect(clippy::float_cmp, reason = "equal infinities")]
fn same_point(pair: (&(String, String), &(String, String))) -> bool {
    let ((at, value), (other_at, other)) = pair;
    let close = |a: f64, b: f64| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= EPSILON * a.abs().max(b.abs())
    };
    let number = |text: &str| text.replace("+Inf", "inf").replace("-Inf", "-inf").parse::<f64>().ok();
    let numbers = number(value).zip(number(other)).is_some_and(|(a, b)| close(a, b));
    at == other_at && (value == other || numbers)
}

/// The first rows that differ.
fn difference(ours: &Answer, theirs: &Answer) -> String {
    let (Ok(a), Ok(b)) = (ours, theirs) else {
        let short = |answer: &Answer| format!("{answer:?}").chars().take(600).collect::<String>();
        return format!("  ours:   {}\n  theirs: {}", short(ours), short(theirs));
    };
    let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    let differs = |key: &&&BTreeMap<String, String>| {
        let (Some(x), Some(y)) = (a.get(**key), b.get(**key)) else { return true };
        x.len() != y.len() || !x.iter().zip(y).all(same_point)
    };
    let show = |key: &&BTreeMap<String, String>| {
        format!("  {key:?}\n    ours:   {:?}\n    theirs: {:?}", a.get(*key), b.get(*key))
    };
    keys.iter().filter(differs).take(2).map(show).collect::<Vec<_>>().join("\n")
}
