//! The JSON of Jaeger's query API v1, which its UI and others read: ids as hex, times in microseconds, processes apart.

use super::api_v2::{
    Batch, Duration, KeyValue, Log, Process, Span, SpanRef, SpanRefType, Timestamp, ValueType,
};
use super::{decode_api_v2, encode_api_v2};
use crate::WireError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{SpanBatch, SpanId, TraceId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One trace: `{"traceID", "spans", "processes", "warnings"}`. The batch holds the spans of one trace.
#[must_use]
pub fn trace_to_v1_json(batch: &SpanBatch) -> Value {
    let mut processes: Vec<Process> = Vec::new();
    let mut spans = Vec::new();
    for span in encode_api_v2(batch) {
        let process = span.process.clone().unwrap_or_default();
        let at = processes.iter().position(|known| *known == process).unwrap_or_else(|| {
            processes.push(process);
            processes.len() - 1
        });
        spans.push(span_json(&span, at));
    }
    let processes: serde_json::Map<_, _> =
        processes.iter().enumerate().map(|(at, process)| (name(at), process_json(process))).collect();
    let trace_id = batch.spans.first().map(|row| trace_hex(&row.trace_id.0)).unwrap_or_default();
    json!({"traceID": trace_id, "spans": spans, "processes": processes, "warnings": null})
}

fn name(process: usize) -> String {
    format!("p{}", process + 1)
}

/// A trace id with a zero upper half is printed as 64 bits.
fn trace_hex(id: &[u8]) -> String {
    let hex = TraceId::from_bytes(id).unwrap_or_default().to_string();
    hex.strip_prefix("0000000000000000").map(str::to_owned).unwrap_or(hex)
}

fn span_hex(id: &[u8]) -> String {
    SpanId::from_bytes(id).unwrap_or_default().to_string()
}

fn span_json(span: &Span, process: usize) -> Value {
    json!({
        "traceID": trace_hex(&span.trace_id),
        "spanID": span_hex(&span.span_id),
        "operationName": span.operation_name,
        "references": span.references.iter().map(reference_json).collect::<Vec<_>>(),
        "startTime": span.start_time.map_or(0, |time| micros(time.seconds, time.nanos)),
        "duration": span.duration.map_or(0, |time| micros(time.seconds, time.nanos)),
        "tags": tags_json(&span.tags),
        "logs": span.logs.iter().map(log_json).collect::<Vec<_>>(),
        "processID": name(process),
        "warnings": null,
    })
}

fn micros(seconds: i64, nanos: i32) -> i64 {
    seconds.saturating_mul(1_000_000).saturating_add(i64::from(nanos / 1000))
}

fn reference_json(reference: &SpanRef) -> Value {
    let child_of = reference.ref_type == SpanRefType::ChildOf as i32;
    json!({
        "refType": if child_of { "CHILD_OF" } else { "FOLLOWS_FROM" },
        "traceID": trace_hex(&reference.trace_id),
        "spanID": span_hex(&reference.span_id),
    })
}

fn log_json(log: &Log) -> Value {
    json!({"timestamp": log.timestamp.map_or(0, |time| micros(time.seconds, time.nanos)), "fields": tags_json(&log.fields)})
}

fn process_json(process: &Process) -> Value {
    json!({"serviceName": process.service_name, "tags": tags_json(&process.tags)})
}

fn tags_json(tags: &[KeyValue]) -> Vec<Value> {
    tags.iter().map(tag_json).collect()
}

fn tag_json(tag: &KeyValue) -> Value {
    let (kind, value) = match ValueType::try_from(tag.v_type).unwrap_or(ValueType::String) {
        ValueType::String => ("string", json!(tag.v_str)),
        ValueType::Bool => ("bool", json!(tag.v_bool)),
        ValueType::Int64 => ("int64", json!(tag.v_int64)),
        ValueType::Float64 => ("float64", float_json(tag.v_float64)),
        ValueType::Binary => ("binary", json!(STANDARD.encode(&tag.v_binary))),
    };
    json!({"key": tag.key, "type": kind, "value": value})
}

/// A whole number is written without a fraction, one that JSON cannot say as a string.
fn float_json(value: f64) -> Value {
    if !value.is_finite() {
        return json!(crate::otlp::json::double_text(value));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and exactly representable")]
    let whole = (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64);
    whole.map_or_else(|| json!(value), |whole| json!(whole))
}

/// Reads one trace, a list of traces, or an answer with traces under `data`.
///
/// # Errors
/// When the body is not such JSON or a span in it is not valid.
pub fn v1_json_to_spans(body: &[u8]) -> Result<SpanBatch, WireError> {
    let traces: Traces =
        serde_json::from_slice(body).map_err(|error| WireError::malformed(format!("JSON: {error}")))?;
    let traces = match traces {
        Traces::Answer { data } => data,
        Traces::List(list) => list,
        Traces::One(trace) => vec![trace],
    };
    let mut batch = Batch::default();
    for trace in traces {
        let processes: BTreeMap<_, _> =
            trace.processes.into_iter().map(|(name, process)| (name, process.into_message())).collect();
        for span in trace.spans {
            batch.spans.push(span.into_message(&processes)?);
        }
    }
    decode_api_v2(&batch)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Traces {
    Answer { data: Vec<Trace> },
    List(Vec<Trace>),
    One(Trace),
}

#[derive(Deserialize)]
struct Trace {
    spans: Vec<JsonSpan>,
    #[serde(default)]
    processes: BTreeMap<String, JsonProcess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonProcess {
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    tags: Vec<JsonTag>,
}

#[derive(Deserialize)]
struct JsonTag {
    key: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct JsonLog {
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    fields: Vec<JsonTag>,
}

#[derive(Deserialize, Serialize)]
struct JsonReference {
    #[serde(rename = "refType", default)]
    kind: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default, rename = "parentSpanID")]
    parent_span_id: String,
    #[serde(default)]
    operation_name: String,
    #[serde(default)]
    references: Vec<JsonReference>,
    #[serde(default)]
    flags: u32,
    #[serde(default)]
    start_time: i64,
    #[serde(default)]
    duration: i64,
    #[serde(default)]
    tags: Vec<JsonTag>,
    #[serde(default)]
    logs: Vec<JsonLog>,
    #[serde(default, rename = "processID")]
    process_id: String,
    process: Option<JsonProcess>,
}

fn trace_bytes(hex: &str) -> Result<Vec<u8>, WireError> {
    hex.parse::<TraceId>()
        .map(|id| id.0.to_vec())
        .map_err(|error| WireError::malformed(format!("trace id {hex:?}: {error}")))
}

fn span_bytes(hex: &str) -> Result<Vec<u8>, WireError> {
    hex.parse::<SpanId>()
        .map(|id| id.0.to_vec())
        .map_err(|error| WireError::malformed(format!("span id {hex:?}: {error}")))
}

fn split_micros(us: i64) -> (i64, i32) {
    (us.div_euclid(1_000_000), i32::try_from(us.rem_euclid(1_000_000) * 1000).unwrap_or_default())
}

impl JsonProcess {
    fn into_message(self) -> Process {
        Process {
            service_name: self.service_name,
            tags: self.tags.into_iter().map(JsonTag::into_message).collect(),
        }
    }
}

impl JsonTag {
    fn into_message(self) -> KeyValue {
        let mut out = KeyValue { key: self.key, ..KeyValue::default() };
        let text = self.value.as_str();
        match (self.kind.as_str(), &self.value) {
            ("bool", value) | ("", value @ Value::Bool(_)) => {
                (out.v_type, out.v_bool) =
                    (ValueType::Bool as i32, value.as_bool().unwrap_or(text == Some("true")));
            }
            ("int64", value) => {
                let number = value.as_i64().or_else(|| text?.parse().ok());
                (out.v_type, out.v_int64) = (ValueType::Int64 as i32, number.unwrap_or_default());
            }
            ("float64", value) | ("", value @ Value::Number(_)) => {
                let number = value.as_f64().or_else(|| text?.parse().ok());
                (out.v_type, out.v_float64) = (ValueType::Float64 as i32, number.unwrap_or_default());
            }
            ("binary", _) => {
                let bytes = text.and_then(|text| STANDARD.decode(text).ok());
                (out.v_type, out.v_binary) = (ValueType::Binary as i32, bytes.unwrap_or_default());
            }
            (_, value) => out.v_str = text.map_or_else(|| value.to_string(), str::to_owned),
        }
        out
    }
}

impl JsonSpan {
    fn into_message(self, processes: &BTreeMap<String, Process>) -> Result<Span, WireError> {
        let trace_id = trace_bytes(&self.trace_id)?;
        let mut references = Vec::new();
        if !self.parent_span_id.is_empty() {
            let span_id = span_bytes(&self.parent_span_id)?;
            references.push(SpanRef {
                trace_id: trace_id.clone(),
                span_id,
                ref_type: SpanRefType::ChildOf as i32,
            });
        }
        for reference in &self.references {
            let ref_type = if reference.kind == "FOLLOWS_FROM" {
                SpanRefType::FollowsFrom
            } else {
                SpanRefType::ChildOf
            };
            let (trace_id, span_id) = (trace_bytes(&reference.trace_id)?, span_bytes(&reference.span_id)?);
            references.push(SpanRef { trace_id, span_id, ref_type: ref_type as i32 });
        }
        let (start, length) = (split_micros(self.start_time), split_micros(self.duration));
        let log = |log: JsonLog| {
            let (seconds, nanos) = split_micros(log.timestamp);
            let fields = log.fields.into_iter().map(JsonTag::into_message).collect();
            Log { timestamp: Some(Timestamp { seconds, nanos }), fields }
        };
        Ok(Span {
            trace_id,
            span_id: span_bytes(&self.span_id)?,
            operation_name: self.operation_name,
            references,
            flags: self.flags,
            start_time: Some(Timestamp { seconds: start.0, nanos: start.1 }),
            duration: Some(Duration { seconds: length.0, nanos: length.1 }),
            tags: self.tags.into_iter().map(JsonTag::into_message).collect(),
            logs: self.logs.into_iter().map(log).collect(),
            process: self
                .process
                .map(JsonProcess::into_message)
                .or_else(|| processes.get(&self.process_id).cloned()),
            ..Span::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{Format, decode_traces, encode_trace_json};

    const TRACE: &str = r#"{"traceID":"000000000000abcd","spans":[{"traceID":"000000000000abcd","spanID":"00000000000000ef","operationName":"root","references":[{"refType":"CHILD_OF","traceID":"000000000000abcd","spanID":"0000000000000001"},{"refType":"FOLLOWS_FROM","traceID":"1000000000000000000000000000aaaa","spanID":"00000000000000bc"}],"startTime":1795261008176208,"duration":10000,"tags":[{"key":"b","type":"bool","value":true},{"key":"bin","type":"binary","value":"AQI="},{"key":"d","type":"float64","value":1.5},{"key":"error","type":"bool","value":true},{"key":"i","type":"int64","value":7},{"key":"otel.scope.name","type":"string","value":"lib"},{"key":"otel.status_code","type":"string","value":"ERROR"},{"key":"otel.status_description","type":"string","value":"boom"},{"key":"span.kind","type":"string","value":"server"},{"key":"w3c.tracestate","type":"string","value":"a=b"}],"logs":[{"timestamp":1795261008177208,"fields":[{"key":"event","type":"string","value":"ev"},{"key":"k","type":"bool","value":true}]}],"processID":"p1","warnings":null}],"processes":{"p1":{"serviceName":"shop","tags":[{"key":"host.name","type":"string","value":"h1"}]}},"warnings":null}"#;

    #[test]
    fn what_comes_in_goes_out() {
        let batch = v1_json_to_spans(TRACE.as_bytes()).unwrap();
        assert_eq!(trace_to_v1_json(&batch).to_string(), TRACE);
        let otlp = encode_trace_json(&batch);
        let again = decode_traces(otlp.as_bytes(), Format::Json).unwrap().batch;
        assert_eq!(trace_to_v1_json(&again).to_string(), TRACE);
        let answer = format!(r#"{{"data":[{TRACE}]}}"#);
        assert_eq!(v1_json_to_spans(answer.as_bytes()).unwrap().spans.len(), 1);
    }

    #[test]
    fn arrays_and_maps_become_json_text() {
        let otlp = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"000000000000000000000000000000ab","spanId":"00000000000000cd","attributes":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"1"}]}}}]}]}]}]}"#;
        let json = trace_to_v1_json(&decode_traces(otlp.as_bytes(), Format::Json).unwrap().batch);
        assert_eq!(json["spans"][0]["tags"][0]["value"], r#"["x",1]"#);
    }

    #[test]
    fn bad_ids_are_errors() {
        for bad in [
            "",
            "{}",
            r#"{"spans":[{"traceID":"xyz","spanID":"1"}]}"#,
            r#"{"spans":[{"traceID":"1","spanID":"0"}]}"#,
        ] {
            assert!(v1_json_to_spans(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
