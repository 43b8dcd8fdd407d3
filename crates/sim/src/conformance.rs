//! Runs peers' own test cases against our engines, in process, and counts per file.
//!
//! A suite is a function from a data folder to a [`Report`]; the cases stay outside this project. A case that cannot be
//! expressed counts as failed, never as skipped.

pub mod jaeger;
pub mod logql;
pub mod openmetrics;
pub mod promql;
pub mod traceql;

use std::fmt;
use std::path::Path;

/// What one file of a suite gave.
#[derive(Clone, Debug, Default)]
pub struct FileResult {
    /// File (or list) name.
    pub name: String,
    /// Cases that answered as they should.
    pub passed: usize,
    /// One line per failed case: where, what was expected, what came.
    pub failures: Vec<String>,
}

/// What a suite gave.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In name order.
    pub files: Vec<FileResult>,
}

impl Report {
    /// One file that could not even be read.
    #[must_use]
    pub fn failed(name: &str, error: String) -> Self {
        Self { files: vec![FileResult { name: name.to_owned(), passed: 0, failures: vec![error] }] }
    }
}

/// A whole file of a suite.
#[expect(clippy::disallowed_methods, reason = "a runner reads other people's cases, not our data directory")]
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl fmt::Display for Report {
    /// A line per file, then the sum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut passed, mut failed) = (0, 0);
        for file in &self.files {
            passed += file.passed;
            failed += file.failures.len();
            writeln!(f, "{}: {} passed, {} failed", file.name, file.passed, file.failures.len())?;
        }
        writeln!(f, "{passed} passed, {failed} failed, 0 skipped")
    }
}
