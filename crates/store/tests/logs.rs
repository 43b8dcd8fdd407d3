//! Log records through the store: what is written comes back whole, once and in order, from memory, parts and merges.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod common;

use common::{T0_MS, now, open, options};
use model::scan::{Budget, Direction, LogSelect, ScanError};
use model::{Labels, LogBatch, Matcher, SpanId, Tenant, TraceId};
use platform::{Random, SeededRandom, SimDisk};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use store::Store;

const T0_NS: i64 = T0_MS * 1_000_000;

/// One record; equal ones are the same record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    labels: Labels,
    ts_ns: i64,
    line: String,
    metadata: Vec<(String, String)>,
    trace_id: TraceId,
    span_id: SpanId,
}

fn batch(records: &[Record]) -> LogBatch {
    let mut batch = LogBatch::default();
    for record in records {
        batch.push_stream(record.labels.clone());
        let metadata = record.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        batch.push_entry(record.ts_ns, &record.line, metadata, (record.trace_id, record.span_id));
    }
    batch
}

fn write(store: &Store, records: &[Record]) {
    now(store.write_logs(&Tenant::default(), batch(records))).expect("accepted");
}

/// What a scan yields, checked for its order.
fn scan(store: &Store, select: &LogSelect) -> Vec<Record> {
    let mut found = Vec::new();
    let mut last_ns: Option<(i64, i64)> = None;
    let completeness = store.logs().scan(&Tenant::default(), select, &Budget::default(), &mut |batch| {
        let mut range_ns: Option<(i64, i64)> = None;
        for stream in &batch.streams {
            let entries = batch.entries(stream);
            let times: Vec<i64> = entries.iter().map(|entry| entry.ts_ns).collect();
            match select.direction {
                Direction::Forward => assert!(times.is_sorted(), "{times:?}"),
                Direction::Backward => assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}"),
            }
            for entry in entries {
                let range = range_ns.unwrap_or((entry.ts_ns, entry.ts_ns));
                range_ns = Some((range.0.min(entry.ts_ns), range.1.max(entry.ts_ns)));
                found.push(Record {
                    labels: stream.labels.clone(),
                    ts_ns: entry.ts_ns,
                    line: batch.line(entry).to_owned(),
                    metadata: batch
                        .metadata(entry)
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect(),
                    trace_id: entry.trace_id,
                    span_id: entry.span_id,
                });
            }
        }
        if let (Some((last_min, last_max)), Some((min, max))) = (last_ns, range_ns) {
            match select.direction {
                Direction::Forward => assert!(last_max <= min, "batches in order"),
                Direction::Backward => assert!(last_min >= max, "batches in order"),
            }
        }
        last_ns = range_ns.or(last_ns);
        ControlFlow::Continue(())
    });
    assert!(completeness.expect("scan").is_complete());
    found
}

/// Compares what the store yields with what the records themselves say.
fn check(store: &Store, records: &[Record], select: &LogSelect) {
    let mut found = scan(store, select);
    found.sort();
    let known: BTreeSet<&Record> = records.iter().collect();
    let wanted = |record: &&&Record| {
        let labels = &record.labels;
        select.start_ns <= record.ts_ns
            && record.ts_ns < select.end_ns
            && select
                .matchers
                .iter()
                .all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
            && select
                .contains
                .iter()
                .all(|needle| memchr::memmem::find(record.line.as_bytes(), needle).is_some())
            && select.trace_id.is_none_or(|id| id.is_none() || id == record.trace_id)
    };
    let expected: Vec<Record> = known.iter().filter(wanted).map(|record| (**record).clone()).collect();
    assert_eq!(found.len(), expected.len(), "{select:?}");
    assert_eq!(found, expected);
    let mut counts: BTreeMap<Labels, u64> = BTreeMap::new();
    if select.contains.is_empty() && select.trace_id.is_none() {
        for record in &expected {
            *counts.entry(record.labels.clone()).or_default() += 1;
        }
        let streams = store.logs().streams(&Tenant::default(), select, &Budget::default()).expect("streams");
        assert_eq!(streams, counts.keys().cloned().collect::<Vec<_>>());
        let volume = store.logs().volume(&Tenant::default(), select, &Budget::default()).expect("volume");
        for (labels, stats) in volume {
            assert!(counts.get(&labels).is_some_and(|count| stats.entries >= *count), "{labels} {stats:?}");
        }
    }
}

fn all() -> LogSelect {
    LogSelect { start_ns: i64::MIN, end_ns: i64::MAX, ..LogSelect::default() }
}

/// Every kind of request.
fn check_all(store: &Store, records: &[Record]) {
    let some = records.get(records.len() / 3).cloned();
    let middle = some.as_ref().map_or(T0_NS, |record| record.ts_ns);
    let app = || vec![Matcher::equal("app", "app-1")];
    for direction in [Direction::Forward, Direction::Backward] {
        check(store, records, &LogSelect { direction, ..all() });
        check(store, records, &LogSelect { direction, matchers: app(), ..all() });
        check(store, records, &LogSelect { direction, end_ns: middle, ..all() });
        check(store, records, &LogSelect { direction, start_ns: middle, end_ns: middle + 1, ..all() });
        check(store, records, &LogSelect { direction, start_ns: middle, matchers: app(), ..all() });
    }
    for needle in ["request", "user=4", "took 1", " status=500 ", "7", "nowhere", ""] {
        check(store, records, &LogSelect { contains: vec![needle.into()], ..all() });
    }
    check(store, records, &LogSelect { contains: vec!["user".into(), "ms".into()], ..all() });
    if let Some(record) = some {
        check(store, records, &LogSelect { contains: vec![record.line.clone().into()], ..all() });
        check(store, records, &LogSelect { contains: vec![record.trace_id.to_string().into()], ..all() });
        check(store, records, &LogSelect { trace_id: Some(record.trace_id), ..all() });
    }
    check(store, records, &LogSelect { trace_id: Some(TraceId([9; 16])), ..all() });
}

fn labels(app: u64) -> Labels {
    Labels::from_pairs([("app", format!("app-{app}").as_str()), ("pod", "p")])
}

/// Records as services write them; times ascend roughly and some are equal.
fn realistic(random: &SeededRandom, count: u64, first_ns: i64) -> Vec<Record> {
    let record = |at: u64| {
        let trace_id =
            TraceId((u128::from(random.below(300)) * 0x0123_4567_89ab_cdef_1122_3344).to_be_bytes());
        let (user, took) = (random.below(5000), random.below(300));
        let line = match random.below(5) {
            0 => format!("request served user={user} took {took}ms trace={trace_id}"),
            1 => format!(r#"{{"level":"info","msg":"request","user":{user},"status={took} ms":"x"}}"#),
            2 => format!("panic: boom {user}\n\tat a.B(B.java:{took})\n\tat c.D(D.java:7)"),
            3 => format!("GET /item/{user} status=500 {took}"),
            _ => "heartbeat".to_owned(),
        };
        let metadata = match random.below(3) {
            0 => vec![("pod".to_owned(), format!("pod-{user}")), ("node".to_owned(), "n1".to_owned())],
            1 => vec![("detected_level".to_owned(), "info".to_owned())],
            _ => Vec::new(),
        };
        let ts_ns = first_ns + i64::try_from(at / 3 * 1_000_000 + random.below(3_000_000)).expect("small");
        let span_id = SpanId(random.next_u64().to_be_bytes());
        Record { labels: labels(random.below(6)), ts_ns, line, metadata, trace_id, span_id }
    };
    (0..count).map(record).collect()
}

#[test]
fn records_come_back_from_memory_parts_and_merges() {
    let store = open(&SimDisk::new(1), options()).expect("open");
    let random = SeededRandom::new(7);
    let mut records = Vec::new();
    for round in 0..5 {
        let new = realistic(&random, 2000, T0_NS + round * 400_000_000);
        new.chunks(150).for_each(|part| write(&store, part));
        records.extend(new);
        if round == 0 {
            check_all(&store, &records);
        }
        if round < 4 {
            store.flush().expect("flush");
        }
    }
    check_all(&store, &records);
    store.compact().expect("compact");
    check_all(&store, &records);
    write(&store, &records[..700]);
    check_all(&store, &records);
    store.compact().expect("compact");
    check_all(&store, &records);
    let volume = store.logs().volume(&Tenant::default(), &all(), &Budget::default()).expect("volume");
    assert_eq!(volume.iter().map(|(_, stats)| stats.entries).sum::<u64>(), 10_000);
}

#[test]
fn records_of_two_days_and_of_long_ago_come_back() {
    let store = open(&SimDisk::new(1), options()).expect("open");
    let at = |ts_ns| Record { ts_ns, ..realistic(&SeededRandom::new(3), 1, 0)[0].clone() };
    let day_ns = 86_400_000_000_000;
    let mut records: Vec<Record> = (0..80).map(|day| at(T0_NS - day * day_ns)).collect();
    records.extend([at(0), at(-1), at(i64::MIN), at(i64::MAX - 1)]);
    write(&store, &records);
    check_all(&store, &records);
    store.compact().expect("compact");
    check_all(&store, &records);
}

#[test]
fn an_early_stop_reads_little() {
    let store = open(&SimDisk::new(1), options()).expect("open");
    for round in 0..4 {
        write(&store, &realistic(&SeededRandom::new(5), 20_000, T0_NS + round * 10_000_000_000));
    }
    store.compact().expect("compact");
    let budget = Budget::default();
    let mut newest = None;
    let mut stop = |batch: &LogBatch| {
        newest = batch.entries.iter().map(|entry| entry.ts_ns).max();
        ControlFlow::Break(())
    };
    store.logs().scan(&Tenant::default(), &all(), &budget, &mut stop).expect("scan");
    assert!(newest.is_some_and(|ns| ns > T0_NS + 30_000_000_000));
    assert!(budget.spent() < 10_000, "{} records", budget.spent());
    let tight = Budget::new(50_000);
    let refused = store.logs().scan(&Tenant::default(), &all(), &tight, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(ScanError::TooMuch { .. })));
}

#[test]
fn a_huge_line_comes_back() {
    let store = open(&SimDisk::new(1), options()).expect("open");
    let mut records = realistic(&SeededRandom::new(5), 10, T0_NS);
    records[3].line = "häuser 123 ".repeat(400_000);
    records[4].line = String::new();
    write(&store, &records);
    store.compact().expect("compact");
    write(&store, &records[3..5]);
    check_all(&store, &records);
}

#[test]
fn what_a_client_packed_is_replayed_and_nothing_leaves_no_record() {
    let disk = SimDisk::new(1);
    let store = open(&disk, options()).expect("open");
    let records = realistic(&SeededRandom::new(6), 300, T0_NS);
    let mut lines = batch(&records);
    lines.packed = snap::raw::Encoder::new().compress_vec(&lines.arena).expect("packed").into();
    let empty = LogBatch { packed: lines.packed.clone(), arena: lines.arena.clone(), ..LogBatch::default() };
    for batch in [empty, lines] {
        now(store.write_logs(&Tenant::default(), batch)).expect("accepted");
    }
    drop(store);
    let store = open(&disk, options()).expect("open");
    assert_eq!((store.recovery().records, store.recovery().damaged), (1, 0));
    check_all(&store, &records);
}

fn any_record() -> impl Strategy<Value = Record> {
    let metadata = prop::collection::vec(("\\PC{0,6}", "\\PC{0,9}"), 0..3);
    ("[a-b]?", T0_NS..T0_NS + 20, "\\PC{0,30}|[0-9a-f \n\\\\]{0,20}", metadata, 0_u8..4, 0_u8..4).prop_map(
        |(app, ts_ns, line, metadata, trace, span)| Record {
            labels: Labels::from_pairs([("app", app.as_str())]),
            ts_ns,
            line,
            metadata,
            trace_id: TraceId([trace; 16]),
            span_id: SpanId([span; 8]),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_records_come_back(batches in prop::collection::vec(prop::collection::vec(any_record(), 0..40), 1..4)) {
        let store = open(&SimDisk::new(1), options()).expect("open");
        let mut records: Vec<Record> = Vec::new();
        // Ids are not part of a record's identity: of two that differ in them alone either may stay.
        let mut seen = BTreeSet::new();
        for batch in batches {
            let new: Vec<Record> = batch.into_iter().filter(|record| {
                seen.insert((record.labels.clone(), record.ts_ns, record.line.clone(), record.metadata.clone()))
            }).collect();
            write(&store, &new);
            records.extend(new);
            check_all(&store, &records);
            store.flush().expect("flush");
            check_all(&store, &records);
        }
        store.compact().expect("compact");
        check_all(&store, &records);
    }
}
