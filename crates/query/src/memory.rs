//! Sources that keep everything in memory: the plain references that engines are tested on and `store` is checked
//! against. They answer exactly what the ports in `model::scan` promise and nothing faster.

mod logs;
mod metrics;
mod spans;

pub use logs::MemoryLogs;
pub use metrics::MemoryMetrics;
pub use spans::MemorySpans;
