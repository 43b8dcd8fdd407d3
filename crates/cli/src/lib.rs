//! The terminal: `binnacle query|logs|traces|trace|services|map|top|changes` against a running server.
//!
//! It speaks the same HTTP APIs as everybody else and holds no logic that they lack. Data goes to standard output,
//! everything else to standard error; exit codes are 0 fine, 1 error, 2 usage.

mod changes;
mod client;
mod logs;
mod metrics;
mod output;
mod services;
mod snapshot;
mod time;
mod trace;

use clap::{Args, Subcommand};
use client::Client;
use output::{Format, Output};
use platform::SharedClock;
use std::process::ExitCode;

/// What every command understands.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The server's address.
    #[arg(long, env = "BINNACLE_SERVER", default_value = "http://127.0.0.1:8080", global = true)]
    server: String,
    /// Tenant (`X-Scope-OrgID`).
    #[arg(long, env = "BINNACLE_TENANT", global = true)]
    tenant: Option<String>,
    /// File whose first line is a bearer token.
    #[arg(long, env = "BINNACLE_TOKEN_FILE", global = true)]
    token_file: Option<std::path::PathBuf>,
    /// table, wide, json or yaml.
    #[arg(short, long, default_value = "table", global = true)]
    output: Format,
    /// How far back to look.
    #[arg(long, default_value = "15m", global = true)]
    since: String,
    /// Start: RFC 3339 or Unix seconds; wins over --since.
    #[arg(long, global = true)]
    from: Option<String>,
    /// End: RFC 3339 or Unix seconds; now by default.
    #[arg(long, global = true)]
    to: Option<String>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Evaluate PromQL at one time, or over a range with --step.
    Query(metrics::QueryArgs),
    /// Print log lines; -f follows.
    Logs(logs::LogArgs),
    /// Search traces with TraceQL.
    Traces(trace::SearchArgs),
    /// Draw one trace as a waterfall.
    Trace(trace::TraceArgs),
    /// Services with rate, errors and latency, worst first.
    #[command(visible_aliases = ["service", "svc"])]
    Services(services::ServiceArgs),
    /// Who calls whom.
    Map(services::MapArgs),
    /// Operations that take the most time.
    Top(services::TopArgs),
    /// What changed; `changes add` reports a deploy.
    #[command(visible_alias = "change")]
    Changes(changes::ChangeArgs),
    /// Make a copy of all data in the data directory's snapshots/, itself a data directory to start from.
    Snapshot(snapshot::SnapshotArgs),
}

/// What a command needs to run.
pub(crate) struct Session {
    client: Client,
    output: Output,
    range: time::Range,
    clock: SharedClock,
}

/// Runs one command and returns the process' exit code.
pub async fn run(command: Command, common: Common, clock: SharedClock) -> ExitCode {
    match execute(command, common, clock).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.message);
            if let Some(hint) = error.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(error.code)
        }
    }
}

/// Why a command failed, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// An error of the server or the network: exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// A wrong argument: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

async fn execute(command: Command, common: Common, clock: SharedClock) -> Result<(), Failure> {
    let range = time::Range::parse(&common, clock.now_ns())?;
    let session = Session { client: Client::new(&common)?, output: Output::new(common.output), range, clock };
    match command {
        Command::Query(args) => metrics::query(&session, &args).await,
        Command::Logs(args) => logs::logs(&session, &args).await,
        Command::Traces(args) => trace::search(&session, &args).await,
        Command::Trace(args) => trace::trace(&session, &args).await,
        Command::Services(args) => services::services(&session, &args).await,
        Command::Map(args) => services::map(&session, &args).await,
        Command::Top(args) => services::top(&session, &args).await,
        Command::Changes(args) => changes::changes(&session, &args).await,
        Command::Snapshot(args) => snapshot::snapshot(&session, &args).await,
    }
}
