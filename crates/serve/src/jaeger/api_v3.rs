//! Messages of Jaeger's gRPC API v3 (`jaeger.api_v3`), by the public field numbers of `query_service.proto`. Traces are
//! OTLP's own messages.

use prost::Message;
use std::collections::HashMap;
use wire::jaeger::api_v2::{Duration, Timestamp};

/// `GetTrace`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetTraceRequest {
    /// Hexadecimal.
    #[prost(string, tag = "1")]
    pub(crate) trace_id: String,
    /// Earliest start, a hint.
    #[prost(message, optional, tag = "2")]
    pub(crate) start_time: Option<Timestamp>,
    /// Latest start, a hint.
    #[prost(message, optional, tag = "3")]
    pub(crate) end_time: Option<Timestamp>,
    /// Without adjustments.
    #[prost(bool, tag = "4")]
    pub(crate) raw_traces: bool,
}

/// What to search.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TraceQueryParameters {
    /// Service, or empty.
    #[prost(string, tag = "1")]
    pub(crate) service_name: String,
    /// Operation, or empty.
    #[prost(string, tag = "2")]
    pub(crate) operation_name: String,
    /// Attributes that must be equal.
    #[prost(map = "string, string", tag = "3")]
    pub(crate) attributes: HashMap<String, String>,
    /// Earliest start; required.
    #[prost(message, optional, tag = "4")]
    pub(crate) start_time_min: Option<Timestamp>,
    /// Latest start; required.
    #[prost(message, optional, tag = "5")]
    pub(crate) start_time_max: Option<Timestamp>,
    /// Shortest.
    #[prost(message, optional, tag = "6")]
    pub(crate) duration_min: Option<Duration>,
    /// Longest.
    #[prost(message, optional, tag = "7")]
    pub(crate) duration_max: Option<Duration>,
    /// Most traces.
    #[prost(int32, tag = "8")]
    pub(crate) search_depth: i32,
    /// Without adjustments.
    #[prost(bool, tag = "9")]
    pub(crate) raw_traces: bool,
}

/// `FindTraces`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FindTracesRequest {
    /// What to search.
    #[prost(message, optional, tag = "1")]
    pub(crate) query: Option<TraceQueryParameters>,
}

/// `GetServices`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct GetServicesRequest {}

/// Answer of `GetServices`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetServicesResponse {
    /// Sorted names.
    #[prost(string, repeated, tag = "1")]
    pub(crate) services: Vec<String>,
}

/// `GetOperations`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetOperationsRequest {
    /// Service.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
    /// Kind, or empty for all.
    #[prost(string, tag = "2")]
    pub(crate) span_kind: String,
}

/// An operation.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Operation {
    /// Name.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// `server`, `client`, ...
    #[prost(string, tag = "2")]
    pub(crate) span_kind: String,
}

/// Answer of `GetOperations`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetOperationsResponse {
    /// Operations.
    #[prost(message, repeated, tag = "1")]
    pub(crate) operations: Vec<Operation>,
}
