//! What `/proc` says of this machine's processes: who listens on a port, how much memory we use. Empty elsewhere.
#![allow(clippy::disallowed_methods, reason = "this is the door to /proc")]

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

/// Our resident memory in bytes; 0 where it cannot be known.
#[must_use]
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

/// Our processor time so far, user and system, in milliseconds; 0 where it cannot be known.
#[must_use]
pub fn cpu_ms() -> u64 {
    /// `USER_HZ` of every Linux architecture we build for.
    const TICK_MS: u64 = 10;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> = after.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    fields.get(11).zip(fields.get(12)).map_or(0, |(user, system)| (user + system) * TICK_MS)
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
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    // Refused only where the hard limit is above what the system lets a process have; then the soft limit stays.
    let held = if setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { before };
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
        assert!(resident_bytes() > 1 << 20);
    }
}
