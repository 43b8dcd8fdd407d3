//! The write-ahead log: framed records in numbered segments. It knows frames, files and syncing, not what is inside.
//!
//! ```text
//! segment = "BINNWAL\0" version:u32 0:u32 | record*
//! record  = "BWR1" len:u32 crc32c:u32 | signal:u8 tenant:bytes payload          len and crc cover what is after |
//! ```
//!
//! A segment is never appended to after a restart. A tail that a crash tore is cut at replay; damage elsewhere is
//! stepped over by looking for the next record whose checksum holds, and named.

mod record;
mod replay;
mod writer;

pub use record::{RECORD_BYTES_MAX, Record, begin_record, end_record};
pub use replay::{Damaged, replay_segment, segments};
pub use writer::WalWriter;

/// The directory of the segments.
pub const WAL_DIR: &str = "wal";
/// First bytes of a segment.
pub const SEGMENT_MAGIC: &[u8; 8] = b"BINNWAL\0";
/// Format version written; older ones down to 1 are read.
pub const SEGMENT_VERSION: u32 = 1;
/// Magic, version, padding.
pub const SEGMENT_HEADER_BYTES: usize = 16;

/// `wal/<number in hex>.wal`.
#[must_use]
pub fn segment_path(number: u64) -> String {
    format!("{WAL_DIR}/{}", segment_name(number))
}

/// `<number in hex>.wal`.
#[must_use]
pub fn segment_name(number: u64) -> String {
    format!("{number:016x}.wal")
}
