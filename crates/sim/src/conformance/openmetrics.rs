//! `OpenMetrics`' own cases: each folder holds an exposition and whether a strict parser accepts it.

use super::{FileResult, Report};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a case's `test.json` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    file: String,
    should_parse: bool,
}

/// Runs every case under `data` through the strict validator.
#[must_use]
pub fn run(data: &Path) -> Report {
    let mut file = FileResult { name: "openmetrics".into(), ..FileResult::default() };
    let folders = match folders(data) {
        Ok(folders) => folders,
        Err(error) => return Report::failed("openmetrics", error),
    };
    for folder in folders {
        match judge(&folder) {
            Ok(()) => file.passed += 1,
            Err(why) => file.failures.push(format!("{}: {why}", folder.display())),
        }
    }
    Report { files: vec![file] }
}

/// The folders below `data` that hold a case, sorted.
#[expect(clippy::disallowed_methods, reason = "a runner reads other people's cases, not our data directory")]
fn folders(data: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(data).map_err(|error| format!("{}: {error}", data.display()))?;
    let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join("test.json").is_file());
    folders.sort();
    Ok(folders)
}

fn judge(folder: &Path) -> Result<(), String> {
    let case: Case = serde_json::from_slice(&super::read(&folder.join("test.json"))?)
        .map_err(|error| error.to_string())?;
    let body = super::read(&folder.join(&case.file))?;
    match (wire::prometheus::openmetrics::validate_strict(&body), case.should_parse) {
        (Ok(()), true) | (Err(_), false) => Ok(()),
        (Ok(()), false) => Err("accepted, should be refused".into()),
        (Err(error), true) => Err(format!("refused, should be accepted: {error}")),
    }
}
