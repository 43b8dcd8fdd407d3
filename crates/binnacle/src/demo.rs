//! `binnacle demo`: the server and the demonstration shop together, and faults to switch on while it runs.
//!
//! The shop is a program of its own (`shop`, beside this one); it is started, watched and stopped here, and it sends
//! its telemetry through the doors like any client.

use crate::config::Flags;
use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// First port of the shop; service N listens N above it.
const SHOP_PORT: u16 = 7100;
/// The shop's services, in port order.
const SERVICES: [&str; 8] =
    ["frontend", "catalogue", "cart", "orders", "payments", "inventory", "fraud-check", "shipping"];

/// What can go wrong in a service.
const FAULTS: [&str; 7] =
    ["latency", "errors", "slow-database", "memory-leak", "crash-loop", "n-plus-one", "off"];

/// What `binnacle demo` can do.
#[derive(Subcommand, Debug)]
pub enum DemoCommand {
    /// Start server and shop; Ctrl-C stops both.
    Up(Box<DemoFlags>),
    /// Switch a fault of a service: latency 3s, errors 20%, slow-database 400ms, memory-leak, crash-loop, n-plus-one, off.
    Fault(FaultArgs),
}

/// Flags of `demo up`: those of `up`, and the shop's.
#[derive(Args, Clone, Debug)]
pub struct DemoFlags {
    #[command(flatten)]
    up: Flags,
    /// First port of the shop.
    #[arg(long, default_value_t = SHOP_PORT)]
    shop_port: u16,
    /// Requests a second to the frontend.
    #[arg(long, default_value_t = 8.0)]
    rate: f64,
}

/// Arguments of `demo fault`.
#[derive(Args, Clone, Debug)]
pub struct FaultArgs {
    /// Which service.
    #[arg(value_parser = PossibleValuesParser::new(SERVICES))]
    service: String,
    /// What goes wrong; n-plus-one is for fraud-check alone.
    #[arg(value_parser = PossibleValuesParser::new(FAULTS))]
    kind: String,
    /// How much: 3s, 20%.
    value: Option<String>,
    /// First port of the shop.
    #[arg(long, default_value_t = SHOP_PORT)]
    shop_port: u16,
}

/// Runs a demo command.
pub async fn run(command: DemoCommand) -> ExitCode {
    let done = match command {
        DemoCommand::Up(flags) => up(*flags).await,
        DemoCommand::Fault(args) => fault(&args).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn up(flags: DemoFlags) -> Result<ExitCode, String> {
    let mut server = flags.up.clone();
    let root = server.data.clone().unwrap_or_else(|| PathBuf::from("demo-data"));
    server.data = Some(root.join("store"));
    let offset = server.port_offset.unwrap_or(0);
    // The scrape configuration lives in memory: it names the shop's ports and nothing else.
    let scrape = (PathBuf::from("the demo's scrape configuration"), scrape_config(flags.shop_port));
    let given = server.prometheus_config.is_some() || server.config.is_some();
    if !given {
        server.prometheus_config = Some(scrape.0.clone());
    }
    let mut child = start_shop(&flags, &root, 4317_u16.saturating_add(offset))?;
    let program = own_folder()?;
    println!("{}", welcome(8080_u16.saturating_add(offset), flags.shop_port, &program));
    let stop = CancellationToken::new();
    let run = crate::up::run_with(&server, if given { None } else { Some(scrape) }, Some(stop.clone()));
    tokio::pin!(run);
    let code = tokio::select! {
        code = &mut run => code,
        ended = child.wait() => {
            // Ctrl-C reaches the shop as well, and it may be the first to go; it ends well only when it is told to.
            let told = ended.as_ref().is_ok_and(std::process::ExitStatus::success);
            stop.cancel();
            let code = run.await;
            if told {
                return Ok(code);
            }
            let why = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Err(format!("the shop stopped by itself ({why})"));
        }
    };
    end(&mut child).await;
    Ok(code)
}

/// Asks the shop to stop; it stops its services before it goes.
async fn end(shop: &mut Child) {
    if let Some(pid) = shop.id() {
        platform::proc::terminate(pid);
    }
    let patience = std::time::Duration::from_secs(10);
    if tokio::time::timeout(patience, shop.wait()).await.is_err() {
        let _ = shop.kill().await;
    }
}

/// Where this program and the shop are.
fn own_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    Ok(own.parent().unwrap_or(Path::new("")).to_owned())
}

fn start_shop(flags: &DemoFlags, root: &Path, otlp_port: u16) -> Result<Child, String> {
    let program = own_folder()?.join("shop");
    Command::new(&program)
        .args(["up", "--base-port", &flags.shop_port.to_string(), "--rate", &flags.rate.to_string()])
        .args(["--otlp", &format!("http://127.0.0.1:{otlp_port}"), "--dir"])
        .arg(root.join("shop"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            format!(
                "cannot start {}: {error}; build it with: cargo build --release -p demo",
                program.display()
            )
        })
}

fn scrape_config(shop_port: u16) -> String {
    let mut text = "global:\n  scrape_interval: 5s\n  scrape_timeout: 4s\nscrape_configs:\n".to_owned();
    for (at, service) in SERVICES.iter().enumerate() {
        let port = usize::from(shop_port) + at + 1;
        let _ = writeln!(
            text,
            "  - job_name: shop/{service}\n    static_configs:\n      - targets: ['127.0.0.1:{port}']\n        \
             labels: {{service: {service}, namespace: shop}}"
        );
    }
    text
}

fn welcome(ui_port: u16, shop_port: u16, program: &Path) -> String {
    format!(
        "\nBinnacle and the demonstration shop are starting.\n\n  \
         look        http://127.0.0.1:{ui_port}/            services, traces, logs, metrics\n  \
         shop        http://127.0.0.1:{shop}/            a Fast page and a Slow page\n\n  \
         try         export PATH={program}:$PATH\n              \
         binnacle services\n              \
         binnacle demo fault payments latency 3s\n              \
         binnacle demo fault fraud-check n-plus-one     (deploys 2.4.1, which asks its database once per payment)\n              \
         binnacle demo fault orders errors 20%\n              \
         binnacle demo fault payments off\n\n  \
         stop        Ctrl-C stops all of it\n",
        shop = shop_port + 1,
        program = program.display()
    )
}

async fn fault(args: &FaultArgs) -> Result<ExitCode, String> {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let body = json!({"service": args.service, "kind": args.kind, "value": args.value}).to_string();
    let request = http::Request::post(format!("http://127.0.0.1:{}/fault", args.shop_port))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = client
        .request(request)
        .await
        .map_err(|_| format!("no shop runs at port {}; start it with: make demo", args.shop_port))?;
    let status = answer.status();
    let read = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    let told = String::from_utf8_lossy(&read).trim().to_owned();
    if status.is_success() {
        println!("{told}");
        return Ok(ExitCode::SUCCESS);
    }
    Err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_scraped() {
        let text = scrape_config(7100);
        for (at, service) in SERVICES.iter().enumerate() {
            assert!(text.contains(&format!("job_name: shop/{service}\n")), "{service}");
            assert!(text.contains(&format!("'127.0.0.1:{}'", 7101 + at)), "{service}");
        }
    }
}
