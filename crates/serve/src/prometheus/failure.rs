//! Why a Prometheus call has no answer, printed in Prometheus' envelope under its status.

use crate::body;
use crate::call::CallError;
use crate::gate::RunError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::ScanError;
use query::promql::{PromError, PromErrorKind};
use serde_json::json;

/// Prometheus' `errorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorType {
    /// The caller's parameters.
    BadData,
    /// The query on this data.
    Execution,
    /// Nobody waits.
    Canceled,
    /// Out of time.
    Timeout,
    /// Ours.
    Internal,
    /// A call of Prometheus' that Binnacle does not have.
    Unsupported,
    /// Every place in the queue is taken.
    Busy,
}

impl ErrorType {
    fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unsupported | Self::Busy => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        /// nginx' "client closed request", which Prometheus borrows.
        const CLIENT_CLOSED: u16 = 499;
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Canceled => StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Timeout | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unsupported => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// A refused or failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) kind: ErrorType,
    pub(crate) message: String,
}

impl Failure {
    /// The caller's mistake.
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self { kind: ErrorType::BadData, message: message.into() }
    }

    /// A parameter that makes no sense, in Prometheus' words.
    pub(crate) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {reason}"))
    }

    /// The call at `path` is not there.
    pub(crate) fn unsupported(path: &str) -> Self {
        let message = format!("unsupported: {path} is not implemented by Binnacle");
        Self { kind: ErrorType::Unsupported, message }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::bad_data(error.to_string())
    }
}

impl From<PromError> for Failure {
    fn from(error: PromError) -> Self {
        let kind = match error.kind {
            PromErrorKind::BadData => return Self::parameter("query", error.message),
            PromErrorKind::Execution => ErrorType::Execution,
            PromErrorKind::Canceled => ErrorType::Canceled,
            PromErrorKind::Timeout => ErrorType::Timeout,
            PromErrorKind::Internal => ErrorType::Internal,
        };
        Self { kind, message: error.message }
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        PromError::from(error).into()
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let kind = match error {
            RunError::QueueFull(_) => ErrorType::Busy,
            RunError::TimedOut(_) => ErrorType::Timeout,
            RunError::Lost => ErrorType::Internal,
        };
        Self { kind, message: error.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let answer = json!({"status": "error", "errorType": self.kind.as_str(), "error": self.message});
        body::json(self.kind.status(), &answer)
    }
}
