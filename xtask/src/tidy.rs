//! Rules that are tests: who may call whom, how long a file may be, that prose comes first, that exceptions are dated.
//!
//! Function length is clippy's `too_many_lines` (70, `clippy.toml`); here only its exceptions are counted.

mod edges;
mod sources;

use std::path::PathBuf;
use std::process::ExitCode;

/// Runs every rule and prints what breaks it.
pub(crate) fn run() -> ExitCode {
    // Asked when it runs: checkouts that share a build directory also share this program.
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("xtask"), PathBuf::from);
    let root = package.join("..");
    let mut problems = Vec::new();
    edges::check(&root, &mut problems);
    sources::check(&root, &mut problems);
    for problem in &problems {
        println!("tidy: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
