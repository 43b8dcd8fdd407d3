//! The messages of OTLP as a table: what JSON is transcoded by, in both directions.
//!
//! Source: the field numbers of opentelemetry-proto 1.x and the names of OTLP's JSON mapping.

use Kind::{
    Base64, Bool, Double, Enum, Fixed32, Fixed64, Hex, Int64, Message as Sub, Sint32, String as Str, Uint32,
    Uint64,
};

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its fields.
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    /// Protobuf number.
    pub(crate) number: u32,
    /// JSON name.
    pub(crate) name: &'static str,
    /// Type.
    pub(crate) kind: Kind,
    /// Whether it is a list.
    pub(crate) repeated: bool,
}

/// A field's type, which also says how JSON writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text.
    String,
    /// Bytes, base64 in JSON.
    Base64,
    /// A trace or span id, hexadecimal in OTLP's JSON.
    Hex,
    /// bool.
    Bool,
    /// int64; a decimal string in JSON.
    Int64,
    /// uint64; a decimal string in JSON.
    Uint64,
    /// uint32.
    Uint32,
    /// sint32.
    Sint32,
    /// fixed64; a decimal string in JSON.
    Fixed64,
    /// sfixed64; a decimal string in JSON.
    Sfixed64,
    /// fixed32.
    Fixed32,
    /// double.
    Double,
    /// An enumeration and its names.
    Enum(&'static [&'static str]),
    /// Another message.
    Message(&'static Message),
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: false }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: true }
}

macro_rules! messages {
    ($($name:ident = [$($field:expr),* $(,)?];)*) => {
        $(pub(crate) static $name: Message = Message { fields: &[$($field),*] };)*
    };
}

const SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

const TEMPORALITIES: &[&str] = &[
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
];

const SEVERITIES: &[&str] = &[
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];

messages! {
    ANY_VALUE = [
        one(1, "stringValue", Str),
        one(2, "boolValue", Bool),
        one(3, "intValue", Int64),
        one(4, "doubleValue", Double),
        one(5, "arrayValue", Sub(&ARRAY_VALUE)),
        one(6, "kvlistValue", Sub(&KEY_VALUE_LIST)),
        one(7, "bytesValue", Base64),
    ];
    ARRAY_VALUE = [many(1, "values", Sub(&ANY_VALUE))];
    KEY_VALUE_LIST = [many(1, "values", Sub(&KEY_VALUE))];
    KEY_VALUE = [one(1, "key", Str), one(2, "value", Sub(&ANY_VALUE))];
    SCOPE = [
        one(1, "name", Str),
        one(2, "version", Str),
        many(3, "attributes", Sub(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ];
    RESOURCE = [many(1, "attributes", Sub(&KEY_VALUE)), one(2, "droppedAttributesCount", Uint32)];

    TRACES = [many(1, "resourceSpans", Sub(&RESOURCE_SPANS))];
    RESOURCE_SPANS = [
        one(1, "resource", Sub(&RESOURCE)),
        many(2, "scopeSpans", Sub(&SCOPE_SPANS)),
        one(3, "schemaUrl", Str),
    ];
    SCOPE_SPANS = [one(1, "scope", Sub(&SCOPE)), many(2, "spans", Sub(&SPAN)), one(3, "schemaUrl", Str)];
    SPAN = [
        one(1, "traceId", Hex),
        one(2, "spanId", Hex),
        one(3, "traceState", Str),
        one(4, "parentSpanId", Hex),
        one(16, "flags", Fixed32),
        one(5, "name", Str),
        one(6, "kind", Enum(SPAN_KINDS)),
        one(7, "startTimeUnixNano", Fixed64),
        one(8, "endTimeUnixNano", Fixed64),
        many(9, "attributes", Sub(&KEY_VALUE)),
        one(10, "droppedAttributesCount", Uint32),
        many(11, "events", Sub(&EVENT)),
        one(12, "droppedEventsCount", Uint32),
        many(13, "links", Sub(&LINK)),
        one(14, "droppedLinksCount", Uint32),
        one(15, "status", Sub(&STATUS)),
    ];
    EVENT = [
        one(1, "timeUnixNano", Fixed64),
        one(2, "name", Str),
        many(3, "attributes", Sub(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ];
    LINK = [
        one(1, "traceId", Hex),
        one(2, "spanId", Hex),
        one(3, "traceState", Str),
        many(4, "attributes", Sub(&KEY_VALUE)),
        one(5, "droppedAttributesCount", Uint32),
        one(6, "flags", Fixed32),
    ];
    STATUS = [one(2, "message", Str), one(3, "code", Enum(STATUS_CODES))];

    LOGS = [many(1, "resourceLogs", Sub(&RESOURCE_LOGS))];
    RESOURCE_LOGS = [
        one(1, "resource", Sub(&RESOURCE)),
        many(2, "scopeLogs", Sub(&SCOPE_LOGS)),
        one(3, "schemaUrl", Str),
    ];
    SCOPE_LOGS = [one(1, "scope", Sub(&SCOPE)), many(2, "logRecords", Sub(&LOG_RECORD)), one(3, "schemaUrl", Str)];
    LOG_RECORD = [
        one(1, "timeUnixNano", Fixed64),
        one(11, "observedTimeUnixNano", Fixed64),
        one(2, "severityNumber", Enum(SEVERITIES)),
        one(3, "severityText", Str),
        one(5, "body", Sub(&ANY_VALUE)),
        many(6, "attributes", Sub(&KEY_VALUE)),
        one(7, "droppedAttributesCount", Uint32),
        one(8, "flags", Fixed32),
        one(9, "traceId", Hex),
        one(10, "spanId", Hex),
        one(12, "eventName", Str),
    ];

    METRICS = [many(1, "resourceMetrics", Sub(&RESOURCE_METRICS))];
    RESOURCE_METRICS = [
        one(1, "resource", Sub(&RESOURCE)),
        many(2, "scopeMetrics", Sub(&SCOPE_METRICS)),
        one(3, "schemaUrl", Str),
    ];
    SCOPE_METRICS = [one(1, "scope", Sub(&SCOPE)), many(2, "metrics", Sub(&METRIC)), one(3, "schemaUrl", Str)];
    METRIC = [
        one(1, "name", Str),
        one(2, "description", Str),
        one(3, "unit", Str),
        one(5, "gauge", Sub(&GAUGE)),
        one(7, "sum", Sub(&SUM)),
        one(9, "histogram", Sub(&HISTOGRAM)),
        one(10, "exponentialHistogram", Sub(&EXPONENTIAL_HISTOGRAM)),
        one(11, "summary", Sub(&SUMMARY)),
        many(12, "metadata", Sub(&KEY_VALUE)),
    ];
    GAUGE = [many(1, "dataPoints", Sub(&NUMBER_POINT))];
    SUM = [
        many(1, "dataPoints", Sub(&NUMBER_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
        one(3, "isMonotonic", Bool),
    ];
    HISTOGRAM = [
        many(1, "dataPoints", Sub(&HISTOGRAM_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
    ];
    EXPONENTIAL_HISTOGRAM = [
        many(1, "dataPoints", Sub(&EXPONENTIAL_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
    ];
    SUMMARY = [many(1, "dataPoints", Sub(&SUMMARY_POINT))];
    NUMBER_POINT = [
        many(7, "attributes", Sub(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "asDouble", Double),
        one(6, "asInt", Kind::Sfixed64),
        many(5, "exemplars", Sub(&EXEMPLAR)),
        one(8, "flags", Uint32),
    ];
    HISTOGRAM_POINT = [
        many(9, "attributes", Sub(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(6, "bucketCounts", Fixed64),
        many(7, "explicitBounds", Double),
        many(8, "exemplars", Sub(&EXEMPLAR)),
        one(10, "flags", Uint32),
        one(11, "min", Double),
        one(12, "max", Double),
    ];
    EXPONENTIAL_POINT = [
        many(1, "attributes", Sub(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        one(6, "scale", Sint32),
        one(7, "zeroCount", Fixed64),
        one(8, "positive", Sub(&EXPONENTIAL_BUCKETS)),
        one(9, "negative", Sub(&EXPONENTIAL_BUCKETS)),
        one(10, "flags", Uint32),
        many(11, "exemplars", Sub(&EXEMPLAR)),
        one(12, "min", Double),
        one(13, "max", Double),
        one(14, "zeroThreshold", Double),
    ];
    EXPONENTIAL_BUCKETS = [one(1, "offset", Sint32), many(2, "bucketCounts", Uint64)];
    SUMMARY_POINT = [
        many(7, "attributes", Sub(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(6, "quantileValues", Sub(&VALUE_AT_QUANTILE)),
        one(8, "flags", Uint32),
    ];
    VALUE_AT_QUANTILE = [one(1, "quantile", Double), one(2, "value", Double)];
    EXEMPLAR = [
        many(7, "filteredAttributes", Sub(&KEY_VALUE)),
        one(2, "timeUnixNano", Fixed64),
        one(3, "asDouble", Double),
        one(6, "asInt", Kind::Sfixed64),
        one(4, "spanId", Hex),
        one(5, "traceId", Hex),
    ];
}
