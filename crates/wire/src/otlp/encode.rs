//! Spans to OTLP: what the query doors answer with.

use super::json::{Style, from_protobuf, to_protobuf};
use super::schema;
use model::SpanBatch;
use model::attr::ValueRef;
use model::span::{Event, Link, SpanRef};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span};
use prost::Message;

/// The batch's spans grouped by resource and scope, both in the order of their first span.
#[must_use]
pub fn encode_trace(batch: &SpanBatch) -> TracesData {
    let mut out = TracesData::default();
    let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
    for span in batch.iter() {
        let row = span.row;
        let resource =
            groups.iter().position(|(resource, _)| *resource == row.resource).unwrap_or_else(|| {
                groups.push((row.resource, Vec::new()));
                out.resource_spans.push(resource_spans(span));
                groups.len() - 1
            });
        let (scopes, spans) = (&mut groups[resource].1, &mut out.resource_spans[resource].scope_spans);
        let scope = scopes.iter().position(|scope| *scope == row.scope).unwrap_or_else(|| {
            scopes.push(row.scope);
            spans.push(scope_spans(span));
            scopes.len() - 1
        });
        spans[scope].spans.push(encode_span(span));
    }
    out
}

/// `{"resourceSpans":[...]}` as OTLP's JSON mapping says: hexadecimal ids, numeric enumerations.
#[must_use]
pub fn encode_trace_json(batch: &SpanBatch) -> String {
    encode_trace_as(batch, Style::Otlp)
}

pub(crate) fn encode_trace_as(batch: &SpanBatch, style: Style) -> String {
    let mut out = String::new();
    // What `encode_trace` makes is a message of this schema, and model's values nest no deeper than was let in.
    if from_protobuf(&schema::TRACES, &encode_trace(batch).encode_to_vec(), style, &mut out).is_err() {
        debug_assert!(false, "an encoded trace does not decode");
        return r#"{"resourceSpans":[]}"#.into();
    }
    if out == "{}" { r#"{"resourceSpans":[]}"#.into() } else { out }
}

fn resource_spans(span: SpanRef<'_>) -> ResourceSpans {
    let resource = Resource { attributes: attributes(span.resource_attrs()), ..Resource::default() };
    ResourceSpans { resource: Some(resource), ..ResourceSpans::default() }
}

fn scope_spans(span: SpanRef<'_>) -> ScopeSpans {
    let batch = span.batch();
    let scope = span.scope().map(|scope| InstrumentationScope {
        name: scope.name.str(&batch.arena).to_owned(),
        version: scope.version.str(&batch.arena).to_owned(),
        attributes: attributes(batch.attrs(&scope.attrs)),
        dropped_attributes_count: 0,
    });
    ScopeSpans { scope, ..ScopeSpans::default() }
}

fn encode_span(span: SpanRef<'_>) -> Span {
    let (row, batch) = (span.row, span.batch());
    Span {
        trace_id: row.trace_id.0.to_vec(),
        span_id: row.span_id.0.to_vec(),
        trace_state: row.trace_state.str(&batch.arena).to_owned(),
        parent_span_id: if row.parent_id.is_none() { Vec::new() } else { row.parent_id.0.to_vec() },
        flags: row.flags,
        name: span.name().to_owned(),
        kind: i32::from(row.kind as u8),
        start_time_unix_nano: row.start_ns.max(0).cast_unsigned(),
        end_time_unix_nano: span.end_ns().max(0).cast_unsigned(),
        attributes: attributes(span.attrs()),
        events: span.events().iter().map(|event| encode_event(batch, event)).collect(),
        links: span.links().iter().map(|link| encode_link(batch, link)).collect(),
        status: Some(Status { message: span.status_message().to_owned(), code: i32::from(row.status as u8) }),
        ..Span::default()
    }
}

fn encode_event(batch: &SpanBatch, event: &Event) -> span::Event {
    span::Event {
        time_unix_nano: event.ts_ns.max(0).cast_unsigned(),
        name: event.name.str(&batch.arena).to_owned(),
        attributes: attributes(batch.attrs(&event.attrs)),
        dropped_attributes_count: 0,
    }
}

fn encode_link(batch: &SpanBatch, link: &Link) -> span::Link {
    span::Link {
        trace_id: link.trace_id.0.to_vec(),
        span_id: link.span_id.0.to_vec(),
        trace_state: link.trace_state.str(&batch.arena).to_owned(),
        attributes: attributes(batch.attrs(&link.attrs)),
        ..span::Link::default()
    }
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> Vec<KeyValue> {
    pairs
        .map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value: Some(any_value(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn any_value(value: ValueRef<'_>) -> AnyValue {
    let value = match value {
        ValueRef::Empty => None,
        ValueRef::Str(text) => Some(any_value::Value::StringValue(text.to_owned())),
        ValueRef::Int(number) => Some(any_value::Value::IntValue(number)),
        ValueRef::Double(number) => Some(any_value::Value::DoubleValue(number)),
        ValueRef::Bool(flag) => Some(any_value::Value::BoolValue(flag)),
        ValueRef::Bytes(bytes) => Some(any_value::Value::BytesValue(bytes.to_vec())),
        ValueRef::Json(json) => return composite(json),
    };
    AnyValue { value }
}

/// An array or map from its JSON text; text that is neither stays a string.
fn composite(json: &str) -> AnyValue {
    let bytes = to_protobuf(&schema::ANY_VALUE, json.as_bytes()).ok();
    let decoded = bytes.and_then(|bytes| AnyValue::decode(&*bytes).ok());
    decoded.unwrap_or_else(|| AnyValue { value: Some(any_value::Value::StringValue(json.to_owned())) })
}
