//! The manifest file: every live part and the first WAL segment that is not yet in parts.
//!
//! ```text
//! "BINNMANI" version:u32 crc:u32 | wal_floor next_id count part*      part = footer fields, file length
//! ```

use crate::codec::{Reader, put_varint};
use crate::error::{Damage, StoreError};
use crate::part::PartInfo;
use platform::SharedDisk;
use std::collections::BTreeMap;

/// Its name in the data directory.
pub const MANIFEST_PATH: &str = "MANIFEST";
/// Format version written; older ones down to 1 are read.
pub const MANIFEST_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"BINNMANI";
const HEADER_BYTES: usize = 16;

/// The state of the data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Parts by id.
    pub parts: BTreeMap<u64, PartInfo>,
    /// Segments below this number are in parts.
    pub wal_floor: u64,
    /// Ids below this may have been used.
    pub next_id: u64,
}

impl Manifest {
    /// Reads it; `None` when the directory is new.
    ///
    /// # Errors
    /// Disk errors, a newer version, or `Invalid` when its bytes are damaged.
    pub fn load(disk: &SharedDisk) -> Result<Option<Self>, StoreError> {
        let bytes = match disk.read(MANIFEST_PATH) {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let invalid = |damage: Damage| StoreError::Invalid(format!("{MANIFEST_PATH} is damaged: {damage}"));
        let mut reader = Reader::new(&bytes);
        if reader.take(MAGIC.len()).map_err(invalid)? != MAGIC {
            return Err(invalid(Damage::new("it does not start like a manifest")));
        }
        let found = reader.u32().map_err(invalid)?;
        if !(1..=MANIFEST_VERSION).contains(&found) {
            return Err(StoreError::Version { path: MANIFEST_PATH.into(), found, known: MANIFEST_VERSION });
        }
        let crc = reader.u32().map_err(invalid)?;
        if crc32c::crc32c(reader.rest()) != crc {
            return Err(invalid(Damage::new("checksum")));
        }
        Self::decode(&mut reader).map(Some).map_err(invalid)
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let (wal_floor, next_id) = (reader.varint()?, reader.varint()?);
        let mut parts = BTreeMap::new();
        for _ in 0..reader.count(1)? {
            let bytes = reader.varint()?;
            let info = PartInfo::get(reader, bytes)?;
            parts.insert(info.id, info);
        }
        Ok(Self { parts, wal_floor, next_id })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_varint(&mut body, self.wal_floor);
        put_varint(&mut body, self.next_id);
        put_varint(&mut body, self.parts.len() as u64);
        for info in self.parts.values() {
            put_varint(&mut body, info.bytes);
            info.put(&mut body);
        }
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&MANIFEST_VERSION.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }
}
