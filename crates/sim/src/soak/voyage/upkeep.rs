//! Steps of a run that the data directory's keeper takes: background work, which may apply retention, and snapshots.

use super::{Tenants, Voyage, compare};
use crate::soak::answers::Question;
use crate::soak::ledger::{Ledger, Record};
use crate::soak::retention::Parts;
use platform::{Clock, Disk};
use store::{Store, StoreError};

/// Background steps within which a healthy store has nothing more to do.
const IDLE_STEPS_MAX: usize = 1_000;

/// A snapshot and what was acknowledged when it was taken.
pub(super) struct Snapshot {
    root: String,
    tenants: Tenants,
    range_ms: (i64, i64),
    /// Whether the store said that it is there.
    whole: bool,
}

/// What is there: by tenant, and the files of parts.
struct Inventory {
    records: [Vec<Record>; 2],
    parts: Parts,
}

impl Inventory {
    fn all(&self) -> Vec<&Record> {
        self.records.iter().flatten().collect()
    }
}

impl Voyage {
    /// One step of maintenance; whether there was something to do.
    pub(super) fn maintain(&mut self) -> Result<bool, String> {
        self.tidy("maintenance", false, Store::maintain).map(|done| done == Some(true))
    }

    /// Merges all there is.
    pub(super) fn compact(&mut self) -> Result<(), String> {
        self.flush()?;
        self.tidy("compaction", false, Store::compact).map(drop)
    }

    /// Works until there is nothing to do. On a healthy machine all that must go by then is gone.
    pub(super) fn retire(&mut self) -> Result<(), String> {
        self.flush()?;
        let healthy = self.trouble.is_none();
        let mut steps = 0;
        while self.tidy("maintenance", healthy, Store::maintain)? == Some(true) {
            steps += 1;
            if steps > IDLE_STEPS_MAX {
                return Err("maintenance never ends".into());
            }
        }
        if !healthy {
            return Ok(());
        }
        let left = self.inventory()?;
        self.machine.retention.judge_kept(self.machine.clock.now_ms(), &left.all(), &left.parts)
    }

    fn inventory(&self) -> Result<Inventory, String> {
        let (pipeline, range_ms) = (&self.process.pipeline, self.load.range_ms);
        let mut records = [Vec::new(), Vec::new()];
        if range_ms.0 <= range_ms.1 {
            for ((tenant, _), records) in self.tenants.iter().zip(&mut records) {
                *records = Question { pipeline, tenant, range_ms }.records()?;
                records.sort_unstable();
            }
        }
        Ok(Inventory { records, parts: self.machine.parts() })
    }

    /// Background work that may drop records; what it drops is judged and leaves the ledgers. `flushed` says that
    /// everything is in parts, so that the order of dropping can be judged too.
    fn tidy<T>(
        &mut self,
        what: &str,
        flushed: bool,
        work: fn(&Store) -> Result<T, StoreError>,
    ) -> Result<Option<T>, String> {
        let (retention, now_ms) = (self.machine.retention, self.machine.clock.now_ms());
        let ledgers: Vec<&Ledger> = self.tenants.iter().map(|(_, ledger)| ledger).collect();
        if !retention.may_drop(now_ms, &ledgers) {
            return self.work(what, work);
        }
        let before = self.inventory()?;
        let done = self.work(what, work)?;
        if done.is_none() {
            for (_, ledger) in &mut self.tenants {
                ledger.doubt_where(|record| retention.lets_go(now_ms, record));
            }
            return Ok(done);
        }
        let after = self.inventory()?;
        let mut dropped = Vec::new();
        for (at, (_, ledger)) in self.tenants.iter_mut().enumerate() {
            let gone =
                before.records[at].iter().filter(|record| after.records[at].binary_search(record).is_err());
            let gone: Vec<&Record> = gone.collect();
            ledger.drop_records(gone.iter().copied());
            dropped.extend(gone);
        }
        self.summary.dropped += dropped.len() as u64;
        let kept = if flushed { after.all() } else { Vec::new() };
        retention.judge_dropped(now_ms, (&dropped, &kept), (&before.parts, &after.parts))?;
        Ok(done)
    }

    /// Restores the latest snapshot, or takes one.
    pub(super) fn snapshot(&mut self) -> Result<(), String> {
        if self.snapshot.is_some() {
            return self.restore();
        }
        let name = format!("soak-{}", self.snapshots);
        self.snapshots += 1;
        let taken = self.process.pipeline.store.snapshot(&name);
        if let (Err(error), true) = (&taken, self.trouble.is_none()) {
            return Err(format!("a snapshot fails without a cause: {error}"));
        }
        self.snapshot = Some(Snapshot {
            root: format!("snapshots/{name}"),
            tenants: self.tenants.clone(),
            range_ms: self.load.range_ms,
            whole: taken.is_ok(),
        });
        Ok(())
    }

    /// A server that starts with the latest snapshot answers what was acknowledged when it was taken. One that failed
    /// is not there, or just as whole.
    pub(super) fn restore(&mut self) -> Result<(), String> {
        let Some(Snapshot { root, tenants, range_ms, whole }) = self.snapshot.take() else { return Ok(()) };
        let machine = self.machine.restore(&root)?;
        // Where the disk cannot remove it now it stays and harms nobody: names are used once.
        let _ = self.machine.disk.remove(&root);
        let Some(machine) = machine else {
            return if whole { Err(format!("{root} is gone")) } else { Ok(()) };
        };
        let process = machine.start().map_err(|error| format!("{root} does not open: {error}"))?;
        self.summary.restored += 1;
        if range_ms.0 > range_ms.1 {
            return Ok(());
        }
        compare(&process.pipeline, &tenants, range_ms, &self.random)
            .map_err(|error| format!("{root}: {error}"))
    }
}
