//! The way to the server: TCP, and TLS where its address begins with `https`.
//!
//! A certificate is always verified, against the machine's authorities or those of `--ca-file`; there is no flag that
//! skips it.

use crate::Failure;
use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// What both kinds of connections are.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Opens connections to one server.
pub(crate) struct Connector {
    /// `host:port`, as the `Host` header and the resolver want it.
    pub(crate) authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// A connector for `server`, `http://HOST:PORT` or `https://HOST:PORT`.
    pub(crate) fn new(server: &Uri, ca_file: Option<&Path>) -> Result<Self, Failure> {
        let unsupported = || {
            let message =
                format!("--server: {server} is not supported, write http://HOST:PORT or https://HOST:PORT");
            Failure::usage(message)
        };
        let host = server.host().filter(|host| !host.is_empty()).ok_or_else(unsupported)?;
        let secure = match server.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(unsupported()),
        };
        let authority = format!("{host}:{}", server.port_u16().unwrap_or(if secure { 443 } else { 80 }));
        if !secure {
            return match ca_file {
                Some(_) => Err(Failure::usage("--ca-file: goes with an https address in --server")),
                None => Ok(Self { authority, tls: None }),
            };
        }
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| unsupported())?;
        Ok(Self { authority, tls: Some((TlsConnector::from(Arc::new(config(ca_file)?)), name)) })
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Duplex>, Failure> {
        let authority = &self.authority;
        let stream = platform::net::connect(authority).await.map_err(|_| {
            Failure::new(format!("no server answers at {authority}"))
                .hint("start one with `binnacle up`, or name it with --server")
        })?;
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(stream)) };
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => {
                let failure = Failure::new(format!("no TLS with {authority}: {error}"));
                let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                Err(failure.hint(match cause {
                    Some(rustls::Error::InvalidCertificate(_)) => {
                        "--ca-file names a PEM file with the authority that signed the server's certificate; the certificate must \
                         have the name that --server has"
                    }
                    _ => "a server without TLS is written http://HOST:PORT",
                }))
            }
        }
    }
}

/// TLS 1.2 or 1.3 and HTTP/1.1, trusting the authorities in `ca_file`, else the machine's.
fn config(ca_file: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let wrong = |what: String| Failure::usage(format!("--ca-file {}: {what}", path.display()));
            let pem = platform::disk::read_file(path).map_err(|error| wrong(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("no certificate in it".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::new(format!("TLS is not available: {error}")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_whether_there_is_tls() {
        let check = |server: &str, ca_file: Option<&str>, expected: Result<(&str, bool), &str>| {
            let server: Uri = server.parse().expect("a URI");
            let got = Connector::new(&server, ca_file.map(Path::new));
            let got = got.map(|connector| (connector.authority, connector.tls.is_some()));
            match (got, expected) {
                (Ok(got), Ok((authority, tls))) => assert_eq!(got, (authority.to_owned(), tls)),
                (Err(got), Err(part)) => {
                    assert!(got.message.contains(part) && got.code == 2, "{server}: {}", got.message);
                }
                (got, expected) => {
                    panic!("{server}: {:?}, not {expected:?}", got.map_err(|error| error.message))
                }
            }
        };
        check("http://a:8080", None, Ok(("a:8080", false)));
        check("http://a/prefix", None, Ok(("a:80", false)));
        check("https://a", None, Ok(("a:443", true)));
        check("https://[::1]:8443", None, Ok(("[::1]:8443", true)));
        check("ftp://a", None, Err("write http://HOST:PORT or https://HOST:PORT"));
        check("a:8080", None, Err("write http://HOST:PORT or https://HOST:PORT"));
        check("http://a", Some("/nowhere/ca.pem"), Err("goes with an https address"));
        check("https://a", Some("/nowhere/ca.pem"), Err("--ca-file /nowhere/ca.pem: "));
        check("https://a", Some("Cargo.toml"), Err("no certificate in it"));
    }
}
