//! What can go wrong in the store, with who is to blame: the disk, or bytes that are not what was written.

use platform::DiskError;

/// Bytes that do not decode: the sentence says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub String);

impl Damage {
    /// `what` is damaged.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Reading or writing a part failed.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The file's bytes fail their checksum or do not decode; the part must be quarantined.
    #[error("part {part:016x} is damaged: {reason}")]
    Damaged {
        /// [`PartInfo::id`](crate::part::PartInfo::id).
        part: u64,
        /// What was found.
        reason: String,
    },
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// An operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A part could not be read or written.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The data directory was written by a newer version.
    #[error("{path} has format version {found}, this binary reads up to {known}: start the newer binary")]
    Version {
        /// The file.
        path: String,
        /// Version found.
        found: u32,
        /// Latest version known.
        known: u32,
    },
    /// An option or a name is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// The committer is gone.
    #[error("the store is closed")]
    Closed,
}
