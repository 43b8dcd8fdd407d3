//! Our spans to Jaeger's: fields that Jaeger has no place for become the tags its own translation uses, and tags stand
//! in the order of their keys.

use super::api_v2::{Duration, KeyValue, Log, Process, Span, SpanRef, SpanRefType, Timestamp, ValueType};
use super::{
    ERROR, EVENT, REF_TYPE, SCOPE_NAME, SCOPE_VERSION, SPAN_KIND, STATUS_CODE, STATUS_DESCRIPTION,
    TRACE_STATE,
};
use crate::spans::text_of;
use model::attr::ValueRef;
use model::span::{Event, Link};
use model::{SpanBatch, SpanKind, StatusCode};

/// The batch's spans in order, each with its process.
#[must_use]
pub fn encode_api_v2(batch: &SpanBatch) -> Vec<Span> {
    batch.iter().map(encode).collect()
}

fn encode(span: model::SpanRef<'_>) -> Span {
    let (row, batch) = (span.row, span.batch());
    let mut tags: Vec<_> = span.attrs().map(|(key, value)| tag(key, value)).collect();
    tags.extend(special_tags(span));
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    let parent = (!row.parent_id.is_none()).then(|| SpanRef {
        trace_id: row.trace_id.0.to_vec(),
        span_id: row.parent_id.0.to_vec(),
        ref_type: SpanRefType::ChildOf as i32,
    });
    Span {
        trace_id: row.trace_id.0.to_vec(),
        span_id: row.span_id.0.to_vec(),
        operation_name: span.name().to_owned(),
        references: parent
            .into_iter()
            .chain(span.links().iter().map(|link| reference(batch, link)))
            .collect(),
        flags: row.flags,
        start_time: Some(timestamp(row.start_ns)),
        duration: Some(duration(row.duration_ns)),
        tags,
        logs: span.events().iter().map(|event| log(batch, event)).collect(),
        process: Some(process(span)),
        ..Span::default()
    }
}

fn special_tags(span: model::SpanRef<'_>) -> Vec<KeyValue> {
    let (row, arena) = (span.row, &span.batch().arena);
    let mut tags = Vec::new();
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() {
            tags.push(tag(key, ValueRef::Str(value)));
        }
    };
    text(SPAN_KIND, if row.kind == SpanKind::Unspecified { "" } else { row.kind.as_str() });
    text(
        STATUS_CODE,
        match row.status {
            StatusCode::Unset => "",
            StatusCode::Ok => "OK",
            StatusCode::Error => "ERROR",
        },
    );
    text(STATUS_DESCRIPTION, span.status_message());
    text(TRACE_STATE, row.trace_state.str(arena));
    if let Some(scope) = span.scope() {
        text(SCOPE_NAME, scope.name.str(arena));
        text(SCOPE_VERSION, scope.version.str(arena));
    }
    if row.status == StatusCode::Error && span.attr(ERROR).is_none() {
        tags.push(tag(ERROR, ValueRef::Bool(true)));
    }
    tags
}

fn process(span: model::SpanRef<'_>) -> Process {
    let rest = span.resource_attrs().filter(|(key, _)| *key != "service.name");
    let mut tags: Vec<_> = rest.map(|(key, value)| tag(key, value)).collect();
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    Process { service_name: span.service().to_owned(), tags }
}

fn tag(key: &str, value: ValueRef<'_>) -> KeyValue {
    let mut out = KeyValue { key: key.to_owned(), ..KeyValue::default() };
    match value {
        ValueRef::Bool(flag) => (out.v_type, out.v_bool) = (ValueType::Bool as i32, flag),
        ValueRef::Int(number) => (out.v_type, out.v_int64) = (ValueType::Int64 as i32, number),
        ValueRef::Double(number) => (out.v_type, out.v_float64) = (ValueType::Float64 as i32, number),
        ValueRef::Bytes(bytes) => (out.v_type, out.v_binary) = (ValueType::Binary as i32, bytes.to_vec()),
        ValueRef::Empty | ValueRef::Str(_) | ValueRef::Json(_) => out.v_str = text_of(value),
    }
    out
}

fn log(batch: &SpanBatch, event: &Event) -> Log {
    let name = event.name.str(&batch.arena);
    let name = (!name.is_empty()).then(|| tag(EVENT, ValueRef::Str(name)));
    let rest = batch.attrs(&event.attrs).map(|(key, value)| tag(key, value));
    Log { timestamp: Some(timestamp(event.ts_ns)), fields: name.into_iter().chain(rest).collect() }
}

fn reference(batch: &SpanBatch, link: &Link) -> SpanRef {
    let mut attrs = batch.attrs(&link.attrs);
    let child_of = attrs.any(|(key, value)| key == REF_TYPE && value == ValueRef::Str("child_of"));
    let ref_type = if child_of { SpanRefType::ChildOf } else { SpanRefType::FollowsFrom };
    SpanRef {
        trace_id: link.trace_id.0.to_vec(),
        span_id: link.span_id.0.to_vec(),
        ref_type: ref_type as i32,
    }
}

fn timestamp(ns: i64) -> Timestamp {
    Timestamp {
        seconds: ns.div_euclid(1_000_000_000),
        nanos: i32::try_from(ns.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

fn duration(ns: i64) -> Duration {
    Duration { seconds: ns / 1_000_000_000, nanos: i32::try_from(ns % 1_000_000_000).unwrap_or_default() }
}
