//! Products, from a table.

use super::Context;
use crate::Failure;
use crate::db::Database;
use crate::http::failed;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
    INSERT OR IGNORE INTO products VALUES (1, 'compass', 4900), (2, 'sextant', 18900), (3, 'chart', 1900),
        (4, 'lantern', 3500), (5, 'rope', 1200), (6, 'telescope', 25900), (7, 'anchor', 8900), (8, 'flag', 900);";

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    let database = context.database("catalogue", SCHEMA)?;
    Ok(Router::new().route("/products", get(list)).route("/products/{id}", get(one)).with_state(database))
}

fn product(row: &rusqlite::Row<'_>) -> rusqlite::Result<Value> {
    Ok(json!({"id": row.get::<_, i64>(0)?, "name": row.get::<_, String>(1)?, "cents": row.get::<_, i64>(2)?}))
}

async fn list(State(database): State<Database>) -> Response {
    match database.query("SELECT id, name, cents FROM products ORDER BY id", [], product).await {
        Ok(products) => axum::Json(products).into_response(),
        Err(error) => failed("cannot list products", &error.to_string()),
    }
}

async fn one(State(database): State<Database>, Path(id): Path<i64>) -> Response {
    match database.query("SELECT id, name, cents FROM products WHERE id = ?1", [id], product).await {
        Ok(products) => match products.into_iter().next() {
            Some(product) => axum::Json(product).into_response(),
            None => (StatusCode::NOT_FOUND, "no such product\n").into_response(),
        },
        Err(error) => failed("cannot read the product", &error.to_string()),
    }
}
