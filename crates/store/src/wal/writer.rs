//! Appends groups of records to the newest segment. What a failed append or sync leaves behind is cut off, or the
//! segment is abandoned; a group is durable as a whole when [`WalWriter::append`] returned.

use super::{SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, SEGMENT_VERSION, WAL_DIR, segment_path};
use platform::disk::DiskResult;
use platform::{DiskFile, SharedDisk};

/// The open end of the log.
pub struct WalWriter {
    disk: SharedDisk,
    segment_bytes_max: u64,
    number: u64,
    file: Option<Box<dyn DiskFile>>,
    len: u64,
    dirty: bool,
}

impl WalWriter {
    /// A writer whose first segment will be `number`; it is created with the first append.
    #[must_use]
    pub fn new(disk: SharedDisk, number: u64, segment_bytes_max: u64) -> Self {
        Self { disk, segment_bytes_max, number, file: None, len: 0, dirty: false }
    }

    /// The number of the segment that takes the next group.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the next group of `bytes` opens a new segment: a size reached, or a failure before.
    #[must_use]
    pub fn is_due(&self, bytes: usize) -> bool {
        let used = self.len > SEGMENT_HEADER_BYTES as u64;
        self.file.is_some() && used && self.len + bytes as u64 > self.segment_bytes_max
    }

    /// Closes the segment; the next group goes to the one after it. Returns that one's number.
    ///
    /// # Errors
    /// When bytes that interval mode still owes cannot be synced; the segment is closed nevertheless.
    pub fn roll(&mut self) -> DiskResult<u64> {
        let synced = self.sync();
        if self.file.take().is_some() {
            self.number += 1;
        }
        synced.map(|()| self.number)
    }

    /// Appends the parts of `group`, one after the other, and, with `sync`, makes them durable.
    ///
    /// # Errors
    /// When the disk says no: then none of the group counts, and the segment is closed.
    pub fn append(&mut self, group: &[&[u8]], sync: bool) -> DiskResult<()> {
        let result = self.try_append(group, sync);
        match result {
            Ok(()) => self.len += group.iter().map(|part| part.len() as u64).sum::<u64>(),
            Err(_) => self.abandon(),
        }
        result
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn sync(&mut self) -> DiskResult<()> {
        if let Some(file) = self.file.as_mut().filter(|_| self.dirty) {
            file.sync()?;
            self.dirty = false;
        }
        Ok(())
    }

    fn try_append(&mut self, group: &[&[u8]], sync: bool) -> DiskResult<()> {
        if self.file.is_none() {
            self.open()?;
        }
        if let Some(file) = self.file.as_mut() {
            self.dirty = true;
            group.iter().try_for_each(|part| file.append(part))?;
        }
        if sync { self.sync() } else { Ok(()) }
    }

    fn open(&mut self) -> DiskResult<()> {
        let path = segment_path(self.number);
        self.disk.remove(&path)?;
        let mut file = self.disk.append(&path)?;
        let mut header = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        header.extend_from_slice(SEGMENT_MAGIC);
        header.extend_from_slice(&SEGMENT_VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        file.append(&header)?;
        self.disk.sync_dir(WAL_DIR)?;
        self.len = header.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Cuts what was not acknowledged and closes the segment, so that nothing is appended after bytes in doubt.
    fn abandon(&mut self) {
        match self.file.take() {
            Some(mut file) => {
                let cut = file.truncate(self.len).and_then(|()| file.sync());
                if let Err(error) = cut {
                    tracing::warn!(%error, "unacknowledged bytes stay in the WAL; replay will take or cut them");
                }
            }
            None => {
                let _ = self.disk.remove(&segment_path(self.number));
            }
        }
        self.number += 1;
        self.dirty = false;
    }
}
