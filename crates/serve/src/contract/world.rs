//! What the doors under test hold: two services, a trace, its logs, and metrics of both, ten minutes long.

use crate::ports::{ActiveTarget, Appended, ChangeLog, DroppedTarget, Process, TargetHealth, Targets};
use crate::{Gate, GateLimits, LiveLogs, State};
use model::attr::ValueRef;
use model::scan::ScanError;
use model::{
    Change, Labels, LogBatch, MetricKind, MetricMetadata, Refusal, SpanBatch, SpanId, SpanKind, SpanRow,
    StatusCode, Tenant, TraceId,
};
use platform::SimClock;
use platform::metrics::Registry;
use query::memory::{MemoryLogs, MemoryMetrics, MemorySpans};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use topology::Topology;

/// When the data begins, seconds since the epoch: 2023-11-14T22:13:20Z.
pub(crate) const T0_S: i64 = 1_700_000_000;
/// Now: when the data ends.
pub(crate) const NOW_S: i64 = T0_S + 600;

/// The trace, as clients write it.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

const NS: i64 = 1_000_000_000;

/// A state over fresh sources.
pub(crate) fn state() -> State {
    let registry = Registry::default();
    let limits = GateLimits { query_timeout_ms: 20_000, ..GateLimits::default() };
    let topology = Topology::new(&registry);
    let trace = trace();
    topology.observe_spans(&Tenant::default(), &trace, NOW_S * NS);
    let spans = MemorySpans::default();
    spans.push(&Tenant::default(), &trace);
    let mut logs = MemoryLogs::default();
    logs.push(&Tenant::default(), &lines());
    State {
        metrics: Arc::new(metrics()),
        logs: Arc::new(logs),
        spans: Arc::new(spans),
        topology,
        changes: Arc::new(Changes::default()),
        targets: Arc::new(OneTarget),
        process: Arc::new(Fixed),
        live: LiveLogs::default(),
        gate: Gate::new(limits, &registry),
        lookback_ms: 300_000,
        clock: Arc::new(SimClock::at(NOW_S * NS)),
    }
}

fn metrics() -> MemoryMetrics {
    let mut metrics = MemoryMetrics::default();
    let mut counter = |pairs: &[(&str, &str)], per_step: f64| {
        let labels = Labels::from_pairs(pairs.iter().copied());
        let mut value = 0.0;
        for step in 0..=40 {
            metrics.push(&labels, (T0_S + step * 15) * 1_000, value);
            value += per_step;
        }
    };
    counter(
        &[("__name__", "http_requests_total"), ("job", "shop"), ("instance", "a:1"), ("code", "200")],
        15.0,
    );
    counter(
        &[("__name__", "http_requests_total"), ("job", "shop"), ("instance", "b:1"), ("code", "500")],
        1.5,
    );
    counter(&[("__name__", "odd.name"), ("http.method", "GET")], 1.0);
    let server = ("span_kind", "SPAN_KIND_SERVER");
    let calls = ("__name__", "traces_spanmetrics_calls_total");
    counter(&[calls, ("service", "pay"), server, ("status_code", "STATUS_CODE_UNSET")], 135.0);
    counter(&[calls, ("service", "pay"), server, ("status_code", "STATUS_CODE_ERROR")], 15.0);
    for (bound, per_step) in [("0.1", 75.0), ("0.2", 150.0), ("+Inf", 150.0)] {
        counter(
            &[("__name__", "traces_spanmetrics_latency_bucket"), ("service", "pay"), server, ("le", bound)],
            per_step,
        );
    }
    for name in ["traces_service_graph_request_total", "traces_service_graph_request_failed_total"] {
        counter(&[("__name__", name), ("client", "cart"), ("server", "pay")], 30.0);
    }
    metrics.describe(MetricMetadata {
        family: "http_requests".into(),
        kind: MetricKind::Counter,
        help: "Requests.".into(),
        unit: String::new(),
    });
    metrics
}

fn id(n: u8) -> SpanId {
    SpanId([0, 0, 0, 0, 0, 0, 0, n])
}

/// cart calls pay, which fails inside its database call.
fn trace() -> SpanBatch {
    let mut batch = SpanBatch::default();
    for service in ["cart", "pay"] {
        let attrs = batch.push_attrs([
            ("service.name", ValueRef::Str(service)),
            ("service.version", ValueRef::Str("1.2.0")),
        ]);
        batch.resources.push(model::span::Resource { attrs });
    }
    batch.scopes.push(model::span::Scope::default());
    let mut push = |span: u8, parent: u8, resource: u32, name: &str, kind: SpanKind, ms: (i64, i64)| {
        let name = batch.text(name);
        let attrs =
            batch.push_attrs([("http.method", ValueRef::Str("GET")), ("n", ValueRef::Int(i64::from(span)))]);
        let status = if span == 3 { StatusCode::Error } else { StatusCode::Unset };
        batch.spans.push(SpanRow {
            trace_id: TRACE.parse().expect("an id"),
            span_id: id(span),
            parent_id: id(parent),
            start_ns: NOW_S * NS - 60 * NS + ms.0 * 1_000_000,
            duration_ns: ms.1 * 1_000_000,
            name,
            kind,
            status,
            resource,
            attrs,
            ..SpanRow::default()
        });
    };
    push(1, 0, 0, "GET /cart", SpanKind::Server, (0, 300));
    push(2, 1, 0, "call pay", SpanKind::Client, (10, 250));
    push(3, 2, 1, "POST /pay", SpanKind::Server, (20, 200));
    batch
}

/// Four lines; the last belongs to the trace.
pub(crate) fn lines() -> LogBatch {
    let mut batch = LogBatch::default();
    let none = (TraceId::default(), SpanId::default());
    batch.push_stream(Labels::from_pairs([("app", "shop"), ("level", "info")]));
    for n in 0..3 {
        let line = format!("level=info msg=\"order {n}\" took={n}ms");
        batch.push_entry((T0_S + 10 * n) * NS, &line, [], none);
    }
    batch.push_stream(Labels::from_pairs([("app", "shop"), ("level", "error")]));
    let ids = (TRACE.parse().expect("an id"), id(3));
    batch.push_entry((NOW_S - 60) * NS, "level=error msg=\"card refused\"", [("trace_id", TRACE)], ids);
    batch
}

/// Change records in memory.
#[derive(Default)]
struct Changes(Mutex<Vec<Change>>);

impl ChangeLog for Changes {
    fn append(&self, _: &Tenant, change: Change) -> Appended<'_> {
        let full = change.summary == "full";
        self.0.lock().expect("a lock").push(change);
        Box::pin(async move {
            if full { Err(Refusal::Full { what: "the log", retry_after_s: 3 }) } else { Ok(()) }
        })
    }

    fn changes(&self, _: &Tenant, range_ns: Range<i64>) -> Result<Vec<Change>, ScanError> {
        let changes = self.0.lock().expect("a lock");
        Ok(changes.iter().filter(|change| range_ns.contains(&change.ts_ns)).cloned().collect())
    }
}

struct OneTarget;

impl Targets for OneTarget {
    fn active(&self) -> Vec<ActiveTarget> {
        vec![ActiveTarget {
            discovered: Labels::from_pairs([("__address__", "a:1")]),
            labels: Labels::from_pairs([("job", "shop"), ("instance", "a:1")]),
            pool: "shop".into(),
            url: "http://a:1/metrics".into(),
            last_error: String::new(),
            last_scrape_ns: NOW_S * NS,
            last_duration_s: 0.25,
            health: TargetHealth::Up,
            interval_ms: 15_000,
            timeout_ms: 10_000,
        }]
    }

    fn dropped(&self) -> Vec<DroppedTarget> {
        vec![DroppedTarget { pool: "shop".into(), discovered: Labels::from_pairs([("__address__", "c:1")]) }]
    }

    fn dropped_counts(&self) -> BTreeMap<String, usize> {
        // More than are listed.
        BTreeMap::from([("shop".into(), 2)])
    }

    fn pools(&self) -> Vec<String> {
        vec!["shop".into()]
    }
}

struct Fixed;

impl Process for Fixed {
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
    fn version(&self) -> String {
        "0.1.0".into()
    }
    fn revision(&self) -> String {
        "abc".into()
    }
    fn started_ns(&self) -> i64 {
        T0_S * NS
    }
    fn config_yaml(&self) -> String {
        "global:\n  scrape_interval: 15s\n".into()
    }
    fn last_reload(&self) -> (bool, i64) {
        (true, T0_S * NS)
    }
    fn flags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("data".into(), "/data".into())])
    }
    fn retention(&self) -> String {
        "15d".into()
    }
    fn data_dir(&self) -> String {
        "/data".into()
    }
}
