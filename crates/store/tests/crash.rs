//! Acknowledged means there: random writes, flushes and merges on a simulated disk that loses power at any call, tears
//! unsynced writes, fills up and fails syncs. After each restart every acknowledged sample is there once.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;
#[path = "common/pick.rs"]
mod pick;
#[path = "common/samples.rs"]
mod samples;

use common::{T0_MS, now, open, options};
use model::metric::stale_nan;
use model::scan::{Budget, LogSelect, SpanSelect};
use model::{Labels, LogBatch, Refusal, SpanBatch, SpanId, SpanRow, Tenant, TraceId};
use pick::pick;
use platform::{Random, SeededRandom, SimDisk};
use samples::{Samples, batch, labels, read_all};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use store::{Store, StoreOptions};

/// What was acknowledged, and what was sent without an answer: that may be there or not.
#[derive(Default)]
struct Sent {
    acknowledged: Samples,
    unanswered: Vec<(Labels, i64, u64)>,
    /// Numbers of log lines and spans: acknowledged, and sent in vain.
    numbers: BTreeSet<u64>,
    unanswered_numbers: BTreeSet<u64>,
}

impl Sent {
    /// Everything acknowledged is there; everything there was sent.
    fn check(&self, found: &Samples, seed: u64) {
        for (labels, samples) in &self.acknowledged {
            let found = found.get(labels).unwrap_or_else(|| panic!("seed {seed}: {labels} is lost"));
            for (ts_ms, bits) in samples {
                assert_eq!(found.get(ts_ms), Some(bits), "seed {seed}: {labels} at {ts_ms}");
            }
        }
        for (labels, samples) in found {
            for (ts_ms, bits) in samples {
                let known =
                    self.acknowledged.get(labels).and_then(|samples| samples.get(ts_ms)) == Some(bits);
                let tried = || self.unanswered.contains(&(labels.clone(), *ts_ms, *bits));
                assert!(known || tried(), "seed {seed}: {labels} at {ts_ms} was never sent");
            }
        }
    }
}

struct World {
    random: SeededRandom,
    disk: SimDisk,
    sent: Sent,
    time_ms: i64,
    tenants: [Tenant; 2],
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        disk.set_tears(seed % 2 == 1);
        let tenants = [Tenant::default(), Tenant::new("other").expect("tenant")];
        Self { random: SeededRandom::new(seed), disk, sent: Sent::default(), time_ms: T0_MS, tenants }
    }

    /// The value of a sample is a function of its series and time, so that a resend is equal.
    fn value(labels: &Labels, ts_ms: i64) -> f64 {
        let since = i32::try_from(ts_ms - T0_MS).expect("a few days");
        match labels.hash128() % 5 {
            0 => 1.0,
            1 => f64::from(since) / 1000.0,
            2 if since % 7 == 0 => stale_nan(),
            2 => f64::from(since % 1000) / 100.0,
            3 => f64::from(since).abs().sqrt(),
            _ => f64::NAN,
        }
    }

    fn write(&mut self, store: &Store) -> Result<(), Refusal> {
        let tenant = &self.tenants[usize::from(self.random.below(8) == 0)];
        let mut samples = Vec::new();
        for _ in 0..=self.random.below(30) {
            let metric = pick(&self.random, &["cpu", "memory", "up"]);
            // The tenant is a label too, so that one model serves both.
            let labels = labels(metric, self.random.below(20));
            let labels = labels.iter().map(|label| (label.name.clone(), label.value.clone()));
            let labels = Labels::from_pairs(labels.chain([("tenant".into(), tenant.as_str().into())]));
            let late = if self.random.below(10) == 0 { 86_400_000 } else { 0 };
            let ts_ms = self.time_ms - late - i64::try_from(self.random.below(60_000)).expect("small");
            let value = Self::value(&labels, ts_ms);
            samples.push((labels, ts_ms, value));
        }
        self.time_ms += 15_000;
        let answer = now(store.write_metrics(tenant, batch(samples.clone())));
        for (labels, ts_ms, value) in samples {
            if answer.is_ok() {
                self.sent.acknowledged.entry(labels).or_default().insert(ts_ms, value.to_bits());
            } else {
                self.sent.unanswered.push((labels, ts_ms, value.to_bits()));
            }
        }
        answer.map(|accepted| assert_eq!(accepted.rejected, 0, "{accepted:?}"))
    }

    /// Some log lines and spans, each with a number of its own.
    fn write_events(&mut self, store: &Store) {
        let tenant = &self.tenants[0];
        let (mut logs, mut spans) = (LogBatch::default(), SpanBatch::default());
        logs.push_stream(Labels::from_pairs([("app", "a")]));
        spans.resources.push(model::span::Resource::default());
        spans.scopes.push(model::span::Scope::default());
        let mut numbers = Vec::new();
        for _ in 0..=self.random.below(20) {
            let number = self.random.next_u64();
            let start_ns =
                (self.time_ms - i64::try_from(self.random.below(90_000_000)).expect("small")) * 1_000_000;
            numbers.push(number);
            logs.push_entry(start_ns, &number.to_string(), [], Default::default());
            let trace_id = TraceId([u8::try_from(number % 200).expect("small") + 1; 16]);
            let span_id = SpanId(number.to_le_bytes());
            spans.spans.push(SpanRow { trace_id, span_id, start_ns, ..SpanRow::default() });
        }
        let logs = now(store.write_logs(tenant, logs));
        let spans = now(store.write_spans(tenant, spans));
        let into = if logs.is_ok() && spans.is_ok() {
            &mut self.sent.numbers
        } else {
            &mut self.sent.unanswered_numbers
        };
        into.extend(numbers);
    }

    /// Each acknowledged line and span is there once, nothing else is.
    fn check_events(&self, store: &Store, seed: u64) {
        let (tenant, budget) = (&self.tenants[0], Budget::default());
        let (mut lines, mut ids) = (Vec::new(), Vec::new());
        let select = LogSelect { start_ns: i64::MIN, end_ns: i64::MAX, ..LogSelect::default() };
        let scanned = store.logs().scan(tenant, &select, &budget, &mut |batch| {
            lines.extend(batch.entries.iter().map(|entry| batch.line(entry).parse::<u64>().expect("number")));
            ControlFlow::Continue(())
        });
        assert!(scanned.expect("scan").is_complete(), "seed {seed}");
        let select = SpanSelect { start_ns: i64::MIN, end_ns: i64::MAX, ..SpanSelect::default() };
        let scanned = store.spans().scan(tenant, &select, &budget, &mut |batch| {
            ids.extend(batch.spans.iter().map(|span| u64::from_le_bytes(span.span_id.0)));
            ControlFlow::Continue(())
        });
        assert!(scanned.expect("scan").is_complete(), "seed {seed}");
        for found in [lines, ids] {
            let distinct: BTreeSet<u64> = found.iter().copied().collect();
            assert_eq!(distinct.len(), found.len(), "seed {seed}: something is there twice");
            let lost: Vec<_> = self.sent.numbers.difference(&distinct).collect();
            assert!(lost.is_empty(), "seed {seed}: lost {lost:?}");
            assert!(distinct.iter().all(|number| {
                self.sent.numbers.contains(number) || self.sent.unanswered_numbers.contains(number)
            }));
        }
    }

    fn check(&self, store: &Store, seed: u64) {
        self.check_events(store, seed);
        let mut found = Samples::new();
        for tenant in &self.tenants {
            found.extend(read_all(&*store.metrics(), tenant));
        }
        self.sent.check(&found, seed);
    }

    fn step(&mut self, store: &Store) {
        match self.random.below(12) {
            0 => drop(store.flush()),
            1 => drop(store.maintain()),
            2 => drop(store.compact()),
            3 | 4 => self.write_events(store),
            _ => drop(self.write(store)),
        }
    }
}

fn small() -> StoreOptions {
    StoreOptions { segment_bytes_max: 4096, ..options() }
}

#[test]
fn power_fails_at_any_call() {
    for seed in 0..16 {
        let mut world = World::new(seed);
        for _ in 0..6 {
            let Ok(store) = open(&world.disk, small()) else {
                // Power failed while opening; the next round opens again.
                world.disk.crash();
                continue;
            };
            world.check(&store, seed);
            world.disk.fail_power_in(world.random.below(400));
            for _ in 0..60 {
                world.step(&store);
            }
            drop(store);
            world.disk.crash();
            if world.random.below(3) == 0 {
                world.disk.fail_power_in(world.random.below(30));
            }
        }
        world.disk.crash();
        let store = open(&world.disk, small()).expect("open");
        world.check(&store, seed);
        assert_eq!(store.quarantined(), [], "seed {seed}");
        store.compact().expect("compact");
        world.check(&store, seed);
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    for seed in 100..108 {
        let mut world = World::new(seed);
        world.disk.set_capacity(10_000 + world.random.below(20_000));
        let store = open(&world.disk, small()).expect("open");
        let mut refused = 0;
        for _ in 0..400 {
            match world.random.below(20) {
                0 => drop(store.flush()),
                1 => drop(store.maintain()),
                _ => refused += u32::from(matches!(world.write(&store), Err(Refusal::Storage(_)))),
            }
        }
        assert!(refused > 0, "seed {seed}: the disk never filled up");
        world.check(&store, seed);
        drop(store);
        world.disk.crash();
        world.disk.set_capacity(u64::MAX);
        let store = open(&world.disk, small()).expect("open");
        world.check(&store, seed);
        world.write(&store).expect("there is room again");
        store.compact().expect("compact");
        world.check(&store, seed);
    }
}

#[test]
fn a_failed_sync_is_a_refusal() {
    for seed in 200..210 {
        let mut world = World::new(seed);
        let store = open(&world.disk, small()).expect("open");
        for _ in 0..20 {
            world.disk.fail_sync_in(1 + world.random.below(4));
            for _ in 0..6 {
                world.step(&store);
            }
        }
        world.check(&store, seed);
        drop(store);
        world.disk.crash();
        let store = open(&world.disk, small()).expect("open");
        world.check(&store, seed);
    }
}

#[test]
fn background_work_comes_to_an_end() {
    let mut world = World::new(300);
    let store = open(&world.disk, StoreOptions { flush_wal_bytes: 10_000, ..small() }).expect("open");
    for _ in 0..100 {
        world.write(&store).expect("write");
    }
    let steps = (0..50).take_while(|_| store.maintain().expect("maintain")).count();
    assert!((1..50).contains(&steps), "{steps} steps");
}
