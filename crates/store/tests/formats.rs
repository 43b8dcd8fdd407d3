//! Data directories of earlier format versions open and give back every record. Each is checked in as it was written.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

#[path = "common/fixture.rs"]
mod fixture;

use model::scan::{Budget, Direction, LogSelect, SeriesColumns, SeriesSelect, SpanSelect};
use model::{Labels, Tenant};
use platform::metrics::Registry;
use platform::{Disk, SimClock, SimDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use store::{Store, StoreOptions, Threads};

/// Copies a directory of the repository onto a simulated disk, so that opening it changes nothing there.
#[expect(
    clippy::disallowed_methods,
    reason = "fixtures are files of the repository, not of a data directory"
)]
fn load(disk: &SimDisk, from: &Path, to: &str) {
    for entry in std::fs::read_dir(from).expect("fixture directory") {
        let entry = entry.expect("entry");
        let name = entry.file_name().into_string().expect("name");
        let path = if to.is_empty() { name } else { format!("{to}/{name}") };
        if entry.path().is_dir() {
            disk.create_dir(&path).expect("dir");
            load(disk, &entry.path(), &path);
        } else {
            disk.write_atomic(&path, &std::fs::read(entry.path()).expect("read")).expect("write");
        }
    }
}

fn check_metrics(store: &Store, tenant: &Tenant) {
    let mut expected: BTreeMap<Labels, Vec<(i64, u64)>> = BTreeMap::new();
    for round in 0..fixture::ROUNDS {
        let batch = fixture::metrics(round);
        for point in &batch.floats {
            let labels = batch.labels(point.series).expect("labels");
            expected.entry(labels).or_default().push((point.ts_ms, point.value.to_bits()));
        }
    }
    let (metrics, budget) = (store.metrics(), Budget::default());
    let select = SeriesSelect { matchers: vec![], start_ms: i64::MIN, end_ms: i64::MAX };
    let mut cursor = metrics.select(tenant, &select, &budget).expect("select");
    let mut columns = SeriesColumns::default();
    let mut found = BTreeMap::new();
    let mut histograms = Vec::new();
    while let Some(labels) = cursor.next(&mut columns).expect("next") {
        if columns.histograms.is_empty() {
            let values = columns.values.iter().map(|value| value.to_bits());
            found.insert(labels, columns.ts_ms.iter().copied().zip(values).collect::<Vec<_>>());
        } else {
            assert_eq!(labels, fixture::histogram_labels());
            histograms.extend(columns.histograms.iter().map(|(_, one)| (**one).clone()));
        }
    }
    assert!(cursor.completeness().is_complete());
    assert_eq!(found, expected);
    assert_eq!(histograms, (0..fixture::ROUNDS).map(fixture::histogram).collect::<Vec<_>>());
    let exemplars = metrics.exemplars(tenant, &select, &budget).expect("exemplars");
    let expected = (0..fixture::ROUNDS).map(fixture::exemplar).collect();
    assert_eq!(exemplars, [(fixture::histogram_labels(), expected)]);
    assert_eq!(metrics.metadata(tenant, None), [fixture::family()]);
}

fn check_logs(store: &Store, tenant: &Tenant) {
    let mut found = Vec::new();
    let select = LogSelect {
        start_ns: i64::MIN,
        end_ns: i64::MAX,
        direction: Direction::Forward,
        ..Default::default()
    };
    let scanned = store.logs().scan(tenant, &select, &Budget::default(), &mut |batch| {
        for stream in &batch.streams {
            assert_eq!(stream.labels, fixture::stream_labels());
            for entry in batch.entries(stream) {
                assert_eq!(batch.metadata(entry).collect::<Vec<_>>(), [("user", "u-17")]);
                found.push((entry.trace_id, batch.line(entry).to_owned()));
            }
        }
        ControlFlow::Continue(())
    });
    assert!(scanned.expect("scan").is_complete());
    let mut expected = Vec::new();
    for batch in (0..fixture::ROUNDS).map(fixture::logs) {
        expected.extend(batch.entries.iter().map(|entry| (entry.trace_id, batch.line(entry).to_owned())));
    }
    assert_eq!(found, expected);
}

fn check_spans(store: &Store, tenant: &Tenant) {
    let describe = |batch: &model::SpanBatch| {
        let spans = batch.iter().map(|span| {
            let attrs: Vec<String> = span.attrs().map(|(key, value)| format!("{key}={value:?}")).collect();
            let row = span.row;
            let fixed = (row.trace_id, row.span_id, row.parent_id, row.start_ns, row.duration_ns);
            (fixed, row.kind, row.status, span.name().to_owned(), span.service().to_owned(), attrs)
        });
        spans.collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let select = SpanSelect { start_ns: i64::MIN, end_ns: i64::MAX, ..Default::default() };
    let scanned = store.spans().scan(tenant, &select, &Budget::default(), &mut |batch| {
        found.extend(describe(batch));
        ControlFlow::Continue(())
    });
    assert!(scanned.expect("scan").is_complete());
    found.sort_by_key(|span| span.0);
    let expected: Vec<_> = (0..fixture::ROUNDS).flat_map(|round| describe(&fixture::spans(round))).collect();
    assert_eq!(found, expected);
    let mut operations = BTreeSet::new();
    (0..fixture::ROUNDS)
        .for_each(|round| fixture::spans(round).operations(&(i64::MIN..i64::MAX), &mut operations));
    assert_eq!(store.spans().operations(tenant, &select, &Budget::default()), Ok(operations));
}

fn check(version: &str) {
    let disk = SimDisk::new(1);
    load(&disk, &Path::new("tests/data").join(version), "");
    let tenant = Tenant::default();
    for stage in ["as written", "compacted"] {
        let store = open(&disk, stage);
        check_metrics(&store, &tenant);
        check_logs(&store, &tenant);
        check_spans(&store, &tenant);
        let changes = store.changes(&tenant, &(i64::MIN..i64::MAX)).expect("changes").0;
        assert_eq!(changes, (0..fixture::ROUNDS).map(fixture::change).collect::<Vec<_>>());
        assert_eq!(store.quarantined(), []);
        store.compact().expect("compact");
    }
}

fn open(disk: &SimDisk, stage: &str) -> Store {
    let clock = Arc::new(SimClock::at(fixture::T0_MS * 1_000_000));
    let options = StoreOptions { threads: Threads::None, disk_reserve_bytes: 0, ..StoreOptions::default() };
    Store::open(Arc::new(disk.clone()), clock, &Registry::default(), options).expect(stage)
}

#[test]
fn version_1_opens() {
    check("v1");
}
