//! Which parts exist: the manifest, swapped atomically, and the desk that edits it and keeps the quarantine.
//!
//! Opening the store reads the manifest, never a part's body.

mod desk;
mod manifest;
mod quarantine;

pub use desk::Desk;
pub use manifest::{MANIFEST_PATH, MANIFEST_VERSION, Manifest};
pub use quarantine::Missing;
