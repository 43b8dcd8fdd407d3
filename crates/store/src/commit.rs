//! The one writer: takes all entries that wait, appends them to the WAL as one group, syncs once, applies them to
//! memory in the same order, then answers all. Nothing is applied that is not in the WAL.

use crate::engine::Engine;
use crate::shelf::Shelves;
use crate::signal::{Memory, Signal, SignalKind};
use crate::wal::{WalWriter, begin_record, end_record};
use model::{Accepted, Refusal, Tenant};
use platform::disk::DiskError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How long a client should wait when something is full, in seconds.
pub(crate) const RETRY_AFTER_S: u32 = 1;
/// The group buffer keeps at most this much memory between groups, in bytes.
const GROUP_BYTES_KEPT: usize = 4 << 20;

/// A batch on its way, of whatever signal.
pub(crate) trait Entry: Send {
    /// Of what.
    fn kind(&self) -> SignalKind;
    /// Whose.
    fn tenant(&self) -> &Tenant;
    /// Appends the WAL payload, but for its tail. `generation` changes whenever records written before may be unknown to a replay that
    /// starts at this record's segment.
    fn log(&mut self, engine: &Engine, generation: u64, out: &mut Vec<u8>);
    /// What of the payload follows, written from where it lies.
    fn tail(&self) -> &[u8] {
        &[]
    }
    /// Makes it queryable; returns what was taken and by how many bytes memory grew.
    fn apply(self: Box<Self>, engine: &Engine) -> (Accepted, isize);
}

/// A batch whose payload depends on nothing but the batch.
pub(crate) struct Plain<S: Signal> {
    pub(crate) shelves: Arc<Shelves<S>>,
    pub(crate) tenant: Tenant,
    pub(crate) batch: S::Batch,
    pub(crate) accepted: Accepted,
}

impl<S: Signal> Entry for Plain<S> {
    fn kind(&self) -> SignalKind {
        S::KIND
    }

    fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    fn log(&mut self, _: &Engine, _: u64, out: &mut Vec<u8>) {
        S::encode(&self.batch, out);
    }

    fn tail(&self) -> &[u8] {
        S::tail(&self.batch)
    }

    fn apply(self: Box<Self>, _: &Engine) -> (Accepted, isize) {
        let memory = self.shelves.active(&self.tenant);
        let before = memory.bytes();
        memory.apply(self.batch);
        (self.accepted, memory.bytes().cast_signed() - before.cast_signed())
    }
}

/// An entry and who waits for it.
pub(crate) struct Pending {
    pub(crate) entry: Box<dyn Entry>,
    pub(crate) bytes: usize,
    pub(crate) reply: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// Owns the WAL's end.
pub(crate) struct Committer {
    wal: WalWriter,
    generation: u64,
    group: Vec<u8>,
    sync_each: bool,
    disk_reserve_bytes: u64,
}

impl Committer {
    pub(crate) fn new(wal: WalWriter, sync_each: bool, disk_reserve_bytes: u64) -> Self {
        Self { wal, generation: 1, group: Vec::new(), sync_each, disk_reserve_bytes }
    }

    /// Commits all of `pending`, or none.
    pub(crate) fn commit(&mut self, engine: &Engine, pending: Vec<Pending>) {
        let queued: usize = pending.iter().map(|pending| pending.bytes).sum();
        self.group.clear();
        if self.wal.is_due(queued) && self.roll().is_err() {
            tracing::warn!("the WAL segment before could not be synced");
        }
        let mut kept: Vec<Pending> = Vec::with_capacity(pending.len());
        // Where in the buffer the tail of each record that is kept belongs.
        let mut ends = Vec::with_capacity(pending.len());
        for mut pending in pending {
            let start = begin_record(&mut self.group, pending.entry.kind(), pending.entry.tenant());
            pending.entry.log(engine, self.generation, &mut self.group);
            if end_record(&mut self.group, start, pending.entry.tail()) {
                ends.push(self.group.len());
                kept.push(pending);
            } else {
                // Labels defined by the record that was taken out are not in the log.
                self.generation += 1;
                let refusal = Refusal::Invalid("the batch is too large: send smaller ones".into());
                let _ = pending.reply.send(Err(refusal));
            }
        }
        match self.append(engine, &ends, &kept) {
            Ok(()) => Self::apply(engine, kept),
            Err(error) => self.refuse(engine, kept, &error),
        }
        engine.release(queued);
        self.group.shrink_to(GROUP_BYTES_KEPT);
    }

    /// Writes the group: up to each of `ends` from the buffer, then the tail of that one of `kept`.
    fn append(&mut self, engine: &Engine, ends: &[usize], kept: &[Pending]) -> Result<(), DiskError> {
        let (mut start, mut parts) = (0, Vec::with_capacity(kept.len() * 2));
        for (end, pending) in ends.iter().zip(kept) {
            parts.extend([self.group.get(start..*end).unwrap_or_default(), pending.entry.tail()]);
            start = *end;
        }
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if bytes == 0 {
            return Ok(());
        }
        if engine.desk.disk().free_bytes()? < self.disk_reserve_bytes.saturating_add(bytes) {
            return Err(DiskError {
                action: "append to",
                path: "wal".into(),
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.wal.append(&parts, self.sync_each)?;
        engine.gauges.wal_bytes.add(bytes);
        engine.gauges.wal_unflushed_bytes.add(i64::try_from(bytes).unwrap_or(i64::MAX));
        engine.gauges.wal_groups.inc();
        Ok(())
    }

    fn apply(engine: &Engine, pending: Vec<Pending>) {
        for pending in pending {
            let (accepted, grown) = pending.entry.apply(engine);
            engine.gauges.records.add(accepted.records);
            engine.gauges.memory_active_bytes.add(grown as i64);
            // The receiver may have gone away; the records stay.
            let _ = pending.reply.send(Ok(accepted));
        }
    }

    fn refuse(&mut self, engine: &Engine, pending: Vec<Pending>, error: &DiskError) {
        self.generation += 1;
        tracing::error!(%error, "batches refused");
        for pending in pending {
            engine.gauges.refused_storage.inc();
            let _ = pending.reply.send(Err(Refusal::Storage(error.to_string())));
        }
    }

    fn roll(&mut self) -> Result<u64, DiskError> {
        self.generation += 1;
        self.wal.roll()
    }

    /// Freezes all memory parts; what is written from now on is in the segment whose number this returns, or later.
    pub(crate) fn freeze(&mut self, engine: &Engine) -> Result<u64, DiskError> {
        let floor = self.roll()?;
        engine.freeze();
        Ok(floor)
    }

    /// Interval mode: makes durable what was answered.
    pub(crate) fn sync(&mut self) {
        if let Err(error) = self.wal.sync() {
            tracing::error!(%error, "acknowledged records may be lost by an unclean stop");
        }
    }
}
