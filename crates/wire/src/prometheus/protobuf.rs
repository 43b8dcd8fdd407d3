//! Prometheus' protobuf exposition: a stream of length-delimited `io.prometheus.client.MetricFamily` messages.
//!
//! A classic histogram or summary becomes the same series as in the text format; a histogram with spans, a zero
//! threshold or a zero count is native. Source: the field numbers of `metrics.proto` in `prometheus/client_model`.

use super::exposition::{Exposition, ExpositionOptions};
use super::float::format_float;
use super::native::{self, Buckets};
use crate::WireError;
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use crate::proto::{Field, Reader};
use model::histogram::ResetHint;
use model::labels::METRIC_NAME;
use model::metric::{Exemplar, ExemplarPoint, HistogramPoint};
use model::{FloatHistogram, Labels, LabelsBuilder, MetricKind, MetricMetadata};
use std::sync::Arc;

/// Parses an exposition.
///
/// # Errors
/// When the bytes are not such a stream, or Prometheus would refuse a family; nothing of the exposition counts then.
pub fn parse(body: &[u8], options: &ExpositionOptions) -> Result<Exposition, WireError> {
    let mut out = Exposition::default();
    let mut stream = Reader::new(body);
    while stream.at() < body.len() {
        family(stream.length_delimited()?, options, &mut out)?;
    }
    Ok(out)
}

fn family(bytes: &[u8], options: &ExpositionOptions, out: &mut Exposition) -> Result<(), WireError> {
    let (mut meta, mut number) = (MetricMetadata::default(), 0);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => meta.family = strict_text(&field, "metric name")?,
            2 => meta.help = strict_text(&field, "help")?,
            3 => number = field.i32()?,
            5 => meta.unit = field.text()?.into_owned(),
            _ => {}
        }
    }
    meta.kind = kind(number).ok_or_else(|| {
        WireError::malformed(format!("unknown metric type for metric {:?}: {number}", meta.family))
    })?;
    let mut metrics = 0;
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next_field()? {
        if field.number == 4 {
            metrics += 1;
            let mut metric = Metric {
                name: &meta.family,
                kind: meta.kind,
                labels: LabelsBuilder::default(),
                ts_ms: 0,
                options,
                out,
            };
            metric.read(field.bytes()?)?;
        }
    }
    if metrics > 0 {
        if meta.family.is_empty() {
            return Err(WireError::malformed("invalid metric name: "));
        }
        out.batch.metadata.push(meta);
    }
    Ok(())
}

fn kind(number: i32) -> Option<MetricKind> {
    match number {
        0 => Some(MetricKind::Counter),
        1 => Some(MetricKind::Gauge),
        2 => Some(MetricKind::Summary),
        3 => Some(MetricKind::Unknown),
        4 => Some(MetricKind::Histogram),
        5 => Some(MetricKind::GaugeHistogram),
        _ => None,
    }
}

fn strict_text(field: &Field<'_>, what: &str) -> Result<String, WireError> {
    let bytes = field.bytes()?;
    let text = std::str::from_utf8(bytes)
        .map_err(|_| WireError::malformed(format!("invalid {what}: {:?}", String::from_utf8_lossy(bytes))))?;
    Ok(text.to_owned())
}

/// One metric of a family on its way into the exposition.
struct Metric<'a> {
    name: &'a str,
    kind: MetricKind,
    labels: LabelsBuilder,
    ts_ms: i64,
    options: &'a ExpositionOptions,
    out: &'a mut Exposition,
}

impl Metric<'_> {
    fn read(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut names = std::collections::HashSet::from([METRIC_NAME.to_owned()]);
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => {
                    let (name, value) = label(&field)?;
                    if names.len() > ATTRIBUTES_PER_RECORD_MAX {
                        return Err(WireError::TooLarge {
                            what: "labels of one series",
                            limit: ATTRIBUTES_PER_RECORD_MAX,
                        });
                    }
                    self.labels.push(&name, &value);
                    if name.is_empty() {
                        return Err(WireError::malformed(format!(
                            "invalid metric name or label names: {}",
                            self.name
                        )));
                    }
                    if !names.insert(name.clone()) {
                        return Err(WireError::malformed(format!(
                            "label name {name:?} is not unique: invalid sample"
                        )));
                    }
                }
                6 => self.ts_ms = field.i64()?,
                _ => {}
            }
        }
        let wanted = match self.kind {
            MetricKind::Gauge => 2,
            MetricKind::Counter => 3,
            MetricKind::Summary => 4,
            MetricKind::Histogram | MetricKind::GaugeHistogram => 7,
            _ => 5,
        };
        let mut value = Reader::new(&[]);
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next_field()? {
            if field.number == wanted {
                value = field.message()?;
            }
        }
        match self.kind {
            MetricKind::Summary => self.summary(value),
            MetricKind::Histogram | MetricKind::GaugeHistogram => self.histogram(value),
            _ => self.number(value),
        }
    }

    fn ts(&self) -> Option<i64> {
        (self.ts_ms != 0 && self.options.honor_timestamps).then_some(self.ts_ms)
    }

    /// Adds a series with this metric's labels and one more.
    fn series(&mut self, suffix: &str, extra: Option<(&str, f64)>) -> u32 {
        let mut labels = self.labels.clone();
        labels.push(METRIC_NAME, &format!("{}{suffix}", self.name));
        if let Some((name, bound)) = extra {
            labels.push(name, &format_float(bound));
        }
        let explicit = self.ts().is_some();
        self.out.explicit_ts.push(explicit);
        self.out.batch.push_series(labels.build())
    }

    fn sample(&mut self, suffix: &str, extra: Option<(&str, f64)>, value: f64, exemplar: Option<Exemplar>) {
        let series = self.series(suffix, extra);
        let ts_ms = self.ts().unwrap_or(self.options.default_ts_ms);
        self.out.batch.push_float(series, ts_ms, value);
        if let Some(mut exemplar) = exemplar {
            if exemplar.ts_ms == NO_TIME {
                exemplar.ts_ms = ts_ms;
            }
            self.out.batch.exemplars.push(ExemplarPoint { series, exemplar });
        }
    }

    /// Counter, gauge and untyped have their value in the same field.
    fn number(&mut self, mut reader: Reader<'_>) -> Result<(), WireError> {
        let (mut value, mut point) = (0.0, None);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => value = field.double()?,
                2 if self.kind == MetricKind::Counter => point = Some(exemplar(field.message()?)?),
                _ => {}
            }
        }
        self.sample("", None, value, point);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a sample's value is a float")]
    fn summary(&mut self, mut reader: Reader<'_>) -> Result<(), WireError> {
        let (mut count, mut sum, mut quantiles) = (0.0, 0.0, Vec::new());
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => count = field.u64()? as f64,
                2 => sum = field.double()?,
                3 => quantiles.push(quantile(field.message()?)?),
                _ => {}
            }
        }
        self.sample("_count", None, count, None);
        self.sample("_sum", None, sum, None);
        for (quantile, value) in quantiles {
            self.sample("", Some(("quantile", quantile)), value, None);
        }
        Ok(())
    }

    fn histogram(&mut self, reader: Reader<'_>) -> Result<(), WireError> {
        let parts = HistogramParts::read(reader)?;
        let native = self.options.native_histograms && parts.is_native();
        if !native || (self.options.classic_histograms && !parts.classic.is_empty()) {
            self.classic(&parts);
        }
        if native {
            self.native(parts)?;
        }
        Ok(())
    }

    fn classic(&mut self, parts: &HistogramParts) {
        self.sample("_count", None, parts.count(), None);
        self.sample("_sum", None, parts.histogram.sum, None);
        for bucket in &parts.classic {
            self.sample("_bucket", Some(("le", bucket.bound)), bucket.count, bucket.exemplar.clone());
        }
        if parts.classic.last().is_none_or(|bucket| bucket.bound < f64::INFINITY) {
            self.sample("_bucket", Some(("le", f64::INFINITY)), parts.count(), None);
        }
    }

    fn native(&mut self, parts: HistogramParts) -> Result<(), WireError> {
        let (float, count) = (parts.is_float(), parts.count());
        let mut histogram = parts.histogram;
        histogram.count = count;
        histogram.zero_count =
            if parts.zero_count_float > 0.0 { parts.zero_count_float } else { histogram.zero_count };
        histogram.positive_buckets = parts.positive.absolute(float);
        histogram.negative_buckets = parts.negative.absolute(float);
        if self.kind == MetricKind::GaugeHistogram {
            histogram.reset_hint = ResetHint::Gauge;
        }
        native::validate(&histogram, float)?;
        let series = self.series("", None);
        let ts_ms = self.ts().unwrap_or(self.options.default_ts_ms);
        self.out.batch.histograms.push(HistogramPoint { series, ts_ms, histogram: Arc::new(histogram) });
        let of_buckets = parts.classic.into_iter().filter_map(|bucket| bucket.exemplar);
        let exemplars: Vec<_> =
            if parts.exemplars.is_empty() { of_buckets.collect() } else { parts.exemplars };
        // An exemplar of a native histogram must carry its own time.
        let timed = exemplars.into_iter().filter(|exemplar| exemplar.ts_ms != NO_TIME);
        self.out.batch.exemplars.extend(timed.map(|exemplar| ExemplarPoint { series, exemplar }));
        Ok(())
    }
}

/// Stands for an exemplar without a time until its sample's is known.
const NO_TIME: i64 = i64::MIN;

/// A classic bucket.
#[derive(Debug)]
struct ClassicBucket {
    bound: f64,
    count: f64,
    exemplar: Option<Exemplar>,
}

/// The fields of a `Histogram` message.
#[derive(Debug, Default)]
struct HistogramParts {
    histogram: FloatHistogram,
    count_float: f64,
    zero_count_float: f64,
    positive: Buckets,
    negative: Buckets,
    classic: Vec<ClassicBucket>,
    exemplars: Vec<Exemplar>,
}

impl HistogramParts {
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus turns integer counts into floats the same way"
    )]
    fn read(mut reader: Reader<'_>) -> Result<Self, WireError> {
        let mut parts = Self::default();
        let out = &mut parts.histogram;
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => out.count = field.u64()? as f64,
                2 => out.sum = field.double()?,
                3 => parts.classic.push(bucket(field.message()?)?),
                4 => parts.count_float = field.double()?,
                5 => {
                    out.schema = i32::try_from(field.sint()?)
                        .map_err(|_| WireError::malformed("native histogram: schema is out of range"))?;
                }
                6 => out.zero_threshold = field.double()?,
                7 => out.zero_count = field.u64()? as f64,
                8 => parts.zero_count_float = field.double()?,
                9 => out.negative_spans.push(native::span(field.message()?)?),
                10 => parts.negative.append_deltas(&field)?,
                11 => parts.negative.append_counts(&field)?,
                12 => out.positive_spans.push(native::span(field.message()?)?),
                13 => parts.positive.append_deltas(&field)?,
                14 => parts.positive.append_counts(&field)?,
                16 => parts.exemplars.push(exemplar(field.message()?)?),
                _ => {}
            }
        }
        Ok(parts)
    }

    fn is_native(&self) -> bool {
        let histogram = &self.histogram;
        !histogram.positive_spans.is_empty()
            || !histogram.negative_spans.is_empty()
            || histogram.zero_threshold > 0.0
            || histogram.zero_count > 0.0
    }

    fn is_float(&self) -> bool {
        self.count_float > 0.0 || self.zero_count_float > 0.0
    }

    fn count(&self) -> f64 {
        if self.count_float > 0.0 { self.count_float } else { self.histogram.count }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sample's value is a float")]
fn bucket(mut reader: Reader<'_>) -> Result<ClassicBucket, WireError> {
    let mut out = ClassicBucket { bound: 0.0, count: 0.0, exemplar: None };
    let mut float = 0.0;
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => out.count = field.u64()? as f64,
            2 => out.bound = field.double()?,
            3 => out.exemplar = Some(exemplar(field.message()?)?),
            4 => float = field.double()?,
            _ => {}
        }
    }
    if float > 0.0 {
        out.count = float;
    }
    Ok(out)
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

fn label(field: &Field<'_>) -> Result<(String, String), WireError> {
    let mut out = (String::new(), String::new());
    let mut reader = field.message()?;
    while let Some(part) = reader.next_field()? {
        match part.number {
            1 => out.0 = strict_text(&part, "label name")?,
            2 => out.1 = strict_text(&part, "label value")?,
            _ => {}
        }
    }
    Ok(out)
}

fn exemplar(mut reader: Reader<'_>) -> Result<Exemplar, WireError> {
    let mut pairs = Vec::new();
    let (mut value, mut ts_ms) = (0.0, NO_TIME);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => pairs.push(label(&field)?),
            2 => value = field.double()?,
            3 => ts_ms = timestamp_ms(field.message()?)?,
            _ => {}
        }
    }
    Ok(Exemplar { labels: Labels::from_pairs(pairs), value, ts_ms })
}

/// `google.protobuf.Timestamp`, in milliseconds.
fn timestamp_ms(mut reader: Reader<'_>) -> Result<i64, WireError> {
    let (mut seconds, mut nanos) = (0_i64, 0);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => seconds = field.i64()?,
            2 => nanos = field.i32()?,
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(i64::from(nanos / 1_000_000)))
}
