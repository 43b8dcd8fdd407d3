//! Fraud check over gRPC: looks at a user's past payments. Version 2.4.0 reads them with one query; version 2.4.1, the
//! deploy that hurts, asks the database once per past payment.

use super::Context;
use crate::Failure;
use crate::db::Database;
use crate::grpc::{self, SCORE, ScoreReply, ScoreRequest};
use crate::telemetry;
use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use serde_json::json;
use std::time::Duration;
use tonic::Status;

/// The version with the N+1 queries.
pub(crate) const BAD_VERSION: &str = "2.4.1";
/// The version before it.
pub(crate) const GOOD_VERSION: &str = "2.4.0";

/// 30 to 79 past payments per user.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, user TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS history_user ON history (user);
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 3949)
    INSERT OR IGNORE INTO history SELECT i, 'user-' || (i % 50), 500 + i * 37 % 20000 FROM n
        WHERE i / 50 < 30 + (i % 50);";

/// What a round trip to a database over the network would take.
const ROUND_TRIP: Duration = Duration::from_millis(25);

#[derive(Clone)]
struct Fraud {
    database: Database,
    bad: bool,
}

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    let fraud =
        Fraud { database: context.database("feature", SCHEMA)?, bad: context.options.version == BAD_VERSION };
    Ok(Router::new().route(SCORE, post(score)).with_state(fraud))
}

async fn score(State(fraud): State<Fraud>, request: Request) -> axum::response::Response {
    grpc::answer(request, move |question: ScoreRequest| async move { fraud.score(question).await }).await
}

impl Fraud {
    async fn score(&self, question: ScoreRequest) -> Result<ScoreReply, Status> {
        let broken = |error: rusqlite::Error| Status::internal(error.to_string());
        let past = if self.bad {
            let ids = self
                .database
                .query("SELECT id FROM history WHERE user = ?1", [&question.user], |row| row.get::<_, i64>(0))
                .await
                .map_err(broken)?;
            let mut past = Vec::with_capacity(ids.len());
            for id in ids {
                tokio::time::sleep(ROUND_TRIP).await;
                let sql = "SELECT cents FROM history WHERE id = ?1";
                past.extend(
                    self.database.query(sql, [id], |row| row.get::<_, i64>(0)).await.map_err(broken)?,
                );
            }
            past
        } else {
            tokio::time::sleep(ROUND_TRIP).await;
            let sql = "SELECT cents FROM history WHERE user = ?1";
            self.database.query(sql, [&question.user], |row| row.get::<_, i64>(0)).await.map_err(broken)?
        };
        let above = past.iter().filter(|cents| u64::try_from(**cents).unwrap_or(0) > question.cents).count();
        let score = u32::try_from(above * 80 / past.len().max(1)).unwrap_or(100);
        telemetry::info(
            "payment judged",
            json!({"user": question.user, "score": score, "looked_at": past.len()}),
        );
        Ok(ScoreReply { score })
    }
}
