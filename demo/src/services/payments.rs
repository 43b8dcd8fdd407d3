//! Payments over gRPC: ask the fraud check, then keep the payment.

use super::Context;
use crate::Failure;
use crate::db::Database;
use crate::grpc::{self, CHARGE, ChargeReply, ChargeRequest, SCORE, ScoreReply, ScoreRequest};
use crate::telemetry;
use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use serde_json::json;
use tonic::Status;
use tonic::transport::Channel;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS payments (id INTEGER PRIMARY KEY, user TEXT NOT NULL, cents INTEGER NOT NULL);";

/// Score from which a payment is refused.
const REFUSE_FROM: u32 = 90;

#[derive(Clone)]
struct Payments {
    database: Database,
    fraud: Channel,
}

pub(super) fn routes(context: &Context) -> Result<Router, Failure> {
    let payments = Payments {
        database: context.database("payments", SCHEMA)?,
        fraud: grpc::channel("fraud-check", context.options.base_port)?,
    };
    Ok(Router::new().route(CHARGE, post(charge)).with_state(payments))
}

async fn charge(State(payments): State<Payments>, request: Request) -> axum::response::Response {
    grpc::answer(request, move |charge: ChargeRequest| async move { payments.charge(charge).await }).await
}

impl Payments {
    async fn charge(&self, charge: ChargeRequest) -> Result<ChargeReply, Status> {
        let question = ScoreRequest { user: charge.user.clone(), cents: charge.cents };
        let judged: ScoreReply = grpc::call(self.fraud.clone(), "fraud-check", SCORE, question).await?;
        if judged.score >= REFUSE_FROM {
            telemetry::error("payment refused", json!({"user": charge.user, "score": judged.score}));
            return Err(Status::permission_denied("the payment looks fraudulent"));
        }
        let cents = i64::try_from(charge.cents).map_err(|_| Status::invalid_argument("cents: too large"))?;
        let ids = self
            .database
            .query(
                "INSERT INTO payments (user, cents) VALUES (?1, ?2) RETURNING id",
                (&charge.user, cents),
                |row| row.get::<_, i64>(0),
            )
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
        let id = ids.first().copied().unwrap_or_default();
        telemetry::info("payment taken", json!({"user": charge.user, "cents": cents, "score": judged.score}));
        Ok(ChargeReply { payment_id: format!("pay-{id}") })
    }
}
