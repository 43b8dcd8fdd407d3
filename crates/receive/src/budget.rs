//! The bound on request bytes that are in memory at the same time, over all doors.
//!
//! A request counts what it has received, then what it unpacked to, until its batch was taken or refused. There is no
//! waiting: above the limit the request is refused at once, so that a burst costs retries and not memory. What one
//! request unpacks to is bounded by its own limit and counted when it is done; few unpack at the same time.

use platform::metrics::Gauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many request bytes may be in memory.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used_bytes: AtomicUsize,
    bytes_max: usize,
    gauge: Gauge,
}

/// The limit is reached; the request should be sent again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Budget {
    /// A budget of `bytes_max`, shown by `gauge`.
    #[must_use]
    pub fn new(bytes_max: usize, gauge: Gauge) -> Self {
        Self(Arc::new(Inner { used_bytes: AtomicUsize::new(0), bytes_max, gauge }))
    }

    /// A share of the budget that starts at nothing.
    pub(crate) fn hold(&self) -> Hold {
        Hold { budget: self.clone(), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> Result<(), Exhausted> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.0.bytes_max);
        let before = self.0.used_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        before.map_err(|_| Exhausted)?;
        self.0.gauge.add(i64::try_from(bytes).unwrap_or(i64::MAX));
        Ok(())
    }
}

/// A request's share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    budget: Budget,
    bytes: usize,
}

impl Hold {
    /// Counts `bytes` more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.0.used_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.budget.0.gauge.add(-i64::try_from(self.bytes).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back_and_the_limit_is_exact() {
        let gauge = Gauge::default();
        let budget = Budget::new(10, gauge.clone());
        let mut first = budget.hold();
        let mut second = budget.hold();
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(second.grow(5), Err(Exhausted));
        assert_eq!(second.grow(4), Ok(()));
        assert_eq!(gauge.get(), 10);
        drop(first);
        assert_eq!(second.grow(usize::MAX), Err(Exhausted));
        assert_eq!(second.grow(6), Ok(()));
        drop(second);
        assert_eq!(gauge.get(), 0);
    }
}
