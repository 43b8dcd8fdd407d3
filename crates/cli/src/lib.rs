//! The terminal: `binnacle query|logs|traces|trace|services|map|top|changes` against a running server.
//!
//! It speaks the same HTTP APIs as everybody else and holds no logic that they lack. Data goes to standard output,
//! everything else to standard error; exit codes are 0 fine, 1 error, 2 usage (3, found problems, is `binnacle check`'s).

mod changes;
mod client;
mod connection;
mod grammar;
mod listing;
mod logs;
mod map;
mod metrics;
mod output;
mod selector;
mod services;
mod snapshot;
mod time;
mod top;
mod trace;

pub use grammar::noun_first;

use clap::{Args, Subcommand};
use client::Client;
use output::{Format, Output};
use platform::SharedClock;
use std::process::ExitCode;

/// What every command understands: whom to ask, as whom, and how to print the answer.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The server's address; with https its certificate is verified.
    #[arg(long, env = "BINNACLE_SERVER", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// PEM file of the authorities that sign the server's certificate; the machine's when it is left out.
    #[arg(long, env = "BINNACLE_CA_FILE")]
    ca_file: Option<std::path::PathBuf>,
    /// Tenant (`X-Scope-OrgID`).
    #[arg(long, env = "BINNACLE_TENANT")]
    tenant: Option<String>,
    /// File whose first line is a bearer token.
    #[arg(long, env = "BINNACLE_TOKEN_FILE")]
    token_file: Option<std::path::PathBuf>,
    /// How to print.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Those that list things.
    #[command(flatten)]
    Listed(Listed),
    /// kubectl's order of words: `get services` is `services`.
    #[command(subcommand)]
    Get(Listed),
    /// Evaluate PromQL at one time, or over a range with --step or --since.
    Query(metrics::QueryArgs),
    /// Print log lines; -f follows.
    Logs(logs::LogArgs),
    /// Draw one trace as a waterfall.
    Trace(trace::TraceArgs),
    /// Make a copy of all data in the data directory's snapshots/, itself a data directory to start from.
    Snapshot(snapshot::SnapshotArgs),
}

/// The commands that list things, so that `-w` can watch them.
#[derive(Subcommand, Debug)]
pub enum Listed {
    /// Services with rate, errors and latency, worst first.
    #[command(visible_aliases = ["service", "svc"])]
    Services(services::ServiceArgs),
    /// Who calls whom.
    Map(map::MapArgs),
    /// Operations that take the most time.
    Top(top::TopArgs),
    /// Search traces with TraceQL.
    Traces(trace::SearchArgs),
    /// What changed; `changes add` reports a deploy.
    #[command(visible_alias = "change")]
    Changes(changes::ChangeArgs),
}

/// What a command needs to run.
pub(crate) struct Session {
    client: Client,
    output: Output,
    clock: SharedClock,
}

/// Runs one command and returns the process' exit code.
pub async fn run(command: Command, clock: SharedClock) -> ExitCode {
    match execute(command, clock).await {
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

async fn execute(command: Command, clock: SharedClock) -> Result<(), Failure> {
    let open = |common: &Common| {
        Client::new(common).map(|client| Session { client, output: Output::new(common.output), clock })
    };
    match command {
        Command::Listed(listed) | Command::Get(listed) => match listed {
            Listed::Services(args) => services::services(&open(&args.listing.common)?, &args).await,
            Listed::Map(args) => map::map(&open(&args.listing.common)?, &args).await,
            Listed::Top(args) => top::top(&open(&args.listing.common)?, &args).await,
            Listed::Traces(args) => trace::search(&open(&args.listing.common)?, &args).await,
            Listed::Changes(args) => changes::changes(&open(args.common())?, &args).await,
        },
        Command::Query(args) => metrics::query(&open(&args.common)?, &args).await,
        Command::Logs(args) => logs::logs(&open(&args.common)?, &args).await,
        Command::Trace(args) => trace::trace(&open(&args.common)?, &args).await,
        Command::Snapshot(args) => snapshot::snapshot(&open(&args.common)?, &args).await,
    }
}
