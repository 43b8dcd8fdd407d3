//! `conformance SUITE --data DIR [-v]`: prints passed and failed cases per file; `-v` adds a line per failure.

use sim::conformance::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Suite name and what runs it.
type Suite = (&'static str, fn(&Path) -> Report);

/// Every suite, one line each.
const SUITES: &[Suite] = &[
    ("logql", sim::conformance::logql::run),
    ("promql", sim::conformance::promql::run),
    ("traceql", sim::conformance::traceql::run),
    ("jaeger", sim::conformance::jaeger::run),
    ("openmetrics", sim::conformance::openmetrics::run),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let suite = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let data = rest.iter().skip_while(|arg| *arg != "--data").nth(1).map(PathBuf::from);
    let Some((name, run)) = SUITES.iter().find(|(name, _)| *name == suite) else {
        let names: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
        eprintln!("error: no suite {suite:?}\nhint: one of {}", names.join(", "));
        return ExitCode::from(2);
    };
    let data = data.unwrap_or_else(|| PathBuf::from("../shared/conformance").join(name));
    if !data.is_dir() {
        println!("skipped: {name} ({} is absent)\n0 passed, 0 failed, 1 skipped", data.display());
        return ExitCode::SUCCESS;
    }
    let report = run(&data);
    if rest.iter().any(|arg| arg == "-v") {
        for failure in report.files.iter().flat_map(|file| &file.failures) {
            println!("{failure}");
        }
    }
    print!("{report}");
    ExitCode::SUCCESS
}
