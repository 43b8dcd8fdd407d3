//! What goes into a LogQL query and what comes out: parameters, values, errors. Data only.

use super::labels::LabelSet;
use model::scan::{Completeness, Direction, ScanError};

/// Entries a log query returns when the caller names no limit; Loki's default.
pub const ENTRIES_LIMIT_DEFAULT: usize = 100;
/// Most entries a log query may ask for; Loki's `max_entries_limit_per_query`.
pub const ENTRIES_LIMIT_MAX: usize = 5_000;
/// Most series a metric query may return; Loki's `max_query_series`.
pub const SERIES_MAX: usize = 500;
/// Most points per series of a range query, as Loki and Prometheus allow.
pub const POINTS_MAX: i64 = 11_000;

/// When and how to run a query.
#[derive(Clone, Debug)]
pub struct LogParams {
    /// First instant, nanoseconds since the epoch. For an instant query equal to `end_ns`.
    pub start_ns: i64,
    /// Last instant of a metric query (inclusive); one past the last entry of a log query.
    pub end_ns: i64,
    /// Step of a range query in milliseconds; `None` is an instant query at `end_ns`.
    pub step_ms: Option<i64>,
    /// Range metric queries: the start rounds down and the end up to a multiple of the step, as Loki's
    /// `align_queries_with_step` does by default, so that neighbouring queries share their instants.
    pub aligned: bool,
    /// Log queries: of the entries within `limit`, over all streams, keep the first and each that is at least this many
    /// milliseconds from the last one kept; 0 keeps all.
    pub interval_ms: i64,
    /// Order of log entries, and which end of the range a limit keeps.
    pub direction: Direction,
    /// Most entries of a log query, over all streams.
    pub limit: usize,
    /// Most series of a metric query; 0 is unlimited.
    pub series_max: usize,
    /// What the template function `now` answers, nanoseconds since the epoch; 0 is each line's own time.
    pub now_ns: i64,
}

impl Default for LogParams {
    fn default() -> Self {
        Self {
            start_ns: 0,
            end_ns: 0,
            step_ms: None,
            aligned: false,
            interval_ms: 0,
            direction: Direction::Backward,
            limit: ENTRIES_LIMIT_DEFAULT,
            series_max: SERIES_MAX,
            now_ns: 0,
        }
    }
}

/// A query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct LogAnswer {
    /// What was asked for.
    pub value: LogValue,
    /// What the answer misses, if anything.
    pub completeness: Completeness,
    /// What the query read.
    pub stats: LogQueryStats,
    /// Sentences for the user; not errors.
    pub warnings: Vec<String>,
}

/// The value of an answer, by the kind of query.
#[derive(Clone, Debug, PartialEq)]
pub enum LogValue {
    /// A log query: streams sorted by labels.
    Streams(Vec<OutStream>),
    /// An instant metric query: one sample per series, at the query's instant.
    Vector(Vec<LogSample>),
    /// A range metric query: series sorted by labels.
    Matrix(Vec<LogSeries>),
    /// A literal at an instant: milliseconds and value.
    Scalar(i64, f64),
}

/// Entries that share their stream labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutStream {
    /// The stream's own labels after the pipeline.
    pub labels: LabelSet,
    /// In the query's direction.
    pub entries: Vec<OutEntry>,
}

/// One line of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutEntry {
    /// Nanoseconds since the epoch.
    pub ts_ns: i64,
    /// The line after the pipeline.
    pub line: String,
    /// Structured metadata after the pipeline.
    pub metadata: LabelSet,
    /// Labels that parsers and formatters made.
    pub parsed: LabelSet,
}

/// One sample of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSample {
    /// The series.
    pub labels: LabelSet,
    /// Milliseconds since the epoch.
    pub ts_ms: i64,
    /// The value.
    pub value: f64,
}

/// One series of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSeries {
    /// The series.
    pub labels: LabelSet,
    /// Milliseconds and values, ascending.
    pub points: Vec<(i64, f64)>,
}

/// What a query read, for the `stats` object of the HTTP answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQueryStats {
    /// Lines looked at.
    pub lines: u64,
    /// Bytes of those lines.
    pub bytes: u64,
    /// Lines (or samples) that passed the pipeline.
    pub kept: u64,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The query is not LogQL, or a parameter makes no sense; the caller's fault.
    #[error("{0}")]
    BadQuery(String),
    /// A line could not be processed and no stage filtered the error; the caller's fault.
    #[error("{0}")]
    Pipeline(String),
    /// A named limit of entries, series or points; the caller can ask for less.
    #[error("{0}")]
    Limit(String),
    /// The scan stopped.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

impl LogError {
    /// The HTTP status Loki answers with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::BadQuery(_)
            | Self::Pipeline(_)
            | Self::Limit(_)
            | Self::Scan(ScanError::TooMuch { .. }) => 400,
            Self::Scan(ScanError::Canceled) => 499,
            Self::Scan(ScanError::Timeout) => 504,
            Self::Scan(ScanError::Storage(_)) => 500,
        }
    }
}

/// One row of `detected_labels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedLabel {
    /// Label name.
    pub label: String,
    /// Distinct values.
    pub cardinality: u64,
}

/// One row of `detected_fields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedField {
    /// Field name, as the parser would name the label.
    pub label: String,
    /// `string`, `int`, `float`, `boolean`, `duration` or `bytes`.
    pub kind: &'static str,
    /// Distinct values among the sampled lines.
    pub cardinality: u64,
    /// Parsers that yield it (`json`, `logfmt`); empty for structured metadata.
    pub parsers: Vec<&'static str>,
    /// Path of a JSON field; empty otherwise.
    pub json_path: Vec<String>,
}

/// What `index/volume` groups by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeBy {
    /// Label pairs: one row per combination of the target labels.
    #[default]
    Series,
    /// Label names: one row per name.
    Labels,
}

/// A volume question.
#[derive(Clone, Debug, Default)]
pub struct VolumeParams {
    /// A stream selector.
    pub query: String,
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
    /// Most rows.
    pub limit: usize,
    /// Labels to group by. A stream without one of them is left out, unless the selector names that label. Empty means
    /// those of the selector's matchers, and for [`VolumeBy::Labels`] every label.
    pub target_labels: Vec<String>,
    /// What a row is.
    pub by: VolumeBy,
}
