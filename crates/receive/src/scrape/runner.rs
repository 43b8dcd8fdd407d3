//! One target's task: wait for its moment, fetch, parse, hand over, report; until told that the target is gone.

use super::client::{Ask, FetchError, Fetched, Fetcher};
use super::config::ScrapeProtocol;
use super::job::Job;
use super::series::{Counts, SeriesCache, entry_of, push, push_stale};
use super::target::{Health, TargetSpec, TargetState};
use model::metric::SeriesEntry;
use model::{LabelsBuilder, MetricBatch, MetricMetadata, Tenant, ingest::Ingest, labels::METRIC_NAME};
use platform::SharedClock;
use platform::metrics::Counter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wire::prometheus::{Exposition, ExpositionOptions, openmetrics, protobuf, text};

/// A scrape that starts this close to its moment is dated to the moment, which makes timestamps regular.
const TIMESTAMP_TOLERANCE_MS: i64 = 2;

/// Series that every scrape writes about itself.
const REPORT: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// How a target is scraped from now on.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) job: Arc<Job>,
    pub(crate) spec: TargetSpec,
    /// Every scrape fails with this, because the job as a whole broke a limit.
    pub(crate) forced_error: Option<String>,
}

/// What a target's task is told.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Run(Arc<Plan>),
    /// The target is gone: end its series.
    Vanish,
    /// The process stops: series go on after the restart.
    Stop,
}

/// What all tasks share.
pub(crate) struct Shared {
    pub(crate) ingest: Arc<dyn Ingest>,
    pub(crate) clock: SharedClock,
    pub(crate) tenant: Tenant,
    /// Moves all scrapes of this process, so that two of them do not scrape in step.
    pub(crate) seed: u64,
    pub(crate) scrapes: Counter,
    pub(crate) failures: Counter,
    pub(crate) refused: Counter,
}

/// Runs a target until [`Order::Vanish`] or [`Order::Stop`].
pub(crate) async fn run(shared: Arc<Shared>, state: Arc<TargetState>, mut orders: watch::Receiver<Order>) {
    let mut runner = Runner::default();
    let mut last_tick_ms = i64::MIN;
    loop {
        let order = orders.borrow_and_update().clone();
        let plan = match order {
            Order::Run(plan) => plan,
            Order::Vanish => return runner.vanish(&shared).await,
            Order::Stop => return,
        };
        runner.adopt(&plan);
        let now_ms = shared.clock.now_ms();
        let tick_ms = next_tick(&plan.spec, shared.seed, now_ms, last_tick_ms);
        let wait = Duration::from_millis(u64::try_from(tick_ms - now_ms).unwrap_or(0));
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {
                last_tick_ms = tick_ms;
                runner.scrape(&shared, &state, &plan, tick_ms).await;
            }
        }
    }
}

/// The first moment after `now_ms` and after the moment before that is this target's own in its interval.
fn next_tick(spec: &TargetSpec, seed: u64, now_ms: i64, last_ms: i64) -> i64 {
    let interval = i64::try_from(spec.interval.ms).unwrap_or(i64::MAX).max(1);
    let hash = u64::try_from(spec.labels.hash128() >> 64).unwrap_or(0) ^ seed;
    let offset = i64::try_from(hash % spec.interval.ms.max(1)).unwrap_or(0);
    let jumped_back = last_ms.saturating_sub(now_ms) > interval;
    let after = if jumped_back { now_ms } else { now_ms.max(last_ms) };
    let into = (after - offset).rem_euclid(interval);
    after.saturating_add(interval - into)
}

#[derive(Default)]
struct Runner {
    fetcher: Fetcher,
    cache: SeriesCache,
    plan: Option<Arc<Plan>>,
    report: Vec<SeriesEntry>,
    metadata: Vec<MetricMetadata>,
    reported: bool,
}

impl Runner {
    fn adopt(&mut self, plan: &Arc<Plan>) {
        if self.plan.as_ref().is_some_and(|old| Arc::ptr_eq(old, plan)) {
            return;
        }
        if self.plan.as_ref().is_some_and(|old| !Arc::ptr_eq(&old.job, &plan.job)) {
            self.cache.retire();
            self.fetcher = Fetcher::default();
        }
        self.report =
            REPORT.iter().filter_map(|name| entry_of(report_labels(&plan.spec, name).build())).collect();
        self.plan = Some(plan.clone());
    }

    async fn scrape(&mut self, shared: &Shared, state: &TargetState, plan: &Plan, tick_ms: i64) {
        let (start_ns, start) = (shared.clock.now_ns(), shared.clock.monotonic_ns());
        let now_ms = start_ns.div_euclid(1_000_000);
        let ts_ms = if (now_ms - tick_ms).abs() <= TIMESTAMP_TOLERANCE_MS { tick_ms } else { now_ms };
        let fetched = match &plan.forced_error {
            Some(error) => Err(FetchError::Other(error.clone())),
            None => fetch(&mut self.fetcher, plan).await,
        };
        let duration_s =
            Duration::from_nanos(shared.clock.monotonic_ns().saturating_sub(start)).as_secs_f64();
        let (mut out, mut counts) = (MetricBatch::default(), Counts::default());
        let result = match fetched {
            Ok(answer) => self.absorb(plan, &answer, ts_ms, &mut counts, &mut out),
            Err(error) => Err(error.to_string()),
        };
        if result.is_err() {
            out = MetricBatch::default();
            self.cache.fail(ts_ms, &mut out);
        }
        self.push_report(ts_ms, result.is_ok(), duration_s, counts, &mut out);
        self.reported = true;
        shared.scrapes.inc();
        shared.failures.add(u64::from(result.is_err()));
        {
            let mut last = state.lock();
            last.health = if result.is_ok() { Health::Up } else { Health::Down };
            last.error = result.err().unwrap_or_default();
            last.start_ns = start_ns;
            last.duration_s = duration_s;
        }
        hand_over(shared, out, &plan.spec.url).await;
    }

    fn absorb(
        &mut self,
        plan: &Plan,
        answer: &Fetched,
        ts_ms: i64,
        counts: &mut Counts,
        out: &mut MetricBatch,
    ) -> Result<(), String> {
        let mut exposition = parse(&plan.job, answer, ts_ms)?;
        self.cache.take(&plan.job, &plan.spec.labels, &exposition, ts_ms, counts, out)?;
        if exposition.batch.metadata != self.metadata {
            self.metadata = std::mem::take(&mut exposition.batch.metadata);
            out.metadata.clone_from(&self.metadata);
        }
        Ok(())
    }

    fn push_report(&self, ts_ms: i64, up: bool, duration_s: f64, counts: Counts, out: &mut MetricBatch) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let float = |count: usize| count as f64;
        let up = if up { 1.0 } else { 0.0 };
        let values = [up, duration_s, float(counts.scraped), float(counts.kept), float(counts.added)];
        for (entry, value) in self.report.iter().zip(values) {
            push(entry.clone(), ts_ms, value, out);
        }
    }

    async fn vanish(&mut self, shared: &Shared) {
        let ts_ms = shared.clock.now_ms();
        let mut out = MetricBatch::default();
        self.cache.fail(ts_ms, &mut out);
        if self.reported {
            self.report.drain(..).for_each(|entry| push_stale(entry, ts_ms, &mut out));
        }
        let url = self.plan.as_ref().map_or("", |plan| plan.spec.url.as_str());
        hand_over(shared, out, url).await;
    }
}

fn report_labels(spec: &TargetSpec, name: &str) -> LabelsBuilder {
    let mut labels = spec.labels.builder();
    labels.set(METRIC_NAME, name);
    labels
}

async fn hand_over(shared: &Shared, batch: MetricBatch, url: &str) {
    if batch.series.is_empty() {
        return;
    }
    if let Err(refusal) = shared.ingest.metrics(&shared.tenant, batch).await {
        shared.refused.inc();
        tracing::warn!(url, %refusal, "a scrape's samples were not taken");
    }
}

async fn fetch(fetcher: &mut Fetcher, plan: &Plan) -> Result<Fetched, FetchError> {
    let timeout = Duration::from_millis(plan.spec.timeout.ms);
    let ask = Ask {
        url: &plan.spec.url,
        accept: &plan.job.accept,
        compressed: plan.job.config.enable_compression,
        timeout_s: timeout.as_secs_f64(),
        bytes_max: plan.job.limits.body_bytes,
    };
    let late =
        || FetchError::Connect { url: plan.spec.url.clone(), message: "context deadline exceeded".into() };
    tokio::time::timeout(timeout, fetcher.get(&plan.job.client, &ask)).await.unwrap_or_else(|_| Err(late()))
}

/// An empty body is an answer without samples, whatever its type.
fn parse(job: &Job, answer: &Fetched, ts_ms: i64) -> Result<Exposition, String> {
    if answer.body.is_empty() {
        return Ok(Exposition::default());
    }
    let options = ExpositionOptions {
        default_ts_ms: ts_ms,
        honor_timestamps: job.config.honor_timestamps,
        native_histograms: job.native_histograms,
        classic_histograms: job.classic_histograms,
    };
    let media = answer.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let parser = match (media.as_str(), job.config.fallback_scrape_protocol) {
        ("application/vnd.google.protobuf", _) => protobuf::parse,
        ("application/openmetrics-text", _) => openmetrics::parse,
        ("text/plain", _) => text::parse,
        (_, Some(protocol)) => match protocol {
            ScrapeProtocol::PrometheusProto => protobuf::parse,
            ScrapeProtocol::OpenMetrics001 | ScrapeProtocol::OpenMetrics100 => openmetrics::parse,
            ScrapeProtocol::Text004 | ScrapeProtocol::Text100 => text::parse,
        },
        ("", None) => {
            return Err(
                "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol \
                 specified for target"
                    .into(),
            );
        }
        (_, None) => {
            return Err(format!(
                "received unsupported Content-Type {:?} and no fallback_scrape_protocol specified for target",
                answer.content_type
            ));
        }
    };
    parser(&answer.body, &options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::units::PromDuration;
    use model::Labels;
    use std::collections::BTreeMap;

    #[test]
    fn moments_are_regular_and_survive_a_clock_that_jumps() {
        let (interval, timeout) = (PromDuration { ms: 1000 }, PromDuration { ms: 500 });
        let labels = Labels::from_pairs([("a", "b")]);
        let spec =
            TargetSpec { discovered: BTreeMap::default(), labels, url: String::new(), interval, timeout };
        let first = next_tick(&spec, 7, 10_000, i64::MIN);
        assert!(first > 10_000 && first <= 11_000);
        assert_eq!(next_tick(&spec, 7, first, first), first + 1000, "on time");
        assert_eq!(next_tick(&spec, 7, first - 1, first), first + 1000, "woken early");
        assert_eq!(next_tick(&spec, 7, first + 2500, first), first + 3000, "missed moments are skipped");
        assert_eq!(next_tick(&spec, 7, first - 10_000, first), first - 9000, "the clock went back");
        assert_ne!(next_tick(&spec, 8, 10_000, i64::MIN), first, "another server, another moment");
    }
}
