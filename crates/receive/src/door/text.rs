//! Answers in plain text, as the Go servers of this ecosystem write them: the sentence and a line feed.

use crate::fault::Fault;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// `status` with `message`.
pub(super) fn plain(status: StatusCode, message: &str) -> Response {
    let mut response = (status, format!("{message}\n")).into_response();
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The fault's own status, text and retry hint.
pub(super) fn refusal(fault: &Fault) -> Response {
    refusal_as(fault.http(), fault)
}

/// The fault's text and retry hint under another status.
pub(super) fn refusal_as(status: StatusCode, fault: &Fault) -> Response {
    with_retry(plain(status, &fault.to_string()), fault)
}

/// Adds `Retry-After` when a retry helps.
pub(super) fn with_retry(mut response: Response, fault: &Fault) -> Response {
    if let Some(seconds) = fault.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// `status` and nothing else.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
