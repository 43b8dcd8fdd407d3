//! Requests as clients send them, and the records each one carries. Every record is unique: lines and spans are numbered,
//! the value of a sample follows from its series and time.

use super::ledger::Record;
use model::change::{Change, ChangeKind};
use model::{Entity, Labels, Tenant};
use platform::{Random, SeededRandom};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::proto::{Value, put_field};

/// Series, streams and operations of each kind.
const SERIES: u64 = 12;
/// Most records of a request.
const RECORDS_MAX: u64 = 24;
/// Spans that share a trace, about; they come in several requests.
const TRACE_SPANS: u64 = 30;
/// One record in so many is late, by up to a day.
const LATE_ONE_IN: u64 = 12;
const DAY_MS: u64 = 86_400_000;
/// How far records of a request are apart at most.
const SPREAD_MS: u64 = 30_000;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: &'static str,
    pub(super) media: &'static str,
    pub(super) tenant: Tenant,
    pub(super) body: Vec<u8>,
    pub(super) records: Vec<Record>,
}

/// Makes requests.
pub(super) struct Load {
    number: u64,
    /// First and last millisecond of all records made so far.
    pub(super) range_ms: (i64, i64),
}

/// Path, content type, body, and the records in it.
type Made = (&'static str, &'static str, Vec<u8>, Vec<Record>);

/// Makes a request of one kind at a time in milliseconds; the rows below are equally likely.
type Kind = fn(&mut Load, &SeededRandom, i64) -> Made;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
/// Not one of the doors: what comes here goes to the store as the API hands it over.
pub(super) const CHANGES: &str = "/changes";

const KINDS: &[Kind] = &[
    Load::remote_write,
    Load::otlp_metrics,
    Load::loki_json,
    Load::loki_protobuf,
    Load::otlp_spans,
    Load::zipkin,
    Load::change,
];

/// A body cut short: no door can read it.
pub(super) fn malformed(request: &Request) -> Request {
    let mut bad = request.clone();
    bad.body.truncate(bad.body.len() / 2);
    bad.body.push(b'{');
    bad
}

fn pairs(labels: &Labels) -> Vec<u8> {
    let mut out = Vec::new();
    for label in labels {
        let mut pair = Vec::new();
        put_field(&mut pair, 1, Value::Bytes(label.name.as_bytes()));
        put_field(&mut pair, 2, Value::Bytes(label.value.as_bytes()));
        put_field(&mut out, 1, Value::Bytes(&pair));
    }
    out
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap_or_default()
}

/// The value of a series at a time: constant, whole, decimal, irrational.
fn value(labels: &Labels, ts_ms: i64) -> f64 {
    let small = i32::try_from(ts_ms.rem_euclid(1_000_003)).unwrap_or_default();
    match labels.hash128() % 5 {
        0 => 1.0,
        1 => f64::from(small),
        2 => f64::from(small % 1_000) / 100.0,
        3 => f64::from(small).sqrt(),
        _ if small % 7 == 0 => f64::NAN,
        _ => f64::INFINITY,
    }
}

impl Load {
    pub(super) fn new() -> Self {
        Self { number: 0, range_ms: (i64::MAX, i64::MIN) }
    }

    /// The next request of a random kind.
    pub(super) fn next(&mut self, random: &SeededRandom, tenant: Tenant, now_ns: i64) -> Request {
        let kind = KINDS[index(random.below(KINDS.len() as u64))];
        let (path, media, body, records) = kind(self, random, now_ns.div_euclid(1_000_000));
        Request { path, media, tenant, body, records }
    }

    fn time_ms(&mut self, random: &SeededRandom, now_ms: i64) -> i64 {
        let late = if random.below(LATE_ONE_IN) == 0 { random.below(DAY_MS) } else { 0 };
        let ts_ms = now_ms.saturating_sub_unsigned(late + random.below(SPREAD_MS));
        self.range_ms = (self.range_ms.0.min(ts_ms), self.range_ms.1.max(ts_ms));
        ts_ms
    }

    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn remote_write(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (mut request, mut records) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(RECORDS_MAX) {
            let slot = random.below(SERIES).to_string();
            let labels = Labels::from_pairs([("__name__", "soak_sample"), ("job", "soak"), ("slot", &slot)]);
            let ts_ms = self.time_ms(random, now_ms);
            let bits = value(&labels, ts_ms).to_bits();
            let (mut series, mut sample) = (pairs(&labels), Vec::new());
            put_field(&mut sample, 1, Value::Fixed64(bits));
            put_field(&mut sample, 2, Value::Varint(ts_ms.cast_unsigned()));
            put_field(&mut series, 2, Value::Bytes(&sample));
            put_field(&mut request, 1, Value::Bytes(&series));
            records.push(Record::Sample(Arc::from(labels.to_string()), ts_ms, bits));
        }
        ("/api/v1/write", PROTOBUF, snappy(&request), records)
    }

    fn otlp_metrics(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (mut points, mut records) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(RECORDS_MAX) {
            let slot = random.below(SERIES).to_string();
            let labels = [("__name__", "soak_gauge"), ("instance", "i"), ("job", "soak"), ("slot", &slot)];
            let labels = Labels::from_pairs(labels);
            let ts_ms = self.time_ms(random, now_ms);
            let value = f64::from(i32::try_from(ts_ms.rem_euclid(100_000)).unwrap_or_default()) / 8.0;
            points.push(json!({
                "timeUnixNano": (ts_ms * 1_000_000).to_string(),
                "asDouble": value,
                "attributes": [{"key": "slot", "value": {"stringValue": slot}}],
            }));
            records.push(Record::Sample(Arc::from(labels.to_string()), ts_ms, value.to_bits()));
        }
        let metrics = json!([{"name": "soak_gauge", "gauge": {"dataPoints": points}}]);
        let body = json!({"resourceMetrics": [
            {"resource": resource("soak"), "scopeMetrics": [{"metrics": metrics}]}
        ]});
        ("/v1/metrics", JSON, body.to_string().into_bytes(), records)
    }

    /// Entries by stream: labels, milliseconds, line.
    fn lines(&mut self, random: &SeededRandom, now_ms: i64, app: &str) -> Vec<(Labels, i64, String)> {
        let mut lines = Vec::new();
        for _ in 0..=random.below(RECORDS_MAX) {
            let slot = random.below(SERIES).to_string();
            let labels = Labels::from_pairs([("app", app), ("slot", &slot)]);
            let took = random.below(1_000);
            let line =
                format!("level=info msg=\"cart {slot} was read\" took={took}ms number={}", self.number());
            lines.push((labels, self.time_ms(random, now_ms), line));
        }
        lines
    }

    fn loki_json(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (mut streams, mut records) = (Vec::new(), Vec::new());
        for (labels, ts_ms, line) in self.lines(random, now_ms, "soak-json") {
            let stream: serde_json::Map<String, serde_json::Value> =
                labels.iter().map(|label| (label.name.to_string(), json!(&*label.value))).collect();
            let ts_ns = ts_ms * 1_000_000 + 1;
            let metadata = json!({"user": format!("u-{}", random.below(5))});
            streams.push(json!({"stream": stream, "values": [[ts_ns.to_string(), line, metadata]]}));
            records.push(Record::Line(Arc::from(labels.to_string()), ts_ns, line));
        }
        ("/loki/api/v1/push", JSON, json!({ "streams": streams }).to_string().into_bytes(), records)
    }

    fn loki_protobuf(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (mut request, mut records) = (Vec::new(), Vec::new());
        for (labels, ts_ms, line) in self.lines(random, now_ms, "soak-protobuf") {
            let (mut stream, mut entry, mut time) = (Vec::new(), Vec::new(), Vec::new());
            put_field(&mut time, 1, Value::Varint(ts_ms.div_euclid(1_000).cast_unsigned()));
            put_field(&mut time, 2, Value::Varint((ts_ms.rem_euclid(1_000) * 1_000_000).cast_unsigned()));
            put_field(&mut entry, 1, Value::Bytes(&time));
            put_field(&mut entry, 2, Value::Bytes(line.as_bytes()));
            put_field(&mut stream, 1, Value::Bytes(labels.to_string().as_bytes()));
            put_field(&mut stream, 2, Value::Bytes(&entry));
            put_field(&mut request, 1, Value::Bytes(&stream));
            records.push(Record::Line(Arc::from(labels.to_string()), ts_ms * 1_000_000, line));
        }
        ("/loki/api/v1/push", PROTOBUF, snappy(&request), records)
    }

    /// Ids of the next spans and when they start, in milliseconds.
    fn spans(&mut self, random: &SeededRandom, now_ms: i64) -> Vec<(u128, u64, i64)> {
        let mut spans = Vec::new();
        for _ in 0..=random.below(RECORDS_MAX) {
            let number = self.number();
            let trace = 1 + (number / TRACE_SPANS).saturating_sub(random.below(3));
            spans.push((u128::from(trace), number, self.time_ms(random, now_ms)));
        }
        spans
    }

    fn otlp_spans(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (mut spans, mut records) = (Vec::new(), Vec::new());
        for (trace, number, ts_ms) in self.spans(random, now_ms) {
            let start_ns = ts_ms * 1_000_000;
            spans.push(json!({
                "traceId": format!("{trace:032x}"),
                "spanId": format!("{number:016x}"),
                "name": format!("GET /{}", number % SERIES),
                "kind": 1 + number % 5,
                "startTimeUnixNano": start_ns.to_string(),
                "endTimeUnixNano": (start_ns + 1_000_000).to_string(),
            }));
            records.push(Record::Span(trace.to_be_bytes(), number.to_be_bytes(), ts_ms));
        }
        let body = json!({"resourceSpans": [
            {"resource": resource("soak"), "scopeSpans": [{"spans": spans}]}
        ]});
        ("/v1/traces", JSON, body.to_string().into_bytes(), records)
    }

    fn zipkin(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (mut spans, mut records) = (Vec::new(), Vec::new());
        for (trace, number, ts_ms) in self.spans(random, now_ms) {
            spans.push(json!({
                "traceId": format!("{trace:032x}"),
                "id": format!("{number:016x}"),
                "name": format!("get {}", number % SERIES),
                "kind": "SERVER",
                "timestamp": ts_ms * 1_000,
                "duration": 1_000,
                "localEndpoint": {"serviceName": "soak-zipkin"},
            }));
            records.push(Record::Span(trace.to_be_bytes(), number.to_be_bytes(), ts_ms));
        }
        ("/api/v2/spans", JSON, json!(spans).to_string().into_bytes(), records)
    }

    fn change(&mut self, random: &SeededRandom, now_ms: i64) -> Made {
        let (number, ts_ns) = (self.number(), self.time_ms(random, now_ms) * 1_000_000 + 2);
        let change = Change {
            id: format!("change-{number}"),
            ts_ns,
            kind: ChangeKind::Deploy,
            entities: vec![Entity::service("", "soak")],
            summary: format!("soak 1.0.{number}"),
            source: "soak".into(),
            attributes: BTreeMap::from([("author".into(), format!("u-{}", random.below(5)))]),
        };
        let records = vec![Record::Change(change.id.clone(), ts_ns, change.summary.clone())];
        (CHANGES, JSON, json!(change).to_string().into_bytes(), records)
    }
}

fn resource(service: &str) -> serde_json::Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"attributes": [attribute("service.name", service), attribute("service.instance.id", "i")]})
}

/// A small number as an index.
pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
