//! A door on loopback, a client for it, and an end of the pipeline that keeps what it is given.

use super::super::{Receiver, ReceiverOptions};
use crate::auth::{Auth, Credentials};
use crate::listen::{ListenLimits, serve_listener};
use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::ingest::{Accepted, Answer, Ingest, Refusal};
use model::{LogBatch, MetricBatch, SpanBatch, Tenant};
use platform::RealClock;
use platform::metrics::Registry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Keeps what it is given, or refuses all of it.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) refusal: Mutex<Option<Refusal>>,
    /// Of every batch so many records are rejected.
    pub(super) rejected: Mutex<u64>,
    pub(super) spans: Mutex<Vec<(Tenant, SpanBatch)>>,
    pub(super) logs: Mutex<Vec<(Tenant, LogBatch)>>,
    pub(super) metrics: Mutex<Vec<(Tenant, MetricBatch)>>,
}

impl Kept {
    fn keep<B>(&self, to: &Mutex<Vec<(Tenant, B)>>, tenant: &Tenant, batch: B, records: usize) -> Answer {
        if let Some(refusal) = self.refusal.lock().expect("lock").clone() {
            return Box::pin(std::future::ready(Err(refusal)));
        }
        to.lock().expect("lock").push((tenant.clone(), batch));
        let rejected = *self.rejected.lock().expect("lock");
        let reasons = (rejected > 0).then(|| "too old".to_owned()).into_iter().collect();
        Box::pin(std::future::ready(Ok(Accepted { records: records as u64 - rejected, rejected, reasons })))
    }

    pub(super) fn records(&self) -> usize {
        let spans =
            self.spans.lock().expect("lock").iter().map(|(_, batch)| batch.spans.len()).sum::<usize>();
        let logs =
            self.logs.lock().expect("lock").iter().map(|(_, batch)| batch.entries.len()).sum::<usize>();
        let metrics =
            self.metrics.lock().expect("lock").iter().map(|(_, batch)| batch.sample_count()).sum::<usize>();
        spans + logs + metrics
    }
}

impl Ingest for Kept {
    fn metrics(&self, tenant: &Tenant, batch: MetricBatch) -> Answer {
        let records = batch.sample_count();
        self.keep(&self.metrics, tenant, batch, records)
    }
    fn logs(&self, tenant: &Tenant, batch: LogBatch) -> Answer {
        let records = batch.entries.len();
        self.keep(&self.logs, tenant, batch, records)
    }
    fn spans(&self, tenant: &Tenant, batch: SpanBatch) -> Answer {
        let records = batch.spans.len();
        self.keep(&self.spans, tenant, batch, records)
    }
}

pub(super) struct Bench {
    pub(super) kept: Arc<Kept>,
    pub(super) registry: Registry,
    pub(super) addr: SocketAddr,
    pub(super) stop: CancellationToken,
}

pub(super) const REQUEST_BYTES: usize = 4096;

pub(super) fn small() -> ReceiverOptions {
    ReceiverOptions {
        request_bytes_max: REQUEST_BYTES,
        decoded_bytes_max: 8192,
        body_read_seconds_max: 1,
        ..ReceiverOptions::default()
    }
}

pub(super) async fn bench(
    options: ReceiverOptions,
    doors: fn(&Receiver) -> Router,
    credentials: Credentials,
) -> Bench {
    let kept = Arc::new(Kept::default());
    let registry = Registry::default();
    let receiver = Receiver::new(kept.clone(), Arc::new(RealClock::default()), registry.clone(), options);
    let router = Auth::new(credentials).expect("credentials").protect(doors(&receiver));
    let listener = platform::net::listen("127.0.0.1:0".parse().expect("addr")).await.expect("listen");
    let addr = listener.local_addr().expect("addr");
    let stop = CancellationToken::new();
    let (token, metrics) = (stop.clone(), registry.clone());
    drop(platform::task::spawn("test-door", async move {
        serve_listener("test", listener, router, None, ListenLimits::default(), &metrics, token).await;
    }));
    Bench { kept, registry, addr, stop }
}

/// Status, headers and body of an answer, its trailers among the headers.
pub(super) type Got = (StatusCode, HeaderMap, Bytes);

impl Bench {
    pub(super) fn request(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(Method::POST).uri(format!("http://{}{path}", self.addr));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("host", "test").body(Full::new(Bytes::copy_from_slice(body))).expect("request")
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Got {
        let stream = platform::net::connect(&self.addr.to_string()).await.expect("connect");
        let (mut send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("h1");
        drop(platform::task::spawn("client", connection));
        let response = send.send_request(self.request(path, headers, body)).await.expect("answer");
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.expect("body").to_bytes())
    }

    pub(super) async fn call(&self, path: &str, headers: &[(&str, &str)], frame: &[u8]) -> Got {
        let stream = platform::net::connect(&self.addr.to_string()).await.expect("connect");
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut send, connection) = handshake.await.expect("h2");
        drop(platform::task::spawn("client", connection));
        let mut request = self.request(path, headers, frame);
        request.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
        let (parts, body) = send.send_request(request).await.expect("answer").into_parts();
        let mut headers = parts.headers;
        let body = body.collect().await.expect("body");
        if let Some(trailers) = body.trailers() {
            headers.extend(trailers.clone());
        }
        (parts.status, headers, body.to_bytes())
    }
}
