//! Wall and monotonic time. Simulation moves a [`SimClock`] by hand, backwards too.
#![allow(clippy::disallowed_methods, reason = "this is the door to the clock")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that many tasks share.
pub type SharedClock = Arc<dyn Clock>;

/// Reads time.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since the epoch; may jump.
    fn now_ns(&self) -> i64;
    /// Nanoseconds since an arbitrary start; never goes back.
    fn monotonic_ns(&self) -> u64;

    /// Milliseconds since the epoch; may jump.
    fn now_ms(&self) -> i64 {
        self.now_ns().div_euclid(1_000_000)
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct RealClock {
    start: Instant,
}

impl Default for RealClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for RealClock {
    fn now_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until told otherwise.
#[derive(Debug, Default)]
pub struct SimClock {
    wall_ns: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl SimClock {
    /// A clock that reads `now_ns`.
    #[must_use]
    pub fn at(now_ns: i64) -> Self {
        Self { wall_ns: AtomicI64::new(now_ns), monotonic_ns: AtomicU64::new(0) }
    }

    /// Lets `by_ns` pass on both clocks.
    pub fn advance(&self, by_ns: u64) {
        self.monotonic_ns.fetch_add(by_ns, Ordering::SeqCst);
        self.jump(i64::try_from(by_ns).unwrap_or(i64::MAX));
    }

    /// Moves only the wall clock, as an administrator or NTP would.
    pub fn jump(&self, by_ns: i64) {
        self.wall_ns.fetch_add(by_ns, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::SeqCst)
    }
}
