//! A cumulative classic histogram of seconds, and how it becomes series.

use model::labels::METRIC_NAME;
use model::metric::ExemplarPoint;
use model::{Exemplar, Labels, LabelsBuilder, MetricBatch, SpanId, TraceId};

/// Upper bounds in seconds: powers of two from 2 ms, as span metrics are usually cut, up to half a minute.
pub const LATENCY_BUCKETS_S: [f64; 15] = [
    0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384, 32.768,
];

/// `le` values, in bucket order.
const BOUND_NAMES: [&str; 16] = [
    "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512", "1.024", "2.048",
    "4.096", "8.192", "16.384", "32.768", "+Inf",
];

/// Counts per bucket, sum, and the latest exemplar of each bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    buckets: [u64; 16],
    sum_s: f64,
    exemplars: [Option<Box<Point>>; 16],
}

#[derive(Clone, Debug)]
struct Point {
    trace: TraceId,
    span: SpanId,
    value_s: f64,
    ts_ms: i64,
}

/// The series of one histogram, made once.
#[derive(Clone, Debug)]
pub(crate) struct LatencySeries {
    buckets: Vec<Labels>,
    sum: Labels,
    count: Labels,
}

impl LatencySeries {
    /// Series of `name` with `labels`.
    pub(crate) fn new(name: &str, labels: &LabelsBuilder) -> Self {
        let named = |suffix: &str, le: Option<&str>| {
            let mut builder = labels.clone();
            builder.set(METRIC_NAME, &format!("{name}{suffix}"));
            builder.set("le", le.unwrap_or_default());
            builder.build()
        };
        Self {
            buckets: BOUND_NAMES.iter().map(|le| named("_bucket", Some(le))).collect(),
            sum: named("_sum", None),
            count: named("_count", None),
        }
    }
}

impl Latency {
    /// Counts one duration and remembers it as its bucket's exemplar.
    #[expect(
        clippy::cast_precision_loss,
        reason = "durations above 104 days lose nanoseconds, which is harmless"
    )]
    pub(crate) fn observe(&mut self, duration_ns: i64, trace: TraceId, span: SpanId, end_ns: i64) {
        let value_s = duration_ns as f64 / 1e9;
        let at = LATENCY_BUCKETS_S.partition_point(|bound| *bound < value_s);
        self.buckets[at] += 1;
        self.sum_s += value_s;
        let point = Point { trace, span, value_s, ts_ms: end_ns.div_euclid(1_000_000) };
        match &mut self.exemplars[at] {
            Some(slot) => **slot = point,
            slot @ None => *slot = Some(Box::new(point)),
        }
    }

    /// Appends samples at `now_ms`; `first_ms` adds the zeros that a new series starts from, so that `increase` sees
    /// its first observations. Exemplars are handed out once.
    pub(crate) fn collect(
        &mut self,
        series: &LatencySeries,
        now_ms: i64,
        first_ms: Option<i64>,
        out: &mut MetricBatch,
    ) {
        let mut total = 0;
        for (at, labels) in series.buckets.iter().enumerate() {
            total += self.buckets[at];
            let index = push(out, labels, total, now_ms, first_ms);
            if let Some(point) = self.exemplars[at].take() {
                let labels = Labels::from_pairs([
                    ("trace_id", point.trace.to_string()),
                    ("span_id", point.span.to_string()),
                ]);
                let exemplar = Exemplar { labels, value: point.value_s, ts_ms: point.ts_ms };
                out.exemplars.push(ExemplarPoint { series: index, exemplar });
            }
        }
        push(out, &series.count, total, now_ms, first_ms);
        let sum = out.push_series(series.sum.clone());
        if let Some(first_ms) = first_ms {
            out.push_float(sum, first_ms, 0.0);
        }
        out.push_float(sum, now_ms, self.sum_s);
    }
}

/// Appends a counter's sample and, for a new series, the zero it starts from; returns the series' index.
#[expect(clippy::cast_precision_loss, reason = "counts above 2^53 are out of reach")]
pub(crate) fn push(
    out: &mut MetricBatch,
    labels: &Labels,
    value: u64,
    now_ms: i64,
    first_ms: Option<i64>,
) -> u32 {
    let index = out.push_series(labels.clone());
    if let Some(first_ms) = first_ms {
        out.push_float(index, first_ms, 0.0);
    }
    out.push_float(index, now_ms, value as f64);
    index
}
