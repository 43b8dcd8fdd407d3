//! Names the process that holds a port, for the one sentence an operator needs. Linux only; elsewhere nobody is named.

use platform::proc::{command_of, socket_inodes, tcp_listeners};

/// `prometheus (pid 812)`, when it can be known.
pub(crate) fn holder(port: u16) -> Option<String> {
    let inode = tcp_listeners().into_iter().find(|(listening, _)| *listening == port)?.1;
    let pid = socket_inodes().into_iter().find(|(_, held)| *held == inode)?.0;
    Some(format!("{} (pid {pid})", command_of(pid)?))
}
