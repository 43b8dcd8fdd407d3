//! Bit packing: values as multiples of a step above their minimum, in blocks that are each as wide as their largest.
//!
//! As small as any form where numbers are random, and several times cheaper to write than the others.
//!
//! Layout: `minimum:varint step:varint` in `meta`; in `raw` per block of 128 values (the last may be shorter) one byte,
//! its low seven bits the width in bits, 0 to 64, and the values' lowest bits first, filled up to a byte. With the
//! byte's top bit the values are zigzag differences to the value before, which for the first of all is 0.

use super::super::Decoded;
use super::super::segment::{SegmentReader, SegmentWriter};
use super::Int;
use crate::error::Damage;

/// Values of one block.
pub(super) const BLOCK_VALUES: usize = 128;
/// In a block's first byte: differences.
const DELTA: u8 = 0x80;
/// Widest value, bits.
const WIDTH_MAX: u32 = 64;

/// Bits that `value` needs.
pub(super) fn bits(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// `value` as a small number when it is near zero, from either side.
pub(super) fn zigzag(value: u64) -> u64 {
    let value = value.cast_signed();
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// How a column's values become small numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) min: u64,
    /// All values are `min` and a multiple of this, which is at least 1.
    pub(super) step: u64,
}

impl Frame {
    pub(super) fn of<T: Int>(values: &[T]) -> Self {
        let min = values.iter().min().copied().map_or(0, Into::into);
        let mut step = 0;
        for value in values {
            let offset = (*value).into() - min;
            if offset != step && offset != 0 && (step == 0 || offset % step != 0) {
                step = gcd(step, offset);
                if step == 1 {
                    break;
                }
            }
        }
        Self { min, step: step.max(1) }
    }

    pub(super) fn offset<T: Int>(self, value: T) -> u64 {
        let offset = value.into() - self.min;
        if self.step == 1 { offset } else { offset / self.step }
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

/// The numbers of one block, either way.
#[derive(Debug)]
pub(super) struct Block {
    /// Offsets and differences.
    numbers: [[u64; BLOCK_VALUES]; 2],
    widths: [u32; 2],
    len: usize,
    /// The last offset of the block before.
    last: u64,
}

impl Block {
    pub(super) fn new() -> Self {
        Self { numbers: [[0; BLOCK_VALUES]; 2], widths: [0; 2], len: 0, last: 0 }
    }

    /// Takes the next values, at most [`BLOCK_VALUES`].
    pub(super) fn fill<T: Int>(&mut self, frame: Frame, values: &[T]) {
        let [offsets, deltas] = &mut self.numbers;
        let (mut all_offsets, mut all_deltas) = (0, 0);
        for ((value, offset), delta) in values.iter().zip(offsets).zip(deltas) {
            *offset = frame.offset(*value);
            *delta = zigzag(offset.wrapping_sub(self.last));
            self.last = *offset;
            all_offsets |= *offset;
            all_deltas |= *delta;
        }
        self.widths = [bits(all_offsets), bits(all_deltas)];
        self.len = values.len().min(BLOCK_VALUES);
    }

    /// Bits of a value, the smaller way.
    pub(super) fn width(&self) -> u32 {
        self.widths[0].min(self.widths[1])
    }

    /// The offsets taken last.
    pub(super) fn offsets(&self) -> &[u64] {
        &self.numbers[0][..self.len]
    }

    fn write(&self, out: &mut Vec<u8>) {
        let delta = self.widths[1] < self.widths[0];
        let width = self.width();
        out.push(width.to_le_bytes()[0] | if delta { DELTA } else { 0 });
        pack(&self.numbers[usize::from(delta)][..self.len], width, out);
    }
}

fn pack(numbers: &[u64], width: u32, out: &mut Vec<u8>) {
    let (mut word, mut filled) = (0, 0);
    for number in numbers {
        word |= number << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            word = number.checked_shr(width - filled).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// Appends `values`.
pub(super) fn write<T: Int>(writer: &mut SegmentWriter, values: &[T]) {
    let frame = Frame::of(values);
    writer.number(frame.min);
    writer.number(frame.step);
    let mut block = Block::new();
    for values in values.chunks(BLOCK_VALUES) {
        block.fill(frame, values);
        block.write(&mut writer.raw);
    }
}

/// Reads `count` values, for which the caller has reserved.
pub(super) fn read(reader: &mut SegmentReader, count: usize) -> Decoded<Vec<u64>> {
    let frame = Frame { min: reader.number()?, step: reader.number()? };
    let mut values = Vec::with_capacity(count);
    let mut last = 0_u64;
    let mut numbers = [0; BLOCK_VALUES];
    while values.len() < count {
        let len = (count - values.len()).min(BLOCK_VALUES);
        let head = reader.raw(1)?.first().copied().unwrap_or(0);
        let width = u32::from(head & !DELTA);
        if width > WIDTH_MAX {
            return Err(Damage::new("unknown width of packed integers"));
        }
        unpack(reader.raw((width as usize * len).div_ceil(8))?, width as usize, &mut numbers[..len]);
        values.extend(numbers[..len].iter().map(|number| {
            last = match head & DELTA {
                0 => *number,
                _ => last.wrapping_add(number >> 1 ^ (number & 1).wrapping_neg()),
            };
            frame.min.wrapping_add(last.wrapping_mul(frame.step))
        }));
    }
    Ok(values)
}

fn unpack(bytes: &[u8], width: usize, numbers: &mut [u64]) {
    // Room behind the last number, so that each is cut out of 16 bytes.
    let mut padded = [0; BLOCK_VALUES * 8 + 16];
    padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let mask = u128::from(u64::MAX) >> (u64::BITS as usize - width);
    for (at, number) in numbers.iter_mut().enumerate() {
        let bit = at * width;
        let window = padded.get(bit / 8..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        *number = u64::try_from(u128::from_le_bytes(window) >> (bit % 8) & mask).unwrap_or(0);
    }
}
