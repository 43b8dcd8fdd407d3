//! Plans and executes PromQL, LogQL and TraceQL over the store.

pub mod jaeger;
pub mod logql;
pub mod promql;
pub mod traceql;
