//! Contract tests: every call of every door over a real loopback server, real engines and in-memory sources. A case is
//! a request and the part of the answer that its clients rely on.

mod jaeger;
mod loki;
mod own;
mod prometheus;
mod server;
mod tempo;
mod ui;
mod world;
mod zipkin;
