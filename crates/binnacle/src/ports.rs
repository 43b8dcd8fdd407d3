//! What `serve` asks of the rest of the process: change records, scrape targets, the process itself.

use model::{Change, Completeness, ScanError, Tenant};
use serve::ports::{Appended, ChangeLog, Process};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use store::Store;

/// Change records in the store.
pub(crate) struct Changes(pub(crate) Store);

impl ChangeLog for Changes {
    fn append(&self, tenant: &Tenant, change: Change) -> Appended<'_> {
        let stored = self.0.append_change(tenant, change);
        Box::pin(async move { stored.await.map(|_| ()) })
    }

    fn changes(&self, tenant: &Tenant, range_ns: Range<i64>) -> Result<Vec<Change>, ScanError> {
        let (changes, completeness): (_, Completeness) = self.0.changes(tenant, &range_ns)?;
        if !completeness.is_complete() {
            tracing::warn!(missing = ?completeness.missing, "change records are incomplete");
        }
        Ok(changes)
    }
}

/// The process as the status calls show it.
pub(crate) struct Facts {
    pub(crate) started_ns: i64,
    pub(crate) flags: BTreeMap<String, String>,
    pub(crate) retention: String,
    pub(crate) data_dir: String,
    pub(crate) ready: AtomicBool,
    pub(crate) reloaded: Mutex<(bool, i64)>,
    pub(crate) config_yaml: Mutex<String>,
}

impl Process for Facts {
    fn ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::Acquire) { Ok(()) } else { Err("the doors are not open yet".to_owned()) }
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn revision(&self) -> String {
        option_env!("BINNACLE_REVISION").unwrap_or_default().to_owned()
    }

    fn started_ns(&self) -> i64 {
        self.started_ns
    }

    fn config_yaml(&self) -> String {
        self.config_yaml.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_reload(&self) -> (bool, i64) {
        *self.reloaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flags(&self) -> BTreeMap<String, String> {
        self.flags.clone()
    }

    fn retention(&self) -> String {
        self.retention.clone()
    }

    fn data_dir(&self) -> String {
        self.data_dir.clone()
    }
}
