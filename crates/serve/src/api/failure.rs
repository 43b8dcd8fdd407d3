//! Why a call has no answer: which field, and what to do about it.

use crate::body;
use crate::call::CallError;
use crate::gate::RunError;
use axum::extract::OriginalUri;
use axum::http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use model::{Refusal, ScanError};
use query::promql::{PromError, PromErrorKind};
use query::traceql::TraceQlError;
use serde_json::json;

/// A refused or failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// The parameter or body field that is wrong; empty when none is.
    pub(crate) field: String,
    pub(crate) message: String,
    /// When to try again.
    pub(crate) retry_after_s: Option<u32>,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, field: String::new(), message: message.into(), retry_after_s: None }
    }

    /// `field` is wrong.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let status = match error {
            RunError::QueueFull(_) => StatusCode::TOO_MANY_REQUESTS,
            RunError::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            RunError::Lost => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        let status = match error {
            ScanError::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ScanError::TooMuch { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ScanError::Canceled | ScanError::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<PromError> for Failure {
    fn from(error: PromError) -> Self {
        let status = match error.kind {
            PromErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            PromErrorKind::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.message)
    }
}

impl From<TraceQlError> for Failure {
    fn from(error: TraceQlError) -> Self {
        match error {
            TraceQlError::Scan(error) => error.into(),
            other => Self::new(StatusCode::BAD_REQUEST, other.to_string()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Full { retry_after_s, .. } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, message)
            },
            Refusal::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, message),
            Refusal::Storage(_) | Refusal::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut error = json!({"message": self.message});
        if !self.field.is_empty() {
            error["field"] = json!(self.field);
        }
        let mut response = body::json(self.status, &json!({"error": error}));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The answer of a path that no call has.
pub(crate) async fn no_such_call(OriginalUri(uri): OriginalUri) -> Failure {
    Failure::not_found(format!("no call {}; /api/binnacle/v1/openapi.json lists them", uri.path()))
}
