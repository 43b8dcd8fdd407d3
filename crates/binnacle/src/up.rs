//! `binnacle up`: open the store, open the doors, run until told to stop, then drain and flush.

use crate::config::units::{Bytes, Millis};
use crate::config::{Config, Flags};
use crate::doors;
use crate::pipeline::Pipeline;
use crate::ports::{Changes, Facts};
use crate::reload::{RELOADS_MAX, Reload};
use crate::routes::{Outside, Parts, router};
use crate::web::{Guard, text_of};
use model::Tenant;
use platform::metrics::{Gauge, Registry};
use platform::{RealClock, RealDisk, SharedClock};
use receive::listen::{ListenLimits, Room, serve_listener};
use receive::scrape::units::PromDuration;
use receive::{Receiver, ReceiverOptions};
use serve::{Gate, GateLimits, LiveLogs, State};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{Store, StoreOptions, SyncMode};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use topology::{COLLECT_INTERVAL_MS, Topology};

/// How far back change records tell a fresh process which versions ran.
const RESTORE_CHANGES_NS: i64 = 30 * 86_400 * 1_000_000_000;

/// Open files that connections leave to the store.
const FILES_RESERVED: u64 = 1_024;

/// Why the server did not start: one plain sentence.
#[derive(Debug)]
pub struct StartError(pub String);

/// Exit code of a check that found problems; 1 says that nothing could be checked, 2 is the command line's.
const PROBLEMS: u8 = 3;

/// Checks a configuration file and the files it names, and says what is wrong with them.
#[must_use]
pub fn check_config(file: &Path, prometheus: bool) -> ExitCode {
    if let Err(error) = text_of(file) {
        complain(&error);
        return ExitCode::FAILURE;
    }
    let flags = if prometheus {
        Flags { prometheus_config: Some(file.to_owned()), ..Flags::default() }
    } else {
        Flags { config: Some(file.to_owned()), ..Flags::default() }
    };
    match check(&flags) {
        Ok(notes) => {
            for note in notes {
                eprintln!("note: {note}");
            }
            println!("{}: good", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(PROBLEMS)
        }
    }
}

/// What is worth a word about a configuration that would start.
fn check(flags: &Flags) -> Result<Vec<String>, String> {
    let mut config = load(flags, &None)?;
    crate::scrape::check(&config)?;
    let guard = Guard::load(&config)?;
    let missing = crate::scrape::unreadable_files(&mut config);
    if !missing.is_empty() {
        return Err(missing.join("\n"));
    }
    let mut notes = crate::scrape::notes(&config);
    notes.extend(guard.notes);
    Ok(notes)
}

/// One line for each line of `error`.
fn complain(error: &str) {
    for line in error.lines() {
        eprintln!("error: {line}");
    }
}

/// A file that is not on the disk: its name in messages, and its text.
pub(crate) type Inline = Option<(PathBuf, String)>;

fn load(flags: &Flags, inline: &Inline) -> Result<Config, String> {
    Config::load(flags, |path| match inline {
        Some((name, text)) if name == path => Ok(text.clone()),
        _ => text_of(path),
    })
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(flags: &Flags) -> ExitCode {
    run_with(flags, None, None).await
}

/// Runs until SIGTERM, SIGINT or `stop`, with one file that need not be on the disk.
pub(crate) async fn run_with(flags: &Flags, inline: Inline, stop: Option<CancellationToken>) -> ExitCode {
    match start(flags, inline).await {
        Ok(running) => {
            running.until_told(stop.unwrap_or_default()).await;
            ExitCode::SUCCESS
        }
        Err(StartError(error)) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

struct Running {
    flags: Flags,
    inline: Inline,
    pipeline: Pipeline,
    facts: Arc<Facts>,
    guard: Guard,
    scrape: crate::scrape::Scrape,
    stop: CancellationToken,
    servers: Vec<tokio::task::JoinHandle<Option<()>>>,
    reloads: mpsc::Receiver<Reload>,
    reloaded: Reloaded,
}

/// Our own metrics of reloading.
struct Reloaded {
    good: Gauge,
    at_s: Gauge,
}

impl Reloaded {
    fn new(registry: &Registry, clock: &SharedClock) -> Self {
        let good = "binnacle_config_last_reload_successful";
        let at = "binnacle_config_last_reload_success_timestamp_seconds";
        let reloaded = Self {
            good: registry.gauge(good, "", "Whether the last reading of the configuration worked."),
            at_s: registry.gauge(at, "", "When the configuration was last read without a mistake."),
        };
        reloaded.note(true, clock.now_ns());
        reloaded
    }

    fn note(&self, good: bool, now_ns: i64) {
        self.good.set(good.into());
        if good {
            self.at_s.set(now_ns / 1_000_000_000);
        }
    }
}

async fn start(flags: &Flags, inline: Inline) -> Result<Running, StartError> {
    let config = load(flags, &inline).map_err(StartError)?;
    crate::scrape::check(&config).map_err(StartError)?;
    let guard = Guard::load(&config).map_err(StartError)?;
    for note in &guard.notes {
        tracing::warn!("{note}");
    }
    let clock: SharedClock = Arc::new(RealClock::default());
    let registry = Registry::default();
    let store = open_store(&config, clock.clone(), &registry).await.map_err(StartError)?;
    let opened = doors::open(&config.doors, guard.protects(), config.insecure).await.map_err(StartError)?;
    let topology = Topology::new(&registry);
    let pipeline = Pipeline { store, topology, live: LiveLogs::default(), clock: clock.clone() };
    pipeline.restore();
    let facts = Arc::new(facts(&config, clock.now_ns()));
    let ingest = Arc::new(pipeline.clone());
    let scrape = crate::scrape::start(&config, ingest, clock.clone(), &registry).map_err(StartError)?;
    let (reload, reloads) = mpsc::channel(RELOADS_MAX);
    let outside = Outside { skipped: opened.skipped.into(), reload };
    let parts = parts(&config, &pipeline, &facts, &scrape, &registry, outside);
    let limits = ListenLimits {
        room: room(config.connections_max),
        header_read_seconds_max: config.header_timeout.0.div_ceil(1_000),
        ..ListenLimits::default()
    };
    let stop = CancellationToken::new();
    let mut servers = Vec::new();
    for (door, socket) in opened.sockets {
        if let Ok(addr) = socket.local_addr() {
            tracing::info!(door = door.name(), %addr, "listening");
        }
        let router = guard.protect(router(door, &parts));
        let (tls, registry, stop, limits) =
            (guard.tls.clone(), registry.clone(), stop.clone(), limits.clone());
        servers.push(platform::task::spawn("door", async move {
            serve_listener(door.name(), socket, router, tls, limits, &registry, stop).await;
        }));
    }
    facts.ready.store(true, Ordering::Release);
    background(&pipeline, &registry, &stop);
    let reloaded = Reloaded::new(&registry, &pipeline.clock);
    let flags = flags.clone();
    Ok(Running { flags, inline, pipeline, facts, guard, scrape, stop, servers, reloads, reloaded })
}

/// Room for connections: what is configured, or what the system's limit of open files leaves.
fn room(connections_max: usize) -> Room {
    let files = platform::proc::raise_open_files();
    let most = files.saturating_sub(FILES_RESERVED).max(files / 2);
    let most = connections_max.min(usize::try_from(most).unwrap_or(usize::MAX));
    if most < connections_max {
        tracing::info!(most, files, "the limit of open files allows fewer connections than configured");
    }
    Room::new(most)
}

async fn open_store(config: &Config, clock: SharedClock, registry: &Registry) -> Result<Store, String> {
    let data = config.data.clone();
    let defaults = StoreOptions::default();
    let memory = |bytes: Bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX);
    let options = StoreOptions {
        sync: config.wal_interval.map_or(SyncMode::Group, |interval| SyncMode::Interval { ms: interval.0 }),
        retention_s: config.retention_time.map(|time| time.0.div_ceil(1_000)),
        retention_bytes: config.retention_bytes.map(|bytes| bytes.0),
        flush_wal_bytes: config.wal_flush_bytes.map_or(defaults.flush_wal_bytes, |bytes| bytes.0),
        memory_bytes_max: config.memory_bytes.map_or(defaults.memory_bytes_max, memory),
        ..defaults
    };
    let registry = registry.clone();
    let opened = platform::task::blocking("open store", move || {
        let disk = RealDisk::open(&data).map_err(|error| {
            let place = data.display();
            if error.source.kind() == std::io::ErrorKind::WouldBlock {
                return format!("data directory {place} is in use by another process: stop it or choose another with --data");
            }
            let cause = receive::scrape::cause(&error.source);
            format!("data directory {place} cannot be used ({cause}): choose another with --data")
        })?;
        Store::open(Arc::new(disk), clock, &registry, options)
            .map_err(|error| format!("data directory {}: {error}", data.display()))
    });
    let store =
        opened.await.unwrap_or_else(|| Err("the store could not be opened: see the log".to_owned()))?;
    let recovery = store.recovery();
    tracing::info!(records = recovery.records, wal_bytes = recovery.wal_bytes, "store opened");
    for missing in store.quarantined() {
        tracing::warn!(?missing, "damaged data is set aside; answers say that they miss it");
    }
    Ok(store)
}

fn parts(
    config: &Config,
    pipeline: &Pipeline,
    facts: &Arc<Facts>,
    scrape: &crate::scrape::Scrape,
    registry: &Registry,
    outside: Outside,
) -> Parts {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let options = ReceiverOptions {
        request_bytes_max: size(config.request_bytes_max),
        in_flight_bytes_max: size(config.in_flight_bytes_max),
        translation: config.translation.clone(),
        ..ReceiverOptions::default()
    };
    let ingest = Arc::new(pipeline.clone());
    let receiver = Receiver::new(ingest, pipeline.clock.clone(), registry.clone(), options);
    let limits = GateLimits {
        query_timeout_ms: config.query_timeout.0,
        query_records_max: config.query_samples_max,
        ..GateLimits::default()
    };
    let state = State {
        metrics: pipeline.store.metrics(),
        logs: pipeline.store.logs(),
        spans: pipeline.store.spans(),
        topology: pipeline.topology.clone(),
        changes: Arc::new(Changes(pipeline.store.clone())),
        targets: scrape.targets(),
        process: facts.clone(),
        live: pipeline.live.clone(),
        gate: Gate::new(limits, registry),
        lookback_ms: i64::try_from(config.lookback.0).unwrap_or(i64::MAX),
        clock: pipeline.clock.clone(),
    };
    Parts { receiver, state, store: pipeline.store.clone(), registry: registry.clone(), outside }
}

fn facts(config: &Config, now_ns: i64) -> Facts {
    let time = config.retention_time.map(printed);
    let bytes = config.retention_bytes.map(|bytes| format!("{}B", bytes.0));
    let retention: Vec<String> = time.into_iter().chain(bytes).collect();
    Facts {
        started_ns: now_ns,
        flags: BTreeMap::from([
            ("data".to_owned(), config.data.display().to_string()),
            ("query.timeout".to_owned(), printed(config.query_timeout)),
            ("query.max-samples".to_owned(), config.query_samples_max.to_string()),
            ("query.lookback-delta".to_owned(), printed(config.lookback)),
        ]),
        retention: retention.join(" or "),
        data_dir: config.data.display().to_string(),
        ready: false.into(),
        reloaded: (true, now_ns).into(),
        config_yaml: crate::scrape::shown(config.scrape.as_ref()).into(),
    }
}

/// As Prometheus prints durations: `2m`, `15d`.
fn printed(Millis(ms): Millis) -> String {
    PromDuration { ms }.to_string()
}

/// Loops that run as long as the process.
fn background(pipeline: &Pipeline, registry: &Registry, stop: &CancellationToken) {
    let (pipeline, stop) = (pipeline.clone(), stop.clone());
    platform::proc::register(registry);
    let started = registry.gauge("process_start_time_seconds", "", "When this process started.");
    started.set(pipeline.clock.now_ns() / 1_000_000_000);
    drop(platform::task::spawn("collect", async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(COLLECT_INTERVAL_MS));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            pipeline.collect().await;
        }
    }));
}

impl Pipeline {
    /// Tells the live graph which versions earlier changes named.
    fn restore(&self) {
        let now = self.clock.now_ns();
        let tenant = Tenant::default();
        match self.store.changes(&tenant, &(now - RESTORE_CHANGES_NS..now)) {
            Ok((changes, _)) => self.topology.restore(&tenant, &changes),
            Err(error) => tracing::warn!(%error, "earlier changes could not be read"),
        }
    }
}

impl Running {
    /// Serves until a signal or `stop`; SIGHUP reloads what can be reloaded.
    async fn until_told(mut self, stop: CancellationToken) {
        let (mut term, mut hup) = match (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            (Ok(term), Ok(hup)) => (term, hup),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "signals cannot be received");
                return self.shut_down().await;
            }
        };
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = tokio::signal::ctrl_c() => break,
                () = stop.cancelled() => break,
                _ = hup.recv() => drop(self.reload()),
                Some(answer) = self.reloads.recv() => drop(answer.send(self.reload())),
            }
        }
        self.shut_down().await;
    }

    /// Reads scrape configuration and certificates again; on error the old ones stay.
    fn reload(&self) -> Result<(), String> {
        let read = load(&self.flags, &self.inline).and_then(|config| {
            crate::scrape::check(&config)?;
            if let Some(tls) = &self.guard.tls {
                tls.reload().map_err(|error| format!("tls_server_config.{error}"))?;
            }
            self.scrape.apply(&config)?;
            Ok(config)
        });
        let now = self.pipeline.clock.now_ns();
        let mut reloaded = self.facts.reloaded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        reloaded.0 = read.is_ok();
        self.reloaded.note(read.is_ok(), now);
        match read {
            Ok(config) => {
                reloaded.1 = now;
                *self.facts.config_yaml.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                    crate::scrape::shown(config.scrape.as_ref());
                tracing::info!("configuration reloaded");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "configuration not reloaded");
                Err(error)
            }
        }
    }

    /// Stops scraping, drains the doors, flushes the store.
    async fn shut_down(self) {
        tracing::info!("stopping: draining doors, then flushing");
        self.facts.ready.store(false, Ordering::Release);
        self.stop.cancel();
        self.scrape.stop().await;
        for server in self.servers {
            let _ = server.await;
        }
        self.pipeline.collect().await;
        let store = self.pipeline.store.clone();
        match platform::task::blocking("close store", move || store.close()).await {
            Some(Ok(())) => tracing::info!("flushed"),
            Some(Err(error)) => {
                tracing::error!(%error, "not flushed; what was acknowledged is in the log on disk");
            }
            None => {}
        }
    }
}
