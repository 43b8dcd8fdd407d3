//! The store's handle: opens and recovers a data directory, takes writes, hands out readers, runs background work.

use crate::background;
use crate::catalogue::{Desk, Missing};
use crate::changes::Changes;
use crate::commit::{Committer, Entry, Pending, Plain};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::gauges::Gauges;
use crate::logs::Logs;
use crate::metrics::{Metrics, MetricsEntry};
use crate::object::{LocalObjects, SharedObjects};
use crate::options::{StoreOptions, SyncMode, Threads};
use crate::recover;
use crate::room::Place;
use crate::shelf::{Shelves, Source};
use crate::signal::Signal;
use crate::spans::Spans;
use crate::wal::WalWriter;
use crate::{changes, flush, logs, snapshot, spans};
use model::scan::{Completeness, LogSource, MetricSource, ScanError, SpanSource};
use model::{Accepted, Change, LogBatch, MetricBatch, Refusal, SpanBatch, Tenant};
use platform::metrics::Registry;
use platform::{SharedClock, SharedDisk};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Notify, oneshot};

/// What the committer's thread receives.
pub(crate) enum Message {
    Write(Pending),
    Freeze(Sender<Result<u64, StoreError>>),
    Stop,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records replayed from the WAL.
    pub records: u64,
    /// WAL bytes read.
    pub wal_bytes: u64,
    /// Bytes of a torn tail that were cut; an unclean stop leaves them, nothing acknowledged is among them.
    pub torn_bytes: u64,
    /// Stretches of damaged WAL that were quarantined.
    pub damaged: u64,
}

/// A data directory that is open; clones are handles on the same one.
#[derive(Clone)]
pub struct Store {
    core: Arc<Core>,
}

struct Core {
    engine: Arc<Engine>,
    recovery: Recovery,
    stopping: AtomicBool,
    /// Without threads the write commits itself.
    committer: Mutex<Option<Committer>>,
    queue: Mutex<Option<Sender<Message>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    orders: Mutex<Vec<Sender<background::Order>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens the directory behind `disk`: reads the manifest, replays the WAL's unflushed tail, names what is damaged.
    /// No part's body is read.
    ///
    /// # Errors
    /// When the disk fails or the directory was written by a newer version.
    pub fn open(
        disk: SharedDisk,
        clock: SharedClock,
        registry: &Registry,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let objects: SharedObjects = Arc::new(LocalObjects::new(disk.clone()));
        let catalogue = Arc::new(Desk::open(&disk, &objects, options.index_bytes_max)?);
        let engine = Arc::new(Engine {
            desk: catalogue,
            clock,
            gauges: Gauges::new(registry),
            metrics: Arc::default(),
            logs: Arc::default(),
            spans: Arc::default(),
            changes: Arc::default(),
            queued: AtomicUsize::new(0),
            flushed_at_ns: AtomicI64::new(0),
            frozen_wal_bytes: AtomicI64::new(0),
            flushed: Notify::new(),
            flushing: Mutex::new(()),
            tidying: Mutex::new(()),
            options,
        });
        engine.flushed_at_ns.store(engine.now_ns(), Ordering::Relaxed);
        let (recovery, next_segment) = recover::recover(&engine)?;
        engine.measure();
        let options = &engine.options;
        let wal = WalWriter::new(disk, next_segment, options.segment_bytes_max);
        let committer = Committer::new(wal, options.sync == SyncMode::Group, options.disk_reserve_bytes);
        Self::start(engine, recovery, committer)
    }

    fn start(engine: Arc<Engine>, recovery: Recovery, committer: Committer) -> Result<Self, StoreError> {
        let core = Core {
            engine,
            recovery,
            stopping: AtomicBool::new(false),
            committer: Mutex::default(),
            queue: Mutex::default(),
            workers: Mutex::default(),
            orders: Mutex::default(),
        };
        match core.engine.options.threads {
            Threads::None => *lock(&core.committer) = Some(committer),
            Threads::Own => {
                let started = background::start(&core.engine, committer)?;
                *lock(&core.queue) = Some(started.queue);
                *lock(&core.orders) = started.orders;
                *lock(&core.workers) = started.workers;
            }
        }
        Ok(Self { core: Arc::new(core) })
    }

    /// What opening found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.core.recovery
    }

    /// Takes samples, exemplars and metadata. The answer comes when they are durable and queryable.
    ///
    /// # Errors
    /// A [`Refusal`]; then nothing was taken.
    pub fn write_metrics(
        &self,
        tenant: &Tenant,
        batch: MetricBatch,
    ) -> impl Future<Output = Result<Accepted, Refusal>> + Send + use<> {
        let entry = MetricsEntry::new(tenant.clone(), batch);
        let bytes = entry.bytes();
        self.write(bytes, || Box::new(entry))
    }

    /// Takes log records, like [`write_metrics`](Self::write_metrics).
    ///
    /// # Errors
    /// A [`Refusal`]; then nothing was taken.
    pub fn write_logs(
        &self,
        tenant: &Tenant,
        batch: LogBatch,
    ) -> impl Future<Output = Result<Accepted, Refusal>> + Send + use<> {
        let records = batch.entries.len() as u64;
        let bytes = logs::bytes(&batch);
        self.write_plain(self.core.engine.logs.clone(), tenant, batch, bytes, records)
    }

    /// Takes spans, like [`write_metrics`](Self::write_metrics).
    ///
    /// # Errors
    /// A [`Refusal`]; then nothing was taken.
    pub fn write_spans(
        &self,
        tenant: &Tenant,
        batch: SpanBatch,
    ) -> impl Future<Output = Result<Accepted, Refusal>> + Send + use<> {
        let records = batch.spans.len() as u64;
        let bytes = spans::bytes(&batch);
        self.write_plain(self.core.engine.spans.clone(), tenant, batch, bytes, records)
    }

    /// Takes a change record; a resend of its id changes nothing.
    ///
    /// # Errors
    /// A [`Refusal`]; then nothing was taken.
    pub fn append_change(
        &self,
        tenant: &Tenant,
        change: Change,
    ) -> impl Future<Output = Result<Accepted, Refusal>> + Send + use<> {
        let bytes = changes::bytes(&change);
        self.write_plain(self.core.engine.changes.clone(), tenant, vec![change], bytes, 1)
    }

    fn write_plain<S: Signal>(
        &self,
        shelves: Arc<Shelves<S>>,
        tenant: &Tenant,
        batch: S::Batch,
        bytes: usize,
        records: u64,
    ) -> impl Future<Output = Result<Accepted, Refusal>> + Send + use<S> {
        let accepted = Accepted { records, ..Accepted::default() };
        let tenant = tenant.clone();
        self.write(bytes, || Box::new(Plain::new(shelves, tenant, batch, accepted)))
    }

    /// Queues what `entry` makes, or commits it at once when the store has no threads. While memory is full it waits for
    /// the flush, a bounded time; the store without threads refuses at once.
    fn write(
        &self,
        bytes: usize,
        entry: impl FnOnce() -> Box<dyn Entry>,
    ) -> Pin<Box<dyn Future<Output = Result<Accepted, Refusal>> + Send>> {
        let (reply, answer) = oneshot::channel();
        let core = self.core.clone();
        let pending = || Pending { entry: entry(), bytes, reply };
        let queued = core.admit(bytes).and_then(|place| match core.engine.is_full() {
            true if core.has_threads() => Ok(Some((place, pending()))),
            true => Err(core.engine.refuse_memory()),
            false => core.queue(place, pending()).map(|()| None),
        });
        Box::pin(async move {
            if let Some((place, pending)) = queued? {
                core.engine.wait_for_room().await?;
                core.queue(place, pending)?;
            }
            drop(core);
            answer.await.unwrap_or(Err(Refusal::Stopping))
        })
    }

    /// Reads metrics.
    #[must_use]
    pub fn metrics(&self) -> Arc<dyn MetricSource> {
        Arc::new(Source::<Metrics>::new(self.core.engine.metrics.clone(), self.core.engine.desk.clone()))
    }

    /// Reads logs.
    #[must_use]
    pub fn logs(&self) -> Arc<dyn LogSource> {
        Arc::new(Source::<Logs>::new(self.core.engine.logs.clone(), self.core.engine.desk.clone()))
    }

    /// Reads spans.
    #[must_use]
    pub fn spans(&self) -> Arc<dyn SpanSource> {
        Arc::new(Source::<Spans>::new(self.core.engine.spans.clone(), self.core.engine.desk.clone()))
    }

    /// The tenant's changes with `range.start <= ts_ns < range.end`, by time, and what is missing.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn changes(
        &self,
        tenant: &Tenant,
        range: &Range<i64>,
    ) -> Result<(Vec<Change>, Completeness), ScanError> {
        let engine = &self.core.engine;
        Source::<Changes>::new(engine.changes.clone(), engine.desk.clone()).changes(tenant, range)
    }

    /// Everything that is damaged and set aside.
    #[must_use]
    pub fn quarantined(&self) -> Vec<Missing> {
        self.core.engine.desk.quarantined()
    }

    /// Seals what is in memory into parts and drops the WAL below. Blocks; call it from a blocking thread.
    ///
    /// # Errors
    /// When the disk fails; nothing is lost and the next flush tries again.
    pub fn flush(&self) -> Result<(), StoreError> {
        let _one = lock(&self.core.engine.flushing);
        let floor = self.freeze()?;
        flush::seal_frozen(&self.core.engine, floor)
    }

    fn freeze(&self) -> Result<u64, StoreError> {
        if let Some(committer) = lock(&self.core.committer).as_mut() {
            return Ok(committer.freeze(&self.core.engine)?);
        }
        let queue = lock(&self.core.queue).clone().ok_or(StoreError::Closed)?;
        background::freeze(&queue)
    }

    /// Does one step of background work: a flush when one is due, retention, or one merge. `false` when there is
    /// nothing to do. Blocks.
    ///
    /// # Errors
    /// When the disk fails; nothing is lost and the next step tries again.
    pub fn maintain(&self) -> Result<bool, StoreError> {
        let engine = &self.core.engine;
        if let Some(committer) = lock(&self.core.committer).as_mut() {
            committer.sync();
        }
        if engine.flush_is_due() {
            self.flush()?;
            return Ok(true);
        }
        background::tidy_step(engine, false)
    }

    /// Flushes, then merges each tenant's day of each signal as far as the largest part allows. Blocks.
    ///
    /// # Errors
    /// When the disk fails; nothing is lost.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.flush()?;
        while background::tidy_step(&self.core.engine, true)? {}
        Ok(())
    }

    /// Makes `snapshots/<name>`, a data directory with everything acknowledged so far; returns its path. Blocks.
    ///
    /// # Errors
    /// When the name is not acceptable or taken, or the disk fails.
    pub fn snapshot(&self, name: &str) -> Result<String, StoreError> {
        self.flush()?;
        let _one = lock(&self.core.engine.tidying);
        snapshot::take(&self.core.engine.desk, name)
    }

    /// Refuses new writes, answers those that wait, flushes and stops the threads. Blocks.
    ///
    /// # Errors
    /// When the disk fails; what was acknowledged is then in the WAL.
    pub fn close(&self) -> Result<(), StoreError> {
        self.core.stopping.store(true, Ordering::Release);
        let flushed = self.flush();
        self.core.stop();
        flushed
    }
}

impl Core {
    fn has_threads(&self) -> bool {
        self.engine.options.threads == Threads::Own
    }

    /// A place in the queue.
    fn admit(&self, bytes: usize) -> Result<Place, Refusal> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Refusal::Stopping);
        }
        Place::take(&self.engine, bytes)
    }

    fn queue(&self, place: Place, pending: Pending) -> Result<(), Refusal> {
        if let Some(committer) = lock(&self.committer).as_mut() {
            place.hand_over();
            committer.commit(&self.engine, vec![pending]);
            return Ok(());
        }
        match lock(&self.queue).as_ref() {
            Some(queue) if queue.send(Message::Write(pending)).is_ok() => {
                place.hand_over();
                Ok(())
            }
            _ => Err(Refusal::Stopping),
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // Dropping the senders ends the loops after what is queued; the message ends it even while a clone exists.
        if let Some(queue) = lock(&self.queue).take() {
            let _ = queue.send(Message::Stop);
        }
        for orders in lock(&self.orders).drain(..) {
            let _ = orders.send(background::Order::Stop);
        }
        for worker in lock(&self.workers).drain(..) {
            let _ = worker.join();
        }
        *lock(&self.committer) = None;
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.stop();
    }
}
