//! The WAL payload of a log batch: the tables in varints, then the arena, packed where its client packed it.

use crate::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::error::Damage;
use model::{Labels, LogBatch, LogEntry, LogStream, SpanId, Text, TraceId};

/// Version of the payload, its first byte: the arena is what follows the tables.
const VERSION: u8 = 2;
/// After the tables comes the end of the arena, its length before it; what follows is a snappy block of what is before.
const VERSION_PACKED: u8 = 3;
/// The version with the arena before the tables, its length before it.
const VERSION_ARENA_FIRST: u8 = 1;
/// Fewest bytes of a stream, an entry and a metadata pair.
const STREAM_BYTES_MIN: usize = 2;
const ENTRY_BYTES_MIN: usize = 5;
const PAIR_BYTES_MIN: usize = 4;

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
    let packed = packed(batch);
    out.reserve(batch.entries.len() * 24);
    out.push(if packed.is_some() { VERSION_PACKED } else { VERSION });
    put_varint(out, batch.streams.len() as u64);
    for stream in &batch.streams {
        put_varint(out, stream.labels.len() as u64);
        for label in &stream.labels {
            put_bytes(out, label.name.as_bytes());
            put_bytes(out, label.value.as_bytes());
        }
        let entries = batch.entries(stream);
        put_varint(out, entries.len() as u64);
        let mut last_ns = 0;
        for entry in entries {
            put_signed(out, entry.ts_ns.wrapping_sub(last_ns));
            last_ns = entry.ts_ns;
            put_entry(batch, entry, out);
        }
    }
    if let Some((_, rest)) = packed {
        put_bytes(out, rest);
    }
}

fn put_entry(batch: &LogBatch, entry: &LogEntry, out: &mut Vec<u8>) {
    put_text(entry.line, out);
    out.push(u8::from(!entry.trace_id.is_none()) | u8::from(!entry.span_id.is_none()) << 1);
    if !entry.trace_id.is_none() {
        out.extend_from_slice(&entry.trace_id.0);
    }
    if !entry.span_id.is_none() {
        out.extend_from_slice(&entry.span_id.0);
    }
    let range = entry.metadata.start as usize..entry.metadata.end as usize;
    let pairs = batch.metadata.get(range).unwrap_or_default();
    put_varint(out, pairs.len() as u64);
    for (key, value) in pairs {
        put_text(*key, out);
        put_text(*value, out);
    }
}

fn put_text(text: Text, out: &mut Vec<u8>) {
    put_varint(out, text.start.into());
    put_varint(out, text.len.into());
}

/// Reads the payload.
pub(super) fn decode(payload: &[u8]) -> Result<LogBatch, Damage> {
    let mut reader = Reader::new(payload);
    let version = reader.u8()?;
    let arena = match version {
        VERSION | VERSION_PACKED => None,
        VERSION_ARENA_FIRST => Some(reader.bytes()?),
        _ => return Err(Damage(format!("log payload version {version} is not known"))),
    };
    let mut batch = LogBatch::default();
    for _ in 0..reader.count(STREAM_BYTES_MIN)? {
        let pairs = reader.count(2)?;
        let labels =
            (0..pairs).map(|_| Ok((reader.str()?, reader.str()?))).collect::<Result<Vec<_>, Damage>>()?;
        let labels = Labels::from_pairs(labels);
        let first = index(batch.entries.len())?;
        let mut last_ns = 0_i64;
        for _ in 0..reader.count(ENTRY_BYTES_MIN)? {
            last_ns = last_ns.wrapping_add(reader.signed()?);
            get_entry(&mut reader, last_ns, &mut batch)?;
        }
        batch.streams.push(LogStream { labels, entries: first..index(batch.entries.len())? });
    }
    batch.arena = match (arena, version) {
        (Some(arena), _) => arena.to_vec(),
        (None, VERSION_PACKED) => unpack(reader)?,
        (None, _) => reader.rest().to_vec(),
    };
    Ok(batch)
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

fn get_entry(reader: &mut Reader<'_>, ts_ns: i64, batch: &mut LogBatch) -> Result<(), Damage> {
    let line = get_text(reader)?;
    let ids = reader.u8()?;
    let trace_id = if ids & 1 == 0 { &[][..] } else { reader.take(16)? };
    let span_id = if ids & 2 == 0 { &[][..] } else { reader.take(8)? };
    let first = index(batch.metadata.len())?;
    for _ in 0..reader.count(PAIR_BYTES_MIN)? {
        batch.metadata.push((get_text(reader)?, get_text(reader)?));
    }
    batch.entries.push(LogEntry {
        ts_ns,
        line,
        metadata: first..index(batch.metadata.len())?,
        trace_id: TraceId::from_bytes(trace_id).unwrap_or_default(),
        span_id: SpanId::from_bytes(span_id).unwrap_or_default(),
    });
    Ok(())
}

fn get_text(reader: &mut Reader<'_>) -> Result<Text, Damage> {
    Ok(Text { start: reader.varint32()?, len: reader.varint32()? })
}

fn index(len: usize) -> Result<u32, Damage> {
    u32::try_from(len).map_err(|_| Damage::new("a log payload has too many records"))
}
