//! The services, one file each; this is their table.

mod cart;
mod catalogue;
mod fraud;
mod frontend;
mod inventory;
mod orders;
mod payments;
mod shipping;

pub(crate) use fraud::{BAD_VERSION, GOOD_VERSION};

use crate::db::Database;
use crate::fault::FaultState;
use crate::http::{Http, Shared, instrument};
use crate::metrics::Metrics;
use crate::{Failure, ServeOptions, telemetry};
use axum::Router;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};

/// What a service builds its routes from.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) http: Http,
    pub(crate) faults: FaultState,
    pub(crate) options: ServeOptions,
}

impl Context {
    /// The service's own database.
    pub(crate) fn database(&self, name: &'static str, schema: &str) -> rusqlite::Result<Database> {
        Database::open(&self.options.dir, name, schema, self.faults.clone())
    }
}

type Build = fn(&Context) -> Result<Router, Failure>;

/// Name and routes; the position is the port's distance from the base port, 0 being the control door.
pub(crate) const SERVICES: &[(&str, Build)] = &[
    ("frontend", frontend::routes),
    ("catalogue", catalogue::routes),
    ("cart", cart::routes),
    ("orders", orders::routes),
    ("payments", payments::routes),
    ("inventory", inventory::routes),
    ("fraud-check", fraud::routes),
    ("shipping", shipping::routes),
];

/// The port of `service`; the base port itself when there is no such service.
pub(crate) fn port(service: &str, base_port: u16) -> u16 {
    let at = SERVICES.iter().position(|(name, _)| *name == service).map_or(0, |at| at + 1);
    base_port + u16::try_from(at).unwrap_or(0)
}

/// Runs one service until SIGTERM.
pub(crate) async fn serve(options: ServeOptions) -> Result<(), Failure> {
    let Some((_, build)) = SERVICES.iter().find(|(name, _)| *name == options.service) else {
        return Err(format!("no service {:?}", options.service).into());
    };
    let providers = telemetry::start(&options)?;
    let faults = FaultState::default();
    let context =
        Context { http: Http::new(options.base_port), faults: faults.clone(), options: options.clone() };
    let shared = Shared { faults, metrics: Metrics::new(&options.version) };
    let router = instrument(build(&context)?, &shared);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&options.service, options.base_port)));
    let listener = tokio::net::TcpListener::bind(address).await?;
    telemetry::info("service started", json!({"service": options.service, "version": options.version}));
    let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = axum::serve(listener, router) => result?,
        _ = stop.recv() => {}
    }
    tokio::task::spawn_blocking(move || providers.shut_down()).await?;
    Ok(())
}
