//! Where every query waits its turn and runs: a bounded queue, a blocking thread, a budget with a timer.
//!
//! A query queues until a slot is free; only a full queue refuses. Its budget is cancelled when the client goes away
//! and timed out by the timer here; the slot is given back when the thread is really done, not when the client left.

use model::scan::Budget;
use platform::metrics::{Counter, Gauge, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long after its time-out a query may take to notice, before the door answers without it.
const NOTICE_MS_MAX: u64 = 2_000;

/// The limits of a [`Gate`].
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Queries that run at the same time.
    pub queries_running_max: usize,
    /// Queries that wait for a slot; one more is refused.
    pub queries_waiting_max: usize,
    /// Longest a query may wait and run, milliseconds; a client may ask for less.
    pub query_timeout_ms: u64,
    /// Most samples, lines or spans one query may read; 0 is unlimited.
    pub query_records_max: u64,
}

impl Default for GateLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            queries_running_max: (2 * cores).max(4),
            queries_waiting_max: 4_096,
            query_timeout_ms: 120_000,
            query_records_max: 1_000_000_000,
        }
    }
}

/// Why a query did not get to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RunError {
    /// The queue is full.
    #[error(
        "too many queries are waiting: the queue holds {0}; send again later or raise queries_waiting_max"
    )]
    QueueFull(usize),
    /// Its time was up while it waited or ran.
    #[error("query timed out after {0} ms")]
    TimedOut(u64),
    /// Its thread panicked, or the server stops.
    #[error("query was lost: see the server's log")]
    Lost,
}

/// Admits queries; clones share the queue.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: GateLimits,
    slots: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    running_now: Gauge,
    waiting_now: Gauge,
    total: Counter,
    timeouts: Counter,
    refused: Counter,
}

/// Cancels the budget when the request is dropped, and leaves it alone once the query is done.
struct CancelOnDrop(Arc<Budget>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// One place in the queue, given back on drop.
struct Waiting<'a>(&'a Gate);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.waiting_now.add(-1);
    }
}

impl Gate {
    /// An empty queue that counts in `registry`.
    #[must_use]
    pub fn new(limits: GateLimits, registry: &Registry) -> Self {
        Self {
            limits,
            slots: Arc::new(Semaphore::new(limits.queries_running_max)),
            waiting: Arc::default(),
            running_now: registry.gauge("binnacle_queries_running", "", "Queries running now."),
            waiting_now: registry.gauge("binnacle_queries_waiting", "", "Queries waiting for a slot."),
            total: registry.counter("binnacle_queries_total", "", "Queries admitted."),
            timeouts: registry.counter("binnacle_queries_timed_out_total", "", "Queries out of time."),
            refused: registry.counter(
                "binnacle_queries_refused_total",
                "",
                "Queries refused by a full queue.",
            ),
        }
    }

    /// Runs `work` on a blocking thread when its turn comes. `timeout` shortens the configured one.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        timeout: Option<Duration>,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, RunError> {
        let most = Duration::from_millis(self.limits.query_timeout_ms);
        let timeout = timeout.map_or(most, |asked| asked.min(most));
        let timed_out = || {
            self.timeouts.inc();
            RunError::TimedOut(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
        };
        let deadline = tokio::time::Instant::now() + timeout;
        let slot = tokio::time::timeout_at(deadline, self.slot()).await.map_err(|_| timed_out())??;
        self.total.inc();
        let budget = Arc::new(Budget::new(self.limits.query_records_max));
        let _guard = CancelOnDrop(budget.clone());
        let query =
            platform::task::blocking(name, in_slot(slot, self.running_now.clone(), budget.clone(), work));
        tokio::pin!(query);
        tokio::select! {
            done = &mut query => return done.ok_or(RunError::Lost),
            () = tokio::time::sleep_until(deadline) => budget.time_out(),
        }
        let notice = Duration::from_millis(NOTICE_MS_MAX);
        match tokio::time::timeout(notice, query).await {
            Ok(done) => {
                self.timeouts.inc();
                done.ok_or(RunError::Lost)
            }
            Err(_) => Err(timed_out()),
        }
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, RunError> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        self.waiting_now.add(1);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Waiting(self);
        if before >= self.limits.queries_waiting_max {
            self.refused.inc();
            return Err(RunError::QueueFull(self.limits.queries_waiting_max));
        }
        self.slots.clone().acquire_owned().await.map_err(|_| RunError::Lost)
    }
}

/// `work` as the blocking thread runs it: counted, and holding its slot to the end, a panic included.
fn in_slot<T>(
    slot: OwnedSemaphorePermit,
    running: Gauge,
    budget: Arc<Budget>,
    work: impl FnOnce(&Budget) -> T,
) -> impl FnOnce() -> T {
    move || {
        let _running = Running::new(running);
        let _slot = slot;
        work(&budget)
    }
}

/// Counts one running query until dropped.
struct Running(Gauge);

impl Running {
    fn new(gauge: Gauge) -> Self {
        gauge.add(1);
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ScanError;

    fn gate(running: usize, waiting: usize, timeout_ms: u64) -> (Gate, Registry) {
        let limits = GateLimits {
            queries_running_max: running,
            queries_waiting_max: waiting,
            query_timeout_ms: timeout_ms,
            query_records_max: 10,
        };
        let registry = Registry::default();
        (Gate::new(limits, &registry), registry)
    }

    /// Spends until the budget says no.
    fn spin(budget: &Budget) -> ScanError {
        loop {
            if let Err(error) = budget.spend(0) {
                return error;
            }
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn time_is_up_for_the_query_itself() {
        let (gate, _) = gate(1, 1, 50);
        assert_eq!(gate.run("test", None, spin).await, Ok(ScanError::Timeout));
        let short = Some(Duration::from_millis(1));
        assert_eq!(gate.run("test", short, spin).await, Ok(ScanError::Timeout));
    }

    #[tokio::test]
    async fn records_are_limited() {
        let (gate, _) = gate(1, 1, 1_000);
        let read = gate.run("test", None, |budget| budget.spend(11)).await;
        assert_eq!(read, Ok(Err(ScanError::TooMuch { what: "records", limit: 10 })));
    }

    #[tokio::test]
    async fn a_dropped_request_cancels_and_frees_its_slot() {
        let (gate, _) = gate(1, 1, 60_000);
        let (tell, told) = std::sync::mpsc::channel();
        let query = gate.run("test", None, move |budget| tell.send(spin(budget)));
        assert!(tokio::time::timeout(Duration::from_millis(50), query).await.is_err());
        assert_eq!(gate.run("test", None, |_| 7).await, Ok(7));
        assert_eq!(told.recv(), Ok(ScanError::Canceled));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_free_one_waits() {
        let (gate, registry) = gate(1, 1, 300);
        let (first, second, third) = tokio::join!(
            gate.run("test", Some(Duration::from_millis(100)), spin),
            gate.run("test", None, |_| ScanError::Canceled),
            gate.run("test", None, |_| ScanError::Canceled),
        );
        assert_eq!(first, Ok(ScanError::Timeout));
        assert_eq!(second, Ok(ScanError::Canceled));
        assert_eq!(third, Err(RunError::QueueFull(1)));
        assert!(registry.render().contains("binnacle_queries_refused_total 1"));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_slot_comes_back() {
        let (gate, _) = gate(1, 1, 1_000);
        let lost: Result<(), _> = gate.run("test", None, |_| panic!("on purpose")).await;
        assert_eq!(lost, Err(RunError::Lost));
        assert_eq!(gate.run("test", None, |_| 1).await, Ok(1));
    }
}
