//! All jobs: starts, changes and stops targets as configuration and discovery say, and lists them.

use super::config::{ConfigError, GlobalConfig, ScrapeConfig};
use super::discovery::{Discovery, Group};
use super::job::{Job, compile_all};
use super::pool::Pool;
use super::runner::Shared;
use super::target::Targets;
use model::Tenant;
use model::ingest::Ingest;
use platform::metrics::{Counter, Registry};
use platform::{Random, SharedClock};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest wait for scrapes at work when the process stops.
const STOP_SECONDS_MAX: u64 = 5;

/// Scrapes targets and hands their samples to an [`Ingest`]; cheap to clone.
#[derive(Clone)]
pub struct ScrapeManager(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    discovery_failures: Counter,
    pools: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    pool: Pool,
    stop: CancellationToken,
}

impl ScrapeManager {
    /// A manager without jobs; samples belong to `tenant`.
    #[must_use]
    pub fn new(
        ingest: Arc<dyn Ingest>,
        clock: SharedClock,
        random: &dyn Random,
        registry: &Registry,
        tenant: Tenant,
    ) -> Self {
        let counter = |name, help| registry.counter(name, "", help);
        let shared = Arc::new(Shared {
            ingest,
            clock,
            tenant,
            seed: random.next_u64(),
            scrapes: counter("binnacle_scrapes_total", "Scrapes made."),
            failures: counter("binnacle_scrapes_failed_total", "Scrapes that failed."),
            refused: counter(
                "binnacle_scrapes_refused_total",
                "Scrapes whose samples the store did not take.",
            ),
        });
        let discovery_failures =
            counter("binnacle_discovery_failures_total", "Lookups of targets that failed.");
        Self(Arc::new(Inner {
            shared,
            tasks: TaskTracker::new(),
            discovery_failures,
            pools: Mutex::default(),
        }))
    }

    /// Checks a configuration without running it.
    ///
    /// # Errors
    /// The first job and field that cannot work.
    pub fn check(global: &GlobalConfig, configs: &[ScrapeConfig]) -> Result<(), ConfigError> {
        compile_all(global, configs).map(|_| ())
    }

    /// Runs this configuration from now on. Targets that are in it as they were go on undisturbed; must be called on
    /// the runtime.
    ///
    /// # Errors
    /// The first job and field that cannot work; then nothing has changed.
    pub fn apply(&self, global: &GlobalConfig, configs: &[ScrapeConfig]) -> Result<(), ConfigError> {
        let jobs = compile_all(global, configs)?;
        let mut pools = self.0.lock();
        for (_, running) in
            pools.extract_if(.., |name, _| jobs.iter().all(|job| job.config.job_name != *name))
        {
            running.stop.cancel();
            running.pool.vanish();
        }
        for job in jobs {
            let name = job.config.job_name.clone();
            if pools.get(&name).is_some_and(|running| running.pool.runs(&job)) {
                continue;
            }
            self.start(&mut pools, &name, &Arc::new(job));
        }
        Ok(())
    }

    fn start(&self, pools: &mut BTreeMap<String, Running>, name: &str, job: &Arc<Job>) {
        let stop = CancellationToken::new();
        if let Some(running) = pools.get_mut(name) {
            running.stop.cancel();
            running.stop = stop.clone();
            running.pool.change(job.clone(), &self.0.shared, &self.0.tasks);
        } else {
            let pool = Pool::new(job.clone(), &self.0.shared, &self.0.tasks);
            pools.insert(name.to_owned(), Running { pool, stop: stop.clone() });
        }
        for (source, discovery) in job.discoveries.iter().enumerate() {
            if let Some(every) = discovery.every() {
                let search = Search {
                    manager: Arc::downgrade(&self.0),
                    name: name.to_owned(),
                    job: job.clone(),
                    source,
                    every,
                    stop: stop.clone(),
                };
                drop(platform::task::spawn("discovery", search.run()));
            }
        }
    }

    /// All targets: what Prometheus' `/api/v1/targets` shows.
    #[must_use]
    pub fn targets(&self) -> Targets {
        let mut targets = Targets::default();
        for running in self.0.lock().values() {
            running.pool.list(&mut targets);
        }
        targets
    }

    /// The jobs' names, sorted.
    #[must_use]
    pub fn pools(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    /// Ends all scraping without ending series, and waits for scrapes at work.
    pub async fn stop(&self) {
        for (_, running) in std::mem::take(&mut *self.0.lock()) {
            running.stop.cancel();
            running.pool.stop();
        }
        self.0.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(STOP_SECONDS_MAX), self.0.tasks.wait()).await;
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what a source found, unless its job has changed since.
    fn found(&self, name: &str, job: &Arc<Job>, source: usize, groups: Vec<Group>) {
        if let Some(running) = self.lock().get_mut(name) {
            running.pool.found(job, source, groups, &self.shared, &self.tasks);
        }
    }
}

/// One source of one job, asked again and again.
struct Search {
    manager: Weak<Inner>,
    name: String,
    job: Arc<Job>,
    source: usize,
    every: Duration,
    stop: CancellationToken,
}

impl Search {
    async fn run(self) {
        let Some(discovery) = self.job.discoveries.get(self.source).cloned() else { return };
        loop {
            let answer = tokio::select! {
                () = self.stop.cancelled() => return,
                answer = discovery.find() => answer,
            };
            if !self.pass_on(&discovery, answer) {
                return;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    /// `false` when nobody listens any more.
    fn pass_on(&self, discovery: &Discovery, answer: Result<Vec<Group>, String>) -> bool {
        let Some(manager) = self.manager.upgrade() else { return false };
        match answer {
            Ok(groups) => manager.found(&self.name, &self.job, self.source, groups),
            Err(error) => {
                manager.discovery_failures.inc();
                tracing::warn!(job = self.name, source = discovery.kind(), error, "cannot look for targets");
            }
        }
        true
    }
}
