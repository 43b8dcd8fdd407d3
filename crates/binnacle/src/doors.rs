//! Opens the doors: binds every socket before any is served, so that a wrong configuration fails as a whole.

use crate::config::doors::{Door, Listen};
use crate::holder::holder;
use platform::net::listen;
use tokio::net::TcpListener;

/// Sockets that were opened, and defaults that others hold.
pub(crate) struct Opened {
    pub(crate) sockets: Vec<(Door, TcpListener)>,
    /// One sentence each.
    pub(crate) skipped: Vec<String>,
}

/// Binds the doors. A busy door that flag or file named is an error, a busy default is skipped.
///
/// # Errors
/// One sentence with port, holder and flag.
pub(crate) async fn open(doors: &[Listen], protected: bool, insecure: bool) -> Result<Opened, String> {
    let exposed = doors.iter().find(|listen| !listen.addr.ip().is_loopback());
    if let (Some(door), false, false) = (exposed, protected, insecure) {
        return Err(format!(
            "door {} would listen on {} without TLS or credentials: give --web-config or --bearer-tokens-file, or say --insecure",
            door.door.name(),
            door.addr
        ));
    }
    let mut opened = Opened { sockets: Vec::new(), skipped: Vec::new() };
    for door in doors {
        let name = door.door.name();
        match listen(door.addr).await {
            Ok(socket) => opened.sockets.push((door.door, socket)),
            Err(error) if error.is_busy() => {
                let port = door.addr.port();
                let held = holder(port).map_or_else(String::new, |holder| format!(" by {holder}"));
                let sentence = format!("door {name}: port {port} is held{held}");
                if door.named {
                    return Err(format!(
                        "{sentence}; free it, or move the doors with --port-offset or `doors`"
                    ));
                }
                tracing::warn!("{sentence}; the door stays closed, --port-offset moves all doors");
                opened.skipped.push(sentence);
            }
            Err(error) => return Err(format!("door {name}: {error}")),
        }
    }
    if opened.sockets.is_empty() {
        let why = "every port is held by another process (see above)";
        return Err(format!(
            "no door could be opened: {why}; free them, or move all doors with --port-offset"
        ));
    }
    Ok(opened)
}
