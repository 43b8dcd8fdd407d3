//! `kill -9` in mid-load, fifty times in a row on one data directory: samples, spans and log lines go on being sent, what
//! got no answer is sent again unchanged, and in the end the query APIs show each record that was acknowledged, once.
//!
//! The server flushes after every few requests, so that kills land in flushes and merges, too. `SEED` repeats a run.

mod count;
mod load;

use self::load::{FEEDS, Feed, Progress};
use crate::common::{Server, Setup};
use platform::{Clock, Random, RealClock, RealRandom, SeededRandom};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const KILLS: u64 = 50;
/// Every so many kills the server lives long enough for a merge, and answers are counted while load goes on.
const CHECK_EVERY_KILLS: u64 = 10;
/// Shortest life, and how much longer a life may be, in milliseconds.
const LIFE_MS: (u64, u64) = (30, 400);
/// Background merges are looked for two seconds after the start; a kill lands in the time after.
const LONG_LIFE_MS: (u64, u64) = (2_000, 300);
const CONFIG: &str = "wal: {flush_bytes: 4KiB}\nlimits: {memory_bytes: 4MiB}\n";

/// What the whole run saw, for the line that is printed and the proof that the kills were worth it.
#[derive(Default)]
struct Seen {
    unfinished_parts: u64,
    torn_tails: u64,
    merges: u64,
    flushes: u64,
}

impl Seen {
    /// Reads a life's standard error: what its start found, and that nothing went wrong.
    fn read(&mut self, stderr: &str) {
        for bad in ["panicked", "ERROR", "quarantine"] {
            assert!(!stderr.contains(bad), "{stderr}");
        }
        self.unfinished_parts += u64::from(stderr.contains("left unnamed"));
        self.torn_tails += u64::from(stderr.contains("torn tail"));
    }
}

async fn start(data: &Path) -> Server {
    Server::start_with(&Setup { config: CONFIG, data: Some(data), ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_fifty_kills() {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RealRandom::default().next_u64() % 1_000_000);
    println!("seed {seed}");
    let random = SeededRandom::new(seed);
    let data = tempfile::tempdir().expect("a directory");
    let base_ns = RealClock::default().now_ns();
    let (doors, watched) = watch::channel(None);
    let clients: Vec<_> = FEEDS.iter().map(|feed| begin(feed, base_ns, &watched)).collect();
    let mut landed = Seen::default();
    for kill in 1..=KILLS {
        let server = start(data.path()).await;
        let _ = doors.send(Some(server.doors().clone()));
        let long = kill % CHECK_EVERY_KILLS == 0;
        let (least, more) = if long { LONG_LIFE_MS } else { LIFE_MS };
        tokio::time::sleep(Duration::from_millis(least + random.below(more))).await;
        if long {
            check(&server, &clients, base_ns, false).await;
            landed.merges += count::own(&server, "binnacle_store_merges_total").await;
            landed.flushes += count::own(&server, "binnacle_store_flushes_total").await;
        }
        landed.read(&server.stderr());
        server.kill().await;
        let _ = doors.send(None);
    }
    let server = start(data.path()).await;
    let _ = doors.send(Some(server.doors().clone()));
    for (_, progress, _) in &clients {
        progress.stop();
    }
    let mut sent = Vec::new();
    for (feed, progress, task) in clients {
        task.await.expect("joined").expect("the client ends");
        sent.push((feed, progress));
    }
    finish(&server, &sent, base_ns, landed).await;
}

type Running = (&'static Feed, Arc<Progress>, tokio::task::JoinHandle<Option<()>>);

fn begin(feed: &'static Feed, base_ns: i64, doors: &watch::Receiver<load::Doors>) -> Running {
    let progress = Arc::new(Progress::default());
    let client = load::client(feed, base_ns, doors.clone(), progress.clone());
    (feed, progress, platform::task::spawn("client", client))
}

/// In mid-load: everything acknowledged before the question is there, nothing is there twice.
async fn check(server: &Server, feeds: &[Running], base_ns: i64, quiet: bool) {
    for (feed, progress, _) in feeds {
        check_one(server, feed, progress, base_ns, quiet).await;
    }
}

async fn check_one(server: &Server, feed: &Feed, progress: &Progress, base_ns: i64, quiet: bool) {
    let before = progress.acknowledged();
    let found = count::numbers(feed.name, server, base_ns).await;
    let after = progress.acknowledged() + load::RECORDS;
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{}: something is there twice", feed.name);
    let acknowledged = found.iter().take_while(|number| **number < before).count() as u64;
    assert_eq!(acknowledged, before, "{}: acknowledged {before}, found {acknowledged}", feed.name);
    assert!(found.last().is_none_or(|last| *last < after), "{}: what was never sent is there", feed.name);
    if quiet {
        assert_eq!(found.len() as u64, before, "{}", feed.name);
        assert_eq!(count::total(feed.name, server, base_ns).await, before, "{}: aggregated", feed.name);
    }
}

/// After the load: exactly what was sent; and the run was one that proves something.
async fn finish(server: &Server, sent: &[(&Feed, Arc<Progress>)], base_ns: i64, seen: Seen) {
    let mut seen = seen;
    for (feed, progress) in sent {
        check_one(server, feed, progress, base_ns, true).await;
        assert!(progress.acknowledged() > KILLS * load::RECORDS, "{}: hardly any load", feed.name);
        println!("{}", progress.line(feed.name));
    }
    count::traces_by_id(server, sent[1].1.acknowledged()).await;
    seen.read(&server.stderr());
    let Seen { unfinished_parts, torn_tails, merges, flushes } = seen;
    println!(
        "{KILLS} kills: {unfinished_parts} in a flush or merge, {torn_tails} torn tails; \
         {flushes} flushes and {merges} merges in the lives that were asked"
    );
    assert!(unfinished_parts > 0 && merges > 0 && flushes > 0, "no kill landed in background work");
    let resent: u64 = sent.iter().map(|(_, progress)| progress.resent()).sum();
    assert!(resent > 0, "no request was sent again");
}
