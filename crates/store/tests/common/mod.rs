//! What the store's tests share: a store on a simulated disk, driven by hand.
#![allow(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use platform::metrics::Registry;
use platform::{SimClock, SimDisk};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use store::{Store, StoreError, StoreOptions, Threads};

/// 2026-01-01T00:00:00Z in milliseconds.
pub const T0_MS: i64 = 1_767_225_600_000;

/// Options for a store without threads and without a disk reserve.
pub fn options() -> StoreOptions {
    StoreOptions { threads: Threads::None, disk_reserve_bytes: 0, ..StoreOptions::default() }
}

/// Opens a store on `disk`.
pub fn open(disk: &SimDisk, options: StoreOptions) -> Result<Store, StoreError> {
    let clock = Arc::new(SimClock::at((T0_MS + 3_600_000) * 1_000_000));
    Store::open(Arc::new(disk.clone()), clock, &Registry::default(), options)
}

/// The value of a future that is ready at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store has no threads, so every answer is ready"),
    }
}
