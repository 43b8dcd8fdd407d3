//! OTLP traces to spans: the hot path of traces. The message is walked where it lies; strings go straight into the
//! batch's arena, attribute keys once per batch as long as records look alike.

use super::attributes::push_attr;
use super::{Format, protobuf, schema};
use crate::arena::{Keys, push_text};
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use crate::proto::{Field, Reader};
use crate::{Decoded, WireError};
use model::span::{Event, Link, Resource, Scope};
use model::{SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, Text, TraceId};
use std::ops::Range;

/// Decodes an `ExportTraceServiceRequest` (which is also `TracesData`).
///
/// A span without a valid trace id or span id, or with more than [`ATTRIBUTES_PER_RECORD_MAX`] attributes, is rejected
/// alone.
///
/// # Errors
/// When the body is not such a message.
pub fn decode_traces(body: &[u8], format: Format) -> Result<Decoded<SpanBatch>, WireError> {
    let bytes = protobuf(body, format, &schema::TRACES)?;
    let mut decoder = Decoder::default();
    decoder.out.batch.arena.reserve(bytes.len() / 2);
    let mut request = Reader::new(&bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_spans(field.message()?)?;
        }
    }
    Ok(decoder.out)
}

#[derive(Debug, Default)]
struct Decoder<'a> {
    out: Decoded<SpanBatch>,
    span_keys: Keys,
    other_keys: Keys,
    /// Events and links of the span being read: its attributes must stand together first.
    events: Vec<Field<'a>>,
    links: Vec<Field<'a>>,
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl<'a> Decoder<'a> {
    fn resource_spans(&mut self, reader: Reader<'a>) -> Result<(), WireError> {
        let mut attrs = self.here();
        let mut first = reader;
        while let Some(field) = first.next_field()? {
            if field.number == 1 {
                attrs = self.attributes(field.message()?, 1)?;
            }
        }
        let resource = index(self.out.batch.resources.len());
        self.out.batch.resources.push(Resource { attrs });
        let mut second = reader;
        while let Some(field) = second.next_field()? {
            if field.number == 2 {
                self.scope_spans(field.message()?, resource)?;
            }
        }
        Ok(())
    }

    fn scope_spans(&mut self, reader: Reader<'a>, resource: u32) -> Result<(), WireError> {
        let mut scope = Scope::default();
        let mut first = reader;
        while let Some(field) = first.next_field()? {
            if field.number == 1 {
                scope = self.scope(field.message()?)?;
            }
        }
        let at = index(self.out.batch.scopes.len());
        self.out.batch.scopes.push(scope);
        let mut second = reader;
        while let Some(field) = second.next_field()? {
            if field.number == 2 {
                self.span(field.message()?, resource, at)?;
            }
        }
        Ok(())
    }

    fn scope(&mut self, reader: Reader<'a>) -> Result<Scope, WireError> {
        let mut scope = Scope { attrs: self.attributes(reader, 3)?, ..Scope::default() };
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => scope.name = self.text(&field)?,
                2 => scope.version = self.text(&field)?,
                _ => {}
            }
        }
        Ok(scope)
    }

    /// The attributes of a resource or scope, which stand in field `number`.
    fn attributes(&mut self, mut reader: Reader<'a>, number: u32) -> Result<Range<u32>, WireError> {
        let start = self.here().start;
        let batch = &mut self.out.batch;
        let mut at = 0;
        while let Some(field) = reader.next_field()? {
            if field.number == number {
                push_attr(&mut batch.arena, &mut batch.attrs, &mut self.other_keys, at, &field)?;
                at += 1;
            }
        }
        Ok(start..self.here().start)
    }

    fn span(&mut self, mut reader: Reader<'a>, resource: u32, scope: u32) -> Result<(), WireError> {
        let mut row = SpanRow { resource, scope, attrs: self.here(), ..SpanRow::default() };
        let (mut ids, mut end_ns, mut attr) = ((Id::Missing, Id::Missing), 0, 0);
        self.events.clear();
        self.links.clear();
        while let Some(field) = reader.next_field()? {
            let batch = &mut self.out.batch;
            match field.number {
                1 => ids.0 = id(field.bytes()?, &mut row.trace_id.0),
                2 => ids.1 = id(field.bytes()?, &mut row.span_id.0),
                3 => row.trace_state = push_text(&mut batch.arena, field.bytes()?),
                4 => row.parent_id = SpanId::from_bytes(field.bytes()?).unwrap_or_default(),
                5 => row.name = push_text(&mut batch.arena, field.bytes()?),
                6 => row.kind = SpanKind::from_otlp(field.i32()?),
                7 => row.start_ns = nanos(field.fixed64()?),
                8 => end_ns = nanos(field.fixed64()?),
                9 => {
                    push_attr(&mut batch.arena, &mut batch.attrs, &mut self.span_keys, attr, &field)?;
                    attr += 1;
                }
                11 => self.events.push(field),
                13 => self.links.push(field),
                15 => (row.status, row.status_message) = self.status(field.message()?)?,
                16 => row.flags = field.fixed32()?,
                _ => {}
            }
        }
        row.attrs.end = self.here().start;
        row.duration_ns = end_ns.saturating_sub(row.start_ns).max(0);
        let valid = ids == (Id::Valid, Id::Valid);
        if !valid || attr > ATTRIBUTES_PER_RECORD_MAX {
            self.reject(&row, valid);
            return Ok(());
        }
        row.events = self.events()?;
        row.links = self.links()?;
        self.out.batch.spans.push(row);
        Ok(())
    }

    /// Leaves the span out. Interned keys may stand behind its texts, so the arena keeps them.
    fn reject(&mut self, row: &SpanRow, valid: bool) {
        self.out.batch.attrs.truncate(row.attrs.start as usize);
        self.out.reject(1, || {
            if valid {
                format!("span with more than {ATTRIBUTES_PER_RECORD_MAX} attributes")
            } else {
                "span without a valid trace id (16 bytes) and span id (8 bytes)".into()
            }
        });
    }

    fn status(&mut self, mut reader: Reader<'a>) -> Result<(StatusCode, Text), WireError> {
        let (mut code, mut message) = (StatusCode::Unset, Text::default());
        while let Some(field) = reader.next_field()? {
            match field.number {
                2 => message = self.text(&field)?,
                3 => code = StatusCode::from_otlp(field.i32()?),
                _ => {}
            }
        }
        Ok((code, message))
    }

    fn events(&mut self) -> Result<Range<u32>, WireError> {
        let start = index(self.out.batch.events.len());
        for at in 0..self.events.len() {
            let mut event = Event { attrs: self.here(), ..Event::default() };
            let (mut reader, mut attr) = (self.events[at].message()?, 0);
            while let Some(field) = reader.next_field()? {
                match field.number {
                    1 => event.ts_ns = nanos(field.fixed64()?),
                    2 => event.name = self.text(&field)?,
                    3 => self.other_attr(&mut attr, &field)?,
                    _ => {}
                }
            }
            event.attrs.end = self.here().start;
            self.out.batch.events.push(event);
        }
        Ok(start..index(self.out.batch.events.len()))
    }

    fn links(&mut self) -> Result<Range<u32>, WireError> {
        let start = index(self.out.batch.links.len());
        for at in 0..self.links.len() {
            let mut link = Link { attrs: self.here(), ..Link::default() };
            let (mut reader, mut attr) = (self.links[at].message()?, 0);
            while let Some(field) = reader.next_field()? {
                match field.number {
                    1 => link.trace_id = TraceId::from_bytes(field.bytes()?).unwrap_or_default(),
                    2 => link.span_id = SpanId::from_bytes(field.bytes()?).unwrap_or_default(),
                    3 => link.trace_state = self.text(&field)?,
                    4 => self.other_attr(&mut attr, &field)?,
                    _ => {}
                }
            }
            link.attrs.end = self.here().start;
            self.out.batch.links.push(link);
        }
        Ok(start..index(self.out.batch.links.len()))
    }

    fn other_attr(&mut self, at: &mut usize, field: &Field<'_>) -> Result<(), WireError> {
        let batch = &mut self.out.batch;
        push_attr(&mut batch.arena, &mut batch.attrs, &mut self.other_keys, *at, field)?;
        *at += 1;
        Ok(())
    }

    fn text(&mut self, field: &Field<'_>) -> Result<Text, WireError> {
        Ok(push_text(&mut self.out.batch.arena, field.bytes()?))
    }

    /// An empty range at the end of the attribute table.
    fn here(&self) -> Range<u32> {
        let at = index(self.out.batch.attrs.len());
        at..at
    }
}

/// What an id field held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Missing,
    Valid,
}

/// Takes an id of exactly the right length that is not all zero.
fn id<const N: usize>(bytes: &[u8], into: &mut [u8; N]) -> Id {
    match <&[u8; N]>::try_from(bytes) {
        Ok(id) if *id != [0; N] => {
            *into = *id;
            Id::Valid
        }
        _ => Id::Missing,
    }
}

/// Unsigned nanoseconds since the epoch; what is beyond the year 2262 is the last instant before.
fn nanos(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::encode_trace_json;

    const SPAN: &str = r#"{"traceId":"000000000000000000000000000000ab","spanId":"00000000000000cd","parentSpanId":"00000000000000ef","name":"GET /","kind":2,"startTimeUnixNano":"100","endTimeUnixNano":"350","attributes":[{"key":"http.status","value":{"intValue":"200"}},{"key":"list","value":{"arrayValue":{"values":[{"stringValue":"x"}]}}}],"events":[{"timeUnixNano":"120","name":"e","attributes":[{"key":"k","value":{"boolValue":true}}]}],"links":[{"traceId":"000000000000000000000000000000aa","spanId":"00000000000000bb"}],"status":{"message":"boom","code":2}}"#;

    fn request(spans: &str) -> String {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},"scopeSpans":[{{"scope":{{"name":"lib","version":"1"}},"spans":[{spans}]}}]}}]}}"#
        )
    }

    #[test]
    fn what_comes_in_goes_out() {
        let json = request(SPAN);
        let decoded = decode_traces(json.as_bytes(), Format::Json).unwrap();
        assert_eq!((decoded.rejected, decoded.batch.spans.len()), (0, 1));
        let span = decoded.batch.span(0).unwrap();
        assert_eq!((span.service(), span.name(), span.row.duration_ns), ("shop", "GET /", 250));
        assert_eq!(encode_trace_json(&decoded.batch), json);
    }

    #[test]
    fn keys_are_stored_once() {
        let json = request(&[SPAN; 50].join(","));
        let decoded = decode_traces(json.as_bytes(), Format::Json).unwrap();
        let text = String::from_utf8(decoded.batch.arena).unwrap();
        assert_eq!(text.matches("http.status").count(), 1);
    }

    #[test]
    fn a_bad_span_is_rejected_alone() {
        let short = SPAN.replace("000000000000000000000000000000ab", "ab");
        let zero = SPAN.replace("00000000000000cd", "0000000000000000");
        let many: Vec<_> = (0..5000).map(|at| format!(r#"{{"key":"{at}"}}"#)).collect();
        let wide = SPAN.replace(r#"{"key":"http.status","value":{"intValue":"200"}}"#, &many.join(","));
        let decoded = decode_traces(
            request(&[&short, SPAN, &zero, &wide].map(str::to_owned).join(",")).as_bytes(),
            Format::Json,
        )
        .unwrap();
        assert_eq!((decoded.rejected, decoded.batch.spans.len(), decoded.reasons.len()), (3, 1, 2));
        assert_eq!(decoded.batch.span(0).unwrap().attr("http.status"), Some(model::attr::ValueRef::Int(200)));
    }

    #[test]
    fn hostile_bodies_are_errors() {
        for bytes in [&b"\x0a\xff\xff\xff\xff\x0f"[..], b"\x0a\x02\x12\x05", b"\xff", b"\x08\x01\x08"] {
            assert!(decode_traces(bytes, Format::Protobuf).is_err(), "{bytes:?}");
        }
        for text in [
            "",
            "[]",
            r#"{"resourceSpans":{}}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":5}]}]}]}"#,
        ] {
            assert!(decode_traces(text.as_bytes(), Format::Json).is_err(), "{text}");
        }
        assert_eq!(decode_traces(b"", Format::Protobuf).unwrap().batch.spans.len(), 0);
    }
}
