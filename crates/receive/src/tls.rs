//! TLS of our own doors: Prometheus' `tls_server_config`, read into a rustls configuration.
//!
//! Certificates are read when the configuration is loaded and again on [`ServerTls::reload`]; connections that are open
//! keep the old one. What is written and cannot be had is an error: a door is never weaker than its file says.

use crate::scrape::config::{Secret, cause};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// `tls_server_config` of Prometheus' web configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TlsServerConfig {
    /// PEM chain, leaf first.
    pub cert_file: PathBuf,
    /// Or the chain itself.
    pub cert: Option<String>,
    /// PEM private key.
    pub key_file: PathBuf,
    /// Or the key itself.
    pub key: Option<Secret>,
    /// Whether clients show a certificate.
    pub client_auth_type: ClientAuth,
    /// PEM of the authorities that sign clients' certificates.
    pub client_ca_file: Option<PathBuf>,
    /// Or the authorities themselves.
    pub client_ca: Option<String>,
    /// Names one of which a client's certificate must have; not offered.
    pub client_allowed_sans: Vec<String>,
    /// TLS 1.2 when absent.
    pub min_version: Option<TlsVersion>,
    /// TLS 1.3 when absent.
    pub max_version: Option<TlsVersion>,
    /// Go's names of TLS 1.2 suites; those of TLS 1.3 are always offered.
    pub cipher_suites: Vec<String>,
    /// Whether our order of suites counts, not the client's.
    pub prefer_server_cipher_suites: Option<bool>,
    /// Go's names of key exchange groups, best first.
    pub curve_preferences: Vec<String>,
    /// Whether HTTP/2 is not offered: `http_server_config.http2: false`.
    #[serde(skip)]
    pub without_http2: bool,
}

/// Versions as `web.yml` and `tls_config` spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum TlsVersion {
    /// 1.0; as a minimum, 1.2 is.
    #[serde(rename = "TLS10")]
    V10,
    /// 1.1; as a minimum, 1.2 is.
    #[serde(rename = "TLS11")]
    V11,
    /// 1.2.
    #[serde(rename = "TLS12")]
    V12,
    /// 1.3.
    #[serde(rename = "TLS13")]
    V13,
}

/// Go's names of client certificate policies, as `web.yml` spells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    NoClientCert,
    /// Any is asked for; not offered.
    RequestClientCert,
    /// Any must be shown; not offered.
    #[serde(alias = "RequireClientCert")]
    RequireAnyClientCert,
    /// One that is shown must be valid.
    VerifyClientCertIfGiven,
    /// A valid one must be shown.
    RequireAndVerifyClientCert,
}

/// Why TLS cannot be served or spoken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct TlsError {
    /// The configuration's field.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl TlsError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// What a listener hands its connections.
#[derive(Debug)]
pub struct ServerTls {
    config: TlsServerConfig,
    current: RwLock<Arc<ServerConfig>>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read or is not PEM of the right kind, or key and certificate do not belong together.
    pub fn load(config: TlsServerConfig) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(build(&config)?));
        Ok(Self { config, current })
    }

    /// Reads the files again; on error the old ones stay in use.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(build(&self.config)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn build(config: &TlsServerConfig) -> Result<ServerConfig, TlsError> {
    let cert = Pem::of("cert_file", config.cert.as_deref(), Some(&config.cert_file))?;
    let (chain, place) = (cert.certificates()?, cert);
    let key = Pem::of("key_file", config.key.as_ref().map(|key| key.0.as_str()), Some(&config.key_file))?;
    let key = key.private_key()?;
    if !config.client_allowed_sans.is_empty() {
        let message = "is not offered: remove it, or sign the allowed clients with an authority of their own";
        return Err(TlsError::new("client_allowed_sans", message));
    }
    let provider = Arc::new(restricted(config)?);
    let versions = versions(config.min_version, config.max_version)?;
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions).map_err(
            |_| TlsError::new("cipher_suites", "names no suite of the versions that are left: add one"),
        )?;
    let builder = match client_verifier(config, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_single_cert(chain, key).map_err(|error| place.wrong(&error))?;
    if let Some(ours) = config.prefer_server_cipher_suites {
        server.ignore_client_order = ours;
    }
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    server.alpn_protocols.retain(|name| !(config.without_http2 && name == b"h2"));
    Ok(server)
}

fn client_verifier(
    config: &TlsServerConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>, TlsError> {
    let named = config.client_ca.is_some() || config.client_ca_file.is_some();
    match config.client_auth_type {
        ClientAuth::NoClientCert if !named => return Ok(None),
        ClientAuth::NoClientCert => {
            let message = "is missing although client_ca_file is set: write RequireAndVerifyClientCert";
            return Err(TlsError::new("client_auth_type", message));
        }
        ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert => {
            let message = "is not offered, it verifies nothing: write VerifyClientCertIfGiven or RequireAndVerifyClientCert";
            return Err(TlsError::new("client_auth_type", message));
        }
        ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert => {}
    }
    let authorities =
        Pem::of("client_ca_file", config.client_ca.as_deref(), config.client_ca_file.as_deref())?;
    let roots = Arc::new(authorities.roots()?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let verifier = if config.client_auth_type == ClientAuth::VerifyClientCertIfGiven {
        verifier.allow_unauthenticated()
    } else {
        verifier
    };
    Ok(Some(verifier.build().map_err(|error| authorities.wrong(&error))?))
}

/// The one cryptography provider of the process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The provider with the suites and groups that `config` names; all of them where it names none.
fn restricted(config: &TlsServerConfig) -> Result<CryptoProvider, TlsError> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let offered = provider.cipher_suites.clone();
    let name = |suite: &rustls::SupportedCipherSuite| {
        suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
    };
    let known: Vec<String> = offered.iter().map(name).collect();
    if let Some(wrong) = config.cipher_suites.iter().find(|wanted| !known.contains(wanted)) {
        return Err(TlsError::new(
            "cipher_suites",
            format!("{wrong:?} is not offered: use {}", known.join(", ")),
        ));
    }
    if !config.cipher_suites.is_empty() {
        provider
            .cipher_suites
            .retain(|suite| suite.version() == &TLS13 || config.cipher_suites.contains(&name(suite)));
    }
    if !config.curve_preferences.is_empty() {
        let group = |wanted: &String| {
            let (_, named) = CURVES.iter().find(|(name, _)| *name == wanted.as_str())?;
            provider.kx_groups.iter().find(|group| group.name() == *named).copied()
        };
        let groups = config.curve_preferences.iter().map(|wanted| group(wanted).ok_or(wanted));
        provider.kx_groups = groups.collect::<Result<_, _>>().map_err(|wrong| {
            let names: Vec<&str> = CURVES.iter().map(|(name, _)| *name).collect();
            TlsError::new("curve_preferences", format!("{wrong:?} is not offered: use {}", names.join(", ")))
        })?;
    }
    Ok(provider)
}

/// Go's names of key exchange groups.
const CURVES: [(&str, NamedGroup); 4] = [
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("X25519", NamedGroup::X25519),
    ("X25519MLKEM768", NamedGroup::X25519MLKEM768),
];

/// The versions from `min` to `max`. Below TLS 1.2 nothing is offered: a lower `min` asks for less than there is, a lower
/// `max` for what cannot be had.
pub(crate) fn versions(
    min: Option<TlsVersion>,
    max: Option<TlsVersion>,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    if max.is_some_and(|version| version < TlsVersion::V12) {
        return Err(TlsError::new("max_version", "is not offered, it is broken: write TLS12 or TLS13"));
    }
    let mut versions = vec![&TLS12, &TLS13];
    versions.retain(|version| **version != TLS12 || min != Some(TlsVersion::V13));
    versions.retain(|version| **version != TLS13 || max != Some(TlsVersion::V12));
    if versions.is_empty() {
        return Err(TlsError::new("max_version", "is below min_version: raise it"));
    }
    Ok(versions)
}

/// PEM text and where it is from.
pub(crate) struct Pem {
    field: &'static str,
    /// `/etc/cert.pem: `, or nothing when the text stands in the configuration.
    place: String,
    bytes: Vec<u8>,
}

impl Pem {
    /// The text itself, or what is in `path`.
    pub(crate) fn of(field: &'static str, text: Option<&str>, path: Option<&Path>) -> Result<Self, TlsError> {
        let path = path.filter(|path| !path.as_os_str().is_empty());
        let inline = field.trim_end_matches("_file");
        match (text, path) {
            (Some(_), Some(_)) => {
                Err(TlsError::new(field, format!("is set, and {inline} too: keep one of the two")))
            }
            (Some(text), None) => Ok(Self { field, place: String::new(), bytes: text.as_bytes().to_vec() }),
            (None, None) => Err(TlsError::new(field, "is missing: name a PEM file")),
            (None, Some(path)) => {
                let bytes = platform::files::read(path).map_err(|error| {
                    let message =
                        format!("{} cannot be read ({}): name a PEM file", path.display(), cause(&error));
                    TlsError::new(field, message)
                })?;
                Ok(Self { field, place: format!("{}: ", path.display()), bytes })
            }
        }
    }

    /// `message` about it.
    pub(crate) fn wrong(&self, message: &dyn std::fmt::Display) -> TlsError {
        TlsError::new(self.field, format!("{}{message}", self.place))
    }

    /// Its certificates, at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.bytes).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| self.wrong(&error))?;
        if chain.is_empty() {
            return Err(self.wrong(&"holds no PEM certificate"));
        }
        Ok(chain)
    }

    /// Its private key.
    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|_| self.wrong(&"holds no PEM private key"))
    }

    /// Its certificates as authorities.
    pub(crate) fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates()? {
            store.add(certificate).map_err(|error| self.wrong(&error))?;
        }
        Ok(store)
    }
}
