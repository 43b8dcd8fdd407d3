//! Runs LogQL test scripts: `clear`, `load` of log lines, `eval instant|range|logs` and what to expect.
//!
//! Understands the whole of the script language that the cases use; a line it cannot read is a failed case.

mod case;
mod compare;
mod script;

use super::{FileResult, Report, read};
use std::path::Path;

/// Runs every `*.logqltest` below `data`.
#[must_use]
pub fn run(data: &Path) -> Report {
    let mut report = Report::default();
    let names = match scripts(data) {
        Ok(names) => names,
        Err(error) => return Report::failed("logql", error),
    };
    for name in names {
        match read(&data.join(&name)) {
            Ok(text) => report.files.push(run_script(&name, &String::from_utf8_lossy(&text))),
            Err(error) => report.files.extend(Report::failed(&name, error).files),
        }
    }
    report
}

/// Names of the scripts below `data`, sorted.
#[expect(clippy::disallowed_methods, reason = "a runner reads other people's cases, not our data directory")]
fn scripts(data: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(data).map_err(|error| format!("{}: {error}", data.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.ends_with(".logqltest"))
        .collect();
    names.sort();
    Ok(names)
}

/// Runs one script.
fn run_script(name: &str, text: &str) -> FileResult {
    let mut result = FileResult { name: name.to_owned(), ..FileResult::default() };
    let mut world = case::World::default();
    for block in script::blocks(text) {
        match world.run(&block) {
            Ok(true) => result.passed += 1,
            Ok(false) => {}
            Err(why) => result.failures.push(format!("{name}:{}: {}: {why}", block.line, block.head)),
        }
    }
    result
}
