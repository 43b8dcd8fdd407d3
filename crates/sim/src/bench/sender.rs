//! Sends bodies as agents do: one connection a lane, the next request when the last is answered, again when told to wait.

use super::bodies::Load;
use super::http::Client;
use super::programs::Door;
use super::{Result, bodies};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A lane is at most this many requests ahead of the slowest, so that no program sees a lane's time run away.
const AHEAD_MAX: u64 = 32;
/// Pause before a request is sent again after 429 or 503, milliseconds.
const BACK_OFF_MS: u64 = 100;
/// How often a request is sent again before the run counts as failed.
const RETRIES_MAX: u32 = 600;

/// What sending took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) requests: u64,
    /// Requests that were answered 429 or 503 and sent again.
    pub(super) retries: u64,
}

/// Sends every lane of `load` to `door`.
pub(super) fn send(door: &Door, load: &Load) -> Result<Sent> {
    let lanes = load.lanes.iter().map(|path| bodies::LaneReader::open(path)).collect::<Result<Vec<_>>>()?;
    send_lanes(door, lanes)
}

/// Sends the bodies of each lane in order, all lanes at once.
pub(super) fn send_lanes<L>(door: &Door, lanes: Vec<L>) -> Result<Sent>
where
    L: Iterator<Item = Result<Vec<u8>>> + Send,
{
    let pace = Pace::new(lanes.len());
    let results: Vec<Result<Sent>> = std::thread::scope(|scope| {
        let pace = &pace;
        let send = |(number, lane)| scope.spawn(move || send_lane(door, pace, number, lane));
        let threads: Vec<_> = lanes.into_iter().enumerate().map(send).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a sender panicked".into())))
            .collect()
    });
    let mut sum = Sent::default();
    for sent in results {
        let sent = sent?;
        sum.requests += sent.requests;
        sum.retries += sent.retries;
    }
    Ok(sum)
}

fn send_lane(
    door: &Door,
    pace: &Pace,
    number: usize,
    lane: impl Iterator<Item = Result<Vec<u8>>>,
) -> Result<Sent> {
    // Whatever happens to this lane, the others must not wait for it.
    let _leave = Leave { pace, number };
    let mut client = Client::new(door.port);
    let mut sent = Sent::default();
    for body in lane {
        pace.wait(number, sent.requests);
        sent.retries += u64::from(send_one(door, &mut client, &body?)?);
        sent.requests += 1;
    }
    Ok(sent)
}

/// Sends until it is taken; returns how often it had to be sent again.
#[expect(clippy::disallowed_methods, reason = "a client that backs off")]
fn send_one(door: &Door, client: &mut Client, body: &[u8]) -> Result<u32> {
    for retry in 0..RETRIES_MAX {
        let answer = client.post(door.path, door.headers, body)?;
        match answer.status {
            200..=299 => return Ok(retry),
            429 | 503 => std::thread::sleep(Duration::from_millis(BACK_OFF_MS)),
            status => {
                let text = String::from_utf8_lossy(&answer.body);
                return Err(format!("{} answered {status}: {}", door.path, text.trim()).into());
            }
        }
    }
    Err(format!("{} refused a request {RETRIES_MAX} times", door.path).into())
}

/// How many requests each lane has sent.
struct Pace {
    sent: Mutex<Vec<u64>>,
    moved: Condvar,
}

impl Pace {
    fn new(lanes: usize) -> Self {
        Self { sent: Mutex::new(vec![0; lanes]), moved: Condvar::new() }
    }

    fn set(&self, lane: usize, requests: u64) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)[lane] = requests;
        self.moved.notify_all();
    }

    /// Says that `lane` has sent so many and waits until it is not too far ahead.
    fn wait(&self, lane: usize, requests: u64) {
        self.set(lane, requests);
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = |sent: &mut Vec<u64>| sent.iter().any(|other| other + AHEAD_MAX < requests);
        drop(self.moved.wait_while(sent, ahead));
    }
}

struct Leave<'a> {
    pace: &'a Pace,
    number: usize,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.pace.set(self.number, u64::MAX - AHEAD_MAX);
    }
}
