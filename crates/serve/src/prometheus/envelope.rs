//! `{"status":"success","data":...}` with its warnings and infos.

use crate::body;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

/// Warnings, and infos, that one answer carries; the rest is counted.
const NOTES_MAX: usize = 10;

/// What an answer of a call with `limit` says when it was cut.
pub(crate) const TRUNCATED: &str = "results truncated due to limit";

/// Warnings and infos beside an answer.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Notes {
    /// What is probably wrong, or missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// What may be wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) infos: Vec<String>,
}

impl Notes {
    /// Only warnings.
    pub(crate) fn warnings(warnings: Vec<String>) -> Self {
        Self { warnings, infos: Vec::new() }
    }

    /// The same, each list cut to [`NOTES_MAX`].
    pub(crate) fn cut(mut self) -> Self {
        cut(&mut self.warnings, "warning");
        cut(&mut self.infos, "info");
        self
    }
}

fn cut(notes: &mut Vec<String>, kind: &str) {
    let more = notes.len().saturating_sub(NOTES_MAX);
    if more > 0 {
        notes.truncate(NOTES_MAX);
        notes.push(format!("{more} more {kind} annotations omitted"));
    }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    status: &'static str,
    data: &'a T,
    #[serde(flatten)]
    notes: Notes,
}

/// A successful answer.
pub(crate) fn success(data: &impl Serialize, notes: Notes) -> Response {
    body::json(StatusCode::OK, &Envelope { status: "success", data, notes: notes.cut() })
}

/// Cuts `rows` to `limit` (0: unlimited) and notes it.
pub(crate) fn truncate<T>(rows: &mut Vec<T>, limit: usize, notes: &mut Notes) {
    if limit > 0 && rows.len() > limit {
        rows.truncate(limit);
        notes.warnings.push(TRUNCATED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_to_ten_and_the_rest_counted() {
        let notes = Notes::warnings((0..13).map(|n| n.to_string()).collect()).cut();
        assert_eq!(notes.warnings.len(), 11);
        assert_eq!(notes.warnings[10], "3 more warning annotations omitted");
        let ten = Notes::warnings((0..10).map(|n| n.to_string()).collect()).cut();
        assert_eq!(ten.warnings.len(), 10);
    }
}
