//! Zipkin's collector: v2 JSON.

use super::{Batch, Door, Media, Receipt, Receiver, content_encoding, media_type, text, whole};
use crate::fault::Fault;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use model::Tenant;
use wire::Decoded;

/// Rows of 9411.
pub(super) const DOORS: &[Door] =
    &[Door { name: "zipkin_v2", path: "/api/v2/spans", media, encoding: content_encoding, decode, reply }];

/// A body without a content type is JSON, as with Zipkin.
fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    match media_type(headers).as_str() {
        "" | "application/json" => Ok(Media::Json),
        other => Err(Fault::Unsupported(format!(
            "unsupported: content type {other:?}: send v2 spans as application/json"
        ))),
    }
}

fn decode(_: &Receiver, _: &Tenant, _: Media, body: &Bytes) -> Result<Decoded<Batch>, Fault> {
    Ok(whole(Batch::Spans(wire::zipkin::decode_v2_json(body)?)))
}

/// 202; a full pipeline is 503, which Zipkin's reporters know from its own server.
fn reply(_: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    match result {
        Ok(_) => text::empty(StatusCode::ACCEPTED),
        Err(fault @ Fault::Full { .. }) => text::refusal_as(StatusCode::SERVICE_UNAVAILABLE, &fault),
        Err(fault) => text::refusal(&fault),
    }
}

/// `POST /api/v1/spans`.
pub(super) async fn version_1() -> Response {
    text::plain(StatusCode::NOT_IMPLEMENTED, "unsupported: Zipkin v1 spans: report to /api/v2/spans")
}
