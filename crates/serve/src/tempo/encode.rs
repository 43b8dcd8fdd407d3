//! Tempo's JSON: protobuf's JSON mapping, where 64-bit integers are strings and ids in traces are base64.

use axum::http::HeaderValue;
use axum::response::Response;
use model::Completeness;
use query::traceql::AttrValue;
use serde_json::{Value, json};

/// Largest `warning` header, bytes.
const WARNING_BYTES_MAX: usize = 1_000;

/// An attribute value as OTLP's `AnyValue`; what OTLP has no type for is text.
pub(crate) fn any_value(value: &AttrValue) -> Value {
    match value {
        AttrValue::Int(number) => json!({"intValue": number.to_string()}),
        AttrValue::Double(number) => json!({"doubleValue": double(*number)}),
        AttrValue::Bool(flag) => json!({"boolValue": flag}),
        AttrValue::Array(values) => {
            json!({"arrayValue": {"values": values.iter().map(any_value).collect::<Vec<_>>()}})
        }
        AttrValue::Nil | AttrValue::Str(_) | AttrValue::Duration(_) => {
            json!({"stringValue": value.to_string()})
        }
    }
}

/// Key and value pairs as OTLP's list.
pub(crate) fn attributes(pairs: &[(String, AttrValue)]) -> Vec<Value> {
    pairs.iter().map(|(key, value)| json!({"key": key, "value": any_value(value)})).collect()
}

/// A float; what JSON has no number for is text, as protobuf's JSON says.
pub(crate) fn double(value: f64) -> Value {
    match value {
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        _ if value.is_nan() => json!("NaN"),
        _ => json!(value),
    }
}

/// Names what `response` misses in a `warning` header.
pub(crate) fn warn(mut response: Response, completeness: &Completeness) -> Response {
    if !completeness.is_complete() {
        let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
        let mut text: String = completeness
            .missing
            .join("; ")
            .chars()
            .map(ascii)
            .map(|c| if c == '"' { '\'' } else { c })
            .collect();
        text.truncate(WARNING_BYTES_MAX);
        if let Ok(value) = HeaderValue::from_str(&format!("199 binnacle \"{text}\"")) {
            response.headers_mut().insert("warning", value);
        }
    }
    response
}

/// Cost of an answer; parts that are missing count as jobs that did not finish.
pub(crate) fn cost(traces: u64, spans: u64, completeness: &Completeness) -> Value {
    let total = 1 + completeness.missing.len();
    json!({
        "inspectedTraces": traces, "inspectedSpans": spans.to_string(), "inspectedBytes": "0",
        "completedJobs": 1, "totalJobs": total,
    })
}
