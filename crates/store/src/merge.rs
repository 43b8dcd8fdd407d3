//! Size-tiered merging: parts of one tenant, signal and day that are about as large become one.
//!
//! The replaced files go when their last reader is done. A damaged input is quarantined and the rest is merged.

use crate::engine::Engine;
use crate::error::{PartError, StoreError};
use crate::part::{DAY_MS, Part, PartSink};
use crate::shelf::Shelves;
use crate::signal::Signal;
use model::Tenant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parts of one size that are worth a merge.
pub(crate) const TIER_PARTS_MIN: usize = 4;
/// Most parts that one merge reads.
pub(crate) const MERGE_PARTS_MAX: usize = 32;
/// Parts up to this size, in bytes, are all in the lowest tier.
const LOWEST_TIER_BYTES: u64 = 1 << 20;
/// A day is finished this long after its end, in milliseconds: then its parts are merged whatever their sizes.
const DAY_GRACE_MS: i64 = 3_600_000;

/// Does one merge of `S`, if one is worth it.
pub(crate) fn merge_one<S: Signal>(
    engine: &Engine,
    shelves: &Shelves<S>,
    all: bool,
) -> Result<bool, StoreError> {
    let mut days: BTreeMap<(Tenant, i64), Vec<Arc<Part>>> = BTreeMap::new();
    for part in shelves.parts() {
        days.entry((part.info().tenant.clone(), part.info().day)).or_default().push(part);
    }
    let now_ms = engine.clock.now_ms();
    for ((tenant, day), parts) in days {
        let finished = day.saturating_add(1).saturating_mul(DAY_MS).saturating_add(DAY_GRACE_MS) < now_ms;
        let chosen = choose(parts, engine.options.part_bytes_max, finished || all);
        if chosen.len() > 1 {
            replace(engine, shelves, &tenant, &chosen)?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn tier(bytes: u64) -> u32 {
    (bytes / LOWEST_TIER_BYTES).checked_ilog(4).map_or(0, |tier| tier + 1)
}

/// The parts to merge, oldest first; fewer than two mean none.
fn choose(mut parts: Vec<Arc<Part>>, bytes_max: u64, everything: bool) -> Vec<Arc<Part>> {
    parts.sort_by_key(|part| (part.info().bytes, part.info().id));
    let mut best: Vec<Arc<Part>> = Vec::new();
    let mut from = 0;
    while from < parts.len() {
        let own = tier(parts.get(from).map_or(0, |part| part.info().bytes));
        let same = |part: &Arc<Part>| everything || tier(part.info().bytes) == own;
        let mut bytes = 0;
        let run: Vec<Arc<Part>> = parts
            .iter()
            .skip(from)
            .take(MERGE_PARTS_MAX)
            .take_while(|part| {
                bytes += part.info().bytes;
                same(part) && bytes <= bytes_max
            })
            .cloned()
            .collect();
        let needed = if everything { 2 } else { TIER_PARTS_MIN };
        if run.len() >= needed && run.len() > best.len() {
            best.clone_from(&run);
        }
        from += run.len().max(1);
    }
    best.sort_by_key(|part| part.info().id);
    best
}

fn replace<S: Signal>(
    engine: &Engine,
    shelves: &Shelves<S>,
    tenant: &Tenant,
    inputs: &[Arc<Part>],
) -> Result<(), StoreError> {
    let desk = &engine.desk;
    let mut sink = PartSink::new(&**desk.objects(), tenant.clone(), S::KIND, desk.next_id(), true);
    let merged = S::merge(inputs, &mut sink);
    let written = sink.into_parts();
    let ids: Vec<u64> = inputs.iter().map(|part| part.info().id).collect();
    let named = merged.map_err(StoreError::from).and_then(|()| {
        desk.edit(|manifest| {
            manifest.parts.retain(|id, _| !ids.contains(id));
            manifest.parts.extend(written.iter().map(|info| (info.id, info.clone())));
        })
    });
    if let Err(error) = named {
        for info in &written {
            let _ = desk.objects().delete(&info.path());
        }
        return blame(engine, shelves, inputs, error);
    }
    let parts = written.into_iter().map(|info| desk.part(info)).collect();
    for part in shelves.replace(tenant, &ids, parts) {
        part.doom();
    }
    engine.gauges.merges.inc();
    Ok(())
}

/// Quarantines the input at fault; the next step merges without it.
fn blame<S: Signal>(
    engine: &Engine,
    shelves: &Shelves<S>,
    inputs: &[Arc<Part>],
    error: StoreError,
) -> Result<(), StoreError> {
    let StoreError::Part(PartError::Damaged { part, reason }) = error else { return Err(error) };
    if let Some(input) = inputs.iter().find(|input| input.info().id == part) {
        engine.desk.quarantine(input.info(), &reason);
        shelves.replace(&input.info().tenant, &[part], Vec::new());
        return Ok(());
    }
    Err(StoreError::Part(PartError::Damaged { part, reason }))
}
