//! Malformed input on every door of the real binary: the peer's own status and shape, nothing lost, no panic, bounded
//! memory. Statuses and words were compared with Prometheus 3, Loki 3 and Jaeger 2.

#[path = "doors_malformed/bodies.rs"]
mod bodies;
#[path = "doors_malformed/bytes.rs"]
mod bytes;
mod common;
#[path = "doors_malformed/grpc.rs"]
mod grpc;
#[path = "doors_malformed/query.rs"]
mod query;
#[path = "doors_malformed/witness.rs"]
mod witness;
#[path = "doors_malformed/write.rs"]
mod write;
