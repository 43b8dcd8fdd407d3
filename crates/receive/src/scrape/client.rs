//! The HTTP client of scraping and HTTP discovery: GET with authentication, TLS, redirects and bounds.
//!
//! One [`Fetcher`] belongs to one target and keeps its connection open between scrapes; nothing is pooled beyond that.
//! Secrets in files are read at every request, so that they can be rotated.

use super::config::{Authorization, Bad, BasicAuth, HttpSdConfig, ScrapeConfig, Secret, TlsConfig, cause};
use crate::tls::{self, Pem, TlsError};
use crate::yaml::redact_url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue,
    LOCATION, USER_AGENT,
};
use http::uri::Scheme;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use wire::compress::Encoding;

mod insecure;

/// Redirects of one request.
const REDIRECTS_MAX: usize = 10;
/// Read buffer of a scrape's connection.
const CONNECTION_BUFFER_BYTES_MAX: usize = 256 << 10;
const AGENT: &str = concat!("Binnacle/", env!("CARGO_PKG_VERSION"));

/// Why an answer could not be had; the texts appear as a target's `lastError`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("Get {url:?}: {message}")]
    Connect { url: String, message: String },
    #[error("server returned HTTP status {0}")]
    Status(StatusCode),
    #[error("body size limit exceeded")]
    TooLarge,
    #[error("{0}")]
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Login {
    Basic { user: Source, password: Source },
    Header { scheme: String, credentials: Source },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Value(Secret),
    File(PathBuf),
}

impl Source {
    fn read(&self) -> Result<String, FetchError> {
        match self {
            Self::Value(Secret(text)) => Ok(text.clone()),
            Self::File(path) => match platform::files::read_text(path) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(FetchError::Other(format!("unable to read {}: {error}", path.display()))),
            },
        }
    }
}

/// How a job's requests authenticate and speak TLS.
#[derive(Debug)]
pub(crate) struct ClientSettings {
    login: Option<Login>,
    tls: Option<Arc<ClientConfig>>,
    server_name: Option<ServerName<'static>>,
    follow_redirects: bool,
}

impl ClientSettings {
    pub(crate) fn of_job(config: &ScrapeConfig) -> Result<Self, Bad> {
        let authorization = authorization(
            config.basic_auth.as_ref(),
            config.authorization.as_ref(),
            (config.bearer_token.as_ref(), config.bearer_token_file.as_ref()),
        )?;
        let login = login(config.basic_auth.as_ref(), authorization.as_ref())?;
        Self::build(login, &config.tls_config, config.follow_redirects)
    }

    pub(crate) fn of_discovery(config: &HttpSdConfig) -> Result<Self, Bad> {
        let authorization = authorization(
            config.basic_auth.as_ref(),
            config.authorization.as_ref(),
            (config.bearer_token.as_ref(), config.bearer_token_file.as_ref()),
        )?;
        let login = login(config.basic_auth.as_ref(), authorization.as_ref())?;
        Self::build(login, &config.tls_config, config.follow_redirects)
    }

    fn build(login: Option<Login>, config: &TlsConfig, follow_redirects: bool) -> Result<Self, Bad> {
        let fail = |field: &str, message: String| (format!("tls_config.{field}"), message);
        let tls = if *config == TlsConfig::default() {
            None
        } else {
            Some(Arc::new(client_config(config).map_err(|error| fail(error.field, error.message))?))
        };
        let server_name = config.server_name.clone().map(ServerName::try_from).transpose();
        let server_name =
            server_name.map_err(|_| fail("server_name", "is not a host name: correct it".into()))?;
        Ok(Self { login, tls, server_name, follow_redirects })
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, FetchError> {
        let text = match &self.login {
            None => return Ok(None),
            Some(Login::Basic { user, password }) => {
                format!("Basic {}", STANDARD.encode(format!("{}:{}", user.read()?, password.read()?)))
            }
            Some(Login::Header { scheme, credentials }) => format!("{scheme} {}", credentials.read()?),
        };
        let value = HeaderValue::from_str(&text);
        let mut value =
            value.map_err(|_| FetchError::Other("credentials hold a byte that no header may have".into()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// `authorization`, or what its shorthands `bearer_token` and `bearer_token_file` stand for.
fn authorization(
    basic: Option<&BasicAuth>,
    authorization: Option<&Authorization>,
    (token, token_file): (Option<&Secret>, Option<&PathBuf>),
) -> Result<Option<Authorization>, Bad> {
    let given = [basic.is_some(), authorization.is_some(), token.is_some(), token_file.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        let message =
            "at most one of basic_auth, authorization, bearer_token and bearer_token_file may be set";
        return Err(("authorization".into(), message.into()));
    }
    let (credentials, credentials_file) = (token.cloned(), token_file.cloned());
    let bearer =
        (given[2] || given[3]).then(|| Authorization { kind: String::new(), credentials, credentials_file });
    Ok(authorization.cloned().or(bearer))
}

fn login(basic: Option<&BasicAuth>, authorization: Option<&Authorization>) -> Result<Option<Login>, Bad> {
    if let Some(basic) = basic {
        let user = Some(Secret(basic.username.clone())).filter(|user| !user.0.is_empty());
        let user = source(user.as_ref(), basic.username_file.as_ref());
        let user =
            user.map_err(|()| ("basic_auth".to_owned(), "set one of username and username_file".to_owned()))?;
        let password = source(basic.password.as_ref(), basic.password_file.as_ref());
        let message = "set at most one of password and password_file";
        let password = password.map_err(|()| ("basic_auth".to_owned(), message.to_owned()))?;
        let (user, password) = (user.unwrap_or(EMPTY), password.unwrap_or(EMPTY));
        return Ok(Some(Login::Basic { user, password }));
    }
    let Some(authorization) = authorization else { return Ok(None) };
    let fail = |message: &str| ("authorization".to_owned(), message.to_owned());
    let credentials = source(authorization.credentials.as_ref(), authorization.credentials_file.as_ref());
    let credentials =
        credentials.map_err(|()| fail("set at most one of credentials and credentials_file"))?;
    let scheme = if authorization.kind.trim().is_empty() { "Bearer" } else { authorization.kind.trim() };
    if scheme.eq_ignore_ascii_case("basic") {
        return Err(fail("type Basic belongs into basic_auth"));
    }
    Ok(credentials.map(|credentials| Login::Header { scheme: scheme.to_owned(), credentials }))
}

const EMPTY: Source = Source::Value(Secret(String::new()));

fn source(value: Option<&Secret>, file: Option<&PathBuf>) -> Result<Option<Source>, ()> {
    match (value, file) {
        (Some(_), Some(_)) => Err(()),
        (Some(value), None) => Ok(Some(Source::Value(value.clone()))),
        (None, file) => Ok(file.cloned().map(Source::File)),
    }
}

fn client_config(config: &TlsConfig) -> Result<ClientConfig, TlsError> {
    let versions = tls::versions(config.min_version, config.max_version)?;
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&versions)
        .map_err(|error| TlsError::new("min_version", error.to_string()))?;
    let roots = match (&config.ca, &config.ca_file) {
        (None, None) => system_roots().clone(),
        (ca, file) => Pem::of("ca_file", ca.as_deref(), file.as_deref())?.roots()?,
    };
    let builder = if config.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(insecure::AnyCertificate::default()))
    } else {
        builder.with_root_certificates(roots)
    };
    let cert = config.cert.is_some() || config.cert_file.is_some();
    let key = config.key.is_some() || config.key_file.is_some();
    match (cert, key) {
        (false, false) => Ok(builder.with_no_client_auth()),
        (true, true) => {
            let cert = Pem::of("cert_file", config.cert.as_deref(), config.cert_file.as_deref())?;
            let key = config.key.as_ref().map(|key| key.0.as_str());
            let key = Pem::of("key_file", key, config.key_file.as_deref())?.private_key()?;
            builder.with_client_auth_cert(cert.certificates()?, key).map_err(|error| cert.wrong(&error))
        }
        (true, false) => Err(TlsError::new("cert_file", "goes with key_file: set both or none")),
        (false, true) => Err(TlsError::new("key_file", "goes with cert_file: set both or none")),
    }
}

/// The machine's authorities; read once.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        store
    })
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a str,
    pub(crate) accept: &'a str,
    pub(crate) compressed: bool,
    pub(crate) timeout_s: f64,
    pub(crate) bytes_max: u64,
}

/// An answer with status 200.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// The `Content-Type` header, or `""`.
    pub(crate) content_type: String,
    /// Decompressed.
    pub(crate) body: Bytes,
}

/// A client with at most one open connection.
#[derive(Debug, Default)]
pub(crate) struct Fetcher {
    open: Option<(String, SendRequest<Empty<Bytes>>)>,
}

impl Fetcher {
    /// Gets `ask.url`. The caller bounds the time.
    pub(crate) async fn get(
        &mut self,
        settings: &ClientSettings,
        ask: &Ask<'_>,
    ) -> Result<Fetched, FetchError> {
        let mut url: Uri = ask
            .url
            .parse()
            .map_err(|error| FetchError::Other(format!("URL {:?}: {error}", redact_url(ask.url))))?;
        let host = url.authority().cloned();
        for _ in 0..=REDIRECTS_MAX {
            let login = if url.authority() == host.as_ref() { settings.authorization()? } else { None };
            let response = self.send(settings, &url, ask, login).await?;
            let Some(next) = redirect(&url, &response).filter(|_| settings.follow_redirects) else {
                return read(response, ask.bytes_max).await;
            };
            url = next?;
        }
        Err(FetchError::Connect {
            url: redact_url(ask.url),
            message: format!("stopped after {REDIRECTS_MAX} redirects"),
        })
    }

    async fn send(
        &mut self,
        settings: &ClientSettings,
        url: &Uri,
        ask: &Ask<'_>,
        login: Option<HeaderValue>,
    ) -> Result<Response<Incoming>, FetchError> {
        let fail = |message: String| FetchError::Connect { url: redact_url(&url.to_string()), message };
        let origin = origin(url).map_err(fail)?;
        if let Some((to, mut open)) = self.open.take()
            && to == origin.key
            && open.ready().await.is_ok()
            && let Ok(response) = open.send_request(request(url, ask, login.as_ref()).map_err(fail)?).await
        {
            self.open = Some((to, open));
            return Ok(response);
        }
        let mut fresh = connect(settings, &origin).await.map_err(fail)?;
        let response = fresh.send_request(request(url, ask, login.as_ref()).map_err(fail)?).await;
        let response = response.map_err(|error| fail(chain(&error)))?;
        self.open = Some((origin.key, fresh));
        Ok(response)
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

struct Origin {
    /// `https://host:port`: what a connection may be reused for.
    key: String,
    address: String,
    host: String,
    tls: bool,
}

fn origin(url: &Uri) -> Result<Origin, String> {
    let host = url.host().filter(|host| !host.is_empty()).ok_or("the URL has no host")?;
    let tls = match url.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return Err("the URL's scheme is neither http nor https".into()),
    };
    let address = format!("{host}:{}", url.port_u16().unwrap_or(if tls { 443 } else { 80 }));
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Origin { key: format!("{tls}{address}"), address, host, tls })
}

async fn connect(settings: &ClientSettings, origin: &Origin) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = platform::net::connect(&origin.address).await;
    let stream =
        stream.map_err(|error| format!("dial tcp {}: connect: {}", origin.address, cause(&error)))?;
    if !origin.tls {
        return speak(stream).await;
    }
    let config = match &settings.tls {
        Some(config) => config.clone(),
        None => Arc::new(client_config(&TlsConfig::default()).map_err(|error| error.to_string())?),
    };
    let name = match &settings.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(origin.host.clone()).map_err(|error| error.to_string())?,
    };
    let stream = TlsConnector::from(config).connect(name, stream).await;
    speak(stream.map_err(|error| format!("tls: {error}"))?).await
}

async fn speak<S>(stream: S) -> Result<SendRequest<Empty<Bytes>>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(CONNECTION_BUFFER_BYTES_MAX);
    let (send, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    drop(platform::task::spawn("scrape-connection", connection));
    Ok(send)
}

fn request(url: &Uri, ask: &Ask<'_>, login: Option<&HeaderValue>) -> Result<Request<Empty<Bytes>>, String> {
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let host =
        url.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    let mut request = Request::get(path).body(Empty::new()).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    let text = |value: &str| HeaderValue::from_str(value).map_err(|error| error.to_string());
    headers.insert(HOST, text(host)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, text(ask.accept)?);
    headers
        .insert(ACCEPT_ENCODING, HeaderValue::from_static(if ask.compressed { "gzip" } else { "identity" }));
    headers.insert("x-prometheus-scrape-timeout-seconds", text(&ask.timeout_s.to_string())?);
    if let Some(login) = login {
        headers.insert(AUTHORIZATION, login.clone());
    }
    Ok(request)
}

/// Where a redirect leads; `None` when the answer is none.
fn redirect(from: &Uri, response: &Response<Incoming>) -> Option<Result<Uri, FetchError>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let absolute = match (location.starts_with('/'), from.scheme_str(), from.authority()) {
        (true, Some(scheme), Some(authority)) => format!("{scheme}://{authority}{location}"),
        _ => location.to_owned(),
    };
    Some(absolute.parse().map_err(|error| FetchError::Other(format!("redirect to {location:?}: {error}"))))
}

async fn read(response: Response<Incoming>, bytes_max: u64) -> Result<Fetched, FetchError> {
    let (parts, mut body) = response.into_parts();
    if parts.status != StatusCode::OK {
        return Err(FetchError::Status(parts.status));
    }
    let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| FetchError::Other(chain(&error)))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if bytes.len() + chunk.len() > limit {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    let encoding =
        Encoding::from_header(header(&parts.headers, CONTENT_ENCODING)).map_err(|error| other(&error))?;
    let plain = match encoding.unpack(&bytes, limit) {
        Err(wire::WireError::TooLarge { .. }) => return Err(FetchError::TooLarge),
        plain => plain.map_err(|error| other(&error))?.unwrap_or(bytes),
    };
    Ok(Fetched { content_type: header(&parts.headers, CONTENT_TYPE).to_owned(), body: Bytes::from(plain) })
}

fn other(error: &wire::WireError) -> FetchError {
    FetchError::Other(error.to_string())
}

fn header(headers: &HeaderMap, name: http::header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
