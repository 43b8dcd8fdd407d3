//! Who may talk to a door: nobody asked, a user with a password, or a holder of a token.
//!
//! Passwords are kept as bcrypt hashes in the form of Prometheus' `web.yml`, tokens as SHA-256 digests; a secret is
//! never logged or answered. Checking bcrypt costs tens of milliseconds by design, so a pair that was right is
//! remembered by its digest, and the check runs off the request threads. An unknown user costs as much as a wrong
//! password, so that users cannot be told by time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tonic::{Code, Status};

/// Right pairs of user and password that are remembered.
pub const REMEMBERED_LOGINS_MAX: usize = 100;

/// Longest `Authorization` header that is looked at.
const CREDENTIAL_BYTES_MAX: usize = 8 << 10;

/// A hash of no password, checked when the user is unknown.
const NOBODY: &str = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// Secrets as an operator writes them.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// User to bcrypt hash, as Prometheus' `basic_auth_users`.
    pub basic_auth_users: BTreeMap<String, String>,
    /// Tokens for `Authorization: Bearer`.
    pub bearer_tokens: Vec<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} users, {} tokens)", self.basic_auth_users.len(), self.bearer_tokens.len())
    }
}

/// A secret that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a bcrypt hash.
    #[error(
        "basic_auth_users: the password of {0:?} is not a bcrypt hash: make one with `htpasswd -nBC 10 \"\"`"
    )]
    Hash(String),
    /// An empty token would let everybody in.
    #[error("bearer_tokens: token {0} is empty: remove it or give it a value")]
    Token(usize),
}

/// The check that stands in front of every door; cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    users: BTreeMap<String, String>,
    tokens: Vec<Digest>,
    remembered: Mutex<HashSet<[u8; 32]>>,
}

impl Auth {
    /// Checks the secrets themselves. Without any, everybody is let in.
    ///
    /// # Errors
    /// When a hash is not bcrypt or a token is empty.
    pub fn new(credentials: Credentials) -> Result<Self, AuthError> {
        for (user, hash) in &credentials.basic_auth_users {
            hash.parse::<bcrypt::HashParts>().map_err(|_| AuthError::Hash(user.clone()))?;
        }
        if let Some(at) = credentials.bearer_tokens.iter().position(|token| token.trim().is_empty()) {
            return Err(AuthError::Token(at));
        }
        let tokens =
            credentials.bearer_tokens.iter().map(|token| digest(&SHA256, token.trim().as_bytes())).collect();
        Ok(Self(Arc::new(Inner {
            users: credentials.basic_auth_users,
            tokens,
            remembered: Mutex::default(),
        })))
    }

    /// Whether everybody is let in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.users.is_empty() && self.0.tokens.is_empty()
    }

    /// `router` behind this check; unchanged when everybody is let in.
    pub fn protect(&self, router: Router) -> Router {
        if self.is_open() { router } else { router.layer(from_fn_with_state(self.clone(), check)) }
    }

    async fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        if value.len() > CREDENTIAL_BYTES_MAX {
            return false;
        }
        let Some((scheme, secret)) = value.split_once(' ') else { return false };
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => self.knows_token(secret.trim()),
            "basic" => self.knows_user(secret.trim()).await,
            _ => false,
        }
    }

    fn knows_token(&self, token: &str) -> bool {
        let given = digest(&SHA256, token.as_bytes());
        let same = |known: &Digest| verify_slices_are_equal(known.as_ref(), given.as_ref()).is_ok();
        self.0.tokens.iter().fold(false, |found, known| found | same(known))
    }

    async fn knows_user(&self, encoded: &str) -> bool {
        let Some(pair) = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return false;
        };
        let Some((user, password)) = pair.split_once(':') else { return false };
        let known = self.0.users.get(user);
        let hash = known.map_or(NOBODY, String::as_str).to_owned();
        let login = digest_login(user, password, &hash);
        if known.is_some() && self.remembered().contains(&login) {
            return true;
        }
        let password = password.to_owned();
        let verify = move || bcrypt::verify(password, &hash).unwrap_or(false);
        let right = platform::task::blocking("bcrypt", verify).await.unwrap_or(false) && known.is_some();
        if right {
            let mut remembered = self.remembered();
            if remembered.len() >= REMEMBERED_LOGINS_MAX {
                remembered.clear();
            }
            remembered.insert(login);
        }
        right
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn challenge(&self) -> HeaderValue {
        if self.0.users.is_empty() {
            return HeaderValue::from_static("Bearer realm=\"binnacle\"");
        }
        HeaderValue::from_static("Basic realm=\"binnacle\", charset=\"UTF-8\"")
    }
}

fn digest_login(user: &str, password: &str, hash: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [user, password, hash] {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

async fn check(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    if auth.admits(request.headers()).await {
        return next.run(request).await;
    }
    let content = request.headers().get(header::CONTENT_TYPE);
    let grpc = content.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    crate::door::body::discard(request.into_body());
    if grpc {
        return Status::new(Code::Unauthenticated, "send a valid authorization").into_http::<Body>();
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, auth.challenge())], "Unauthorized\n")
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cost 4, of `secret`.
    fn auth() -> Auth {
        let hash = bcrypt::hash("secret", 4).expect("bcrypt");
        let users = BTreeMap::from([("ada".to_owned(), hash)]);
        Auth::new(Credentials { basic_auth_users: users, bearer_tokens: vec!["t0ken".into()] })
            .expect("valid")
    }

    async fn check(auth: &Auth, header: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(header).expect("header"));
        assert_eq!(auth.admits(&headers).await, expected, "{header}");
    }

    #[tokio::test]
    async fn only_right_secrets_are_let_in() {
        let auth = auth();
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        check(&auth, "Bearer t0ken", true).await;
        check(&auth, "bearer t0ken", true).await;
        check(&auth, "Bearer t0ke", false).await;
        check(&auth, "Bearer ", false).await;
        check(&auth, &basic("ada:secret"), true).await;
        check(&auth, &basic("ada:secret"), true).await;
        check(&auth, &basic("ada:Secret"), false).await;
        check(&auth, &basic("bob:secret"), false).await;
        check(&auth, &basic("ada"), false).await;
        check(&auth, "Basic %%%", false).await;
        check(&auth, "Digest ada", false).await;
        assert_eq!(auth.remembered().len(), 1);
        assert!(!auth.admits(&HeaderMap::new()).await);
    }

    #[test]
    fn useless_secrets_are_refused_by_name() {
        let users = BTreeMap::from([("ada".to_owned(), "secret".to_owned())]);
        let error = Auth::new(Credentials { basic_auth_users: users, ..Default::default() }).err();
        assert_eq!(error, Some(AuthError::Hash("ada".into())));
        let error = Auth::new(Credentials { bearer_tokens: vec![" ".into()], ..Default::default() }).err();
        assert_eq!(error, Some(AuthError::Token(0)));
    }
}
