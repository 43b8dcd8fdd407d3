//! Seeded series of every kind, for our engine and, as a remote write request, for Prometheus.

use model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA, ResetHint};
use model::metric::stale_nan;
use model::{FloatHistogram, Labels};
use query::memory::MemoryMetrics;
use std::collections::BTreeMap;

/// First sample, milliseconds; a round minute.
pub(crate) const START_MS: i64 = 1_700_000_040_000;
/// Distance of samples, milliseconds.
const STEP_MS: i64 = 15_000;
/// Samples per series: 75 minutes.
const STEPS: i64 = 300;

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    /// 0.0 to 1.0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

enum Value {
    Float(f64),
    Histogram(FloatHistogram),
}

/// The data, in both shapes.
pub(crate) struct Data {
    pub(crate) source: MemoryMetrics,
    /// A remote write 1.0 request, not compressed.
    pub(crate) request: Vec<u8>,
}

type Series = BTreeMap<Labels, Vec<(i64, Value)>>;

fn times() -> impl Iterator<Item = i64> {
    (0..STEPS).map(|at| START_MS + at * STEP_MS)
}

fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    let mut builder = Labels::from_pairs(pairs.iter().copied()).builder();
    builder.set("__name__", name);
    builder.build()
}

impl Data {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut series = Series::new();
        for (job, instance) in [("api", "a"), ("api", "b"), ("db", "a"), ("db", "c")] {
            let at = [("job", job), ("instance", instance)];
            for path in ["/", "/x"] {
                let labels = labels("http_requests_total", &[at[0], at[1], ("path", path)]);
                series.insert(labels, counter(&mut random));
            }
            series.insert(labels("memory_bytes", &at), gauge(&mut random, 1e6, false));
            series.insert(labels("latency_native", &at), native(&mut random, ResetHint::Unknown));
            let version = format!("v{}", random.below(3));
            let info = labels("target_info", &[at[0], at[1], ("version", &version)]);
            series.insert(info, times().map(|ts| (ts, Value::Float(1.0))).collect());
        }
        for room in ["cellar", "kitchen", "room10", "room9"] {
            series.insert(labels("temperature", &[("room", room)]), gauge(&mut random, 10.0, true));
        }
        for job in ["api", "db"] {
            classic(&mut random, job, &mut series);
            series.insert(labels("load_gauge", &[("job", job)]), native(&mut random, ResetHint::Gauge));
            series.insert(labels("latency_custom", &[("job", job)]), custom(&mut random, job == "db"));
            let mixed = gauge(&mut random, 5.0, false)
                .into_iter()
                .zip(native(&mut random, ResetHint::Unknown))
                .enumerate()
                .map(|(at, (float, histogram))| if at / 40 % 2 == 0 { float } else { histogram });
            series.insert(labels("mixed", &[("job", job)]), mixed.collect());
        }
        Self::from_series(&series)
    }

    fn from_series(series: &Series) -> Self {
        let mut source = MemoryMetrics::default();
        let mut request = Vec::new();
        for (labels, samples) in series {
            for (ts, value) in samples {
                match value {
                    Value::Float(value) => source.push(labels, *ts, *value),
                    Value::Histogram(h) => source.push_histogram(labels, *ts, 0, h.clone()),
                }
            }
            field_bytes(&mut request, 1, &encode_series(labels, samples));
        }
        Self { source, request }
    }
}

/// Grows, with resets.
fn counter(random: &mut Random) -> Vec<(i64, Value)> {
    let mut value = random.unit() * 100.0;
    let mut sample = |ts| {
        value = if random.below(60) == 0 { random.unit() } else { value + random.unit() * 20.0 };
        (ts, Value::Float(value))
    };
    times().map(&mut sample).collect()
}

/// Wanders; `gaps` adds missing samples, NaN and staleness markers.
fn gauge(random: &mut Random, scale: f64, gaps: bool) -> Vec<(i64, Value)> {
    let mut value = random.unit() * scale;
    let mut out = Vec::new();
    for ts in times() {
        value += (random.unit() - 0.5) * scale;
        let sample = match random.below(40) {
            0 | 1 if gaps => continue,
            2 if gaps => f64::NAN,
            3 if gaps => stale_nan(),
            _ => value,
        };
        out.push((ts, Value::Float(sample)));
    }
    out
}

fn classic(random: &mut Random, job: &str, series: &mut Series) {
    let bounds = ["0.1", "0.5", "1", "5", "+Inf"];
    let mut counts = [0.0; 5];
    let mut sum = 0.0;
    for ts in times() {
        for (at, count) in counts.iter_mut().enumerate() {
            *count += random.unit().mul_add(3.0, 1.0).floor();
            sum += *count / [10.0, 3.0, 2.0, 1.0, 0.5][at] / 1000.0;
        }
        let mut below = 0.0;
        for (bound, count) in bounds.iter().zip(counts) {
            below += count;
            let labels = labels("latency_seconds_bucket", &[("job", job), ("le", bound)]);
            series.entry(labels).or_default().push((ts, Value::Float(below)));
        }
        for (name, value) in [("latency_seconds_count", below), ("latency_seconds_sum", sum)] {
            series.entry(labels(name, &[("job", job)])).or_default().push((ts, Value::Float(value)));
        }
    }
}

/// An exponential histogram that grows and is reset now and then, or, as a gauge, is new each time.
fn native(random: &mut Random, hint: ResetHint) -> Vec<(i64, Value)> {
    let schema = i32::try_from(random.below(3)).unwrap_or_default();
    let mut h = FloatHistogram::default();
    let mut sample = |ts| {
        if hint == ResetHint::Gauge || h.positive_buckets.is_empty() || random.below(90) == 0 {
            h = FloatHistogram {
                reset_hint: hint,
                schema,
                zero_threshold: 0.001,
                positive_spans: vec![
                    BucketSpan { offset: -2, length: 3 },
                    BucketSpan { offset: 2, length: 2 },
                ],
                negative_spans: vec![BucketSpan { offset: 0, length: 2 }],
                positive_buckets: vec![0.0; 5],
                negative_buckets: vec![0.0; 2],
                ..FloatHistogram::default()
            };
        }
        grow(&mut h, random);
        (ts, Value::Histogram(h.clone()))
    };
    times().map(&mut sample).collect()
}

fn grow(h: &mut FloatHistogram, random: &mut Random) {
    let mut observed = |weight: f64| {
        let count = (random.unit() * 8.0).floor() + 1.0;
        (count, count * weight)
    };
    let mut total = observed(0.0).0;
    h.zero_count += if h.uses_custom_buckets() { 0.0 } else { total };
    if h.uses_custom_buckets() {
        total = 0.0;
    }
    for (at, bucket) in h.positive_buckets.iter_mut().enumerate() {
        let (count, sum) = observed(0.5 + [0.1, 0.7, 1.5, 9.0, 20.0][at.min(4)]);
        *bucket += count;
        h.sum += sum;
        total += count;
    }
    for bucket in &mut h.negative_buckets {
        let (count, sum) = observed(-1.2);
        *bucket += count;
        h.sum += sum;
        total += count;
    }
    h.count += total;
}

/// A histogram with custom bounds, which change half-way when `changes`.
fn custom(random: &mut Random, changes: bool) -> Vec<(i64, Value)> {
    let mut h = FloatHistogram::default();
    let mut out = Vec::new();
    for (at, ts) in times().enumerate() {
        let bounds: &[f64] = if changes && at >= 150 { &[0.1, 1.0, 5.0] } else { &[0.1, 0.5, 1.0, 5.0] };
        if h.custom_values != bounds || random.below(90) == 0 {
            let length = u32::try_from(bounds.len() + 1).unwrap_or_default();
            h = FloatHistogram {
                schema: CUSTOM_BUCKETS_SCHEMA,
                positive_spans: vec![BucketSpan { offset: 0, length }],
                positive_buckets: vec![0.0; bounds.len() + 1],
                custom_values: bounds.to_vec(),
                ..FloatHistogram::default()
            };
        }
        grow(&mut h, random);
        out.push((ts, Value::Histogram(h.clone())));
    }
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7F).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

fn field_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn field_double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn field_varint(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)).cast_unsigned())
}

/// `prometheus.TimeSeries`.
fn encode_series(labels: &Labels, samples: &[(i64, Value)]) -> Vec<u8> {
    let mut out = Vec::new();
    for label in labels {
        let mut pair = Vec::new();
        field_bytes(&mut pair, 1, label.name.as_bytes());
        field_bytes(&mut pair, 2, label.value.as_bytes());
        field_bytes(&mut out, 1, &pair);
    }
    for (ts, value) in samples {
        match value {
            Value::Float(value) => {
                let mut sample = Vec::new();
                field_double(&mut sample, 1, *value);
                field_varint(&mut sample, 2, ts.cast_unsigned());
                field_bytes(&mut out, 2, &sample);
            }
            Value::Histogram(h) => field_bytes(&mut out, 4, &encode_histogram(h, *ts)),
        }
    }
    out
}

/// `prometheus.Histogram`, as a float histogram.
fn encode_histogram(h: &FloatHistogram, ts: i64) -> Vec<u8> {
    let mut out = Vec::new();
    field_double(&mut out, 2, h.count);
    field_double(&mut out, 3, h.sum);
    field_varint(&mut out, 4, zigzag(h.schema));
    field_double(&mut out, 5, h.zero_threshold);
    field_double(&mut out, 7, h.zero_count);
    for (spans, counts, spans_field, counts_field) in
        [(&h.negative_spans, &h.negative_buckets, 8, 10), (&h.positive_spans, &h.positive_buckets, 11, 13)]
    {
        for span in spans {
            let mut bytes = Vec::new();
            field_varint(&mut bytes, 1, zigzag(span.offset));
            field_varint(&mut bytes, 2, u64::from(span.length));
            field_bytes(&mut out, spans_field, &bytes);
        }
        for count in counts {
            field_double(&mut out, counts_field, *count);
        }
    }
    field_varint(&mut out, 14, if h.reset_hint == ResetHint::Gauge { 3 } else { 0 });
    field_varint(&mut out, 15, ts.cast_unsigned());
    for bound in &h.custom_values {
        field_double(&mut out, 16, *bound);
    }
    out
}
