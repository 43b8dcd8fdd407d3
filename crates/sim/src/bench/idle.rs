//! Resident memory some minutes after a start with every door open and nobody there.
#![expect(clippy::disallowed_methods, reason = "the bench waits")]

use super::programs::binnacle;
use super::report::{self, Bar};
use super::server::Server;
use super::{Plan, Result, Signal};
use std::time::Duration;

/// Starts, waits, looks; returns how many bars are missed.
pub(super) fn run(plan: &Plan) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data)?;
    let program = binnacle(Signal::Metrics);
    let mut server = Server::start(program.name, (program.command)(&data)?, &folder.path().join("log"))?;
    server.wait_ready(program.ready.0, program.ready.1)?;
    println!("idle: {} s with every door open", plan.idle_s);
    std::thread::sleep(Duration::from_secs(plan.idle_s));
    let resident = server.resident_bytes();
    let usage = server.stop()?;
    println!("  CPU {:.2} s in all", usage.cpu_s);
    report::head(1);
    let megabytes = f64::from(u32::try_from(resident / 1_000)?) / 1e3;
    Ok(usize::from(!report::line("idle: RSS", megabytes, None, "MB", Bar::Below(80.0))))
}
