//! Plans and executes PromQL, LogQL and TraceQL over the store.
