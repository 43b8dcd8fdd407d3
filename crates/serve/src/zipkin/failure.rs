//! Why a Zipkin call has no answer: plain text under the cause's status.

use crate::body;
use crate::jaeger::Cause;
use axum::response::{IntoResponse, Response};

/// A cause as Zipkin prints it.
#[derive(Debug)]
pub(crate) struct Failure(Cause);

impl<C: Into<Cause>> From<C> for Failure {
    fn from(cause: C) -> Self {
        Self(cause.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        body::text(self.0.status(), &self.0.to_string())
    }
}
