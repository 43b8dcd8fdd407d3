//! Who may come in: Prometheus' `web.yml` (TLS, basic authentication, headers) and bearer tokens, for every door alike.

use crate::config::{Config, said};
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use receive::auth::{Auth, AuthError, Credentials};
use receive::scrape::cause;
use receive::tls::{ServerTls, TlsServerConfig};
use receive::yaml::{Document, Unused};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Prometheus' web configuration file.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WebFile {
    tls_server_config: Option<TlsServerConfig>,
    http_server_config: HttpServerConfig,
    basic_auth_users: BTreeMap<String, String>,
}

/// Its keys that are read over.
const UNUSED: Unused = &[("WebFile", &["rate_limit"])];

/// `http_server_config`.
#[derive(Deserialize)]
#[serde(default)]
struct HttpServerConfig {
    /// Whether HTTP/2 is offered over TLS.
    http2: bool,
    /// On every answer.
    headers: BTreeMap<String, String>,
}

impl Default for HttpServerConfig {
    fn default() -> Self {
        Self { http2: true, headers: BTreeMap::new() }
    }
}

/// Headers that may be set, and their values where only some make sense.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// The guard in front of the doors.
#[derive(Clone)]
pub(crate) struct Guard {
    auth: Auth,
    pub(crate) tls: Option<Arc<ServerTls>>,
    headers: HeaderMap,
    /// Keys of `web.yml` that are read over, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// A field of `web.yml` and what is wrong with it.
type Bad = (String, String);

impl Guard {
    /// Whether a door may stand beyond loopback.
    pub(crate) fn protects(&self) -> bool {
        self.tls.is_some() || !self.auth.is_open()
    }

    /// `router` behind the guard.
    pub(crate) fn protect(&self, router: Router) -> Router {
        let router = self.auth.protect(router);
        if self.headers.is_empty() {
            return router;
        }
        let headers = self.headers.clone();
        router.layer(map_response(move |mut response: Response| {
            response.headers_mut().extend(headers.clone());
            std::future::ready(response)
        }))
    }

    /// Reads `web.yml` and the token file.
    ///
    /// # Errors
    /// One sentence that names file, line, field and fix.
    pub(crate) fn load(config: &Config) -> Result<Self, String> {
        let tokens = config.bearer_tokens_file.as_deref().map(read_tokens).transpose();
        let tokens = tokens.map_err(|message| config.wrong("bearer_tokens_file", &message))?;
        let tokens = tokens.unwrap_or_default();
        let Some(path) = config.web_config.as_deref() else {
            let auth = auth(BTreeMap::new(), tokens).map_err(|(_, message)| message)?;
            return Ok(Self { auth, tls: None, headers: HeaderMap::new(), notes: Vec::new() });
        };
        let text = text_of(path).map_err(|message| config.wrong("web_config", &message))?;
        Self::of(path, &text, tokens)
    }

    fn of(path: &Path, text: &str, tokens: Vec<String>) -> Result<Self, String> {
        let document = Document::parse(text).map_err(|mistake| said(path, &[mistake]))?;
        let (file, unused): (WebFile, _) = document.read(UNUSED).map_err(|mistakes| said(path, &mistakes))?;
        let notes = unused.iter().map(|mistake| format!("{}: {mistake}", path.display())).collect();
        let wrong = |(field, message): Bad| said(path, &[document.mistake(&field, message)]);
        let headers = headers(&file.http_server_config.headers).map_err(wrong)?;
        let auth = auth(file.basic_auth_users, tokens).map_err(wrong)?;
        let tls = file.tls_server_config.filter(|config| *config != TlsServerConfig::default());
        let folder = path.parent().unwrap_or(Path::new(""));
        let tls = tls.map(|config| {
            let without_http2 = !file.http_server_config.http2;
            ServerTls::load(TlsServerConfig { without_http2, ..beside(config, folder) })
        });
        let tls = tls.transpose();
        let tls =
            tls.map_err(|error| wrong((format!("tls_server_config.{}", error.field), error.message)))?;
        Ok(Self { auth, tls: tls.map(Arc::new), headers, notes })
    }
}

fn auth(basic_auth_users: BTreeMap<String, String>, bearer_tokens: Vec<String>) -> Result<Auth, Bad> {
    Auth::new(Credentials { basic_auth_users, bearer_tokens }).map_err(|error| match error {
        AuthError::Hash(user) => {
            let message = "is not a bcrypt hash: make one with `htpasswd -nBC 10 \"\"`";
            (format!("basic_auth_users.{user}"), message.to_owned())
        }
        AuthError::Token(_) => (String::new(), error.to_string()),
    })
}

fn headers(wanted: &BTreeMap<String, String>) -> Result<HeaderMap, Bad> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let fail = |message: String| (format!("http_server_config.headers.{name}"), message);
        let Some((_, values)) = HEADERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
            let known: Vec<&str> = HEADERS.iter().map(|(known, _)| *known).collect();
            return Err(fail(format!("cannot be set: use {}", known.join(", "))));
        };
        if !values.is_empty() && !values.contains(&value.as_str()) {
            return Err(fail(format!("must be one of {}", values.join(", "))));
        }
        let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) =
            header.ok_or_else(|| fail("holds a byte that no header may have: remove it".into()))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn read_tokens(path: &Path) -> Result<Vec<String>, String> {
    let text = text_of(path)?;
    let lines = text.lines().map(|line| line.trim().to_owned());
    let tokens: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    if tokens.is_empty() {
        return Err(format!("{} holds no token: write one a line", path.display()));
    }
    Ok(tokens)
}

/// Relative paths are relative to the file that names them, as in Prometheus.
fn beside(mut config: TlsServerConfig, folder: &Path) -> TlsServerConfig {
    let paths = [Some(&mut config.cert_file), Some(&mut config.key_file), config.client_ca_file.as_mut()];
    for path in paths.into_iter().flatten().filter(|path| !path.as_os_str().is_empty()) {
        *path = folder.join(&*path);
    }
    config
}

/// A file's text, or one sentence.
pub(crate) fn text_of(path: &Path) -> Result<String, String> {
    platform::files::read_text(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => format!("{} is not UTF-8: write it as text", path.display()),
        _ => format!("{} cannot be read ({}): name a file that is there", path.display(), cause(&error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_form_is_read_and_what_cannot_be_is_named_with_its_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("web.yml");
        let load = |text: &str| Guard::of(&path, text, Vec::new());
        let hash = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
        let users = format!("basic_auth_users:\n  ada: {hash}\n");
        for (text, expected) in [
            (
                "basic_auth_users: {ada: secret}",
                "line 1, column 20: basic_auth_users.ada: is not a bcrypt hash",
            ),
            (
                "tls_server_confg: {}",
                "line 1, column 1: tls_server_confg: there is no such key: did you mean tls_server_config?",
            ),
            (
                "tls_server_config:\n  min_version: TLS12\n",
                "line 1, column 1: tls_server_config.cert_file: is missing: name a PEM file",
            ),
            (
                "tls_server_config:\n  min_version: 1.2\n",
                "line 2, column 16: tls_server_config.min_version: \"1.2\" is none of TLS10",
            ),
            (
                "tls_server_config: {cert_file: a.pem}",
                &format!(
                    "line 1, column 21: tls_server_config.cert_file: {}/a.pem cannot be read",
                    dir.path().display()
                ),
            ),
            (
                "http_server_config: {headers: {X-Frame-Options: allow}}",
                "headers.X-Frame-Options: must be one of deny, sameorigin",
            ),
            (
                "http_server_config: {headers: {X-Other: a}}",
                "headers.X-Other: cannot be set: use Strict-Transport",
            ),
        ] {
            // The hash stands beside every mistake and in no message.
            let error = load(&format!("{text}\n{users}").replacen(
                &users,
                if text.contains("users") { "" } else { &users },
                1,
            ));
            let error = error.err().expect(text);
            assert!(
                error.starts_with(&path.display().to_string()) && error.contains(expected),
                "{text}: {error}"
            );
            assert!(!error.contains(hash) && error.lines().count() == 1, "{error}");
        }
        let good = load(&format!(
            "tls_server_config:\nrate_limit: {{burst: 20}}\nhttp_server_config: {{http2: false, headers: {{X-Frame-Options: deny}}}}\n{users}"
        ));
        let good = good.expect("good");
        assert!(good.protects() && good.tls.is_none() && good.headers["x-frame-options"] == "deny");
        assert!(
            good.notes[0].ends_with("line 2, column 1: rate_limit: is not used by Binnacle"),
            "{:?}",
            good.notes
        );
    }
}
