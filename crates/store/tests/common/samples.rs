//! Samples in and out of a store, and a sorted map to compare with.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use model::scan::{Budget, MetricSource, SeriesColumns, SeriesSelect};
use model::{Labels, Matcher, MetricBatch, Tenant};
use std::collections::BTreeMap;

/// Series by labels, samples by time.
pub type Samples = BTreeMap<Labels, BTreeMap<i64, u64>>;

/// Labels of series `at` of metric `metric`.
pub fn labels(metric: &str, at: u64) -> Labels {
    Labels::from_pairs([("__name__", metric), ("instance", &format!("host-{at}")), ("job", "test")])
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
