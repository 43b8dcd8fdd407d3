//! What a TraceQL question carries and what its answer says: Tempo's nouns, owned, ready for a door to print.
//! Nothing here evaluates; a door never has to look into a span batch except for a whole trace.

use language::traceql::ParseError;
use model::id::{SpanId, TraceId};
use model::scan::{Completeness, ScanError};
use model::span::SpanBatch;
use std::collections::BTreeMap;

/// What stands for the root's service and name while no span without a parent has arrived.
pub const ROOT_NOT_RECEIVED: &str = "<root span not yet received>";

/// Why a TraceQL question has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TraceQlError {
    /// The query does not parse, is not valid or asks for something that is not there; the caller can fix it (400).
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A parameter beside the query is wrong (400).
    #[error("{0}")]
    BadRequest(String),
    /// The scan stopped.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

/// A value of a static type of TraceQL, as answers carry it.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrValue {
    /// The attribute is absent.
    Nil,
    /// Text; also statuses and kinds in their keyword form.
    Str(String),
    /// 64-bit integer.
    Int(i64),
    /// 64-bit float.
    Double(f64),
    /// Boolean.
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// An array; its elements are of one of the kinds above.
    Array(Vec<AttrValue>),
}

/// Which traces a search looks at and how much it shows. A trace is looked at when a span starts in `start_ns..end_ns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchParams {
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
    /// Most traces to answer (Tempo's default: 20).
    pub limit: usize,
    /// Most spans to show per span set, `spss` (Tempo's default: 3); 0 shows all.
    pub spans_per_set: usize,
}

/// Traces with a matching span set, newest start first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchAnswer {
    /// At most `limit` of them.
    pub traces: Vec<TraceSummary>,
    /// Whole traces the engine looked at.
    pub inspected_traces: u64,
    /// Spans of those traces.
    pub inspected_spans: u64,
    /// Whether all data was seen.
    pub completeness: Completeness,
}

/// One trace of a search answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceSummary {
    /// Its id.
    pub trace_id: TraceId,
    /// `service.name` of the root span, or [`ROOT_NOT_RECEIVED`].
    pub root_service_name: String,
    /// Name of the root span, or [`ROOT_NOT_RECEIVED`].
    pub root_trace_name: String,
    /// Earliest start, nanoseconds since the epoch.
    pub start_ns: i64,
    /// Latest end less earliest start, nanoseconds.
    pub duration_ns: i64,
    /// What matched; more than one after `by()`.
    pub span_sets: Vec<SpanSet>,
    /// Spans and failed spans per service, of the whole trace.
    pub service_stats: BTreeMap<String, ServiceStats>,
}

/// Of one service in one trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceStats {
    /// Spans.
    pub span_count: u32,
    /// Spans whose status is error.
    pub error_count: u32,
}

/// Spans that matched together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanSet {
    /// At most `spans_per_set`, by start time.
    pub spans: Vec<MatchedSpan>,
    /// How many matched in all.
    pub matched: u32,
    /// What `by()` grouped on and aggregates that were compared: `by(name)`, `count()`, ... with their value.
    pub attributes: Vec<(String, AttrValue)>,
}

/// A span of a span set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatchedSpan {
    /// Its id.
    pub span_id: SpanId,
    /// Its name; empty unless the query reads it.
    pub name: String,
    /// Nanoseconds since the epoch.
    pub start_ns: i64,
    /// Nanoseconds.
    pub duration_ns: i64,
    /// Attributes that the query's conditions or `select()` name, under their name without scope, those present.
    pub attributes: Vec<(String, AttrValue)>,
}

/// Over which time a metrics query runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsParams {
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
    /// Width of an interval in nanoseconds; ignored by an instant query.
    pub step_ns: i64,
    /// Most exemplars over all series; 0 for none.
    pub exemplars_max: usize,
    /// Most series; 0 is unlimited. What is cut is named in the answer's completeness.
    pub series_max: usize,
}

/// Series of a metrics query, sorted by labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsAnswer {
    /// One per group; an instant query gives each one sample.
    pub series: Vec<MetricSeries>,
    /// Spans looked at.
    pub inspected_spans: u64,
    /// Whole traces looked at.
    pub inspected_traces: u64,
    /// Whether all data was seen.
    pub completeness: Completeness,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricSeries {
    /// `__name__` when nothing was grouped, else the `by()` attributes as written (`span.http.path`), in query order;
    /// `__bucket` (seconds) for histograms, `p` for quantiles, `__meta_type` and `__meta_error` for `compare`.
    pub labels: Vec<(String, AttrValue)>,
    /// End of the interval in milliseconds since the epoch and the value; intervals without a value are left out.
    pub samples: Vec<(i64, f64)>,
    /// Example spans.
    pub exemplars: Vec<SeriesExemplar>,
}

impl MetricSeries {
    /// The labels as Prometheus prints them, `{name="value", ...}`: Tempo's `promLabels`.
    #[must_use]
    pub fn prom_labels(&self) -> String {
        super::format::prom_labels(&self.labels)
    }
}

/// A span that stands for others of its series and interval.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplar {
    /// `trace:id` first.
    pub labels: Vec<(String, AttrValue)>,
    /// Seconds for durations, NaN for counts, else the attribute's value.
    pub value: f64,
    /// The span's start, milliseconds since the epoch.
    pub ts_ms: i64,
}

/// A whole trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceAnswer {
    /// Its spans by (start, span id); `None` when there is none.
    pub trace: Option<SpanBatch>,
    /// Whether all data was seen.
    pub completeness: Completeness,
}

/// Where a tag stands: an attribute scope, or TraceQL's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagScope {
    /// Attribute of the resource.
    Resource,
    /// Attribute of the span.
    Span,
    /// Attribute of an event.
    Event,
    /// Attribute of a link.
    Link,
    /// Attribute of the instrumentation library.
    Instrumentation,
    /// `name`, `duration`, `trace:rootName`, ...
    Intrinsic,
}

/// What tags are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagsParams {
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
    /// Only tags of this scope.
    pub scope: Option<TagScope>,
    /// Only tags (or values) of spans that match this span filter; empty or `{}` for all.
    pub query: String,
    /// Most tags per scope, or most values; 0 is unlimited.
    pub limit: usize,
}

/// Tag names per scope, each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagsAnswer {
    /// Scopes with at least one tag.
    pub scopes: Vec<(TagScope, Vec<String>)>,
    /// Whether all data was seen.
    pub completeness: Completeness,
}

/// One value of a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagValue {
    /// Tempo's type name: `string`, `int`, `float`, `bool`, `duration` or `keyword`.
    pub kind: &'static str,
    /// As text.
    pub value: String,
}

/// Values of one tag, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagValuesAnswer {
    /// Distinct values.
    pub values: Vec<TagValue>,
    /// Whether all data was seen.
    pub completeness: Completeness,
}

impl std::fmt::Display for AttrValue {
    /// As a tag value: texts bare, durations as seconds in TraceQL's own form.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Str(text) => f.write_str(text),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Duration(ns) => f.write_str(&language::traceql::duration(*ns)),
            Self::Array(values) => {
                f.write_str("[")?;
                for (at, value) in values.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}
