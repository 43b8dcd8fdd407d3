//! Opening: puts the manifest's parts on their shelves and replays the WAL segments that are not in parts.
//!
//! Memory parts that grow beyond the flush limit while replaying are not sealed here; the first background step does.

use crate::engine::Engine;
use crate::error::{Damage, StoreError};
use crate::flush::drop_segments;
use crate::metrics::Replay;
use crate::object::create_dir_durable;
use crate::part::PartInfo;
use crate::shelf::Shelves;
use crate::signal::{Memory, Signal, SignalKind};
use crate::store::Recovery;
use crate::wal::{Record, WAL_DIR, replay_segment, segment_name, segment_path, segments};

/// Fills `engine`; returns what was found and the number of the next segment.
pub(crate) fn recover(engine: &Engine) -> Result<(Recovery, u64), StoreError> {
    let desk = &engine.desk;
    create_dir_durable(desk.disk(), WAL_DIR)?;
    let manifest = desk.snapshot();
    for info in manifest.parts.into_values() {
        match info.kind {
            SignalKind::Metrics => shelve(engine, &engine.metrics, info),
            SignalKind::Logs => shelve(engine, &engine.logs, info),
            SignalKind::Spans => shelve(engine, &engine.spans, info),
            SignalKind::Changes => shelve(engine, &engine.changes, info),
        }
    }
    drop_segments(desk, manifest.wal_floor)?;
    let mut recovery = Recovery::default();
    let numbers = segments(desk.disk())?;
    for number in &numbers {
        replay(engine, *number, numbers.last() == Some(number), &mut recovery)?;
    }
    make_durable(engine)?;
    let unflushed = i64::try_from(recovery.wal_bytes).unwrap_or(i64::MAX);
    engine.gauges.wal_unflushed_bytes.set(unflushed);
    let next = numbers.last().map_or(0, |last| last + 1).max(manifest.wal_floor);
    Ok((recovery, next))
}

/// What a killed process wrote and never synced was replayed like the rest, so it must be as durable: a power cut later
/// would tear it in the middle of the log, where a torn record is damage.
fn make_durable(engine: &Engine) -> Result<(), StoreError> {
    let disk = engine.desk.disk();
    for number in segments(disk)? {
        disk.append(&segment_path(number))?.sync()?;
    }
    disk.sync_dir(WAL_DIR)?;
    Ok(())
}

fn shelve<S: Signal>(engine: &Engine, shelves: &Shelves<S>, info: PartInfo) {
    let tenant = info.tenant.clone();
    shelves.replace(&tenant, &[], vec![engine.desk.part(info)]);
}

fn replay(engine: &Engine, number: u64, last: bool, recovery: &mut Recovery) -> Result<(), StoreError> {
    let desk = &engine.desk;
    let mut metrics = Replay::default();
    let mut records = 0;
    let mut damaged = 0;
    recovery.wal_bytes += desk.disk().open(&segment_path(number))?.len()?;
    let torn = replay_segment(
        desk.disk(),
        number,
        last,
        |record| {
            records += 1;
            apply(engine, &mut metrics, &record)
        },
        |damage| {
            damaged += 1;
            let name = format!("{}-{:08x}", segment_name(number), damage.at);
            let sentence = format!(
                "acknowledged records may be missing: {} bytes of the WAL at byte {} of {} are damaged ({}); they are \
                 kept in quarantine/{name}",
                damage.bytes.len(),
                damage.at,
                segment_name(number),
                damage.reason,
            );
            desk.quarantine_wal(&name, damage.bytes, sentence);
        },
    )?;
    if torn > 0 {
        tracing::warn!(segment = segment_name(number), torn, "cut the torn tail of the WAL");
    }
    recovery.records += records;
    recovery.damaged += damaged;
    recovery.torn_bytes += torn;
    Ok(())
}

fn apply(engine: &Engine, metrics: &mut Replay, record: &Record<'_>) -> Result<(), Damage> {
    match record.kind {
        SignalKind::Metrics => metrics.apply(&engine.metrics.active(&record.tenant), record),
        SignalKind::Logs => decode_and_apply(&engine.logs, record),
        SignalKind::Spans => decode_and_apply(&engine.spans, record),
        SignalKind::Changes => decode_and_apply(&engine.changes, record),
    }
}

fn decode_and_apply<S: Signal>(shelves: &Shelves<S>, record: &Record<'_>) -> Result<(), Damage> {
    if let Some(chunk) = S::Memory::ready(S::decode(record.payload)?) {
        shelves.active(&record.tenant).apply(chunk);
    }
    Ok(())
}
