//! Carts: what a user is about to buy.

use super::Context;
use crate::Failure;
use crate::db::Database;
use crate::http::failed;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

/// Every user gets one to four items, the same ones each time.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS items (user TEXT NOT NULL, product INTEGER NOT NULL, PRIMARY KEY (user, product));
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
    INSERT OR IGNORE INTO items SELECT 'user-' || (i % 50), 1 + (i * 7 + i / 50) % 8 FROM n WHERE (i / 50) <= (i % 4);";

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    let database = context.database("cart", SCHEMA)?;
    Ok(Router::new().route("/carts/{user}", get(cart)).with_state(database))
}

async fn cart(State(database): State<Database>, Path(user): Path<String>) -> Response {
    let items = database
        .query("SELECT product FROM items WHERE user = ?1 ORDER BY product", [&user], |row| {
            Ok(json!({"product": row.get::<_, i64>(0)?}))
        })
        .await;
    match items {
        Ok(items) => axum::Json(json!({"user": user, "items": items})).into_response(),
        Err(error) => failed("cannot read the cart", &error.to_string()),
    }
}
