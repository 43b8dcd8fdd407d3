//! Malformed input on every door of the real binary: the peer's own status and shape, nothing lost, no panic, bounded
//! memory. Statuses and words were compared with Prometheus 3, Loki 3 and Jaeger 2.

mod bodies;
mod bytes;
mod grpc;
mod query;
mod witness;
mod write;
