//! Tasks and threads: every one has a name, a panic is logged and counted, nothing dies silently.
#![allow(clippy::disallowed_methods, reason = "this is the door to spawning")]

use std::future::Future;
use std::io;
use std::thread::JoinHandle;

/// Runs `future` on the runtime. The handle may be dropped; a panic is logged under `name`.
pub fn spawn<F>(name: &'static str, future: F) -> tokio::task::JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let inner = tokio::spawn(future);
    tokio::spawn(async move {
        match inner.await {
            Ok(output) => Some(output),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(task = name, %error, "task panicked");
                }
                None
            }
        }
    })
}

/// Runs `work` on the blocking pool and waits for it; `None` when it panicked or the runtime stops.
pub async fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(output) => Some(output),
        Err(error) => {
            tracing::error!(task = name, %error, "blocking task failed");
            None
        }
    }
}

/// What `future` gives, or nothing when that takes longer than `limit_ms` milliseconds. Runs on a tokio runtime.
pub async fn within<T>(limit_ms: u64, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(std::time::Duration::from_millis(limit_ms), future).await.ok()
}

/// Runs `work` on a thread of its own.
///
/// # Errors
/// When the operating system has no thread to give.
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
