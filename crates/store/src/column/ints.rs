//! Integer columns: constant, varints, packed bits, packed bytes under zstd, or `pco` latents.
//!
//! Packed bits are several times cheaper than the two forms behind them, which a sample must promise to be clearly
//! smaller. `pco` (<https://github.com/pcodec/pcodec>) finds bins: timestamps in nanoseconds that were milliseconds
//! once, codes of skewed dictionaries. zstd over packed bytes wins where the sequence repeats (frames of a stack trace).

mod bits;
mod sample;

use self::sample::Sample;
use super::Decoded;
use super::segment::{COLUMN_VALUES_MAX, SegmentReader, SegmentWriter, compress, decompress};
use crate::codec::put_varint;
use crate::error::Damage;
use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

const CONSTANT: u64 = 0;
const VARINTS: u64 = 1;
const PCO: u64 = 2;
const PACKED: u64 = 3;
const BITS: u64 = 4;

/// Shorter columns are varints: the other forms cost more in headers.
const BITS_VALUES_MIN: usize = 48;
/// Shorter columns are not tried denser than packed bits.
const DENSE_VALUES_MIN: usize = 256;
/// A denser form must be smaller than packed bits by one part in so many.
const GAIN: u64 = 5;
/// Floats: shorter columns are stored as they are.
const PCO_VALUES_MIN: usize = 48;
/// Wider integers are not tried as packed bytes.
const PACKED_WIDTH_MAX: usize = 4;
/// `pco` level, of 0 to 12.
const PCO_LEVEL: usize = 5;

/// What columns of integers are made of.
pub trait Int: Copy + Ord + Into<u64> {}

impl<T: Copy + Ord + Into<u64>> Int for T {}

/// Appends `values` to the segment; the count is the caller's to remember.
pub fn write_ints<T: Int>(writer: &mut SegmentWriter, values: &[T]) {
    let first = values.first().copied();
    if values.iter().all(|value| Some(*value) == first) {
        write_repeated(writer, first.map_or(0, Into::into));
    } else if values.len() < BITS_VALUES_MIN {
        writer.number(VARINTS);
        for value in values {
            put_varint(&mut writer.text, (*value).into());
        }
    } else if let Some((mode, bytes)) = dense(values) {
        writer.number(mode);
        if mode == PACKED {
            writer.count(width(values));
        }
        writer.count(bytes.len());
        writer.raw.extend_from_slice(&bytes);
    } else {
        writer.number(BITS);
        bits::write(writer, values);
    }
}

/// Appends a column that has nothing but `value`.
pub(crate) fn write_repeated(writer: &mut SegmentWriter, value: u64) {
    writer.number(CONSTANT);
    writer.number(value);
}

/// A form that is clearly smaller than packed bits.
fn dense<T: Int>(values: &[T]) -> Option<(u64, Vec<u8>)> {
    if values.len() < DENSE_VALUES_MIN {
        return None;
    }
    let sample = Sample::of(values);
    let wanted_bits = sample.packed_bits - sample.packed_bits / GAIN;
    let fits = |bytes: &Vec<u8>, bits: u64| bytes.len() as u64 * 8 <= bits;
    if sample.repeats && width(values) <= PACKED_WIDTH_MAX {
        let packed = pack(values).filter(|packed| fits(packed, wanted_bits.min(sample.latent_bits)));
        if let Some(packed) = packed {
            return Some((PACKED, packed));
        }
    }
    if sample.latent_bits > wanted_bits {
        return None;
    }
    let latents = latents(values, sample).filter(|latents| fits(latents, sample.packed_bits))?;
    Some((PCO, latents))
}

fn latents<T: Int>(values: &[T], sample: Sample) -> Option<Vec<u8>> {
    // `pco` would find both out by compressing several times.
    let delta = if sample.deltas { DeltaSpec::TryConsecutive(1) } else { DeltaSpec::NoOp };
    let mode = if sample.stepped { ModeSpec::Auto } else { ModeSpec::Classic };
    let config = ChunkConfig::default().with_compression_level(PCO_LEVEL);
    let wide: Vec<u64> = values.iter().map(|value| (*value).into()).collect();
    simple_compress(&wide, &config.with_delta_spec(delta).with_mode_spec(mode)).ok()
}

/// Bytes that the largest value needs.
fn width<T: Int>(values: &[T]) -> usize {
    let max = values.iter().max().copied().map_or(0, Into::into);
    (bits::bits(max).div_ceil(8) as usize).max(1)
}

fn pack<T: Int>(values: &[T]) -> Option<Vec<u8>> {
    let width = width(values);
    let mut plain = Vec::with_capacity(values.len() * width);
    for value in values {
        plain.extend_from_slice(&(*value).into().to_le_bytes()[..width]);
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
        BITS => bits::read(reader, count),
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
    write_ints(writer, values);
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
mod tests;
