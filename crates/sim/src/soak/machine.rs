//! A simulated machine with one process on it: the pipeline and doors as `binnacle` wires them, without sockets and
//! without threads. Here a process starts, dies in one of three ways, and takes requests as bytes.

use super::load::{CHANGES, Request};
use super::retention::{Parts, Retention};
use axum::Router;
use axum::body::Body;
use binnacle::Pipeline;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt;
use model::Refusal;
use platform::metrics::Registry;
use platform::{Clock, Disk, Random, SeededRandom, SharedClock, SimClock, SimDisk};
use receive::{Receiver, ReceiverOptions, door};
use serve::LiveLogs;
use std::sync::Arc;
use store::{Store, StoreOptions, Threads};
use topology::Topology;
use tower::ServiceExt;

/// 2026-01-01T12:00:00Z in nanoseconds.
const START_NS: i64 = 1_767_268_800_000_000_000;
/// Bytes that stay free for flushes when the disk fills up.
pub(super) const DISK_RESERVE_BYTES: u64 = 128 << 10;
/// What makes a directory a data directory.
const MANIFEST: &str = "MANIFEST";
/// Largest answer of a door.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The machine; its disk and clock outlive the process.
pub(super) struct Machine {
    pub(super) disk: SimDisk,
    pub(super) clock: Arc<SimClock>,
    pub(super) retention: Retention,
    options: StoreOptions,
}

/// A running process.
pub(super) struct Process {
    pub(super) pipeline: Pipeline,
    router: Router,
    registry: Registry,
    pub(super) started_ns: u64,
}

/// How a door answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: bool,
    pub(super) text: String,
}

impl Machine {
    /// A machine with an empty disk; limits are small, so that flushes, merges and refusals happen within a short run.
    pub(super) fn new(seed: u64, random: &SeededRandom) -> Self {
        let disk = SimDisk::new(seed);
        let options = StoreOptions {
            threads: Threads::None,
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            segment_bytes_max: 2_048 << random.below(4),
            flush_wal_bytes: 8_192 << random.below(4),
            memory_bytes_max: 128 << 10,
            flush_age_s: 60,
            ..StoreOptions::default()
        };
        let retention = Retention::random(random);
        Self { disk, clock: Arc::new(SimClock::at(START_NS)), retention, options }
    }

    /// Another machine, whose data directory is a copy of the snapshot at `root`, at the same time; it keeps
    /// everything. `None` when there is no snapshot.
    ///
    /// # Errors
    /// When a file of the snapshot cannot be read.
    pub(super) fn restore(&self, root: &str) -> Result<Option<Self>, String> {
        let disk = SimDisk::new(0);
        for (path, _) in self.disk.files() {
            let Some(to) = path.strip_prefix(root).and_then(|path| path.strip_prefix('/')) else { continue };
            let copied = self.disk.read(&path).and_then(|bytes| {
                disk.create_dir(to.rsplit_once('/').map_or("", |(dir, _)| dir))?;
                disk.write_atomic(to, &bytes)
            });
            copied.map_err(|error| error.to_string())?;
        }
        if disk.open(MANIFEST).is_err() {
            return Ok(None);
        }
        let (clock, options) = (self.clock.clone(), self.options.clone());
        Ok(Some(Self { disk, clock, retention: Retention::None, options }))
    }

    /// Files of parts and their bytes.
    pub(super) fn parts(&self) -> Parts {
        self.disk.files().into_iter().filter(|(path, _)| path.starts_with("parts/")).collect()
    }

    /// Bytes on the disk.
    pub(super) fn used_bytes(&self) -> u64 {
        self.disk.files().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Starts the process.
    ///
    /// # Errors
    /// What the store says when it cannot open its directory.
    pub(super) fn start(&self) -> Result<Process, String> {
        let registry = Registry::default();
        let clock: SharedClock = self.clock.clone();
        let disk = Arc::new(self.disk.clone());
        let options = self.retention.options(self.options.clone());
        let store = Store::open(disk, clock.clone(), &registry, options);
        let store = store.map_err(|error| error.to_string())?;
        let topology = Topology::new(&registry);
        let pipeline = Pipeline { store, topology, live: LiveLogs::default(), clock: clock.clone() };
        let ingest = Arc::new(pipeline.clone());
        let receiver = Receiver::new(ingest, clock, registry.clone(), ReceiverOptions::default());
        let router = door::prometheus(&receiver)
            .merge(door::otlp(&receiver))
            .merge(door::loki(&receiver))
            .merge(door::zipkin(&receiver));
        Ok(Process { pipeline, router, registry, started_ns: self.clock.monotonic_ns() })
    }
}

impl Process {
    /// The lines of our own metrics that count what the store refused.
    pub(super) fn refusals(&self) -> Vec<String> {
        let text = self.registry.render();
        let lines = text.lines().filter(|line| line.starts_with("binnacle_store_refused_total"));
        lines.map(str::to_owned).collect()
    }

    /// Hands a request to the doors, or a change to the store.
    pub(super) async fn send(&self, request: &Request) -> Reply {
        if request.path == CHANGES {
            return self.append(request).await;
        }
        let mut builder = http::Request::post(request.path).header("content-type", request.media);
        builder = builder.header("x-scope-orgid", request.tenant.as_str());
        let built = match builder.body(Body::from(request.body.clone())) {
            Ok(built) => built,
            Err(error) => return Reply { status: 0, retry_after: false, text: error.to_string() },
        };
        let Ok(response) = self.router.clone().oneshot(built).await;
        let status = response.status().as_u16();
        let retry_after = response.headers().contains_key(RETRY_AFTER);
        let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let text = match body {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(error) => format!("no whole answer: {error}"),
        };
        Reply { status, retry_after, text }
    }
    async fn append(&self, request: &Request) -> Reply {
        let (status, text) = match serde_json::from_slice(&request.body) {
            Err(error) => (400, error.to_string()),
            Ok(change) => match self.pipeline.store.append_change(&request.tenant, change).await {
                Ok(_) => (200, String::new()),
                Err(refusal @ Refusal::Invalid(_)) => (400, refusal.to_string()),
                Err(refusal) => (503, refusal.to_string()),
            },
        };
        Reply { status, retry_after: status == 503, text }
    }
}
