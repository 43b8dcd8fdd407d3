//! A log query compiled once and applied to batches as they arrive: what `tail` runs.

use super::answer::{LogError, OutStream};
use super::run::compile;
use super::streams::{LineReader, group};
use language::logql::Expr;
use model::{LogBatch, Matcher};

/// A compiled log query.
pub struct Tail {
    matchers: Vec<Matcher>,
    reader: LineReader,
}

impl Tail {
    /// Compiles a log query.
    ///
    /// # Errors
    /// When `text` does not parse or is a metric query.
    pub fn new(text: &str) -> Result<Self, LogError> {
        let Expr::Log(log) = compile(text)? else {
            return Err(LogError::BadQuery("tail takes a log query, not a metric query".to_owned()));
        };
        let reader = LineReader::new(&log, 0).map_err(|error| LogError::BadQuery(error.to_string()))?;
        Ok(Self { matchers: log.matchers, reader })
    }

    /// The stream selector; a batch's other streams are skipped by [`apply`](Self::apply).
    #[must_use]
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// The entries of `batch` that the query keeps, per stream, in the batch's order.
    pub fn apply(&mut self, batch: &LogBatch) -> Vec<OutStream> {
        let mut found = Vec::new();
        self.reader.read(batch, &self.matchers, |labels, entry| {
            found.push((labels, entry));
            true
        });
        group(found.into_iter())
    }
}
