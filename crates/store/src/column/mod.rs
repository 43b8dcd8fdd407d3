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

/// How hard an encoder tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A part made of memory: written again soon by a merge, so cheap.
    Flush,
    /// A merged part: read for weeks, so dense.
    Merge,
}

impl Effort {
    /// zstd level of a segment's pools.
    pub(crate) fn zstd_level(self) -> i32 {
        match self {
            Self::Flush => 1,
            Self::Merge => 9,
        }
    }
}

/// Result of a decoder.
pub(crate) type Decoded<T> = Result<T, crate::error::Damage>;
