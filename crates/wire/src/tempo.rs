//! Tempo's protobuf answers (`tempopb`), by public field numbers. A trace in them is OTLP's.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::{Enumeration, Message};

/// A trace, as `/api/traces/{id}` answers.
#[derive(Clone, PartialEq, Message)]
pub struct Trace {
    /// OTLP's groups.
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

/// Whether a trace is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum PartialStatus {
    /// All that is stored.
    Complete = 0,
    /// A limit or damage left some out.
    Partial = 1,
}

/// Cost of a trace lookup.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct TraceByIdMetrics {
    /// Bytes read.
    #[prost(uint64, tag = "1")]
    pub inspected_bytes: u64,
}

/// `/api/v2/traces/{id}`.
#[derive(Clone, PartialEq, Message)]
pub struct TraceByIdResponse {
    /// The trace.
    #[prost(message, optional, tag = "1")]
    pub trace: Option<Trace>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<TraceByIdMetrics>,
    /// Whether it is whole.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// Why not.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// A span that a search found.
#[derive(Clone, PartialEq, Message)]
pub struct FoundSpan {
    /// Hex.
    #[prost(string, tag = "1")]
    pub span_id: String,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Nanoseconds since the epoch.
    #[prost(uint64, tag = "3")]
    pub start_time_unix_nano: u64,
    /// Nanoseconds.
    #[prost(uint64, tag = "4")]
    pub duration_nanos: u64,
    /// Selected attributes.
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<KeyValue>,
}

/// Spans of one trace that matched together.
#[derive(Clone, PartialEq, Message)]
pub struct SpanSet {
    /// At most `spss` of them.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<FoundSpan>,
    /// How many matched.
    #[prost(uint32, tag = "2")]
    pub matched: u32,
    /// Of `by()` and aggregates.
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
}

/// Spans per service.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ServiceStats {
    /// All.
    #[prost(uint32, tag = "1")]
    pub span_count: u32,
    /// Failed.
    #[prost(uint32, tag = "2")]
    pub error_count: u32,
}

/// A trace that a search found.
#[derive(Clone, PartialEq, Message)]
pub struct TraceSearchMetadata {
    /// Hex.
    #[prost(string, tag = "1")]
    pub trace_id: String,
    /// Service of the root.
    #[prost(string, tag = "2")]
    pub root_service_name: String,
    /// Name of the root.
    #[prost(string, tag = "3")]
    pub root_trace_name: String,
    /// Nanoseconds since the epoch.
    #[prost(uint64, tag = "4")]
    pub start_time_unix_nano: u64,
    /// Milliseconds.
    #[prost(uint32, tag = "5")]
    pub duration_ms: u32,
    /// First span set, for old clients.
    #[prost(message, optional, tag = "6")]
    pub span_set: Option<SpanSet>,
    /// All span sets.
    #[prost(message, repeated, tag = "7")]
    pub span_sets: Vec<SpanSet>,
    /// Spans per service.
    #[prost(map = "string, message", tag = "8")]
    pub service_stats: std::collections::HashMap<String, ServiceStats>,
}

/// Cost of a search.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct SearchMetrics {
    /// Traces looked at.
    #[prost(uint32, tag = "1")]
    pub inspected_traces: u32,
    /// Bytes read.
    #[prost(uint64, tag = "2")]
    pub inspected_bytes: u64,
    /// Blocks there are.
    #[prost(uint32, tag = "3")]
    pub total_blocks: u32,
    /// Parts of the search done.
    #[prost(uint32, tag = "4")]
    pub completed_jobs: u32,
    /// Parts of the search.
    #[prost(uint32, tag = "5")]
    pub total_jobs: u32,
    /// Bytes there are.
    #[prost(uint64, tag = "6")]
    pub total_block_bytes: u64,
    /// Spans looked at.
    #[prost(uint64, tag = "7")]
    pub inspected_spans: u64,
}

/// `/api/search`.
#[derive(Clone, PartialEq, Message)]
pub struct SearchResponse {
    /// Traces found.
    #[prost(message, repeated, tag = "1")]
    pub traces: Vec<TraceSearchMetadata>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
}

/// Cost of a list of tags or values.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct MetadataMetrics {
    /// Parts of the work.
    #[prost(uint32, tag = "2")]
    pub total_jobs: u32,
    /// Parts done.
    #[prost(uint32, tag = "3")]
    pub completed_jobs: u32,
}

/// `/api/search/tags`.
#[derive(Clone, PartialEq, Message)]
pub struct SearchTagsResponse {
    /// Names of all scopes together.
    #[prost(string, repeated, tag = "1")]
    pub tag_names: Vec<String>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// Tags of a scope.
#[derive(Clone, PartialEq, Message)]
pub struct TagsScope {
    /// `span`, `resource`, `intrinsic`, ...
    #[prost(string, tag = "1")]
    pub name: String,
    /// Names.
    #[prost(string, repeated, tag = "2")]
    pub tags: Vec<String>,
}

/// `/api/v2/search/tags`.
#[derive(Clone, PartialEq, Message)]
pub struct SearchTagsV2Response {
    /// Scopes with a tag.
    #[prost(message, repeated, tag = "1")]
    pub scopes: Vec<TagsScope>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// `/api/search/tag/{tag}/values`.
#[derive(Clone, PartialEq, Message)]
pub struct SearchTagValuesResponse {
    /// As text.
    #[prost(string, repeated, tag = "1")]
    pub tag_values: Vec<String>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// A value of a tag.
#[derive(Clone, PartialEq, Message)]
pub struct TagValue {
    /// `string`, `int`, `float`, `bool`, `duration` or `keyword`.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// As text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `/api/v2/search/tag/{tag}/values`.
#[derive(Clone, PartialEq, Message)]
pub struct SearchTagValuesV2Response {
    /// Values with their types.
    #[prost(message, repeated, tag = "1")]
    pub tag_values: Vec<TagValue>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// A point of a series.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since the epoch.
    #[prost(int64, tag = "2")]
    pub timestamp_ms: i64,
}

/// A span that stands for others of its series.
#[derive(Clone, PartialEq, Message)]
pub struct Exemplar {
    /// `trace:id` first.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<KeyValue>,
    /// The value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since the epoch.
    #[prost(int64, tag = "3")]
    pub timestamp_ms: i64,
}

/// A series over time.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Typed labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<KeyValue>,
    /// Oldest first.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// The labels as Prometheus prints them.
    #[prost(string, tag = "3")]
    pub prom_labels: String,
    /// Oldest first.
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<Exemplar>,
}

/// `/api/metrics/query_range`.
#[derive(Clone, PartialEq, Message)]
pub struct QueryRangeResponse {
    /// One per group.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<TimeSeries>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
    /// Whether all data was seen.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// Why not.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// A series at one instant.
#[derive(Clone, PartialEq, Message)]
pub struct InstantSeries {
    /// Typed labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<KeyValue>,
    /// The value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// The labels as Prometheus prints them.
    #[prost(string, tag = "3")]
    pub prom_labels: String,
}

/// `/api/metrics/query`.
#[derive(Clone, PartialEq, Message)]
pub struct QueryInstantResponse {
    /// One per group.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<InstantSeries>,
    /// Cost.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
    /// Whether all data was seen.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// Why not.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// `{"resourceSpans":[...]}` in protobuf's own JSON mapping, which Tempo's HTTP API uses: base64 ids, named
/// enumerations.
#[must_use]
pub fn encode_trace_json(batch: &model::SpanBatch) -> String {
    crate::otlp::encode_trace_as(batch, crate::otlp::json::Style::Protobuf)
}
