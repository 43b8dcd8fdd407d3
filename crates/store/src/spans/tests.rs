//! The behaviour of what stands beside this file, as data.

use super::block::{self, Row};
use super::columns::{ExtraColumns, SourceColumns, SpanColumns, decode_attrs};
use super::index::SpanIndex;
use super::table::TraceTable;
use super::*;
use crate::signal::Memory;
use model::attr::ValueRef;
use model::span::{Event, Link, Resource, Scope};
use model::{SpanId, SpanKind, SpanRow, StatusCode, TraceId};
use proptest::prelude::*;

fn batch() -> SpanBatch {
    let mut batch = SpanBatch::default();
    let attrs = batch.push_attrs([("service.name", ValueRef::Str("cart"))]);
    batch.resources.push(Resource { attrs });
    let (name, version) = (batch.text("lib"), batch.text("1"));
    batch.scopes.push(Scope { name, version, attrs: 0..0 });
    for at in 0..300_u32 {
        let user = format!("u-{}", at * 31 % 97);
        let first = u32::try_from(batch.events.len()).unwrap_or(0);
        if at % 10 == 0 {
            let name = batch.text("exception");
            let attrs = batch.push_attrs([("kind", ValueRef::Double(0.5))]);
            batch.events.push(Event { ts_ns: i64::from(at) + 5, name, attrs });
            let trace_state = batch.text("a=b");
            batch.links.push(Link {
                trace_id: TraceId([1; 16]),
                span_id: SpanId([2; 8]),
                trace_state,
                attrs: 0..1,
            });
        }
        let row = SpanRow {
            trace_id: TraceId([u8::try_from(at / 6).unwrap_or(0); 16]),
            span_id: SpanId(u64::from(at).to_be_bytes()),
            parent_id: SpanId(u64::from(at / 2).to_be_bytes()),
            start_ns: i64::from(at) * 1000,
            duration_ns: i64::from(at * at),
            name: batch.text(&format!("op-{}", at % 7)),
            kind: SpanKind::from_otlp(i32::try_from(at % 6).unwrap_or(0)),
            status: StatusCode::Error,
            attrs: batch.push_attrs([("user", ValueRef::Str(&user)), ("n", ValueRef::Int(i64::from(at)))]),
            events: first..u32::try_from(batch.events.len()).unwrap_or(0),
            ..SpanRow::default()
        };
        batch.spans.push(row);
    }
    batch
}

#[test]
fn the_payload_is_the_batch() {
    let batch = batch();
    let mut payload = Vec::new();
    Spans::encode(&batch, &mut payload);
    let tables = payload.len();
    payload.extend_from_slice(Spans::tail(&batch));
    assert_eq!(Spans::decode(&payload), Ok(batch));
    for len in (0..tables).step_by(251) {
        assert!(Spans::decode(&payload[..len]).is_err(), "first {len} bytes");
    }
}

fn decode_all(bytes: &[u8], rows: usize) {
    let pieces = TraceTable::decode(bytes, rows).map(|table| table.pieces).unwrap_or_default();
    let _ = SpanColumns::decode(bytes, rows, &pieces);
    let _ = SourceColumns::decode(bytes);
    let _ = decode_attrs(bytes, rows);
    let _ = ExtraColumns::decode(bytes, rows);
    let _ = SpanIndex::decode(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_damaged_payload_does_not_panic(at in any::<usize>(), to in any::<u8>()) {
        let mut payload = Vec::new();
        Spans::encode(&batch(), &mut payload);
        payload.extend_from_slice(Spans::tail(&batch()));
        let len = payload.len();
        payload[at % len] = to;
        if let Ok(batch) = Spans::decode(&payload) {
            // What decodes can be kept and written.
            let rows: Vec<Row<'_>> = batch.spans.iter().map(|span| Row { batch: &batch, span }).collect();
            let _ = block::encode(&rows, 0);
            if let Some(chunk) = SpanMemory::ready(batch.clone()) {
                SpanMemory::default().apply(chunk);
            }
        }
    }

    #[test]
    fn a_damaged_block_does_not_panic(segment in 0_usize..5, at in any::<usize>(), to in any::<u8>()) {
        let batch = batch();
        let rows: Vec<Row<'_>> = batch.spans.iter().map(|span| Row { batch: &batch, span }).collect();
        let encoded = block::encode(&rows, 0);
        let mut bytes = encoded.segments[segment].clone();
        let len = bytes.len();
        bytes[at % len] = to;
        decode_all(&bytes, rows.len());
        let _ = SpanColumns::decode(&bytes, rows.len(), &encoded.pieces);
    }

    #[test]
    fn any_bytes_are_damage_or_a_block(bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0_usize..1000) {
        let _ = Spans::decode(&bytes);
        decode_all(&bytes, rows);
    }
}
