//! Sockets: listening and connecting, with errors that say which address and what to do.
#![allow(clippy::disallowed_methods, reason = "this is the door to the network")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}")]
pub struct ListenError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl ListenError {
    /// Whether another process holds the port.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Listens on `addr`; port 0 picks a free one.
///
/// # Errors
/// When the address is in use, not local, or not permitted.
pub async fn listen(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(addr).await.map_err(|source| ListenError { addr, source })
}

/// Connects to `host:port`.
///
/// # Errors
/// What the operating system says.
pub async fn connect(address: &str) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

/// The addresses of `host:port`, as the system resolver gives them.
///
/// # Errors
/// When the name does not resolve.
pub async fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host(address).await?.collect())
}

/// A UDP socket that speaks with `peer` only.
///
/// # Errors
/// What the operating system says.
pub async fn udp(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any =
        if peer.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind::<SocketAddr>(any).await?;
    socket.connect(peer).await?;
    Ok(socket)
}
