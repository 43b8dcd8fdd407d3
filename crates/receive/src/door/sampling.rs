//! Jaeger's sampling strategies: what a client that asks is told to sample. One rate for every service.

use super::receiver::Receiver;
use super::text;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;

/// `GET path?service=NAME`.
pub(super) fn router(path: &str, receiver: &Receiver) -> Router {
    Router::new().route(path, get(strategy)).with_state(receiver.clone())
}

async fn strategy(State(receiver): State<Receiver>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    if query.split('&').filter(|pair| pair.split('=').next() == Some("service")).count() != 1 {
        return text::plain(StatusCode::BAD_REQUEST, "'service' parameter must be provided once");
    }
    let rate = receiver.options().sampling_probability;
    Json(json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": rate}}))
        .into_response()
}
