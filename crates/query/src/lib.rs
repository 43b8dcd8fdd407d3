//! Plans and executes PromQL, LogQL and TraceQL over the store.

pub mod jaeger;
pub mod logql;
pub mod memory;
pub mod promql;
mod spans;
pub mod template;
pub mod traceql;
