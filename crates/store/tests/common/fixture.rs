//! The records of the checked-in data directories: written by the `write_fixture` example of the version that makes
//! them, expected by the `formats` test of every later version. Never change what is here; add.

use model::change::ChangeKind;
use model::histogram::BucketSpan;
use model::metric::{ExemplarPoint, HistogramPoint, MetricKind, MetricMetadata, stale_nan};
use model::span::{Resource, Scope, SpanKind, StatusCode};
use model::{
    Change, Exemplar, FloatHistogram, Labels, LogBatch, MetricBatch, SpanBatch, SpanId, SpanRow, TraceId,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-01-01T00:00:00Z in milliseconds.
pub const T0_MS: i64 = 1_767_225_600_000;
/// Rounds of records; the last one stays in the WAL.
pub const ROUNDS: u8 = 4;

/// Labels of float series `at`.
pub fn float_labels(at: u8) -> Labels {
    Labels::from_pairs([("__name__", format!("fixture_{}", at % 3)), ("instance", format!("host-{at}"))])
}

/// Float samples of series `at` in `round`: constant, decimal, irrational, with a staleness marker.
pub fn floats(at: u8, round: u8) -> Vec<(i64, f64)> {
    let value = |step: u8| match at % 4 {
        0 => 7.0,
        1 => f64::from(u16::from(round) * 100 + u16::from(step)) / 4.0,
        2 => f64::from(u16::from(round) * 100 + u16::from(step)).sqrt(),
        _ if step == 9 => stale_nan(),
        _ => f64::from(step),
    };
    (0..10).map(|step| (T0_MS + i64::from(round) * 150_000 + i64::from(step) * 15_000, value(step))).collect()
}

/// The native histogram of `round`.
pub fn histogram(round: u8) -> FloatHistogram {
    FloatHistogram {
        schema: 1,
        count: f64::from(round) * 3.0,
        sum: f64::from(round) * 0.7,
        zero_threshold: 0.001,
        positive_spans: vec![BucketSpan { offset: 2, length: 2 }],
        positive_buckets: vec![f64::from(round), f64::from(round) * 2.0],
        ..FloatHistogram::default()
    }
}

/// The exemplar of `round`.
pub fn exemplar(round: u8) -> Exemplar {
    let labels = Labels::from_pairs([("trace_id", trace_id(round).to_string())]);
    Exemplar { labels, value: f64::from(round) / 8.0, ts_ms: T0_MS + i64::from(round) * 150_000 }
}

/// What is said of the histogram's family.
pub fn family() -> MetricMetadata {
    MetricMetadata {
        family: "fixture_histogram".into(),
        kind: MetricKind::Histogram,
        help: "A native histogram.".into(),
        unit: "seconds".into(),
    }
}

/// Labels of the histogram series.
pub fn histogram_labels() -> Labels {
    Labels::from_pairs([("__name__", "fixture_histogram"), ("job", "fixture")])
}

/// The metrics of `round`.
pub fn metrics(round: u8) -> MetricBatch {
    let mut batch = MetricBatch::default();
    for at in 0..8 {
        let series = batch.push_series(float_labels(at));
        for (ts_ms, value) in floats(at, round) {
            batch.push_float(series, ts_ms, value);
        }
    }
    let series = batch.push_series(histogram_labels());
    let ts_ms = T0_MS + i64::from(round) * 150_000;
    batch.histograms.push(HistogramPoint { series, ts_ms, histogram: Arc::new(histogram(round)) });
    batch.exemplars.push(ExemplarPoint { series, exemplar: exemplar(round) });
    batch.metadata.push(family());
    batch
}

/// The trace of `round`.
pub fn trace_id(round: u8) -> TraceId {
    TraceId([0xA0 + round; 16])
}

/// The lines of `round`.
pub fn lines(round: u8) -> Vec<String> {
    (0..12).map(|at| format!("GET /cart/{} took {} ms", at % 3, u16::from(round) * 10 + at)).collect()
}

/// Labels of the log stream.
pub fn stream_labels() -> Labels {
    Labels::from_pairs([("service_name", "cart"), ("level", "info")])
}

/// The logs of `round`.
pub fn logs(round: u8) -> LogBatch {
    let mut batch = LogBatch::default();
    batch.push_stream(stream_labels());
    for (at, line) in (0..).zip(lines(round)) {
        let ts_ns = (T0_MS + i64::from(round) * 150_000 + at) * 1_000_000;
        let ids = (trace_id(round), SpanId([round + 1; 8]));
        batch.push_entry(ts_ns, &line, [("user", "u-17")], ids);
    }
    batch
}

/// The spans of `round`: a root and three children.
pub fn spans(round: u8) -> SpanBatch {
    let mut batch = SpanBatch::default();
    let attrs = batch.push_attrs([("service.name", model::attr::ValueRef::Str("cart"))]);
    batch.resources.push(Resource { attrs });
    let name = batch.text("fixture");
    batch.scopes.push(Scope { name, ..Scope::default() });
    for at in 0..4_u8 {
        let name = batch.text(if at == 0 { "GET /cart" } else { "SELECT" });
        let attrs = batch.push_attrs([
            ("http.status_code", model::attr::ValueRef::Int(200)),
            ("db.row", model::attr::ValueRef::Double(f64::from(at) / 2.0)),
        ]);
        batch.spans.push(SpanRow {
            trace_id: trace_id(round),
            span_id: SpanId([at + 1; 8]),
            parent_id: SpanId(if at == 0 { [0; 8] } else { [1; 8] }),
            start_ns: (T0_MS + i64::from(round) * 150_000 + i64::from(at)) * 1_000_000,
            duration_ns: 1_000_000 * i64::from(10 - at),
            name,
            kind: if at == 0 { SpanKind::Server } else { SpanKind::Client },
            status: if at == 3 { StatusCode::Error } else { StatusCode::Unset },
            attrs,
            ..SpanRow::default()
        });
    }
    batch
}

/// The change of `round`.
pub fn change(round: u8) -> Change {
    Change {
        id: format!("deploy-{round}"),
        ts_ns: (T0_MS + i64::from(round) * 150_000) * 1_000_000,
        kind: ChangeKind::Deploy,
        entities: vec![model::Entity::service("shop", "cart")],
        summary: format!("cart {round}.0.0 -> {}.0.0", round + 1),
        source: "api".into(),
        attributes: BTreeMap::from([("author".into(), "ada".into())]),
    }
}
