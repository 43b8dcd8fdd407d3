//! `jaeger.thrift`'s `Batch` in Thrift's binary protocol, as clients post it over HTTP.
//!
//! The reader is total: sizes are checked against the bytes that are left before anything is read, nesting is bounded.
//! Source: `jaeger.thrift` of jaeger-idl and Thrift's `thrift-binary-protocol.md`.

use super::api_v2::{
    Batch, Duration, KeyValue, Log, Process, Span, SpanRef, SpanRefType, Timestamp, ValueType,
};
use super::decode_api_v2;
use crate::WireError;
use crate::limits::NESTING_DEPTH_MAX;
use model::SpanBatch;

const STOP: u8 = 0;
const BOOL: u8 = 2;
const BYTE: u8 = 3;
const DOUBLE: u8 = 4;
const I16: u8 = 6;
const I32: u8 = 8;
const I64: u8 = 10;
const STRING: u8 = 11;
const STRUCT: u8 = 12;
const MAP: u8 = 13;
const SET: u8 = 14;
const LIST: u8 = 15;

/// Decodes a posted `Batch`.
///
/// # Errors
/// When the bytes are not a `Batch`, or a span in it is not valid.
pub fn decode_thrift_binary_batch(body: &[u8]) -> Result<SpanBatch, WireError> {
    let mut reader = Reader { rest: body };
    let mut batch = Batch::default();
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, STRUCT) => process(reader).map(|process| batch.process = Some(process)),
        (2, LIST) => reader.list(span).map(|spans| batch.spans = spans),
        _ => reader.skip(kind, 0),
    })?;
    if batch.process.is_none() {
        return Err(malformed("Required field Process is not set"));
    }
    decode_api_v2(&batch)
}

struct Reader<'a> {
    rest: &'a [u8],
}

fn malformed(what: &str) -> WireError {
    WireError::Malformed(format!("thrift: {what}"))
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) =
            self.rest.split_at_checked(len).ok_or_else(|| malformed("the body is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) =
            self.rest.split_first_chunk::<N>().ok_or_else(|| malformed("the body is cut off"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn i32(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, WireError> {
        self.array().map(i64::from_be_bytes)
    }

    fn double(&mut self) -> Result<f64, WireError> {
        self.array().map(f64::from_be_bytes)
    }

    fn size(&mut self) -> Result<usize, WireError> {
        usize::try_from(self.i32()?).map_err(|_| malformed("a size is negative"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let size = self.size()?;
        self.take(size)
    }

    fn string(&mut self) -> Result<String, WireError> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Walks the fields of a struct; `read` must consume the value.
    fn fields(
        &mut self,
        mut read: impl FnMut(&mut Self, i16, u8) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        loop {
            let kind = self.byte()?;
            if kind == STOP {
                return Ok(());
            }
            let id = i16::from_be_bytes(self.array()?);
            read(self, id, kind)?;
        }
    }

    /// A list of structs. Its claimed size is not trusted: each struct takes at least a byte.
    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let kind = self.byte()?;
        let size = self.size()?;
        if size > 0 && kind != STRUCT {
            return Err(malformed("a list holds another type than its schema says"));
        }
        if size > self.rest.len() {
            return Err(malformed("a list claims more elements than the body can hold"));
        }
        (0..size).map(|_| read(self)).collect()
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), WireError> {
        if depth > NESTING_DEPTH_MAX {
            return Err(WireError::malformed(format!("nesting exceeds the limit of {NESTING_DEPTH_MAX}")));
        }
        match kind {
            BOOL | BYTE => self.take(1).map(drop),
            I16 => self.take(2).map(drop),
            I32 => self.take(4).map(drop),
            DOUBLE | I64 => self.take(8).map(drop),
            STRING => self.bytes().map(drop),
            STRUCT => self.fields(|reader, _, kind| reader.skip(kind, depth + 1)),
            MAP => {
                let (key, value) = (self.byte()?, self.byte()?);
                self.skip_many(&[key, value], depth)
            }
            SET | LIST => {
                let kind = self.byte()?;
                self.skip_many(&[kind], depth)
            }
            _ => Err(malformed("a field has an unknown type")),
        }
    }

    fn skip_many(&mut self, kinds: &[u8], depth: usize) -> Result<(), WireError> {
        let size = self.size()?;
        if size > self.rest.len() {
            return Err(malformed("a list claims more elements than the body can hold"));
        }
        (0..size).try_for_each(|_| kinds.iter().try_for_each(|kind| self.skip(*kind, depth + 1)))
    }
}

fn process(reader: &mut Reader<'_>) -> Result<Process, WireError> {
    let mut out = Process::default();
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, STRING) => reader.string().map(|name| out.service_name = name),
        (2, LIST) => reader.list(tag).map(|tags| out.tags = tags),
        _ => reader.skip(kind, 0),
    })?;
    Ok(out)
}

fn tag(reader: &mut Reader<'_>) -> Result<KeyValue, WireError> {
    let mut out = KeyValue::default();
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, STRING) => reader.string().map(|key| out.key = key),
        (2, I32) => reader.i32().map(|number| out.v_type = value_type(number) as i32),
        (3, STRING) => reader.string().map(|text| out.v_str = text),
        (4, DOUBLE) => reader.double().map(|value| out.v_float64 = value),
        (5, BOOL) => reader.byte().map(|value| out.v_bool = value != 0),
        (6, I64) => reader.i64().map(|value| out.v_int64 = value),
        (7, STRING) => reader.bytes().map(|bytes| out.v_binary = bytes.to_vec()),
        _ => reader.skip(kind, 0),
    })?;
    Ok(out)
}

/// Thrift numbers the types of tags in another order than API v2.
fn value_type(number: i32) -> ValueType {
    match number {
        1 => ValueType::Float64,
        2 => ValueType::Bool,
        3 => ValueType::Int64,
        4 => ValueType::Binary,
        _ => ValueType::String,
    }
}

fn log(reader: &mut Reader<'_>) -> Result<Log, WireError> {
    let mut out = Log::default();
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, I64) => reader.i64().map(|us| out.timestamp = Some(timestamp(us))),
        (2, LIST) => reader.list(tag).map(|fields| out.fields = fields),
        _ => reader.skip(kind, 0),
    })?;
    Ok(out)
}

/// A trace id of two halves.
#[derive(Clone, Copy, Default)]
struct Halves {
    low: i64,
    high: i64,
}

impl Halves {
    fn bytes(self) -> Vec<u8> {
        [self.high.to_be_bytes(), self.low.to_be_bytes()].concat()
    }
}

fn reference(reader: &mut Reader<'_>) -> Result<SpanRef, WireError> {
    let (mut out, mut trace) = (SpanRef::default(), Halves::default());
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, I32) => reader.i32().map(|kind| out.ref_type = kind),
        (2, I64) => reader.i64().map(|low| trace.low = low),
        (3, I64) => reader.i64().map(|high| trace.high = high),
        (4, I64) => reader.i64().map(|id| out.span_id = id.to_be_bytes().to_vec()),
        _ => reader.skip(kind, 0),
    })?;
    out.trace_id = trace.bytes();
    Ok(out)
}

fn span(reader: &mut Reader<'_>) -> Result<Span, WireError> {
    let (mut out, mut trace, mut parent) = (Span::default(), Halves::default(), 0);
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, I64) => reader.i64().map(|low| trace.low = low),
        (2, I64) => reader.i64().map(|high| trace.high = high),
        (3, I64) => reader.i64().map(|id| out.span_id = id.to_be_bytes().to_vec()),
        (4, I64) => reader.i64().map(|id| parent = id),
        (5, STRING) => reader.string().map(|name| out.operation_name = name),
        (6, LIST) => reader.list(reference).map(|references| out.references = references),
        (7, I32) => reader.i32().map(|flags| out.flags = flags.cast_unsigned()),
        (8, I64) => reader.i64().map(|us| out.start_time = Some(timestamp(us))),
        (9, I64) => reader.i64().map(|us| out.duration = Some(duration(us))),
        (10, LIST) => reader.list(tag).map(|tags| out.tags = tags),
        (11, LIST) => reader.list(log).map(|logs| out.logs = logs),
        _ => reader.skip(kind, 0),
    })?;
    out.trace_id = trace.bytes();
    let span_id = parent.to_be_bytes().to_vec();
    let named = out
        .references
        .iter()
        .any(|reference| reference.span_id == span_id && reference.trace_id == out.trace_id);
    if parent != 0 && !named {
        let reference =
            SpanRef { trace_id: out.trace_id.clone(), span_id, ref_type: SpanRefType::ChildOf as i32 };
        out.references.insert(0, reference);
    }
    Ok(out)
}

fn timestamp(us: i64) -> Timestamp {
    let nanos = us.rem_euclid(1_000_000) * 1000;
    Timestamp { seconds: us.div_euclid(1_000_000), nanos: i32::try_from(nanos).unwrap_or_default() }
}

fn duration(us: i64) -> Duration {
    Duration { seconds: us / 1_000_000, nanos: i32::try_from(us % 1_000_000 * 1000).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: u8, id: i16, value: &[u8]) -> Vec<u8> {
        [&[kind][..], &id.to_be_bytes(), value].concat()
    }

    fn text(text: &str) -> Vec<u8> {
        [&i32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    }

    fn long(value: i64) -> Vec<u8> {
        value.to_be_bytes().to_vec()
    }

    fn list(items: &[Vec<u8>]) -> Vec<u8> {
        [&[STRUCT][..], &i32::try_from(items.len()).unwrap().to_be_bytes(), &items.concat()].concat()
    }

    fn structure(fields: &[Vec<u8>]) -> Vec<u8> {
        [fields.concat(), vec![STOP]].concat()
    }

    fn batch() -> Vec<u8> {
        let tag = structure(&[
            field(STRING, 1, &text("span.kind")),
            field(I32, 2, &0_i32.to_be_bytes()),
            field(STRING, 3, &text("server")),
        ]);
        let count = structure(&[
            field(STRING, 1, &text("n")),
            field(I32, 2, &3_i32.to_be_bytes()),
            field(I64, 6, &long(7)),
        ]);
        let event = structure(&[
            field(STRING, 1, &text("event")),
            field(I32, 2, &0_i32.to_be_bytes()),
            field(STRING, 3, &text("hit")),
        ]);
        let log = structure(&[field(I64, 1, &long(1500)), field(LIST, 2, &list(&[event]))]);
        let span = structure(&[
            field(I64, 1, &long(0xab)),
            field(I64, 2, &long(0)),
            field(I64, 3, &long(0xcd)),
            field(I64, 4, &long(0xef)),
            field(STRING, 5, &text("GET")),
            field(I32, 7, &1_i32.to_be_bytes()),
            field(I64, 8, &long(1_000)),
            field(I64, 9, &long(2_500)),
            field(LIST, 10, &list(&[tag, count])),
            field(LIST, 11, &list(&[log])),
        ]);
        let process = structure(&[field(STRING, 1, &text("shop"))]);
        structure(&[field(STRUCT, 1, &process), field(LIST, 2, &list(&[span])), field(I64, 3, &long(9))])
    }

    #[test]
    fn a_batch_becomes_spans() {
        let spans = decode_thrift_binary_batch(&batch()).unwrap();
        let span = spans.span(0).unwrap();
        assert_eq!((span.service(), span.name(), span.row.kind), ("shop", "GET", model::SpanKind::Server));
        assert_eq!(
            (span.row.start_ns, span.row.duration_ns, span.row.parent_id.0[7]),
            (1_000_000, 2_500_000, 0xef)
        );
        assert_eq!(span.attrs().collect::<Vec<_>>(), [("n", model::attr::ValueRef::Int(7))]);
        assert_eq!((span.events()[0].ts_ns, span.events()[0].name.str(&spans.arena)), (1_500_000, "hit"));
    }

    #[test]
    fn hostile_bodies_are_errors() {
        let whole = batch();
        for cut in 0..whole.len() {
            assert!(decode_thrift_binary_batch(&whole[..cut]).is_err(), "{cut}");
        }
        let huge = field(LIST, 2, &[&[STRUCT][..], &i32::MAX.to_be_bytes()].concat());
        let negative = field(STRING, 9, &(-1_i32).to_be_bytes());
        let deep = field(STRUCT, 9, &field(STRUCT, 1, &[]).repeat(100_000));
        for bytes in [huge, negative, deep, vec![99, 0, 1]] {
            assert!(decode_thrift_binary_batch(&bytes).is_err());
        }
    }
}
