//! Why a Loki call has no answer, printed as Loki prints it: plain text without a line feed, under the status its
//! clients expect.

use crate::body::with_type;
use crate::call::CallError;
use crate::gate::RunError;
use axum::http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use query::logql::LogError;

/// A refused or failed call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The request could not be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A parameter makes no sense.
    #[error("{0}")]
    Parameter(String),
    /// The engine's refusal or error.
    #[error(transparent)]
    Query(#[from] LogError),
    /// The query did not get to its end.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::Call(error) => error.status(),
            Self::Parameter(_) => StatusCode::BAD_REQUEST,
            Self::Query(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Run(RunError::QueueFull(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Run(RunError::TimedOut(_)) => StatusCode::GATEWAY_TIMEOUT,
            Self::Run(RunError::Lost) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = with_type(status, "text/plain; charset=utf-8", self.to_string().into_bytes());
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
