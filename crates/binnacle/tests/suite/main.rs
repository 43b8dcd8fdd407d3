//! The real binary as its users meet it: one program of tests, so that it is linked once.
#![allow(clippy::expect_used, reason = "tests and their helpers fail by panicking")]

mod common;
mod doors_idle;
mod doors_malformed;
mod kill;
mod like_prometheus;
mod process;
mod snapshot;
