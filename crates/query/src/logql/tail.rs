//! A log query compiled once and applied to batches as they arrive: what `tail` runs.

use super::answer::{LogError, OutStream};
use model::{LogBatch, Matcher};

/// A compiled log query.
pub struct Tail {
    matchers: Vec<Matcher>,
}

impl Tail {
    /// Compiles a log query.
    ///
    /// # Errors
    /// When `text` does not parse or is a metric query.
    pub fn new(text: &str) -> Result<Self, LogError> {
        Err(LogError::BadQuery(format!("unsupported: {text}")))
    }

    /// The stream selector; a batch's other streams are skipped by [`apply`](Self::apply).
    #[must_use]
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// The entries of `batch` that the query keeps, per stream, in the batch's order.
    pub fn apply(&mut self, batch: &LogBatch) -> Vec<OutStream> {
        let _ = batch;
        Vec::new()
    }
}
