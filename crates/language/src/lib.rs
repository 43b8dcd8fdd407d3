//! Parsers only: PromQL, LogQL, TraceQL. Total functions that return a tree and errors with positions.

pub mod logql;
pub mod promql;
pub mod template;
pub mod traceql;
