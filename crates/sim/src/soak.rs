//! The soak: real requests go through the doors, the store and the query engines of one process on a simulated disk and
//! clock, while faults happen to it. What was acknowledged is written down in a [`ledger`] and compared with what the
//! three query languages answer, after every fault and at the end; so is what a restored snapshot answers, and what
//! retention drops.
//!
//! A run is a function of its seed: a failure names seed and step, and the same seed fails again.

mod answers;
mod fault;
mod ledger;
mod load;
mod machine;
mod retention;
mod voyage;

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps of one run; a longer soak is several runs, each with the next seed and an empty disk, so that checks of all
/// there is stay quick.
pub const RUN_STEPS: u64 = 500;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Faults that happened.
    pub faults: u64,
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were refused, with a reason.
    pub refused: u64,
    /// Acknowledged requests that had been sent before.
    pub resent: u64,
    /// Comparisons of all answers with the ledger.
    pub checks: u64,
    /// Acknowledged samples, lines, spans and changes that retention did not drop.
    pub records: [u64; 4],
    /// Records that retention dropped.
    pub dropped: u64,
    /// Snapshots that were restored and compared with the ledger of their time.
    pub restored: u64,
    /// A digest of the disk at the end: equal for equal runs.
    pub digest: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            steps,
            faults,
            acknowledged,
            refused,
            resent,
            checks,
            records,
            dropped,
            restored,
            ..
        } = self;
        let [samples, lines, spans, changes] = records;
        write!(
            f,
            "seed {seed}: {steps} steps, {faults} faults, {acknowledged} requests acknowledged ({resent} on a resend), \
             {refused} refused, {checks} checks of {samples} samples, {lines} lines, {spans} spans, {changes} changes, \
             {dropped} dropped by retention, {restored} snapshots restored"
        )
    }
}

/// Where and why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} failed at step {step}: {what}")]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// The step that found it.
    pub step: u64,
    /// What is wrong.
    pub what: String,
}

/// Runs `steps` steps from `seed`.
///
/// # Errors
/// The first thing that is not as it must be; a panic is one.
pub fn run(seed: u64, steps: u64) -> Result<Summary, Failure> {
    let step = Cell::new(0);
    let fail = |what| Failure { seed, step: step.get(), what };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| fail(format!("no runtime: {error}")))?;
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(voyage::sail(seed, steps, &step))));
    match outcome {
        Ok(result) => result.map_err(fail),
        Err(_) => Err(fail("it panicked; the message stands above".into())),
    }
}
