//! What happens to a data directory besides writes: damage, retention, snapshots, full queues, several threads, closing.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;
#[path = "common/samples.rs"]
mod samples;

use common::{T0_MS, now, open, options};
use model::change::ChangeKind;
use model::{Change, Refusal, Tenant};
use platform::metrics::Registry;
use platform::{Disk, RealClock, RealDisk, SimDisk};
use samples::{Samples, batch, labels, read, read_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::{Store, StoreOptions, SyncMode, Threads};

const DAY_MS: i64 = 86_400_000;

/// Writes one sample of series `at` at `ts_ms`.
fn write(store: &Store, at: u64, ts_ms: i64) {
    now(store.write_metrics(&Tenant::default(), batch([(labels("up", at), ts_ms, 1.0)]))).expect("write");
}

fn series(store: &Store) -> (Vec<String>, Vec<String>) {
    let (found, missing) = read(&*store.metrics(), &Tenant::default(), &[], i64::MIN, i64::MAX);
    let instances =
        found.keys().map(|labels| labels.get("instance").unwrap_or_default().to_owned()).collect();
    (instances, missing)
}

fn part_files(disk: &SimDisk) -> Vec<String> {
    let parts = disk.files().into_iter().map(|(path, _)| path);
    parts.filter(|path| path.starts_with("parts/")).collect()
}

#[test]
fn a_damaged_part_is_set_aside_and_named_while_the_rest_answers() {
    let length = {
        let disk = SimDisk::new(1);
        let store = open(&disk, options()).expect("open");
        write(&store, 1, T0_MS);
        store.flush().expect("flush");
        disk.files().iter().find(|(path, _)| path.starts_with("parts/")).expect("part").1
    };
    for at in (0..length).step_by(7) {
        let disk = SimDisk::new(1);
        let store = open(&disk, options()).expect("open");
        write(&store, 1, T0_MS);
        store.flush().expect("flush");
        let damaged = part_files(&disk).remove(0);
        write(&store, 2, T0_MS);
        store.flush().expect("flush");
        write(&store, 3, T0_MS);
        disk.damage(&damaged, usize::try_from(at).expect("small")).expect("damage");
        for round in 0..2 {
            let (found, missing) = series(&store);
            if missing.is_empty() {
                // The bit was in a chunk that the query does not read, or in padding.
                assert_eq!(found, ["host-1", "host-2", "host-3"], "byte {at}, round {round}");
                continue;
            }
            assert_eq!(found, ["host-2", "host-3"], "byte {at}, round {round}");
            assert!(
                missing[0].contains("1 samples of fake") && missing[0].contains("damaged"),
                "{missing:?}"
            );
        }
        store.compact().expect("compact");
        drop(store);
        let store = open(&disk, options()).expect("open");
        let (found, missing) = series(&store);
        assert_eq!(found.len() + missing.len(), 3, "byte {at}: {found:?} {missing:?}");
        assert_eq!(missing.len(), store.quarantined().len());
        let other = read(&*store.metrics(), &Tenant::default(), &[], T0_MS + 1, i64::MAX).1;
        assert_eq!(other, Vec::<String>::new(), "answers that the part is no part of are complete");
    }
}

#[test]
fn a_damaged_record_is_set_aside_and_named_while_the_rest_answers() {
    let disk = SimDisk::new(1);
    let store = open(&disk, options()).expect("open");
    (1..=3).for_each(|at| write(&store, at, T0_MS));
    drop(store);
    let (path, length) =
        disk.files().into_iter().find(|(path, _)| path.starts_with("wal/")).expect("segment");
    disk.damage(&path, usize::try_from(length / 2).expect("small")).expect("damage");
    for round in 0..2 {
        let store = open(&disk, options()).expect("open");
        let (found, missing) = series(&store);
        assert_eq!(found, ["host-1", "host-3"], "round {round}");
        assert!(missing.len() == 1 && missing[0].contains("of the WAL"), "{missing:?}");
        store.flush().expect("flush");
    }
}

/// The process dies between writing a record and syncing it, the next one replays it; then power goes.
#[test]
fn what_a_killed_process_left_unsynced_is_no_damage_after_a_power_cut() {
    for seed in 0..8 {
        let disk = SimDisk::new(seed);
        disk.set_tears(true);
        let store = open(&disk, options()).expect("open");
        write(&store, 1, T0_MS);
        disk.fail_power_in(1);
        let unsynced = store.write_metrics(&Tenant::default(), batch([(labels("up", 2), T0_MS, 1.0)]));
        assert!(matches!(now(unsynced), Err(Refusal::Storage(_))));
        disk.kill();
        let store = open(&disk, options()).expect("open");
        write(&store, 3, T0_MS);
        disk.crash();
        let store = open(&disk, options()).expect("open");
        assert_eq!(store.quarantined(), [], "seed {seed}");
        let (instances, missing) = series(&store);
        assert_eq!((instances, missing), (["host-1", "host-2", "host-3"].map(str::to_owned).into(), vec![]));
    }
}

#[test]
fn a_damaged_manifest_is_rebuilt_from_the_parts() {
    let disk = SimDisk::new(1);
    let store = open(&disk, options()).expect("open");
    for at in 1..=3 {
        write(&store, at, T0_MS);
        store.flush().expect("flush");
    }
    write(&store, 4, T0_MS);
    drop(store);
    disk.damage("MANIFEST", 20).expect("damage");
    let store = open(&disk, options()).expect("open");
    assert_eq!(
        series(&store),
        (vec!["host-1".into(), "host-2".into(), "host-3".into(), "host-4".into()], vec![])
    );
    write(&store, 5, T0_MS);
    store.compact().expect("compact");
    assert_eq!(series(&store).0.len(), 5);
}

#[test]
fn a_newer_version_is_refused() {
    let disk = SimDisk::new(1);
    let store = open(&disk, options()).expect("open");
    write(&store, 1, T0_MS);
    store.flush().expect("flush");
    drop(store);
    let mut manifest = disk.read("MANIFEST").expect("read");
    manifest[8] = 99;
    disk.write_atomic("MANIFEST", &manifest).expect("write");
    let error = open(&disk, options()).err().expect("refused").to_string();
    assert!(error.contains("version 99") && error.contains("newer binary"), "{error}");
}

#[test]
fn retention_drops_the_oldest_parts_and_nothing_unless_set() {
    let check = |retention: StoreOptions, expected: &[&str]| {
        let disk = SimDisk::new(1);
        let store = open(&disk, retention).expect("open");
        for at in 0..4_u32 {
            write(&store, u64::from(at), T0_MS - i64::from(3 - at) * DAY_MS);
            store.flush().expect("flush");
        }
        while store.maintain().expect("maintain") {}
        assert_eq!(series(&store).0, expected);
        let kept = part_files(&disk).len();
        drop(store);
        assert_eq!(series(&open(&disk, options()).expect("open")).0, expected);
        assert_eq!(kept, expected.len(), "files go with their parts");
    };
    check(options(), &["host-0", "host-1", "host-2", "host-3"]);
    check(StoreOptions { retention_s: Some(2 * 86_400), ..options() }, &["host-2", "host-3"]);
    check(StoreOptions { retention_bytes: Some(500), ..options() }, &["host-2", "host-3"]);
}

#[test]
fn a_snapshot_is_a_data_directory() {
    let disk = SimDisk::new(1);
    let store = open(&disk, options()).expect("open");
    write(&store, 1, T0_MS);
    let root = store.snapshot("before").expect("snapshot");
    write(&store, 2, T0_MS);
    store.compact().expect("compact");
    assert!(store.snapshot("before").is_err(), "a name is used once");
    assert!(store.snapshot("../x").is_err());
    disk.crash();
    let restored = SimDisk::new(2);
    for (path, _) in disk.files().into_iter().filter(|(path, _)| path.starts_with(&root)) {
        let bytes = disk.read(&path).expect("read");
        let to = &path[root.len() + 1..];
        restored.create_dir(to.rsplit_once('/').map_or("", |(dir, _)| dir)).expect("dir");
        restored.write_atomic(to, &bytes).expect("write");
    }
    assert_eq!(series(&open(&restored, options()).expect("open")), (vec!["host-1".into()], vec![]));
}

#[test]
fn full_memory_and_a_closed_store_refuse_with_a_hint() {
    let disk = SimDisk::new(1);
    let tight = StoreOptions { memory_bytes_max: 1000, flush_memory_bytes: 2000, ..options() };
    let store = open(&disk, tight).expect("open");
    let mut answer = Ok(model::Accepted::default());
    for at in 0..20 {
        answer = now(store.write_metrics(&Tenant::default(), batch([(labels("up", at), T0_MS, 1.0)])));
    }
    assert!(matches!(answer, Err(Refusal::Full { retry_after_s: 1, .. })), "{answer:?}");
    store.flush().expect("flush");
    write(&store, 100, T0_MS);
    store.close().expect("close");
    let answer = now(store.write_metrics(&Tenant::default(), batch([(labels("up", 1), T0_MS, 1.0)])));
    assert_eq!(answer, Err(Refusal::Stopping));
    drop(store);
    let store = open(&disk, options()).expect("open");
    assert_eq!(store.recovery().records, 0, "closing flushes");
    assert!(series(&store).0.contains(&"host-100".to_owned()));
}

#[tokio::test]
async fn a_write_waits_for_the_flush_while_memory_is_full() {
    let disk = SimDisk::new(1);
    let tight = StoreOptions {
        threads: Threads::Own,
        memory_bytes_max: 1000,
        queue_bytes_max: 10_000,
        disk_reserve_bytes: 0,
        ..StoreOptions::default()
    };
    let store = open(&disk, tight).expect("open");
    let write = |at| store.write_metrics(&Tenant::default(), batch([(labels("up", at), T0_MS, 1.0)]));
    for at in 0..200 {
        // A writer that goes away leaves its place in the queue.
        drop(write(at));
        write(at).await.expect("room after a flush");
    }
}

#[test]
fn a_snapshot_on_real_files_outlives_what_it_was_taken_of() {
    let directory = tempfile::tempdir().expect("directory");
    let open = |path: &std::path::Path| {
        let disk = Arc::new(RealDisk::open(path).expect("disk"));
        Store::open(disk, Arc::new(RealClock::default()), &Registry::default(), options()).expect("open")
    };
    let store = open(directory.path());
    for at in 1..=3 {
        write(&store, at, T0_MS);
        store.flush().expect("flush");
    }
    let root = store.snapshot("one").expect("snapshot");
    store.compact().expect("compact");
    drop(store);
    let restored = open(&directory.path().join(root));
    assert_eq!(series(&restored).0, ["host-1", "host-2", "host-3"]);
}

fn change(id: &str, ts_ns: i64) -> Change {
    Change {
        id: id.into(),
        ts_ns,
        kind: ChangeKind::Deploy,
        entities: vec![],
        summary: format!("{id} happened"),
        source: "api".into(),
        attributes: BTreeMap::new(),
    }
}

#[test]
fn changes_are_durable_and_each_id_is_once() {
    let disk = SimDisk::new(1);
    let tenant = Tenant::default();
    let mut store = open(&disk, options()).expect("open");
    let expected = vec![change("b", 10), change("a", 20_000_000)];
    let everything = i64::MIN..i64::MAX;
    for round in 0..3 {
        for change in expected.iter().rev() {
            now(store.append_change(&tenant, change.clone())).expect("append");
        }
        assert_eq!(store.changes(&tenant, &everything).expect("changes").0, expected, "round {round}");
        assert_eq!(store.changes(&tenant, &(0..11)).expect("changes").0, expected[..1], "round {round}");
        if round == 1 {
            store.compact().expect("compact");
        }
        drop(store);
        store = open(&disk, options()).expect("open");
    }
    assert_eq!(store.changes(&tenant, &everything).expect("changes").0, expected);
}

/// Several writers, small limits, real files: every acknowledged sample is there after a restart without closing.
fn check_threads(sync: SyncMode) {
    let directory = tempfile::tempdir().expect("directory");
    let tenant = Tenant::default();
    let options = StoreOptions {
        sync,
        threads: Threads::Own,
        flush_wal_bytes: 20_000,
        segment_bytes_max: 10_000,
        disk_reserve_bytes: 0,
        ..StoreOptions::default()
    };
    let open = || {
        let disk = Arc::new(RealDisk::open(directory.path()).expect("disk"));
        Store::open(disk, Arc::new(RealClock::default()), &Registry::default(), options.clone())
            .expect("open")
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().expect("runtime");
    let store = open();
    let mut expected = Samples::new();
    let mut writers = Vec::new();
    for writer in 0..4_u64 {
        let samples = move |round: i64| {
            (0..50).map(move |at| (labels("up", writer * 100 + at), T0_MS + round * 1000, 2.5_f64))
        };
        for (labels, ts_ms, value) in (0..20).flat_map(samples) {
            expected.entry(labels).or_default().insert(ts_ms, value.to_bits());
        }
        let (store, tenant) = (store.clone(), tenant.clone());
        writers.push(runtime.spawn(async move {
            for round in 0..20 {
                store.write_metrics(&tenant, batch(samples(round))).await.expect("write");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }));
    }
    for writer in writers {
        runtime.block_on(writer).expect("writer");
    }
    assert_eq!(read_all(&*store.metrics(), &tenant), expected);
    drop(store);
    let store = open();
    assert_eq!(read_all(&*store.metrics(), &tenant), expected);
    store.close().expect("close");
    drop(store);
    let store = open();
    assert_eq!((read_all(&*store.metrics(), &tenant), store.recovery().records), (expected, 0));
}

#[test]
fn writers_on_threads_lose_nothing() {
    check_threads(SyncMode::Group);
    check_threads(SyncMode::Interval { ms: 20 });
}
