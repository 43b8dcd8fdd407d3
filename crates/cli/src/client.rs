//! One HTTP client: GET and POST of JSON, with tenant and token, errors in the server's words.

use crate::connection::{Connector, Duplex};
use crate::{Common, Failure};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::Path;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// How a door answers a path that it does not have.
const NO_SUCH_PAGE: &str = "404 page not found";
/// What to do when another door answers.
const WRONG_DOOR: &str = "--server names the door of screens and API, port 8080 unless configured otherwise; other doors speak \
                          one tool's API each";

/// A client of one server.
pub(crate) struct Client {
    connector: Connector,
    server: String,
    /// What stands before every path: `/prefix`, or nothing.
    prefix: String,
    headers: HeaderMap,
}

impl Client {
    /// A client for `common.server`.
    pub(crate) fn new(common: &Common) -> Result<Self, Failure> {
        let server = common.server.trim_end_matches('/').to_owned();
        let url: Uri =
            server.parse().map_err(|error| Failure::usage(format!("--server: {server:?}: {error}")))?;
        let connector = Connector::new(&url, common.ca_file.as_deref())?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(tenant) = &common.tenant {
            let name =
                model::Tenant::new(tenant).map_err(|error| Failure::usage(format!("--tenant: {error}")))?;
            let value =
                HeaderValue::try_from(name.as_str()).map_err(|_| Failure::usage("--tenant: not a header"))?;
            headers.insert("x-scope-orgid", value);
        }
        if let Some(path) = &common.token_file {
            headers.insert(AUTHORIZATION, bearer(path)?);
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { connector, server, prefix, headers })
    }

    /// `GET path?params` as JSON.
    pub(crate) async fn get(&self, path: &str, params: &[(&str, &str)]) -> Result<Value, Failure> {
        self.call(Method::GET, &with_params(path, params), None).await
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The request for a WebSocket at `path?params`, with the same headers, and a connection to send it over.
    pub(crate) async fn web_socket(
        &self,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<(Request<()>, Box<dyn Duplex>), Failure> {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let url = format!("ws{}{}", self.server.trim_start_matches("http"), with_params(path, params));
        let mut request =
            url.into_client_request().map_err(|error| Failure::usage(format!("--server: {error}")))?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        Ok((request, self.connector.connect().await?))
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.prefix));
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            let host = HeaderValue::try_from(self.connector.authority.as_str());
            headers.insert(HOST, host.map_err(|_| Failure::usage("--server: not a host"))?);
            if body.is_some() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        let body = Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default()));
        let request = request.body(body).map_err(|error| Failure::usage(format!("--server: {error}")))?;
        let broke = |error: hyper::Error| Failure::new(format!("{} broke off: {error}", self.server));
        let stream = TokioIo::new(self.connector.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broke)?;
        drop(platform::task::spawn("connection", connection));
        let answer = sender.send_request(request).await.map_err(broke)?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = read.map_err(|error| Failure::new(format!("the answer broke off: {error}")))?.to_bytes();
        if !status.is_success() {
            return Err(refused(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(format!("what answers at {} does not speak JSON: {error}", self.server))
                .hint(WRONG_DOOR)
        })
    }
}

/// The failure that an answer without success means, in the server's words: a request that it calls wrong is a wrong
/// argument.
pub(crate) fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let told = serde_json::from_slice::<Value>(body).ok().and_then(|value| {
        let places = [&value["error"]["message"], &value["error"], &value["message"]];
        places.iter().find_map(|place| place.as_str().map(ToOwned::to_owned))
    });
    let told = told.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
    if status == StatusCode::NOT_FOUND && (told.is_empty() || told == NO_SUCH_PAGE) {
        return Failure::new("what answers there is not Binnacle's own door").hint(WRONG_DOOR);
    }
    let told = if told.is_empty() { format!("the server answered {status}") } else { told };
    if status == StatusCode::BAD_REQUEST { Failure::usage(told) } else { Failure::new(told) }
}

pub(crate) fn with_params(path: &str, params: &[(&str, &str)]) -> String {
    if params.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{path}?{query}")
}

/// The first line of a token file as a header; the token itself is never printed.
fn bearer(path: &Path) -> Result<HeaderValue, Failure> {
    let wrong = |what: String| Failure::usage(format!("--token-file {}: {what}", path.display()));
    let text = platform::disk::read_file(path).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| wrong("not UTF-8".to_owned()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| wrong("not a token".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let check = |status: u16, body: &str, code: u8, message: &str, hinted: bool| {
            let status = StatusCode::from_u16(status).expect("a status");
            let failure = refused(status, body.as_bytes());
            assert_eq!((failure.code, failure.message.as_str()), (code, message));
            assert_eq!(failure.hint.is_some(), hinted, "{message}");
        };
        check(400, r#"{"status":"error","error":"1:5: parse error"}"#, 2, "1:5: parse error", false);
        check(400, "parse error\n", 2, "parse error", false);
        check(404, r#"{"error":{"message":"no trace 7 is stored"}}"#, 1, "no trace 7 is stored", false);
        check(404, "404 page not found\n", 1, "what answers there is not Binnacle's own door", true);
        check(404, "", 1, "what answers there is not Binnacle's own door", true);
        check(422, r#"{"error":"too many samples"}"#, 1, "too many samples", false);
        check(503, "", 1, "the server answered 503 Service Unavailable", false);
    }
}
