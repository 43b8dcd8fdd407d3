//! A door on a loopback socket, and the one way to ask it: `check(request, expected part of the answer)`.

use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::net::SocketAddr;

/// A running door.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = platform::net::listen(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        platform::task::spawn("door under test", async move { axum::serve(listener, router).await });
        Self { address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends `GET /path a=b&c=d` (or `POST`: the pairs as a form); values need no escaping but for `&`.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        self.ask_with(request, &[]).await
    }

    pub(crate) async fn ask_with(&self, request: &str, headers: &[(&str, &str)]) -> Answer {
        let mut words = request.splitn(3, ' ');
        let method: Method = words.next().expect("a method").parse().expect("a method");
        let path = words.next().expect("a path");
        let pairs = words.next().unwrap_or_default();
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            encoded.append_pair(key, value);
        }
        let encoded = encoded.finish();
        let (query, body) = if method == Method::POST {
            (String::new(), encoded)
        } else {
            (if encoded.is_empty() { encoded } else { format!("?{encoded}") }, String::new())
        };
        let mut builder =
            Request::builder().method(method).uri(format!("http://{}{path}{query}", self.address));
        if !body.is_empty() {
            builder = builder.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        self.send(builder.body(Full::from(body)).expect("a request")).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks and compares: `expected` is a part of the JSON answer, or a text that the answer contains.
    pub(crate) async fn check(&self, request: &str, status: u16, expected: Value) {
        let answer = self.ask(request).await;
        assert_eq!(answer.status.as_u16(), status, "{request}: {}", answer.text());
        match expected {
            Value::String(part) => assert!(answer.text().contains(&part), "{request}: {}", answer.text()),
            expected => assert_part(&answer.json(), &expected, request),
        }
    }
}

/// Calls `path` with `request` and returns every message of the answer.
pub(crate) async fn call<Q, A>(
    server: &Server,
    path: &'static str,
    request: Q,
) -> Result<Vec<A>, tonic::Status>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("http://{}", server.address)).expect("an endpoint");
    let mut client = tonic::client::Grpc::new(endpoint.connect().await.expect("a connection"));
    client.ready().await.expect("ready");
    let path = hyper::http::uri::PathAndQuery::from_static(path);
    let codec: tonic_prost::ProstCodec<Q, A> = tonic_prost::ProstCodec::default();
    let response = client.server_streaming(tonic::Request::new(request), path, codec).await?;
    let mut stream: tonic::Streaming<A> = response.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

/// Every field of `expected` stands in `actual`; arrays agree in length.
pub(crate) fn assert_part(actual: &Value, expected: &Value, context: &str) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(fields)) => {
            for (key, expected) in fields {
                let found = actual.get(key);
                let found = found.unwrap_or_else(|| panic!("{context}: no {key:?} in {actual:?}"));
                assert_part(found, expected, &format!("{context} /{key}"));
            }
        }
        (Value::Array(actual), Value::Array(items)) => {
            assert_eq!(actual.len(), items.len(), "{context}: {actual:?}");
            for (at, (actual, expected)) in actual.iter().zip(items).enumerate() {
                assert_part(actual, expected, &format!("{context} /{at}"));
            }
        }
        _ => assert_eq!(actual, expected, "{context}"),
    }
}
