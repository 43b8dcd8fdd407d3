//! A client for one request over a connection of its own: HTTP/1, HTTP/2 as gRPC uses it, or raw bytes.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Headers of a request.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// What came back; trailers stand among the headers.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers and trailers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics with the text when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// `GET`; nothing when there is no answer.
pub async fn get(addr: SocketAddr, path: &str) -> Option<Answer> {
    ask(addr, Method::GET, path, &[], &[]).await
}

/// `GET` with parameters, which are escaped here.
pub async fn query(addr: SocketAddr, path: &str, params: &[(&str, &str)], headers: Headers<'_>) -> Answer {
    let path = format!("{path}?{}", encode(params));
    ask(addr, Method::GET, &path, headers, &[]).await.expect("an answer")
}

/// Parameters as a query string.
pub fn encode(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

/// `POST`.
pub async fn post(addr: SocketAddr, path: &str, headers: Headers<'_>, body: &[u8]) -> Answer {
    ask(addr, Method::POST, path, headers, body).await.expect("an answer")
}

/// Any method over HTTP/1; nothing when the connection breaks before the answer is whole.
pub async fn ask(
    addr: SocketAddr,
    method: Method,
    path: &str,
    headers: Headers<'_>,
    body: &[u8],
) -> Option<Answer> {
    let stream = platform::net::connect(&addr.to_string()).await.ok()?;
    ask_over(stream, request(method, path, headers, body)).await
}

/// One request over a connection that stands.
pub async fn ask_over<S>(stream: S, request: Request<Full<Bytes>>) -> Option<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    drop(platform::task::spawn("client", connection));
    whole(send.send_request(request).await.ok()?).await
}

/// A unary or streaming gRPC call with `frames` as its body.
pub async fn call(addr: SocketAddr, path: &str, headers: Headers<'_>, frames: &[u8]) -> Answer {
    let stream = platform::net::connect(&addr.to_string()).await.expect("a connection");
    call_over(stream, addr, path, headers, frames).await
}

/// As [`call`], over a connection that stands.
pub async fn call_over<S>(
    stream: S,
    addr: SocketAddr,
    path: &str,
    headers: Headers<'_>,
    frames: &[u8],
) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut send, connection) = handshake.await.expect("HTTP/2");
    drop(platform::task::spawn("client", connection));
    let mut headers = headers.to_vec();
    headers.push(("te", "trailers"));
    let request = request(Method::POST, &format!("http://{addr}{path}"), &headers, frames);
    whole(send.send_request(request).await.expect("an answer")).await.expect("a whole answer")
}

/// A gRPC frame.
pub fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&[flag], &length.to_be_bytes()[..], message].concat()
}

/// Sends bytes as they are, half closes, and reads until the server closes; what it answered.
pub async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = platform::net::connect(&addr.to_string()).await.expect("a connection");
    // The server may answer and close before all is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(super::PATIENCE, read).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request; the host is a placeholder unless `path` is a whole address.
pub fn request(method: Method, path: &str, headers: Headers<'_>, body: &[u8]) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    if path.starts_with('/') {
        builder = builder.header("host", "test");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(Bytes::copy_from_slice(body))).expect("a request")
}

async fn whole(response: http::Response<hyper::body::Incoming>) -> Option<Answer> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?;
    let mut headers = parts.headers;
    if let Some(trailers) = body.trailers() {
        headers.extend(trailers.clone());
    }
    Some(Answer { status: parts.status.as_u16(), headers, body: body.to_bytes() })
}
