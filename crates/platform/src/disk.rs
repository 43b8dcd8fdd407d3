//! Files under one data directory. Paths are relative, `/`-separated and never leave the directory.
//!
//! The contract a simulated disk must be able to break on purpose: bytes are durable after [`DiskFile::sync`] returns,
//! a name is durable after [`Disk::sync_dir`] of its directory; anything else may be lost or torn by a crash.
#![allow(clippy::disallowed_methods, reason = "this is the door to the disk")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A disk that many threads share.
pub type SharedDisk = Arc<dyn Disk>;

/// What went wrong, on which file.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}: {source}")]
pub struct DiskError {
    /// `read`, `append to`, ...
    pub action: &'static str,
    /// Path relative to the data directory.
    pub path: String,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Whether there is no such file or directory.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk or quota is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Result of a disk call.
pub type DiskResult<T> = Result<T, DiskError>;

/// A directory tree.
pub trait Disk: Send + Sync + 'static {
    /// Opens `path` for appending, creating it empty when it does not exist.
    ///
    /// # Errors
    /// What the operating system says.
    fn append(&self, path: &str) -> DiskResult<Box<dyn DiskFile>>;
    /// Opens an existing file for reading.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, path: &str) -> DiskResult<Arc<dyn DiskFile>>;
    /// Creates a directory and its parents.
    ///
    /// # Errors
    /// What the operating system says.
    fn create_dir(&self, path: &str) -> DiskResult<()>;
    /// Makes the names in directory `path` durable.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self, path: &str) -> DiskResult<()>;
    /// Names in directory `path`, sorted; a directory's ends in `/`. Empty when it does not exist.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, path: &str) -> DiskResult<Vec<String>>;
    /// Renames a file or directory within the tree, replacing a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &str, to: &str) -> DiskResult<()>;
    /// Removes a file, or a directory with all in it; no error when it does not exist.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &str) -> DiskResult<()>;
    /// Bytes that can still be written.
    ///
    /// # Errors
    /// What the operating system says.
    fn free_bytes(&self) -> DiskResult<u64>;

    /// Gives the file `from` a second name `to`, or copies it where the file system cannot: for files that never change.
    ///
    /// # Errors
    /// What the operating system says.
    fn link(&self, from: &str, to: &str) -> DiskResult<()> {
        let source = self.open(from)?;
        copy(&*source, &mut *self.append(to)?)
    }

    /// A whole file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&self, path: &str) -> DiskResult<Vec<u8>> {
        let file = self.open(path)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
        file.read_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Replaces `path` by `bytes`: after a crash it holds the old content or the new one, never a mix.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_atomic(&self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        let temporary = format!("{path}.tmp");
        self.remove(&temporary)?;
        let mut file = self.append(&temporary)?;
        file.append(bytes)?;
        file.sync()?;
        drop(file);
        self.rename(&temporary, path)?;
        self.sync_dir(path.rsplit_once('/').map_or("", |(dir, _)| dir))
    }
}

/// Bytes copied at once.
const COPY_BYTES: u64 = 1 << 20;

fn copy(from: &dyn DiskFile, to: &mut dyn DiskFile) -> DiskResult<()> {
    let len = from.len()?;
    let mut at = 0;
    while at < len {
        let mut bytes = vec![0; usize::try_from(COPY_BYTES.min(len - at)).unwrap_or(usize::MAX)];
        from.read_at(at, &mut bytes)?;
        to.append(&bytes)?;
        at += bytes.len() as u64;
    }
    to.sync()
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// What the operating system says; then a prefix may have been written.
    fn append(&mut self, bytes: &[u8]) -> DiskResult<()>;
    /// Makes what was appended durable (fdatasync).
    ///
    /// # Errors
    /// What the operating system says; the bytes must then be taken for lost.
    fn sync(&mut self) -> DiskResult<()>;
    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&mut self, len: u64) -> DiskResult<()>;
    /// Fills `into` from byte `at`.
    ///
    /// # Errors
    /// Also when the file ends before `into` is full.
    fn read_at(&self, at: u64, into: &mut [u8]) -> DiskResult<()>;
    /// Length in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> DiskResult<u64>;
    /// Whether it has no bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn is_empty(&self) -> DiskResult<bool> {
        Ok(self.len()? == 0)
    }
}

/// A directory of the machine, held by an exclusive lock as long as this value lives.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    _lock: File,
}

impl RealDisk {
    /// Creates `root` if need be and locks it.
    ///
    /// # Errors
    /// When the directory cannot be made or written, or another process holds the lock (`WouldBlock`).
    pub fn open(root: &Path) -> DiskResult<Self> {
        let fail = |action| move |source| DiskError { action, path: root.display().to_string(), source };
        fs::create_dir_all(root).map_err(fail("create"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("LOCK"))
            .map_err(fail("write to"))?;
        lock.try_lock().map_err(|error| fail("lock")(error.into()))?;
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    fn at(&self, path: &str) -> PathBuf {
        debug_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
        self.root.join(path)
    }
}

fn fail<'a>(action: &'static str, path: &'a str) -> impl FnOnce(io::Error) -> DiskError + 'a {
    move |source| DiskError { action, path: path.to_owned(), source }
}

impl Disk for RealDisk {
    fn append(&self, path: &str) -> DiskResult<Box<dyn DiskFile>> {
        let options = OpenOptions::new().create(true).append(true).read(true).open(self.at(path));
        Ok(Box::new(RealFile { file: options.map_err(fail("open", path))?, path: path.to_owned() }))
    }

    fn open(&self, path: &str) -> DiskResult<Arc<dyn DiskFile>> {
        let file = File::open(self.at(path)).map_err(fail("open", path))?;
        Ok(Arc::new(RealFile { file, path: path.to_owned() }))
    }

    fn create_dir(&self, path: &str) -> DiskResult<()> {
        fs::create_dir_all(self.at(path)).map_err(fail("create", path))
    }

    fn sync_dir(&self, path: &str) -> DiskResult<()> {
        let dir = File::open(self.at(path)).map_err(fail("open", path))?;
        dir.sync_all().map_err(fail("sync", path))
    }

    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        let entries = match fs::read_dir(self.at(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fail("list", path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(fail("list", path))?;
            let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
            names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> DiskResult<()> {
        fs::rename(self.at(from), self.at(to)).map_err(fail("rename", from))
    }

    fn remove(&self, path: &str) -> DiskResult<()> {
        let full = self.at(path);
        let result = if full.is_dir() { fs::remove_dir_all(&full) } else { fs::remove_file(&full) };
        match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail("remove", path)(error)),
            _ => Ok(()),
        }
    }

    fn link(&self, from: &str, to: &str) -> DiskResult<()> {
        if fs::hard_link(self.at(from), self.at(to)).is_ok() {
            return Ok(());
        }
        let source = self.open(from)?;
        copy(&*source, &mut *self.append(to)?)
    }

    fn free_bytes(&self) -> DiskResult<u64> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|error| fail("stat", "")(error.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Largest file that [`read_file`] reads, in bytes.
pub const OUTSIDE_FILE_BYTES_MAX: u64 = 64 << 20;

/// A file outside the data directory: configuration, certificates, tokens.
///
/// # Errors
/// What the operating system says, or that the file is too large.
pub fn read_file(path: &Path) -> DiskResult<Vec<u8>> {
    let name = path.display().to_string();
    let len = fs::metadata(path).map_err(fail("read", &name))?.len();
    if len > OUTSIDE_FILE_BYTES_MAX {
        let message = format!("{len} bytes, at most {OUTSIDE_FILE_BYTES_MAX} are read");
        return Err(fail("read", &name)(io::Error::other(message)));
    }
    fs::read(path).map_err(fail("read", &name))
}

struct RealFile {
    file: File,
    path: String,
}

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> DiskResult<()> {
        self.file.write_all(bytes).map_err(fail("append to", &self.path))
    }

    fn sync(&mut self) -> DiskResult<()> {
        self.file.sync_data().map_err(fail("sync", &self.path))
    }

    fn truncate(&mut self, len: u64) -> DiskResult<()> {
        self.file.set_len(len).map_err(fail("truncate", &self.path))
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> DiskResult<()> {
        self.file.read_exact_at(into, at).map_err(fail("read", &self.path))
    }

    fn len(&self) -> DiskResult<u64> {
        Ok(self.file.metadata().map_err(fail("stat", &self.path))?.len())
    }
}
