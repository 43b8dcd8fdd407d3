//! Reads a body within its limits of size, time and memory in flight.

use super::receiver::ReceiverOptions;
use crate::budget::Hold;
use crate::fault::Fault;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use std::time::Duration;

/// Room made for a body before any of it is here, whatever it announces.
const FIRST_BYTES_MAX: usize = 64 << 10;
/// Room made for an announced body while it comes: so many times what is here.
const ROOM_GROWTH: usize = 8;

/// Most of a refused body that is read on.
const DISCARDED_BYTES_MAX: usize = 128 << 20;
/// Longest that a refused body is read on.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);

/// The whole body; `frame_bytes` is what the protocol may add to the largest request.
pub(super) async fn read(
    body: Body,
    limits: &ReceiverOptions,
    frame_bytes: usize,
    headers: &HeaderMap,
    hold: &mut Hold,
) -> Result<Bytes, Fault> {
    let bytes_max = limits.request_bytes_max + frame_bytes;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        discard(body);
        return Err(too_large(limits));
    }
    let announced = announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let all = collect(body, bytes_max, announced, limits, hold);
    match tokio::time::timeout(Duration::from_secs(limits.body_read_seconds_max), all).await {
        Ok(result) => result,
        Err(_) => Err(Fault::Slow(limits.body_read_seconds_max)),
    }
}

/// Reads on for a while and keeps nothing: a client that is still sending learns of the refusal that way, instead of
/// finding its connection reset.
pub(crate) fn discard(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    let rest = async move {
        let mut bytes = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            bytes = bytes.saturating_add(frame.into_data().map_or(0, |chunk| chunk.len()));
            if bytes > DISCARDED_BYTES_MAX {
                break;
            }
        }
    };
    drop(platform::task::spawn("discard", tokio::time::timeout(DISCARD_TIME_MAX, rest)));
}

/// What is too large, when it is the body as it was sent.
pub(super) const BODY: &str = "request body in bytes";

fn too_large(limits: &ReceiverOptions) -> Fault {
    Fault::TooLarge { what: BODY, limit: limits.request_bytes_max }
}

async fn collect(
    mut body: Body,
    bytes_max: usize,
    announced: usize,
    limits: &ReceiverOptions,
    hold: &mut Hold,
) -> Result<Bytes, Fault> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Fault::Malformed(format!("the request body was cut off: {error}")))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if first.len() + all.len() + chunk.len() > bytes_max {
            discard(body);
            return Err(too_large(limits));
        }
        hold.grow(chunk.len())?;
        if first.is_empty() && all.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.reserve(announced.min(FIRST_BYTES_MAX).max(first.len() + chunk.len()));
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        let here = all.len() + chunk.len();
        if here > all.capacity() {
            all.reserve(announced.min(here * ROOM_GROWTH).saturating_sub(all.len()).max(chunk.len()));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { Bytes::from(all) })
}
