//! The one writer: takes all entries that wait, appends them to the WAL as one group, syncs once, applies them to
//! memory in the same order, then answers all. Nothing is applied that is not in the WAL.

use crate::engine::Engine;
use crate::shelf::Shelves;
use crate::signal::{Memory, Signal};
use crate::wal::{WalWriter, begin_record, end_record};
use model::{Accepted, Refusal, Tenant};
use platform::disk::DiskError;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How long a client should wait when something is full, in seconds.
pub(crate) const RETRY_AFTER_S: u32 = 1;

/// A batch on its way, of whatever signal.
pub(crate) trait Entry: Send {
    /// Makes the WAL record, unless it is made already; `false` when it is too long. `generation` changes whenever records
    /// written before may be unknown to a replay that starts at this record's segment.
    fn log(&mut self, engine: &Engine, generation: u64) -> bool;
    /// The record, in two parts, written from where they lie.
    fn record(&self) -> [&[u8]; 2];
    /// Makes it queryable; returns what was taken and by how many bytes memory grew.
    fn apply(self: Box<Self>, engine: &Engine) -> (Accepted, isize);
}

/// A batch whose record depends on nothing but the batch: it is made by the thread that made the batch and has it in its
/// caches, not by the one writer.
pub(crate) struct Plain<S: Signal> {
    shelves: Arc<Shelves<S>>,
    tenant: Tenant,
    /// The record but for the batch's tail.
    record: Vec<u8>,
    fits: bool,
    /// `None` when there is nothing in it: then there is no record either.
    chunk: Option<<S::Memory as Memory>::Chunk>,
    accepted: Accepted,
}

impl<S: Signal> Plain<S> {
    pub(crate) fn new(shelves: Arc<Shelves<S>>, tenant: Tenant, batch: S::Batch, accepted: Accepted) -> Self {
        let mut record = Vec::new();
        let start = begin_record(&mut record, S::KIND, &tenant);
        S::encode(&batch, &mut record);
        let fits = end_record(&mut record, start, S::tail(&batch));
        let chunk = S::Memory::ready(batch);
        if chunk.is_none() {
            record.clear();
        }
        Self { shelves, tenant, record, fits, chunk, accepted }
    }
}

impl<S: Signal> Entry for Plain<S> {
    fn log(&mut self, _: &Engine, _: u64) -> bool {
        self.fits
    }

    fn record(&self) -> [&[u8]; 2] {
        [&self.record, self.chunk.as_ref().map_or(&[], |chunk| S::tail(chunk.as_ref()))]
    }

    fn apply(self: Box<Self>, _: &Engine) -> (Accepted, isize) {
        let memory = self.shelves.active(&self.tenant);
        let before = memory.bytes();
        if let Some(chunk) = self.chunk {
            memory.apply(chunk);
        }
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
    sync_each: bool,
    disk_reserve_bytes: u64,
}

impl Committer {
    pub(crate) fn new(wal: WalWriter, sync_each: bool, disk_reserve_bytes: u64) -> Self {
        Self { wal, generation: 1, sync_each, disk_reserve_bytes }
    }

    /// Commits all of `pending`, or none.
    pub(crate) fn commit(&mut self, engine: &Engine, pending: Vec<Pending>) {
        let queued: usize = pending.iter().map(|pending| pending.bytes).sum();
        if self.wal.is_due(queued) && self.roll().is_err() {
            tracing::warn!("the WAL segment before could not be synced");
        }
        let mut kept: Vec<Pending> = Vec::with_capacity(pending.len());
        for mut pending in pending {
            if pending.entry.log(engine, self.generation) {
                kept.push(pending);
            } else {
                // Labels defined by the record that is not written are not in the log.
                self.generation += 1;
                let refusal = Refusal::Invalid("the batch is too large: send smaller ones".into());
                let _ = pending.reply.send(Err(refusal));
            }
        }
        match self.append(engine, &kept) {
            Ok(()) => Self::apply(engine, kept),
            Err(error) => self.refuse(engine, kept, &error),
        }
        engine.release(queued);
    }

    fn append(&mut self, engine: &Engine, kept: &[Pending]) -> Result<(), DiskError> {
        let parts: Vec<&[u8]> = kept.iter().flat_map(|pending| pending.entry.record()).collect();
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
