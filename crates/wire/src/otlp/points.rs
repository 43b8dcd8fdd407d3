//! The data points of OTLP metrics as they are on the wire, attributes and exemplars still encoded.

use super::attributes::{key_value, text};
use crate::WireError;
use crate::proto::{Field, Reader};
use model::metric::Exemplar;
use model::{LabelsBuilder, SpanId, TraceId};

/// The point says that there is no value: the series ends.
const NO_RECORDED_VALUE: u64 = 1;

/// What every kind of point has.
#[derive(Debug, Default)]
pub(super) struct Common<'a> {
    /// Key and `AnyValue`.
    pub(super) attributes: Vec<(&'a [u8], &'a [u8])>,
    /// Nanoseconds since the epoch.
    pub(super) start_ns: u64,
    /// Nanoseconds since the epoch.
    pub(super) time_ns: u64,
    /// The series ends here.
    pub(super) stale: bool,
    /// Values that point at traces.
    pub(super) exemplars: Vec<Exemplar>,
}

impl Common<'_> {
    /// Milliseconds since the epoch.
    pub(super) fn ts_ms(&self) -> i64 {
        milliseconds(self.time_ns)
    }

    fn flags(&mut self, flags: u64) {
        self.stale = flags & NO_RECORDED_VALUE != 0;
    }
}

/// Nanoseconds as milliseconds, both since the epoch.
pub(super) fn milliseconds(nanos: u64) -> i64 {
    (nanos / 1_000_000).cast_signed()
}

/// A point of a gauge or a sum.
#[derive(Debug, Default)]
pub(super) struct Number<'a> {
    pub(super) common: Common<'a>,
    pub(super) value: f64,
}

/// A point of a histogram with explicit bounds.
#[derive(Debug, Default)]
pub(super) struct Explicit<'a> {
    pub(super) common: Common<'a>,
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) counts: Vec<u64>,
    pub(super) bounds: Vec<f64>,
}

/// One side of an exponential histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dense {
    /// Index of the first bucket.
    pub(super) offset: i32,
    /// Adjacent counts.
    pub(super) counts: Vec<u64>,
}

/// A point of an exponential histogram.
#[derive(Debug, Default)]
pub(super) struct Exponential<'a> {
    pub(super) common: Common<'a>,
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) scale: i32,
    pub(super) zero_count: u64,
    pub(super) positive: Dense,
    pub(super) negative: Dense,
}

/// A point of a summary.
#[derive(Debug, Default)]
pub(super) struct Quantiles<'a> {
    pub(super) common: Common<'a>,
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Quantile and value.
    pub(super) values: Vec<(f64, f64)>,
}

#[expect(clippy::cast_precision_loss, reason = "a sample's value is a float")]
fn float(bits: u64) -> f64 {
    bits.cast_signed() as f64
}

impl<'a> Number<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, WireError> {
        let mut out = Self::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                2 => out.common.start_ns = field.fixed64()?,
                3 => out.common.time_ns = field.fixed64()?,
                4 => out.value = field.double()?,
                5 => out.common.exemplars.extend(exemplar(&field)?),
                6 => out.value = float(field.fixed64()?),
                7 => out.common.attributes.push(key_value(&field)?),
                8 => out.common.flags(field.u64()?),
                _ => {}
            }
        }
        Ok(out)
    }
}

impl<'a> Explicit<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, WireError> {
        let mut out = Self::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                2 => out.common.start_ns = field.fixed64()?,
                3 => out.common.time_ns = field.fixed64()?,
                4 => out.count = field.fixed64()?,
                5 => out.sum = Some(field.double()?),
                6 => field.append_fixed64(&mut out.counts, |count| count)?,
                7 => field.append_fixed64(&mut out.bounds, f64::from_bits)?,
                8 => out.common.exemplars.extend(exemplar(&field)?),
                9 => out.common.attributes.push(key_value(&field)?),
                10 => out.common.flags(field.u64()?),
                _ => {}
            }
        }
        Ok(out)
    }
}

impl<'a> Exponential<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, WireError> {
        let mut out = Self::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => out.common.attributes.push(key_value(&field)?),
                2 => out.common.start_ns = field.fixed64()?,
                3 => out.common.time_ns = field.fixed64()?,
                4 => out.count = field.fixed64()?,
                5 => out.sum = Some(field.double()?),
                6 => {
                    out.scale = i32::try_from(field.sint()?)
                        .map_err(|_| WireError::malformed("exponential histogram: scale is out of range"))?;
                }
                7 => out.zero_count = field.fixed64()?,
                8 => out.positive = dense(field.message()?)?,
                9 => out.negative = dense(field.message()?)?,
                10 => out.common.flags(field.u64()?),
                11 => out.common.exemplars.extend(exemplar(&field)?),
                _ => {}
            }
        }
        Ok(out)
    }
}

fn dense(mut reader: Reader<'_>) -> Result<Dense, WireError> {
    let mut out = Dense::default();
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                out.offset = i32::try_from(field.sint()?)
                    .map_err(|_| WireError::malformed("exponential histogram: offset is out of range"))?;
            }
            2 => field.append_varints(&mut out.counts, |count| count)?,
            _ => {}
        }
    }
    Ok(out)
}

impl<'a> Quantiles<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, WireError> {
        let mut out = Self::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                2 => out.common.start_ns = field.fixed64()?,
                3 => out.common.time_ns = field.fixed64()?,
                4 => out.count = field.fixed64()?,
                5 => out.sum = field.double()?,
                6 => out.values.push(quantile(field.message()?)?),
                7 => out.common.attributes.push(key_value(&field)?),
                8 => out.common.flags(field.u64()?),
                _ => {}
            }
        }
        Ok(out)
    }
}

fn quantile(mut reader: Reader<'_>) -> Result<(f64, f64), WireError> {
    let mut out = (0.0, 0.0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => out.0 = field.double()?,
            2 => out.1 = field.double()?,
            _ => {}
        }
    }
    Ok(out)
}

/// Most characters that the names and values of an exemplar's labels may have; beyond, only the ids stay.
const EXEMPLAR_CHARS_MAX: usize = 128;

/// An exemplar; one without a value is left out.
fn exemplar(field: &Field<'_>) -> Result<Option<Exemplar>, WireError> {
    let (mut attributes, mut value, mut ts_ms) = (Vec::new(), None, 0);
    let (mut trace, mut span) = (TraceId::default(), SpanId::default());
    let mut reader = field.message()?;
    while let Some(part) = reader.next_field()? {
        match part.number {
            2 => ts_ms = milliseconds(part.fixed64()?),
            3 => value = Some(part.double()?),
            4 => span = SpanId::from_bytes(part.bytes()?).unwrap_or_default(),
            5 => trace = TraceId::from_bytes(part.bytes()?).unwrap_or_default(),
            6 => value = Some(float(part.fixed64()?)),
            7 => {
                let (key, any) = key_value(&part)?;
                attributes.push((String::from_utf8_lossy(key), text(any)?));
            }
            _ => {}
        }
    }
    let ids =
        [("trace_id", trace.to_string(), trace.is_none()), ("span_id", span.to_string(), span.is_none())];
    let mut labels = LabelsBuilder::default();
    let mut chars = 0;
    for (name, id, _) in ids.iter().filter(|(_, _, none)| !none) {
        chars += name.len() + id.len();
        labels.push(name, id);
    }
    chars += attributes.iter().map(|(key, value)| key.chars().count() + value.chars().count()).sum::<usize>();
    if chars <= EXEMPLAR_CHARS_MAX {
        for (key, value) in &attributes {
            labels.push(key, value);
        }
    }
    Ok(value.map(|value| Exemplar { labels: labels.build(), value, ts_ms }))
}
