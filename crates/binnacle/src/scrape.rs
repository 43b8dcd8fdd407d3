//! Scrape configuration in, running scraper and its targets out: the seam between the file, `receive` and `serve`.

use crate::config::{Config, Scraping, said};
use model::ingest::Ingest;
use model::{Labels, Tenant};
use platform::metrics::Registry;
use platform::{RealRandom, SharedClock};
use receive::scrape::{ConfigError, GlobalConfig, Health, PrometheusConfig, ScrapeManager};
use serve::ports::{ActiveTarget, DroppedTarget, TargetHealth, Targets};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys of our own file that the status call shows; the others are no business of Prometheus' clients.
const SHOWN: [&str; 3] = ["global", "scrape_configs", "otlp"];

/// Checks `global` and `scrape_configs`.
///
/// # Errors
/// One sentence with file, line, field and fix.
pub(crate) fn check(config: &Config) -> Result<(), String> {
    let Some(scraping) = &config.scrape else { return Ok(()) };
    let PrometheusConfig { global, scrape_configs, .. } = &scraping.config;
    ScrapeManager::check(global, scrape_configs).map_err(|error| located(scraping, &error))
}

/// Files with secrets that jobs name and nobody can open, one sentence each.
pub(crate) fn unreadable_files(config: &mut Config) -> Vec<String> {
    let Some(scraping) = &mut config.scrape else { return Vec::new() };
    let missing = scraping.config.unreadable_files();
    missing.iter().map(|error| located(scraping, error)).collect()
}

fn located(scraping: &Scraping, error: &ConfigError) -> String {
    said(&scraping.path, &[scraping.document.mistake(&error.field, error.message.as_str())])
}

/// Keys of a Prometheus file that are read over, one sentence each.
pub(crate) fn notes(config: &Config) -> Vec<String> {
    let Some(scraping) = &config.scrape else { return Vec::new() };
    scraping.unused.iter().map(|mistake| format!("{}: {mistake}", scraping.path.display())).collect()
}

/// The running scraper.
pub(crate) struct Scrape(ScrapeManager);

/// Starts scraping.
///
/// # Errors
/// The first job and field that cannot work.
pub(crate) fn start(
    config: &Config,
    ingest: Arc<dyn Ingest>,
    clock: SharedClock,
    registry: &Registry,
) -> Result<Scrape, String> {
    let manager = ScrapeManager::new(ingest, clock, &RealRandom::default(), registry, Tenant::default());
    let scrape = Scrape(manager);
    scrape.apply(config)?;
    Ok(scrape)
}

impl Scrape {
    /// Runs another configuration from now on; on error the old one goes on.
    pub(crate) fn apply(&self, config: &Config) -> Result<(), String> {
        for note in notes(config) {
            tracing::warn!("{note}");
        }
        let Some(scraping) = &config.scrape else {
            return self.0.apply(&GlobalConfig::default(), &[]).map_err(|error| error.to_string());
        };
        let PrometheusConfig { global, scrape_configs, .. } = &scraping.config;
        self.0.apply(global, scrape_configs).map_err(|error| located(scraping, &error))
    }

    /// What is scraped, for the status calls.
    pub(crate) fn targets(&self) -> Arc<dyn Targets> {
        Arc::new(Listed(self.0.clone()))
    }

    /// Waits for scrapes at work.
    pub(crate) async fn stop(self) {
        self.0.stop().await;
    }
}

struct Listed(ScrapeManager);

impl Targets for Listed {
    fn active(&self) -> Vec<ActiveTarget> {
        let active = self.0.targets().active.into_iter().map(|target| ActiveTarget {
            discovered: Labels::from_pairs(target.discovered),
            labels: target.labels,
            pool: target.pool,
            url: target.url,
            last_error: target.last_error,
            last_scrape_ns: target.last_scrape_ns,
            last_duration_s: target.last_duration_s,
            health: match target.health {
                Health::Up => TargetHealth::Up,
                Health::Down => TargetHealth::Down,
                Health::Unknown => TargetHealth::Unknown,
            },
            interval_ms: target.interval_ms,
            timeout_ms: target.timeout_ms,
        });
        let mut targets: Vec<ActiveTarget> = active.collect();
        targets.sort_by(|a, b| (&a.pool, &a.url).cmp(&(&b.pool, &b.url)));
        targets
    }

    fn dropped(&self) -> Vec<DroppedTarget> {
        let dropped = self.0.targets().dropped.into_iter().map(|target| DroppedTarget {
            pool: target.pool,
            discovered: Labels::from_pairs(target.discovered),
        });
        dropped.collect()
    }

    fn dropped_counts(&self) -> BTreeMap<String, usize> {
        self.0.targets().dropped_counts
    }

    fn pools(&self) -> Vec<String> {
        self.0.pools()
    }
}

/// The configuration as the status call shows it, secrets masked; `global.scrape_interval` is always in it, because
/// clients take their step from it.
pub(crate) fn shown(scraping: Option<&Scraping>) -> String {
    let Some(scraping) = scraping else {
        return format!("global:\n  scrape_interval: {}\n", GlobalConfig::default().scrape_interval);
    };
    let global = scraping.document.masked(|key| key == "global");
    let rest =
        scraping.document.masked(|key| key != "global" && (scraping.prometheus || SHOWN.contains(&key)));
    if global.contains("\n  scrape_interval: ") {
        return global + &rest;
    }
    let others = global.strip_prefix("global:\n").unwrap_or_default();
    format!("global:\n  scrape_interval: {}\n{others}{rest}", scraping.config.global.scrape_interval)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn load(prometheus: bool, text: &str) -> Config {
        let path = Some("p.yml".into());
        let flags = if prometheus {
            Flags { prometheus_config: path, ..Flags::default() }
        } else {
            Flags { config: path, ..Flags::default() }
        };
        Config::load(&flags, |_| Ok(text.to_owned())).expect(text)
    }

    #[test]
    fn mistakes_of_jobs_name_file_line_field_and_fix() {
        for (text, expected) in [
            (
                "scrape_configs:\n- job_name: a\n- job_name: a\n",
                "p.yml: line 3, column 3: scrape_configs[1].job_name: \"a\" is the name of scrape_configs[0] too: rename one of them",
            ),
            (
                "scrape_configs:\n- scheme: http\n",
                "p.yml: line 2, column 3: scrape_configs[0].job_name: is missing: give the job a name",
            ),
            (
                "scrape_configs:\n- job_name: a\n  scrape_timeout: 2m\n",
                "p.yml: line 3, column 3: scrape_configs[0].scrape_timeout: 2m is greater than the scrape interval 1m: shorten it",
            ),
            (
                "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n  - {target_label: x, regex: '['}\n",
                "p.yml: line 5, column 23: scrape_configs[0].relabel_configs[1].regex: \"[\": unclosed character class: correct it",
            ),
            (
                "scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: [a:1, 'http://b']\n",
                "p.yml: line 4, column 20: scrape_configs[0].static_configs[0].targets[1]: \"http://b\" is not a valid hostname: \
                 write host:port; scheme and metrics_path are fields",
            ),
        ] {
            for prometheus in [true, false] {
                assert_eq!(check(&load(prometheus, text)), Err(expected.to_owned()), "{text}");
            }
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret_and_always_the_interval() {
        let secret = "scrape_configs:\n- {job_name: a, authorization: {credentials: s3}}\n";
        let masked = "scrape_configs:\n- job_name: a\n  authorization:\n    credentials: <secret>\n";
        for (prometheus, text, expected) in [
            (true, secret.to_owned(), format!("global:\n  scrape_interval: 1m\n{masked}")),
            (
                true,
                format!(
                    "global: {{external_labels: {{a: b}}}}\nremote_write: [{{bearer_token: s3}}]\n{secret}"
                ),
                format!(
                    "global:\n  scrape_interval: 1m\n  external_labels:\n    a: b\nremote_write:\n- bearer_token: <secret>\n{masked}"
                ),
            ),
            (
                false,
                format!("data: x\n{secret}global: {{scrape_interval: 5s}}\nbearer_tokens_file: f\n"),
                format!("global:\n  scrape_interval: 5s\n{masked}"),
            ),
        ] {
            assert_eq!(shown(load(prometheus, &text).scrape.as_ref()), expected, "{text}");
        }
        assert_eq!(shown(None), "global:\n  scrape_interval: 1m\n");
    }
}
