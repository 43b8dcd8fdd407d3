//! Bytes to nouns and back: every protocol the ecosystem's clients speak, as pure functions.
//!
//! A decoder takes a request body and returns a batch of `model`'s nouns; an encoder takes a batch and returns a body.
//! Nothing here does I/O, waits, spawns or reads a clock: where a protocol needs the current time, it is a parameter.
//! Every decoder is total: any bytes give a batch or a [`WireError`], within the limits named in [`limits`].
//!
//! Bodies are passed as they were received, except for the HTTP `Content-Encoding`, which the door undoes with
//! [`compress`]; a compression that is part of the protocol itself (snappy of remote write and Loki push) is undone here.

mod arena;
pub mod compress;
mod error;
pub mod jaeger;
pub mod limits;
pub mod loki;
pub mod otlp;
pub mod prometheus;
pub mod proto;
mod spans;
pub mod tempo;
pub mod zipkin;

pub use error::{Decoded, WireError};
