//! TLS of our own doors: Prometheus' `tls_server_config`, read into a rustls configuration.
//!
//! Certificates are read when the configuration is loaded and again on [`ServerTls::reload`]; connections that are open
//! keep the old one.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// `tls_server_config` of Prometheus' web configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsServerConfig {
    /// PEM chain, leaf first.
    pub cert_file: PathBuf,
    /// PEM private key.
    pub key_file: PathBuf,
    /// Whether clients show a certificate.
    pub client_auth_type: ClientAuth,
    /// PEM of the authorities that sign clients' certificates.
    pub client_ca_file: Option<PathBuf>,
}

/// Go's names of client certificate policies, as `web.yml` spells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    NoClientCert,
    /// One that is shown must be valid.
    VerifyClientCertIfGiven,
    /// A valid one must be shown.
    RequireAndVerifyClientCert,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{field} {path}: {source}")]
    Read {
        /// The configuration's field.
        field: &'static str,
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is not what its field wants.
    #[error("{field} {path}: {message}")]
    Content {
        /// The configuration's field.
        field: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Fields that do not go together.
    #[error("{0}")]
    Config(String),
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
    let chain = certificates("cert_file", &config.cert_file)?;
    let key = private_key("key_file", &config.key_file)?;
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Config(error.to_string()))?;
    let builder = match (config.client_auth_type, &config.client_ca_file) {
        (ClientAuth::NoClientCert, None) => builder.with_no_client_auth(),
        (ClientAuth::NoClientCert, Some(_)) => {
            let message =
                "client_ca_file is set but client_auth_type is not: set it to RequireAndVerifyClientCert";
            return Err(TlsError::Config(message.into()));
        }
        (_, None) => {
            let message =
                "client_auth_type needs client_ca_file: name the authorities that sign clients' certificates";
            return Err(TlsError::Config(message.into()));
        }
        (kind, Some(path)) => {
            let roots = Arc::new(roots("client_ca_file", path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if kind == ClientAuth::VerifyClientCertIfGiven {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let verifier = verifier.build().map_err(|error| content("client_ca_file", path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(|error| content("cert_file", &config.cert_file, &error))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}

/// The one cryptography provider of the process.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The authorities in a PEM file.
pub(crate) fn roots(field: &'static str, path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(field, path)? {
        store.add(certificate).map_err(|error| content(field, path, &error))?;
    }
    Ok(store)
}

/// The certificates in a PEM file, at least one.
pub(crate) fn certificates(
    field: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(field, path)?;
    let chain = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| content(field, path, &error))?;
    if chain.is_empty() {
        return Err(content(field, path, &"holds no PEM certificate"));
    }
    Ok(chain)
}

/// The private key in a PEM file.
pub(crate) fn private_key(field: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(field, path)?).map_err(|error| content(field, path, &error))
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    if path.as_os_str().is_empty() {
        return Err(TlsError::Config(format!("{field} is missing: name a PEM file")));
    }
    platform::files::read(path).map_err(|source| TlsError::Read {
        field,
        path: path.display().to_string(),
        source,
    })
}

fn content(field: &'static str, path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::Content { field, path: path.display().to_string(), message: error.to_string() }
}
