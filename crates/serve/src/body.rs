//! Answers that leave in pieces: an owned answer is printed while it is sent, so that its text never stands in memory
//! as a whole. A reader that stops reading loses its answer after a while, so that slow readers cannot hold many.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Size of a piece, bytes: a piece is sent once it has grown past this.
const PIECE_BYTES: usize = 64 << 10;

/// Pieces that may wait for the reader.
const PIECES_WAITING_MAX: usize = 2;

/// How long a reader may take no piece before the answer is given up and the connection broken off.
const STALL_MS_MAX: u64 = 60_000;

/// A 200 answer of JSON, printed piece by piece: `print` appends the next bit and says whether there is more.
pub(crate) fn json_stream(print: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static) -> Response {
    streamed("application/json", print)
}

/// As [`json_stream`], of another type.
pub(crate) fn streamed(
    content_type: &'static str,
    mut print: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static,
) -> Response {
    let (first, more) = piece(&mut print);
    let body = if more { rest(first, print, Duration::from_millis(STALL_MS_MAX)) } else { Body::from(first) };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The next piece, and whether another follows.
fn piece(print: &mut impl FnMut(&mut Vec<u8>) -> bool) -> (Bytes, bool) {
    let mut piece = Vec::new();
    while piece.len() < PIECE_BYTES {
        if !print(&mut piece) {
            return (piece.into(), false);
        }
    }
    (piece.into(), true)
}

/// A body that a task fills; the task ends, and drops what `print` holds, when the reader leaves or stalls.
fn rest(first: Bytes, mut print: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static, stall: Duration) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES_WAITING_MAX);
    platform::task::spawn("answer", async move {
        let (mut next, mut more) = (first, true);
        loop {
            match tokio::time::timeout(stall, sender.reserve()).await {
                Ok(Ok(place)) => place.send(Ok(next)),
                Ok(Err(_)) => return,
                Err(_) => break,
            }
            if !more {
                return;
            }
            (next, more) = piece(&mut print);
        }
        drop(print);
        let stalled = io::Error::new(io::ErrorKind::TimedOut, "the reader stopped reading");
        // The reader may come back for what waits; then it learns that the rest is gone.
        let _ = sender.send(Err(stalled)).await;
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

/// `body` for a reader that may stall: after a while its frames, and what makes them, are dropped.
pub(crate) fn patient(body: Body) -> Body {
    patient_for(body, Duration::from_millis(STALL_MS_MAX))
}

fn patient_for(mut body: Body, stall: Duration) -> Body {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    platform::task::spawn("answer", async move {
        loop {
            let place = match tokio::time::timeout(stall, sender.reserve()).await {
                Ok(Ok(place)) => place,
                Ok(Err(_)) => return,
                Err(_) => break,
            };
            match body.frame().await {
                Some(frame) => place.send(frame),
                None => return,
            }
        }
        drop(body);
        let stalled = io::Error::new(io::ErrorKind::TimedOut, "the reader stopped reading");
        let _ = sender.send(Err(axum::Error::new(stalled))).await;
    });
    Body::new(StreamBody::new(ReceiverStream::new(receiver)))
}

/// An answer whose JSON is small.
pub(crate) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => with_type(status, "application/json", text),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot print the answer: {error}")),
    }
}

/// A plain text answer; a line feed is added.
pub(crate) fn text(status: StatusCode, text: &str) -> Response {
    with_type(status, "text/plain; charset=utf-8", format!("{text}\n").into_bytes())
}

/// An answer of any type.
pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use std::sync::Arc;

    /// Prints `count` times `size` bytes.
    fn printer(count: usize, size: usize) -> impl FnMut(&mut Vec<u8>) -> bool + Send + 'static {
        let mut left = count;
        move |out| {
            out.extend(std::iter::repeat_n(b'x', size));
            left -= 1;
            left > 0
        }
    }

    #[tokio::test]
    async fn pieces_make_the_whole() {
        for (count, size) in [(1, 10), (3, PIECE_BYTES / 2), (2, PIECE_BYTES), (40, PIECE_BYTES)] {
            let body = streamed("text/plain", printer(count, size)).into_body();
            assert_eq!(body.collect().await.expect("a body").to_bytes().len(), count * size);
        }
    }

    #[tokio::test]
    async fn a_stalled_reader_loses_the_answer() {
        let answer = Arc::new(());
        let (held, mut print) = (answer.clone(), printer(1_000, PIECE_BYTES));
        let print = move |out: &mut Vec<u8>| {
            let _ = &held;
            print(out)
        };
        let mut pieces = rest(Bytes::new(), print, Duration::from_millis(30)).into_data_stream();
        assert!(pieces.next().await.expect("the first piece").is_ok());
        for _ in 0..200 {
            if Arc::strong_count(&answer) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(Arc::strong_count(&answer), 1, "the answer is dropped while the reader still stalls");
        let left: Vec<_> = StreamExt::collect(pieces).await;
        assert!(
            left.len() <= PIECES_WAITING_MAX + 1 && left.last().is_some_and(Result::is_err),
            "then an error"
        );
    }

    #[tokio::test]
    async fn frames_pass_unless_the_reader_stalls() {
        let short = Duration::from_millis(30);
        let whole = patient_for(streamed("text/plain", printer(40, PIECE_BYTES)).into_body(), short);
        assert_eq!(whole.collect().await.expect("a body").to_bytes().len(), 40 * PIECE_BYTES);
        let mut pieces = patient_for(streamed("text/plain", printer(40, PIECE_BYTES)).into_body(), short);
        assert!(pieces.frame().await.is_some_and(|frame| frame.is_ok()));
        tokio::time::sleep(short * 10).await;
        assert!(pieces.collect().await.is_err(), "the rest is gone");
    }
}
