//! What a PromQL query gives: a value, what to warn of, and what it cost; or an error of a kind the HTTP API names.

use model::scan::{Completeness, ScanError};
use model::{FloatHistogram, Labels};
use std::sync::Arc;

/// A float or a native histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

/// One series' value at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What names the series.
    pub labels: Labels,
    /// Milliseconds since the epoch.
    pub ts_ms: i64,
    /// The value.
    pub value: SampleValue,
}

/// One series' values over time, ascending; a time is in one of the two lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What names the series.
    pub labels: Labels,
    /// (milliseconds, value).
    pub floats: Vec<(i64, f64)>,
    /// (milliseconds, value).
    pub histograms: Vec<(i64, Arc<FloatHistogram>)>,
}

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum PromValue {
    /// A number at a time (milliseconds).
    Scalar(i64, f64),
    /// A text at a time (milliseconds).
    String(i64, String),
    /// One sample per series, in the query's order.
    Vector(Vec<Sample>),
    /// Series sorted by labels.
    Matrix(Vec<Series>),
}

/// A value and what to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PromAnswer {
    /// The value.
    pub value: PromValue,
    /// Sentences of what is probably wrong, each with its position, sorted.
    pub warnings: Vec<String>,
    /// Sentences of what may be wrong, each with its position, sorted.
    pub infos: Vec<String>,
    /// Samples read from the source.
    pub samples_read: u64,
    /// Whether the source had everything.
    pub completeness: Completeness,
}

/// The HTTP API's `errorType` of a failed query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromErrorKind {
    /// `bad_data`: the query is malformed.
    BadData,
    /// `execution`: the query cannot be evaluated on this data.
    Execution,
    /// `canceled`: nobody waits for it.
    Canceled,
    /// `timeout`: its time is up.
    Timeout,
    /// `internal`: the source failed.
    Internal,
}

impl PromErrorKind {
    /// The HTTP API's `errorType`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }
}

/// Why a query has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PromError {
    /// Whose fault, as the HTTP API says it.
    pub kind: PromErrorKind,
    /// What is wrong, in Prometheus' words.
    pub message: String,
}

impl PromError {
    /// An error of `kind`.
    pub fn new(kind: PromErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The query cannot be evaluated on this data.
    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::new(PromErrorKind::Execution, message)
    }
}

impl From<language::promql::ParseError> for PromError {
    fn from(error: language::promql::ParseError) -> Self {
        Self::new(PromErrorKind::BadData, error.to_string())
    }
}

impl From<ScanError> for PromError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Canceled => {
                Self::new(PromErrorKind::Canceled, "query was canceled in query execution")
            }
            ScanError::Timeout => Self::new(PromErrorKind::Timeout, "query timed out in query execution"),
            ScanError::TooMuch { .. } => Self::execution(TOO_MANY_SAMPLES),
            ScanError::Storage(_) => Self::new(PromErrorKind::Internal, error.to_string()),
        }
    }
}

/// What a query that outgrows its sample limit is told.
pub(crate) const TOO_MANY_SAMPLES: &str =
    "query processing would load too many samples into memory in query execution";
