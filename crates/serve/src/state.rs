//! What every door holds: the sources, the live graph, the query gate and the ports to the rest of the process.

use crate::gate::Gate;
use crate::live::LiveLogs;
use crate::ports::{ChangeLog, Process, Targets};
use model::scan::{LogSource, MetricSource, SpanSource};
use platform::SharedClock;
use std::sync::Arc;
use topology::Topology;

/// Shared by all doors; cheap to clone.
#[derive(Clone)]
pub struct State {
    /// Samples.
    pub metrics: Arc<dyn MetricSource>,
    /// Log records.
    pub logs: Arc<dyn LogSource>,
    /// Spans.
    pub spans: Arc<dyn SpanSource>,
    /// Services as spans show them.
    pub topology: Topology,
    /// Change records.
    pub changes: Arc<dyn ChangeLog>,
    /// What is scraped.
    pub targets: Arc<dyn Targets>,
    /// The process itself.
    pub process: Arc<dyn Process>,
    /// Log records as they are accepted, for tailing.
    pub live: LiveLogs,
    /// Where queries queue.
    pub gate: Gate,
    /// How far back PromQL looks for a sample, milliseconds; a caller may ask for another.
    pub lookback_ms: i64,
    /// The time.
    pub clock: SharedClock,
}
