//! A program under test as a child process: its processor time from start to end, its peak and present memory.
#![expect(
    clippy::disallowed_methods,
    reason = "the kernel's accounts of a child process are read, and it is waited for"
)]

use super::Result;
use super::http::Client;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// `USER_HZ` of every Linux that programs run on.
const TICKS_PER_S: f64 = 100.0;
/// Memory is looked at this often, milliseconds. The kernel keeps the peak, so only what grows at the very end is missed.
const WATCH_MS: u64 = 50;
/// How long a program may take to be ready, in tries of [`READY_WAIT_MS`].
const READY_TRIES: u64 = 24_000;
const READY_WAIT_MS: u64 = 5;

/// A running program.
pub(super) struct Server {
    child: Child,
    name: &'static str,
    peak_bytes: Arc<AtomicU64>,
    watcher: Option<JoinHandle<()>>,
}

/// What a program's whole life cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// User and system time, seconds.
    pub(super) cpu_s: f64,
    pub(super) peak_bytes: u64,
}

impl Server {
    /// Starts it; what it writes goes to `log`.
    pub(super) fn start(name: &'static str, mut command: Command, log: &std::path::Path) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let (pid, peak) = (child.id(), peak_bytes.clone());
        let watch = move || {
            while let Some(bytes) = memory(pid, "VmHWM:") {
                peak.fetch_max(bytes, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(WATCH_MS));
            }
        };
        let watcher = platform::task::thread("watch", watch)?;
        Ok(Self { child, name, peak_bytes, watcher: Some(watcher) })
    }

    /// Waits until `path` on `port` answers 200.
    pub(super) fn wait_ready(&mut self, port: u16, path: &str) -> Result<()> {
        let mut client = Client::new(port);
        for _ in 0..READY_TRIES {
            if client.get(path).is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended before it was ready: {status}", self.name).into());
            }
            std::thread::sleep(Duration::from_millis(READY_WAIT_MS));
        }
        Err(format!("{} was not ready in time", self.name).into())
    }

    /// Resident bytes now.
    pub(super) fn resident_bytes(&self) -> u64 {
        memory(self.child.id(), "VmRSS:").unwrap_or(0)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).ok_or("a process without an id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it with SIGKILL, at once.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end with SIGTERM and waits.
    pub(super) fn stop(mut self) -> Result<Usage> {
        self.signal(Signal::TERM)?;
        let before_s = waited_cpu_s()?;
        let status = self.child.wait()?;
        let cpu_s = waited_cpu_s()? - before_s;
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        // Some end by the signal itself.
        if !status.success() && status.code().is_some() {
            return Err(format!("{} ended with {status}", self.name).into());
        }
        Ok(Usage { cpu_s, peak_bytes: self.peak_bytes.load(Ordering::Relaxed) })
    }
}

impl Drop for Server {
    /// SIGKILL, unless it has ended.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

/// A line of `/proc/PID/status` in bytes; `None` once the process has ended.
fn memory(pid: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rest = status.lines().find_map(|text| text.strip_prefix(line))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Seconds of processor time of all children waited for so far.
fn waited_cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    // Counted from the state, which follows the name: cutime and cstime.
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<std::result::Result<f64, _>>()? / TICKS_PER_S)
}
