//! Configuration, the pipeline, sockets and shutdown of the one process.
//!
//! Doors (`receive`, `serve`) and engines (`store`, `query`, `topology`) know nothing of one another; here they are put
//! together. Nothing here speaks a protocol.

pub mod config;
