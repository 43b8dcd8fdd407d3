//! Runs one query from text to answer.

use super::answer::{LogAnswer, LogError, LogParams};
use model::LogSource;
use model::scan::Budget;
use model::tenant::Tenant;

/// Parses and runs `text`.
///
/// # Errors
/// A parse error in Loki's words, a line that could not be processed, a limit, or the scan's own error.
pub fn query(
    source: &dyn LogSource,
    tenant: &Tenant,
    text: &str,
    params: &LogParams,
    budget: &Budget,
) -> Result<LogAnswer, LogError> {
    let _ = (source, tenant, params, budget);
    Err(LogError::BadQuery(format!("unsupported: {text}")))
}
