//! How soon a start answers with 10 GB of parts on disk and 64 MB of log that no part holds yet.
//!
//! The data directory is filled through the door once, ended by SIGKILL, and kept beside the build; each start gets a
//! copy, in which immutable parts are hard links.
#![expect(
    clippy::disallowed_methods,
    reason = "the bench keeps and copies data directories, and reads the clock"
)]

use super::bodies::folder_bytes;
use super::http::{Client, encode};
use super::programs::{Program, binnacle};
use super::random::Rng;
use super::report::{self, Bar, median};
use super::server::Server;
use super::{LANES, Plan, Result, Signal, cache, sender};
use platform::{Clock, RealClock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wire::proto::{Value, put_field};

/// Bytes of parts at scale 1.
const PART_BYTES: f64 = 10e9;
/// Bytes of log at the kill.
const WAL_BYTES: u64 = 64 << 20;
/// How long the log may take to grow to that, seconds.
const WAL_WAIT_S: u64 = 120;
/// How often the parts and the log are looked at, milliseconds.
const FILL_LOOK_MS: u64 = 500;
const WAL_LOOK_MS: u64 = 5;
/// Starts that are measured.
const STARTS: usize = 5;
/// Pause between questions to a server that does not answer yet, milliseconds.
const ASK_EVERY_MS: u64 = 2;
/// When a start counts as failed, seconds.
const ANSWER_S_MAX: u64 = 60;
/// Lines of a request, and bytes of each.
const LINES: usize = 1_000;
const LINE_BYTES: usize = 1_000;

/// Fills, starts, asks; returns how many bars are missed.
pub(super) fn run(plan: &Plan) -> Result<usize> {
    let kept = cache()?.join(format!("start-{}-{}", plan.seed, plan.scale));
    if !kept.join("at").is_file() {
        prepare(plan, &kept)?;
    }
    let at_ns: i64 = std::fs::read_to_string(kept.join("at"))?.trim().parse()?;
    let (parts, wal) = (folder_bytes(&kept.join("data/parts"))?, folder_bytes(&kept.join("data/wal"))?);
    println!("start: {} MB of parts, {} MB of unflushed log", parts / 1_000_000, wal / 1_000_000);
    let mut seconds = Vec::new();
    for start in 1..=STARTS {
        let copy = kept.join("copy");
        let _ = std::fs::remove_dir_all(&copy);
        copy_data(&kept.join("data"), &copy, false)?;
        let took = first_answer(&copy, &kept.join("log"), at_ns)?;
        println!("  start {start}: first answer after {took:.3} s");
        seconds.push(took);
        std::fs::remove_dir_all(&copy)?;
    }
    report::head(STARTS);
    Ok(usize::from(!report::line("start: to first answer", median(seconds), None, "s", Bar::Below(1.0))))
}

/// Endless lines of random text, which no compression makes much smaller.
struct Noise {
    rng: Rng,
    lane: u64,
    stop: Arc<AtomicBool>,
}

impl Iterator for Noise {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.stop.load(Ordering::Relaxed)).then(|| self.body())
    }
}

impl Noise {
    fn body(&self) -> Result<Vec<u8>> {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut message = Vec::new();
        put_field(
            &mut message,
            1,
            Value::Bytes(format!(r#"{{job="noise", lane="{}"}}"#, self.lane).as_bytes()),
        );
        let now_ns = RealClock::default().now_ns();
        for number in 0..LINES {
            let (mut time, mut record, mut line) = (Vec::new(), Vec::new(), Vec::with_capacity(LINE_BYTES));
            let ts_ns = now_ns + i64::try_from(number)?;
            put_field(&mut time, 1, Value::Varint(u64::try_from(ts_ns / 1_000_000_000)?));
            put_field(&mut time, 2, Value::Varint(u64::try_from(ts_ns % 1_000_000_000)?));
            while line.len() < LINE_BYTES {
                let bits = self.rng.next_u64();
                line.extend(
                    (0..10).map(|digit| DIGITS[usize::try_from(bits >> (6 * digit) & 63).unwrap_or(0)]),
                );
            }
            put_field(&mut record, 1, Value::Bytes(&time));
            put_field(&mut record, 2, Value::Bytes(&line));
            put_field(&mut message, 2, Value::Bytes(&record));
        }
        let mut body = Vec::new();
        put_field(&mut body, 1, Value::Bytes(&message));
        Ok(snap::raw::Encoder::new().compress_vec(&body)?)
    }
}

/// Makes the data directory that starts are measured on.
fn prepare(plan: &Plan, kept: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(kept);
    let data = kept.join("data");
    std::fs::create_dir_all(&data)?;
    let program = binnacle(Signal::Logs);
    let bytes = plan.scaled(PART_BYTES);
    println!("start: filling {} MB through the door, once", bytes / 1_000_000);
    let mut server = Server::start(program.name, (program.command)(&data)?, &kept.join("log"))?;
    server.wait_ready(program.ready.0, program.ready.1)?;
    pour(&program, plan.seed, FILL_LOOK_MS, || Ok(folder_bytes(&data.join("parts")).unwrap_or(0) >= bytes))?;
    server.stop()?;
    let mut server = Server::start(program.name, (program.command)(&data)?, &kept.join("log"))?;
    server.wait_ready(program.ready.0, program.ready.1)?;
    let started = Instant::now();
    let mut most = 0;
    pour(&program, plan.seed + 1, WAL_LOOK_MS, || {
        let wal = folder_bytes(&data.join("wal")).unwrap_or(0);
        most = most.max(wal);
        if started.elapsed() > Duration::from_secs(WAL_WAIT_S) {
            return Err(format!("the log never had {WAL_BYTES} bytes, {most} at most").into());
        }
        if wal >= WAL_BYTES {
            server.kill()?;
        }
        Ok(wal >= WAL_BYTES)
    })?;
    let at_ns = RealClock::default().now_ns();
    Ok(std::fs::write(kept.join("at"), at_ns.to_string())?)
}

/// Sends noise until `enough`; senders that fail after that are forgiven, as their server may be gone.
fn pour(program: &Program, seed: u64, wait_ms: u64, mut enough: impl FnMut() -> Result<bool>) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let lanes =
        (0..LANES).map(|lane| Noise { rng: Rng::new(seed, lane), lane, stop: stop.clone() }).collect();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| sender::send_lanes::<Noise>(&program.door, lanes));
        let result = loop {
            match enough() {
                Ok(false) if sender.is_finished() => break Err("senders ended early".into()),
                Ok(false) => std::thread::sleep(Duration::from_millis(wait_ms)),
                done => break done.map(drop),
            }
        };
        stop.store(true, Ordering::Relaxed);
        let _ = sender.join();
        result
    })
}

/// Seconds from the start of the process to the first query that finds the last lines, those that only the log has: a
/// second of them, as how many seconds the log holds depends on how fast the machine filled it.
fn first_answer(data: &Path, log: &Path, at_ns: i64) -> Result<f64> {
    let program = binnacle(Signal::Logs);
    let query = encode(r#"sum(count_over_time({job="noise"}[1s]))"#);
    let path = format!("/loki/api/v1/query?query={query}&time={at_ns}");
    let command = (program.command)(data)?;
    let begun = Instant::now();
    let server = Server::start(program.name, command, log)?;
    let mut client = Client::new(program.door.port);
    while begun.elapsed() < Duration::from_secs(ANSWER_S_MAX) {
        if let Ok(answer) = client.get(&path)
            && answer.status == 200
        {
            let took = begun.elapsed().as_secs_f64();
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            if !text.contains("\"value\"") {
                return Err(format!("the first answer misses the unflushed lines: {text}").into());
            }
            server.stop()?;
            return Ok(took);
        }
        std::thread::sleep(Duration::from_millis(ASK_EVERY_MS));
    }
    Err(format!("no answer within {ANSWER_S_MAX} s").into())
}

/// Copies a data directory; files below `parts` are never written to again, so they are linked.
fn copy_data(from: &Path, to: &PathBuf, link: bool) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.metadata()?.is_dir() {
            copy_data(&entry.path(), &target, link || entry.file_name() == "parts")?;
        } else if link {
            std::fs::hard_link(entry.path(), target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
