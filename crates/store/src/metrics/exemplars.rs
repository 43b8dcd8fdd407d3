//! Exemplars of a part: one chunk, by series, read only when exemplars are asked for.

use super::wal::{get_exemplar, put_exemplar};
use crate::codec::{Reader, put_varint, unzstd, zstd};
use crate::error::Damage;
use model::Exemplar;
use std::collections::HashSet;

/// zstd level.
const LEVEL: i32 = 3;
/// Largest chunk that is decompressed, in bytes.
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// Sorts by time; the same exemplar twice becomes one.
pub(super) fn distinct(exemplars: &mut Vec<Exemplar>) {
    let mut seen = HashSet::new();
    exemplars
        .retain(|exemplar| seen.insert((exemplar.ts_ms, exemplar.value.to_bits(), exemplar.labels.clone())));
    exemplars.sort_by_key(|exemplar| exemplar.ts_ms);
}

/// The chunk of `exemplars`, which are sorted by series.
pub(super) fn encode(exemplars: &[(u32, Exemplar)]) -> Result<Vec<u8>, Damage> {
    let mut raw = Vec::new();
    put_varint(&mut raw, exemplars.len() as u64);
    let mut last = 0;
    for (series, exemplar) in exemplars {
        put_varint(&mut raw, u64::from(series - last));
        put_exemplar(&mut raw, exemplar);
        last = *series;
    }
    zstd(&raw, LEVEL)
}

/// Reads a chunk back.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(u32, Exemplar)>, Damage> {
    let raw = unzstd(bytes, CHUNK_BYTES_MAX)?;
    let mut reader = Reader::new(&raw);
    let mut exemplars = Vec::new();
    let mut series = 0_u32;
    for _ in 0..reader.count(11)? {
        series = series.checked_add(reader.varint32()?).ok_or_else(|| Damage::new("series number"))?;
        exemplars.push((series, get_exemplar(&mut reader)?));
    }
    Ok(exemplars)
}
