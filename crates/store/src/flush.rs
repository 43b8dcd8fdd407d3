//! Memory to parts: freeze, seal, name the parts in the manifest, drop the WAL below. A failure at any point leaves the
//! frozen memory parts and the WAL as they were, and the next flush tries again.

use crate::catalogue::Desk;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::part::{PartInfo, PartSink};
use crate::shelf::Shelves;
use crate::signal::Signal;
use crate::wal::{WAL_DIR, segment_path, segments};
use model::Tenant;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A signal's memory parts that became parts which no view shows yet.
type Sealed<S> = (Vec<(Tenant, Arc<<S as Signal>::Memory>)>, Vec<PartInfo>);

/// Seals everything frozen; `floor` is the first WAL segment with records that are not frozen.
pub(crate) fn seal_frozen(engine: &Engine, floor: u64) -> Result<(), StoreError> {
    let mut written = Vec::new();
    let result = seal_all(engine, floor, &mut written);
    if result.is_err() {
        engine.gauges.flush_failures.inc();
        for info in &written {
            // What cannot be deleted now goes at the next start: the manifest does not name it.
            let _ = engine.desk.objects().delete(&info.path());
        }
        return result;
    }
    let below = drop_segments(&engine.desk, floor);
    engine.gauges.flushes.inc();
    engine.gauges.wal_unflushed_bytes.add(-engine.frozen_wal_bytes.swap(0, Ordering::Relaxed));
    engine.flushed_at_ns.store(engine.now_ns(), Ordering::Relaxed);
    engine.measure();
    engine.flushed.notify_waiters();
    below
}

fn seal_all(engine: &Engine, floor: u64, written: &mut Vec<PartInfo>) -> Result<(), StoreError> {
    let metrics = seal(engine, &engine.metrics, written)?;
    let logs = seal(engine, &engine.logs, written)?;
    let spans = seal(engine, &engine.spans, written)?;
    let changes = seal(engine, &engine.changes, written)?;
    engine.desk.edit(|manifest| {
        manifest.wal_floor = floor;
        manifest.parts.extend(written.iter().map(|info| (info.id, info.clone())));
    })?;
    show(engine, &engine.metrics, metrics);
    show(engine, &engine.logs, logs);
    show(engine, &engine.spans, spans);
    show(engine, &engine.changes, changes);
    Ok(())
}

fn seal<S: Signal>(
    engine: &Engine,
    shelves: &Shelves<S>,
    written: &mut Vec<PartInfo>,
) -> Result<Sealed<S>, StoreError> {
    let memories = shelves.frozen();
    let mut parts = Vec::new();
    for (tenant, memory) in &memories {
        let desk = &engine.desk;
        let mut sink = PartSink::new(&**desk.objects(), tenant.clone(), S::KIND, desk.next_id(), false);
        let sealed = S::seal(memory, &mut sink);
        let infos = sink.into_parts();
        written.extend(infos.iter().cloned());
        sealed?;
        parts.extend(infos);
    }
    Ok((memories, parts))
}

fn show<S: Signal>(engine: &Engine, shelves: &Shelves<S>, (memories, parts): Sealed<S>) {
    let parts = parts.into_iter().map(|info| engine.desk.part(info)).collect();
    shelves.sealed(&memories, parts);
}

/// Removes the segments below `floor`.
pub(crate) fn drop_segments(desk: &Desk, floor: u64) -> Result<(), StoreError> {
    let mut removed = false;
    for number in segments(desk.disk())?.into_iter().filter(|number| *number < floor) {
        desk.disk().remove(&segment_path(number))?;
        removed = true;
    }
    if removed {
        desk.disk().sync_dir(WAL_DIR)?;
    }
    Ok(())
}
