//! Doors that telemetry comes in by, and the scraper that goes and fetches it.
//!
//! A door is one row of a table ([`door`]): where it is, how its body is decoded, how it answers. What all doors share
//! is written once: the tenant, the size limits, the bound on bytes in flight, the counters. A door hands batches to a
//! [`model::ingest::Ingest`] and passes its answer on. Nothing here keeps telemetry, waits for a queue, or knows what
//! becomes of a batch: a full pipeline is an answer with a retry hint.
//!
//! [`auth`] and [`listen`] stand around every door of the process, also those of `serve`.

pub mod auth;
mod budget;
pub mod door;
mod fault;
mod grpc;
pub mod listen;
pub mod scrape;
pub mod status;
pub mod tls;
pub mod yaml;

pub use budget::Budget;
pub use door::{Receiver, ReceiverOptions};
