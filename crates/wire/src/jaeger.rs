//! Jaeger: thrift in, API v2 messages and the UI's v1 JSON both ways. Its API v3 is OTLP.
use crate::WireError;
use model::SpanBatch;
pub mod api_v2;
/// x
pub fn decode_thrift_binary_batch(_body: &[u8]) -> Result<SpanBatch, WireError> {
    Err(WireError::Unsupported("x".into()))
}
/// x
pub fn decode_api_v2(_batch: &api_v2::Batch) -> Result<SpanBatch, WireError> {
    Err(WireError::Unsupported("x".into()))
}
/// Each span carries its process.
pub fn encode_api_v2(_batch: &SpanBatch) -> Vec<api_v2::Span> {
    Vec::new()
}
/// One `{"traceID", "spans", "processes", "warnings"}`; the batch holds one trace.
pub fn trace_to_v1_json(_batch: &SpanBatch) -> serde_json::Value {
    serde_json::Value::Null
}
/// x
pub fn v1_json_to_spans(_body: &[u8]) -> Result<SpanBatch, WireError> {
    Err(WireError::Unsupported("x".into()))
}
