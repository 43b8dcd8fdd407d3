//! Span metrics: `traces_spanmetrics_calls_total` and `traces_spanmetrics_latency_{bucket,sum,count}` per service,
//! operation, kind and status, the names and labels that Tempo's generator made common. `service_version` and
//! `service_namespace` are added when the resource says them.

use crate::histogram::{Latency, LatencySeries, push};
use crate::resource::ResourceInfo;
use crate::seen::Identity;
use model::labels::METRIC_NAME;
use model::{Labels, LabelsBuilder, MetricBatch, SpanKind, SpanRef, StatusCode};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use xxhash_rust::xxh3::Xxh3Default;

/// Most (service, operation, kind, status, version) combinations per tenant; each is 19 series. Above it a new
/// operation is counted under [`OVERFLOW`].
pub(crate) const OPERATIONS_MAX: usize = 20_000;

/// Most of them per service, so that one that names spans after what they carry takes nothing from the others.
pub(crate) const SERVICE_OPERATIONS_MAX: usize = 500;

/// Operation name of what did not fit.
pub(crate) const OVERFLOW: &str = "__overflow__";

/// Spans of this age and older leave memory when nothing new came, in milliseconds.
const IDLE_MS: i64 = 15 * 60 * 1_000;

#[derive(Debug)]
struct Row {
    /// Of namespace and service.
    service: u64,
    calls: u64,
    latency: Latency,
    calls_series: Labels,
    latency_series: LatencySeries,
    changed: bool,
    last_ms: i64,
    collected: bool,
}

/// All operations of one tenant.
#[derive(Debug, Default)]
pub(crate) struct SpanMetrics {
    rows: HashMap<u64, Row, BuildHasherDefault<Identity>>,
    /// Rows of each service.
    per_service: HashMap<u64, usize, BuildHasherDefault<Identity>>,
    previous_ms: Option<i64>,
}

impl SpanMetrics {
    /// Counts a span; `false` when it was counted under [`OVERFLOW`] or not at all.
    pub(crate) fn observe(&mut self, info: &ResourceInfo, span: &SpanRef<'_>) -> bool {
        let hash = key(info, span, span.name());
        let full = !self.rows.contains_key(&hash) && self.is_full(service_key(info));
        let (hash, name) = if full { (key(info, span, OVERFLOW), OVERFLOW) } else { (hash, span.name()) };
        if full && self.rows.len() >= 2 * OPERATIONS_MAX && !self.rows.contains_key(&hash) {
            return false;
        }
        let row = self.rows.entry(hash).or_insert_with(|| {
            let row = Row::new(info, span, name);
            *self.per_service.entry(row.service).or_default() += 1;
            row
        });
        row.calls += 1;
        row.changed = true;
        row.latency.observe(span.row.duration_ns, span.row.trace_id, span.row.span_id, span.end_ns());
        !full
    }

    fn is_full(&self, service: u64) -> bool {
        let of_service = self.per_service.get(&service).copied().unwrap_or(0);
        self.rows.len() >= OPERATIONS_MAX || of_service >= SERVICE_OPERATIONS_MAX
    }

    /// Appends every operation's samples; operations idle for a quarter of an hour are forgotten.
    pub(crate) fn collect(&mut self, now_ms: i64, out: &mut MetricBatch) {
        let before = self.previous_ms.replace(now_ms).unwrap_or(now_ms - 1_000).min(now_ms - 1);
        self.rows.retain(|_, row| {
            if std::mem::take(&mut row.changed) {
                row.last_ms = now_ms;
            }
            now_ms - row.last_ms < IDLE_MS
        });
        self.per_service.clear();
        for row in self.rows.values() {
            *self.per_service.entry(row.service).or_default() += 1;
        }
        for row in self.rows.values_mut() {
            let first = (!std::mem::replace(&mut row.collected, true)).then_some(before);
            push(out, &row.calls_series, row.calls, now_ms, first);
            row.latency.collect(&row.latency_series, now_ms, first, out);
        }
    }
}

fn service_key(info: &ResourceInfo) -> u64 {
    let mut hasher = Xxh3Default::new();
    for part in [&info.namespace, &info.service] {
        hasher.update(part.as_bytes());
        hasher.update(&[0xFF]);
    }
    hasher.digest()
}

fn key(info: &ResourceInfo, span: &SpanRef<'_>, name: &str) -> u64 {
    let mut hasher = Xxh3Default::new();
    for part in [&info.namespace, &info.service, &info.version, name] {
        hasher.update(part.as_bytes());
        hasher.update(&[0xFF]);
    }
    hasher.update(&[span.row.kind as u8, span.row.status as u8]);
    hasher.digest()
}

impl Row {
    fn new(info: &ResourceInfo, span: &SpanRef<'_>, name: &str) -> Self {
        let mut labels = LabelsBuilder::default();
        labels.set("service", &info.service);
        labels.set("span_name", name);
        labels.set("span_kind", kind_name(span.row.kind));
        labels.set("status_code", status_name(span.row.status));
        labels.set("service_version", &info.version);
        labels.set("service_namespace", &info.namespace);
        let latency_series = LatencySeries::new("traces_spanmetrics_latency", &labels);
        labels.set(METRIC_NAME, "traces_spanmetrics_calls_total");
        Self {
            service: service_key(info),
            calls: 0,
            latency: Latency::default(),
            calls_series: labels.build(),
            latency_series,
            changed: true,
            last_ms: 0,
            collected: false,
        }
    }
}

fn kind_name(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "SPAN_KIND_UNSPECIFIED",
        SpanKind::Internal => "SPAN_KIND_INTERNAL",
        SpanKind::Server => "SPAN_KIND_SERVER",
        SpanKind::Client => "SPAN_KIND_CLIENT",
        SpanKind::Producer => "SPAN_KIND_PRODUCER",
        SpanKind::Consumer => "SPAN_KIND_CONSUMER",
    }
}

fn status_name(status: StatusCode) -> &'static str {
    match status {
        StatusCode::Unset => "STATUS_CODE_UNSET",
        StatusCode::Ok => "STATUS_CODE_OK",
        StatusCode::Error => "STATUS_CODE_ERROR",
    }
}
