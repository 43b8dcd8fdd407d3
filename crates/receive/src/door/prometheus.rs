//! Prometheus' remote write 1.0 receiver, and its OTLP endpoint.
//!
//! A full pipeline answers 503 here and not 429: a Prometheus in its default configuration retries the first and drops
//! the data on the second (`retry_on_http_429`).

use super::{Batch, Door, Media, Receipt, Receiver, body, content_encoding, media_type, otlp, text, whole};
use crate::fault::Fault;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::Tenant;
use model::ingest::LABELS_MALFORMED;
use wire::Decoded;
use wire::compress::Encoding;

/// Rows of 9090.
pub(super) const DOORS: &[Door] = &[
    Door { name: "prometheus_remote_write", path: "/api/v1/write", media, encoding, decode, reply },
    Door {
        name: "prometheus_otlp_metrics",
        path: "/api/v1/otlp/v1/metrics",
        media: media_otlp,
        encoding: content_encoding,
        decode: otlp::metrics,
        reply: reply_otlp,
    },
];

const PROTOBUF: &str = "application/x-protobuf";
const MESSAGE_V1: &str = "prometheus.WriteRequest";
const MESSAGE_V2: &str = "io.prometheus.write.v2.Request";

/// The checks and sentences of Prometheus' own receiver.
fn media(headers: &HeaderMap) -> Result<Media, Fault> {
    let content =
        headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("unreadable")).trim();
    message_of(if content.is_empty() { PROTOBUF } else { content })?;
    Ok(Media::Protobuf)
}

/// Snappy is part of the protocol: the decoder undoes it, whether the header names it or not.
fn encoding(headers: &HeaderMap, _: Media) -> Result<Encoding, Fault> {
    match headers.get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("unreadable")) {
        "" | "snappy" => Ok(Encoding::Identity),
        other => Err(Fault::Unsupported(format!(
            "{other} encoding (compression) is not accepted by this server; only snappy is acceptable"
        ))),
    }
}

fn message_of(content: &str) -> Result<(), Fault> {
    let mut parts = content.split(';');
    if parts.next() != Some(PROTOBUF) {
        let message = format!("expected {PROTOBUF} as the first (media) part, got {content} content-type");
        return Err(Fault::Unsupported(message));
    }
    for part in parts {
        let Some((name, value)) = part.trim().split_once('=') else {
            let message = format!(
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, \
                 got {part} in {content} content-type"
            );
            return Err(Fault::Unsupported(message));
        };
        match (name, value) {
            ("proto", MESSAGE_V1) => return Ok(()),
            ("proto", MESSAGE_V2) => {
                let message = format!(
                    "{MESSAGE_V2} protobuf message is not accepted by this server; only accepts {MESSAGE_V1}"
                );
                return Err(Fault::Unsupported(message));
            }
            ("proto", other) => {
                let message = format!(
                    "got {content} content type; unknown type for remote write protobuf message {other}, \
                     supported: {MESSAGE_V1}"
                );
                return Err(Fault::Unsupported(message));
            }
            _ => {}
        }
    }
    Ok(())
}

fn decode(_: &Receiver, _: &Tenant, _: Media, body: &Bytes) -> Result<Decoded<Batch>, Fault> {
    Ok(whole(Batch::Metrics(wire::prometheus::remote_write::decode(body)?)))
}

/// 204, also when series with malformed labels were left out (they are counted), as Prometheus' own receiver answers;
/// 400 with a reason a line when something else was.
fn reply(_: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    match result {
        Ok(receipt) if receipt.reasons.iter().any(|reason| reason != LABELS_MALFORMED) => {
            text::plain(StatusCode::BAD_REQUEST, &receipt.reasons.join("\n"))
        }
        Ok(receipt) => {
            let mut response = text::empty(StatusCode::NO_CONTENT);
            let headers = response.headers_mut();
            headers.insert("x-prometheus-remote-write-samples-written", HeaderValue::from(receipt.floats));
            headers.insert(
                "x-prometheus-remote-write-histograms-written",
                HeaderValue::from(receipt.histograms),
            );
            headers
                .insert("x-prometheus-remote-write-exemplars-written", HeaderValue::from(receipt.exemplars));
            response
        }
        Err(fault @ Fault::Full { .. }) => text::refusal_as(StatusCode::SERVICE_UNAVAILABLE, &fault),
        Err(fault @ Fault::TooLarge { what, .. }) if what != body::BODY => {
            text::refusal_as(StatusCode::BAD_REQUEST, &fault)
        }
        Err(fault) => text::refusal(&fault),
    }
}

/// As [`otlp::media`], in Prometheus' words.
fn media_otlp(headers: &HeaderMap) -> Result<Media, Fault> {
    let told = |_| {
        let supported = "supported: [application/json, application/x-protobuf]";
        Fault::Malformed(format!("unsupported content type: {}, {supported}", media_type(headers)))
    };
    otlp::media(headers).map_err(told)
}

/// Success as OTLP has it; errors in plain text, and 400 also for an encoding that is not known, as Prometheus answers.
fn reply_otlp(media: Option<Media>, result: Result<Receipt, Fault>) -> Response {
    match result {
        Ok(receipt) if receipt.rejected == 0 => text::empty(StatusCode::OK),
        Ok(receipt) => otlp::reply_metrics(media, Ok(receipt)),
        Err(fault @ Fault::Unsupported(_)) => text::refusal_as(StatusCode::BAD_REQUEST, &fault),
        Err(fault) => text::refusal(&fault),
    }
}
