//! The part file: immutable chunks, each with its CRC32C, and a footer at the end.
//!
//! ```text
//! "BINNPART" version:u32 kind:u8 0 0 0 | chunk | chunk | ... | footer | footer_at:u64 footer_len:u32 crc:u32 "BPF1"
//! footer = id tenant kind day min_ms max_ms rows meta        meta = the signal's own bytes
//! ```
//!
//! One column chunk is one range read. This module never looks into a chunk or into `meta`.

mod cache;
mod reader;
mod writer;

pub use cache::IndexCache;
pub use reader::Part;
pub(crate) use reader::read_info;
pub use writer::{PartSink, PartWriter};

use crate::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::error::Damage;
use crate::signal::SignalKind;
use model::Tenant;

/// First bytes of a part file.
pub const PART_MAGIC: &[u8; 8] = b"BINNPART";
/// Last bytes of a part file.
pub const FOOTER_MAGIC: &[u8; 4] = b"BPF1";
/// Format version written; older ones down to 1 are read.
pub const PART_VERSION: u32 = 1;
/// Magic, version, kind, padding.
pub const HEADER_BYTES: usize = 16;
/// Position, length, CRC, magic.
pub const TRAILER_BYTES: usize = 20;
/// Longest footer that is believed.
pub const FOOTER_BYTES_MAX: usize = 256 << 20;
/// Most parts that one sealed memory part may become; records of further days go into the oldest one.
pub const PART_DAYS_MAX: usize = 64;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Days since the epoch (UTC) of a time in milliseconds.
#[must_use]
pub fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// Milliseconds of a time in nanoseconds, rounded down.
#[must_use]
pub fn ms_of(ns: i64) -> i64 {
    ns.div_euclid(1_000_000)
}

/// Where a chunk stands in its part, and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkRef {
    /// Bytes from the start of the file.
    pub at: u64,
    /// Length in bytes.
    pub len: u32,
    /// CRC32C of the bytes.
    pub crc: u32,
}

impl ChunkRef {
    /// Appends it.
    pub fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.at);
        put_varint(out, u64::from(self.len));
        out.extend_from_slice(&self.crc.to_le_bytes());
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn get(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self { at: reader.varint()?, len: reader.varint32()?, crc: reader.u32()? })
    }
}

/// What the manifest and the footer say of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Unique in the data directory, ascending with creation.
    pub id: u64,
    /// Whose.
    pub tenant: Tenant,
    /// Of what.
    pub kind: SignalKind,
    /// Days since the epoch, UTC; records of other days may be in it, the range says so.
    pub day: i64,
    /// Earliest record, milliseconds.
    pub min_ms: i64,
    /// Latest record, milliseconds.
    pub max_ms: i64,
    /// Samples, lines, spans or changes.
    pub rows: u64,
    /// Length of the file.
    pub bytes: u64,
}

impl PartInfo {
    /// `parts/<tenant>/<day>/<signal>-<id>.part`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("parts/{}/{}/{}", self.tenant, self.day, self.file_name())
    }

    /// `<signal>-<id>.part`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{:016x}.part", self.kind.as_str(), self.id)
    }

    /// Whether it may hold records of `min_ms..=max_ms`.
    #[must_use]
    pub fn overlaps(&self, min_ms: i64, max_ms: i64) -> bool {
        self.min_ms <= max_ms && self.max_ms >= min_ms
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.id);
        put_bytes(out, self.tenant.as_str().as_bytes());
        out.push(self.kind as u8);
        put_signed(out, self.day);
        put_signed(out, self.min_ms);
        put_signed(out, self.max_ms);
        put_varint(out, self.rows);
    }

    pub(crate) fn get(reader: &mut Reader<'_>, bytes: u64) -> Result<Self, Damage> {
        let id = reader.varint()?;
        let tenant = Tenant::new(reader.str()?).map_err(|error| Damage(error.to_string()))?;
        let kind = SignalKind::from_number(reader.u8()?).ok_or_else(|| Damage::new("unknown signal"))?;
        let (day, min_ms, max_ms) = (reader.signed()?, reader.signed()?, reader.signed()?);
        Ok(Self { id, tenant, kind, day, min_ms, max_ms, rows: reader.varint()?, bytes })
    }
}
