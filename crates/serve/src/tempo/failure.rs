//! Why a Tempo call has no answer, printed as Tempo prints it: plain text.

use crate::body::text;
use crate::call::CallError;
use crate::gate::RunError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::ScanError;
use query::traceql::TraceQlError;

/// A refused or failed call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The request could not be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A parameter makes no sense.
    #[error("{0}")]
    Parameter(String),
    /// There is no such trace.
    #[error("trace not found")]
    NotFound,
    /// The engine's refusal or error.
    #[error("{}", query_message(.0))]
    Query(#[from] TraceQlError),
    /// The query did not get to its end.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn query_message(error: &TraceQlError) -> String {
    match error {
        TraceQlError::Parse(error) => format!("invalid TraceQL query: {error}"),
        other => other.to_string(),
    }
}

impl Failure {
    fn status(&self) -> StatusCode {
        /// nginx' "client closed request".
        const CLIENT_CLOSED: u16 = 499;
        match self {
            Self::Call(error) => error.status(),
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Parameter(_) | Self::Query(TraceQlError::Parse(_) | TraceQlError::BadRequest(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Query(TraceQlError::Scan(error)) => match error {
                ScanError::Canceled => StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST),
                ScanError::Timeout => StatusCode::GATEWAY_TIMEOUT,
                ScanError::TooMuch { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                ScanError::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Run(RunError::QueueFull(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Run(RunError::TimedOut(_)) => StatusCode::GATEWAY_TIMEOUT,
            Self::Run(RunError::Lost) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        text(self.status(), &self.to_string())
    }
}
