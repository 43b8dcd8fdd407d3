//! Dropping what is too old or too much: whole parts, oldest first. Nothing is dropped unless a limit is set.

use crate::engine::{Engine, for_each_signal};
use crate::error::StoreError;
use crate::part::PartInfo;

/// Drops what the limits say; returns whether anything was dropped.
pub(crate) fn retire(engine: &Engine) -> Result<bool, StoreError> {
    let mut infos: Vec<PartInfo> = engine.desk.snapshot().parts.into_values().collect();
    infos.sort_by_key(|info| (info.max_ms, info.id));
    let expired = too_old(engine, &infos).max(too_much(engine, &infos));
    if expired == 0 {
        return Ok(false);
    }
    infos.truncate(expired);
    engine.desk.edit(|manifest| {
        for info in &infos {
            manifest.parts.remove(&info.id);
        }
    })?;
    for info in &infos {
        for_each_signal!(engine, shelves => {
            for part in shelves.replace(&info.tenant, &[info.id], Vec::new()) {
                part.doom();
            }
        });
    }
    engine.gauges.retired_parts.add(infos.len() as u64);
    Ok(true)
}

/// How many of the parts, oldest first, end before the retention period.
fn too_old(engine: &Engine, infos: &[PartInfo]) -> usize {
    let Some(seconds) = engine.options.retention_s else { return 0 };
    let keep_ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let oldest_ms = engine.clock.now_ms().saturating_sub(keep_ms);
    infos.iter().take_while(|info| info.max_ms < oldest_ms).count()
}

/// How many of the parts, oldest first, must go for the rest to fit.
fn too_much(engine: &Engine, infos: &[PartInfo]) -> usize {
    let Some(bytes_max) = engine.options.retention_bytes else { return 0 };
    let mut bytes: u64 = infos.iter().map(|info| info.bytes).sum();
    let excess = |info: &&PartInfo| {
        let over = bytes > bytes_max;
        bytes -= info.bytes;
        over
    };
    infos.iter().take_while(excess).count()
}
