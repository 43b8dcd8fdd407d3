//! The `binnacle` command: `up` runs the server, `check` looks at configuration, `demo` runs the demonstration, everything
//! else asks a running server.

use binnacle::config::Flags;
use binnacle::demo::DemoCommand;
use clap::{CommandFactory, Parser, Subcommand};
use platform::RealClock;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Observe a microservice estate with one process.
#[derive(Parser)]
#[command(name = "binnacle", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: every door, one data directory, nothing else to install.
    Up(Box<Flags>),
    /// Check files without starting anything.
    Check {
        #[command(subcommand)]
        what: Check,
    },
    /// The demonstration shop.
    Demo {
        #[command(subcommand)]
        command: DemoCommand,
    },
    #[command(flatten)]
    Ask(Box<cli::Command>),
}

#[derive(Subcommand)]
enum Check {
    /// A configuration file; names line and fix.
    Config {
        /// Binnacle's own file, or Prometheus' with --prometheus.
        file: PathBuf,
        /// The file is Prometheus' configuration.
        #[arg(long)]
        prometheus: bool,
    },
}

fn main() -> ExitCode {
    platform::proc::small_pages();
    let words = cli::noun_first(&Arguments::command(), std::env::args_os());
    let arguments = Arguments::parse_from(words);
    let filter = EnvFilter::try_from_env("BINNACLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match arguments.command {
            Command::Up(flags) => binnacle::run(&flags).await,
            Command::Check { what: Check::Config { file, prometheus } } => {
                binnacle::check_config(&file, prometheus)
            }
            Command::Demo { command } => binnacle::demo::run(command).await,
            Command::Ask(command) => cli::run(*command, Arc::new(RealClock::default())).await,
        }
    })
}
