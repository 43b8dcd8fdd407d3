//! Bodies good and bad, written byte by byte from the protocols' field numbers: what a client library would never send.

use prost::encoding::encode_varint;
use std::io::Write;

/// Levels of the deepest nesting that is sent.
pub const DEPTH: usize = 100_000;
/// Labels, tags or attributes of one record.
pub const MANY: usize = 1_000_000;
/// What a bomb unpacks to: more than a request may.
const BOMB_BYTES: usize = 80 << 20;

/// RFC 1952.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}

/// RFC 8878.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).expect("zstd")
}

/// Snappy's block format.
pub fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("snappy")
}

/// Zeros that unpack to more than a request may.
pub fn bomb(pack: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    pack(&vec![0; BOMB_BYTES])
}

/// A snappy block that claims 4 GiB and holds nothing.
pub const CLAIM: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f, 0];

/// A varint.
pub fn varint(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(value, &mut out);
    out
}

/// A length-delimited protobuf field.
pub fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A varint protobuf field.
pub fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// Messages in messages: the fields of `head` from the outside in, then `cycle` again and again, nothing innermost.
pub fn nested(head: &[u64], cycle: &[u64]) -> Vec<u8> {
    let inner: Vec<u64> = cycle.iter().copied().cycle().take(DEPTH).collect();
    // Built from the inside and from the end, so that nothing is copied twice.
    let mut reversed = Vec::new();
    for number in inner.iter().rev().chain(head.iter().rev()) {
        let length = reversed.len() as u64;
        reversed.extend([varint(number << 3 | 2), varint(length)].concat().iter().rev());
    }
    reversed.reverse();
    reversed
}

/// Lists in lists.
pub fn nested_lists() -> Vec<u8> {
    [vec![b'['; DEPTH], vec![b']'; DEPTH]].concat()
}

/// `before`, deep nesting, `after`.
pub fn around(before: &str, middle: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), middle, after.as_bytes()].concat()
}

/// Objects in objects, under one name.
pub fn nested_objects(name: &str) -> Vec<u8> {
    let mut out = format!("{{\"{name}\":").repeat(DEPTH).into_bytes();
    out.extend_from_slice(b"1");
    out.extend(std::iter::repeat_n(b'}', DEPTH));
    out
}

/// One series with one sample.
pub fn series(labels: &[(&[u8], &[u8])], value: f64, ts_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        out.extend(field(1, &[field(1, name), field(2, value)].concat()));
    }
    let sample = [&[9_u8][..], &value.to_le_bytes(), &number(2, ts_ms.cast_unsigned())].concat();
    out.extend(field(2, &sample));
    out
}

/// A remote write request of such series.
pub fn write_request(all: &[Vec<u8>]) -> Vec<u8> {
    snappy(&all.iter().flat_map(|series| field(1, series)).collect::<Vec<u8>>())
}

/// A series of one metric with a million labels.
pub fn many_labels() -> Vec<u8> {
    let names: Vec<Vec<u8>> = (0..MANY).map(|at| format!("l{at:07}").into_bytes()).collect();
    let mut labels: Vec<(&[u8], &[u8])> = vec![(b"__name__", b"many")];
    labels.extend(names.iter().map(|name| (&name[..], &b"v"[..])));
    series(&labels, 1.0, 1_000)
}

/// A Loki push of one line.
pub fn push(labels: &[u8], seconds: i64, line: &[u8]) -> Vec<u8> {
    let entry = [field(1, &number(1, seconds.cast_unsigned())), field(2, line)].concat();
    snappy(&field(1, &[field(1, labels), field(2, &entry)].concat()))
}

/// `{l0="v",...}` a million times.
pub fn many_stream_labels() -> Vec<u8> {
    let pairs: Vec<String> = (0..MANY).map(|at| format!("l{at}=\"v\"")).collect();
    format!("{{{}}}", pairs.join(",")).into_bytes()
}

/// `"l0":"v",...` a million times, as the inside of an object.
pub fn many_members() -> Vec<u8> {
    let pairs: Vec<String> = (0..MANY).map(|at| format!("\"l{at}\":\"v\"")).collect();
    pairs.join(",").into_bytes()
}

/// An OTLP trace request of one span.
pub fn span(trace_id: &[u8], span_id: &[u8], rest: &[u8]) -> Vec<u8> {
    let span = [field(1, trace_id), field(2, span_id), field(5, b"op"), rest.to_vec()].concat();
    field(1, &field(2, &field(2, &span)))
}

/// So many string attributes in field `at` of a span, log record or data point.
pub fn attributes(at: u64, count: usize) -> Vec<u8> {
    let pair =
        |n: usize| field(at, &[field(1, format!("k{n}").as_bytes()), field(2, &field(1, b"v"))].concat());
    (0..count).flat_map(pair).collect()
}

/// One `name` member of a span in OTLP's JSON form.
pub fn span_json(member: &str) -> Vec<u8> {
    let ids = r#""traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"op""#;
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},{member}}}]}}]}}]}}"#).into_bytes()
}

/// Types of thrift's binary protocol.
pub mod thrift {
    /// 64-bit integer.
    pub const I64: u8 = 10;
    /// Bytes.
    pub const STRING: u8 = 11;
    /// Struct.
    pub const STRUCT: u8 = 12;
    /// List.
    pub const LIST: u8 = 15;

    /// A text field.
    pub fn text(id: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        [&[STRING, 0, id], &length[..], text.as_bytes()].concat()
    }

    /// An `i64` field.
    pub fn long(id: u8, value: i64) -> Vec<u8> {
        [&[I64, 0, id][..], &value.to_be_bytes()].concat()
    }

    /// A batch of `shop` with one span that ends with `rest`.
    pub fn batch(rest: &[u8]) -> Vec<u8> {
        let process = [&[STRUCT, 0, 1][..], &text(1, "shop"), &[0]].concat();
        let ids = [long(1, 7), long(2, 0), long(3, 9), long(4, 0), text(5, "op"), long(8, 1_000), long(9, 5)];
        [process, vec![LIST, 0, 2, STRUCT, 0, 0, 0, 1], ids.concat(), rest.to_vec(), vec![0, 0]].concat()
    }
}
