//! OTLP metric requests as JSON: every kind of metric, unit, temporality, attribute type and odd name, over three
//! points in time. The same on every run but for the time.

use serde_json::{Value, json};

/// Points of every stream, and how far apart they are.
const POINTS: i64 = 3;
const APART_S: i64 = 60;

const NAMES: &[&str] = &[
    "requests",
    "http.server.duration",
    "http.server.request.duration",
    "queue-length",
    "1st.name",
    "a..b",
    "_lead",
    "trail_",
    "total",
    "requests_total",
    "weird name/with:colon",
    "größe",
    "ratio",
    "cpu.utilization.ratio",
    "bytes",
    "memory.usage.bytes",
    "x",
    "UPPER.Case",
    "a___b",
    "per.second",
];
const UNITS: &[&str] = &[
    "",
    "1",
    "s",
    "ms",
    "By",
    "KiBy",
    "m/s",
    "{request}",
    "By/s",
    "%",
    "Cel",
    "{a}/m",
    "custom unit",
    "h",
    "d/wk",
];

fn attributes(pairs: &[(&str, Value)]) -> Value {
    pairs.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn resource(index: usize) -> Value {
    let text = |text: &str| json!({"stringValue": text});
    let sets: [&[(&str, Value)]; 5] = [
        &[
            ("service.name", text("cart")),
            ("service.namespace", text("shop")),
            ("service.instance.id", text("i-1")),
            ("k8s.pod.name", text("cart-0")),
            ("host.cpus", json!({"intValue": "4"})),
        ],
        &[("service.name", text("solo"))],
        &[("service.instance.id", text("nameless")), ("cloud.region", text("eu-1"))],
        &[],
        &[
            ("service.name", text("odd")),
            ("a.b", text("1")),
            ("a_b", text("2")),
            ("empty", text("")),
            ("list", json!({"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "2"}]}})),
            ("map", json!({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": true}}]}})),
        ],
    ];
    json!({"attributes": attributes(sets[index % sets.len()])})
}

fn labels(index: usize) -> Value {
    let sets: [&[(&str, Value)]; 5] = [
        &[],
        &[("method", json!({"stringValue": "GET"})), ("code", json!({"intValue": "200"}))],
        &[
            ("http.route", json!({"stringValue": "/a/{id}"})),
            ("ok", json!({"boolValue": true})),
            ("share", json!({"doubleValue": 0.25})),
        ],
        &[
            ("a.b", json!({"stringValue": "dot"})),
            ("a-b", json!({"stringValue": "dash"})),
            ("__x", json!({"stringValue": "u"})),
        ],
        &[
            ("1digit", json!({"stringValue": "d"})),
            ("_one", json!({"stringValue": "o"})),
            ("größe", json!({"stringValue": "ü"})),
        ],
    ];
    attributes(sets[index % sets.len()])
}

/// A data point's time fields; the start stands before the first point.
fn point(index: usize, at_s: i64, first_s: i64) -> Value {
    json!({
        "attributes": labels(index),
        "startTimeUnixNano": format!("{}000000000", first_s - APART_S),
        "timeUnixNano": format!("{at_s}000000000"),
    })
}

fn with(mut point: Value, more: &Value) -> Value {
    let fields = point.as_object_mut().expect("a point");
    fields.extend(more.as_object().expect("fields").clone());
    point
}

fn exemplar(at_s: i64, value: f64) -> Value {
    json!([{"timeUnixNano": format!("{at_s}000000000"), "asDouble": value, "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331", "filteredAttributes": [{"key": "user.id", "value": {"stringValue": "u1"}}]}])
}

/// The body of a metric of the kind that the index chooses, at the `step`-th time.
fn data(index: usize, step: i64, at_s: i64, first_s: i64) -> Value {
    let point = point(index, at_s, first_s);
    let grown = u64::try_from(step + 1).expect("a small number");
    let value = 1.5 * f64::from(u32::try_from(grown).expect("a small number"));
    let sum = |temporality: u8, monotonic: bool, fields: Value| json!({"sum": {"aggregationTemporality": temporality, "isMonotonic": monotonic, "dataPoints": [with(point.clone(), &fields)]}});
    let buckets = |scale: u64| {
        json!([scale * grown, 2 * scale * grown, 0, scale * grown].map(|count| count.to_string()))
    };
    let histogram = |temporality: u8, scale: u64| {
        json!({"histogram": {"aggregationTemporality": temporality, "dataPoints": [with(point.clone(), &json!({
            "count": (4 * scale * grown).to_string(), "sum": value, "explicitBounds": [0.1, 1.0, 10.0],
            "bucketCounts": buckets(scale), "exemplars": exemplar(at_s, 0.7)}))]}})
    };
    let exponential = |temporality: u8, scale: i32, zero: u64| {
        json!({"exponentialHistogram": {"aggregationTemporality": temporality, "dataPoints": [with(point.clone(), &json!({
            "count": (7 * grown + zero).to_string(), "sum": value, "scale": scale, "zeroCount": zero.to_string(), "zeroThreshold": 0.001,
            "positive": {"offset": -2, "bucketCounts": [grown.to_string(), "0", (3 * grown).to_string()]},
            "negative": {"offset": 3, "bucketCounts": [(3 * grown).to_string()]}}))]}})
    };
    match index % 12 {
        0 => json!({"gauge": {"dataPoints": [with(point, &json!({"asDouble": value}))]}}),
        1 => json!({"gauge": {"dataPoints": [with(point, &json!({"asInt": "-7"}))]}}),
        2 => sum(2, true, json!({"asInt": (10 * grown).to_string(), "exemplars": exemplar(at_s, 1.0)})),
        3 => sum(2, false, json!({"asDouble": -value})),
        4 => sum(1, true, json!({"asDouble": value})),
        5 => histogram(2, 1),
        6 => histogram(1, 2),
        7 => exponential(2, 3, 2),
        8 => exponential(2, -1, 0),
        9 => exponential(2, 12, 1),
        10 => json!({"summary": {"dataPoints": [with(point, &json!({"count": "9", "sum": 4.5,
            "quantileValues": [{"quantile": 0.5, "value": 0.25}, {"quantile": 0.99, "value": 1.0}]}))]}}),
        _ => json!({"gauge": {"dataPoints": [with(point, &json!({"flags": 1}))]}}),
    }
}

fn metric(index: usize, step: i64, at_s: i64, first_s: i64) -> Value {
    let mut metric = data(index, step, at_s, first_s);
    let fields = metric.as_object_mut().expect("a metric");
    // Of a float and a native histogram of one name, which one stays is a matter of order.
    let native = if (7..10).contains(&(index % 12)) { ".native" } else { "" };
    fields.insert("name".into(), json!(format!("{}{native}", NAMES[index % NAMES.len()])));
    fields.insert("unit".into(), json!(UNITS[(index / 3) % UNITS.len()]));
    fields.insert("description".into(), json!("what it counts"));
    metric
}

/// One request for each point in time.
pub(crate) fn requests(now_s: i64) -> Vec<Value> {
    let first_s = now_s - POINTS * APART_S;
    let request = |step: i64| {
        let at_s = first_s + step * APART_S;
        let resource_metrics: Vec<Value> = (0..5)
            .map(|index| {
                let metrics: Vec<Value> =
                    (0..60).map(|metric_index| metric(index + 5 * metric_index, step, at_s, first_s)).collect();
                json!({"resource": resource(index), "scopeMetrics": [{"scope": {"name": "lib", "version": "1.2"}, "metrics": metrics}]})
            })
            .collect();
        json!({"resourceMetrics": resource_metrics})
    };
    (0..POINTS).map(request).collect()
}
