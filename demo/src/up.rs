//! Starts every service as a process, keeps it running, and listens for commands on the control door:
//! `POST /fault {"service", "kind", "value"}`. Stops all of them when it is stopped itself.

use crate::services::{BAD_VERSION, GOOD_VERSION, SERVICES, port};
use crate::{Failure, fault};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// First port of the shop; the control door listens there, service N listens N above it.
pub(crate) const BASE_PORT: u16 = 7100;

/// Wait before a process that died is started again.
const RESTART_AFTER: Duration = Duration::from_secs(2);

/// How the shop runs.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// First port of the shop.
    #[arg(long, default_value_t = BASE_PORT)]
    base_port: u16,
    /// OTLP gRPC endpoint.
    #[arg(long, default_value = "http://127.0.0.1:4317")]
    otlp: String,
    /// Directory for databases and logs.
    #[arg(long)]
    dir: PathBuf,
    /// Requests a second to the frontend.
    #[arg(long, default_value_t = 8.0)]
    rate: f64,
}

/// The running processes and what they should be.
struct Shop {
    options: Options,
    processes: Mutex<HashMap<String, Process>>,
}

struct Process {
    child: Child,
    version: String,
    faults: fault::Faults,
}

/// Runs the shop until SIGINT or SIGTERM.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    std::fs::create_dir_all(options.dir.join("logs"))?;
    let shop = Arc::new(Shop { options: options.clone(), processes: Mutex::default() });
    for (service, _) in SERVICES {
        let version = if *service == "fraud-check" { GOOD_VERSION } else { "1.0.0" };
        shop.start(service, version.to_owned(), fault::Faults::default()).await?;
    }
    shop.start("load", String::new(), fault::Faults::default()).await?;
    let watch = tokio::spawn(watch(shop.clone()));
    let control = Router::new()
        .route("/", get(async || "the demonstration shop's control door: POST /fault\n"))
        .route("/fault", post(set_fault))
        .with_state(shop.clone());
    let listener =
        tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.base_port))).await?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = axum::serve(listener, control) => result?,
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
    watch.abort();
    for process in shop.processes.lock().await.values_mut() {
        process.child.kill().await?;
    }
    Ok(())
}

/// Restarts what died, as an orchestrator would, with the faults it had.
async fn watch(shop: Arc<Shop>) {
    loop {
        tokio::time::sleep(RESTART_AFTER).await;
        let mut dead = Vec::new();
        for (name, process) in shop.processes.lock().await.iter_mut() {
            if let Ok(Some(status)) = process.child.try_wait() {
                eprintln!("shop: {name} stopped ({status}), starting it again");
                dead.push((name.clone(), process.version.clone(), process.faults.clone()));
            }
        }
        for (name, version, faults) in dead {
            if let Err(error) = shop.start(&name, version, faults).await {
                eprintln!("shop: {name}: {error}");
            }
        }
    }
}

impl Shop {
    /// Starts (or replaces) one process and gives it its faults.
    async fn start(&self, name: &str, version: String, faults: fault::Faults) -> Result<(), Failure> {
        let mut processes = self.processes.lock().await;
        if let Some(mut old) = processes.remove(name) {
            old.child.kill().await?;
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.options.dir.join("logs").join(format!("{name}.log")))?;
        let mut command = Command::new(std::env::current_exe()?);
        let base_port = self.options.base_port.to_string();
        if name == "load" {
            command.args(["load", "--base-port", &base_port, "--rate", &self.options.rate.to_string()]);
        } else {
            command.args(["serve", name, "--base-port", &base_port, "--version", &version]);
            command.args(["--otlp", &self.options.otlp, "--dir"]).arg(&self.options.dir);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()?;
        processes.insert(name.to_owned(), Process { child, version, faults: faults.clone() });
        drop(processes);
        if faults != fault::Faults::default() {
            self.tell(name, &faults).await?;
        }
        Ok(())
    }

    /// Sends faults to a running service, which may still be starting.
    async fn tell(&self, service: &str, faults: &fault::Faults) -> Result<(), Failure> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://127.0.0.1:{}/admin/faults", port(service, self.options.base_port));
        let body = serde_json::to_vec(faults)?;
        for _ in 0..25 {
            let request = http::Request::post(&uri)
                .header("content-type", "application/json")
                .body(Full::new(axum::body::Bytes::from(body.clone())))?;
            match client.request(request).await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => return Err(format!("{service} answered {}", answer.status()).into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        Err(format!("{service} does not answer").into())
    }

    async fn set(&self, wanted: &Wanted) -> Result<String, String> {
        let service = wanted.service.as_str();
        if !SERVICES.iter().any(|(name, _)| *name == service) {
            let names: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
            return Err(format!("no service {service:?}: one of {}", names.join(", ")));
        }
        let fail = |error: Failure| error.to_string();
        let deploys = service == "fraud-check" && matches!(wanted.kind.as_str(), "n-plus-one" | "off");
        if wanted.kind == "n-plus-one" && !deploys {
            return Err("n-plus-one is a new version of fraud-check: name that service".to_owned());
        }
        if deploys {
            let version = if wanted.kind == "off" { GOOD_VERSION } else { BAD_VERSION };
            self.start(service, version.to_owned(), fault::Faults::default()).await.map_err(fail)?;
            return Ok(format!("fraud-check {version} runs"));
        }
        let faults = fault::parse(&wanted.kind, wanted.value.as_deref())?;
        self.tell(service, &faults).await.map_err(fail)?;
        if let Some(process) = self.processes.lock().await.get_mut(service) {
            process.faults = faults;
        }
        Ok(format!("{service}: {} {}", wanted.kind, wanted.value.as_deref().unwrap_or_default()))
    }
}

/// A fault somebody asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    service: String,
    kind: String,
    #[serde(default)]
    value: Option<String>,
}

async fn set_fault(State(shop): State<Arc<Shop>>, Json(wanted): Json<Wanted>) -> (StatusCode, String) {
    match shop.set(&wanted).await {
        Ok(done) => (StatusCode::OK, format!("{done}\n")),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
