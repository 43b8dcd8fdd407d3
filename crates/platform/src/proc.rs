//! What `/proc` says of this machine's processes: who listens on a port, what we use of the machine. Empty elsewhere.
#![allow(clippy::disallowed_methods, reason = "this is the door to /proc")]

use crate::metrics::{Reading, Registry};
use rustix::process::{Resource, getrlimit};
use std::fs;

/// Listening TCP sockets: port and socket inode.
#[must_use]
pub fn tcp_listeners() -> Vec<(u16, u64)> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let port = fields.get(1).and_then(|local| local.rsplit(':').next());
            let port = port.and_then(|hex| u16::from_str_radix(hex, 16).ok());
            let inode = fields.get(9).and_then(|inode| inode.parse().ok());
            if let (Some(port), Some(inode), Some(&"0A")) = (port, inode, fields.get(3)) {
                found.push((port, inode));
            }
        }
    }
    found
}

/// Sockets of the processes we may look at: process id and socket inode.
#[must_use]
pub fn socket_inodes() -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        for file in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
                found.push((pid, inode));
            }
        }
    }
    found
}

/// The name of process `pid`.
#[must_use]
pub fn command_of(pid: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())
}

/// Registers what every Prometheus client tells of its process, except when it started.
pub fn register(registry: &Registry) {
    let rows: [(&'static str, &'static str, Reading); 7] = [
        ("process_cpu_seconds_total", "Processor time of this process, user and system.", cpu_seconds),
        ("process_open_fds", "Files and sockets that this process has open.", open_files),
        ("process_max_fds", "Most files and sockets that this process may have open.", || {
            Some(limit(Resource::Nofile))
        }),
        ("process_virtual_memory_bytes", "Address space of this process.", || status("VmSize:", KIB)),
        ("process_virtual_memory_max_bytes", "Largest address space of this process.", || {
            Some(limit(Resource::As))
        }),
        ("process_resident_memory_bytes", "Resident memory of this process.", || status("VmRSS:", KIB)),
        ("process_threads", "Threads of this process.", || status("Threads:", 1.0)),
    ];
    for (name, help, read) in rows {
        registry.reading(name, help, read);
    }
}

/// What `/proc` calls a kB, in bytes.
const KIB: f64 = 1024.0;

/// The number of the line of `/proc/self/status` that begins with `name`, times `unit`.
fn status(name: &str, unit: f64) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.split_whitespace().next()?.parse::<f64>().ok()? * unit)
}

fn cpu_seconds() -> Option<f64> {
    /// `USER_HZ` of every Linux architecture we build for.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it, in parentheses, may have any character in it.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

fn open_files() -> Option<f64> {
    let listed = u32::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
    // The listing itself has one open.
    Some(f64::from(listed.saturating_sub(1)))
}

/// The limit that holds; where there is none, the largest there could be, as other clients tell it.
#[expect(clippy::cast_precision_loss, reason = "limits near 2^64 mean no limit")]
fn limit(of: Resource) -> f64 {
    getrlimit(of).current.unwrap_or(u64::MAX) as f64
}

/// Asks process `pid` to end (SIGTERM); nothing happens when there is none.
pub fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// Raises this process' limit of open files and sockets to the most it may have; the limit that holds from now on.
#[must_use]
pub fn raise_open_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    // Refused only where the hard limit is above what the system lets a process have; then the soft limit stays.
    let held =
        if rustix::process::setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { before };
    held.unwrap_or(u64::MAX)
}

/// Has the kernel give this process small pages only, where a host gives everybody huge ones.
///
/// A store frees and takes memory in large pieces all the time; of huge pages each piece is cleared again as a whole.
pub fn small_pages() {
    // Refused by no kernel that has the call; one without it goes on as it did.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn we_find_ourselves_behind_a_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        let inode = tcp_listeners().into_iter().find(|(held, _)| *held == port).expect("listed").1;
        let pid = socket_inodes().into_iter().find(|(_, held)| *held == inode).expect("held").0;
        assert_eq!(pid, std::process::id());
        assert!(command_of(pid).is_some_and(|name| !name.is_empty()));
    }

    #[test]
    fn we_tell_what_every_client_tells_of_its_process() {
        let registry = Registry::default();
        register(&registry);
        let value = |name: &str| {
            let text = registry.render();
            let line =
                text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_else(|| panic!("no {name}: {text}"))
        };
        let sockets = [(); 50].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a port"));
        assert!(value("process_open_fds") > 50.0);
        drop(sockets);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(value("process_virtual_memory_max_bytes") > 1e6);
        assert!(value("process_threads") >= 1.0);
        let before = value("process_cpu_seconds_total");
        while value("process_cpu_seconds_total") < before + 0.05 {}
        assert!(registry.render().contains("# TYPE process_cpu_seconds_total counter"));
    }
}
