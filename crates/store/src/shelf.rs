//! What the store has of one signal, tenant by tenant: the memory part that takes writes, frozen ones that wait to be
//! sealed, and the parts. A scan takes all three in one view, so that it sees each record in exactly one of them.
//!
//! The lock is held to clone or swap lists of `Arc`s, never while anything is read, encoded or written.

use crate::catalogue::Desk;
use crate::error::PartError;
use crate::part::{Part, PartInfo};
use crate::signal::{Memory, Signal};
use model::Tenant;
use model::scan::{Completeness, ScanError};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One tenant's records of one signal.
struct Shelf<S: Signal> {
    active: Arc<S::Memory>,
    frozen: Vec<Arc<S::Memory>>,
    parts: Vec<Arc<Part>>,
}

impl<S: Signal> Default for Shelf<S> {
    fn default() -> Self {
        Self { active: Arc::default(), frozen: Vec::new(), parts: Vec::new() }
    }
}

/// All tenants' records of one signal.
pub struct Shelves<S: Signal> {
    tenants: RwLock<HashMap<Tenant, Shelf<S>>>,
}

impl<S: Signal> Default for Shelves<S> {
    fn default() -> Self {
        Self { tenants: RwLock::default() }
    }
}

/// What a scan reads, oldest first.
pub struct View<S: Signal> {
    /// Parts that overlap the range, by ascending id.
    pub parts: Vec<Arc<Part>>,
    /// Memory parts, frozen ones first. Each may also hold records outside the range.
    pub memories: Vec<Arc<S::Memory>>,
    /// What is known to be missing before anything is read.
    pub completeness: Completeness,
}

impl<S: Signal> Shelves<S> {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Tenant, Shelf<S>>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Tenant, Shelf<S>>> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory part that takes `tenant`'s writes.
    pub(crate) fn active(&self, tenant: &Tenant) -> Arc<S::Memory> {
        if let Some(shelf) = self.read().get(tenant) {
            return shelf.active.clone();
        }
        self.write().entry(tenant.clone()).or_default().active.clone()
    }

    /// Swaps every non-empty memory part for its successor. Only the committer calls this, between two groups.
    pub(crate) fn freeze(&self) {
        for shelf in self.write().values_mut() {
            if shelf.active.range_ms().is_some() {
                let next = Arc::new(shelf.active.next());
                shelf.frozen.push(std::mem::replace(&mut shelf.active, next));
            }
        }
    }

    /// Frozen memory parts, oldest first per tenant, tenants in name order.
    pub(crate) fn frozen(&self) -> Vec<(Tenant, Arc<S::Memory>)> {
        let tenants = self.read();
        let mut all: Vec<_> = tenants
            .iter()
            .flat_map(|(tenant, shelf)| shelf.frozen.iter().map(|memory| (tenant.clone(), memory.clone())))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Replaces frozen memory parts by the parts they became, in one step.
    pub(crate) fn sealed(&self, memories: &[(Tenant, Arc<S::Memory>)], parts: Vec<Arc<Part>>) {
        let mut tenants = self.write();
        for (tenant, memory) in memories {
            if let Some(shelf) = tenants.get_mut(tenant) {
                shelf.frozen.retain(|frozen| !Arc::ptr_eq(frozen, memory));
            }
        }
        Self::insert(&mut tenants, parts);
    }

    fn insert(tenants: &mut HashMap<Tenant, Shelf<S>>, parts: Vec<Arc<Part>>) {
        for part in parts {
            let shelf = tenants.entry(part.info().tenant.clone()).or_default();
            let at = shelf.parts.partition_point(|other| other.info().id < part.info().id);
            shelf.parts.insert(at, part);
        }
    }

    /// Takes parts away and puts others in their place, in one step. Returns those taken away.
    pub(crate) fn replace(&self, tenant: &Tenant, old: &[u64], new: Vec<Arc<Part>>) -> Vec<Arc<Part>> {
        let mut tenants = self.write();
        let mut removed = Vec::new();
        if let Some(shelf) = tenants.get_mut(tenant) {
            let (gone, kept) =
                std::mem::take(&mut shelf.parts).into_iter().partition(|part| old.contains(&part.info().id));
            shelf.parts = kept;
            removed = gone;
        }
        Self::insert(&mut tenants, new);
        removed
    }

    /// Every part, by tenant and id.
    pub(crate) fn parts(&self) -> Vec<Arc<Part>> {
        let mut parts: Vec<_> = self.read().values().flat_map(|shelf| shelf.parts.iter().cloned()).collect();
        parts.sort_by(|a, b| (&a.info().tenant, a.info().id).cmp(&(&b.info().tenant, b.info().id)));
        parts
    }

    /// Bytes in memory parts: those that take writes, and those that wait to be sealed.
    pub(crate) fn memory_bytes(&self) -> (usize, usize) {
        let tenants = self.read();
        let active = tenants.values().map(|shelf| shelf.active.bytes()).sum();
        let frozen = tenants.values().flat_map(|shelf| &shelf.frozen).map(|memory| memory.bytes()).sum();
        (active, frozen)
    }
}

/// Reads one signal: what implements its `model::scan` port.
pub struct Source<S: Signal> {
    shelves: Arc<Shelves<S>>,
    desk: Arc<Desk>,
}

impl<S: Signal> Source<S> {
    pub(crate) fn new(shelves: Arc<Shelves<S>>, desk: Arc<Desk>) -> Self {
        Self { shelves, desk }
    }

    /// What `tenant` has between `min_ms` and `max_ms`, both inclusive; also what is known to be missing there.
    #[must_use]
    pub fn view(&self, tenant: &Tenant, min_ms: i64, max_ms: i64) -> View<S> {
        let mut view =
            View { parts: Vec::new(), memories: Vec::new(), completeness: Completeness::default() };
        if let Some(shelf) = self.shelves.read().get(tenant) {
            let parts = shelf.parts.iter().filter(|part| part.info().overlaps(min_ms, max_ms));
            view.parts = parts.cloned().collect();
            let memories = shelf.frozen.iter().chain(std::iter::once(&shelf.active));
            view.memories = memories.cloned().collect();
        }
        view.completeness = self.desk.missing(tenant, S::KIND, min_ms, max_ms);
        view
    }

    /// Deals with a part that could not be read: damage is quarantined, named in `completeness`, and the scan goes on
    /// with the other parts.
    ///
    /// # Errors
    /// When it was the disk that failed: then nothing is known about the data and the scan must stop.
    pub fn absorb(&self, error: PartError, completeness: &mut Completeness) -> Result<(), ScanError> {
        let PartError::Damaged { part, reason } = error else {
            return Err(ScanError::Storage(error.to_string()));
        };
        let found = self.shelves.parts().into_iter().find(|other| other.info().id == part);
        if let Some(found) = found {
            let info: &PartInfo = found.info();
            self.desk.quarantine(info, &reason);
            self.shelves.replace(&info.tenant, &[part], Vec::new());
            completeness.merge(self.desk.missing(&info.tenant, S::KIND, info.min_ms, info.max_ms));
        } else {
            // Another scan was first to set it aside, after this one took its view.
            completeness
                .merge(Completeness { missing: vec![format!("part {part:016x} is damaged: {reason}")] });
        }
        Ok(())
    }
}
