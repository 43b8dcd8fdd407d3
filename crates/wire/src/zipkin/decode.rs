//! Zipkin spans to ours.

use super::{
    DEBUG, EndpointNames, LOCAL, PEER_SERVICE, REMOTE, SCOPE_NAME, SCOPE_VERSION, SHARED, STATUS_CODE,
};
use crate::WireError;
use crate::limits::{ATTRIBUTES_PER_RECORD_MAX, BODY_BYTES_MAX};
use crate::spans::{Pair, SpanWriter, valid_ids};
use model::attr::ValueRef;
use model::span::Event;
use model::{SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, TraceId};
use serde::Deserialize;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// Decodes a list of spans.
///
/// # Errors
/// When the body is not a JSON list of Zipkin spans, or a span lacks a valid id or trace id.
pub fn decode_v2_json(body: &[u8]) -> Result<SpanBatch, WireError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(WireError::TooLarge { what: "request in bytes", limit: BODY_BYTES_MAX });
    }
    if body.trim_ascii_start().first() != Some(&b'[') {
        return Err(WireError::malformed("Expected a JSON_V2 encoded list"));
    }
    let spans: Vec<ZipkinSpan> = serde_json::from_slice(body)
        .map_err(|error| WireError::malformed(format!("Malformed reading List<Span> from json: {error}")))?;
    let mut writer = SpanWriter::default();
    for span in &spans {
        push_span(&mut writer, span)?;
    }
    Ok(writer.batch)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinSpan {
    trace_id: String,
    id: String,
    parent_id: Option<String>,
    name: Option<String>,
    kind: Option<String>,
    timestamp: Option<f64>,
    duration: Option<f64>,
    #[serde(default)]
    debug: Option<bool>,
    #[serde(default)]
    shared: Option<bool>,
    local_endpoint: Option<Endpoint>,
    remote_endpoint: Option<Endpoint>,
    #[serde(default)]
    annotations: Option<Vec<Annotation>>,
    #[serde(default)]
    tags: Option<BTreeMap<String, TagValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    service_name: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    port: Option<i64>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    timestamp: f64,
    #[serde(default)]
    value: String,
}

/// Tags are strings; some clients send numbers and booleans.
#[derive(Deserialize)]
#[serde(untagged)]
enum TagValue {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
}

impl TagValue {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bool(flag) => flag.to_string(),
        }
    }
}

fn nanos(micros: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; microseconds of this century are exact")]
    let whole = micros as i64;
    whole.saturating_mul(1000)
}

/// Trace, span and parent id; no parent is the zero id.
fn ids(span: &ZipkinSpan) -> Result<(TraceId, SpanId, SpanId), WireError> {
    let invalid = |what: &str, id: &str| {
        WireError::malformed(format!("{what} {id:?} should be lower-hex encoded with no prefix"))
    };
    let trace_id = span.trace_id.parse().map_err(|_| invalid("trace id", &span.trace_id))?;
    let id = span.id.parse().map_err(|_| invalid("id", &span.id))?;
    let parent_id = match span.parent_id.as_deref().filter(|parent| !parent.is_empty()) {
        Some(parent) => parent.parse().map_err(|_| invalid("parent id", parent))?,
        None => SpanId::default(),
    };
    if !valid_ids(trace_id, id) {
        return Err(WireError::malformed("a span's id and trace id must not be all zeros"));
    }
    Ok((trace_id, id, parent_id))
}

fn push_span(writer: &mut SpanWriter, span: &ZipkinSpan) -> Result<(), WireError> {
    let (trace_id, id, parent_id) = ids(span)?;
    let no_tags = BTreeMap::new();
    let given = span.tags.as_ref().unwrap_or(&no_tags);
    if given.len() > ATTRIBUTES_PER_RECORD_MAX {
        return Err(WireError::TooLarge { what: "tags of one span", limit: ATTRIBUTES_PER_RECORD_MAX });
    }
    let tags: BTreeMap<&str, String> =
        given.iter().map(|(key, value)| (key.as_str(), value.text())).collect();
    let (status, message) = status(&tags);
    let shared = span.shared == Some(true);
    let parent_text = if parent_id.is_none() { String::new() } else { parent_id.to_string() };
    let service = service(span.local_endpoint.as_ref());
    let named = (!service.is_empty()).then_some(("service.name", ValueRef::Str(service)));
    let resource = writer.resource(service.as_bytes().to_vec(), named);
    let tag = |key: &str| tags.get(key).map(String::as_str).unwrap_or_default();
    let scope = writer.scope(tag(SCOPE_NAME), tag(SCOPE_VERSION));
    let annotations = span.annotations.as_deref().unwrap_or_default();
    let earliest = annotations.iter().map(|annotation| nanos(annotation.timestamp)).min();
    let batch = &mut writer.batch;
    let attrs = batch.push_attrs(attributes(span, &tags, status, shared.then_some(&parent_text)));
    let first = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
    for annotation in annotations {
        let name = batch.text(&annotation.value);
        batch.events.push(Event { ts_ns: nanos(annotation.timestamp), name, ..Event::default() });
    }
    let row = SpanRow {
        trace_id,
        span_id: if shared { own_id(id) } else { id },
        parent_id: if shared { id } else { parent_id },
        start_ns: span.timestamp.map(nanos).or(earliest).unwrap_or_default(),
        duration_ns: span.duration.map_or(0, nanos).max(0),
        name: batch.text(span.name.as_deref().unwrap_or_default()),
        kind: kind(span.kind.as_deref()),
        status,
        status_message: batch.text(message),
        resource,
        scope,
        attrs,
        events: first..u32::try_from(batch.events.len()).unwrap_or(u32::MAX),
        ..SpanRow::default()
    };
    writer.push(row);
    Ok(())
}

fn service(endpoint: Option<&Endpoint>) -> &str {
    endpoint.and_then(|endpoint| endpoint.service_name.as_deref()).unwrap_or_default()
}

/// Tags and endpoints as attributes; `shared_parent` is the parent of a span that shares its client's id.
fn attributes<'a>(
    span: &'a ZipkinSpan,
    tags: &'a BTreeMap<&str, String>,
    status: StatusCode,
    shared_parent: Option<&'a String>,
) -> Vec<Pair<'a>> {
    let kept = tags.iter().filter(|(key, _)| !is_field(key, status));
    let mut attrs: Vec<Pair<'_>> = kept.map(|(key, value)| (*key, ValueRef::Str(value))).collect();
    endpoint(&mut attrs, span.local_endpoint.as_ref(), &LOCAL);
    endpoint(&mut attrs, span.remote_endpoint.as_ref(), &REMOTE);
    let peer = service(span.remote_endpoint.as_ref());
    if !peer.is_empty() {
        attrs.push((PEER_SERVICE, ValueRef::Str(peer)));
    }
    attrs.extend(shared_parent.map(|parent| (SHARED, ValueRef::Str(parent))));
    if span.debug == Some(true) {
        attrs.push((DEBUG, ValueRef::Bool(true)));
    }
    attrs
}

/// The id of the server half of a shared span: the same for every report of it.
fn own_id(shared: SpanId) -> SpanId {
    SpanId((xxh3_64(&shared.0) | 1).to_be_bytes())
}

fn kind(kind: Option<&str>) -> SpanKind {
    match kind {
        Some("CLIENT") => SpanKind::Client,
        Some("SERVER") => SpanKind::Server,
        Some("PRODUCER") => SpanKind::Producer,
        Some("CONSUMER") => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

/// The status that tags tell: OpenTelemetry's own, else Zipkin's `error`, whose value is the message.
fn status<'a>(tags: &'a BTreeMap<&str, String>) -> (StatusCode, &'a str) {
    let error = tags.get("error").map(String::as_str);
    let message = error.filter(|text| !matches!(*text, "true" | "false")).unwrap_or_default();
    match tags.get(STATUS_CODE).map(|code| code.to_ascii_uppercase()).as_deref() {
        Some("OK") => (StatusCode::Ok, ""),
        Some("ERROR") => (StatusCode::Error, message),
        _ if error.is_some_and(|text| text != "false") => (StatusCode::Error, message),
        _ => (StatusCode::Unset, ""),
    }
}

/// Whether a tag is told by a field of the span, so that it need not be an attribute too.
fn is_field(key: &str, status: StatusCode) -> bool {
    match key {
        "error" | STATUS_CODE => status != StatusCode::Unset,
        SCOPE_NAME | SCOPE_VERSION => true,
        _ => false,
    }
}

fn endpoint<'a>(attrs: &mut Vec<Pair<'a>>, endpoint: Option<&'a Endpoint>, names: &EndpointNames) {
    let Some(endpoint) = endpoint else { return };
    let set = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
    if let Some(address) = set(&endpoint.ipv4).or(set(&endpoint.ipv6)) {
        let name = if set(&endpoint.ipv4).is_some() { names.ipv4 } else { names.ipv6 };
        attrs.push((name, ValueRef::Str(address)));
    }
    if let Some(port) = endpoint.port.filter(|port| *port > 0) {
        attrs.push((names.port, ValueRef::Int(port)));
    }
}
