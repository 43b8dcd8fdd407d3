//! Columns: how the values of a block become bytes and come back, for logs and spans alike.
//!
//! Pure functions over memory. Decoders are total: any bytes give values or a [`Damage`](crate::error::Damage), never a
//! panic, and what they allocate is bounded by [`segment::SEGMENT_BYTES_MAX`] whatever the bytes claim. Nothing here
//! knows a file, a tenant or a clock.

pub mod attrs;
pub mod bloom;
mod distinct;
pub mod ids;
pub mod ints;
pub mod line_filter;
mod number;
pub mod segment;
pub mod template;
pub mod text;
pub mod trace_index;

/// Result of a decoder.
pub(crate) type Decoded<T> = Result<T, crate::error::Damage>;

/// Hashes in memory: short keys with one multiplication, longer ones with xxh3. Never written to disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHasher(u64);

/// The bytes of a key of at most 16, as two numbers.
fn halves(bytes: &[u8]) -> Option<(u64, u64)> {
    let len = bytes.len();
    if let (8..=16, Some(head), Some(tail)) = (len, bytes.first_chunk(), bytes.last_chunk()) {
        return Some((u64::from_le_bytes(*head), u64::from_le_bytes(*tail)));
    }
    if let (4..8, Some(head), Some(tail)) = (len, bytes.first_chunk(), bytes.last_chunk()) {
        return Some((u32::from_le_bytes(*head).into(), u32::from_le_bytes(*tail).into()));
    }
    match bytes {
        [] => Some((0, 0)),
        [first] => Some(((*first).into(), 1)),
        [first, second] => Some(((*first).into(), u64::from(*second) << 8 | 2)),
        [first, second, third] => {
            Some(((*first).into(), u64::from(*second) << 8 | u64::from(*third) << 16 | 3))
        }
        _ => None,
    }
}

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = match halves(bytes) {
            Some((head, tail)) => {
                let head = head ^ self.0 ^ 0x9e37_79b9_7f4a_7c15;
                let (low, high) = head.carrying_mul(tail ^ 0xd1b5_4a32_d192_ed03, 0);
                low ^ high
            }
            None => xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0),
        };
    }

    fn write_usize(&mut self, value: usize) {
        self.0 = (self.0 ^ value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_usize(value as usize);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_usize(value.into());
    }
}

/// A map for short byte keys.
pub(crate) type KeyMap<K, V> = std::collections::HashMap<K, V, std::hash::BuildHasherDefault<KeyHasher>>;
