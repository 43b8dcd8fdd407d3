//! Reads part files: the footer once, chunks by range. Every byte handed out passed its checksum.

use super::{
    ChunkRef, FOOTER_BYTES_MAX, FOOTER_MAGIC, HEADER_BYTES, IndexCache, PART_MAGIC, PART_VERSION, PartInfo,
    TRAILER_BYTES,
};
use crate::codec::Reader;
use crate::error::{Damage, PartError};
use crate::object::SharedObjects;
use platform::DiskFile;
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A part on disk. Nothing is read before somebody asks, and no file stays open: there may be thousands. When the part was replaced or retired, its file goes when
/// the last reader drops it.
pub struct Part {
    info: PartInfo,
    path: String,
    objects: SharedObjects,
    cache: Arc<IndexCache>,
    meta: OnceLock<Vec<u8>>,
    doomed: AtomicBool,
}

impl Part {
    /// A part that the manifest names.
    #[must_use]
    pub fn new(info: PartInfo, objects: SharedObjects, cache: Arc<IndexCache>) -> Self {
        let path = info.path();
        Self { info, path, objects, cache, meta: OnceLock::new(), doomed: AtomicBool::new(false) }
    }

    /// What the manifest says of it.
    #[must_use]
    pub fn info(&self) -> &PartInfo {
        &self.info
    }

    /// The signal's own footer bytes.
    ///
    /// # Errors
    /// Damage, or the disk says no.
    pub fn meta(&self) -> Result<&[u8], PartError> {
        if let Some(meta) = self.meta.get() {
            return Ok(meta);
        }
        let meta = open(&self.objects, &self.path, Some(&self.info)).map_err(|error| self.blame(error))?.1;
        Ok(self.meta.get_or_init(|| meta))
    }

    /// The bytes of a chunk.
    ///
    /// # Errors
    /// Damage when the checksum differs, or the disk says no.
    pub fn read(&self, chunk: ChunkRef) -> Result<Vec<u8>, PartError> {
        let read = || read_checked(&*self.objects.open(&self.path)?, chunk, self.info.bytes);
        read().map_err(|error| self.blame(error))
    }

    /// The signal's decoded index of this part, loaded at most once while it stays in the cache. `load` also says how
    /// many bytes the value occupies.
    ///
    /// # Errors
    /// What `load` says.
    pub fn index<T: Any + Send + Sync>(
        &self,
        load: impl FnOnce(&Self) -> Result<(T, usize), PartError>,
    ) -> Result<Arc<T>, PartError> {
        if let Some(value) = self.cache.get(self.info.id) {
            return Ok(value);
        }
        let (value, bytes) = load(self)?;
        let value = Arc::new(value);
        self.cache.put(self.info.id, value.clone(), bytes);
        Ok(value)
    }

    /// Turns what a decoder says into an error that names this part.
    #[must_use]
    pub fn damaged(&self, damage: Damage) -> PartError {
        PartError::Damaged { part: self.info.id, reason: damage.0 }
    }

    /// Deletes the file when the last reader is gone.
    pub fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
        self.cache.remove(self.info.id);
    }

    fn blame(&self, error: ReadError) -> PartError {
        match error {
            ReadError::Damage(damage) => self.damaged(damage),
            ReadError::Disk(error) if error.is_missing() => self.damaged(Damage::new("the file is missing")),
            ReadError::Disk(error) => PartError::Disk(error),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if *self.doomed.get_mut() {
            // A file that stays is removed at the next start: the manifest does not name it.
            let _ = self.objects.delete(&self.path);
        }
    }
}

/// Reads the footer of the part at `path`, for a manifest that must be rebuilt.
///
/// # Errors
/// Damage or disk errors as a sentence.
pub(crate) fn read_info(objects: &SharedObjects, path: &str) -> Result<PartInfo, String> {
    open(objects, path, None).map(|(info, _)| info).map_err(|error| match error {
        ReadError::Damage(damage) => damage.0,
        ReadError::Disk(error) => error.to_string(),
    })
}

enum ReadError {
    Damage(Damage),
    Disk(platform::DiskError),
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<platform::DiskError> for ReadError {
    fn from(error: platform::DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Checks the frame of the part at `path`; returns its description and the signal's footer bytes.
fn open(
    objects: &SharedObjects,
    path: &str,
    known: Option<&PartInfo>,
) -> Result<(PartInfo, Vec<u8>), ReadError> {
    let file = objects.open(path)?;
    let len = file.len()?;
    if known.is_some_and(|info| info.bytes != len) || len < (HEADER_BYTES + TRAILER_BYTES) as u64 {
        return Err(Damage(format!("the file has {len} bytes, which is not what was written")).into());
    }
    let mut header = [0; HEADER_BYTES];
    file.read_at(0, &mut header)?;
    let mut reader = Reader::new(&header);
    if reader.take(PART_MAGIC.len())? != PART_MAGIC {
        return Err(Damage::new("it does not start like a part").into());
    }
    let version = reader.u32()?;
    if !(1..=PART_VERSION).contains(&version) {
        return Err(Damage(format!("format version {version} is not known to this binary")).into());
    }
    let mut trailer = [0; TRAILER_BYTES];
    file.read_at(len - TRAILER_BYTES as u64, &mut trailer)?;
    let mut reader = Reader::new(&trailer);
    let footer_ref = ChunkRef { at: reader.u64()?, len: reader.u32()?, crc: reader.u32()? };
    if reader.rest() != FOOTER_MAGIC || footer_ref.len as usize > FOOTER_BYTES_MAX {
        return Err(Damage::new("it does not end like a part").into());
    }
    let footer = read_checked(&*file, footer_ref, len)?;
    let mut reader = Reader::new(&footer);
    let info = PartInfo::get(&mut reader, len)?;
    if known.is_some_and(|known| *known != info) {
        return Err(Damage::new("the footer describes another part").into());
    }
    let meta = reader.bytes()?.to_vec();
    Ok((info, meta))
}

fn read_checked(file: &dyn DiskFile, chunk: ChunkRef, file_bytes: u64) -> Result<Vec<u8>, ReadError> {
    if chunk.at.saturating_add(u64::from(chunk.len)) > file_bytes {
        return Err(Damage::new("a chunk reaches beyond the end").into());
    }
    let mut bytes = vec![0; chunk.len as usize];
    file.read_at(chunk.at, &mut bytes)?;
    if crc32c::crc32c(&bytes) != chunk.crc {
        return Err(Damage(format!("the chunk at byte {} fails its checksum", chunk.at)).into());
    }
    Ok(bytes)
}
