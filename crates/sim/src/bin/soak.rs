//! `soak [--seed N] [--steps N]`: runs the simulated pipeline with faults, one line a run; a failure prints the command
//! that repeats it. Without a seed it takes a random one and prints it.

use platform::{Random, RealRandom};
use sim::soak::{RUN_STEPS, run};
use std::process::ExitCode;

/// Steps without `--steps`.
const STEPS: u64 = 5_000;
/// Random seeds are below this, so that they are easy to type.
const SEEDS: u64 = 1_000_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (seed, steps) = match (number(&args, "--seed"), number(&args, "--steps")) {
        (Ok(seed), Ok(steps)) => (seed, steps.unwrap_or(STEPS)),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("error: {error}\nhint: soak [--seed N] [--steps N]");
            return ExitCode::from(2);
        }
    };
    let first = seed.unwrap_or_else(|| RealRandom::default().below(SEEDS));
    println!("seed {first}, {steps} steps in runs of {RUN_STEPS}");
    let (mut passed, mut failed) = (0, 0);
    for (seed, done) in (first..).zip((0..steps).step_by(usize::try_from(RUN_STEPS).unwrap_or(1))) {
        let steps = RUN_STEPS.min(steps - done);
        match run(seed, steps) {
            Ok(summary) => {
                passed += 1;
                println!("{summary}");
            }
            Err(failure) => {
                failed += 1;
                println!("{failure}\nhint: cargo xtask soak --seed {seed} --steps {steps}");
            }
        }
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The number after `flag`, if it is given.
fn number(args: &[String], flag: &str) -> Result<Option<u64>, String> {
    let Some(at) = args.iter().position(|arg| arg == flag) else { return Ok(None) };
    let text = args.get(at + 1).ok_or_else(|| format!("{flag} wants a number"))?;
    text.parse().map(Some).map_err(|_| format!("{flag}: {text:?} is no number"))
}
