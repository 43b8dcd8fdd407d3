//! Columns: how the values of a block become bytes and come back, for logs and spans alike.
//!
//! Pure functions over memory. Decoders are total: any bytes give values or a [`Damage`](crate::error::Damage), never a
//! panic, and what they allocate is bounded by [`segment::SEGMENT_BYTES_MAX`] whatever the bytes claim. Nothing here
//! knows a file, a tenant or a clock.

pub mod attrs;
pub mod bloom;
pub mod ids;
pub mod ints;
pub mod segment;
pub mod template;
pub mod text;
pub mod trace_index;

/// Result of a decoder.
pub(crate) type Decoded<T> = Result<T, crate::error::Damage>;

/// Hashes in memory with xxh3: one call per key, no state to set up. Never written to disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
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
