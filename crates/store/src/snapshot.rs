//! A snapshot: a directory under `snapshots/` that is itself a data directory. Parts are immutable, so they are linked
//! where the file system can, copied where it cannot. To restore, start with that directory (or a copy of it).

use crate::catalogue::Desk;
use crate::error::StoreError;
use crate::object::create_dir_durable;
use crate::wal::WAL_DIR;

/// Where snapshots stand in the data directory.
pub(crate) const SNAPSHOT_DIR: &str = "snapshots";
/// Longest snapshot name, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// Links every part that the manifest names, then writes the manifest. Returns the directory.
pub(crate) fn take(desk: &Desk, name: &str) -> Result<String, StoreError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(StoreError::Invalid(format!(
            "snapshot name {name:?} is not valid: use 1 to {NAME_BYTES_MAX} of a-z A-Z 0-9 - _ . and no leading dot"
        )));
    }
    let root = format!("{SNAPSHOT_DIR}/{name}");
    if !desk.disk().list(&root)?.is_empty() {
        return Err(StoreError::Invalid(format!("snapshot {name:?} exists already: choose another name")));
    }
    let result = fill(desk, &root);
    if result.is_err() {
        // Half a snapshot must not look like one; what cannot be removed has no manifest.
        let _ = desk.disk().remove(&root);
    }
    result.map(|()| root)
}

fn fill(desk: &Desk, root: &str) -> Result<(), StoreError> {
    let mut manifest = desk.snapshot();
    let target = desk.disk();
    create_dir_durable(target, &format!("{root}/{WAL_DIR}"))?;
    for info in manifest.parts.values() {
        let path = info.path();
        let to = format!("{root}/{path}");
        let dir = to.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        create_dir_durable(target, &dir)?;
        target.link(&path, &to)?;
        target.sync_dir(&dir)?;
    }
    manifest.wal_floor = 0;
    target.write_atomic(&format!("{root}/{}", crate::catalogue::MANIFEST_PATH), &manifest.encode())?;
    Ok(())
}
