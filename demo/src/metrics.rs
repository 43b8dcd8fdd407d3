//! Prometheus metrics with exemplars, served as OpenMetrics on `/metrics`: what teams that scrape already have.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Route, method and status of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) route: String,
    pub(crate) method: String,
    pub(crate) status: u16,
}

/// The trace that an observation belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TraceLabel {
    trace_id: String,
}

type Durations =
    Family<RequestLabels, HistogramWithExemplars<TraceLabel>, fn() -> HistogramWithExemplars<TraceLabel>>;

/// The metrics of one service.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    durations: Durations,
    resident: Gauge,
}

fn buckets() -> HistogramWithExemplars<TraceLabel> {
    HistogramWithExemplars::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0].into_iter())
}

impl Metrics {
    /// Registers the metrics of `version`.
    pub(crate) fn new(version: &str) -> Self {
        let mut registry = Registry::default();
        let durations = Durations::new_with_constructor(buckets);
        registry.register("http_request_duration_seconds", "Time to answer a request", durations.clone());
        let resident = Gauge::default();
        registry.register("process_resident_memory_bytes", "Resident memory", resident.clone());
        registry.register("build", "Version that runs", Info::new([("version", version.to_owned())]));
        Self { registry: Arc::new(registry), durations, resident }
    }

    /// Counts a request, with the current trace as its exemplar.
    pub(crate) fn observe(&self, labels: &RequestLabels, took: Duration, trace_id: Option<String>) {
        let exemplar = trace_id.map(|trace_id| TraceLabel { trace_id });
        let histogram = self.durations.get_or_create(labels);
        histogram.observe(took.as_secs_f64(), exemplar, Some(SystemTime::now()));
    }

    /// The exposition in OpenMetrics text.
    pub(crate) fn render(&self) -> String {
        self.resident.set(resident_bytes());
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

/// Resident set size from `/proc`, 0 where there is none.
fn resident_bytes() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: i64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
