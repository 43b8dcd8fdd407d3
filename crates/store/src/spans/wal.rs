//! The WAL payload of a span batch: the tables in varints, then the arena as it is.

use crate::codec::{Reader, put_signed, put_varint};
use crate::error::Damage;
use model::span::{Event, Link, Resource, Scope};
use model::{Attr, SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, Text, TraceId, Value};
use std::ops::Range;

/// Version of the payload, its first byte.
const VERSION: u8 = 2;
/// The version with the arena before the tables, its length before it.
const VERSION_ARENA_FIRST: u8 = 1;
/// Fewest bytes of an attribute, and of a row of the other tables.
const ATTR_BYTES_MIN: usize = 3;
const ROW_BYTES_MIN: usize = 2;

/// Appends the payload of `batch` up to the arena, which follows it.
pub(super) fn encode(batch: &SpanBatch, out: &mut Vec<u8>) {
    out.reserve(batch.attrs.len() * 10 + batch.spans.len() * 64);
    out.push(VERSION);
    put_varint(out, batch.attrs.len() as u64);
    for attr in &batch.attrs {
        put_attr(attr, out);
    }
    put_varint(out, batch.resources.len() as u64);
    for resource in &batch.resources {
        put_range(&resource.attrs, out);
    }
    put_varint(out, batch.scopes.len() as u64);
    for scope in &batch.scopes {
        put_text(scope.name, out);
        put_text(scope.version, out);
        put_range(&scope.attrs, out);
    }
    put_varint(out, batch.events.len() as u64);
    for event in &batch.events {
        put_signed(out, event.ts_ns);
        put_text(event.name, out);
        put_range(&event.attrs, out);
    }
    put_varint(out, batch.links.len() as u64);
    for link in &batch.links {
        out.extend_from_slice(&link.trace_id.0);
        out.extend_from_slice(&link.span_id.0);
        put_text(link.trace_state, out);
        put_range(&link.attrs, out);
    }
    put_varint(out, batch.spans.len() as u64);
    for span in &batch.spans {
        put_span(span, out);
    }
}

fn put_text(text: Text, out: &mut Vec<u8>) {
    put_varint(out, text.start.into());
    put_varint(out, text.len.into());
}

fn put_range(range: &Range<u32>, out: &mut Vec<u8>) {
    put_varint(out, range.start.into());
    put_varint(out, range.end.saturating_sub(range.start).into());
}

fn put_attr(attr: &Attr, out: &mut Vec<u8>) {
    put_text(attr.key, out);
    match attr.value {
        Value::Empty => out.push(0),
        Value::Str(text) => {
            out.push(1);
            put_text(text, out);
        }
        Value::Int(value) => {
            out.push(2);
            put_signed(out, value);
        }
        Value::Double(value) => {
            out.push(3);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Bool(value) => out.push(4 + u8::from(value)),
        Value::Bytes(text) => {
            out.push(6);
            put_text(text, out);
        }
        Value::Json(text) => {
            out.push(7);
            put_text(text, out);
        }
    }
}

fn put_span(span: &SpanRow, out: &mut Vec<u8>) {
    out.extend_from_slice(&span.trace_id.0);
    out.extend_from_slice(&span.span_id.0);
    out.extend_from_slice(&span.parent_id.0);
    put_signed(out, span.start_ns);
    put_signed(out, span.duration_ns);
    put_text(span.name, out);
    out.push(span.kind as u8 | (span.status as u8) << 4);
    put_text(span.status_message, out);
    put_text(span.trace_state, out);
    put_varint(out, span.flags.into());
    put_varint(out, span.resource.into());
    put_varint(out, span.scope.into());
    put_range(&span.attrs, out);
    put_range(&span.events, out);
    put_range(&span.links, out);
}

/// Reads the payload.
pub(super) fn decode(payload: &[u8]) -> Result<SpanBatch, Damage> {
    let mut reader = Reader::new(payload);
    let version = reader.u8()?;
    let arena = match version {
        VERSION => None,
        VERSION_ARENA_FIRST => Some(reader.bytes()?),
        _ => return Err(Damage(format!("span payload version {version} is not known"))),
    };
    Ok(SpanBatch {
        attrs: table(&mut reader, ATTR_BYTES_MIN, get_attr)?,
        resources: table(&mut reader, ROW_BYTES_MIN, |reader| Ok(Resource { attrs: get_range(reader)? }))?,
        scopes: table(&mut reader, ROW_BYTES_MIN, |reader| {
            Ok(Scope { name: get_text(reader)?, version: get_text(reader)?, attrs: get_range(reader)? })
        })?,
        events: table(&mut reader, ROW_BYTES_MIN, |reader| {
            Ok(Event { ts_ns: reader.signed()?, name: get_text(reader)?, attrs: get_range(reader)? })
        })?,
        links: table(&mut reader, ROW_BYTES_MIN, get_link)?,
        spans: table(&mut reader, ROW_BYTES_MIN, get_span)?,
        arena: arena.unwrap_or(reader.rest()).to_vec(),
    })
}

fn table<'a, T>(
    reader: &mut Reader<'a>,
    bytes_min: usize,
    mut row: impl FnMut(&mut Reader<'a>) -> Result<T, Damage>,
) -> Result<Vec<T>, Damage> {
    (0..reader.count(bytes_min)?).map(|_| row(reader)).collect()
}

fn get_text(reader: &mut Reader<'_>) -> Result<Text, Damage> {
    Ok(Text { start: reader.varint32()?, len: reader.varint32()? })
}

fn get_range(reader: &mut Reader<'_>) -> Result<Range<u32>, Damage> {
    let (start, len) = (reader.varint32()?, reader.varint32()?);
    Ok(start..start.checked_add(len).ok_or_else(|| Damage::new("a range does not fit 32 bits"))?)
}

fn get_attr(reader: &mut Reader<'_>) -> Result<Attr, Damage> {
    let key = get_text(reader)?;
    let value = match reader.u8()? {
        0 => Value::Empty,
        1 => Value::Str(get_text(reader)?),
        2 => Value::Int(reader.signed()?),
        3 => Value::Double(reader.f64()?),
        4 => Value::Bool(false),
        5 => Value::Bool(true),
        6 => Value::Bytes(get_text(reader)?),
        7 => Value::Json(get_text(reader)?),
        kind => return Err(Damage(format!("unknown kind of value {kind}"))),
    };
    Ok(Attr { key, value })
}

fn trace_id(reader: &mut Reader<'_>) -> Result<TraceId, Damage> {
    Ok(TraceId::from_bytes(reader.take(16)?).unwrap_or_default())
}

fn span_id(reader: &mut Reader<'_>) -> Result<SpanId, Damage> {
    Ok(SpanId::from_bytes(reader.take(8)?).unwrap_or_default())
}

fn get_link(reader: &mut Reader<'_>) -> Result<Link, Damage> {
    Ok(Link {
        trace_id: trace_id(reader)?,
        span_id: span_id(reader)?,
        trace_state: get_text(reader)?,
        attrs: get_range(reader)?,
    })
}

fn get_span(reader: &mut Reader<'_>) -> Result<SpanRow, Damage> {
    let (trace_id, span_id, parent_id) = (trace_id(reader)?, span_id(reader)?, span_id(reader)?);
    let (start_ns, duration_ns, name) = (reader.signed()?, reader.signed()?, get_text(reader)?);
    let codes = reader.u8()?;
    Ok(SpanRow {
        trace_id,
        span_id,
        parent_id,
        start_ns,
        duration_ns,
        name,
        kind: SpanKind::from_otlp(i32::from(codes & 15)),
        status: StatusCode::from_otlp(i32::from(codes >> 4)),
        status_message: get_text(reader)?,
        trace_state: get_text(reader)?,
        flags: reader.varint32()?,
        resource: reader.varint32()?,
        scope: reader.varint32()?,
        attrs: get_range(reader)?,
        events: get_range(reader)?,
        links: get_range(reader)?,
    })
}
