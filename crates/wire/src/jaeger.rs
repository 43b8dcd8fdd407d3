//! Jaeger: thrift in, API v2 messages and the UI's v1 JSON both ways. Its API v3 is OTLP.
//!
//! API v2's messages are the middle: thrift and JSON are other spellings of them, and one mapping joins them with spans.
//! Source: the public protocol files of jaeger-idl.

pub mod api_v2;
mod from_spans;
mod json;
mod thrift;
mod to_spans;

pub use from_spans::encode_api_v2;
pub use json::{trace_to_v1_json, v1_json_to_spans};
pub use thrift::decode_thrift_binary_batch;
pub use to_spans::decode_api_v2;

/// The tag that carries a span's kind.
const SPAN_KIND: &str = "span.kind";
/// The tag that says a span failed.
const ERROR: &str = "error";
/// The tag that carries OTLP's status.
const STATUS_CODE: &str = "otel.status_code";
/// The tag that carries OTLP's status message.
const STATUS_DESCRIPTION: &str = "otel.status_description";
/// The tag that carries the scope's name.
const SCOPE_NAME: &str = "otel.scope.name";
/// The tag that carries the scope's version.
const SCOPE_VERSION: &str = "otel.scope.version";
/// The tag that carries the W3C trace state.
const TRACE_STATE: &str = "w3c.tracestate";
/// The link attribute that tells `child_of` from `follows_from`.
const REF_TYPE: &str = "opentracing.ref_type";
/// The log field that names an event.
const EVENT: &str = "event";
