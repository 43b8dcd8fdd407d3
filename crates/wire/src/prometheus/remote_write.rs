//! Prometheus remote write 1.0: a snappy-packed `prometheus.WriteRequest`.
//!
//! The hot path of metrics: the unpacked body becomes the batch's arena, a series is named by the hash of its raw label
//! bytes, and labels are decoded only by whoever does not know that hash yet. Nothing is allocated per sample or series.
//! Source: `prometheus.io/docs/specs/prw/remote_write_spec` and the field numbers of `prompb`.

use super::native::{self, Buckets};
use crate::WireError;
use crate::compress;
use crate::limits::{ATTRIBUTES_PER_RECORD_MAX, BODY_BYTES_MAX};
use crate::proto::{Field, Reader};
use model::histogram::ResetHint;
use model::metric::{Exemplar, ExemplarPoint, HistogramPoint, SeriesEntry, SeriesLabels};
use model::{FloatHistogram, Labels, LabelsBuilder, MetricBatch, MetricKind, MetricMetadata, Text};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Seed of series keys made from raw remote write labels.
const KEY_SEED: u64 = 0x7277_3130_6c61_6265;

/// Decodes a request body, snappy included.
///
/// A series whose labels turn out to be invalid (no metric name, a name twice, invalid UTF-8) is left to the reader of
/// the batch: its [`SeriesLabels::Encoded`] decodes to `None`. Prometheus drops such a series without failing the request.
///
/// # Errors
/// When the body is not such a message, unpacks to more than [`BODY_BYTES_MAX`], or holds an invalid native histogram.
pub fn decode(body: &[u8]) -> Result<MetricBatch, WireError> {
    let arena = compress::snappy(body, BODY_BYTES_MAX)?;
    let mut batch = MetricBatch::default();
    let mut scattered = Vec::new();
    let mut request = Reader::new(&arena);
    while let Some(field) = request.next_field()? {
        match field.number {
            1 => {
                let bytes = field.bytes()?;
                series(&mut batch, bytes, request.at() - bytes.len(), arena.len(), &mut scattered)?;
            }
            3 => batch.metadata.push(metadata(field.message()?)?),
            _ => {}
        }
    }
    batch.arena = arena;
    batch.arena.append(&mut scattered);
    Ok(batch)
}

/// Reads a `TimeSeries` that starts at `base` of the arena. Labels that do not stand together (no known client sends
/// them so) are gathered in `scattered`, which will follow the `arena_len` bytes of the arena.
fn series(
    batch: &mut MetricBatch,
    bytes: &[u8],
    base: usize,
    arena_len: usize,
    scattered: &mut Vec<u8>,
) -> Result<(), WireError> {
    let at = u32::try_from(batch.series.len()).unwrap_or(u32::MAX);
    let mut labels: Option<std::ops::Range<usize>> = None;
    let mut together = true;
    let mut reader = Reader::new(bytes);
    loop {
        let start = reader.at();
        let Some(field) = reader.next_field()? else { break };
        match field.number {
            1 => {
                field.bytes()?;
                let range = labels.get_or_insert(start..start);
                together &= range.end == start;
                range.end = reader.at();
            }
            2 => sample(batch, at, field.message()?)?,
            3 => exemplar(batch, at, field.message()?)?,
            4 => histogram(batch, at, field.message()?)?,
            _ => {}
        }
    }
    let range = labels.unwrap_or_default();
    let (encoded, start) = if together {
        (bytes.get(range.clone()).unwrap_or_default(), base + range.start)
    } else {
        let start = scattered.len();
        gather_labels(bytes, scattered)?;
        (scattered.get(start..).unwrap_or_default(), arena_len + start)
    };
    let text = |value: usize| {
        u32::try_from(value)
            .map_err(|_| WireError::TooLarge { what: "request in bytes", limit: BODY_BYTES_MAX })
    };
    let entry = SeriesEntry {
        key: xxh3_128_with_seed(encoded, KEY_SEED),
        labels: SeriesLabels::Encoded {
            encoded: Text { start: text(start)?, len: text(encoded.len())? },
            decode: labels_of,
        },
    };
    batch.series.push(entry);
    Ok(())
}

fn gather_labels(bytes: &[u8], to: &mut Vec<u8>) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    loop {
        let start = reader.at();
        let Some(field) = reader.next_field()? else { return Ok(()) };
        if field.number == 1 {
            to.extend_from_slice(bytes.get(start..reader.at()).unwrap_or_default());
        }
    }
}

/// Decodes repeated `Label { string name = 1; string value = 2; }` with field number 1; `None` when Prometheus would
/// not take the series.
fn labels_of(encoded: &[u8]) -> Option<Labels> {
    let mut builder = LabelsBuilder::default();
    let (mut count, mut empty) = (0, 0);
    let mut reader = Reader::new(encoded);
    while let Some(field) = reader.next_field().ok()? {
        let (name, value) = label(&field).ok()?;
        let (name, value) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?);
        count += 1;
        if name.is_empty() || count > ATTRIBUTES_PER_RECORD_MAX {
            return None;
        }
        empty += usize::from(value.is_empty());
        builder.push(name, value);
    }
    let labels = builder.build();
    // Of a name that comes twice one label stays, so the set is short.
    (labels.len() + empty == count && !labels.metric_name().is_empty()).then_some(labels)
}

fn label<'a>(field: &Field<'a>) -> Result<(&'a [u8], &'a [u8]), WireError> {
    let (mut name, mut value) = (&b""[..], &b""[..]);
    let mut reader = field.message()?;
    while let Some(part) = reader.next_field()? {
        match part.number {
            1 => name = part.bytes()?,
            2 => value = part.bytes()?,
            _ => {}
        }
    }
    Ok((name, value))
}

fn sample(batch: &mut MetricBatch, series: u32, mut reader: Reader<'_>) -> Result<(), WireError> {
    let (mut value, mut ts_ms) = (0.0, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => value = field.double()?,
            2 => ts_ms = field.i64()?,
            _ => {}
        }
    }
    batch.push_float(series, ts_ms, value);
    Ok(())
}

fn exemplar(batch: &mut MetricBatch, series: u32, mut reader: Reader<'_>) -> Result<(), WireError> {
    let (mut builder, mut value, mut ts_ms) = (LabelsBuilder::default(), 0.0, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                let (name, text) = label(&field)?;
                builder.push(&String::from_utf8_lossy(name), &String::from_utf8_lossy(text));
            }
            2 => value = field.double()?,
            3 => ts_ms = field.i64()?,
            _ => {}
        }
    }
    let exemplar = Exemplar { labels: builder.build(), value, ts_ms };
    batch.exemplars.push(ExemplarPoint { series, exemplar });
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus turns integer counts into floats the same way")]
fn histogram(batch: &mut MetricBatch, series: u32, mut reader: Reader<'_>) -> Result<(), WireError> {
    let mut out = FloatHistogram::default();
    let (mut positive, mut negative) = (Buckets::default(), Buckets::default());
    let (mut float, mut ts_ms) = (false, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => (out.count, float) = (field.u64()? as f64, false),
            2 => (out.count, float) = (field.double()?, true),
            3 => out.sum = field.double()?,
            4 => {
                out.schema = i32::try_from(field.sint()?)
                    .map_err(|_| WireError::malformed("native histogram: schema is out of range"))?;
            }
            5 => out.zero_threshold = field.double()?,
            6 => out.zero_count = field.u64()? as f64,
            7 => out.zero_count = field.double()?,
            8 => out.negative_spans.push(native::span(field.message()?)?),
            9 => negative.append_deltas(&field)?,
            10 => negative.append_counts(&field)?,
            11 => out.positive_spans.push(native::span(field.message()?)?),
            12 => positive.append_deltas(&field)?,
            13 => positive.append_counts(&field)?,
            14 => out.reset_hint = reset_hint(field.i32()?),
            15 => ts_ms = field.i64()?,
            16 => field.append_fixed64(&mut out.custom_values, f64::from_bits)?,
            _ => {}
        }
    }
    out.positive_buckets = positive.absolute(float);
    out.negative_buckets = negative.absolute(float);
    native::validate(&out, float)?;
    batch.histograms.push(HistogramPoint { series, ts_ms, histogram: Arc::new(out) });
    Ok(())
}

fn reset_hint(number: i32) -> ResetHint {
    match number {
        1 => ResetHint::Yes,
        2 => ResetHint::No,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

fn metadata(mut reader: Reader<'_>) -> Result<MetricMetadata, WireError> {
    let mut out = MetricMetadata::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => out.kind = kind(field.i32()?),
            2 => out.family = field.text()?.into_owned(),
            4 => out.help = field.text()?.into_owned(),
            5 => out.unit = field.text()?.into_owned(),
            _ => {}
        }
    }
    Ok(out)
}

fn kind(number: i32) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 => MetricKind::Gauge,
        3 => MetricKind::Histogram,
        4 => MetricKind::GaugeHistogram,
        5 => MetricKind::Summary,
        6 => MetricKind::Info,
        7 => MetricKind::StateSet,
        _ => MetricKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Value, put_field, zigzag};

    fn message(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in fields {
            put_field(&mut out, *number, *value);
        }
        out
    }

    fn label(name: &str, value: &str) -> Vec<u8> {
        message(&[(1, Value::Bytes(name.as_bytes())), (2, Value::Bytes(value.as_bytes()))])
    }

    fn sample(value: f64, ts_ms: u64) -> Vec<u8> {
        message(&[(1, Value::Fixed64(value.to_bits())), (2, Value::Varint(ts_ms))])
    }

    fn pack(request: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(request).unwrap()
    }

    fn series(parts: &[(u32, Vec<u8>)]) -> Vec<u8> {
        message(&parts.iter().map(|(number, bytes)| (*number, Value::Bytes(bytes))).collect::<Vec<_>>())
    }

    fn check(parts: &[(u32, Vec<u8>)], labels: Option<&str>) -> MetricBatch {
        let series = series(parts);
        let batch = decode(&pack(&message(&[(1, Value::Bytes(&series))]))).unwrap();
        assert_eq!(batch.labels(0).map(|labels| labels.to_string()).as_deref(), labels);
        batch
    }

    #[test]
    fn samples_belong_to_their_series() {
        let one = series(&[
            (1, label("__name__", "up")),
            (1, label("job", "a")),
            (2, sample(1.0, 1000)),
            (2, sample(f64::NAN, 2000)),
        ]);
        let two = series(&[(1, label("__name__", "down")), (2, sample(3.0, 1500))]);
        let meta = message(&[(1, Value::Varint(1)), (2, Value::Bytes(b"up")), (4, Value::Bytes(b"help"))]);
        let request = message(&[(1, Value::Bytes(&one)), (3, Value::Bytes(&meta)), (1, Value::Bytes(&two))]);
        let batch = decode(&pack(&request)).unwrap();
        assert_eq!(batch.labels(0).unwrap().to_string(), r#"up{job="a"}"#);
        assert_eq!(batch.labels(1).unwrap().to_string(), "down");
        let points: Vec<_> = batch.floats.iter().map(|point| (point.series, point.ts_ms)).collect();
        assert_eq!(points, [(0, 1000), (0, 2000), (1, 1500)]);
        assert_eq!(batch.metadata[0].kind, MetricKind::Counter);
        assert_eq!(batch.arena.len(), request.len());
    }

    #[test]
    fn labels_are_checked_when_they_are_decoded() {
        check(&[(1, label("__name__", "up")), (1, label("empty", ""))], Some("up"));
        check(&[(1, label("job", "a"))], None);
        check(&[(1, label("__name__", "up")), (1, label("a", "1")), (1, label("a", "2"))], None);
        check(&[(1, label("__name__", "up")), (1, label("", "1"))], None);
        check(
            &[
                (1, label("__name__", "up")),
                (1, message(&[(1, Value::Bytes(b"a")), (2, Value::Bytes(b"\xff"))])),
            ],
            None,
        );
    }

    #[test]
    fn labels_that_stand_apart_are_still_one_set() {
        let parts = [(1, label("__name__", "up")), (2, sample(1.0, 1)), (1, label("job", "a"))];
        let apart = check(&parts, Some(r#"up{job="a"}"#));
        let together = check(&[(1, label("__name__", "up")), (1, label("job", "a"))], Some(r#"up{job="a"}"#));
        assert_eq!(apart.series[0].key, together.series[0].key);
    }

    #[test]
    fn integer_histograms_become_absolute() {
        let span = message(&[(1, Value::Varint(zigzag(-2))), (2, Value::Varint(2))]);
        let deltas: Vec<u8> = [3, -1]
            .iter()
            .flat_map(|delta| {
                let mut out = Vec::new();
                crate::proto::put_varint(&mut out, zigzag(*delta));
                out
            })
            .collect();
        let fields = |count| {
            message(&[
                (1, Value::Varint(count)),
                (3, Value::Fixed64(9.5_f64.to_bits())),
                (4, Value::Varint(zigzag(3))),
                (6, Value::Varint(1)),
                (11, Value::Bytes(&span)),
                (12, Value::Bytes(&deltas)),
                (15, Value::Varint(7)),
            ])
        };
        let batch = check(&[(1, label("__name__", "h")), (4, fields(6))], Some("h"));
        let point = &batch.histograms[0];
        assert_eq!((point.ts_ms, point.histogram.schema, point.histogram.count), (7, 3, 6.0));
        assert_eq!(point.histogram.positive_buckets, [3.0, 2.0]);
        let bad = series(&[(1, label("__name__", "h")), (4, fields(5))]);
        let error = decode(&pack(&message(&[(1, Value::Bytes(&bad))]))).unwrap_err();
        assert!(error.to_string().contains("but the Count field is 5"), "{error}");
    }

    #[test]
    fn a_million_labels_are_refused_without_decoding_the_rest() {
        let mut parts = vec![(1, label("__name__", "up"))];
        parts.extend((0..1_000_000).map(|at| (1, label(&at.to_string(), "x"))));
        check(&parts, None);
    }

    #[test]
    fn hostile_bodies_are_errors() {
        for bytes in [&b""[..], b"\xff\xff\xff\xff\x0f", b"no snappy"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
        assert!(decode(&pack(b"\x0a\xff\xff\xff\xff\x0f")).is_err());
        assert!(decode(&pack(b"\x08\x01\x0b")).is_err());
    }
}
