//! Steady load: requests at a constant rate whatever the answers take (an open model), 70 % Fast page, 30 % Slow page.

use crate::Failure;
use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

/// Requests that may be under way at once; further ones are not sent, as a real client population would give up.
const IN_FLIGHT_MAX: usize = 200;

/// How long the services may take to start before load comes anyway.
const START_MAX: Duration = Duration::from_secs(15);

/// How much load.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// First port of the shop.
    #[arg(long, default_value_t = crate::up::BASE_PORT)]
    base_port: u16,
    /// Requests a second.
    #[arg(long, default_value_t = 8.0)]
    rate: f64,
}

/// Waits until every service listens, so that a shop that is only starting does not look like one that fails.
async fn services_listen(base_port: u16) {
    for (service, _) in crate::services::SERVICES {
        let address = (Ipv4Addr::LOCALHOST, crate::services::port(service, base_port));
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Sends load until the process is stopped.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    if tokio::time::timeout(START_MAX, services_listen(options.base_port)).await.is_err() {
        eprintln!("load: not every service listens after {} s, starting without", START_MAX.as_secs());
    }
    let port = crate::services::port("frontend", options.base_port);
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / options.rate.clamp(0.1, 1000.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for n in 0_u64.. {
        ticks.tick().await;
        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
        let page = if n % 10 < 7 { "fast" } else { "slow" };
        let uri = format!("http://127.0.0.1:{port}/{page}?user=user-{}", n * 7 % 50).parse()?;
        let client = client.clone();
        tokio::spawn(async move {
            if let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(20), client.get(uri)).await {
                let _ = answer.into_body().collect().await;
            }
            drop(slot);
        });
    }
    Ok(())
}
