//! The pages customers see: Fast lists products, Slow places an order on the way.

use super::Context;
use crate::Failure;
use crate::http::failed;
use crate::telemetry;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Visitor {
    #[serde(default = "someone")]
    user: String,
}

fn someone() -> String {
    "user-0".to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "the table of services asks for this shape")]
pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    Ok(Router::new()
        .route("/", get(home))
        .route("/fast", get(fast))
        .route("/slow", get(slow))
        .with_state(context.clone()))
}

async fn home() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Shop</title><h1>Shop</h1>\
         <p><a href=/fast>Fast page</a> lists products. <a href=/slow>Slow page</a> places an order.",
    )
}

async fn fast(State(context): State<Context>, Query(visitor): Query<Visitor>) -> Response {
    match context.http.call("catalogue", "GET", "/products", &Value::Null).await {
        Ok(products) => {
            telemetry::info("page served", json!({"page": "fast", "user": visitor.user}));
            axum::Json(products).into_response()
        }
        Err(error) => failed("the fast page needs the catalogue", &error),
    }
}

async fn slow(State(context): State<Context>, Query(visitor): Query<Visitor>) -> Response {
    let user = visitor.user;
    let cart = match context.http.call("cart", "GET", &format!("/carts/{user}"), &Value::Null).await {
        Ok(cart) => cart,
        Err(error) => return failed("the slow page needs the cart", &error),
    };
    for item in cart["items"].as_array().into_iter().flatten() {
        let path = format!("/products/{}", item["product"].as_u64().unwrap_or(1));
        if let Err(error) = context.http.call("catalogue", "GET", &path, &Value::Null).await {
            return failed("the slow page needs the catalogue", &error);
        }
    }
    match context.http.call("orders", "POST", "/orders", &json!({"user": user, "cart": cart})).await {
        Ok(order) => {
            telemetry::info("order placed", json!({"page": "slow", "user": user, "order": order["id"]}));
            axum::Json(order).into_response()
        }
        Err(error) => failed("the order was not placed", &error),
    }
}
