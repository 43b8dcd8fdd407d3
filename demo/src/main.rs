//! The demonstration shop: eight small services as separate processes, a steady load, and faults to switch on while it
//! runs. It is a client of Binnacle like any other program: it depends on none of its crates and sends its telemetry
//! with the official OpenTelemetry SDK, so what it shows is what a user's own services would show.
#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own, outside the product's simulated platform"
)]

mod db;
mod fault;
mod grpc;
mod http;
mod load;
mod metrics;
mod services;
mod telemetry;
mod up;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a service or command stopped.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(name = "shop", about = "The demonstration shop")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start every service as a process of its own, a steady load, and the control door.
    Up(up::Options),
    /// Run one service (started by `up`).
    Serve(ServeOptions),
    /// Send steady load to the frontend (started by `up`).
    Load(load::Options),
}

/// How one service runs.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ServeOptions {
    /// frontend, catalogue, cart, orders, payments, inventory, fraud-check or shipping.
    pub(crate) service: String,
    /// First port of the shop; service N listens N ports above it.
    #[arg(long, default_value_t = up::BASE_PORT)]
    pub(crate) base_port: u16,
    /// Reported as `service.version`.
    #[arg(long, default_value = "1.0.0")]
    pub(crate) version: String,
    /// OTLP gRPC endpoint.
    #[arg(long, default_value = "http://127.0.0.1:4317")]
    pub(crate) otlp: String,
    /// Directory of the services' databases.
    #[arg(long)]
    pub(crate) dir: PathBuf,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(options) => up::run(options).await,
        Command::Serve(options) => services::serve(options).await,
        Command::Load(options) => load::run(&options).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
