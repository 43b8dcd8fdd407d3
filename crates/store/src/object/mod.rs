//! Where part files live. The shape is that of the `object_store` crate: whole objects are put, ranges are read.
//!
//! An object is immutable and appears whole or not at all. Local disk is the one backend today.

use platform::SharedDisk;
use platform::disk::{DiskFile, DiskResult};
use std::sync::Arc;

/// A store that many threads share.
pub type SharedObjects = Arc<dyn ObjectStore>;

/// Puts, reads, lists and deletes immutable objects by `/`-separated path.
pub trait ObjectStore: Send + Sync + 'static {
    /// Starts an object; it exists once [`ObjectWriter::finish`] returned.
    ///
    /// # Errors
    /// What the backend says.
    fn put(&self, path: &str) -> DiskResult<Box<dyn ObjectWriter>>;
    /// Opens an object for range reads; it stays readable while the handle lives.
    ///
    /// # Errors
    /// What the backend says; `is_missing` when there is none.
    fn open(&self, path: &str) -> DiskResult<Arc<dyn DiskFile>>;
    /// Names in `path`, sorted; those of directories end in `/`.
    ///
    /// # Errors
    /// What the backend says.
    fn list(&self, path: &str) -> DiskResult<Vec<String>>;
    /// Deletes an object; no error when it does not exist.
    ///
    /// # Errors
    /// What the backend says.
    fn delete(&self, path: &str) -> DiskResult<()>;
    /// Moves an object, durably.
    ///
    /// # Errors
    /// What the backend says.
    fn rename(&self, from: &str, to: &str) -> DiskResult<()>;
}

/// An object in the making. Dropping it without [`finish`](Self::finish) leaves nothing that `list` or `open` shows as
/// an object.
pub trait ObjectWriter: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// What the backend says.
    fn append(&mut self, bytes: &[u8]) -> DiskResult<()>;
    /// Makes the object durable and visible.
    ///
    /// # Errors
    /// What the backend says.
    fn finish(self: Box<Self>) -> DiskResult<()>;
}

/// Objects as files under the data directory.
pub struct LocalObjects {
    disk: SharedDisk,
}

impl LocalObjects {
    /// Objects on `disk`.
    #[must_use]
    pub fn new(disk: SharedDisk) -> Self {
        Self { disk }
    }
}

/// Ending of files that are not objects yet.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Creates `path` with its parents and makes every name on the way durable.
///
/// # Errors
/// What the disk says.
pub fn create_dir_durable(disk: &SharedDisk, path: &str) -> DiskResult<()> {
    disk.create_dir(path)?;
    let mut dir = path;
    while !dir.is_empty() {
        dir = parent(dir);
        disk.sync_dir(dir)?;
    }
    Ok(())
}

impl ObjectStore for LocalObjects {
    fn put(&self, path: &str) -> DiskResult<Box<dyn ObjectWriter>> {
        create_dir_durable(&self.disk, parent(path))?;
        let temporary = format!("{path}{TEMPORARY_SUFFIX}");
        self.disk.remove(&temporary)?;
        let file = self.disk.append(&temporary)?;
        Ok(Box::new(LocalWriter {
            disk: self.disk.clone(),
            file: Some(file),
            temporary,
            path: path.to_owned(),
        }))
    }

    fn open(&self, path: &str) -> DiskResult<Arc<dyn DiskFile>> {
        self.disk.open(path)
    }

    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        self.disk.list(path)
    }

    fn delete(&self, path: &str) -> DiskResult<()> {
        self.disk.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> DiskResult<()> {
        create_dir_durable(&self.disk, parent(to))?;
        self.disk.rename(from, to)?;
        self.disk.sync_dir(parent(to))?;
        self.disk.sync_dir(parent(from))
    }
}

struct LocalWriter {
    disk: SharedDisk,
    file: Option<Box<dyn DiskFile>>,
    temporary: String,
    path: String,
}

impl ObjectWriter for LocalWriter {
    fn append(&mut self, bytes: &[u8]) -> DiskResult<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.append(bytes))
    }

    fn finish(mut self: Box<Self>) -> DiskResult<()> {
        if let Some(mut file) = self.file.take() {
            file.sync()?;
            drop(file);
            self.disk.rename(&self.temporary, &self.path)?;
            self.disk.sync_dir(parent(&self.path))?;
        }
        Ok(())
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        // After `finish` the name is gone and this does nothing; otherwise an abandoned file must not fill the disk.
        let _ = self.disk.remove(&self.temporary);
    }
}
