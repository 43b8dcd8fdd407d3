//! `bench`: see `sim::bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    sim::bench::main(&args)
}
