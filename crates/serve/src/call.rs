//! A request as a door reads it: whose it is, and its parameters from the URL and from a posted form together.
//!
//! Peers take both and prefer the form. A bad tenant name or an oversized form is refused in the door's own shape.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use http_body_util::{BodyExt, Limited};
use model::Tenant;
use std::marker::PhantomData;

/// Largest posted form, bytes; Go's servers read as much.
pub(crate) const FORM_BYTES_MAX: usize = 10 << 20;

/// Most parameters one request may carry.
pub(crate) const PARAMS_MAX: usize = 10_000;

/// The header that names the tenant.
pub(crate) const TENANT_HEADER: &str = "x-scope-orgid";

/// Why a request could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// `X-Scope-OrgID` is not a tenant name.
    #[error("{0}")]
    Tenant(#[from] model::tenant::TenantError),
    /// The form is larger than [`FORM_BYTES_MAX`], or broke off.
    #[error("error parsing form values: {0}")]
    Form(String),
    /// A part of the path is not text.
    #[error("{0}")]
    Path(String),
    /// More than [`PARAMS_MAX`] parameters.
    #[error("more than {PARAMS_MAX} parameters")]
    TooMany,
}

impl CallError {
    /// The HTTP status all doors answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Form(_) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Parameters in order; the form's come before the URL's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The first value of `name`; empty when absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The first value of `name`, when present and not empty.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// Every value of `name`, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn extend(&mut self, encoded: &[u8]) -> Result<(), CallError> {
        for (key, value) in form_urlencoded::parse(encoded) {
            if self.0.len() >= PARAMS_MAX {
                return Err(CallError::TooMany);
            }
            self.0.push((key.into_owned(), value.into_owned()));
        }
        Ok(())
    }
}

/// A request, its refusals shaped by `E`.
pub(crate) struct Call<E> {
    /// Whose data is asked for.
    pub(crate) tenant: Tenant,
    /// Form and URL parameters.
    pub(crate) params: Params,
    /// All headers.
    pub(crate) headers: HeaderMap,
    refusal: PhantomData<fn() -> E>,
}

impl<E> Call<E> {
    /// Whether the `Accept` header names `media`.
    pub(crate) fn accepts(&self, media: &str) -> bool {
        self.headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|v| v.contains(media)))
    }
}

/// The one variable part of a path, its refusals shaped by `E`.
pub(crate) struct Segment<E>(pub(crate) String, pub(crate) PhantomData<fn() -> E>);

impl<S: Send + Sync, E: From<CallError> + IntoResponse> FromRequestParts<S> for Segment<E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, E> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text, PhantomData)),
            Err(rejection) => Err(CallError::Path(rejection.body_text()).into()),
        }
    }
}

/// The tenant that `headers` name, or the default one.
pub(crate) fn tenant(headers: &HeaderMap) -> Result<Tenant, CallError> {
    match headers.get(TENANT_HEADER) {
        None => Ok(Tenant::default()),
        Some(value) if value.is_empty() => Ok(Tenant::default()),
        Some(value) => Ok(Tenant::new(&String::from_utf8_lossy(value.as_bytes()))?),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

impl<S: Sync, E: From<CallError> + IntoResponse> FromRequest<S> for Call<E> {
    type Rejection = E;

    async fn from_request(request: Request, _: &S) -> Result<Self, E> {
        let (parts, body) = request.into_parts();
        let tenant = tenant(&parts.headers)?;
        let mut params = Params::default();
        if is_form(&parts.headers) {
            let form = Limited::new(body, FORM_BYTES_MAX).collect().await;
            let form = form.map_err(|error| CallError::Form(error.to_string()))?;
            params.extend(&form.to_bytes())?;
        }
        params.extend(parts.uri.query().unwrap_or_default().as_bytes())?;
        Ok(Self { tenant, params, headers: parts.headers, refusal: PhantomData })
    }
}
