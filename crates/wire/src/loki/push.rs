//! The protobuf push body: the hot path of logs. The unpacked message is walked where it lies and becomes the arena.
//!
//! Source: the field numbers of `logproto.PushRequest` in Loki's public API documentation.

use super::Writer;
use super::labels::parse_labels;
use crate::limits::BODY_BYTES_MAX;
use crate::proto::Reader;
use crate::{Decoded, WireError, compress};
use bytes::Bytes;
use model::{LogBatch, SpanId, TraceId};

/// Decodes a request body, snappy included. A stream with labels that do not parse is rejected alone.
///
/// # Errors
/// When the body is not such a message or unpacks to more than [`BODY_BYTES_MAX`].
pub fn decode_push_protobuf(body: &Bytes) -> Result<Decoded<LogBatch>, WireError> {
    let mut arena = compress::snappy_with_room(body, BODY_BYTES_MAX, MORE_BYTES)?;
    let mut decoded = decode(&arena)?;
    arena.append(&mut decoded.batch.arena);
    decoded.batch.arena = arena;
    decoded.batch.packed = body.clone();
    Ok(decoded)
}

/// Room for what the arena holds beside the body, in bytes: the words of levels and what had to be mended.
const MORE_BYTES: usize = 1 << 10;

fn decode(bytes: &[u8]) -> Result<Decoded<LogBatch>, WireError> {
    let mut writer = Writer::over(bytes);
    let (mut streams, mut entries) = (Vec::new(), 0);
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            let message = field.message()?;
            let (labels, count) = head(message)?;
            match utf8_labels(labels).and_then(parse_labels) {
                Ok(labels) => {
                    streams.push((labels, message));
                    entries += count;
                }
                Err(error) => writer.reject(count as u64, || error.to_string()),
            }
        }
    }
    // Once for all streams: growing would copy what is there.
    writer.reserve(entries);
    for (labels, mut message) in streams {
        writer.stream(labels);
        while let Some(field) = message.next_field()? {
            if field.number == 2 {
                entry(&mut writer, field.message()?)?;
            }
        }
    }
    Ok(writer.end())
}

/// The labels of a stream and how many entries it has.
fn head(mut stream: Reader<'_>) -> Result<(&[u8], usize), WireError> {
    let (mut labels, mut entries) = (&b""[..], 0);
    while let Some(field) = stream.next_field()? {
        match field.number {
            1 => labels = field.bytes()?,
            2 => entries += 1,
            _ => {}
        }
    }
    Ok((labels, entries))
}

/// The text of labels; a value outside UTF-8 is an error at the column where it begins, as in Loki.
fn utf8_labels(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let begins = good.iter().rposition(|byte| *byte == b'"').unwrap_or(good.len());
        let column = String::from_utf8_lossy(good.get(..begins).unwrap_or_default()).chars().count() + 1;
        WireError::malformed(format!("couldn't parse labels: 1:{column}: parse error: invalid UTF-8 rune"))
    })
}

fn entry(writer: &mut Writer<'_>, mut reader: Reader<'_>) -> Result<(), WireError> {
    let (mut ts_ns, mut line) = (0, &b""[..]);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => ts_ns = timestamp(field.message()?)?,
            2 => line = field.bytes()?,
            3 => {
                let (mut name, mut value) = (&b""[..], &b""[..]);
                let mut pair = field.message()?;
                while let Some(part) = pair.next_field()? {
                    match part.number {
                        1 => name = part.bytes()?,
                        2 => value = part.bytes()?,
                        _ => {}
                    }
                }
                writer.metadata(name, value);
            }
            _ => {}
        }
    }
    let line = writer.text(line);
    writer.finish(ts_ns, line, (TraceId::default(), SpanId::default()));
    Ok(())
}

/// `google.protobuf.Timestamp`, in nanoseconds.
fn timestamp(mut reader: Reader<'_>) -> Result<i64, WireError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => seconds = field.i64()?,
            2 => nanos = i64::from(field.i32()?),
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Value, put_field};

    fn message(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in fields {
            put_field(&mut out, *number, *value);
        }
        out
    }

    fn line(seconds: u64, line: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
        let ts = message(&[(1, Value::Varint(seconds)), (2, Value::Varint(5))]);
        let mut out = message(&[(1, Value::Bytes(&ts)), (2, Value::Bytes(line.as_bytes()))]);
        for (name, value) in metadata {
            let pair = message(&[(1, Value::Bytes(name.as_bytes())), (2, Value::Bytes(value.as_bytes()))]);
            put_field(&mut out, 3, Value::Bytes(&pair));
        }
        out
    }

    fn push(streams: &[(&str, &[Vec<u8>])]) -> Result<Decoded<LogBatch>, WireError> {
        let mut request = Vec::new();
        for (labels, entries) in streams {
            let mut stream = message(&[(1, Value::Bytes(labels.as_bytes()))]);
            entries.iter().for_each(|entry| put_field(&mut stream, 2, Value::Bytes(entry)));
            put_field(&mut request, 1, Value::Bytes(&stream));
        }
        decode_push_protobuf(&snap::raw::Encoder::new().compress_vec(&request).unwrap().into())
    }

    fn check(labels: &str, entry: Vec<u8>, expected: &[(&str, &str)]) -> LogBatch {
        let batch = push(&[(labels, &[entry])]).unwrap().batch;
        assert_eq!(batch.metadata(&batch.entries[0]).collect::<Vec<_>>(), expected);
        batch
    }

    #[test]
    fn an_entry_gets_its_level_and_ids() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let batch = check(r#"{job="a"}"#, line(1, "level=warn x", &[]), &[("detected_level", "warn")]);
        assert_eq!((batch.entries[0].ts_ns, batch.line(&batch.entries[0])), (1_000_000_005, "level=warn x"));
        assert_eq!(batch.streams[0].labels.to_string(), r#"{job="a", service_name="a"}"#);
        check(r#"{level="Error"}"#, line(1, "info", &[]), &[("detected_level", "error")]);
        check(
            "{}",
            line(1, "x", &[("severity_number", "17")]),
            &[("severity_number", "17"), ("detected_level", "error")],
        );
        check(
            "{}",
            line(1, "x", &[("severity_text", "Odd"), ("severity_number", "17")]),
            &[("severity_text", "Odd"), ("severity_number", "17"), ("detected_level", "Odd")],
        );
        check("{}", line(1, "x", &[("detected_level", "own")]), &[("detected_level", "own")]);
        check(
            "{}",
            line(1, "x", &[("a.b", "1"), ("9", "2"), ("e", "")]),
            &[("a_b", "1"), ("key_9", "2"), ("detected_level", "unknown")],
        );
        let batch = check(
            "{}",
            line(1, "x", &[("trace_id", id)]),
            &[("trace_id", id), ("detected_level", "unknown")],
        );
        assert_eq!(batch.entries[0].trace_id.to_string(), id);
        let batch = check(
            "{}",
            line(1, &format!("traceID={id} spanID=00f067aa0ba902b7"), &[]),
            &[("detected_level", "unknown")],
        );
        assert_eq!(
            (batch.entries[0].trace_id.to_string().as_str(), batch.entries[0].span_id.to_string().as_str()),
            (id, "00f067aa0ba902b7")
        );
    }

    #[test]
    fn lines_with_nothing_but_a_level_share_it() {
        let lines =
            ["info", "error", "info", "x", "error"].map(|level| line(1, &format!("level={level}"), &[]));
        let batch = push(&[("{}", &lines[..3]), (r#"{a="b"}"#, &lines[3..])]).unwrap().batch;
        let levels: Vec<_> = batch
            .entries
            .iter()
            .map(|entry| batch.metadata(entry).map(|(_, v)| v).collect::<String>())
            .collect();
        assert_eq!(levels, ["info", "error", "info", "unknown", "error"]);
        assert_eq!(batch.metadata.len(), 3);
    }

    #[test]
    fn a_line_that_was_mended_leaves_the_others_their_ids() {
        let ids: Vec<String> = (1..5_u128).map(|id| format!("{id:032x}")).collect();
        let mut entries: Vec<Vec<u8>> =
            ids.iter().map(|id| line(1, &format!("é trace_id={id}"), &[("k", "ö")])).collect();
        let mended = entries[1].windows(2).position(|pair| pair == "é".as_bytes()).unwrap();
        entries[1][mended] = b'?';
        let batch = push(&[("{}", &entries)]).unwrap().batch;
        let found: Vec<String> = batch.entries.iter().map(|entry| entry.trace_id.to_string()).collect();
        assert_eq!(found, ids);
        let lines: Vec<&str> = batch.entries.iter().map(|entry| batch.line(entry)).collect();
        assert!(lines[0].starts_with("é trace") && lines[1].starts_with("?\u{fffd} trace"), "{lines:?}");
        assert_eq!(batch.metadata(&batch.entries[1]).next(), Some(("k", "ö")));
        let body = compress::snappy(&batch.packed, BODY_BYTES_MAX).unwrap();
        assert_eq!(batch.arena.get(..body.len()), Some(body.as_slice()));
    }

    #[test]
    fn the_label_trace_id_decides_which_trace_a_line_belongs_to() {
        let [a, b] = ["0af7651916cd43dd8448eb211c80319c", "000000000000000000000000000000ab"];
        let check = |labels: &str, text: &str, pairs: &[(&str, &str)], expected: &str| {
            let batch = push(&[(labels, &[line(1, text, pairs)])]).expect("decodes").batch;
            assert_eq!(batch.entries[0].trace_id.to_string(), expected, "{labels} {text} {pairs:?}");
        };
        check("{}", &format!("traceID={a}"), &[("trace_id", "ab")], b);
        check("{}", "x", &[("traceId", a), ("trace_id", b)], b);
        check("{}", "x", &[("trace_id", a), ("trace_id", b)], b);
        check("{}", "x", &[("trace_id", "unknown"), ("traceId", a)], a);
        check(&format!("{{trace_id=\"{b}\"}}"), "x", &[("trace_id", a)], b);
    }

    #[test]
    fn a_bad_stream_is_rejected_alone() {
        let decoded = push(&[
            (r#"{a="1"}"#, &[line(1, "x", &[])]),
            ("{nonsense", &[line(1, "y", &[]), line(2, "z", &[])]),
        ])
        .unwrap();
        assert_eq!((decoded.batch.entries.len(), decoded.rejected, decoded.reasons.len()), (1, 2, 1));
    }

    #[test]
    fn too_much_metadata_rejects_the_entry() {
        let names: Vec<String> = (0..5000).map(|at| format!("n{at}")).collect();
        let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
        let decoded = push(&[("{}", &[line(1, "x", &pairs), line(2, "y", &[])])]).unwrap();
        assert_eq!((decoded.batch.entries.len(), decoded.rejected, decoded.batch.metadata.len()), (1, 1, 1));
    }

    #[test]
    fn hostile_bodies_are_errors() {
        for bytes in [&b""[..], b"xyz", b"\xff\xff\xff\xff\x0f"] {
            assert!(decode_push_protobuf(&bytes.to_vec().into()).is_err(), "{bytes:?}");
        }
        let truncated = snap::raw::Encoder::new().compress_vec(b"\x0a\x05\x0a").unwrap();
        assert!(decode_push_protobuf(&truncated.into()).is_err());
    }
}
