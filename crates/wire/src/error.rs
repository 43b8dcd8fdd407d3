//! What a decoder gives back: a batch with what had to be left out, or one error for the whole body.

use model::ingest::REASONS_MAX;

/// Why a body was refused as a whole. A retry of the same bytes never helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes do not follow the protocol; says where and what to fix (HTTP 400, gRPC `INVALID_ARGUMENT`).
    #[error("{0}")]
    Malformed(String),
    /// A named limit is exceeded (HTTP 413, gRPC `RESOURCE_EXHAUSTED` without a retry hint).
    #[error("{what} exceeds the limit of {limit}")]
    TooLarge {
        /// What was too large, with its unit: `decompressed body in bytes`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Well-formed but of a version, encoding or feature that is not supported (HTTP 415).
    #[error("unsupported: {0}")]
    Unsupported(String),
}

impl WireError {
    /// A [`WireError::Malformed`].
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed(message.into())
    }
}

/// A decoded batch and what of the body could not be part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded<Batch> {
    /// Everything that was acceptable.
    pub batch: Batch,
    /// Records left out: OTLP's `rejected_*` counts.
    pub rejected: u64,
    /// First reasons, at most [`REASONS_MAX`].
    pub reasons: Vec<String>,
}

impl<Batch> Decoded<Batch> {
    /// Counts `records` as left out because of `reason`; a reason that is already listed is not repeated.
    pub fn reject(&mut self, records: u64, reason: impl FnOnce() -> String) {
        self.rejected = self.rejected.saturating_add(records);
        if self.reasons.len() < REASONS_MAX {
            let reason = reason();
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }
}
