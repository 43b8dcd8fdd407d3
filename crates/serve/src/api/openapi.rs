//! `/openapi.json`: the description of this API, kept beside the code in `openapi.json` and checked against the routes.

use crate::body;
use axum::http::StatusCode;
use axum::response::Response;

/// An `OpenAPI` 3.1 document.
const DOCUMENT: &str = include_str!("openapi.json");

/// `/openapi.json`
pub(crate) async fn document() -> Response {
    body::with_type(StatusCode::OK, "application/json", DOCUMENT.as_bytes().to_vec())
}
