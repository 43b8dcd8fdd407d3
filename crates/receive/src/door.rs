//! The table of doors and the one path that every request takes through them.
//!
//! Content type -> tenant -> bounded body -> decompression -> decoding -> [`Ingest`] -> the protocol's own answer. A
//! protocol is a file below this one with its rows and its answers; nothing else differs between doors.

pub(crate) mod body;
mod jaeger;
mod loki;
mod otlp;
mod prometheus;
pub mod receiver;
mod sampling;
mod text;
mod zipkin;

#[cfg(test)]
mod tests;

pub use receiver::{Receiver, ReceiverOptions};

use crate::budget::Hold;
use crate::fault::Fault;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use model::ingest::Answer;
use model::{LogBatch, MetricBatch, SpanBatch, Tenant};
use platform::metrics::{Counter, Registry};
use wire::Decoded;
use wire::compress::Encoding;

/// Header (and gRPC metadata key) that names the tenant.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// Bodies up to this size that are not compressed are decoded and handed over where they arrive; others on the blocking
/// pool, so that a large request does not hold up small ones.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
    Thrift,
    Grpc,
}

/// Bytes to nouns.
type Decode = fn(&Receiver, &Tenant, Media, &Bytes) -> Result<Decoded<Batch>, Fault>;

/// One row: where, how to read, how to decode, how to answer.
struct Door {
    /// Value of the `door` label of our own metrics.
    name: &'static str,
    /// Where it is.
    path: &'static str,
    /// Judges the content type.
    media: fn(&HeaderMap) -> Result<Media, Fault>,
    /// What to undo before decoding.
    encoding: fn(&HeaderMap, Media) -> Result<Encoding, Fault>,
    /// Bytes to nouns.
    decode: Decode,
    /// The protocol's answer; there is no medium when `media` refused it.
    reply: fn(Option<Media>, Result<Receipt, Fault>) -> Response,
}

/// What a door decoded.
#[derive(Debug)]
enum Batch {
    Metrics(MetricBatch),
    Logs(LogBatch),
    Spans(SpanBatch),
}

/// What was taken of a request.
#[derive(Debug, Default)]
struct Receipt {
    accepted: u64,
    rejected: u64,
    reasons: Vec<String>,
    floats: usize,
    histograms: usize,
    exemplars: usize,
}

fn batch<B>(decoded: Decoded<B>, wrap: fn(B) -> Batch) -> Decoded<Batch> {
    Decoded { batch: wrap(decoded.batch), rejected: decoded.rejected, reasons: decoded.reasons }
}

fn whole(batch: Batch) -> Decoded<Batch> {
    Decoded { batch, rejected: 0, reasons: Vec::new() }
}

/// OTLP over HTTP and gRPC: one router serves 4317 and 4318.
pub fn otlp(receiver: &Receiver) -> Router {
    router(&[otlp::HTTP, otlp::GRPC], receiver)
}

/// Prometheus remote write and OTLP under Prometheus' path.
pub fn prometheus(receiver: &Receiver) -> Router {
    router(&[prometheus::DOORS], receiver)
}

/// Loki push and OTLP under Loki's path.
pub fn loki(receiver: &Receiver) -> Router {
    router(&[loki::DOORS], receiver)
}

/// Zipkin v2; v1 answers 501.
pub fn zipkin(receiver: &Receiver) -> Router {
    router(&[zipkin::DOORS], receiver).route("/api/v1/spans", post(zipkin::version_1))
}

/// Jaeger's collector: thrift over HTTP (14268) and `PostSpans` (14250), with the sampling strategies that agents ask
/// the collector for.
pub fn jaeger(receiver: &Receiver) -> Router {
    router(&[jaeger::DOORS], receiver).merge(sampling::router("/api/sampling", receiver))
}

/// Jaeger's sampling strategies (5778).
pub fn sampling(receiver: &Receiver) -> Router {
    sampling::router("/sampling", receiver)
}

fn router(tables: &[&'static [Door]], receiver: &Receiver) -> Router {
    let mut router = Router::new();
    for door in tables.iter().flat_map(|table| table.iter()) {
        let counters = Counters::new(door.name, receiver.registry());
        let handler = move |State(receiver): State<Receiver>, request: Request| async move {
            serve(door, &counters, &receiver, request).await
        };
        router = router.route(door.path, post(handler));
    }
    router.with_state(receiver.clone())
}

/// What one door counts.
#[derive(Clone, Debug)]
struct Counters {
    taken: Counter,
    refused: Counter,
    pushed_back: Counter,
    bytes: Counter,
    records: Counter,
    rejected: Counter,
}

impl Counters {
    fn new(door: &'static str, registry: &Registry) -> Self {
        let requests = |outcome: &str| {
            let labels = format!("door=\"{door}\",outcome=\"{outcome}\"");
            registry.counter("binnacle_receive_requests_total", &labels, "Requests by door and outcome.")
        };
        let labels = format!("door=\"{door}\"");
        let of = |name, help| registry.counter(name, &labels, help);
        Self {
            taken: requests("taken"),
            refused: requests("refused"),
            pushed_back: requests("retry_later"),
            bytes: of("binnacle_receive_bytes_total", "Body bytes as received, before decompression."),
            records: of("binnacle_receive_records_total", "Samples, spans or log records taken."),
            rejected: of(
                "binnacle_receive_rejected_records_total",
                "Records that could not be taken as they were.",
            ),
        }
    }

    fn count(&self, result: &Result<Receipt, Fault>) {
        match result {
            Ok(receipt) => {
                self.taken.inc();
                self.records.add(receipt.accepted);
                self.rejected.add(receipt.rejected);
            }
            Err(fault) if fault.retry_after_s().is_some() => self.pushed_back.inc(),
            Err(_) => self.refused.inc(),
        }
    }
}

async fn serve(door: &'static Door, counters: &Counters, receiver: &Receiver, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (media, result) = match (door.media)(&parts.headers) {
        Err(fault) => {
            body::discard(body);
            (None, Err(fault))
        }
        Ok(media) => (Some(media), take(door, counters, receiver, media, &parts, body).await),
    };
    counters.count(&result);
    if let Err(fault) = &result {
        tracing::debug!(door = door.name, status = fault.http().as_u16(), %fault, "request refused");
    }
    (door.reply)(media, result)
}

async fn take(
    door: &'static Door,
    counters: &Counters,
    receiver: &Receiver,
    media: Media,
    parts: &Parts,
    body: axum::body::Body,
) -> Result<Receipt, Fault> {
    let judged =
        tenant_of(&parts.headers).and_then(|tenant| Ok((tenant, (door.encoding)(&parts.headers, media)?)));
    let (tenant, mut encoding) = match judged {
        Ok(judged) => judged,
        Err(fault) => {
            body::discard(body);
            return Err(fault);
        }
    };
    let limits = receiver.options();
    let mut hold = receiver.budget().hold();
    let frame_bytes = if media == Media::Grpc { crate::grpc::FRAME_HEADER_BYTES } else { 0 };
    let mut body = body::read(body, limits, frame_bytes, &parts.headers, &mut hold).await?;
    counters.bytes.add(body.len() as u64);
    if media == Media::Grpc {
        let (packed, message) = crate::grpc::unframe(body, limits.request_bytes_max)?;
        body = message;
        encoding = if packed { encoding } else { Encoding::Identity };
    }
    let message = Message { door, receiver: receiver.clone(), tenant: tenant.clone(), media, encoding, body };
    let handed = if message.body.len() <= INLINE_BYTES_MAX && encoding == Encoding::Identity {
        message.hand_over(&mut hold)
    } else {
        let _place = receiver.decoders().acquire().await;
        let work = move || (message.hand_over(&mut hold), hold);
        let (handed, kept) = platform::task::blocking("decode", work).await.ok_or_else(interrupted)?;
        hold = kept;
        handed
    };
    let receipt = handed?.receipt().await;
    drop(hold);
    receipt
}

fn interrupted() -> Fault {
    Fault::Unavailable("decoding was interrupted: send again".into())
}

/// A request that has arrived whole.
struct Message {
    door: &'static Door,
    receiver: Receiver,
    tenant: Tenant,
    media: Media,
    encoding: Encoding,
    body: Bytes,
}

impl Message {
    /// Decodes the message and does its batch's work, all but waiting for the answer.
    fn hand_over(&self, hold: &mut Hold) -> Result<Handed, Fault> {
        let decoded = self.decode(hold)?;
        let mut receipt =
            Receipt { rejected: decoded.rejected, reasons: decoded.reasons, ..Receipt::default() };
        let ingest = self.receiver.ingest();
        let answer = match decoded.batch {
            Batch::Metrics(batch) => {
                receipt.floats = batch.floats.len();
                receipt.histograms = batch.histograms.len();
                receipt.exemplars = batch.exemplars.len();
                ingest.metrics(&self.tenant, batch)
            }
            Batch::Logs(batch) => ingest.logs(&self.tenant, batch),
            Batch::Spans(batch) => ingest.spans(&self.tenant, batch),
        };
        Ok(Handed { receipt, answer })
    }

    fn decode(&self, hold: &mut Hold) -> Result<Decoded<Batch>, Fault> {
        let decode = |body: &Bytes| (self.door.decode)(&self.receiver, &self.tenant, self.media, body);
        match self.encoding.unpack(&self.body, self.receiver.options().decoded_bytes_max)? {
            None => decode(&self.body),
            Some(plain) => {
                hold.grow(plain.len())?;
                decode(&plain.into())
            }
        }
    }
}

/// A batch that was handed on: what is known of it, and the answer that will come.
struct Handed {
    receipt: Receipt,
    answer: Answer,
}

impl Handed {
    async fn receipt(self) -> Result<Receipt, Fault> {
        let accepted = self.answer.await?;
        let mut receipt = self.receipt;
        receipt.accepted = accepted.records;
        receipt.rejected = receipt.rejected.saturating_add(accepted.rejected);
        receipt.reasons.extend(accepted.reasons);
        receipt.reasons.truncate(model::ingest::REASONS_MAX);
        Ok(receipt)
    }
}

/// The tenant that `headers` name, or the default one.
fn tenant_of(headers: &HeaderMap) -> Result<Tenant, Fault> {
    match headers.get(TENANT_HEADER) {
        None => Ok(Tenant::default()),
        Some(name) => Ok(Tenant::new(&String::from_utf8_lossy(name.as_bytes()))?),
    }
}

/// The media type of a `Content-Type`, without parameters, in lower case; empty when there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value =
        headers.get(http::header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or_default());
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The `Content-Encoding`; one that is not known is 400, as the collector, Prometheus and Loki answer it.
fn content_encoding(headers: &HeaderMap, _: Media) -> Result<Encoding, Fault> {
    let value = headers
        .get(http::header::CONTENT_ENCODING)
        .map_or("", |value| value.to_str().unwrap_or("unreadable"));
    Encoding::from_header(value).map_err(|error| Fault::Malformed(error.to_string()))
}
