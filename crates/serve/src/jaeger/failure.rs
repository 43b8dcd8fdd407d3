//! Why a Jaeger call has no answer; v1 and v3 print the same causes in different envelopes.

use crate::body;
use crate::call::CallError;
use crate::gate::RunError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::ScanError;
use query::traceql::TraceQlError;
use serde_json::json;

/// The cause, in the words of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    /// The request could not be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A parameter makes no sense.
    #[error("{0}")]
    Parameter(String),
    /// There is no such trace.
    #[error("trace not found")]
    NotFound,
    /// Not here.
    #[error("unsupported: {0} is not implemented by Binnacle")]
    Unsupported(String),
    /// The scan stopped.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The query did not get to its end.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<TraceQlError> for Cause {
    fn from(error: TraceQlError) -> Self {
        match error {
            TraceQlError::Scan(error) => Self::Scan(error),
            other => Self::Parameter(other.to_string()),
        }
    }
}

impl Cause {
    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Call(error) => error.status(),
            Self::Parameter(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Scan(ScanError::Timeout) | Self::Run(RunError::TimedOut(_)) => StatusCode::GATEWAY_TIMEOUT,
            Self::Scan(ScanError::TooMuch { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Run(RunError::QueueFull(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Scan(_) | Self::Run(RunError::Lost) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A cause in v1's envelope.
#[derive(Debug)]
pub(crate) struct FailureV1(pub(crate) Cause);

impl<C: Into<Cause>> From<C> for FailureV1 {
    fn from(cause: C) -> Self {
        Self(cause.into())
    }
}

impl IntoResponse for FailureV1 {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let error = json!({"code": status.as_u16(), "msg": self.0.to_string()});
        let answer = json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [error]});
        body::json(status, &answer)
    }
}

/// A cause in v3's envelope.
#[derive(Debug)]
pub(crate) struct FailureV3(pub(crate) Cause);

impl<C: Into<Cause>> From<C> for FailureV3 {
    fn from(cause: C) -> Self {
        Self(cause.into())
    }
}

impl IntoResponse for FailureV3 {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let answer = json!({"error": {"httpCode": status.as_u16(), "message": self.0.to_string()}});
        body::json(status, &answer)
    }
}
