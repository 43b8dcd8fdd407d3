//! Metrics through the public handle: what goes in comes out, before and after flush, merge and restart, compared with
//! a sorted map.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;
#[path = "common/pick.rs"]
mod pick;
#[path = "common/samples.rs"]
mod samples;

use common::{T0_MS, now, open, options};
use model::histogram::BucketSpan;
use model::metric::{HistogramPoint, MetricKind, MetricMetadata, stale_nan};
use model::scan::{Budget, SeriesColumns, SeriesSelect};
use model::{Exemplar, FloatHistogram, Labels, MatchOp, Matcher, MetricBatch, Tenant};
use pick::pick;
use platform::{Random, SeededRandom, SimDisk};
use samples::{Samples, batch, labels, read, read_all};
use std::sync::Arc;
use store::Store;

/// Calls `check` with the store as it is, flushed, reopened, compacted and reopened again.
fn at_every_stage(store: Store, disk: &SimDisk, check: impl Fn(&Store, &str)) {
    check(&store, "in memory");
    drop(store);
    let store = open(disk, options()).expect("open");
    check(&store, "replayed");
    store.flush().expect("flush");
    check(&store, "flushed");
    store.compact().expect("compact");
    check(&store, "compacted");
    drop(store);
    let store = open(disk, options()).expect("open");
    assert_eq!(store.recovery().records, 0, "nothing is replayed after a flush");
    check(&store, "reopened");
}

#[test]
fn samples_in_any_order_come_back_sorted_and_once() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let store = open(&disk, options()).expect("open");
        let random = SeededRandom::new(seed);
        let tenant = Tenant::default();
        let mut expected = Samples::new();
        for round in 0..30 {
            let mut samples = Vec::new();
            for _ in 0..50 {
                let labels = labels(pick(&random, &["a", "b"]), random.below(10));
                let ts_ms = T0_MS + i64::try_from(random.below(200)).expect("small") * 1000;
                // One value per (series, time): resends are equal.
                let hash = u16::try_from(labels.hash128() % 1000).expect("small");
                let value =
                    f64::from(hash) / 100.0 + f64::from(i32::try_from(ts_ms % 13_000).expect("small"));
                expected.entry(labels.clone()).or_default().insert(ts_ms, value.to_bits());
                samples.push((labels, ts_ms, value));
            }
            now(store.write_metrics(&tenant, batch(samples))).expect("write");
            if round % 7 == 3 {
                store.flush().expect("flush");
            }
        }
        at_every_stage(store, &disk, |store, stage| {
            assert_eq!(read_all(&*store.metrics(), &tenant), expected, "seed {seed} {stage}");
            let metrics = store.metrics();
            let matcher = Matcher::new("instance", MatchOp::Regex, "host-[3-6]").expect("regex");
            let (some, _) =
                read(&*metrics, &tenant, std::slice::from_ref(&matcher), T0_MS + 50_000, T0_MS + 90_000);
            let mut narrowed = expected.clone();
            narrowed.retain(|labels, samples| {
                samples.retain(|ts_ms, _| (T0_MS + 50_000..=T0_MS + 90_000).contains(ts_ms));
                matcher.matches(labels.get("instance").unwrap_or_default()) && !samples.is_empty()
            });
            assert_eq!(some, narrowed, "seed {seed} {stage}");
        });
    }
}

#[test]
fn resends_change_nothing_and_conflicts_are_rejected() {
    let disk = SimDisk::new(1);
    let store = open(&disk, options()).expect("open");
    let tenant = Tenant::default();
    let send =
        |value| now(store.write_metrics(&tenant, batch([(labels("up", 1), T0_MS, value)]))).expect("write");
    assert_eq!((send(1.0).records, send(1.0).records), (1, 1));
    let refused = send(2.0);
    assert_eq!((refused.records, refused.rejected), (0, 1));
    assert!(refused.reasons[0].starts_with("duplicate sample for timestamp"), "{refused:?}");
    let both = batch([2.0, 3.0].map(|value| (labels("both", 1), T0_MS, value)));
    let first = now(store.write_metrics(&Tenant::new("twice").expect("tenant"), both)).expect("write");
    assert_eq!((first.records, first.rejected), (2, 0), "of two in one request the first counts, silently");
    let expected = Samples::from([(labels("up", 1), [(T0_MS, 1.0_f64.to_bits())].into())]);
    assert_eq!(read_all(&*store.metrics(), &tenant), expected);
    store.flush().expect("flush");
    send(1.0);
    at_every_stage(store, &disk, |store, stage| {
        assert_eq!(read_all(&*store.metrics(), &tenant), expected, "{stage}");
    });
}

fn histogram(count: f64) -> FloatHistogram {
    FloatHistogram {
        schema: 2,
        count,
        sum: count * 0.3,
        zero_threshold: 1e-128,
        positive_spans: vec![BucketSpan { offset: -1, length: 2 }],
        positive_buckets: vec![count / 4.0, count / 2.0],
        ..FloatHistogram::default()
    }
}

#[test]
fn histograms_exemplars_and_metadata_are_durable() {
    let disk = SimDisk::new(2);
    let store = open(&disk, options()).expect("open");
    let tenant = Tenant::default();
    let mut batch = MetricBatch::default();
    let series = batch.push_series(labels("latency", 1));
    for at in 0..10 {
        let count = if at == 9 { stale_nan() } else { f64::from(at) * 8.0 };
        let histogram = Arc::new(histogram(count));
        batch.histograms.push(HistogramPoint { series, ts_ms: T0_MS + i64::from(at) * 1000, histogram });
    }
    let exemplar =
        Exemplar { labels: Labels::from_pairs([("trace_id", "abc")]), value: 0.7, ts_ms: T0_MS + 500 };
    batch.exemplars.push(model::metric::ExemplarPoint { series, exemplar: exemplar.clone() });
    let family = MetricMetadata {
        family: "latency".into(),
        kind: MetricKind::Histogram,
        help: "How long.".into(),
        unit: "seconds".into(),
    };
    batch.metadata.push(family.clone());
    now(store.write_metrics(&tenant, batch)).expect("write");
    at_every_stage(store, &disk, |store, stage| {
        let metrics = store.metrics();
        let budget = Budget::default();
        let select = SeriesSelect { matchers: vec![], start_ms: T0_MS + 1000, end_ms: i64::MAX };
        let mut cursor = metrics.select(&tenant, &select, &budget).expect("select");
        let mut columns = SeriesColumns::default();
        assert_eq!(cursor.next(&mut columns), Ok(Some(labels("latency", 1))), "{stage}");
        let counts: Vec<u64> = columns.histograms.iter().map(|(_, one)| one.count.to_bits()).collect();
        let expected: Vec<u64> =
            (1..9).map(|at| (f64::from(at) * 8.0).to_bits()).chain([stale_nan().to_bits()]).collect();
        assert_eq!(counts, expected, "{stage}");
        assert_eq!(columns.histograms[0].1.positive_buckets, [2.0, 4.0], "{stage}");
        let select = SeriesSelect { start_ms: T0_MS, ..select };
        let exemplars = metrics.exemplars(&tenant, &select, &budget).expect("exemplars");
        assert_eq!(exemplars, [(labels("latency", 1), vec![exemplar.clone()])], "{stage}");
        assert_eq!(metrics.metadata(&tenant, Some("latency")), std::slice::from_ref(&family), "{stage}");
        assert_eq!(metrics.metadata(&tenant, Some("other")), [], "{stage}");
    });
}

#[test]
fn labels_are_answered_from_indexes() {
    let disk = SimDisk::new(3);
    let store = open(&disk, options()).expect("open");
    let tenant = Tenant::default();
    let sample = |metric: &str, at| (labels(metric, at), T0_MS, 1.0);
    now(store.write_metrics(&tenant, batch([sample("a", 1), sample("a", 2), sample("b", 3)])))
        .expect("write");
    at_every_stage(store, &disk, |store, stage| {
        let metrics = store.metrics();
        let budget = Budget::default();
        let select = |matchers| SeriesSelect { matchers, start_ms: T0_MS, end_ms: T0_MS };
        let all = select(vec![]);
        let a = select(vec![Matcher::equal("__name__", "a")]);
        let values = |name, select| metrics.label_values(&tenant, name, select, &budget).expect("values").0;
        assert_eq!(values("instance", &all), ["host-1", "host-2", "host-3"], "{stage}");
        assert_eq!(values("instance", &a), ["host-1", "host-2"], "{stage}");
        assert_eq!(values("none", &a), [""; 0], "{stage}");
        let names = metrics.label_names(&tenant, &a, &budget).expect("names").0;
        assert_eq!(names, ["__name__", "instance", "job"], "{stage}");
        let series = metrics.series(&tenant, &a, &budget).expect("series").0;
        assert_eq!(series, [labels("a", 1), labels("a", 2)], "{stage}");
        let cardinality = metrics.cardinality(&tenant, 1);
        assert_eq!((cardinality.series, cardinality.label_pairs), (3, 6), "{stage}");
        assert_eq!(cardinality.by_metric, [("a".to_owned(), 2)], "{stage}");
        assert_eq!(cardinality.range_ms, Some((T0_MS, T0_MS)), "{stage}");
        assert_eq!(metrics.series(&Tenant::new("x").expect("tenant"), &all, &budget).expect("series").0, []);
    });
}
