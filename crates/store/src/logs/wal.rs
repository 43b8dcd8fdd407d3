//! The WAL payload of a log batch: the tables in varints, then the arena, packed where its client packed it.

use crate::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::error::Damage;
use model::{Labels, LogBatch, LogEntry, LogStream, SpanId, Text, TraceId};

/// Version of the payload, its first byte.
const VERSION: u8 = 3;
/// The version without [`PACKED`], with each entry's metadata in the entry.
const VERSION_OWN_METADATA: u8 = 2;
/// That with the arena before the tables, its length before it.
const VERSION_ARENA_FIRST: u8 = 1;
/// How the arena stands behind the tables: as it is,
const PLAIN: u8 = 0;
/// or the end of it, its length before that, and then a snappy block of what is before.
const PACKED: u8 = 1;
/// Fewest bytes of a stream, an entry and a metadata pair.
const STREAM_BYTES_MIN: usize = 2;
const ENTRY_BYTES_MIN: usize = 5;
const PAIR_BYTES_MIN: usize = 2;
/// Longest arena that is unpacked, in bytes.
const ARENA_BYTES_MAX: usize = 256 << 20;

/// What of the arena a client packed: the snappy block, and the rest of the arena.
fn packed(batch: &LogBatch) -> Option<(&[u8], &[u8])> {
    let len =
        snap::raw::decompress_len(&batch.packed).ok().filter(|len| (1..=ARENA_BYTES_MAX).contains(len))?;
    Some((&batch.packed, batch.arena.get(len..)?))
}

/// What follows what [`encode`] appends.
pub(super) fn tail(batch: &LogBatch) -> &[u8] {
    packed(batch).map_or(&batch.arena, |(packed, _)| packed)
}

/// Appends the payload of `batch` up to its [`tail`].
pub(super) fn encode(batch: &LogBatch, out: &mut Vec<u8>) {
    out.reserve(batch.entries.len() * 24);
    out.push(VERSION);
    put_varint(out, batch.metadata.len() as u64);
    for (key, value) in &batch.metadata {
        put_text(*key, out);
        put_text(*value, out);
    }
    put_varint(out, batch.streams.len() as u64);
    for stream in &batch.streams {
        put_varint(out, stream.labels.len() as u64);
        for label in &stream.labels {
            put_bytes(out, label.name.as_bytes());
            put_bytes(out, label.value.as_bytes());
        }
        let entries = batch.entries(stream);
        put_varint(out, entries.len() as u64);
        let (mut last_ns, mut last_line) = (0, Text::default());
        for entry in entries {
            put_signed(out, entry.ts_ns.wrapping_sub(last_ns));
            put_signed(out, i64::from(entry.line.start) - end(last_line));
            (last_ns, last_line) = (entry.ts_ns, entry.line);
            put_entry(entry, out);
        }
    }
    match packed(batch) {
        Some((_, rest)) => {
            out.push(PACKED);
            put_bytes(out, rest);
        }
        None => out.push(PLAIN),
    }
}

fn put_entry(entry: &LogEntry, out: &mut Vec<u8>) {
    put_varint(out, entry.line.len.into());
    put_varint(out, entry.metadata.start.into());
    put_varint(out, entry.metadata.end.saturating_sub(entry.metadata.start).into());
    out.push(u8::from(!entry.trace_id.is_none()) | u8::from(!entry.span_id.is_none()) << 1);
    if !entry.trace_id.is_none() {
        out.extend_from_slice(&entry.trace_id.0);
    }
    if !entry.span_id.is_none() {
        out.extend_from_slice(&entry.span_id.0);
    }
}

/// Where `text` ends: the next one of a stream begins not far from there.
fn end(text: Text) -> i64 {
    i64::from(text.start) + i64::from(text.len)
}

fn put_text(text: Text, out: &mut Vec<u8>) {
    put_varint(out, text.start.into());
    put_varint(out, text.len.into());
}

/// Reads the payload.
pub(super) fn decode(payload: &[u8]) -> Result<LogBatch, Damage> {
    let mut reader = Reader::new(payload);
    let version = reader.u8()?;
    let mut batch = LogBatch::default();
    match version {
        VERSION => {
            for _ in 0..reader.count(PAIR_BYTES_MIN)? {
                batch.metadata.push((get_text(&mut reader)?, get_text(&mut reader)?));
            }
        }
        VERSION_OWN_METADATA => {}
        VERSION_ARENA_FIRST => batch.arena = reader.bytes()?.to_vec(),
        _ => return Err(Damage(format!("log payload version {version} is not known"))),
    }
    for _ in 0..reader.count(STREAM_BYTES_MIN)? {
        let pairs = reader.count(2)?;
        let labels =
            (0..pairs).map(|_| Ok((reader.str()?, reader.str()?))).collect::<Result<Vec<_>, Damage>>()?;
        let labels = Labels::from_pairs(labels);
        let first = index(batch.entries.len())?;
        let mut last = LogEntry::default();
        for _ in 0..reader.count(ENTRY_BYTES_MIN)? {
            let ts_ns = last.ts_ns.wrapping_add(reader.signed()?);
            last = match version {
                VERSION => get_entry(&mut reader, ts_ns, last.line)?,
                _ => get_entry_with_metadata(&mut reader, ts_ns, &mut batch)?,
            };
            batch.entries.push(last.clone());
        }
        batch.streams.push(LogStream { labels, entries: first..index(batch.entries.len())? });
    }
    match version {
        VERSION if reader.u8()? == PACKED => batch.arena = unpack(reader)?,
        VERSION | VERSION_OWN_METADATA => batch.arena = reader.rest().to_vec(),
        _ => {}
    }
    Ok(batch)
}

fn get_entry(reader: &mut Reader<'_>, ts_ns: i64, last_line: Text) -> Result<LogEntry, Damage> {
    let start = end(last_line).wrapping_add(reader.signed()?);
    let start = u32::try_from(start).map_err(|_| Damage::new("a line stands outside of the arena"))?;
    let line = Text { start, len: reader.varint32()? };
    let first = reader.varint32()?;
    let metadata = first..first.saturating_add(reader.varint32()?);
    let (trace_id, span_id) = get_ids(reader)?;
    Ok(LogEntry { ts_ns, line, metadata, trace_id, span_id })
}

fn get_ids(reader: &mut Reader<'_>) -> Result<(TraceId, SpanId), Damage> {
    let ids = reader.u8()?;
    let trace = if ids & 1 == 0 { &[][..] } else { reader.take(16)? };
    let span = if ids & 2 == 0 { &[][..] } else { reader.take(8)? };
    Ok((TraceId::from_bytes(trace).unwrap_or_default(), SpanId::from_bytes(span).unwrap_or_default()))
}

/// An entry of the versions before 3.
fn get_entry_with_metadata(
    reader: &mut Reader<'_>,
    ts_ns: i64,
    batch: &mut LogBatch,
) -> Result<LogEntry, Damage> {
    let line = get_text(reader)?;
    let (trace_id, span_id) = get_ids(reader)?;
    let first = index(batch.metadata.len())?;
    for _ in 0..reader.count(PAIR_BYTES_MIN)? {
        batch.metadata.push((get_text(reader)?, get_text(reader)?));
    }
    let metadata = first..index(batch.metadata.len())?;
    Ok(LogEntry { ts_ns, line, metadata, trace_id, span_id })
}

fn unpack(mut reader: Reader<'_>) -> Result<Vec<u8>, Damage> {
    let rest = reader.bytes()?;
    let packed = reader.rest();
    let broken = |error: snap::Error| Damage(format!("the arena of a log payload: {error}"));
    if snap::raw::decompress_len(packed).map_err(broken)? > ARENA_BYTES_MAX {
        return Err(Damage::new("a log payload has too long an arena"));
    }
    let mut arena = snap::raw::Decoder::new().decompress_vec(packed).map_err(broken)?;
    arena.extend_from_slice(rest);
    Ok(arena)
}

fn get_text(reader: &mut Reader<'_>) -> Result<Text, Damage> {
    Ok(Text { start: reader.varint32()?, len: reader.varint32()? })
}

fn index(len: usize) -> Result<u32, Damage> {
    u32::try_from(len).map_err(|_| Damage::new("a log payload has too many records"))
}
