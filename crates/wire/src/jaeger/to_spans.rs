//! Jaeger's spans to ours: some tags are fields of OTLP's, the rest attributes.

use super::api_v2::{
    Batch, Duration, KeyValue, Log, Process, Span, SpanRef, SpanRefType, Timestamp, ValueType,
};
use super::{
    ERROR, EVENT, REF_TYPE, SCOPE_NAME, SCOPE_VERSION, SPAN_KIND, STATUS_CODE, STATUS_DESCRIPTION,
    TRACE_STATE,
};
use crate::WireError;
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use crate::spans::{Pair, SpanWriter, valid_ids};
use model::attr::ValueRef;
use model::span::{Event, Link};
use model::{SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, TraceId};
use prost::Message;
use std::ops::Range;

/// Spans of one process, unless a span names its own.
///
/// # Errors
/// When a span has no trace id or span id, ids of the wrong length, or too many tags.
pub fn decode_api_v2(batch: &Batch) -> Result<SpanBatch, WireError> {
    let mut writer = SpanWriter::default();
    let nobody = Process::default();
    for span in &batch.spans {
        let process = span.process.as_ref().or(batch.process.as_ref()).unwrap_or(&nobody);
        push_span(&mut writer, span, process)?;
    }
    Ok(writer.batch)
}

fn push_span(writer: &mut SpanWriter, span: &Span, process: &Process) -> Result<(), WireError> {
    let trace_id = TraceId::from_bytes(&span.trace_id).unwrap_or_default();
    let span_id = SpanId::from_bytes(&span.span_id).unwrap_or_default();
    if !valid_ids(trace_id, span_id) {
        return Err(WireError::malformed(format!(
            "span {:?} has no valid trace id and span id",
            span.operation_name
        )));
    }
    if span.tags.len() > ATTRIBUTES_PER_RECORD_MAX {
        return Err(WireError::TooLarge { what: "tags of one span", limit: ATTRIBUTES_PER_RECORD_MAX });
    }
    let resource = resource(writer, process);
    let special = Special::read(&span.tags);
    let scope = writer.scope(special.scope_name, special.scope_version);
    let parent = span.references.iter().position(|reference| is_parent(reference, trace_id));
    let parent =
        parent.or_else(|| span.references.iter().position(|reference| reference.trace_id == span.trace_id));
    let attrs = writer.batch.push_attrs(span.tags.iter().filter(|tag| !special.takes(tag)).map(pair));
    let events = events(writer, &span.logs);
    let links = links(writer, &span.references, parent);
    let batch = &mut writer.batch;
    let row = SpanRow {
        trace_id,
        span_id,
        parent_id: parent.and_then(|at| SpanId::from_bytes(&span.references[at].span_id)).unwrap_or_default(),
        start_ns: span.start_time.map_or(0, nanos),
        duration_ns: span.duration.map_or(0, duration_nanos).max(0),
        name: batch.text(&span.operation_name),
        kind: special.kind.unwrap_or_default(),
        status: special.status(),
        status_message: batch.text(special.description),
        trace_state: batch.text(special.trace_state),
        flags: span.flags & 0xFF,
        resource,
        scope,
        attrs,
        events,
        links,
    };
    writer.push(row);
    Ok(())
}

fn resource(writer: &mut SpanWriter, process: &Process) -> u32 {
    let name =
        (!process.service_name.is_empty()).then_some(("service.name", ValueRef::Str(&process.service_name)));
    writer.resource(process.encode_to_vec(), name.into_iter().chain(process.tags.iter().map(pair)))
}

/// The tags that stand for fields of a span.
#[derive(Debug, Default)]
struct Special<'a> {
    kind: Option<SpanKind>,
    code: Option<StatusCode>,
    failed: bool,
    description: &'a str,
    scope_name: &'a str,
    scope_version: &'a str,
    trace_state: &'a str,
}

impl<'a> Special<'a> {
    fn read(tags: &'a [KeyValue]) -> Self {
        let mut special = Self::default();
        for tag in tags {
            match tag.key.as_str() {
                SPAN_KIND => special.kind = kind(&tag.v_str),
                STATUS_CODE => special.code = code(&tag.v_str),
                STATUS_DESCRIPTION => special.description = &tag.v_str,
                ERROR => special.failed |= is_true(tag),
                SCOPE_NAME | "otel.library.name" => special.scope_name = &tag.v_str,
                SCOPE_VERSION | "otel.library.version" => special.scope_version = &tag.v_str,
                TRACE_STATE => special.trace_state = &tag.v_str,
                _ => {}
            }
        }
        special
    }

    fn status(&self) -> StatusCode {
        if self.failed { StatusCode::Error } else { self.code.unwrap_or_default() }
    }

    /// Whether the tag is told by a field, so that it need not be an attribute too.
    fn takes(&self, tag: &KeyValue) -> bool {
        match tag.key.as_str() {
            SPAN_KIND => self.kind.is_some(),
            STATUS_CODE => self.code.is_some(),
            ERROR => is_true(tag),
            STATUS_DESCRIPTION
            | SCOPE_NAME
            | SCOPE_VERSION
            | "otel.library.name"
            | "otel.library.version"
            | TRACE_STATE => true,
            _ => false,
        }
    }
}

fn is_true(tag: &KeyValue) -> bool {
    tag.v_bool || tag.v_str.eq_ignore_ascii_case("true")
}

fn kind(word: &str) -> Option<SpanKind> {
    match word.to_ascii_lowercase().as_str() {
        "internal" => Some(SpanKind::Internal),
        "server" => Some(SpanKind::Server),
        "client" => Some(SpanKind::Client),
        "producer" => Some(SpanKind::Producer),
        "consumer" => Some(SpanKind::Consumer),
        _ => None,
    }
}

fn code(word: &str) -> Option<StatusCode> {
    match word {
        "UNSET" => Some(StatusCode::Unset),
        "OK" => Some(StatusCode::Ok),
        "ERROR" => Some(StatusCode::Error),
        _ => None,
    }
}

fn pair(tag: &KeyValue) -> Pair<'_> {
    let value = match ValueType::try_from(tag.v_type).unwrap_or(ValueType::String) {
        ValueType::String => ValueRef::Str(&tag.v_str),
        ValueType::Bool => ValueRef::Bool(tag.v_bool),
        ValueType::Int64 => ValueRef::Int(tag.v_int64),
        ValueType::Float64 => ValueRef::Double(tag.v_float64),
        ValueType::Binary => ValueRef::Bytes(&tag.v_binary),
    };
    (&tag.key, value)
}

fn is_parent(reference: &SpanRef, trace_id: TraceId) -> bool {
    reference.ref_type == SpanRefType::ChildOf as i32
        && TraceId::from_bytes(&reference.trace_id) == Some(trace_id)
}

fn events(writer: &mut SpanWriter, logs: &[Log]) -> Range<u32> {
    let batch = &mut writer.batch;
    let len = |events: &Vec<Event>| u32::try_from(events.len()).unwrap_or(u32::MAX);
    let start = len(&batch.events);
    for log in logs {
        let name = log
            .fields
            .iter()
            .position(|field| field.key == EVENT && field.v_type == ValueType::String as i32);
        let rest =
            log.fields.iter().enumerate().filter(|(at, _)| Some(*at) != name).map(|(_, field)| pair(field));
        let attrs = batch.push_attrs(rest);
        let name = batch.text(name.map_or("", |at| &log.fields[at].v_str));
        batch.events.push(Event { ts_ns: log.timestamp.map_or(0, nanos), name, attrs });
    }
    start..len(&batch.events)
}

fn links(writer: &mut SpanWriter, references: &[SpanRef], parent: Option<usize>) -> Range<u32> {
    let batch = &mut writer.batch;
    let len = |links: &Vec<Link>| u32::try_from(links.len()).unwrap_or(u32::MAX);
    let start = len(&batch.links);
    for (_, reference) in references.iter().enumerate().filter(|(at, _)| Some(*at) != parent) {
        let child_of = reference.ref_type == SpanRefType::ChildOf as i32;
        let ref_type = if child_of { "child_of" } else { "follows_from" };
        let attrs = batch.push_attrs([(REF_TYPE, ValueRef::Str(ref_type))]);
        batch.links.push(Link {
            trace_id: TraceId::from_bytes(&reference.trace_id).unwrap_or_default(),
            span_id: SpanId::from_bytes(&reference.span_id).unwrap_or_default(),
            attrs,
            ..Link::default()
        });
    }
    start..len(&batch.links)
}

fn nanos(time: Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}

fn duration_nanos(duration: Duration) -> i64 {
    duration.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(duration.nanos))
}
