//! Who may come in: Prometheus' `web.yml` (TLS and basic authentication) and bearer tokens, for every door alike.

use platform::disk::read_file;
use receive::auth::{Auth, Credentials};
use receive::tls::{ServerTls, TlsServerConfig};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prometheus' web configuration file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WebFile {
    tls_server_config: Option<TlsServerConfig>,
    basic_auth_users: BTreeMap<String, String>,
}

/// The guard in front of the doors.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) auth: Auth,
    pub(crate) tls: Option<Arc<ServerTls>>,
}

impl Guard {
    /// Whether a door may stand beyond loopback.
    pub(crate) fn protects(&self) -> bool {
        self.tls.is_some() || !self.auth.is_open()
    }

    /// Reads `web.yml` and the token file.
    ///
    /// # Errors
    /// One sentence that names file, field and fix.
    pub(crate) fn load(web: Option<&Path>, tokens: Option<&PathBuf>) -> Result<Self, String> {
        let mut file = WebFile::default();
        if let Some(path) = web {
            let text = text_of(path)?;
            file = serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let mut bearer_tokens = Vec::new();
        if let Some(path) = tokens {
            let text = text_of(path)?;
            bearer_tokens =
                text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
            if bearer_tokens.is_empty() {
                return Err(format!("{}: no token: write one a line", path.display()));
            }
        }
        let credentials = Credentials { basic_auth_users: file.basic_auth_users, bearer_tokens };
        let auth = Auth::new(credentials).map_err(|error| error.to_string())?;
        let folder = web.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        let tls = file.tls_server_config.map(|config| ServerTls::load(beside(config, &folder)));
        let tls = tls.transpose().map_err(|error| format!("tls_server_config: {error}"))?.map(Arc::new);
        Ok(Self { auth, tls })
    }
}

/// Relative paths are relative to the file that names them, as in Prometheus.
fn beside(mut config: TlsServerConfig, folder: &Path) -> TlsServerConfig {
    config.cert_file = folder.join(config.cert_file);
    config.key_file = folder.join(config.key_file);
    config.client_ca_file = config.client_ca_file.map(|path| folder.join(path));
    config
}

/// A file's text, or one sentence.
pub(crate) fn text_of(path: &Path) -> Result<String, String> {
    let bytes = read_file(path).map_err(|error| format!("cannot {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{}: not UTF-8", path.display()))
}
