//! The one place that edits the manifest, hands out part ids and sets damaged files aside.

use super::manifest::{MANIFEST_PATH, Manifest};
use super::quarantine::{Missing, QUARANTINE_DIR, Quarantine};
use crate::error::StoreError;
use crate::object::{SharedObjects, TEMPORARY_SUFFIX};
use crate::part::{IndexCache, Part, PartInfo};
use crate::signal::SignalKind;
use model::Tenant;
use model::scan::Completeness;
use platform::SharedDisk;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files of the data directory, and what is known about them.
pub struct Desk {
    directory: SharedDisk,
    objects: SharedObjects,
    cache: Arc<IndexCache>,
    manifest: Mutex<Manifest>,
    quarantine: Quarantine,
    next_id: AtomicU64,
}

impl Desk {
    /// Reads the manifest and the quarantine's notes. A damaged manifest is set aside and rebuilt from the parts'
    /// footers: replaced parts that a crash left behind then come back, which is harmless because scans remove
    /// duplicates.
    ///
    /// # Errors
    /// Disk errors and newer versions.
    pub fn open(
        disk: &SharedDisk,
        objects: &SharedObjects,
        index_bytes_max: usize,
    ) -> Result<Self, StoreError> {
        let quarantine = Quarantine::load(disk)?;
        let (manifest, rebuilt) = match Manifest::load(disk) {
            Ok(found) => (found.unwrap_or_default(), false),
            Err(StoreError::Invalid(reason)) => {
                tracing::error!(reason, "rebuilding the manifest from the parts' footers");
                (rebuild(objects)?, true)
            }
            Err(error) => return Err(error),
        };
        let next_id = AtomicU64::new(manifest.next_id.max(1));
        let cache = Arc::new(IndexCache::new(index_bytes_max));
        let this = Self {
            directory: disk.clone(),
            objects: objects.clone(),
            cache,
            manifest: Mutex::new(manifest),
            quarantine,
            next_id,
        };
        if rebuilt {
            this.edit(|_| {})?;
        } else {
            this.remove_orphans()?;
        }
        Ok(this)
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part's id.
    #[must_use]
    pub fn next_id(&self) -> &AtomicU64 {
        &self.next_id
    }

    /// Where parts live.
    #[must_use]
    pub fn objects(&self) -> &SharedObjects {
        &self.objects
    }

    /// The data directory.
    #[must_use]
    pub fn disk(&self) -> &SharedDisk {
        &self.directory
    }

    /// Bytes of decoded part indexes in memory.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// The manifest as it stands.
    #[must_use]
    pub fn snapshot(&self) -> Manifest {
        self.manifest().clone()
    }

    /// A handle on a part that the manifest names.
    #[must_use]
    pub fn part(&self, info: PartInfo) -> Arc<Part> {
        Arc::new(Part::new(info, self.objects.clone(), self.cache.clone()))
    }

    /// Changes the manifest durably, or not at all.
    ///
    /// # Errors
    /// When the disk says no; the manifest is then as before.
    pub fn edit(&self, change: impl FnOnce(&mut Manifest)) -> Result<(), StoreError> {
        let mut manifest = self.manifest();
        let mut next = manifest.clone();
        change(&mut next);
        next.next_id = self.next_id.load(Ordering::SeqCst);
        self.directory.write_atomic(MANIFEST_PATH, &next.encode())?;
        *manifest = next;
        Ok(())
    }

    /// What answers over the range miss.
    #[must_use]
    pub fn missing(&self, tenant: &Tenant, kind: SignalKind, min_ms: i64, max_ms: i64) -> Completeness {
        Completeness { missing: self.quarantine.sentences(tenant, kind, min_ms, max_ms) }
    }

    /// Everything in quarantine.
    #[must_use]
    pub fn quarantined(&self) -> Vec<Missing> {
        self.quarantine.all()
    }

    /// Sets a part aside: its note is written, its file moved, the manifest forgets it. Whatever the disk refuses of
    /// this is logged; the part is out of answers and named in them either way.
    pub fn quarantine(&self, info: &PartInfo, reason: &str) {
        let sentence = format!(
            "{} {} of {} between {} and {} ms are missing: {} is damaged ({reason}); it is kept in {QUARANTINE_DIR}/",
            info.rows,
            unit(info.kind),
            info.tenant,
            info.min_ms,
            info.max_ms,
            info.file_name(),
        );
        tracing::error!(sentence, "part quarantined");
        let missing = Missing {
            tenant: Some(info.tenant.clone()),
            kind: Some(info.kind),
            min_ms: info.min_ms,
            max_ms: info.max_ms,
            sentence,
        };
        let name = info.file_name();
        let noted = self.quarantine.add(&self.directory, &name, missing);
        let moved = self.objects.rename(&info.path(), &format!("{QUARANTINE_DIR}/{name}"));
        let edited = self.edit(|manifest| drop(manifest.parts.remove(&info.id)));
        for error in [noted.err(), moved.err().filter(|error| !error.is_missing())].into_iter().flatten() {
            tracing::error!(%error, "quarantine");
        }
        if let Err(error) = edited {
            tracing::error!(%error, "quarantine");
        }
    }

    /// Sets damaged WAL bytes aside.
    pub(crate) fn quarantine_wal(&self, name: &str, bytes: &[u8], sentence: String) {
        tracing::error!(sentence, "WAL bytes quarantined");
        let missing = Missing { tenant: None, kind: None, min_ms: i64::MIN, max_ms: i64::MAX, sentence };
        let noted = self.quarantine.add(&self.directory, name, missing);
        let kept = self.directory.write_atomic(&format!("{QUARANTINE_DIR}/{name}"), bytes);
        for error in [noted.err(), kept.err()].into_iter().flatten() {
            tracing::error!(%error, "quarantine");
        }
    }

    /// Deletes part files that the manifest does not name: a crash stood between writing and naming them, or between
    /// replacing and deleting them.
    fn remove_orphans(&self) -> Result<(), StoreError> {
        let known: BTreeSet<String> = self.manifest().parts.values().map(PartInfo::path).collect();
        let mut removed = 0;
        for path in part_files(&self.objects)? {
            if !known.contains(&path) {
                self.objects.delete(&path)?;
                removed += 1;
            }
        }
        if removed > 0 {
            tracing::info!(removed, "part files that an unclean stop left unnamed are gone");
        }
        Ok(())
    }
}

fn unit(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Metrics => "samples",
        SignalKind::Logs => "log records",
        SignalKind::Spans => "spans",
        SignalKind::Changes => "changes",
    }
}

fn part_files(objects: &SharedObjects) -> Result<Vec<String>, StoreError> {
    let mut files = Vec::new();
    for tenant in objects.list("parts")? {
        for day in objects.list(&format!("parts/{}", tenant.trim_end_matches('/')))? {
            let dir = format!("parts/{tenant}{}", day.trim_end_matches('/'));
            files.extend(objects.list(&dir)?.into_iter().map(|name| format!("{dir}/{name}")));
        }
    }
    Ok(files)
}

fn rebuild(objects: &SharedObjects) -> Result<Manifest, StoreError> {
    let mut manifest = Manifest::default();
    for path in part_files(objects)? {
        if path.ends_with(TEMPORARY_SUFFIX) {
            objects.delete(&path)?;
            continue;
        }
        match crate::part::read_info(objects, &path) {
            Ok(info) => {
                manifest.next_id = manifest.next_id.max(info.id + 1);
                manifest.parts.insert(info.id, info);
            }
            Err(reason) => tracing::error!(path, reason, "part left out of the rebuilt manifest"),
        }
    }
    Ok(manifest)
}
