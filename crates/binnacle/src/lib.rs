//! Configuration, the pipeline, sockets and shutdown of the one process.
//!
//! Doors (`receive`, `serve`) and engines (`store`, `query`, `topology`) know nothing of one another; here they are put
//! together. Nothing here speaks a protocol.

mod admin;
pub mod config;
pub mod demo;
mod doors;
mod holder;
mod pipeline;
mod ports;
mod reload;
mod routes;
mod scrape;
mod up;
mod web;

pub use pipeline::Pipeline;
pub use up::{StartError, check_config, run};
