//! The store's three threads: one commits, one flushes, one merges and retires, so that a long merge holds up no flush. Without threads, the same functions are
//! called by hand.

use crate::commit::{Committer, Pending};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::options::SyncMode;
use crate::store::Message;
use crate::{flush, merge, retention};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Batches committed as one group, at most.
const GROUP_BATCHES_MAX: usize = 1024;
/// The committer wakes this often without work, in milliseconds.
const IDLE_MS: u64 = 10_000;
/// Whether a flush is due is looked at this often, in milliseconds.
const FLUSH_EVERY_MS: u64 = 100;
/// Merges and retention are looked for this often, in milliseconds.
const TIDY_EVERY_MS: u64 = 2_000;
/// Pause after a failure, in milliseconds.
const FAILURE_MS: u64 = 5_000;

/// To the background threads.
pub(crate) enum Order {
    Stop,
}

/// What [`start`] started.
pub(crate) struct Started {
    pub(crate) queue: Sender<Message>,
    pub(crate) orders: Vec<Sender<Order>>,
    pub(crate) workers: Vec<JoinHandle<()>>,
}

/// Starts the threads.
pub(crate) fn start(engine: &Arc<Engine>, committer: Committer) -> Result<Started, StoreError> {
    let (queue, messages) = channel();
    let (flush_orders, flush_ordered) = channel();
    let (tidy_orders, tidy_ordered) = channel();
    let no_thread = |error| StoreError::Invalid(format!("cannot start a thread: {error}"));
    let shared = engine.clone();
    let commits = platform::task::thread("store-commit", move || commit_loop(&shared, committer, &messages));
    let mut workers = vec![commits.map_err(no_thread)?];
    let (shared, freezer) = (engine.clone(), queue.clone());
    let flushes = platform::task::thread("store-flush", move || {
        repeat(&flush_ordered, FLUSH_EVERY_MS, || flush_step(&shared, &freezer));
    });
    workers.push(flushes.map_err(no_thread)?);
    let shared = engine.clone();
    let tidies = platform::task::thread("store-tidy", move || {
        repeat(&tidy_ordered, TIDY_EVERY_MS, || tidy_step(&shared, false).map(drop));
    });
    workers.push(tidies.map_err(no_thread)?);
    Ok(Started { queue, orders: vec![flush_orders, tidy_orders], workers })
}

fn commit_loop(engine: &Engine, mut committer: Committer, messages: &Receiver<Message>) {
    let wait_ms = match engine.options.sync {
        SyncMode::Group => IDLE_MS,
        SyncMode::Interval { ms } => ms.max(1),
    };
    let mut stopping = false;
    while !stopping {
        let first = match messages.recv_timeout(Duration::from_millis(wait_ms)) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut group: Vec<Pending> = Vec::new();
        let waiting = std::iter::from_fn(|| messages.try_recv().ok());
        for message in first.into_iter().chain(waiting) {
            match message {
                Message::Write(pending) => group.push(pending),
                Message::Freeze(reply) => {
                    committer.commit(engine, std::mem::take(&mut group));
                    let _ = reply.send(committer.freeze(engine).map_err(StoreError::from));
                }
                Message::Stop => stopping = true,
            }
            if group.len() >= GROUP_BATCHES_MAX {
                break;
            }
        }
        if !group.is_empty() {
            committer.commit(engine, group);
        }
        if engine.options.sync != SyncMode::Group {
            committer.sync();
        }
    }
    committer.sync();
}

/// Asks the committer to freeze all memory parts and waits for it.
pub(crate) fn freeze(queue: &Sender<Message>) -> Result<u64, StoreError> {
    let (reply, answer) = channel();
    queue.send(Message::Freeze(reply)).map_err(|_| StoreError::Closed)?;
    answer.recv().map_err(|_| StoreError::Closed)?
}

/// Calls `step` every `every_ms` until told to stop or the store is closed; after a failure it waits [`FAILURE_MS`].
fn repeat(orders: &Receiver<Order>, every_ms: u64, mut step: impl FnMut() -> Result<(), StoreError>) {
    let mut wait_ms = every_ms;
    loop {
        match orders.recv_timeout(Duration::from_millis(wait_ms)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        wait_ms = every_ms;
        match step() {
            Ok(()) => {}
            // The committer stops first; there is nothing left to do here.
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "background work failed and will be tried again");
                wait_ms = FAILURE_MS;
            }
        }
    }
}

fn flush_step(engine: &Engine, queue: &Sender<Message>) -> Result<(), StoreError> {
    if !engine.flush_is_due() {
        return Ok(());
    }
    let _one = engine.flushing.lock().unwrap_or_else(PoisonError::into_inner);
    freeze(queue).and_then(|floor| flush::seal_frozen(engine, floor))
}

/// One step of retention or merging; `false` when there is nothing to do. With `all`, a day's parts are merged
/// whatever their sizes.
pub(crate) fn tidy_step(engine: &Engine, all: bool) -> Result<bool, StoreError> {
    let _one = engine.tidying.lock().unwrap_or_else(PoisonError::into_inner);
    let done = retention::retire(engine)?
        || merge::merge_one(engine, &engine.metrics, all)?
        || merge::merge_one(engine, &engine.logs, all)?
        || merge::merge_one(engine, &engine.spans, all)?
        || merge::merge_one(engine, &engine.changes, all)?;
    if done {
        engine.measure();
    }
    Ok(done)
}
