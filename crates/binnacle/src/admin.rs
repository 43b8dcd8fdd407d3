//! Work that an operator asks the store for: compaction, snapshots.
//!
//! Answers when the work is done and durable, never before.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use store::{Store, StoreError};

/// `POST /-/compact` and `POST /-/snapshot?name=NAME`.
pub(crate) fn router(store: Store) -> Router {
    Router::new().route("/-/compact", post(compact)).route("/-/snapshot", post(snapshot)).with_state(store)
}

/// Flushes and merges until nothing is left.
async fn compact(State(store): State<Store>) -> Response {
    answer(platform::task::blocking("compact", move || store.compact()).await, |()| {
        "Binnacle is compacted.\n".to_owned()
    })
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// Answers `{"path": ...}`, relative to the data directory.
async fn snapshot(State(store): State<Store>, Query(Name { name }): Query<Name>) -> Response {
    answer(platform::task::blocking("snapshot", move || store.snapshot(&name)).await, |path| {
        serde_json::json!({ "path": path }).to_string()
    })
}

fn answer<T>(done: Option<Result<T, StoreError>>, words: impl FnOnce(T) -> String) -> Response {
    match done {
        Some(Ok(value)) => (StatusCode::OK, words(value)).into_response(),
        Some(Err(error @ StoreError::Invalid(_))) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the process is stopping\n").into_response(),
    }
}
