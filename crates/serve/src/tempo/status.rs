//! What Tempo's clients ask about the server itself, and the calls Binnacle does not have.

use crate::State;
use crate::body;
use axum::extract::{OriginalUri, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// The Tempo release whose API this is; Grafana chooses features by it.
const COMPATIBLE_VERSION: &str = "3.0.0";

/// `/api/echo`
pub(crate) async fn echo() -> Response {
    body::with_type(StatusCode::OK, "text/plain; charset=utf-8", b"echo".to_vec())
}

/// `/api/status/buildinfo`
pub(crate) async fn buildinfo(Extract(state): Extract<State>) -> Response {
    let answer = json!({
        "version": COMPATIBLE_VERSION, "revision": state.process.revision(), "branch": "", "buildDate": "",
        "buildUser": format!("binnacle {}", state.process.version()), "goVersion": "",
    });
    body::json(StatusCode::OK, &answer)
}

/// `/ready`
pub(crate) async fn ready(Extract(state): Extract<State>) -> Response {
    match state.process.ready() {
        Ok(()) => body::text(StatusCode::OK, "ready"),
        Err(reason) => body::text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {reason}")),
    }
}

/// A call of Tempo's that Binnacle does not have.
pub(crate) async fn unsupported(OriginalUri(uri): OriginalUri) -> Response {
    body::text(
        StatusCode::NOT_IMPLEMENTED,
        &format!("unsupported: {} is not implemented by Binnacle", uri.path()),
    )
}
