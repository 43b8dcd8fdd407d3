//! Integer columns: constant, varints, packed bytes under zstd, or `pco` latents, whichever is smallest.
//!
//! `pco` (<https://github.com/pcodec/pcodec>) finds bins, deltas and common divisors: timestamps in nanoseconds that
//! were milliseconds once, counters, codes of skewed dictionaries. zstd over packed bytes wins where the sequence
//! repeats (frames of a stack trace).

use super::segment::{COLUMN_VALUES_MAX, SegmentReader, SegmentWriter, compress, decompress};
use super::{Decoded, Effort};
use crate::codec::put_varint;
use crate::error::Damage;
use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress_into};

const CONSTANT: u64 = 0;
const VARINTS: u64 = 1;
const PCO: u64 = 2;
const PACKED: u64 = 3;

/// Shorter columns are varints: the other forms cost more in headers.
const PCO_VALUES_MIN: usize = 48;
/// Longest run for which both dense forms are tried when the values need more than one byte.
const PACKED_WIDTH_MAX: usize = 4;

/// Appends `values` to the segment; the count is the caller's to remember.
pub fn write_ints(writer: &mut SegmentWriter, values: &[u64]) {
    let first = values.first().copied().unwrap_or(0);
    if values.iter().all(|value| *value == first) {
        writer.number(CONSTANT);
        writer.number(first);
        return;
    }
    if values.len() < PCO_VALUES_MIN {
        writer.number(VARINTS);
        values.iter().for_each(|value| put_varint(&mut writer.text, *value));
        return;
    }
    let packed = pack(values, writer.effort());
    match latents(values, writer.effort()) {
        Some(bytes) if packed.as_ref().is_none_or(|(_, packed)| bytes.len() <= packed.len()) => {
            writer.number(PCO);
            writer.count(bytes.len());
            writer.raw.extend_from_slice(&bytes);
        }
        _ => write_packed(writer, values, packed),
    }
}

fn write_packed(writer: &mut SegmentWriter, values: &[u64], packed: Option<(usize, Vec<u8>)>) {
    let Some((width, bytes)) = packed else {
        writer.number(VARINTS);
        values.iter().for_each(|value| put_varint(&mut writer.text, *value));
        return;
    };
    writer.number(PACKED);
    writer.count(width);
    writer.count(bytes.len());
    writer.raw.extend_from_slice(&bytes);
}

fn latents(values: &[u64], effort: Effort) -> Option<Vec<u8>> {
    let level = match effort {
        Effort::Flush => 3,
        Effort::Merge => 8,
    };
    simple_compress(values, &ChunkConfig::default().with_compression_level(level)).ok()
}

fn pack(values: &[u64], effort: Effort) -> Option<(usize, Vec<u8>)> {
    if effort == Effort::Flush {
        return None;
    }
    let max = values.iter().copied().max().unwrap_or(0);
    let width = (8 - max.leading_zeros() as usize / 8).max(1);
    if width > PACKED_WIDTH_MAX {
        return None;
    }
    let mut plain = Vec::with_capacity(values.len() * width);
    values.iter().for_each(|value| plain.extend_from_slice(&value.to_le_bytes()[..width]));
    compress(&plain, effort.zstd_level()).map(|bytes| (width, bytes))
}

/// Reads `count` integers.
///
/// # Errors
/// When the bytes are not such a column.
pub fn read_ints(reader: &mut SegmentReader, count: usize) -> Decoded<Vec<u64>> {
    if count > COLUMN_VALUES_MAX {
        return Err(Damage::new("a column claims too many values"));
    }
    reader.reserve(count * 8)?;
    match reader.number()? {
        CONSTANT => Ok(vec![reader.number()?; count]),
        VARINTS => (0..count).map(|_| reader.text_varint()).collect(),
        PCO => {
            let len = reader.length()?;
            let bytes = reader.raw(len)?;
            let mut values = vec![0_u64; count];
            let progress =
                simple_decompress_into(bytes, &mut values).map_err(|error| Damage(error.to_string()))?;
            if progress.n_processed == count { Ok(values) } else { Err(Damage::new("too few integers")) }
        }
        PACKED => read_packed(reader, count),
        mode => Err(Damage(format!("unknown integer mode {mode}"))),
    }
}

fn read_packed(reader: &mut SegmentReader, count: usize) -> Decoded<Vec<u64>> {
    let width = reader.length()?;
    if width == 0 || width > PACKED_WIDTH_MAX {
        return Err(Damage::new("unknown integer width"));
    }
    let len = reader.length()?;
    let plain = decompress(reader.raw(len)?, count * width)?;
    let value = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    Ok(plain.chunks_exact(width).map(value).collect())
}

/// Appends signed integers as offsets from their minimum.
pub fn write_signed(writer: &mut SegmentWriter, values: &[i64]) {
    let min = values.iter().copied().min().unwrap_or(0);
    writer.signed(min);
    let offsets: Vec<u64> = values.iter().map(|value| value.wrapping_sub(min).cast_unsigned()).collect();
    write_ints(writer, &offsets);
}

/// Reads `count` signed integers.
///
/// # Errors
/// When the bytes are not such a column.
pub fn read_signed(reader: &mut SegmentReader, count: usize) -> Decoded<Vec<i64>> {
    let min = reader.signed()?;
    let offsets = read_ints(reader, count)?;
    Ok(offsets.into_iter().map(|offset| min.wrapping_add(offset.cast_signed())).collect())
}

/// Appends floats, bit for bit.
pub fn write_floats(writer: &mut SegmentWriter, values: &[f64]) {
    let config = ChunkConfig::default();
    let dense = if values.len() < PCO_VALUES_MIN { None } else { simple_compress(values, &config).ok() };
    writer.number(u64::from(dense.is_some()));
    match dense {
        Some(bytes) => {
            writer.count(bytes.len());
            writer.raw.extend_from_slice(&bytes);
        }
        None => values.iter().for_each(|value| writer.raw.extend_from_slice(&value.to_bits().to_le_bytes())),
    }
}

/// Reads `count` floats.
///
/// # Errors
/// When the bytes are not such a column.
pub fn read_floats(reader: &mut SegmentReader, count: usize) -> Decoded<Vec<f64>> {
    reader.reserve(count.saturating_mul(8))?;
    if reader.number()? == 0 {
        let (bits, _) = reader.raw(count.saturating_mul(8))?.as_chunks::<8>();
        return Ok(bits.iter().map(|bits| f64::from_bits(u64::from_le_bytes(*bits))).collect());
    }
    let len = reader.length()?;
    let mut values = vec![0.0; count];
    let progress =
        simple_decompress_into(reader.raw(len)?, &mut values).map_err(|error| Damage(error.to_string()))?;
    if progress.n_processed == count { Ok(values) } else { Err(Damage::new("too few floats")) }
}

/// Appends 32-bit integers.
pub fn write_u32s(writer: &mut SegmentWriter, values: &[u32]) {
    let wide: Vec<u64> = values.iter().map(|value| u64::from(*value)).collect();
    write_ints(writer, &wide);
}

/// Reads `count` integers that must each be at most `max`.
///
/// # Errors
/// When the bytes are not such a column.
pub fn read_u32s(reader: &mut SegmentReader, count: usize, max: usize) -> Decoded<Vec<u32>> {
    let narrow = |value: u64| u32::try_from(value).ok().filter(|value| *value as usize <= max);
    let values = read_ints(reader, count)?;
    values
        .into_iter()
        .map(narrow)
        .collect::<Option<_>>()
        .ok_or_else(|| Damage::new("an index points nowhere"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[u64], bytes_max: usize) {
        for effort in [Effort::Flush, Effort::Merge] {
            let mut writer = SegmentWriter::new(effort);
            write_ints(&mut writer, values);
            let bytes = writer.finish();
            let mut reader = SegmentReader::open(&bytes).expect("segment");
            assert_eq!(read_ints(&mut reader, values.len()).as_deref(), Ok(values));
            assert!(bytes.len() <= bytes_max, "{effort:?}: {} bytes", bytes.len());
        }
    }

    #[test]
    fn columns_come_back_and_stay_small() {
        check(&[], 20);
        check(&[7; 1000], 20);
        check(&[0, u64::MAX, 1], 40);
        let times: Vec<u64> = (0..10_000).map(|at| 1_700_000_000_000_000_000 + at * 1_000_000).collect();
        check(&times, 200);
        let mixed: Vec<u64> = (0..10_000_u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        check(&mixed, 81_000);
        let codes: Vec<u64> = (0..10_000).map(|at| at * at % 5).collect();
        check(&codes, 4_000);
    }

    #[test]
    fn signed_extremes_come_back() {
        let values = [i64::MIN, 0, i64::MAX, -1];
        let mut writer = SegmentWriter::new(Effort::Merge);
        write_signed(&mut writer, &values);
        let mut reader = SegmentReader::open(&writer.finish()).expect("segment");
        assert_eq!(read_signed(&mut reader, 4).as_deref(), Ok(&values[..]));
    }
}
