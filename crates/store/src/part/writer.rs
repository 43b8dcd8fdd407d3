//! Writes part files: chunks in any order, then a footer. Nothing is visible before [`PartWriter::finish`].

use super::{ChunkRef, FOOTER_MAGIC, PART_MAGIC, PART_VERSION, PartInfo};
use crate::codec::put_bytes;
use crate::error::{Damage, PartError};
use crate::object::{ObjectStore, ObjectWriter};
use crate::signal::SignalKind;
use model::Tenant;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes gathered before they go to the object.
const WRITE_BYTES: usize = 256 << 10;

/// Where the parts of one seal or merge go; they exist for readers only after the manifest names them.
pub struct PartSink<'a> {
    objects: &'a dyn ObjectStore,
    tenant: Tenant,
    kind: SignalKind,
    next_id: &'a AtomicU64,
    merged: bool,
    done: Vec<PartInfo>,
}

impl<'a> PartSink<'a> {
    /// A sink for parts of `tenant`; `merged` says that the parts will live long (spend more on compression).
    pub fn new(
        objects: &'a dyn ObjectStore,
        tenant: Tenant,
        kind: SignalKind,
        next_id: &'a AtomicU64,
        merged: bool,
    ) -> Self {
        Self { objects, tenant, kind, next_id, merged, done: Vec::new() }
    }

    /// Whether this is a merge rather than a seal: the result lives long, so compress harder.
    #[must_use]
    pub fn is_merge(&self) -> bool {
        self.merged
    }

    /// Starts a part for `day` (days since the epoch).
    ///
    /// # Errors
    /// When the disk says no.
    pub fn begin(&mut self, day: i64) -> Result<PartWriter, PartError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let info = PartInfo {
            id,
            tenant: self.tenant.clone(),
            kind: self.kind,
            day,
            min_ms: i64::MAX,
            max_ms: i64::MIN,
            rows: 0,
            bytes: 0,
        };
        let mut buffer = Vec::with_capacity(WRITE_BYTES);
        buffer.extend_from_slice(PART_MAGIC);
        buffer.extend_from_slice(&PART_VERSION.to_le_bytes());
        buffer.extend_from_slice(&[self.kind as u8, 0, 0, 0]);
        Ok(PartWriter { object: self.objects.put(&info.path())?, info, buffer, written: 0 })
    }

    /// Finishes a part: `meta` are the signal's own footer bytes, times in milliseconds.
    ///
    /// # Errors
    /// When the disk says no; the part then does not exist.
    pub fn finish(
        &mut self,
        writer: PartWriter,
        range_ms: (i64, i64),
        rows: u64,
        meta: &[u8],
    ) -> Result<(), PartError> {
        self.done.push(writer.finish(range_ms, rows, meta)?);
        Ok(())
    }

    /// The finished parts.
    #[must_use]
    pub fn into_parts(self) -> Vec<PartInfo> {
        self.done
    }
}

/// One part in the making.
pub struct PartWriter {
    object: Box<dyn ObjectWriter>,
    info: PartInfo,
    buffer: Vec<u8>,
    written: u64,
}

impl PartWriter {
    /// Appends a chunk; keep the reference in `meta` or in another chunk.
    ///
    /// # Errors
    /// When the disk says no, or a chunk is longer than 4 GiB.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<ChunkRef, PartError> {
        let len = u32::try_from(bytes.len()).map_err(|_| PartError::Damaged {
            part: self.info.id,
            reason: format!("a chunk of {} bytes does not fit the format", bytes.len()),
        })?;
        let at = self.written + self.buffer.len() as u64;
        self.append(bytes)?;
        Ok(ChunkRef { at, len, crc: crc32c::crc32c(bytes) })
    }

    /// Bytes of the part so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Turns what an encoder says into an error that names this part.
    #[must_use]
    pub fn failed(&self, damage: Damage) -> PartError {
        PartError::Damaged { part: self.info.id, reason: damage.0 }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), PartError> {
        self.object.append(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, range_ms: (i64, i64), rows: u64, meta: &[u8]) -> Result<PartInfo, PartError> {
        (self.info.min_ms, self.info.max_ms) = range_ms;
        self.info.rows = rows;
        let mut footer = Vec::with_capacity(meta.len() + 256);
        self.info.put(&mut footer);
        put_bytes(&mut footer, meta);
        let footer_ref = self.chunk(&footer)?;
        let mut trailer = Vec::with_capacity(super::TRAILER_BYTES);
        trailer.extend_from_slice(&footer_ref.at.to_le_bytes());
        trailer.extend_from_slice(&footer_ref.len.to_le_bytes());
        trailer.extend_from_slice(&footer_ref.crc.to_le_bytes());
        trailer.extend_from_slice(FOOTER_MAGIC);
        self.append(&trailer)?;
        self.drain()?;
        self.info.bytes = self.written;
        self.object.finish()?;
        Ok(self.info)
    }
}
