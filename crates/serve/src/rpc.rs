//! gRPC calls without generated code: a message in, a message or a stream of messages out, over any HTTP/2 door.
//!
//! The messages are `prost` structs; framing, compression and status trailers are tonic's.

use crate::State;
use crate::body::patient;
use crate::call::{CallError, tenant};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::stream::{self, Stream};
use model::Tenant;
use prost::Message;
use std::future::Future;
use std::pin::Pin;
use tonic::Status;
use tonic::codec::{CompressionEncoding, EnabledCompressionEncodings};
use tonic::server::Grpc;
use tonic_prost::ProstCodec;

/// What a streaming call answers.
pub(crate) type Messages<A> = Pin<Box<dyn Stream<Item = Result<A, Status>> + Send>>;

/// Whose data a call is about, and where it is.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) state: State,
    pub(crate) tenant: Tenant,
}

/// Messages made before the first is sent.
pub(crate) fn messages<A: Send + 'static>(
    all: impl IntoIterator<Item = A, IntoIter: Send + 'static>,
) -> Messages<A> {
    Box::pin(stream::iter(all.into_iter().map(Ok)))
}

fn grpc<Q, A>() -> Grpc<ProstCodec<A, Q>>
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
{
    let mut encodings = EnabledCompressionEncodings::default();
    encodings.enable(CompressionEncoding::Gzip);
    Grpc::new(ProstCodec::default()).apply_compression_config(encodings, encodings)
}

/// The context of a request, or why it is refused.
fn context(state: State, request: &Request) -> Result<Context, CallError> {
    Ok(Context { state, tenant: tenant(request.headers())? })
}

/// An answer that is only a status.
fn refusal(status: Status) -> Response {
    status.into_http::<Body>()
}

/// Answers `request` with one message.
pub(crate) async fn unary<Q, A, F>(state: State, request: Request, call: fn(Context, Q) -> F) -> Response
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = Result<A, Status>> + Send + 'static,
{
    let context = match context(state, &request) {
        Ok(context) => context,
        Err(error) => return refusal(Status::invalid_argument(error.to_string())),
    };
    let service = tower::service_fn(move |request: tonic::Request<Q>| {
        let answer = call(context.clone(), request.into_inner());
        async move { answer.await.map(tonic::Response::new) }
    });
    grpc::<Q, A>().unary(service, request).await.map(Body::new)
}

/// Answers `request` with a stream of messages.
pub(crate) async fn streaming<Q, A, F>(state: State, request: Request, call: fn(Context, Q) -> F) -> Response
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = Result<Messages<A>, Status>> + Send + 'static,
{
    let context = match context(state, &request) {
        Ok(context) => context,
        Err(error) => return refusal(Status::invalid_argument(error.to_string())),
    };
    let service = tower::service_fn(move |request: tonic::Request<Q>| {
        let answer = call(context.clone(), request.into_inner());
        async move { answer.await.map(tonic::Response::new) }
    });
    grpc::<Q, A>().server_streaming(service, request).await.map(|body| patient(Body::new(body)))
}

/// Answers a method that Binnacle does not have.
pub(crate) async fn unimplemented(request: Request) -> Response {
    refusal(Status::unimplemented(format!(
        "unsupported: {} is not implemented by Binnacle",
        request.uri().path()
    )))
}
