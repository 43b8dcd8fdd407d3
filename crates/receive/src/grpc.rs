//! Unary gRPC over HTTP/2: one length-prefixed message in, one out, the status in the trailers.
//!
//! The framing is done here and not by a generated service, so that a message's bytes are counted and bounded while
//! they arrive, exactly as an HTTP body's are, and reach the decoder without being built into a tree first.
//! Source: `grpc.io`'s "gRPC over HTTP2".

use crate::fault::Fault;
use crate::status::RpcStatus;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tonic::Status;

/// Bytes before a message: one of flags, four of length.
pub(crate) const FRAME_HEADER_BYTES: usize = 5;

/// What a client may compress with; told to one that used something else.
const ENCODINGS: &str = "identity,gzip,zstd";

/// The one message of a unary call and whether it is compressed.
pub(crate) fn unframe(mut body: Bytes, message_bytes_max: usize) -> Result<(bool, Bytes), Fault> {
    let Some(head) = body.split_to_checked(FRAME_HEADER_BYTES) else {
        return Err(Fault::Malformed("the call carries no message: send exactly one".into()));
    };
    let (flag, length) = match *head {
        [flag, a, b, c, d] => (flag, u32::from_be_bytes([a, b, c, d]) as usize),
        _ => (u8::MAX, 0),
    };
    if flag > 1 {
        return Err(Fault::Malformed(format!("gRPC frame flag {flag} is neither 0 nor 1")));
    }
    if length > message_bytes_max {
        return Err(Fault::TooLarge { what: "gRPC message in bytes", limit: message_bytes_max });
    }
    if body.len() != length {
        let got = body.len();
        return Err(Fault::Malformed(format!(
            "gRPC frame announces {length} bytes of one message, {got} follow"
        )));
    }
    Ok((flag == 1, body))
}

trait SplitChecked: Sized {
    fn split_to_checked(&mut self, at: usize) -> Option<Self>;
}

impl SplitChecked for Bytes {
    fn split_to_checked(&mut self, at: usize) -> Option<Self> {
        (self.len() >= at).then(|| self.split_to(at))
    }
}

/// Status 0 with `message`.
pub(crate) fn ok(message: &[u8]) -> Response {
    let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + message.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A status other than 0, with `RetryInfo` when a retry helps.
pub(crate) fn error(fault: &Fault) -> Response {
    let details = Bytes::from(RpcStatus::of(fault).encode_to_vec());
    let mut response = Status::with_details(fault.grpc(), fault.to_string(), details).into_http::<Body>();
    if matches!(fault, Fault::Unsupported(_)) {
        response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(ENCODINGS));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frame: &[u8], expected: Result<(bool, &[u8]), &str>) {
        let got = unframe(Bytes::copy_from_slice(frame), 4);
        match (got, expected) {
            (Ok((compressed, message)), Ok((flag, bytes))) => {
                assert_eq!((compressed, &message[..]), (flag, bytes));
            }
            (Err(fault), Err(text)) => assert_eq!(fault.to_string(), text),
            (got, expected) => panic!("{frame:?}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_call_holds_one_whole_message() {
        check(&[0, 0, 0, 0, 0], Ok((false, &[])));
        check(&[1, 0, 0, 0, 2, 7, 8], Ok((true, &[7, 8])));
        check(&[], Err("the call carries no message: send exactly one"));
        check(&[2, 0, 0, 0, 0], Err("gRPC frame flag 2 is neither 0 nor 1"));
        check(&[0, 255, 255, 255, 255], Err("gRPC message in bytes exceeds the limit of 4"));
        check(&[0, 0, 0, 0, 2, 7], Err("gRPC frame announces 2 bytes of one message, 1 follow"));
        check(&[0, 0, 0, 0, 0, 9], Err("gRPC frame announces 0 bytes of one message, 1 follow"));
    }
}
