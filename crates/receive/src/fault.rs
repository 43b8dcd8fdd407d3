//! Why a request was not taken, in one form for every protocol: an HTTP status, a gRPC code, a retry hint, a sentence.

use crate::budget::Exhausted;
use http::StatusCode;
use model::ingest::Refusal;
use model::tenant::TenantError;
use tonic::Code;
use wire::WireError;

/// Seconds after which a refused client should try again.
pub(crate) const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The tenant's name is not one.
    #[error("{0}")]
    Tenant(#[from] TenantError),
    /// A content type or encoding this door does not read.
    #[error("{0}")]
    Unsupported(String),
    /// The door answers its own 400 for a content type.
    #[error("{0}")]
    Malformed(String),
    /// Well-formed, with nothing in it to take.
    #[error("{0}")]
    Empty(String),
    /// A size limit.
    #[error("{what} exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The body did not come in time.
    #[error("the request body did not arrive within {0} s")]
    Slow(u64),
    /// A limit that clears up by itself.
    #[error("{what} is full: send again in {retry_after_s} s")]
    Full {
        /// The named limit.
        what: &'static str,
        /// Hint for the client.
        retry_after_s: u32,
    },
    /// Stopping, or the disk fails.
    #[error("{0}")]
    Unavailable(String),
}

impl Fault {
    /// The HTTP status.
    pub(crate) fn http(&self) -> StatusCode {
        match self {
            Self::Tenant(_) | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Empty(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Full { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The gRPC code.
    pub(crate) fn grpc(&self) -> Code {
        match self {
            Self::Tenant(_) | Self::Malformed(_) | Self::Empty(_) => Code::InvalidArgument,
            Self::Unsupported(_) => Code::Unimplemented,
            Self::TooLarge { .. } | Self::Full { .. } => Code::ResourceExhausted,
            Self::Slow(_) => Code::DeadlineExceeded,
            Self::Unavailable(_) => Code::Unavailable,
        }
    }

    /// When to try again; `None` when the same bytes would be refused again.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Full { retry_after_s, .. } => Some(*retry_after_s),
            Self::Unavailable(_) => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Malformed(message) => Self::Malformed(message),
            WireError::TooLarge { what, limit } => Self::TooLarge { what, limit },
            WireError::Unsupported(_) => Self::Unsupported(error.to_string()),
        }
    }
}

impl From<Exhausted> for Fault {
    fn from(_: Exhausted) -> Self {
        Self::Full { what: "the memory for requests in flight", retry_after_s: RETRY_AFTER_SECONDS }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full { what, retry_after_s } => Self::Full { what, retry_after_s },
            Refusal::Invalid(message) => Self::Malformed(message),
            Refusal::Storage(_) | Refusal::Stopping => Self::Unavailable(refusal.to_string()),
        }
    }
}
