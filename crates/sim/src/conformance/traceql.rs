//! TraceQL by lists: `test_examples.yaml` holds queries under what the parser and validator must say of them.

use super::{FileResult, Report, read};
use language::traceql::{ErrorKind, parse, validate};
use std::collections::BTreeMap;
use std::path::Path;

/// Lists by verdict; a list of another name is a failure, not an omission.
const VERDICTS: &[&str] = &["valid", "parse_fails", "validate_fails", "unsupported"];

/// Judges every query of every list.
#[must_use]
pub fn run(data: &Path) -> Report {
    let lists = read(&data.join("test_examples.yaml")).and_then(|bytes| {
        serde_saphyr::from_slice::<BTreeMap<String, Vec<String>>>(&bytes).map_err(|error| error.to_string())
    });
    match lists {
        Ok(lists) => Report { files: lists.iter().map(|(name, queries)| judge(name, queries)).collect() },
        Err(error) => Report::failed("test_examples.yaml", error),
    }
}

fn judge(list: &str, queries: &[String]) -> FileResult {
    let mut result = FileResult { name: list.to_owned(), ..FileResult::default() };
    for query in queries {
        let found = verdict(query);
        if found == list && VERDICTS.contains(&list) {
            result.passed += 1;
        } else {
            result.failures.push(format!("{query}: expected {list}, found {found}"));
        }
    }
    result
}

fn verdict(query: &str) -> &'static str {
    match parse(query).map(|query| validate(&query)) {
        Err(_) => "parse_fails",
        Ok(Ok(())) => "valid",
        Ok(Err(error)) if error.kind == ErrorKind::Unsupported => "unsupported",
        Ok(Err(_)) => "validate_fails",
    }
}
