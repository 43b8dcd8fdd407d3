//! `/loki/api/v1/tail`: lines over a WebSocket as they arrive, after the last `limit` lines since `start`.
//!
//! Frames are `{"streams":[...],"dropped_entries":[...]}`. A reader that is slower than the lines keeps a bounded
//! backlog; what does not fit is dropped and named, and nobody else notices.

use super::encode;
use super::failure::Failure;
use super::query::{limit, required_query};
use super::range;
use crate::State;
use crate::call::Call;
use crate::time::NS_PER_S;
use axum::extract::State as Extract;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::scan::Direction;
use model::{LogBatch, Tenant};
use query::logql::{self, LabelSet, LogParams, LogValue, OutStream, Tail};
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Entries that may wait for a slow reader.
const BACKLOG_ENTRIES_MAX: usize = 10_000;
/// Bytes of lines that may wait for a slow reader.
const BACKLOG_BYTES_MAX: usize = 8 << 20;
/// Dropped entries that one frame names.
const DROPPED_NAMED_MAX: usize = 100;
/// Entries of one frame.
const FRAME_ENTRIES_MAX: usize = 1_000;
/// How long lines gather before a frame goes out.
const GATHER_MS: u64 = 200;
/// A frame that the reader does not take within this ends the connection.
const SEND_MS_MAX: u64 = 30_000;
/// Longest `delay_for`, seconds; Loki's limit.
const DELAY_S_MAX: u64 = 5;
/// Entries before the first live line when a call names no limit.
const HISTORY_DEFAULT: usize = 100;
/// Most of them.
const HISTORY_MAX: usize = 5_000;

type Feed = broadcast::Receiver<(Tenant, Arc<LogBatch>)>;

/// `/loki/api/v1/tail`
pub(crate) async fn tail(
    Extract(state): Extract<State>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let text = required_query(&call.params)?.to_owned();
    let filter = Tail::new(&text)?;
    let delay_s: u64 = match call.params.some("delay_for") {
        None => 0,
        Some(text) => {
            text.parse().map_err(|_| Failure::Parameter("could not parse 'delay_for' parameter".into()))?
        }
    };
    if delay_s > DELAY_S_MAX {
        return Err(Failure::Parameter(format!("delay_for can't be greater than {DELAY_S_MAX}")));
    }
    let now_ns = state.clock.now_ns();
    let (start_ns, _) = range::bounds(&call.params, now_ns)?;
    let params = LogParams {
        start_ns,
        end_ns: now_ns.saturating_add(NS_PER_S),
        step_ms: Some(1_000),
        direction: Direction::Backward,
        limit: limit(&call.params, HISTORY_DEFAULT, HISTORY_MAX)?,
        now_ns,
        ..LogParams::default()
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    let Some(feed) = state.live.listen() else {
        return Ok(crate::body::text(
            StatusCode::TOO_MANY_REQUESTS,
            "max concurrent tail requests limit exceeded",
        ));
    };
    let categorize = encode::wants_categories(&call.headers);
    let session = Session { backlog: Backlog::default(), filter, categorize, tenant: call.tenant.clone() };
    let gather = Duration::from_millis(GATHER_MS) + Duration::from_secs(delay_s);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let history = state.gate.run("tail", None, {
            let (source, tenant) = (state.logs.clone(), call.tenant);
            move |budget| logql::query(&*source, &tenant, &text, &params, budget)
        });
        match history.await {
            Ok(Ok(answer)) => session.run(socket, feed, answer.value, gather).await,
            Ok(Err(error)) => close(socket, &error.to_string()).await,
            Err(error) => close(socket, &error.to_string()).await,
        }
    }))
}

/// The longest reason a close frame may carry, bytes (RFC 6455: 125 with its code).
const CLOSE_REASON_BYTES_MAX: usize = 120;

async fn close(mut socket: WebSocket, reason: &str) {
    let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let frame = CloseFrame { code: close_code::ERROR, reason: reason[..end].into() };
    // The peer may be gone already; there is nobody left to tell.
    let _ = socket.send(Message::Close(Some(frame))).await;
}

/// One tailing client.
struct Session {
    backlog: Backlog,
    filter: Tail,
    categorize: bool,
    tenant: Tenant,
}

impl Session {
    /// Sends `history`, then what the feed brings, until the client leaves or stops reading.
    async fn run(mut self, mut socket: WebSocket, mut feed: Feed, history: LogValue, gather: Duration) {
        if let LogValue::Streams(mut streams) = history {
            for stream in &mut streams {
                stream.entries.reverse();
            }
            self.backlog.push(streams);
        }
        let mut tick = tokio::time::interval(gather);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = socket.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                },
                received = feed.recv() => if !self.take(received) { return },
                _ = tick.tick() => if !self.send(&mut socket, &mut feed).await { return },
            }
        }
    }

    /// Filters what the feed brought into the backlog; `false` when the feed has ended.
    fn take(&mut self, received: Result<(Tenant, Arc<LogBatch>), RecvError>) -> bool {
        match received {
            Ok((tenant, batch)) => {
                if tenant == self.tenant {
                    let streams = self.filter.apply(&batch);
                    self.backlog.push(streams);
                }
                true
            }
            Err(RecvError::Lagged(_)) => {
                self.backlog.dropped.push((LabelSet::default(), 0));
                true
            }
            Err(RecvError::Closed) => false,
        }
    }

    /// Sends the backlog frame by frame, filtering what arrives meanwhile; `false` when the client is gone.
    async fn send(&mut self, socket: &mut WebSocket, feed: &mut Feed) -> bool {
        while let Some(frame) = self.backlog.frame(self.categorize) {
            let sending = socket.send(Message::Text(frame.into()));
            let deadline = tokio::time::sleep(Duration::from_millis(SEND_MS_MAX));
            tokio::pin!(sending, deadline);
            loop {
                tokio::select! {
                    sent = &mut sending => {
                        if sent.is_err() { return false }
                        break;
                    }
                    received = feed.recv() => if !self.take(received) { return false },
                    () = &mut deadline => return false,
                }
            }
        }
        true
    }
}

/// Entries on their way to one client, oldest first.
#[derive(Default)]
struct Backlog {
    entries: VecDeque<(LabelSet, logql::OutEntry)>,
    bytes: usize,
    dropped: Vec<(LabelSet, i64)>,
}

impl Backlog {
    fn push(&mut self, streams: Vec<OutStream>) {
        let mut fresh: Vec<_> = streams
            .into_iter()
            .flat_map(|stream| stream.entries.into_iter().map(move |entry| (stream.labels.clone(), entry)))
            .collect();
        fresh.sort_by_key(|(_, entry)| entry.ts_ns);
        for (labels, entry) in fresh {
            let full = self.entries.len() >= BACKLOG_ENTRIES_MAX || self.bytes >= BACKLOG_BYTES_MAX;
            if !full {
                self.bytes += entry.line.len();
                self.entries.push_back((labels, entry));
            } else if self.dropped.len() < DROPPED_NAMED_MAX {
                self.dropped.push((labels, entry.ts_ns));
            }
        }
    }

    /// The next frame's text; `None` when there is nothing to say.
    fn frame(&mut self, categorize: bool) -> Option<String> {
        if self.entries.is_empty() && self.dropped.is_empty() {
            return None;
        }
        let count = self.entries.len().min(FRAME_ENTRIES_MAX);
        let mut streams: Vec<OutStream> = Vec::new();
        for (labels, entry) in self.entries.drain(..count) {
            self.bytes -= entry.line.len().min(self.bytes);
            match streams.iter_mut().find(|stream| stream.labels == labels) {
                Some(stream) => stream.entries.push(entry),
                None => streams.push(OutStream { labels, entries: vec![entry] }),
            }
        }
        let mut out = br#"{"streams":"#.to_vec();
        encode::push_streams(&mut out, streams, categorize);
        if categorize {
            out.extend_from_slice(br#","encodingFlags":["categorize-labels"]"#);
        }
        if !self.dropped.is_empty() {
            out.extend_from_slice(br#","dropped_entries":["#);
            for (at, (labels, ts_ns)) in self.dropped.drain(..).enumerate() {
                out.extend_from_slice(if at > 0 { br#",{"labels":"# } else { br#"{"labels":"# });
                encode::push_labels(&mut out, &labels);
                // Writing to a vector cannot fail.
                let _ = write!(out, r#","timestamp":"{ts_ns}"}}"#);
            }
            out.push(b']');
        }
        out.push(b'}');
        String::from_utf8(out).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(lines: impl IntoIterator<Item = i64>) -> OutStream {
        let entries = lines
            .into_iter()
            .map(|ts_ns| logql::OutEntry { ts_ns, line: format!("line {ts_ns}"), ..Default::default() })
            .collect();
        OutStream { labels: LabelSet::from_pairs([("app", "shop")]), entries }
    }

    #[test]
    fn a_slow_reader_keeps_a_bounded_backlog_and_learns_what_it_missed() {
        let mut backlog = Backlog::default();
        let extra = 2;
        backlog.push(vec![stream(0..i64::try_from(BACKLOG_ENTRIES_MAX).expect("small") + extra)]);
        assert_eq!(backlog.entries.len(), BACKLOG_ENTRIES_MAX);
        let first = backlog.frame(false).expect("a frame");
        assert!(first.starts_with(r#"{"streams":[{"stream":{"app":"shop"},"values":[["0","line 0"],["1","#));
        assert!(first.ends_with(r#"{"labels":{"app":"shop"},"timestamp":"10001"}]}"#), "{first}");
        let mut frames = 1;
        while let Some(frame) = backlog.frame(false) {
            assert!(!frame.contains("dropped_entries"));
            frames += 1;
        }
        assert_eq!(frames, BACKLOG_ENTRIES_MAX / FRAME_ENTRIES_MAX);
        assert_eq!(backlog.bytes, 0);
    }
}
