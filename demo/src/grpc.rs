//! Unary gRPC without generated code: a path, a request message and a response message.

use crate::http::HeadersMut;
use crate::telemetry::{self, in_span};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use prost::Message;
use std::future::Future;
use std::time::Duration;
use tonic::Status;
use tonic::client::Grpc as Client;
use tonic::server::Grpc as Server;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// A charge to be made.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChargeRequest {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(uint64, tag = "2")]
    pub(crate) cents: u64,
}

/// What became of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChargeReply {
    #[prost(string, tag = "1")]
    pub(crate) payment_id: String,
}

/// A payment to be judged.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScoreRequest {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(uint64, tag = "2")]
    pub(crate) cents: u64,
}

/// The judgement, 0 (fine) to 100 (fraud).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScoreReply {
    #[prost(uint32, tag = "1")]
    pub(crate) score: u32,
}

/// gRPC path of the payment call.
pub(crate) const CHARGE: &str = "/shop.Payments/Charge";
/// gRPC path of the fraud check.
pub(crate) const SCORE: &str = "/shop.FraudCheck/Score";

/// Answers one unary call with `handle`.
pub(crate) async fn answer<Q, A, F>(
    request: Request,
    handle: impl FnOnce(Q) -> F + Clone + Send + 'static,
) -> Response
where
    Q: Message + Default + Send + 'static,
    A: Message + Default + Send + 'static,
    F: Future<Output = Result<A, Status>> + Send + 'static,
{
    let service = tower::service_fn(move |request: tonic::Request<Q>| {
        let work = handle.clone()(request.into_inner());
        async move { work.await.map(tonic::Response::new) }
    });
    Server::new(ProstCodec::<A, Q>::default()).unary(service, request).await.into_response()
}

/// A channel to `service`, connected when it is first used.
pub(crate) fn channel(service: &str, base_port: u16) -> Result<Channel, tonic::transport::Error> {
    let port = crate::services::port(service, base_port);
    Ok(Endpoint::try_from(format!("http://127.0.0.1:{port}"))?
        .timeout(Duration::from_secs(15))
        .connect_lazy())
}

/// Makes one unary call inside a client span.
pub(crate) async fn call<Q, A>(
    channel: Channel,
    service: &str,
    path: &'static str,
    body: Q,
) -> Result<A, Status>
where
    Q: Message + Default + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let attributes = vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.method", path.rsplit('/').next().unwrap_or(path)),
        KeyValue::new("peer.service", service.to_owned()),
        KeyValue::new("server.address", service.to_owned()),
    ];
    in_span(path.trim_start_matches('/').to_owned(), SpanKind::Client, attributes, async |_| {
        let mut request = tonic::Request::new(body);
        let mut headers = http::HeaderMap::new();
        telemetry::inject(&mut HeadersMut(&mut headers));
        *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        let mut client = Client::new(channel);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(path);
        client.unary(request, path, ProstCodec::<Q, A>::default()).await.map(tonic::Response::into_inner)
    })
    .await
}
