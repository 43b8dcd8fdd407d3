//! The behaviour of what stands beside this file, as data.

use super::block::{self, Row};
use super::index::LogIndex;
use super::*;
use crate::column::attrs::KeyTexts;
use crate::column::line_filter::LineFilter;
use crate::column::template::Learned;
use crate::signal::Memory;
use bytes::Bytes;
use model::{Labels, SpanId, Text, TraceId, Value};
use proptest::prelude::*;

fn batch() -> LogBatch {
    let mut batch = LogBatch::default();
    for stream in 0..3 {
        batch.push_stream(Labels::from_pairs([("app", format!("app-{stream}"))]));
        for at in 0..200_i64 {
            let line = format!("request {at} took {}ms by user{} häuser\n\tat x", at * 7 % 100, at * at);
            let ids = (TraceId([u8::try_from(at % 50).unwrap_or(0); 16]), SpanId([7; 8]));
            let user = at.to_string();
            batch.push_entry(at * 1_000_003, &line, [("user", user.as_str()), ("node", "n")], ids);
        }
    }
    batch
}

#[test]
fn records_with_other_texts_have_other_hashes() {
    type Record = (&'static str, &'static [(&'static str, &'static str)]);
    let records: [Record; 8] = [
        ("a", &[]),
        ("ak", &[]),
        ("a", &[("k", "v")]),
        ("a", &[("v", "k")]),
        ("ak", &[("v", "")]),
        ("a", &[("k", "v"), ("k", "v")]),
        ("a", &[("k", "v"), ("x", "y")]),
        ("a", &[("x", "y"), ("k", "v")]),
    ];
    let hash = |(line, metadata): Record, before: &str| {
        let mut batch = LogBatch { arena: before.into(), ..LogBatch::default() };
        batch.push_stream(Labels::empty());
        batch.push_entry(1, line, metadata.iter().copied(), (TraceId::default(), SpanId::default()));
        write::hash(&batch, &batch.entries[0])
    };
    for (at, one) in records.into_iter().enumerate() {
        for (other_at, other) in records.into_iter().enumerate() {
            assert_eq!(hash(one, "") == hash(other, "before"), at == other_at, "{one:?} {other:?}");
        }
    }
}

/// The batch with `len` bytes of its arena packed too.
fn packed(len: usize) -> LogBatch {
    let mut batch = batch();
    let packed = snap::raw::Encoder::new().compress_vec(&batch.arena[..len]);
    batch.packed = packed.expect("packed").into();
    batch
}

#[test]
fn the_payload_is_the_batch() {
    let check = |batch: LogBatch| {
        let mut payload = Vec::new();
        Logs::encode(&batch, &mut payload);
        let tables = payload.len();
        payload.extend_from_slice(Logs::tail(&batch));
        assert_eq!(Logs::decode(&payload), Ok(LogBatch { packed: Bytes::new(), ..batch }));
        for len in (0..tables).step_by(251) {
            assert!(Logs::decode(&payload[..len]).is_err(), "first {len} bytes");
        }
        payload.len()
    };
    let arena = batch().arena.len();
    let plain = check(batch());
    assert!(check(packed(1)) > plain);
    assert!(check(packed(arena / 2)) < plain);
    assert!(check(packed(arena)) < plain - arena / 2);
    // A block of more than the arena holds is none of its.
    let mut other = packed(arena);
    other.arena.truncate(arena - 1);
    assert_eq!(Logs::tail(&other), other.arena);
}

#[test]
fn entries_may_share_metadata() {
    let mut batch = batch();
    for at in (0..batch.entries.len()).filter(|at| at % 7 > 2) {
        batch.entries[at].metadata = batch.entries[at / 100 * 100].metadata.clone();
    }
    let rows: Vec<Row<'_>> = batch.entries.iter().map(|entry| Row::new(0, &batch, entry)).collect();
    let encoded = block::encode(&rows, 0, &mut Learned::default());
    let metadata = block::decode_metadata(&encoded.segments[3], rows.len()).expect("metadata");
    let (mut arena, mut keys, mut cursor) = (Vec::new(), KeyTexts::default(), metadata.seek(0));
    for (row, entry) in batch.entries.iter().enumerate() {
        let mut found = Vec::new();
        metadata.advance(&mut cursor, row);
        metadata.visit(&mut cursor, &mut arena, &mut keys, |attr| found.push(attr));
        let text = |text: Text| text.str(&arena).to_owned();
        let found: Vec<_> = found
            .into_iter()
            .map(|attr| match attr.value {
                Value::Str(value) => (text(attr.key), text(value)),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<_> = batch.metadata(entry).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn payloads_of_version_2_are_read() {
    let mut payload = vec![2, 1];
    let texts: [&[u8]; 4] = [b"\x01", b"\x01a", b"\x01b", b"\x02"];
    payload.extend(texts.concat());
    // Time, line, no ids, one pair; time, line, none.
    payload.extend([4, 0, 3, 0, 1, 3, 1, 4, 2, 2, 6, 2, 0, 0]);
    payload.extend(b"onekv\0xy");
    let batch = Logs::decode(&payload).expect("version 2");
    let entries: Vec<_> =
        batch.entries.iter().map(|e| (e.ts_ns, batch.line(e), batch.metadata(e).collect())).collect();
    assert_eq!(entries, [(2, "one", vec![("k", "v\0")]), (3, "xy", vec![])]);
    assert_eq!(batch.streams[0].labels, Labels::from_pairs([("a", "b")]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_damaged_payload_does_not_panic(len in 0_usize..100, at in any::<usize>(), to in any::<u8>()) {
        let mut payload = Vec::new();
        let batch = packed(len);
        Logs::encode(&batch, &mut payload);
        payload.extend_from_slice(Logs::tail(&batch));
        let len = payload.len();
        payload[at % len] = to;
        if let Ok(batch) = Logs::decode(&payload) {
            // What decodes can be kept and written.
            if let Some(chunk) = LogMemory::ready(batch) {
                LogMemory::default().apply(chunk);
            }
        }
    }

    #[test]
    fn a_damaged_block_does_not_panic(segment in 0_usize..5, at in any::<usize>(), to in any::<u8>()) {
        let batch = batch();
        let rows: Vec<Row<'_>> = batch.entries.iter().map(|entry| Row::new(0, &batch, entry)).collect();
        let encoded = block::encode(&rows, 0, &mut Learned::default());
        let mut bytes = encoded.segments.get(segment).unwrap_or(&encoded.filter).clone();
        let len = bytes.len();
        bytes[at % len] = to;
        let _ = block::decode_times(&bytes, rows.len());
        let _ = block::decode_ids(&bytes, rows.len());
        let _ = block::decode_lines(&bytes, rows.len());
        let _ = block::decode_metadata(&bytes, rows.len());
        let _ = LineFilter::from_bytes(&bytes);
        let _ = LogIndex::decode(&bytes);
    }

    #[test]
    fn any_bytes_are_damage_or_a_block(bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0_usize..1000) {
        let _ = Logs::decode(&bytes);
        let _ = block::decode_times(&bytes, rows);
        let _ = block::decode_ids(&bytes, rows);
        let _ = block::decode_lines(&bytes, rows);
        let _ = block::decode_metadata(&bytes, rows);
        let _ = LineFilter::from_bytes(&bytes);
        let _ = LogIndex::decode(&bytes);
    }
}
