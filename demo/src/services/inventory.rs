//! Stock: reserve what a cart holds.

use super::Context;
use crate::Failure;
use crate::db::Database;
use crate::http::failed;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS stock (product INTEGER PRIMARY KEY, reserved INTEGER NOT NULL);";

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    let database = context.database("inventory", SCHEMA)?;
    Ok(Router::new().route("/reservations", post(reserve)).with_state(database))
}

async fn reserve(State(database): State<Database>, Json(cart): Json<Value>) -> Response {
    let items: Vec<i64> =
        cart["items"].as_array().into_iter().flatten().filter_map(|item| item["product"].as_i64()).collect();
    for product in &items {
        let sql =
            "INSERT INTO stock VALUES (?1, 1) ON CONFLICT (product) DO UPDATE SET reserved = reserved + 1";
        if let Err(error) = database.execute(sql, [product]).await {
            return failed("cannot reserve", &error.to_string());
        }
    }
    (StatusCode::OK, Json(json!({"reserved": items.len()}))).into_response()
}
