//! Integer columns: constant, varints, packed bytes under zstd, or `pco` latents, whichever is smallest.
//!
//! `pco` (<https://github.com/pcodec/pcodec>) finds bins, deltas and common divisors: timestamps in nanoseconds that
//! were milliseconds once, counters, codes of skewed dictionaries. zstd over packed bytes wins where the sequence
//! repeats (frames of a stack trace).

use super::Decoded;
use super::segment::{COLUMN_VALUES_MAX, SegmentReader, SegmentWriter, compress, decompress};
use crate::codec::put_varint;
use crate::error::Damage;
use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec};

const CONSTANT: u64 = 0;
const VARINTS: u64 = 1;
const PCO: u64 = 2;
const PACKED: u64 = 3;

/// Shorter columns are varints: the other forms cost more in headers.
const PCO_VALUES_MIN: usize = 48;
/// Wider integers are not tried as packed bytes.
const PACKED_WIDTH_MAX: usize = 4;
/// `pco` level, of 0 to 12.
const PCO_LEVEL: usize = 5;
/// In longer columns a sample of so many runs, so many values together, decides between the dense forms.
const SAMPLE_RUNS: usize = 4;
const SAMPLED_VALUES: usize = 2048;
/// Neighbours looked at to see whether differences are smaller than values.
const SAMPLE_VALUES: usize = 1024;

/// Appends `values` to the segment; the count is the caller's to remember.
pub fn write_ints(writer: &mut SegmentWriter, values: &[u64]) {
    let first = values.first().copied().unwrap_or(0);
    if values.iter().all(|value| *value == first) {
        writer.number(CONSTANT);
        writer.number(first);
        return;
    }
    let (mode, bytes) = match values.len() {
        ..PCO_VALUES_MIN => (VARINTS, None),
        _ if width(values) > PACKED_WIDTH_MAX => (PCO, latents(values)),
        PCO_VALUES_MIN..=SAMPLED_VALUES => dense(values),
        _ if dense(&sample(values)).0 == PACKED => (PACKED, pack(values)),
        _ => (PCO, latents(values)),
    };
    let Some(bytes) = bytes else {
        writer.number(VARINTS);
        for value in values {
            put_varint(&mut writer.text, *value);
        }
        return;
    };
    writer.number(mode);
    if mode == PACKED {
        writer.count(width(values));
    }
    writer.count(bytes.len());
    writer.raw.extend_from_slice(&bytes);
}

/// The smaller of the dense forms.
fn dense(values: &[u64]) -> (u64, Option<Vec<u8>>) {
    let (packed, latents) = (pack(values), latents(values));
    let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(usize::MAX, Vec::len);
    if len(&packed) < len(&latents) { (PACKED, packed) } else { (PCO, latents) }
}

/// Runs of the values that stand for all.
fn sample(values: &[u64]) -> Vec<u64> {
    let run = SAMPLED_VALUES / SAMPLE_RUNS;
    let step = (values.len() / SAMPLE_RUNS).max(run);
    values.chunks(step).flat_map(|part| part.get(..run).unwrap_or(part)).copied().collect()
}

fn latents(values: &[u64]) -> Option<Vec<u8>> {
    let delta = if deltas_are_smaller(values) { DeltaSpec::TryConsecutive(1) } else { DeltaSpec::NoOp };
    let config = ChunkConfig::default().with_compression_level(PCO_LEVEL).with_delta_spec(delta);
    simple_compress(values, &config).ok()
}

/// Whether neighbours are closer to each other than to zero, by the bits of a sample; `pco` finds the same out by
/// compressing several times.
fn deltas_are_smaller(values: &[u64]) -> bool {
    let bits = |value: u64| u64::from(64 - value.leading_zeros());
    let min = values.iter().copied().min().unwrap_or(0);
    let step = (values.len() / SAMPLE_VALUES).max(1);
    let (mut plain, mut delta) = (0, 0);
    for pair in values.windows(2).step_by(step) {
        plain += bits(pair[1] - min);
        delta += bits(pair[1].abs_diff(pair[0])) + 1;
    }
    delta < plain
}

/// Bytes that the largest value needs.
fn width(values: &[u64]) -> usize {
    let max = values.iter().copied().max().unwrap_or(0);
    (8 - max.leading_zeros() as usize / 8).max(1)
}

fn pack(values: &[u64]) -> Option<Vec<u8>> {
    let width = width(values);
    let mut plain = Vec::with_capacity(values.len() * width);
    for value in values {
        plain.extend_from_slice(&value.to_le_bytes()[..width]);
    }
    compress(&plain)
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
        let mut writer = SegmentWriter::new();
        write_ints(&mut writer, values);
        let bytes = writer.finish();
        let mut reader = SegmentReader::open(&bytes).expect("segment");
        assert_eq!(read_ints(&mut reader, values.len()).as_deref(), Ok(values));
        assert!(bytes.len() <= bytes_max, "{} bytes", bytes.len());
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
        let mut writer = SegmentWriter::new();
        write_signed(&mut writer, &values);
        let mut reader = SegmentReader::open(&writer.finish()).expect("segment");
        assert_eq!(read_signed(&mut reader, 4).as_deref(), Ok(&values[..]));
    }
}
