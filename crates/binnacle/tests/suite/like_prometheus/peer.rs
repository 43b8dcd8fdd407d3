//! A Prometheus on a free loopback port, in a directory of its own, killed when dropped.

use crate::common::client;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How often and how long to wait for it to become ready.
const READY_TRIES: u32 = 300;
const READY_WAIT: Duration = Duration::from_millis(100);

pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    child: Child,
    dir: tempfile::TempDir,
}

/// The program, if it is there.
fn program() -> Option<PathBuf> {
    let dir = match std::env::var_os("PEERS_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache/peers"),
    };
    Some(dir.join("bin/prometheus")).filter(|path| path.is_file())
}

impl Peer {
    /// Nothing, and a word about it, where the program is absent.
    pub(crate) async fn start(config: &str) -> Option<Self> {
        let Some(program) = program() else {
            println!("skipped: prometheus");
            return None;
        };
        let dir = tempfile::tempdir().expect("a directory");
        let file = crate::common::write(dir.path(), "prometheus.yml", config);
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .args(["--web.enable-otlp-receiver", "--enable-feature=exemplar-storage,otlp-deltatocumulative"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus starts");
        for _ in 0..READY_TRIES {
            if client::get(addr, "/-/ready").await.is_some_and(|answer| answer.status == 200) {
                return Some(Self { addr, child, dir });
            }
            tokio::time::sleep(READY_WAIT).await;
        }
        panic!("prometheus did not become ready");
    }

    /// Has it read another configuration.
    pub(crate) async fn reload(&self, config: &str) {
        crate::common::write(self.dir.path(), "prometheus.yml", config);
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().await.expect("kill runs");
        assert!(sent.success());
    }
}
