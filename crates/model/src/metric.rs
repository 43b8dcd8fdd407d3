//! Samples on their way in: floats, native histograms, exemplars and metric metadata.
//!
//! A series carries the hash of its *encoded* labels, so that the store finds a known series without decoding them;
//! only a series it has not seen is decoded.

use crate::histogram::FloatHistogram;
use crate::labels::Labels;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The bits of the NaN that ends a series (Prometheus' `StaleNaN`).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker.
#[must_use]
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether `value` is the staleness marker, not merely a NaN.
#[must_use]
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// Where a series' labels are.
#[derive(Clone, Debug)]
pub enum SeriesLabels {
    /// Already decoded.
    Known(Labels),
    /// Still in their wire encoding: `encoded` in the arena, `decode` turns it into labels.
    Encoded {
        /// The bytes that were hashed into the key.
        encoded: Text,
        /// Decoder of the protocol they came by; `None` when the bytes are malformed.
        decode: fn(&[u8]) -> Option<Labels>,
    },
}

/// A series that this batch has samples for.
#[derive(Clone, Debug)]
pub struct SeriesEntry {
    /// 128-bit hash of the encoded labels, salted by the encoding; equal keys mean equal labels, unequal keys
    /// may still be the same series in another encoding.
    pub key: u128,
    /// The labels.
    pub labels: SeriesLabels,
}

/// One float sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatPoint {
    /// Index into [`MetricBatch::series`].
    pub series: u32,
    /// Milliseconds since the epoch.
    pub ts_ms: i64,
    /// The value; NaN payloads are kept.
    pub value: f64,
}

/// One native histogram sample.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramPoint {
    /// Index into [`MetricBatch::series`].
    pub series: u32,
    /// Milliseconds since the epoch.
    pub ts_ms: i64,
    /// The histogram; a stale marker has a stale NaN as its sum.
    pub histogram: Arc<FloatHistogram>,
}

/// A measured value that points at a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Usually `trace_id` and `span_id`.
    pub labels: Labels,
    /// The measured value.
    pub value: f64,
    /// Milliseconds since the epoch.
    pub ts_ms: i64,
}

/// An exemplar of one of the batch's series.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarPoint {
    /// Index into [`MetricBatch::series`].
    pub series: u32,
    /// The exemplar.
    pub exemplar: Exemplar,
}

/// Metric types, as Prometheus and OpenMetrics name them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Monotonic.
    Counter,
    /// Up and down.
    Gauge,
    /// Classic or native histogram.
    Histogram,
    /// `OpenMetrics` gauge histogram.
    GaugeHistogram,
    /// Client-side quantiles.
    Summary,
    /// Constant 1 with labels.
    Info,
    /// One series per state.
    StateSet,
    /// Not said.
    #[default]
    Unknown,
}

/// What an exposition says of a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetricMetadata {
    /// Family name.
    pub family: String,
    /// Its type.
    pub kind: MetricKind,
    /// Help text.
    pub help: String,
    /// Unit, often empty.
    pub unit: String,
}

/// Samples of many series, from one request or one scrape.
#[derive(Clone, Debug, Default)]
pub struct MetricBatch {
    /// What [`SeriesLabels::Encoded`] points into.
    pub arena: Vec<u8>,
    /// Distinct within the batch is usual, not required.
    pub series: Vec<SeriesEntry>,
    /// In arrival order.
    pub floats: Vec<FloatPoint>,
    /// In arrival order.
    pub histograms: Vec<HistogramPoint>,
    /// In arrival order.
    pub exemplars: Vec<ExemplarPoint>,
    /// Families described by the request.
    pub metadata: Vec<MetricMetadata>,
}

/// Salt of keys made from decoded labels ([`MetricBatch::push_series`]).
const KNOWN_SALT: u128 = 0x6b6e_6f77_6e00_0000_0000_0000_0000_0001;

impl MetricBatch {
    /// Adds a series with decoded labels and returns its index.
    pub fn push_series(&mut self, labels: Labels) -> u32 {
        let at = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        self.series
            .push(SeriesEntry { key: labels.hash128() ^ KNOWN_SALT, labels: SeriesLabels::Known(labels) });
        at
    }

    /// Adds a float sample to series `series`.
    pub fn push_float(&mut self, series: u32, ts_ms: i64, value: f64) {
        self.floats.push(FloatPoint { series, ts_ms, value });
    }

    /// The decoded labels of series `at`; `None` when they are malformed or there is no such series.
    #[must_use]
    pub fn labels(&self, at: u32) -> Option<Labels> {
        match &self.series.get(at as usize)?.labels {
            SeriesLabels::Known(labels) => Some(labels.clone()),
            SeriesLabels::Encoded { encoded, decode } => decode(encoded.bytes(&self.arena)),
        }
    }

    /// Float and histogram samples.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }
}
