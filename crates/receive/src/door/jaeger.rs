//! Jaeger's collector: a thrift `Batch` over HTTP, and `jaeger.api_v2.CollectorService/PostSpans`.

use super::{Batch, Door, Media, Receipt, Receiver, content_encoding, media_type, otlp, text, whole};
use crate::fault::Fault;
use crate::grpc;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use model::Tenant;
use prost::Message;
use wire::Decoded;
use wire::jaeger::api_v2::PostSpansRequest;
use wire::jaeger::{decode_api_v2, decode_thrift_binary_batch};

/// Rows of 14268 and 14250.
pub(super) const DOORS: &[Door] = &[
    Door {
        name: "jaeger_thrift_http",
        path: "/api/traces",
        media: media_thrift,
        encoding: content_encoding,
        decode: decode_thrift,
        reply: reply_thrift,
    },
    Door {
        name: "jaeger_grpc",
        path: "/jaeger.api_v2.CollectorService/PostSpans",
        media: otlp::media_grpc,
        encoding: otlp::encoding_grpc,
        decode: decode_grpc,
        reply: reply_grpc,
    },
];

/// Jaeger answers 400, not 415, for a content type it does not know.
fn media_thrift(headers: &HeaderMap) -> Result<Media, Fault> {
    match media_type(headers).as_str() {
        "application/x-thrift" | "application/vnd.apache.thrift.binary" => Ok(Media::Thrift),
        "" => Err(Fault::Malformed("Cannot parse content type: mime: no media type".into())),
        other => Err(Fault::Malformed(format!("Unsupported content type: {other}"))),
    }
}

fn decode_thrift(_: &Receiver, _: &Tenant, _: Media, body: &Bytes) -> Result<Decoded<Batch>, Fault> {
    Ok(whole(Batch::Spans(decode_thrift_binary_batch(body)?)))
}

fn decode_grpc(_: &Receiver, _: &Tenant, _: Media, body: &Bytes) -> Result<Decoded<Batch>, Fault> {
    let request = PostSpansRequest::decode(&body[..])
        .map_err(|error| Fault::Malformed(format!("PostSpansRequest cannot be decoded: {error}")))?;
    Ok(whole(Batch::Spans(decode_api_v2(&request.batch.unwrap_or_default())?)))
}

fn reply_thrift(_: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    match result {
        Ok(_) => text::empty(StatusCode::ACCEPTED),
        Err(fault @ Fault::Full { .. }) => text::refusal_as(StatusCode::SERVICE_UNAVAILABLE, &fault),
        Err(fault) => text::refusal(&fault),
    }
}

fn reply_grpc(media: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    match (media, result) {
        (_, Ok(_)) => grpc::ok(&[]),
        (None, Err(fault)) => text::refusal(&fault),
        (Some(_), Err(fault)) => grpc::error(&fault),
    }
}
