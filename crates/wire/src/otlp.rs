//! OTLP (opentelemetry.io/docs/specs/otlp): traces, logs and metrics, protobuf and JSON, in and out.
//!
//! The decoders take the request message's bytes, so that nothing is built in between: a gRPC service hands over the
//! message as raw bytes (a codec of `bytes::Bytes`) with [`Format::Protobuf`]. JSON is transcoded to protobuf by one
//! table first, so each signal has one decoder.

mod attributes;
mod delta;
mod encode;
pub(crate) mod json;
mod logs;
mod metrics;
mod names;
mod native;
mod points;
pub(crate) mod schema;
mod traces;

use crate::WireError;
use crate::limits::BODY_BYTES_MAX;
use std::borrow::Cow;

pub use attributes::plain_json;
pub use delta::DeltaState;
pub(crate) use encode::encode_trace_as;
pub use encode::{encode_trace, encode_trace_json};
pub use logs::decode_logs;
pub use metrics::{MetricsTranslation, decode_metrics};
pub use names::TranslationStrategy;
pub use traces::decode_traces;

/// How an OTLP message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// The protobuf form of a request body.
fn protobuf<'a>(
    body: &'a [u8],
    format: Format,
    message: &'static schema::Message,
) -> Result<Cow<'a, [u8]>, WireError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(WireError::TooLarge { what: "request in bytes", limit: BODY_BYTES_MAX });
    }
    match format {
        Format::Protobuf => Ok(Cow::Borrowed(body)),
        Format::Json => json::to_protobuf(message, body).map(Cow::Owned),
    }
}
