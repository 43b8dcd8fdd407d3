//! Prometheus' lifecycle calls: `/-/reload` asks the process to read its configuration again, as SIGHUP does;
//! `/-/quit` is never offered.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use tokio::sync::{mpsc, oneshot};

/// Calls that wait for their turn; another is told to come again.
pub(crate) const RELOADS_MAX: usize = 4;

/// Where the outcome of a reload goes.
pub(crate) type Reload = oneshot::Sender<Result<(), String>>;

/// The calls, for a process that listens to `reloads`.
pub(crate) fn router(reloads: mpsc::Sender<Reload>) -> Router {
    Router::new()
        .route("/-/reload", post(reload).put(reload))
        .route("/-/quit", put(quit).post(quit))
        .with_state(reloads)
}

/// Answers when the new configuration is in use, or says why it is not.
async fn reload(State(reloads): State<mpsc::Sender<Reload>>) -> Response {
    let (answer, outcome) = oneshot::channel();
    if reloads.try_send(answer).is_err() {
        let words = "the configuration is being read already: try again\n";
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    }
    match outcome.await {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(error)) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {error}\n")).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the process is stopping\n").into_response(),
    }
}

/// In the words of a Prometheus that runs without `--web.enable-lifecycle`.
async fn quit() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response()
}
