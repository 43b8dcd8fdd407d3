//! Orders: reserve stock, charge the card, keep the order, tell shipping through a queue.

use super::Context;
use crate::Failure;
use crate::db::Database;
use crate::grpc::{self, CHARGE, ChargeReply, ChargeRequest};
use crate::http::{HeadersMut, failed};
use crate::telemetry::{self, in_span};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use serde_json::{Value, json};
use tonic::transport::Channel;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, user TEXT NOT NULL, payment TEXT NOT NULL);";

/// The queue is a table both sides open: a message is a body and the headers that carry the trace.
pub(super) const QUEUE_SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, headers TEXT NOT NULL, body TEXT NOT NULL);";

/// The queue's name, in spans and as its file.
pub(super) const QUEUE: &str = "order-placed";

#[derive(Clone)]
struct Orders {
    context: Context,
    database: Database,
    queue: Database,
    payments: Channel,
}

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    let orders = Orders {
        database: context.database("orders", SCHEMA)?,
        queue: context.database(QUEUE, QUEUE_SCHEMA)?,
        payments: grpc::channel("payments", context.options.base_port)?,
        context: context.clone(),
    };
    Ok(Router::new().route("/orders", post(place)).with_state(orders))
}

async fn place(State(orders): State<Orders>, Json(wanted): Json<Value>) -> Response {
    match orders.place(&wanted).await {
        Ok(order) => axum::Json(order).into_response(),
        Err(error) => failed("order refused", &error),
    }
}

impl Orders {
    async fn place(&self, wanted: &Value) -> Result<Value, String> {
        let user = wanted["user"].as_str().unwrap_or("user-0").to_owned();
        self.context.http.call("inventory", "POST", "/reservations", &wanted["cart"]).await?;
        let request = ChargeRequest { user: user.clone(), cents: 4900 };
        let paid: ChargeReply = grpc::call(self.payments.clone(), "payments", CHARGE, request)
            .await
            .map_err(|status| format!("payments: {}", status.message()))?;
        self.database
            .execute("INSERT INTO orders (user, payment) VALUES (?1, ?2)", [&user, &paid.payment_id])
            .await
            .map_err(|error| error.to_string())?;
        let order = json!({"id": paid.payment_id, "user": user});
        self.publish(&order).await?;
        telemetry::info("order stored", json!({"user": user, "payment": paid.payment_id}));
        Ok(order)
    }

    /// Puts the order on the queue, with the trace in the message's headers.
    async fn publish(&self, order: &Value) -> Result<(), String> {
        let attributes = vec![
            KeyValue::new("messaging.system", "sqlite"),
            KeyValue::new("messaging.destination.name", QUEUE),
            KeyValue::new("messaging.operation.type", "send"),
        ];
        in_span(format!("send {QUEUE}"), SpanKind::Producer, attributes, async |_| {
            let mut headers = http::HeaderMap::new();
            telemetry::inject(&mut HeadersMut(&mut headers));
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
                .collect();
            let headers = json!(headers).to_string();
            let sql = "INSERT INTO messages (headers, body) VALUES (?1, ?2)";
            self.queue.execute(sql, [headers, order.to_string()]).await.map_err(|error| error.to_string())
        })
        .await?;
        Ok(())
    }
}
