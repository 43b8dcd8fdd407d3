//! YAML files that an operator writes: one document becomes a tree that knows where everything stands, the tree becomes
//! typed values, and every mistake is one sentence with line, column, field and fix.
//!
//! Order of the files is the order of the data: [`node`] -> read -> show. A message never quotes the file: the line next
//! to a mistake may hold a password.

mod node;
mod read;
mod show;

#[cfg(test)]
mod tests;

pub use show::redact_url;

use node::Node;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

/// Longest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Keys that a format knows and Binnacle has no use for, by the name of the struct they would stand in.
pub type Unused = &'static [(&'static str, &'static [&'static str])];

/// What is wrong in a document, or worth a word, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// From 1; 0 when the document has no such place.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// `scrape_configs[0].relabel_configs[2].regex`; empty for the document itself.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// A parsed document; cheap to clone.
#[derive(Clone)]
pub struct Document(Arc<Node>);

impl Document {
    /// Parses one YAML document; an empty text is an empty one.
    ///
    /// # Errors
    /// Where the text is not YAML, has a key twice, or is larger or deeper than the limits.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        node::parse(text).map(Self)
    }

    /// The document as a `T`, and the keys of it that are in `unused`.
    ///
    /// # Errors
    /// Every key that nobody knows, and the first value that is not what its key wants.
    pub fn read<T: DeserializeOwned>(&self, unused: Unused) -> Result<(T, Vec<Mistake>), Vec<Mistake>> {
        read::read(&self.0, unused)
    }

    /// `message` about `field`, at the place of as much of `field` as the document has.
    #[must_use]
    pub fn mistake(&self, field: &str, message: impl Into<String>) -> Mistake {
        let at = self.0.find(field);
        Mistake { line: at.line, column: at.column, field: field.to_owned(), message: message.into() }
    }

    /// The document's top-level keys that are `wanted` as YAML, secrets masked as Prometheus masks them.
    #[must_use]
    pub fn masked(&self, wanted: impl Fn(&str) -> bool) -> String {
        show::masked(&self.0, wanted)
    }
}

/// An empty one.
impl Default for Document {
    fn default() -> Self {
        Self(Arc::new(Node::default()))
    }
}

/// Says nothing of what it holds.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document")
    }
}
