//! A socket's connections: HTTP/1 and HTTP/2 (also without TLS) on one port, bounded in number and in patience.
//!
//! An idle connection costs its task and hyper's read buffer once it has spoken, nothing else. A client that dribbles
//! its header, or opens a TLS handshake and stops, is cut off. On shutdown no connection is accepted, those that are
//! idle close, and those at work may finish for [`ListenLimits::drain_seconds_max`].

use crate::tls::ServerTls;
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use platform::metrics::{Counter, Gauge, Registry};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections at one time, over all listeners that share a [`Room`].
pub const CONNECTIONS_MAX: usize = 20_000;
/// Longest wait for a request's header, and longest idle time between two requests of one HTTP/1 connection.
pub const HEADER_READ_SECONDS_MAX: u64 = 120;
/// Longest TLS handshake.
pub const HANDSHAKE_SECONDS_MAX: u64 = 10;
/// What is read of a plain request that a TLS door refuses, so that its sender hears the answer.
const REFUSED_BYTES_MAX: usize = 4 << 10;
/// Longest wait for requests at work when the process stops.
pub const DRAIN_SECONDS_MAX: u64 = 20;
/// Read and write buffer of one HTTP/1 connection.
pub const CONNECTION_BUFFER_BYTES_MAX: usize = 64 << 10;
/// Streams of one HTTP/2 connection at one time.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// Unread bytes a peer may send on one HTTP/2 stream.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Unread bytes a peer may send on one HTTP/2 connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Seconds between HTTP/2 pings that find dead peers.
const PING_SECONDS: u64 = 60;
/// Pause after `accept` failed, as it does when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Room for so many connections; clones share it, so that one bound holds for every door of the process.
#[derive(Clone, Debug)]
pub struct Room {
    places: Arc<Semaphore>,
    connections_max: u32,
}

impl Room {
    /// Room for `connections_max`, at least one.
    #[must_use]
    pub fn new(connections_max: usize) -> Self {
        let most = connections_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let places = Arc::new(Semaphore::new(most));
        Self { places, connections_max: u32::try_from(most).unwrap_or(u32::MAX) }
    }

    fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits until all have left; `false` when they do not within `patience`.
    async fn emptied(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.places.acquire_many(self.connections_max)).await.is_ok()
    }
}

/// How many and how patient.
#[derive(Clone, Debug)]
pub struct ListenLimits {
    /// Connections; see [`CONNECTIONS_MAX`].
    pub room: Room,
    /// See [`HEADER_READ_SECONDS_MAX`].
    pub header_read_seconds_max: u64,
    /// See [`DRAIN_SECONDS_MAX`].
    pub drain_seconds_max: u64,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            room: Room::new(CONNECTIONS_MAX),
            header_read_seconds_max: HEADER_READ_SECONDS_MAX,
            drain_seconds_max: DRAIN_SECONDS_MAX,
        }
    }
}

struct Counts {
    open: Gauge,
    turned_away: Counter,
    handshakes_failed: Counter,
}

/// Serves `router` on `listener` until `stop`, then drains. `door` labels our own metrics.
pub async fn serve_listener(
    door: &'static str,
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerTls>>,
    limits: ListenLimits,
    registry: &Registry,
    stop: CancellationToken,
) {
    let labels = format!("door=\"{door}\"");
    let counts = Arc::new(Counts {
        open: registry.gauge("binnacle_connections", &labels, "Open connections."),
        turned_away: registry.counter(
            "binnacle_connections_refused_total",
            &labels,
            "Closed above the limit.",
        ),
        handshakes_failed: registry.counter(
            "binnacle_tls_handshakes_failed_total",
            &labels,
            "TLS handshakes failed.",
        ),
    });
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(door, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = limits.room.enter() else {
            counts.turned_away.inc();
            continue;
        };
        let work = connection(
            stream,
            router.clone(),
            tls.clone(),
            limits.clone(),
            counts.clone(),
            stop.clone(),
            place,
        );
        drop(platform::task::spawn("connection", work));
    }
    drop(listener);
    let patience = Duration::from_secs(limits.drain_seconds_max);
    if !limits.room.emptied(patience).await {
        tracing::warn!(door, open = counts.open.get(), "stopping with connections at work");
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    tls: Option<Arc<ServerTls>>,
    limits: ListenLimits,
    counts: Arc<Counts>,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    counts.open.add(1);
    if let Err(error) = speak(stream, router, tls, limits, &counts, &stop).await {
        tracing::debug!(%error, "connection ended");
    }
    counts.open.add(-1);
    drop(place);
}

async fn speak(
    stream: TcpStream,
    router: Router,
    tls: Option<Arc<ServerTls>>,
    limits: ListenLimits,
    counts: &Counts,
    stop: &CancellationToken,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    let silence = Duration::from_secs(limits.header_read_seconds_max);
    let mut first_byte = [0];
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        first = tokio::time::timeout(silence, stream.peek(&mut first_byte)) => drop(first??),
    }
    let Some(tls) = tls else { return http(stream, router, limits, stop).await };
    if first_byte[0].is_ascii_uppercase() {
        return Ok(not_tls(stream).await?);
    }
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    match tokio::time::timeout(Duration::from_secs(HANDSHAKE_SECONDS_MAX), handshake).await {
        Ok(Ok(stream)) => http(stream, router, limits, stop).await,
        Ok(Err(error)) => {
            counts.handshakes_failed.inc();
            Err(error.into())
        }
        Err(late) => {
            counts.handshakes_failed.inc();
            Err(late.into())
        }
    }
}

/// Tells a client that speaks plain HTTP to a TLS door so, in the words of Go's servers.
async fn not_tls(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; REFUSED_BYTES_MAX];
    stream.readable().await?;
    let _ = stream.try_read(&mut request);
    let answer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

async fn http<S>(
    stream: S,
    router: Router,
    limits: ListenLimits,
    stop: &CancellationToken,
) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_read_seconds_max))
        .max_buf_size(CONNECTION_BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(PING_SECONDS))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    let router = router.map_request(|request: Request<Incoming>| request.map(Body::new));
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

#[cfg(test)]
mod tests;
