//! What all doors share: where batches go, the limits, the clock, and the state that OTLP's deltas need.

use crate::budget::Budget;
use crate::fault::{Fault, RETRY_AFTER_SECONDS};
use model::Tenant;
use model::ingest::Ingest;
use platform::SharedClock;
use platform::metrics::Registry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use wire::otlp::{DeltaState, MetricsTranslation};

/// Largest body of one request as it is sent.
pub const REQUEST_BYTES_MAX: usize = 32 << 20;
/// Largest body of one request after decompression.
pub const DECODED_BYTES_MAX: usize = 64 << 20;
/// Bytes of all requests that are being received, decoded and written at one time.
pub const IN_FLIGHT_BYTES_MAX: usize = 256 << 20;
/// Longest a body may take to arrive.
pub const BODY_READ_SECONDS_MAX: u64 = 30;
/// Series of one tenant that may arrive as deltas; the least recently seen is forgotten first.
pub const DELTA_STREAMS_MAX: usize = 200_000;
/// Tenants that may send OTLP metrics to one process.
pub const DELTA_TENANTS_MAX: usize = 4_096;
/// Large or compressed requests that are decoded at one time.
pub const DECODERS_MAX: usize = 4;
/// What Jaeger samples when nothing else is configured: one trace in a thousand.
pub const SAMPLING_PROBABILITY: f64 = 0.001;

/// Limits and choices of the doors; every default is a named constant.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// See [`REQUEST_BYTES_MAX`].
    pub request_bytes_max: usize,
    /// See [`DECODED_BYTES_MAX`].
    pub decoded_bytes_max: usize,
    /// See [`IN_FLIGHT_BYTES_MAX`].
    pub in_flight_bytes_max: usize,
    /// See [`BODY_READ_SECONDS_MAX`].
    pub body_read_seconds_max: u64,
    /// See [`DELTA_STREAMS_MAX`].
    pub delta_streams_max: usize,
    /// The rate answered to Jaeger clients that ask for a sampling strategy, 0 to 1.
    pub sampling_probability: f64,
    /// How OTLP metrics become series.
    pub translation: MetricsTranslation,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self {
            request_bytes_max: REQUEST_BYTES_MAX,
            decoded_bytes_max: DECODED_BYTES_MAX,
            in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
            body_read_seconds_max: BODY_READ_SECONDS_MAX,
            delta_streams_max: DELTA_STREAMS_MAX,
            sampling_probability: SAMPLING_PROBABILITY,
            translation: MetricsTranslation::default(),
        }
    }
}

/// Shared by every door; cheap to clone.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

struct Inner {
    ingest: Arc<dyn Ingest>,
    clock: SharedClock,
    registry: Registry,
    options: ReceiverOptions,
    budget: Budget,
    decoders: Semaphore,
    deltas: Mutex<HashMap<Tenant, DeltaState>>,
}

impl Receiver {
    /// Doors that hand their batches to `ingest`.
    #[must_use]
    pub fn new(
        ingest: Arc<dyn Ingest>,
        clock: SharedClock,
        registry: Registry,
        options: ReceiverOptions,
    ) -> Self {
        let gauge =
            registry.gauge("binnacle_receive_in_flight_bytes", "", "Request bytes in memory over all doors.");
        let budget = Budget::new(options.in_flight_bytes_max, gauge);
        let decoders = Semaphore::new(DECODERS_MAX);
        Self(Arc::new(Inner { ingest, clock, registry, options, budget, decoders, deltas: Mutex::default() }))
    }

    pub(super) fn ingest(&self) -> &dyn Ingest {
        &*self.0.ingest
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(super) fn options(&self) -> &ReceiverOptions {
        &self.0.options
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    pub(super) fn decoders(&self) -> &Semaphore {
        &self.0.decoders
    }

    pub(super) fn now_ns(&self) -> i64 {
        self.0.clock.now_ns()
    }

    /// Runs `work` with the running totals of `tenant`'s delta streams.
    pub(super) fn with_deltas<T>(
        &self,
        tenant: &Tenant,
        work: impl FnOnce(&mut DeltaState) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut tenants = self.0.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = tenants.get_mut(tenant) {
            return work(state);
        }
        if tenants.len() >= DELTA_TENANTS_MAX {
            let what = "the table of tenants that send OTLP metrics";
            return Err(Fault::Full { what, retry_after_s: RETRY_AFTER_SECONDS });
        }
        work(
            tenants
                .entry(tenant.clone())
                .or_insert_with(|| DeltaState::new(self.0.options.delta_streams_max)),
        )
    }
}
