//! The doors to ask through: Prometheus, Loki, Tempo, Jaeger, Zipkin and Binnacle's own API, and the embedded UI.
//!
//! Each door is a module with a `router(State)` at the peer's own paths; `binnacle` binds sockets and merges routers.
//! A door reads parameters, runs an engine of `query` on a blocking thread under a budget, and prints the answer in
//! the peer's words. It never computes what an engine could: what the UI shows, the API and the command line can ask.

pub mod api;
mod body;
mod call;
#[cfg(test)]
mod contract;
mod gate;
pub mod jaeger;
mod live;
pub mod loki;
mod number;
pub mod ports;
pub mod prometheus;
mod rpc;
mod state;
pub mod tempo;
mod time;
pub mod ui;
pub mod zipkin;

pub use gate::{Gate, GateLimits};
pub use live::LiveLogs;
pub use state::State;
