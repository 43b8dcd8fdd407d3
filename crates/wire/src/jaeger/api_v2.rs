//! Messages of Jaeger's gRPC API v2 (`jaeger.api_v2`), by the public field numbers of `model.proto`, `collector.proto`
//! and `query.proto`. Timestamps and durations are protobuf's well-known types.

use prost::{Enumeration, Message};

/// Decodes any of these messages.
///
/// # Errors
/// When the bytes are not such a message.
pub fn decode_message<M: Message + Default>(bytes: &[u8]) -> Result<M, crate::WireError> {
    M::decode(bytes).map_err(|error| crate::WireError::malformed(format!("protobuf: {error}")))
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Timestamp {
    /// Seconds since the epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds of the second.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Duration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest, of the same sign.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// Which value of a [`KeyValue`] is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum ValueType {
    /// `v_str`.
    String = 0,
    /// `v_bool`.
    Bool = 1,
    /// `v_int64`.
    Int64 = 2,
    /// `v_float64`.
    Float64 = 3,
    /// `v_binary`.
    Binary = 4,
}

/// A tag.
#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    /// Name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Which of the values counts.
    #[prost(enumeration = "ValueType", tag = "2")]
    pub v_type: i32,
    /// Text.
    #[prost(string, tag = "3")]
    pub v_str: String,
    /// Boolean.
    #[prost(bool, tag = "4")]
    pub v_bool: bool,
    /// Integer.
    #[prost(int64, tag = "5")]
    pub v_int64: i64,
    /// Float.
    #[prost(double, tag = "6")]
    pub v_float64: f64,
    /// Bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub v_binary: Vec<u8>,
}

/// An event inside a span.
#[derive(Clone, PartialEq, Message)]
pub struct Log {
    /// When.
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    /// What; by convention `event` names it.
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<KeyValue>,
}

/// Kind of a [`SpanRef`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum SpanRefType {
    /// The parent waits for the child.
    ChildOf = 0,
    /// It does not.
    FollowsFrom = 1,
}

/// A reference to another span.
#[derive(Clone, PartialEq, Message)]
pub struct SpanRef {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    /// Kind.
    #[prost(enumeration = "SpanRefType", tag = "3")]
    pub ref_type: i32,
}

/// What emitted a span.
#[derive(Clone, PartialEq, Message)]
pub struct Process {
    /// Service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// Everything else of the resource.
    #[prost(message, repeated, tag = "2")]
    pub tags: Vec<KeyValue>,
}

/// A span.
#[derive(Clone, PartialEq, Message)]
pub struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    /// Name.
    #[prost(string, tag = "3")]
    pub operation_name: String,
    /// Parent and links.
    #[prost(message, repeated, tag = "4")]
    pub references: Vec<SpanRef>,
    /// 1 sampled, 2 debug.
    #[prost(uint32, tag = "5")]
    pub flags: u32,
    /// Start.
    #[prost(message, optional, tag = "6")]
    pub start_time: Option<Timestamp>,
    /// Duration.
    #[prost(message, optional, tag = "7")]
    pub duration: Option<Duration>,
    /// Attributes.
    #[prost(message, repeated, tag = "8")]
    pub tags: Vec<KeyValue>,
    /// Events.
    #[prost(message, repeated, tag = "9")]
    pub logs: Vec<Log>,
    /// What emitted it; absent when the batch says it.
    #[prost(message, optional, tag = "10")]
    pub process: Option<Process>,
    /// Key into a trace's process map.
    #[prost(string, tag = "11")]
    pub process_id: String,
    /// Problems found when the span was adjusted.
    #[prost(string, repeated, tag = "12")]
    pub warnings: Vec<String>,
}

/// Spans of one process.
#[derive(Clone, PartialEq, Message)]
pub struct Batch {
    /// The spans.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<Span>,
    /// Their process, unless they name their own.
    #[prost(message, optional, tag = "2")]
    pub process: Option<Process>,
}

/// `CollectorService.PostSpans`.
#[derive(Clone, PartialEq, Message)]
pub struct PostSpansRequest {
    /// The spans.
    #[prost(message, optional, tag = "1")]
    pub batch: Option<Batch>,
}

/// Answer of `CollectorService.PostSpans`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct PostSpansResponse {}

/// `QueryService.GetTrace`.
#[derive(Clone, PartialEq, Message)]
pub struct GetTraceRequest {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// Earliest start, a hint.
    #[prost(message, optional, tag = "2")]
    pub start_time: Option<Timestamp>,
    /// Latest start, a hint.
    #[prost(message, optional, tag = "3")]
    pub end_time: Option<Timestamp>,
    /// Without adjustments.
    #[prost(bool, tag = "4")]
    pub raw_traces: bool,
}

/// A part of a streamed answer.
#[derive(Clone, PartialEq, Message)]
pub struct SpansResponseChunk {
    /// Spans with their processes.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<Span>,
}

/// `QueryService.ArchiveTrace`.
#[derive(Clone, PartialEq, Message)]
pub struct ArchiveTraceRequest {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// Earliest start, a hint.
    #[prost(message, optional, tag = "2")]
    pub start_time: Option<Timestamp>,
    /// Latest start, a hint.
    #[prost(message, optional, tag = "3")]
    pub end_time: Option<Timestamp>,
}

/// Answer of `QueryService.ArchiveTrace`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ArchiveTraceResponse {}

/// What to search.
#[derive(Clone, PartialEq, Message)]
pub struct TraceQueryParameters {
    /// Service; required.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// Operation, or empty.
    #[prost(string, tag = "2")]
    pub operation_name: String,
    /// Tags that must be equal.
    #[prost(map = "string, string", tag = "3")]
    pub tags: std::collections::HashMap<String, String>,
    /// Earliest start.
    #[prost(message, optional, tag = "4")]
    pub start_time_min: Option<Timestamp>,
    /// Latest start.
    #[prost(message, optional, tag = "5")]
    pub start_time_max: Option<Timestamp>,
    /// Shortest.
    #[prost(message, optional, tag = "6")]
    pub duration_min: Option<Duration>,
    /// Longest.
    #[prost(message, optional, tag = "7")]
    pub duration_max: Option<Duration>,
    /// Most traces.
    #[prost(int32, tag = "8")]
    pub search_depth: i32,
    /// Without adjustments.
    #[prost(bool, tag = "9")]
    pub raw_traces: bool,
}

/// `QueryService.FindTraces`.
#[derive(Clone, PartialEq, Message)]
pub struct FindTracesRequest {
    /// What to search.
    #[prost(message, optional, tag = "1")]
    pub query: Option<TraceQueryParameters>,
}

/// `QueryService.GetServices`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct GetServicesRequest {}

/// Answer of `QueryService.GetServices`.
#[derive(Clone, PartialEq, Message)]
pub struct GetServicesResponse {
    /// Sorted names.
    #[prost(string, repeated, tag = "1")]
    pub services: Vec<String>,
}

/// `QueryService.GetOperations`.
#[derive(Clone, PartialEq, Message)]
pub struct GetOperationsRequest {
    /// Service.
    #[prost(string, tag = "1")]
    pub service: String,
    /// Kind, or empty for all.
    #[prost(string, tag = "2")]
    pub span_kind: String,
}

/// An operation.
#[derive(Clone, PartialEq, Message)]
pub struct Operation {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// `server`, `client`, ...
    #[prost(string, tag = "2")]
    pub span_kind: String,
}

/// Answer of `QueryService.GetOperations`.
#[derive(Clone, PartialEq, Message)]
pub struct GetOperationsResponse {
    /// Deprecated by its protocol in favour of `operations`; still filled for old clients.
    #[prost(string, repeated, tag = "1")]
    pub operation_names: Vec<String>,
    /// Operations.
    #[prost(message, repeated, tag = "2")]
    pub operations: Vec<Operation>,
}

/// `QueryService.GetDependencies`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct GetDependenciesRequest {
    /// From.
    #[prost(message, optional, tag = "1")]
    pub start_time: Option<Timestamp>,
    /// To.
    #[prost(message, optional, tag = "2")]
    pub end_time: Option<Timestamp>,
}

/// Who calls whom.
#[derive(Clone, PartialEq, Message)]
pub struct DependencyLink {
    /// Caller.
    #[prost(string, tag = "1")]
    pub parent: String,
    /// Callee.
    #[prost(string, tag = "2")]
    pub child: String,
    /// Calls.
    #[prost(uint64, tag = "3")]
    pub call_count: u64,
    /// Where the link was learnt.
    #[prost(string, tag = "4")]
    pub source: String,
}

/// Answer of `QueryService.GetDependencies`.
#[derive(Clone, PartialEq, Message)]
pub struct GetDependenciesResponse {
    /// Links.
    #[prost(message, repeated, tag = "1")]
    pub dependencies: Vec<DependencyLink>,
}
