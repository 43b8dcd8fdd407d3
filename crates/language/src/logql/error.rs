//! What is wrong with a query, in Loki's words, with the place where it is wrong.

use std::fmt;

/// A parse error. `Display` is the whole message a client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte offset, and the line and column (both from 1) that Loki prints; `None` for errors of meaning.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
}

/// Where in the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes from the start of the query.
    pub offset: usize,
    /// Line as Loki prints it: from 1, but 0 for tokens that its scanner assembles itself (`|=`, `[5m]`, `5m`).
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl ParseError {
    pub(super) fn at(at: Position, message: impl Into<String>) -> Self {
        Self { at: Some(at), message: message.into() }
    }

    pub(super) fn meaning(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into() }
    }

    /// An error of a pipeline stage, which Loki finds when it compiles the stage.
    #[must_use]
    pub fn stage(stage: &impl fmt::Display, message: &str) -> Self {
        Self::meaning(format!("stage '{stage}' : {message}"))
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "parse error at line {}, col {}: {}", at.line, at.column, self.message),
            None => write!(f, "parse error : {}", self.message),
        }
    }
}

impl std::error::Error for ParseError {}
