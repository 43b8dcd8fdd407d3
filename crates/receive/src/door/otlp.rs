//! OTLP: three signals over HTTP and gRPC; answers as `opentelemetry.io/docs/specs/otlp` says.

use super::{Batch, Door, Media, Receipt, Receiver, batch, content_encoding, media_type, text};
use crate::fault::Fault;
use crate::grpc;
use crate::status::RpcStatus;
use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use model::Tenant;
use prost::Message;
use serde_json::json;
use wire::Decoded;
use wire::compress::Encoding;
use wire::otlp::{Format, decode_logs, decode_metrics, decode_traces};

/// 4318.
pub(super) const HTTP: &[Door] = &[
    Door {
        name: "otlp_http_traces",
        path: "/v1/traces",
        media,
        encoding: content_encoding,
        decode: traces,
        reply: reply_traces,
    },
    Door {
        name: "otlp_http_logs",
        path: "/v1/logs",
        media,
        encoding: content_encoding,
        decode: logs,
        reply: reply_logs,
    },
    Door {
        name: "otlp_http_metrics",
        path: "/v1/metrics",
        media,
        encoding: content_encoding,
        decode: metrics,
        reply: reply_metrics,
    },
];

/// 4317.
pub(super) const GRPC: &[Door] = &[
    Door {
        name: "otlp_grpc_traces",
        path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        media: media_grpc,
        encoding: encoding_grpc,
        decode: traces,
        reply: reply_traces,
    },
    Door {
        name: "otlp_grpc_logs",
        path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        media: media_grpc,
        encoding: encoding_grpc,
        decode: logs,
        reply: reply_logs,
    },
    Door {
        name: "otlp_grpc_metrics",
        path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        media: media_grpc,
        encoding: encoding_grpc,
        decode: metrics,
        reply: reply_metrics,
    },
];

/// The three `Export*ServiceResponse` messages: they differ in name only.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// The three `Export*PartialSuccess` messages.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// Content types of OTLP over HTTP.
pub(super) fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    match media_type(headers).as_str() {
        "application/x-protobuf" | "application/protobuf" => Ok(Media::Protobuf),
        "application/json" => Ok(Media::Json),
        other => Err(Fault::Unsupported(format!(
            "content type {other:?} is not OTLP: send application/x-protobuf or application/json"
        ))),
    }
}

/// Content type of a gRPC call.
pub(super) fn media_grpc(headers: &HeaderMap) -> Result<Media, Fault> {
    match media_type(headers).as_str() {
        "application/grpc" | "application/grpc+proto" => Ok(Media::Grpc),
        other => {
            Err(Fault::Unsupported(format!("content type {other:?} is not gRPC: send application/grpc")))
        }
    }
}

/// Encoding of a call's message, if the message says that it is encoded.
pub(super) fn encoding_grpc(headers: &HeaderMap, _: Media) -> Result<Encoding, Fault> {
    let value = headers.get("grpc-encoding").map_or("", |value| value.to_str().unwrap_or("unreadable"));
    match Encoding::from_header(value)? {
        Encoding::Snappy => {
            Err(Fault::Unsupported("grpc-encoding snappy: send identity, gzip or zstd".into()))
        }
        encoding => Ok(encoding),
    }
}

fn format_of(media: Media) -> Format {
    if media == Media::Json { Format::Json } else { Format::Protobuf }
}

fn traces(_: &Receiver, _: &Tenant, media: Media, body: &Bytes) -> Result<Decoded<Batch>, Fault> {
    Ok(batch(decode_traces(body, format_of(media))?, Batch::Spans))
}

/// Log records; those without a time get the time of receipt.
pub(super) fn logs(
    receiver: &Receiver,
    _: &Tenant,
    media: Media,
    body: &Bytes,
) -> Result<Decoded<Batch>, Fault> {
    Ok(batch(decode_logs(body, format_of(media), receiver.now_ns())?, Batch::Logs))
}

/// Metrics, translated to series; deltas become cumulative.
pub(super) fn metrics(
    receiver: &Receiver,
    tenant: &Tenant,
    media: Media,
    body: &Bytes,
) -> Result<Decoded<Batch>, Fault> {
    let now_ms = receiver.now_ns().div_euclid(1_000_000);
    let translation = &receiver.options().translation;
    receiver.with_deltas(tenant, |deltas| {
        Ok(batch(decode_metrics(body, format_of(media), translation, deltas, now_ms)?, Batch::Metrics))
    })
}

fn reply_traces(media: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    reply(media, result, "rejectedSpans")
}

/// The answer for logs.
pub(super) fn reply_logs(media: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    reply(media, result, "rejectedLogRecords")
}

/// The answer for metrics.
pub(super) fn reply_metrics(media: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    reply(media, result, "rejectedDataPoints")
}

fn reply(media: Option<Media>, result: Result<Receipt, Fault>, rejected_key: &str) -> Response {
    match (media, result) {
        (Some(Media::Grpc), Ok(receipt)) => grpc::ok(&response_of(&receipt).encode_to_vec()),
        (Some(Media::Grpc), Err(fault)) => grpc::error(&fault),
        (Some(Media::Json), Ok(receipt)) => Json(json_of(&receipt, rejected_key)).into_response(),
        (_, Ok(receipt)) => protobuf(StatusCode::OK, response_of(&receipt).encode_to_vec()),
        (None, Err(fault)) => text::refusal(&fault),
        (Some(Media::Json), Err(fault)) => {
            text::with_retry((fault.http(), Json(RpcStatus::json_of(&fault))).into_response(), &fault)
        }
        (Some(_), Err(fault)) => {
            text::with_retry(protobuf(fault.http(), RpcStatus::of(&fault).encode_to_vec()), &fault)
        }
    }
}

fn protobuf(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-protobuf")], body).into_response()
}

fn response_of(receipt: &Receipt) -> ExportResponse {
    let partial = (receipt.rejected > 0).then(|| PartialSuccess {
        rejected: i64::try_from(receipt.rejected).unwrap_or(i64::MAX),
        error_message: receipt.reasons.join("; "),
    });
    ExportResponse { partial_success: partial }
}

/// Protobuf's JSON form: 64-bit integers are strings.
fn json_of(receipt: &Receipt, rejected_key: &str) -> serde_json::Value {
    if receipt.rejected == 0 {
        return json!({"partialSuccess": {}});
    }
    json!({"partialSuccess": {
        rejected_key: receipt.rejected.to_string(),
        "errorMessage": receipt.reasons.join("; "),
    }})
}
