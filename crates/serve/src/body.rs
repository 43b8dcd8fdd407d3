//! Answers that leave in pieces: an owned answer is printed while it is sent, so that its text never stands in memory
//! as a whole and a slow reader holds back only its own printing.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use std::convert::Infallible;

/// Size of a piece, bytes: a piece is sent once it has grown past this.
const PIECE_BYTES: usize = 64 << 10;

/// A 200 answer of JSON, printed piece by piece: `print` appends the next bit and says whether there is more.
pub(crate) fn json_stream(print: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static) -> Response {
    streamed("application/json", print)
}

/// As [`json_stream`], of another type.
pub(crate) fn streamed(
    content_type: &'static str,
    mut print: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static,
) -> Response {
    let mut more = true;
    let pieces = std::iter::from_fn(move || {
        let mut piece = Vec::new();
        while more && piece.len() < PIECE_BYTES {
            more = print(&mut piece);
        }
        (!piece.is_empty()).then(|| Ok::<_, Infallible>(Bytes::from(piece)))
    });
    let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
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
