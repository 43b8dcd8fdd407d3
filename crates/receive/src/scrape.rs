//! Scraping: finds targets as Prometheus' `scrape_configs` say, fetches them in their own moments, and hands samples to
//! an [`Ingest`](model::ingest::Ingest) as any door does.
//!
//! Order of the files is the order of the data: [`config`] -> job -> discovery -> relabel -> target -> pool -> runner ->
//! series. A target's task holds its connection and what it knows of its series; nothing else is kept.

mod client;
pub mod config;
mod discovery;
mod dns;
mod job;
mod manager;
mod pool;
pub mod relabel;
mod runner;
mod series;
mod target;
pub mod units;

#[cfg(test)]
mod tests;

pub use config::{ConfigError, GlobalConfig, OtlpConfig, PrometheusConfig, ScrapeConfig, UNUSED, cause};
pub use discovery::TARGETS_PER_SOURCE_MAX;
pub use job::{JOBS_MAX, SCRAPE_BYTES_MAX};
pub use manager::ScrapeManager;
pub use pool::DROPPED_TARGETS_MAX;
pub use target::{ActiveTarget, DroppedTarget, Health, Targets};

/// Gets `url` as `config`'s job would; the body of the answer.
#[cfg(test)]
pub(crate) async fn fetch_for_test(config: &ScrapeConfig, url: &str) -> Result<String, String> {
    let settings =
        client::ClientSettings::of_job(config).map_err(|(field, message)| format!("{field}: {message}"))?;
    let ask = client::Ask { url, accept: "*/*", compressed: false, timeout_s: 1.0, bytes_max: 1000 };
    let answer = client::Fetcher::default().get(&settings, &ask).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}
