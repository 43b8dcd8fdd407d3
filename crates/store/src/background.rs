//! The store's two threads: one commits, one flushes, merges and retires. Without threads, the same functions are
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
/// Background work is looked for this often, in milliseconds.
const TICK_MS: u64 = 200;
/// After a failure background work waits this many ticks.
const FAILURE_TICKS: u32 = 25;
/// Merges and retention are looked for every so many ticks.
const TIDY_TICKS: u32 = 10;

/// To the background thread.
pub(crate) enum Order {
    Stop,
}

/// What [`start`] started.
pub(crate) struct Started {
    pub(crate) queue: Sender<Message>,
    pub(crate) orders: Sender<Order>,
    pub(crate) workers: Vec<JoinHandle<()>>,
}

/// Starts both threads.
pub(crate) fn start(engine: &Arc<Engine>, committer: Committer) -> Result<Started, StoreError> {
    let (queue, messages) = channel();
    let (orders, ordered) = channel();
    let no_thread = |error| StoreError::Invalid(format!("cannot start a thread: {error}"));
    let shared = engine.clone();
    let commits = platform::task::thread("store-commit", move || commit_loop(&shared, committer, &messages));
    let commits = commits.map_err(no_thread)?;
    let (shared, freezer) = (engine.clone(), queue.clone());
    let tidies = platform::task::thread("store-tidy", move || tidy_loop(&shared, &freezer, &ordered));
    let workers = vec![commits, tidies.map_err(no_thread)?];
    Ok(Started { queue, orders, workers })
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

fn tidy_loop(engine: &Engine, queue: &Sender<Message>, orders: &Receiver<Order>) {
    let mut ticks = 0_u32;
    let mut pause = 0_u32;
    loop {
        match orders.recv_timeout(Duration::from_millis(TICK_MS)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        ticks = ticks.wrapping_add(1);
        if pause > 0 {
            pause -= 1;
            continue;
        }
        let _one = engine.background.lock().unwrap_or_else(PoisonError::into_inner);
        let step = if engine.flush_is_due() {
            freeze(queue).and_then(|floor| flush::seal_frozen(engine, floor))
        } else if ticks.is_multiple_of(TIDY_TICKS) {
            tidy_step(engine, false).map(|_| ())
        } else {
            Ok(())
        };
        if let Err(error) = step {
            tracing::error!(%error, "background work failed and will be tried again");
            pause = FAILURE_TICKS;
        }
    }
}

/// One step of retention or merging; `false` when there is nothing to do. With `all`, a day's parts are merged
/// whatever their sizes.
pub(crate) fn tidy_step(engine: &Engine, all: bool) -> Result<bool, StoreError> {
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
