//! Loki's push endpoint (snappy protobuf or JSON) and OTLP logs under Loki's path.

use super::{Batch, Door, Media, Receipt, Receiver, batch, content_encoding, media_type, otlp, text};
use crate::fault::Fault;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use model::Tenant;
use wire::Decoded;
use wire::compress::Encoding;

/// Rows of 3100.
pub(super) const DOORS: &[Door] = &[
    Door { name: "loki_push", path: "/loki/api/v1/push", media, encoding, decode, reply },
    Door {
        name: "loki_otlp_logs",
        path: "/otlp/v1/logs",
        media: media_otlp,
        encoding: content_encoding,
        decode: otlp::logs,
        reply: otlp::reply_logs,
    },
];

/// As Loki: JSON is JSON, every other type is taken for protobuf, none at all is refused.
fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    match media_type(headers).as_str() {
        "application/json" => Ok(Media::Json),
        "" => Err(Fault::Malformed("mime: no media type".into())),
        _ => Ok(Media::Protobuf),
    }
}

/// Protobuf always comes as a snappy block, whether the header says so or not; JSON may be compressed.
fn encoding(headers: &HeaderMap, media: Media) -> Result<Encoding, Fault> {
    match (media, content_encoding(headers, media)?) {
        (Media::Json, encoding) => Ok(encoding),
        (_, Encoding::Identity | Encoding::Snappy) => Ok(Encoding::Identity),
        _ => Err(Fault::Malformed("a protobuf push is snappy, without another Content-Encoding".into())),
    }
}

fn decode(_: &Receiver, _: &Tenant, media: Media, body: &Bytes) -> Result<Decoded<Batch>, Fault> {
    let decoded = match media {
        Media::Json => wire::loki::decode_push_json(body)?,
        _ => wire::loki::decode_push_protobuf(body)?,
    };
    if decoded.batch.streams.is_empty() && decoded.reasons.is_empty() {
        return Err(Fault::Empty("error at least one valid stream is required for ingestion".into()));
    }
    Ok(batch(decoded, Batch::Logs))
}

/// As [`otlp::media`], with Loki's status.
fn media_otlp(headers: &HeaderMap) -> Result<Media, Fault> {
    let told = |_| Fault::Malformed(format!("content type: {} is not supported", media_type(headers)));
    otlp::media(headers).map_err(told)
}

/// 204; or 400 with a reason a line when some lines were left out (the others were taken).
fn reply(_: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    match result {
        Ok(receipt) if receipt.rejected > 0 => {
            text::plain(StatusCode::BAD_REQUEST, &receipt.reasons.join("\n"))
        }
        Ok(_) => text::empty(StatusCode::NO_CONTENT),
        Err(fault) => text::refusal(&fault),
    }
}
