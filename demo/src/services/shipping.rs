//! Shipping: takes placed orders off the queue, in the trace that put them there.

use super::Context;
use super::orders::{QUEUE, QUEUE_SCHEMA};
use crate::Failure;
use crate::db::Database;
use crate::http::Headers;
use crate::telemetry;
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use opentelemetry::KeyValue;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::{SpanKind, TraceContextExt};
use serde_json::{Value, json};
use std::time::Duration;

/// How long shipping waits when the queue is empty.
const POLL: Duration = Duration::from_millis(200);
/// Messages taken at once.
const BATCH: i64 = 20;

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    // The queue is polled outside any trace, so it is opened without the spans of `Database`.
    let path = context.options.dir.join(format!("{QUEUE}.db"));
    let queue = rusqlite::Connection::open(path)?;
    queue.busy_timeout(Duration::from_secs(2))?;
    queue.execute_batch(QUEUE_SCHEMA)?;
    let shipped = context.database(
        "shipping",
        "CREATE TABLE IF NOT EXISTS parcels (id INTEGER PRIMARY KEY, placed TEXT NOT NULL);",
    )?;
    tokio::spawn(consume(queue, shipped));
    Ok(Router::new().route("/status", get(async || "shipping\n")))
}

async fn consume(queue: rusqlite::Connection, shipped: Database) {
    let queue = std::sync::Mutex::new(queue);
    loop {
        let messages = {
            let queue = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            take(&queue)
        };
        match messages {
            Ok(messages) if messages.is_empty() => tokio::time::sleep(POLL).await,
            Ok(messages) => {
                for (headers, body) in messages {
                    ship(&shipped, &headers, body).await;
                }
            }
            Err(error) => {
                telemetry::error("cannot read the queue", json!({"error": error.to_string()}));
                tokio::time::sleep(POLL * 5).await;
            }
        }
    }
}

fn take(queue: &rusqlite::Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "DELETE FROM messages WHERE id IN (SELECT id FROM messages ORDER BY id LIMIT ?1) RETURNING headers, body";
    let mut statement = queue.prepare_cached(sql)?;
    let rows = statement.query_map([BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

async fn ship(shipped: &Database, headers: &str, body: String) {
    let parent = telemetry::extract(&Headers(&parse(headers)));
    let attributes = vec![
        KeyValue::new("messaging.system", "sqlite"),
        KeyValue::new("messaging.destination.name", QUEUE),
        KeyValue::new("messaging.operation.type", "process"),
    ];
    let context = telemetry::open(format!("process {QUEUE}"), SpanKind::Consumer, attributes, &parent);
    async {
        let order: Value = serde_json::from_str(&body).unwrap_or_default();
        match shipped.execute("INSERT INTO parcels (placed) VALUES (?1)", [&body]).await {
            Ok(_) => telemetry::info("parcel packed", json!({"order": order["id"]})),
            Err(error) => telemetry::error("parcel not packed", json!({"error": error.to_string()})),
        }
    }
    .with_context(context.clone())
    .await;
    context.span().end();
}

fn parse(headers: &str) -> HeaderMap {
    let pairs: Vec<(String, String)> = serde_json::from_str(headers).unwrap_or_default();
    pairs
        .into_iter()
        .filter_map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        })
        .collect()
}
