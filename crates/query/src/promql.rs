//! PromQL over a [`MetricSource`]: parse, plan, evaluate series by series, answer with warnings and completeness.
//!
//! The engine reads no clock and starts no task; cancellation, time and sample limits come in as a [`Budget`]. It never
//! writes, and keeps nothing between queries.

pub mod answer;

pub use answer::{PromAnswer, PromError, PromErrorKind, PromValue, Sample, SampleValue, Series};

use model::Tenant;
use model::scan::{Budget, MetricSource};

/// What a query may use and how it behaves. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryOptions {
    /// How far back an instant selector looks for a sample.
    pub lookback_ms: i64,
    /// Most samples the answer and one intermediate result may hold at a time.
    pub samples_max: u64,
    /// Step of a subquery that names none.
    pub subquery_step_ms: i64,
    /// Whether metric names are dropped at the end of the query instead of by each operation.
    pub delayed_name_removal: bool,
    /// Whether `__type__` and `__unit__` are part of the metric's identity.
    pub type_and_unit_labels: bool,
    /// Whether `rate` and its kin use the samples' start timestamps.
    pub start_timestamps: bool,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            samples_max: 50_000_000,
            subquery_step_ms: 60_000,
            delayed_name_removal: false,
            type_and_unit_labels: false,
            start_timestamps: false,
        }
    }
}

/// Evaluates queries. Stateless; one value serves every tenant and thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engine;

impl Engine {
    /// The value of `query` at `ts_ms`.
    ///
    /// # Errors
    /// `BadData` for a query that does not parse, `Execution` for one that cannot be evaluated on this data,
    /// `Canceled` or `Timeout` when `budget` says so, `Internal` when the source fails.
    pub fn instant(
        &self,
        source: &dyn MetricSource,
        tenant: &Tenant,
        query: &str,
        ts_ms: i64,
        options: &QueryOptions,
        budget: &Budget,
    ) -> Result<PromAnswer, PromError> {
        let _ = (source, tenant, ts_ms, options, budget);
        Err(PromError::new(PromErrorKind::Internal, query))
    }

    /// The values of `query` at every `step_ms` from `start_ms` to `end_ms`, both inclusive; always a matrix.
    ///
    /// # Errors
    /// As [`instant`](Self::instant); also for queries that are no scalar and no instant vector.
    #[expect(clippy::too_many_arguments, reason = "the three times are one range, spelled as the HTTP API does")]
    pub fn range(
        &self,
        source: &dyn MetricSource,
        tenant: &Tenant,
        query: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &QueryOptions,
        budget: &Budget,
    ) -> Result<PromAnswer, PromError> {
        let _ = (source, tenant, start_ms, end_ms, step_ms, options, budget);
        Err(PromError::new(PromErrorKind::Internal, query))
    }
}
