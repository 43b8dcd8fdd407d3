//! `cargo xtask COMMAND`: the project's own tools. It depends on none of our crates, so that `tidy` builds in seconds;
//! whatever needs them is a binary of `sim` that is started from here.
#![expect(clippy::disallowed_methods, reason = "a build tool reads the checkout directly")]

mod tidy;

use std::process::{Command, ExitCode};

/// Command, what it does, how to run it.
type Task = (&'static str, &'static str, fn(&[String]) -> ExitCode);

const TASKS: &[Task] = &[
    ("tidy", "layering, file sizes, prose, exceptions", |_| tidy::run()),
    ("conformance", "SUITE [--data DIR] [-v]: peers' own test cases against our engines", |args| {
        sim("conformance", false, args)
    }),
    ("bench", "cost side by side with the peers", |args| sim("bench", true, args)),
    ("soak", "[--seed N] [--steps N]: the simulated pipeline with faults", |args| sim("soak", false, args)),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map(String::as_str).unwrap_or_default();
    if let Some((_, _, run)) = TASKS.iter().find(|(task, ..)| *task == name) {
        return run(&args[1..]);
    }
    eprintln!("usage: cargo xtask COMMAND");
    for (task, about, _) in TASKS {
        eprintln!("  {task:<12} {about}");
    }
    ExitCode::from(2)
}

/// Builds and runs a binary of `sim`.
fn sim(bin: &str, release: bool, args: &[String]) -> ExitCode {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--package", "sim", "--bin", bin]);
    if release {
        cargo.arg("--release");
    }
    match cargo.arg("--").args(args).status() {
        Ok(status) => u8::try_from(status.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
