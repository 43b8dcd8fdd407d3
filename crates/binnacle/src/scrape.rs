//! Scrape configuration in, running scraper and its targets out: the seam between the file, `receive` and `serve`.

use crate::config::{Config, ScrapeText};
use model::ingest::Ingest;
use model::{Labels, Tenant};
use platform::metrics::Registry;
use platform::{RealRandom, SharedClock};
use receive::scrape::{Health, PrometheusConfig, ScrapeManager};
use serve::ports::{ActiveTarget, DroppedTarget, TargetHealth, Targets};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A checked scrape configuration.
#[derive(Default)]
pub(crate) struct Checked {
    config: PrometheusConfig,
    /// Keys of a Prometheus file that Binnacle does not use.
    pub(crate) ignored: Vec<String>,
}

/// Reads and checks `global` and `scrape_configs`.
///
/// # Errors
/// One sentence with file, job, field and fix.
pub(crate) fn read(config: &Config) -> Result<Checked, String> {
    let Some(ScrapeText { path, text, prometheus }) = &config.scrape else { return Ok(Checked::default()) };
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let (mut parsed, ignored) = PrometheusConfig::parse(text).map_err(|error| named(&error))?;
    parsed.resolve_paths(path.parent().unwrap_or(Path::new("")));
    ScrapeManager::check(&parsed.global, &parsed.scrape_configs).map_err(|error| named(&error))?;
    // In our own file the other top-level keys are ours; what is unknown inside a job is a mistake.
    let inside = |key: &&String| key.starts_with("global") || key.starts_with("scrape_configs");
    if let (false, Some(key)) = (prometheus, ignored.iter().find(inside)) {
        return Err(named(&format!("{key} is not supported: remove it")));
    }
    Ok(Checked { config: parsed, ignored: if *prometheus { ignored } else { Vec::new() } })
}

/// The running scraper.
pub(crate) struct Scrape(ScrapeManager);

/// Starts scraping.
///
/// # Errors
/// The first job and field that cannot work.
pub(crate) fn start(
    checked: &Checked,
    ingest: Arc<dyn Ingest>,
    clock: SharedClock,
    registry: &Registry,
) -> Result<Scrape, String> {
    let manager = ScrapeManager::new(ingest, clock, &RealRandom::default(), registry, Tenant::default());
    let scrape = Scrape(manager);
    scrape.apply(checked)?;
    Ok(scrape)
}

impl Scrape {
    /// Runs another configuration from now on; on error the old one goes on.
    pub(crate) fn apply(&self, checked: &Checked) -> Result<(), String> {
        for key in &checked.ignored {
            tracing::warn!("{key} of the Prometheus configuration is not used by Binnacle");
        }
        let PrometheusConfig { global, scrape_configs } = &checked.config;
        self.0.apply(global, scrape_configs).map_err(|error| error.to_string())
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

/// The configuration as the status call shows it; secrets are masked by leaving every line that holds one out.
pub(crate) fn shown(config: Option<&ScrapeText>) -> String {
    const SECRETS: [&str; 5] = ["password", "credentials", "bearer_token", "secret", "token"];
    let text = config.map_or("global:\n  scrape_interval: 1m\n", |config| config.text.as_str());
    let mask = |line: &str| {
        let key = line.trim_start().trim_start_matches("- ").split(':').next().unwrap_or_default().to_owned();
        let secret = SECRETS.iter().any(|word| key.contains(word)) && !key.ends_with("_file");
        if secret {
            format!("{}: <secret>", line.split(':').next().unwrap_or_default())
        } else {
            line.to_owned()
        }
    };
    text.lines().map(|line| mask(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn check(prometheus: bool, text: &str) -> Result<Vec<String>, String> {
        let path = Some("p.yml".into());
        let flags = if prometheus {
            Flags { prometheus_config: path, ..Flags::default() }
        } else {
            Flags { config: path, ..Flags::default() }
        };
        let config = Config::load(&flags, |_| Ok(text.to_owned()))?;
        read(&config).map(|checked| checked.ignored)
    }

    #[test]
    fn a_prometheus_file_is_taken_whole_and_names_what_is_not_used() {
        let text = "global: {scrape_interval: 5s}\nrule_files: [a.yml]\nscrape_configs:\n- job_name: a\n  \
                    static_configs: [{targets: ['localhost:1']}]\n";
        let ignored = check(true, text).expect("good");
        assert_eq!(ignored, ["rule_files"]);
    }

    #[test]
    fn our_own_file_is_strict() {
        let error =
            check(false, "scrape_configs:\n- job_name: a\n  scrape_intervall: 5s\n").expect_err("a typo");
        assert!(error.contains("p.yml") && error.contains("scrape_intervall"), "{error}");
        assert_eq!(check(false, "data: x\nscrape_configs:\n- job_name: a\n"), Ok(Vec::new()));
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = ScrapeText {
            path: "p.yml".into(),
            text: "basic_auth:\n  password: hunter2\n  password_file: f\n".to_owned(),
            prometheus: true,
        };
        let shown = shown(Some(&config));
        assert!(
            !shown.contains("hunter2")
                && shown.contains("password: <secret>")
                && shown.contains("password_file: f")
        );
    }
}
