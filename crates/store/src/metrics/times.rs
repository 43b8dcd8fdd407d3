//! Timestamp columns, shared: series that were sampled together have one column. A regular one is three numbers.
//!
//! ```text
//! chunk  = zstd(column*)          column = len (count first step) | (count first Δ Δ² Δ² ...)
//! ```

use crate::codec::{Reader, put_bytes, put_signed, put_varint, unzstd, zstd};
use crate::error::Damage;
use std::collections::HashMap;

/// Raw bytes of a chunk of columns.
const CHUNK_BYTES: usize = 64 << 10;
/// Largest chunk that is decompressed, in bytes.
const CHUNK_BYTES_MAX: usize = 1 << 30;
/// Most samples of a column that a reader believes.
const COLUMN_NUMBERS_MAX: usize = 64 << 20;
/// zstd level: the columns are few.
const LEVEL: i32 = 6;

const REGULAR: u8 = 0;
const VARIABLE: u8 = 1;

/// Gathers columns, each distinct one once.
#[derive(Default)]
pub(super) struct TimesWriter {
    known: HashMap<u128, u32>,
    last: Vec<i64>,
    last_id: u32,
    raw: Vec<u8>,
    /// First column of the chunk in the making.
    first_id: u32,
    next_id: u32,
}

impl TimesWriter {
    /// The number of the column `ts_ms` (not empty).
    pub(super) fn id(&mut self, ts_ms: &[i64]) -> u32 {
        if self.next_id > 0 && self.last == ts_ms {
            return self.last_id;
        }
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        for ts_ms in ts_ms {
            hasher.update(&ts_ms.to_le_bytes());
        }
        let next = self.next_id;
        let id = *self.known.entry(hasher.digest128()).or_insert(next);
        if id == next {
            self.next_id += 1;
            let mut column = Vec::new();
            put_column(&mut column, ts_ms);
            put_bytes(&mut self.raw, &column);
        }
        self.last.clear();
        self.last.extend_from_slice(ts_ms);
        self.last_id = id;
        id
    }

    /// The next chunk, with its first column's number, when one is full or `last`.
    pub(super) fn chunk(&mut self, last: bool) -> Result<Option<(u32, Vec<u8>)>, Damage> {
        if self.raw.is_empty() || (!last && self.raw.len() < CHUNK_BYTES) {
            return Ok(None);
        }
        let bytes = zstd(&self.raw, LEVEL)?;
        self.raw.clear();
        let first = std::mem::replace(&mut self.first_id, self.next_id);
        Ok(Some((first, bytes)))
    }
}

fn put_column(out: &mut Vec<u8>, ts_ms: &[i64]) {
    let first = ts_ms.first().copied().unwrap_or(0);
    let step = ts_ms.get(1).map_or(0, |second| second.wrapping_sub(first));
    let regular = ts_ms.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    out.push(if regular { REGULAR } else { VARIABLE });
    put_varint(out, ts_ms.len() as u64);
    put_signed(out, first);
    put_signed(out, step);
    if !regular {
        let mut before = step;
        for pair in ts_ms.windows(2).skip(1) {
            let delta = pair[1].wrapping_sub(pair[0]);
            put_signed(out, delta.wrapping_sub(before));
            before = delta;
        }
    }
}

/// A decompressed chunk.
pub(super) struct TimesChunk {
    raw: Vec<u8>,
    offsets: Vec<usize>,
}

impl TimesChunk {
    /// Takes a chunk's bytes apart.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let raw = unzstd(bytes, CHUNK_BYTES_MAX)?;
        let mut reader = Reader::new(&raw);
        let mut offsets = Vec::new();
        while !reader.is_empty() {
            offsets.push(raw.len() - reader.rest().len());
            reader.bytes()?;
        }
        Ok(Self { raw, offsets })
    }

    /// The column that is `at`-th in the chunk.
    pub(super) fn column(&self, at: usize) -> Result<Vec<i64>, Damage> {
        let offset = *self.offsets.get(at).ok_or_else(|| Damage::new("no such timestamp column"))?;
        let mut reader = Reader::new(self.raw.get(offset..).unwrap_or_default());
        let mut reader = Reader::new(reader.bytes()?);
        let kind = reader.u8()?;
        let count = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        let (first, step) = (reader.signed()?, reader.signed()?);
        if count > COLUMN_NUMBERS_MAX || (kind == VARIABLE && count > reader.rest().len() + 2) {
            return Err(Damage::new("a timestamp column claims too many values"));
        }
        let mut column = Vec::with_capacity(count);
        let (mut ts_ms, mut delta) = (first, step);
        for at in 0..count {
            if at > 1 && kind == VARIABLE {
                delta = delta.wrapping_add(reader.signed()?);
            }
            if at > 0 {
                ts_ms = ts_ms.wrapping_add(delta);
            }
            column.push(ts_ms);
        }
        Ok(column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_shared_and_come_back() {
        let columns: [&[i64]; 5] =
            [&[5], &[0, 15, 30, 45], &[1, 2, 4, 9, 9000], &[i64::MIN, i64::MAX], &[5, 6]];
        let mut writer = TimesWriter::default();
        let ids: Vec<u32> = columns.iter().map(|column| writer.id(column)).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4]);
        assert_eq!(columns.iter().map(|column| writer.id(column)).collect::<Vec<_>>(), ids);
        let (first, bytes) = writer.chunk(true).expect("zstd").expect("chunk");
        let chunk = TimesChunk::parse(&bytes).expect("parse");
        assert_eq!(first, 0);
        for (id, column) in ids.into_iter().zip(columns) {
            assert_eq!(chunk.column(id as usize).as_deref(), Ok(column));
        }
        assert!(chunk.column(5).is_err());
    }
}
