//! What the tests of the real binary share: a server process in a directory of its own on free loopback ports, and a
//! client that speaks plain HTTP/1, HTTP/2 and bytes of the test's choosing.
//!
//! A server that is dropped is killed. Nothing here knows a protocol above HTTP.

pub mod client;

use platform::{Disk, RealDisk};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// The program under test.
pub const BINNACLE: &str = env!("CARGO_BIN_EXE_binnacle");
/// Longest wait for a server to be ready, or to end.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How many doors there are.
const DOORS: usize = 12;
/// Every door, each on a port that the system picks.
pub const ANY_PORTS: &str = "doors: {ui: 0, otlp-grpc: 0, otlp-http: 0, prometheus: 0, loki: 0, tempo: 0, \
    jaeger-query: 0, jaeger-grpc: 0, jaeger-thrift: 0, jaeger-collector: 0, jaeger-sampling: 0, zipkin: 0}\n";

/// How a server shall be started; the default is every door on a free port with nothing else said.
#[derive(Default)]
pub struct Setup<'a> {
    /// Its YAML file's `doors`, instead of [`ANY_PORTS`].
    pub doors: Option<&'a str>,
    /// Further lines of its YAML file.
    pub config: &'a str,
    /// Flags after `up --config FILE --data DIR`.
    pub flags: &'a [&'a str],
    /// Environment.
    pub env: &'a [(&'a str, &'a str)],
    /// Words before the program, such as `prlimit --nofile=64`.
    pub wrapper: &'a [&'a str],
    /// A data directory that outlives the server, instead of one of its own.
    pub data: Option<&'a Path>,
}

/// A running server.
pub struct Server {
    child: Child,
    pid: u32,
    doors: BTreeMap<String, SocketAddr>,
    stderr: Arc<Mutex<String>>,
    /// Where its files are.
    pub dir: PathBuf,
    _own: TempDir,
}

impl Server {
    /// Starts one with every default.
    pub async fn start() -> Self {
        Self::start_with(&Setup::default()).await
    }

    /// Starts one and waits until it is ready; panics with its standard error when it ends before.
    pub async fn start_with(setup: &Setup<'_>) -> Self {
        match Self::try_start(setup).await {
            Ok(server) => server,
            Err((status, stderr)) => panic!("the server ended with {status}: {stderr}"),
        }
    }

    /// Starts one whose doors ask for credentials, and waits until all of them listen.
    pub async fn start_locked(setup: &Setup<'_>) -> Self {
        let mut server = Self::spawn(setup);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while server.doors.len() < DOORS {
            assert!(tokio::time::Instant::now() < deadline, "not ready in time: {}", server.stderr());
            tokio::time::sleep(Duration::from_millis(20)).await;
            server.doors = listening(&server.stderr());
        }
        server
    }

    /// Starts one and waits until it is ready, or has ended with a status and words.
    pub async fn try_start(setup: &Setup<'_>) -> Result<Self, (ExitStatus, String)> {
        let mut server = Self::spawn(setup);
        server.until_ready().await.map(|()| server)
    }

    fn spawn(setup: &Setup<'_>) -> Self {
        let own = tempfile::tempdir().expect("a directory");
        let text = format!("{}{}", setup.doors.unwrap_or(ANY_PORTS), setup.config);
        let config = write(own.path(), "binnacle.yml", &text);
        let data = setup.data.map_or_else(|| own.path().join("data"), Path::to_owned);
        let mut command = command(setup.wrapper);
        command.args(["up", "--config"]).arg(config).arg("--data").arg(&data).args(setup.flags);
        command.envs(setup.env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program");
        let stderr = gather(child.stderr.take().expect("a pipe"));
        let pid = child.id().expect("a process");
        let dir = own.path().to_owned();
        Self { child, pid, doors: BTreeMap::new(), stderr, dir, _own: own }
    }

    /// Ready is a healthy answer of the last door, whose line stands before the first request can be answered.
    async fn until_ready(&mut self) -> Result<(), (ExitStatus, String)> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err((status, self.stderr()));
            }
            self.doors = listening(&self.stderr());
            if let Some(ui) = self.doors.get("ui").copied()
                && client::get(ui, "/-/ready").await.is_some_and(|answer| answer.status == 200)
            {
                self.doors = listening(&self.stderr());
                return Ok(());
            }
            assert!(tokio::time::Instant::now() < deadline, "not ready in time: {}", self.stderr());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where a door listens.
    pub fn door(&self, name: &str) -> SocketAddr {
        *self.doors.get(name).unwrap_or_else(|| panic!("door {name} does not listen: {:?}", self.doors))
    }

    /// Every door by name.
    pub fn doors(&self) -> &BTreeMap<String, SocketAddr> {
        &self.doors
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("a lock").clone()
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.status_field("VmRSS:")
    }

    /// Highest resident memory so far in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        self.status_field("VmHWM:")
    }

    fn status_field(&self, name: &str) -> u64 {
        let path = PathBuf::from(format!("/proc/{}/status", self.pid));
        let text = platform::files::read_text(&path).expect("the process' status");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the field");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// The sum of its own metrics whose lines begin so.
    pub async fn metric(&self, begin: &str) -> f64 {
        let text = client::get(self.door("ui"), "/metrics").await.expect("an answer").text();
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Sends a signal by its short name: `TERM`, `HUP`.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status().await;
        assert!(sent.expect("kill").success(), "{name} was not sent");
    }

    /// Ends it by SIGTERM; its status and everything it wrote to standard error.
    pub async fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status =
            ended.unwrap_or_else(|_| panic!("it does not end: {}", self.stderr())).expect("a status");
        tokio::time::sleep(Duration::from_millis(50)).await;
        (status, self.stderr())
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Waits until standard error holds `part`.
    pub async fn until_said(&self, part: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.stderr().contains(part) {
            assert!(tokio::time::Instant::now() < deadline, "it never said {part:?}: {}", self.stderr());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The program behind `wrapper`, without our own environment's settings.
fn command(wrapper: &[&str]) -> Command {
    let mut words = wrapper.iter().copied().chain([BINNACLE]);
    let mut command = Command::new(words.next().expect("the program"));
    command.args(words).env_remove("BINNACLE_LOG").env("NO_COLOR", "1");
    command
}

/// Runs the program to its end: exit code, standard output, standard error.
pub async fn run(args: &[&str]) -> (i32, String, String) {
    run_behind(&[], args).await
}

/// As [`run`], behind a wrapper.
pub async fn run_behind(wrapper: &[&str], args: &[&str]) -> (i32, String, String) {
    let output = command(wrapper).args(args).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Collects lines in the background.
fn gather(pipe: impl AsyncRead + Unpin + Send + 'static) -> Arc<Mutex<String>> {
    let all = Arc::new(Mutex::new(String::new()));
    let to = all.clone();
    drop(platform::task::spawn("standard error", async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut text = to.lock().expect("a lock");
            text.push_str(&line);
            text.push('\n');
        }
    }));
    all
}

/// Doors and addresses from the log's `listening` lines.
fn listening(stderr: &str) -> BTreeMap<String, SocketAddr> {
    let field = |line: &str, name: &str| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim_matches('"').to_owned())
    };
    let lines = stderr.lines().filter(|line| line.contains(" listening "));
    lines.filter_map(|line| Some((field(line, "door")?, field(line, "addr")?.parse().ok()?))).collect()
}

/// Writes a file into `dir`; its path.
pub fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let disk = RealDisk::open(dir).expect("the directory");
    disk.write_atomic(name, text.as_bytes()).expect("written");
    dir.join(name)
}
