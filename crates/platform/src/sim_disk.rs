//! A disk in memory that breaks what [`Disk`] allows to break: a crash drops bytes and names that were not synced and
//! may tear the last append; capacity runs out; syncs fail. The same seed breaks the same things.
//!
//! Names and contents are durable apart, as on a real file system: a file survives a crash with the bytes of its last
//! sync, under the name its directory had at that directory's last sync.

use crate::disk::{Disk, DiskError, DiskFile, DiskResult};
use crate::random::{Random, SeededRandom};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A simulated disk; clones share it, so that a test can keep a handle and crash it under the store.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    random: Arc<SeededRandom>,
}

#[derive(Debug)]
struct State {
    /// What a running process sees: path to file number.
    names: BTreeMap<String, u64>,
    /// What is left after a crash.
    durable_names: BTreeMap<String, u64>,
    dirs: BTreeSet<String>,
    durable_dirs: BTreeSet<String>,
    files: BTreeMap<u64, Contents>,
    next_file: u64,
    capacity: u64,
    /// Calls until a sync fails; `None` never.
    sync_fails_in: Option<u64>,
    /// Operations until every call fails, as a machine that lost power; `None` never.
    power_fails_in: Option<u64>,
    tears: bool,
    epoch: u64,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

fn error<T>(action: &'static str, path: &str, kind: io::ErrorKind) -> DiskResult<T> {
    Err(DiskError { action, path: path.to_owned(), source: kind.into() })
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl SimDisk {
    /// An empty disk without limits; `seed` decides how a crash tears writes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            dirs: BTreeSet::new(),
            durable_dirs: BTreeSet::new(),
            files: BTreeMap::new(),
            next_file: 0,
            capacity: u64::MAX,
            sync_fails_in: None,
            power_fails_in: None,
            tears: false,
            epoch: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), random: Arc::new(SeededRandom::new(seed)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All files together may hold `bytes`.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// The `calls`-th sync of a file from now on fails once (1: the next).
    pub fn fail_sync_in(&self, calls: u64) {
        self.state().sync_fails_in = Some(calls);
    }

    /// After `calls` more changing calls every call fails until [`crash`](Self::crash): power is gone in the middle.
    pub fn fail_power_in(&self, calls: u64) {
        self.state().power_fails_in = Some(calls);
    }

    /// Lets crashes keep a random prefix of each file's unsynced bytes, instead of none.
    pub fn set_tears(&self, tears: bool) {
        self.state().tears = tears;
    }

    /// Power fails and returns: what was not synced is gone (or torn), handles from before are dead.
    pub fn crash(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.power_fails_in = None;
        state.sync_fails_in = None;
        let tears = state.tears;
        for contents in state.files.values_mut() {
            let mut survived = contents.synced.clone();
            if tears && contents.bytes.starts_with(&contents.synced) {
                let unsynced = (contents.bytes.len() - survived.len()) as u64;
                let kept = usize::try_from(self.random.below(unsynced + 1)).unwrap_or(0);
                let end = survived.len() + kept;
                survived.extend_from_slice(&contents.bytes[survived.len()..end]);
            }
            *contents = Contents { bytes: survived.clone(), synced: survived };
        }
        let State { names, durable_names, dirs, durable_dirs, .. } = &mut *state;
        durable_names.retain(|path, _| parent(path).is_empty() || durable_dirs.contains(parent(path)));
        dirs.clone_from(durable_dirs);
        names.clone_from(durable_names);
        let live: Vec<u64> = state.names.values().copied().collect();
        state.files.retain(|number, _| live.contains(number));
    }

    /// The process dies and the machine lives on: what was written stays, synced or not, handles from before are dead.
    pub fn kill(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.power_fails_in = None;
        state.sync_fails_in = None;
    }

    /// Flips one bit of `path` at byte `at`, on the platter.
    ///
    /// # Errors
    /// When there is no such byte.
    pub fn damage(&self, path: &str, at: usize) -> DiskResult<()> {
        let mut state = self.state();
        let Some(number) = state.names.get(path).copied() else {
            return error("damage", path, io::ErrorKind::NotFound);
        };
        let contents = state.files.get_mut(&number).filter(|contents| at < contents.bytes.len());
        let Some(contents) = contents else { return error("damage", path, io::ErrorKind::UnexpectedEof) };
        contents.bytes[at] ^= 1;
        if let Some(byte) = contents.synced.get_mut(at) {
            *byte ^= 1;
        }
        Ok(())
    }

    /// Every file and its length.
    #[must_use]
    pub fn files(&self) -> Vec<(String, u64)> {
        let state = self.state();
        let len = |number: &u64| state.files.get(number).map_or(0, |contents| contents.bytes.len() as u64);
        state.names.iter().map(|(path, number)| (path.clone(), len(number))).collect()
    }

    fn file(&self, path: &str, number: u64, epoch: u64) -> SimFile {
        SimFile { disk: self.clone(), path: path.to_owned(), number, epoch }
    }
}

impl State {
    /// Counts a changing call.
    fn power(&mut self, action: &'static str, path: &str) -> DiskResult<()> {
        match &mut self.power_fails_in {
            Some(0) => error(action, path, io::ErrorKind::BrokenPipe),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Bytes under live names; what was removed no longer counts, even while a handle reads it.
    fn used(&self) -> u64 {
        let bytes =
            |number| self.files.get(number).map_or(0, |contents: &Contents| contents.bytes.len() as u64);
        self.names.values().map(bytes).sum()
    }

    fn has_dir(&self, path: &str) -> bool {
        path.is_empty() || self.dirs.contains(path)
    }
}

impl Disk for SimDisk {
    fn append(&self, path: &str) -> DiskResult<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.power("open", path)?;
        if !state.has_dir(parent(path)) {
            return error("open", path, io::ErrorKind::NotFound);
        }
        let number = if let Some(number) = state.names.get(path) {
            *number
        } else {
            let number = state.next_file;
            state.next_file += 1;
            state.names.insert(path.to_owned(), number);
            state.files.insert(number, Contents::default());
            number
        };
        Ok(Box::new(self.file(path, number, state.epoch)))
    }

    fn open(&self, path: &str) -> DiskResult<Arc<dyn DiskFile>> {
        let state = self.state();
        match state.names.get(path) {
            Some(number) => Ok(Arc::new(self.file(path, *number, state.epoch))),
            None => error("open", path, io::ErrorKind::NotFound),
        }
    }

    fn create_dir(&self, path: &str) -> DiskResult<()> {
        let mut state = self.state();
        state.power("create", path)?;
        let mut dir = path;
        while !dir.is_empty() {
            state.dirs.insert(dir.to_owned());
            dir = parent(dir);
        }
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> DiskResult<()> {
        let mut state = self.state();
        state.power("sync", path)?;
        if !state.has_dir(path) {
            return error("sync", path, io::ErrorKind::NotFound);
        }
        let State { names, durable_names, dirs, durable_dirs, .. } = &mut *state;
        durable_names.retain(|name, _| parent(name) != path);
        durable_names
            .extend(names.iter().filter(|(name, _)| parent(name) == path).map(|(n, f)| (n.clone(), *f)));
        durable_dirs.retain(|name| parent(name) != path || dirs.contains(name));
        durable_dirs.extend(dirs.iter().filter(|name| parent(name) == path).cloned());
        Ok(())
    }

    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        let state = self.state();
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let inside = |name: &&String| parent(name) == path;
        let mut names: Vec<String> = state.names.keys().filter(inside).map(|name| last(name)).collect();
        names.extend(state.dirs.iter().filter(inside).map(|name| format!("{}/", last(name))));
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> DiskResult<()> {
        let mut state = self.state();
        state.power("rename", from)?;
        if !state.has_dir(parent(to)) {
            return error("rename", to, io::ErrorKind::NotFound);
        }
        let Some(number) = state.names.remove(from) else {
            return error("rename", from, io::ErrorKind::NotFound);
        };
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, path: &str) -> DiskResult<()> {
        let mut state = self.state();
        state.power("remove", path)?;
        let under = format!("{path}/");
        state.names.retain(|name, _| name != path && !name.starts_with(&under));
        state.dirs.retain(|name| name != path && !name.starts_with(&under));
        Ok(())
    }

    fn free_bytes(&self) -> DiskResult<u64> {
        let state = self.state();
        Ok(state.capacity.saturating_sub(state.used()))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: String,
    number: u64,
    epoch: u64,
}

impl SimFile {
    /// The contents, unless the machine went down since the file was opened.
    fn with<T>(
        &self,
        action: &'static str,
        changes: bool,
        work: impl FnOnce(&mut Contents, u64) -> Result<T, io::ErrorKind>,
    ) -> DiskResult<T> {
        let mut state = self.disk.state();
        if state.epoch != self.epoch {
            return error(action, &self.path, io::ErrorKind::BrokenPipe);
        }
        if changes {
            state.power(action, &self.path)?;
        }
        let free = state.capacity.saturating_sub(state.used());
        let Some(contents) = state.files.get_mut(&self.number) else {
            return error(action, &self.path, io::ErrorKind::NotFound);
        };
        work(contents, free).or_else(|kind| error(action, &self.path, kind))
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> DiskResult<()> {
        self.with("append to", true, |contents, free| {
            let fits = usize::try_from(free).unwrap_or(usize::MAX).min(bytes.len());
            contents.bytes.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull) } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> DiskResult<()> {
        let fails = match &mut self.disk.state().sync_fails_in {
            Some(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            None => false,
        };
        if fails {
            self.disk.state().sync_fails_in = None;
            return error("sync", &self.path, io::ErrorKind::Other);
        }
        self.with("sync", true, |contents, _| {
            contents.synced.clone_from(&contents.bytes);
            Ok(())
        })
    }

    fn truncate(&mut self, len: u64) -> DiskResult<()> {
        self.with("truncate", true, |contents, _| {
            contents.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> DiskResult<()> {
        self.with("read", false, |contents, _| {
            let start = usize::try_from(at).unwrap_or(usize::MAX);
            let found = start.checked_add(into.len()).and_then(|end| contents.bytes.get(start..end));
            into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn len(&self) -> DiskResult<u64> {
        self.with("stat", false, |contents, _| Ok(contents.bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(disk: &SimDisk, path: &str, bytes: &[u8], sync: bool) {
        let mut file = disk.append(path).expect("open");
        file.append(bytes).expect("append");
        if sync {
            file.sync().expect("sync");
        }
    }

    #[test]
    fn a_crash_keeps_synced_bytes_under_synced_names() {
        let disk = SimDisk::new(1);
        disk.create_dir("d").expect("dir");
        disk.sync_dir("").expect("sync");
        write(&disk, "d/a", b"one", true);
        disk.sync_dir("d").expect("sync");
        write(&disk, "d/a", b"two", false);
        write(&disk, "d/b", b"three", true);
        disk.crash();
        assert_eq!(disk.list("d").expect("list"), ["a"]);
        assert_eq!(disk.read("d/a").expect("read"), b"one");
    }

    #[test]
    fn a_rename_without_directory_sync_is_undone() {
        let disk = SimDisk::new(1);
        write(&disk, "a", b"old", true);
        disk.sync_dir("").expect("sync");
        write(&disk, "b", b"new", true);
        disk.rename("b", "a").expect("rename");
        assert_eq!(disk.read("a").expect("read"), b"new");
        disk.crash();
        assert_eq!(disk.read("a").expect("read"), b"old");
        disk.write_atomic("a", b"new").expect("write");
        disk.crash();
        assert_eq!(disk.read("a").expect("read"), b"new");
    }

    #[test]
    fn a_kill_keeps_what_was_written() {
        let disk = SimDisk::new(1);
        let mut file = disk.append("a").expect("open");
        file.append(b"one").expect("append");
        disk.fail_power_in(0);
        assert!(file.append(b"two").is_err());
        disk.kill();
        assert!(file.append(b"three").is_err(), "handles die with the process");
        assert_eq!(disk.read("a").expect("read"), b"one");
        disk.crash();
        assert!(disk.read("a").is_err(), "it was never synced");
    }

    #[test]
    fn capacity_syncs_and_power_run_out() {
        let disk = SimDisk::new(1);
        disk.set_capacity(4);
        let mut file = disk.append("a").expect("open");
        assert!(file.append(b"12345").is_err_and(|error| error.is_full()));
        assert_eq!(file.len().expect("len"), 4);
        disk.fail_sync_in(1);
        assert!(file.sync().is_err());
        assert!(file.sync().is_ok());
        disk.fail_power_in(1);
        assert!(disk.sync_dir("").is_ok());
        assert!(disk.sync_dir("").is_err());
        disk.crash();
        assert!(file.sync().is_err(), "handles die with the machine");
        assert_eq!(disk.read("a").expect("read").len(), 4);
    }
}
