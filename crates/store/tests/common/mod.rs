//! What the store's tests share: a store on a simulated disk, driven by hand, and a model to compare it with.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

pub mod fixture;

use model::scan::{Budget, MetricSource, SeriesColumns, SeriesSelect};
use model::{Labels, Matcher, MetricBatch, Tenant};
use platform::metrics::Registry;
use platform::{Random, SeededRandom, SimClock, SimDisk};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use store::{Store, StoreError, StoreOptions, Threads};

/// 2026-01-01T00:00:00Z in milliseconds.
pub const T0_MS: i64 = 1_767_225_600_000;

/// Series by labels, samples by time.
pub type Samples = BTreeMap<Labels, BTreeMap<i64, u64>>;

/// Options for a store without threads and without a disk reserve.
pub fn options() -> StoreOptions {
    StoreOptions { threads: Threads::None, disk_reserve_bytes: 0, ..StoreOptions::default() }
}

/// Opens a store on `disk`.
pub fn open(disk: &SimDisk, options: StoreOptions) -> Result<Store, StoreError> {
    let clock = Arc::new(SimClock::at((T0_MS + 3_600_000) * 1_000_000));
    Store::open(Arc::new(disk.clone()), clock, &Registry::default(), options)
}

/// The value of a future that is ready at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store has no threads, so every answer is ready"),
    }
}

/// Labels of series `at` of metric `metric`.
pub fn labels(metric: &str, at: u64) -> Labels {
    Labels::from_pairs([("__name__", metric), ("instance", &format!("host-{at}")), ("job", "test")])
}

/// One of `choices`.
pub fn pick<T: Copy>(random: &SeededRandom, choices: &[T]) -> T {
    choices[usize::try_from(random.below(choices.len() as u64)).expect("small")]
}

/// One sample of each given series.
pub fn batch(samples: impl IntoIterator<Item = (Labels, i64, f64)>) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for (labels, ts_ms, value) in samples {
        let series = batch.push_series(labels);
        batch.push_float(series, ts_ms, value);
    }
    batch
}

/// Everything a tenant has, read through the port; asserts order and that the answer is complete.
pub fn read_all(source: &dyn MetricSource, tenant: &Tenant) -> Samples {
    let (samples, missing) = read(source, tenant, &[], i64::MIN, i64::MAX);
    assert_eq!(missing, Vec::<String>::new());
    samples
}

/// What matches, and what is missing.
pub fn read(
    source: &dyn MetricSource,
    tenant: &Tenant,
    matchers: &[Matcher],
    start_ms: i64,
    end_ms: i64,
) -> (Samples, Vec<String>) {
    let budget = Budget::default();
    let select = SeriesSelect { matchers: matchers.to_vec(), start_ms, end_ms };
    let mut cursor = source.select(tenant, &select, &budget).expect("select");
    let mut columns = SeriesColumns::default();
    let mut all = Samples::new();
    let mut last: Option<Labels> = None;
    while let Some(labels) = cursor.next(&mut columns).expect("next") {
        assert!(last.as_ref().is_none_or(|last| *last < labels), "series in order: {last:?} {labels}");
        assert!(columns.ts_ms.is_sorted_by(|a, b| a < b), "ascending, one sample per time");
        assert_eq!(columns.ts_ms.len(), columns.values.len());
        let samples = columns.ts_ms.iter().copied().zip(columns.values.iter().map(|value| value.to_bits()));
        all.insert(labels.clone(), samples.collect());
        last = Some(labels);
    }
    (all, cursor.completeness().missing)
}
