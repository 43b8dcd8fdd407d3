//! `cargo xtask bench`: what Binnacle costs beside Prometheus, Jaeger and Loki, as child processes fed the same bodies.
//!
//! A program's cost is its whole life: start, requests, whatever background work they cause, orderly end. Only ratios
//! within one run count. Nothing here touches Binnacle's insides; `bench/README.md` says what is measured and how.

mod baseline;
mod bodies;
mod http;
mod idle;
mod isolate;
mod lines;
mod logs;
mod metrics;
mod options;
mod programs;
mod random;
mod report;
mod sender;
mod server;
mod spans;
mod start;

use bodies::Load;
use options::{Options, Sides, Single};
use platform::{Clock, RealClock};
use programs::{Program, binnacle, peer};
use report::{Measured, Runs};
use server::Server;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a bench could not be run.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Concurrent senders; each data set has a file for each.
const LANES: u64 = 4;
const LANES_F: f64 = 4.0;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Metrics,
    Spans,
    Logs,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Spans => "spans",
            Self::Logs => "logs",
        }
    }

    /// Whether its bodies are snappy blocks.
    fn packs(self) -> bool {
        self != Self::Spans
    }

    fn make(self, plan: &Plan, folder: &Path) -> Result<Load> {
        match self {
            Self::Metrics => metrics::make(plan, folder),
            Self::Spans => spans::make(plan, folder),
            Self::Logs => logs::make(plan, folder),
        }
    }
}

/// Which data, and how much of it.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    /// Part of the full data.
    scale: f64,
    /// When the data ends, nanoseconds since the epoch: about now, as servers refuse what is old.
    end_ns: i64,
    /// Seconds until idle memory is looked at.
    idle_s: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { seed: 1, scale: 1.0, end_ns: 1_767_225_600_000_000_000, idle_s: 600 }
    }
}

impl Plan {
    /// `full` by the scale.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of records")]
    fn scaled(&self, full: f64) -> u64 {
        (full * self.scale).round() as u64
    }
}

/// The checkout, asked when it runs: checkouts that share a build directory also share this program.
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from("."), |package| PathBuf::from(package).join("../.."))
}

/// The folder beside the build where slow results are kept.
#[expect(clippy::disallowed_methods, reason = "the bench keeps its own files")]
fn cache() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().and_then(Path::parent).ok_or("no build folder")?.join("bench-cache");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Runs the command line; 1 when a bar is missed, 2 when the bench itself fails.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match enter_and_run(args, &options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn enter_and_run(args: &[String], options: &Options) -> Result<ExitCode> {
    if !options.inside {
        isolate::build()?;
        let inside: Vec<String> = args.iter().cloned().chain([options::INSIDE.to_owned()]).collect();
        if let Some(code) = isolate::enter(&inside)? {
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(2)));
        }
    }
    let missed = run(options)?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs what was asked for; returns how many bars are missed.
fn run(options: &Options) -> Result<usize> {
    let plan = Plan { end_ns: RealClock::default().now_ns(), ..options.plan.clone() };
    options::print_facts(&plan);
    let mut all = Vec::new();
    for signal in &options.signals {
        all.push(measure_signal(options, &plan, *signal)?);
    }
    let mut missed = 0;
    for single in &options.singles {
        missed += match single {
            Single::Idle => idle::run(&plan)?,
            Single::Start => start::run(&plan)?,
        };
    }
    if !all.is_empty() {
        report::head(options.runs);
        for runs in &all {
            missed += runs.print(peer(runs.signal).name)?;
        }
    }
    println!("{missed} missed");
    Ok(missed)
}

fn measure_signal(options: &Options, plan: &Plan, signal: Signal) -> Result<Runs> {
    let folder =
        tempfile::Builder::new().prefix("binnacle-bench-").disable_cleanup(options.keep).tempdir()?;
    let load = signal.make(plan, &folder.path().join("bodies"))?;
    println!(
        "{}: {} records, {} requests, {} MB of bodies before compression",
        signal.name(),
        load.made.records,
        load.made.requests,
        load.made.plain_bytes / 1_000_000
    );
    if options.keep {
        println!("  kept in {}", folder.path().display());
    }
    let mut measured: BTreeMap<&'static str, Vec<Measured>> = BTreeMap::new();
    for run in 1..=options.runs {
        for program in [binnacle(signal), peer(signal)] {
            if !options.sides.include(program.name) {
                continue;
            }
            if let Some(reason) = program.absent() {
                println!("  skipped: {} ({reason})", program.name);
                continue;
            }
            let data = folder.path().join(format!("{}-{run}", program.name));
            let result = measure(&program, &load, &data, run == 1)?;
            report::print_run(run, program.name, &load.made, &result);
            measured.entry(program.name).or_default().push(result);
            if !options.keep {
                remove(&data)?;
            }
        }
    }
    let zstd_bytes = match (signal, options.sides) {
        (Signal::Metrics, _) | (_, Sides::Peer) => None,
        _ if options.no_zstd => None,
        _ => Some(baseline::bytes(plan, &load)?),
    };
    Ok(Runs { signal, made: load.made, measured, zstd_bytes })
}

#[expect(clippy::disallowed_methods, reason = "a data directory that the bench made")]
fn remove(folder: &Path) -> Result<()> {
    Ok(std::fs::remove_dir_all(folder)?)
}

/// One life of `program` in `data`; with `check`, a second one shows that it kept everything.
#[expect(clippy::disallowed_methods, reason = "a data directory that the bench made")]
fn measure(program: &Program, load: &Load, data: &Path, check: bool) -> Result<Measured> {
    std::fs::create_dir_all(data)?;
    let log = data.with_extension("log");
    let clock = RealClock::default();
    let start = || -> Result<Server> {
        let mut server = Server::start(program.name, (program.command)(data)?, &log)?;
        server.wait_ready(program.ready.0, program.ready.1)?;
        Ok(server)
    };
    let server = start()?;
    let begun_ns = clock.monotonic_ns();
    let sent = sender::send(&program.door, load)?;
    let sent_ns = clock.monotonic_ns();
    program.settle()?;
    let settled_ns = clock.monotonic_ns();
    let usage = server.stop()?;
    if sent.requests != load.made.requests {
        return Err(format!("{} requests were answered, {} made", sent.requests, load.made.requests).into());
    }
    let disk_bytes = program.disk_bytes(data)?;
    if check {
        let server = start()?;
        program.check(load)?;
        server.stop()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let seconds = |from: u64, to: u64| (to - from) as f64 / 1e9;
    Ok(Measured {
        usage,
        wall_s: seconds(begun_ns, sent_ns),
        settle_s: seconds(sent_ns, settled_ns),
        disk_bytes,
        retries: sent.retries,
    })
}
