//! The store's own metrics, registered once; everything that is refused, flushed, merged or lost is counted here.

use platform::metrics::{Counter, Gauge, Registry};

/// Sets a gauge to a count or a number of bytes.
pub(crate) fn set<N: TryInto<i64>>(gauge: &Gauge, value: N) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}

/// All `binnacle_store_*` metrics.
pub(crate) struct Gauges {
    pub(crate) records: Counter,
    pub(crate) refused_full: Counter,
    pub(crate) refused_storage: Counter,
    pub(crate) wal_bytes: Counter,
    pub(crate) wal_groups: Counter,
    pub(crate) wal_unflushed_bytes: Gauge,
    pub(crate) queue_bytes: Gauge,
    pub(crate) memory_active_bytes: Gauge,
    pub(crate) memory_frozen_bytes: Gauge,
    pub(crate) index_bytes: Gauge,
    pub(crate) parts: Gauge,
    pub(crate) part_bytes: Gauge,
    pub(crate) flushes: Counter,
    pub(crate) flush_failures: Counter,
    pub(crate) merges: Counter,
    pub(crate) retired_parts: Counter,
    pub(crate) quarantined: Gauge,
}

impl Gauges {
    pub(crate) fn new(registry: &Registry) -> Self {
        let refused = "Batches refused, by what was exhausted.";
        let memory = "Bytes of memory parts.";
        Self {
            records: registry.counter("binnacle_store_records_total", "", "Records acknowledged."),
            refused_full: registry.counter("binnacle_store_refused_total", "reason=\"full\"", refused),
            refused_storage: registry.counter("binnacle_store_refused_total", "reason=\"storage\"", refused),
            wal_bytes: registry.counter("binnacle_store_wal_bytes_total", "", "Bytes appended to the WAL."),
            wal_groups: registry.counter(
                "binnacle_store_wal_groups_total",
                "",
                "Groups appended to the WAL.",
            ),
            wal_unflushed_bytes: registry.gauge(
                "binnacle_store_wal_unflushed_bytes",
                "",
                "WAL bytes a start would replay.",
            ),
            queue_bytes: registry.gauge("binnacle_store_queue_bytes", "", "Bytes waiting for the committer."),
            memory_active_bytes: registry.gauge("binnacle_store_memory_bytes", "state=\"active\"", memory),
            memory_frozen_bytes: registry.gauge("binnacle_store_memory_bytes", "state=\"frozen\"", memory),
            index_bytes: registry.gauge("binnacle_store_index_bytes", "", "Bytes of decoded part indexes."),
            parts: registry.gauge("binnacle_store_parts", "", "Live parts."),
            part_bytes: registry.gauge("binnacle_store_part_bytes", "", "Bytes of live parts."),
            flushes: registry.counter("binnacle_store_flushes_total", "", "Flushes done."),
            flush_failures: registry.counter(
                "binnacle_store_flush_failures_total",
                "",
                "Flushes that failed and will be tried again.",
            ),
            merges: registry.counter("binnacle_store_merges_total", "", "Merges done."),
            retired_parts: registry.counter(
                "binnacle_store_retired_parts_total",
                "",
                "Parts dropped by retention.",
            ),
            quarantined: registry.gauge("binnacle_store_quarantined", "", "Damaged files set aside."),
        }
    }
}
