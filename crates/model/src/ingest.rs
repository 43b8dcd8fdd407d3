//! What a door gets back when it hands a batch on: what was taken, what was refused and whether to try again.

use crate::log::LogBatch;
use crate::metric::MetricBatch;
use crate::span::SpanBatch;
use crate::tenant::Tenant;
use std::future::Future;
use std::pin::Pin;

/// The batch is durable (or, in interval mode, as durable as configured); some records may have been rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records taken, resends included.
    pub records: u64,
    /// Records that can never be taken as they are.
    pub rejected: u64,
    /// First reasons of rejection, at most [`REASONS_MAX`], in the words a user can act on.
    pub reasons: Vec<String>,
}

/// Why a series is rejected whose labels are none: no name, a name twice, invalid UTF-8, too many.
pub const LABELS_MALFORMED: &str = "a series has malformed labels";

/// How many reasons an answer carries.
pub const REASONS_MAX: usize = 10;

/// Nothing of the batch was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A queue or memory limit is reached; nothing is lost if the client sends again.
    #[error("{what} is full: send again in {retry_after_s} s")]
    Full {
        /// The named limit.
        what: &'static str,
        /// Hint for `Retry-After` and gRPC `RetryInfo`.
        retry_after_s: u32,
    },
    /// The disk cannot take it: full, unwritable or failing.
    #[error("cannot write to the data directory: {0}")]
    Storage(String),
    /// The process is stopping.
    #[error("shutting down: send again to another instance or after the restart")]
    Stopping,
    /// The whole batch is unacceptable and a retry would not help.
    #[error("{0}")]
    Invalid(String),
}

/// A boxed future, so that the port below can be a trait object.
pub type Answer = Pin<Box<dyn Future<Output = Result<Accepted, Refusal>> + Send>>;

/// Where doors hand batches: `binnacle` passes one in, made of topology and store.
///
/// The call does a batch's work, so a large one is handed over where it may take its time; the future only waits for the
/// answer, which comes when the batch is durable. A full pipeline refuses at once; it never makes a door wait.
pub trait Ingest: Send + Sync + 'static {
    /// Takes samples, exemplars and metadata.
    fn metrics(&self, tenant: &Tenant, batch: MetricBatch) -> Answer;
    /// Takes log records.
    fn logs(&self, tenant: &Tenant, batch: LogBatch) -> Answer;
    /// Takes spans.
    fn spans(&self, tenant: &Tenant, batch: SpanBatch) -> Answer;
}
