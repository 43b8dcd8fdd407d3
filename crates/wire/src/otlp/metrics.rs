//! OTLP metrics to series, as Prometheus 3's own OTLP receiver makes them.
//!
//! `job` and `instance` come from the service attributes, the rest of a resource stands in `target_info`, classic
//! histograms and summaries fall apart into their series, exponential histograms stay whole. Deltas are summed up first.

use super::attributes::{key_value, text};
use super::delta::DeltaState;
use super::names::{self, NameKind, TranslationStrategy};
use super::points::{Common, Explicit, Exponential, Number, Quantiles, milliseconds};
use super::{Format, native, protobuf, schema};
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use crate::proto::{Field, Reader};
use crate::{Decoded, WireError};
use model::labels::METRIC_NAME;
use model::metric::{Exemplar, ExemplarPoint, HistogramPoint, stale_nan};
use model::{FloatHistogram, Labels, LabelsBuilder, MetricBatch, MetricKind, MetricMetadata};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How OTLP metrics become series; the default is Prometheus'.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of Prometheus' otlp configuration, one to one"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsTranslation {
    /// How names are translated.
    pub strategy: TranslationStrategy,
    /// Resource attributes that become labels of every series of the resource.
    pub promote_resource_attributes: Vec<String>,
    /// All of them do, but the ignored ones.
    pub promote_all_resource_attributes: bool,
    /// Exceptions from promoting all.
    pub ignore_resource_attributes: Vec<String>,
    /// `service.*` stay in `target_info` although `job` and `instance` carry them.
    pub keep_identifying_resource_attributes: bool,
    /// Histograms with explicit bounds become native ones with custom bounds.
    pub convert_histograms_to_nhcb: bool,
    /// The scope's name, version and attributes become `otel_scope_*` labels.
    pub promote_scope_metadata: bool,
}

/// How far apart samples of `target_info` stand: half of Prometheus' default lookback.
const TARGET_INFO_INTERVAL_NS: u64 = 150 * 1_000_000_000;

/// Most samples of `target_info` for one resource of a request; the latest stay.
const TARGET_INFO_SAMPLES_MAX: u64 = 1000;

const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];

/// Decodes an `ExportMetricsServiceRequest` (which is also `MetricsData`). `now_ms` ages the delta streams.
///
/// A data point that cannot become samples is rejected alone; the error texts are Prometheus'.
///
/// # Errors
/// When the body is not such a message.
pub fn decode_metrics(
    body: &[u8],
    format: Format,
    translation: &MetricsTranslation,
    deltas: &mut DeltaState,
    now_ms: i64,
) -> Result<Decoded<MetricBatch>, WireError> {
    let bytes = protobuf(body, format, &schema::METRICS)?;
    let mut decoder = Decoder {
        translation,
        deltas,
        now_ms,
        out: Decoded::default(),
        resource: Vec::new(),
        scope: Vec::new(),
        range_ns: None,
        families: HashSet::new(),
        target_infos: HashSet::new(),
        label_names: HashMap::new(),
    };
    let mut request = Reader::new(&bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_metrics(field.message()?)?;
        }
    }
    Ok(decoder.out)
}

type Pairs = Vec<(String, String)>;

struct Decoder<'a> {
    translation: &'a MetricsTranslation,
    deltas: &'a mut DeltaState,
    now_ms: i64,
    out: Decoded<MetricBatch>,
    /// Labels that the resource gives every series: promoted ones (which yield to a point's own), then the strong ones.
    resource: Vec<(String, String, Strength)>,
    /// Labels that the scope gives.
    scope: Pairs,
    /// Earliest and latest point of the resource.
    range_ns: Option<(u64, u64)>,
    families: HashSet<String>,
    target_infos: HashSet<(u128, i64)>,
    label_names: HashMap<String, Result<String, String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    Yields,
    Overrides,
}

/// A metric's name and kind of points.
struct Metric<'a> {
    name: String,
    delta: bool,
    points: Reader<'a>,
}

/// Most distinct attribute names whose labels are remembered within a request.
const LABEL_NAMES_MAX: usize = 4096;

impl<'a> Decoder<'a> {
    fn resource_metrics(&mut self, reader: Reader<'a>) -> Result<(), WireError> {
        let mut attributes = Pairs::new();
        let mut first = reader;
        while let Some(field) = first.next_field()? {
            if field.number == 1 {
                attributes = pairs(field.message()?, 1)?;
            }
        }
        self.range_ns = None;
        self.enter_resource(&attributes);
        let mut second = reader;
        while let Some(field) = second.next_field()? {
            if field.number == 2 {
                self.scope_metrics(field.message()?)?;
            }
        }
        if let Some((earliest, latest)) = self.range_ns
            && let Err(reason) = self.target_info(&attributes, earliest, latest)
        {
            self.out.reject(1, || reason);
        }
        Ok(())
    }

    fn enter_resource(&mut self, attributes: &Pairs) {
        let get =
            |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        self.resource.clear();
        for (key, value) in attributes {
            let translation = self.translation;
            let promoted = if translation.promote_all_resource_attributes {
                !translation.ignore_resource_attributes.contains(key)
            } else {
                translation.promote_resource_attributes.contains(key)
            };
            if promoted && let Ok(name) = self.label_name(key) {
                self.resource.push((name, value.clone(), Strength::Yields));
            }
        }
        if let Some(name) = get("service.name") {
            let job = get("service.namespace")
                .map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
            self.resource.push(("job".into(), job, Strength::Overrides));
        }
        if let Some(instance) = get("service.instance.id") {
            self.resource.push(("instance".into(), instance.into(), Strength::Overrides));
        }
    }

    fn scope_metrics(&mut self, reader: Reader<'a>) -> Result<(), WireError> {
        let mut first = reader;
        let (mut scope, mut schema_url) = (None, String::new());
        while let Some(field) = first.next_field()? {
            match field.number {
                1 => scope = Some(field.message()?),
                3 => schema_url = field.text()?.into_owned(),
                _ => {}
            }
        }
        self.scope.clear();
        if let Some(scope) = scope.filter(|_| self.translation.promote_scope_metadata) {
            self.enter_scope(scope, schema_url)?;
        }
        let mut second = reader;
        while let Some(field) = second.next_field()? {
            if field.number == 2 {
                self.metric(field.message()?)?;
            }
        }
        Ok(())
    }

    fn enter_scope(&mut self, reader: Reader<'a>, schema_url: String) -> Result<(), WireError> {
        let (mut name, mut version, mut fields) = (String::new(), String::new(), reader);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => name = field.text()?.into_owned(),
                2 => version = field.text()?.into_owned(),
                _ => {}
            }
        }
        if name.is_empty() {
            return Ok(());
        }
        for (key, value) in pairs(reader, 3)? {
            if let Ok(label) = self.label_name(&format!("otel_scope_{key}")) {
                self.scope.push((label, value));
            }
        }
        let named = [
            ("otel_scope_name", name),
            ("otel_scope_version", version),
            ("otel_scope_schema_url", schema_url),
        ];
        self.scope.extend(named.map(|(label, value)| (label.to_owned(), value)));
        Ok(())
    }

    fn metric(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        let (mut name, mut help, mut unit, mut data) = (String::new(), String::new(), String::new(), None);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => name = field.text()?.into_owned(),
                2 => help = field.text()?.into_owned(),
                3 => unit = field.text()?.into_owned(),
                5 | 7 | 9 | 10 | 11 => data = Some(field),
                _ => {}
            }
        }
        let Some(data) = data else {
            self.out.reject(1, || format!("metric {name:?} has no data"));
            return Ok(());
        };
        let points = data.message()?;
        let (temporality, monotonic) = temporality(points, data.number)?;
        let cumulative = !matches!(data.number, 7 | 9 | 10) || matches!(temporality, 1 | 2);
        let (kind, name_kind) = match data.number {
            5 => (MetricKind::Gauge, NameKind::Gauge),
            7 if monotonic => (MetricKind::Counter, NameKind::Counter),
            7 => (MetricKind::Gauge, NameKind::Other),
            11 => (MetricKind::Summary, NameKind::Other),
            _ => (MetricKind::Histogram, NameKind::Other),
        };
        let translated = names::metric(self.translation.strategy, &name, &unit, name_kind);
        let family = match translated {
            Ok(family) if cumulative => family,
            Ok(_) => {
                let reason = || format!("invalid temporality and type combination for metric {name:?}");
                self.out.reject(count(points)?, reason);
                return Ok(());
            }
            Err(reason) => {
                self.out.reject(count(points)?, || reason);
                return Ok(());
            }
        };
        if self.families.insert(family.clone()) {
            let unit = names::unit(&unit);
            self.out.batch.metadata.push(MetricMetadata { family: family.clone(), kind, help, unit });
        }
        let metric = Metric { name: family, delta: temporality == 1, points };
        self.points(&metric, data.number)
    }

    fn points(&mut self, metric: &Metric<'a>, kind: u32) -> Result<(), WireError> {
        let mut reader = metric.points;
        while let Some(field) = reader.next_field()? {
            if field.number != 1 {
                continue;
            }
            let message = field.message()?;
            let result = match kind {
                5 | 7 => self.number(metric, kind == 7, Number::read(message)?),
                9 => self.explicit(metric, Explicit::read(message)?),
                10 => self.exponential(metric, Exponential::read(message)?),
                _ => self.quantiles(metric, &Quantiles::read(message)?),
            };
            match result {
                Ok(()) => {}
                Err(Reject::Point(reason)) => self.out.reject(1, || reason),
                Err(Reject::Request(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn number(&mut self, metric: &Metric<'_>, sum: bool, mut point: Number<'_>) -> Result<(), Reject> {
        let labels = self.labels(&point.common, &metric.name)?;
        if metric.delta && !point.common.stale {
            self.deltas.number(labels.hash128(), &mut point, self.now_ms).map_err(reject)?;
        }
        let exemplars = if sum { std::mem::take(&mut point.common.exemplars) } else { Vec::new() };
        self.sample(labels, &point.common, point.value, exemplars);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a sample's value is a float")]
    fn explicit(&mut self, metric: &Metric<'_>, mut point: Explicit<'_>) -> Result<(), Reject> {
        let labels = self.labels(&point.common, &metric.name)?;
        if metric.delta && !point.common.stale {
            self.deltas.explicit(labels.hash128(), &mut point, self.now_ms).map_err(reject)?;
        }
        if self.translation.convert_histograms_to_nhcb {
            let histogram = native::custom(&point).map_err(Reject::Point)?;
            self.histogram(labels, point.common, histogram);
            return Ok(());
        }
        if let Some(sum) = point.sum {
            self.sample(with(&labels, &metric.name, "_sum", None), &point.common, sum, Vec::new());
        }
        self.sample(
            with(&labels, &metric.name, "_count", None),
            &point.common,
            point.count as f64,
            Vec::new(),
        );
        let mut exemplars = std::mem::take(&mut point.common.exemplars);
        let mut cumulative = 0_u64;
        for (bound, count) in point.bounds.iter().zip(&point.counts) {
            cumulative = cumulative.wrapping_add(*count);
            let (here, rest) =
                exemplars.into_iter().partition(|exemplar: &Exemplar| exemplar.value <= *bound);
            exemplars = rest;
            let bucket = with(&labels, &metric.name, "_bucket", Some(("le", &plain(*bound))));
            self.sample(bucket, &point.common, cumulative as f64, here);
        }
        let bucket = with(&labels, &metric.name, "_bucket", Some(("le", "+Inf")));
        self.sample(bucket, &point.common, point.count as f64, exemplars);
        Ok(())
    }

    fn exponential(&mut self, metric: &Metric<'_>, mut point: Exponential<'_>) -> Result<(), Reject> {
        let labels = self.labels(&point.common, &metric.name)?;
        if metric.delta && !point.common.stale {
            self.deltas.exponential(labels.hash128(), &mut point, self.now_ms).map_err(reject)?;
        }
        let histogram = native::exponential(&point).map_err(Reject::Point)?;
        self.histogram(labels, point.common, histogram);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a sample's value is a float")]
    fn quantiles(&mut self, metric: &Metric<'_>, point: &Quantiles<'_>) -> Result<(), Reject> {
        let labels = self.labels(&point.common, &metric.name)?;
        self.sample(with(&labels, &metric.name, "_sum", None), &point.common, point.sum, Vec::new());
        self.sample(
            with(&labels, &metric.name, "_count", None),
            &point.common,
            point.count as f64,
            Vec::new(),
        );
        for (quantile, value) in &point.values {
            let series = with(&labels, &metric.name, "", Some(("quantile", &plain(*quantile))));
            self.sample(series, &point.common, *value, Vec::new());
        }
        Ok(())
    }

    fn sample(&mut self, labels: Labels, common: &Common<'_>, value: f64, exemplars: Vec<Exemplar>) {
        let batch = &mut self.out.batch;
        let series = batch.push_series(labels);
        batch.push_float(series, common.ts_ms(), if common.stale { stale_nan() } else { value });
        batch.exemplars.extend(exemplars.into_iter().map(|exemplar| ExemplarPoint { series, exemplar }));
    }

    fn histogram(&mut self, labels: Labels, common: Common<'_>, histogram: FloatHistogram) {
        let batch = &mut self.out.batch;
        let series = batch.push_series(labels);
        batch.histograms.push(HistogramPoint {
            series,
            ts_ms: common.ts_ms(),
            histogram: Arc::new(histogram),
        });
        batch
            .exemplars
            .extend(common.exemplars.into_iter().map(|exemplar| ExemplarPoint { series, exemplar }));
    }

    /// The labels of a point, with the metric's name. Also notes the point's time for `target_info`.
    fn labels(&mut self, common: &Common<'_>, name: &str) -> Result<Labels, Reject> {
        let (earliest, latest) = self.range_ns.unwrap_or((u64::MAX, 0));
        self.range_ns = Some((earliest.min(common.time_ns), latest.max(common.time_ns)));
        if common.attributes.len() > ATTRIBUTES_PER_RECORD_MAX {
            return Err(Reject::Point(format!(
                "data point with more than {ATTRIBUTES_PER_RECORD_MAX} attributes"
            )));
        }
        let mut attributes = Pairs::with_capacity(common.attributes.len());
        for (key, any) in &common.attributes {
            attributes.push((
                String::from_utf8_lossy(key).into_owned(),
                text(any).map_err(Reject::Request)?.into_owned(),
            ));
        }
        let mut labels = self.translated(attributes, &[METRIC_NAME]).map_err(Reject::Point)?;
        for (label, value) in &self.scope {
            labels.set(label, value);
        }
        labels.set(METRIC_NAME, name);
        Ok(labels.build())
    }

    /// Attributes as labels, with the resource's: names that become equal are joined by `;` in the order of the
    /// attributes' names.
    fn translated(&mut self, mut attributes: Pairs, ignored: &[&str]) -> Result<LabelsBuilder, String> {
        attributes.retain(|(key, _)| !ignored.contains(&key.as_str()));
        attributes.sort();
        let mut joined: HashMap<String, String> = HashMap::with_capacity(attributes.len());
        for (key, value) in attributes {
            let name = self.label_name(&key)?;
            match joined
                .get_mut(&name)
                .filter(|before| !before.is_empty() && self.translation.strategy.escapes())
            {
                Some(before) => *before = format!("{before};{value}"),
                None => {
                    joined.insert(name, value);
                }
            }
        }
        for (name, value, strength) in &self.resource {
            let taken =
                *strength == Strength::Yields && joined.get(name).is_some_and(|value| !value.is_empty());
            if !taken {
                joined.insert(name.clone(), value.clone());
            }
        }
        let mut labels = LabelsBuilder::default();
        for (name, value) in &joined {
            labels.push(name, value);
        }
        Ok(labels)
    }

    fn label_name(&mut self, attribute: &str) -> Result<String, String> {
        if let Some(known) = self.label_names.get(attribute) {
            return known.clone();
        }
        let name = names::label(self.translation.strategy, attribute);
        if self.label_names.len() < LABEL_NAMES_MAX {
            self.label_names.insert(attribute.to_owned(), name.clone());
        }
        name
    }

    /// The resource's own series: its attributes that do not name it, at intervals over the time of its points.
    fn target_info(&mut self, attributes: &Pairs, earliest: u64, latest: u64) -> Result<(), String> {
        if attributes.iter().all(|(key, _)| IDENTIFYING.contains(&key.as_str())) {
            return Ok(());
        }
        let ignored: &[&str] =
            if self.translation.keep_identifying_resource_attributes { &[] } else { &IDENTIFYING };
        self.resource.retain(|(_, _, strength)| *strength == Strength::Overrides);
        let mut labels = self.translated(attributes.clone(), ignored)?;
        labels.set(METRIC_NAME, "target_info");
        let labels = labels.build();
        if labels.get("job").is_none() && labels.get("instance").is_none() {
            return Ok(());
        }
        if self.families.insert("target_info".into()) {
            let (family, help) = ("target_info".into(), "Target metadata".into());
            self.out.batch.metadata.push(MetricMetadata {
                family,
                kind: MetricKind::Gauge,
                help,
                unit: String::new(),
            });
        }
        let key = labels.hash128();
        let steps = (latest - earliest).div_ceil(TARGET_INFO_INTERVAL_NS);
        let first = steps.saturating_sub(TARGET_INFO_SAMPLES_MAX);
        let series = self.out.batch.push_series(labels);
        for time in (first..steps).map(|step| earliest + step * TARGET_INFO_INTERVAL_NS).chain([latest]) {
            let ts_ms = milliseconds(time);
            if self.target_infos.insert((key, ts_ms)) {
                self.out.batch.push_float(series, ts_ms, 1.0);
            }
        }
        Ok(())
    }
}

/// Why a point gave no samples.
enum Reject {
    /// Only this point is wrong.
    Point(String),
    /// The message is broken.
    Request(WireError),
}

fn reject(reason: impl std::fmt::Display) -> Reject {
    Reject::Point(reason.to_string())
}

/// `aggregation_temporality` and `is_monotonic` of a metric's data.
fn temporality(mut data: Reader<'_>, kind: u32) -> Result<(i32, bool), WireError> {
    let mut out = (0, false);
    while let Some(field) = data.next_field()? {
        match (kind, field.number) {
            (7 | 9 | 10, 2) => out.0 = field.i32()?,
            (7, 3) => out.1 = field.bool()?,
            _ => {}
        }
    }
    Ok(out)
}

fn count(mut points: Reader<'_>) -> Result<u64, WireError> {
    let mut count = 0;
    while let Some(field) = points.next_field()? {
        count += u64::from(field.number == 1);
    }
    Ok(count)
}

/// The attributes in field `number`, as text.
fn pairs(mut reader: Reader<'_>, number: u32) -> Result<Pairs, WireError> {
    let mut out = Pairs::new();
    while let Some(field) = reader.next_field()? {
        if field.number == number {
            out.push(pair(&field)?);
        }
    }
    Ok(out)
}

fn pair(field: &Field<'_>) -> Result<(String, String), WireError> {
    let (key, any) = key_value(field)?;
    Ok((String::from_utf8_lossy(key).into_owned(), text(any)?.into_owned()))
}

/// `labels` under another name and with one more label.
fn with(labels: &Labels, name: &str, suffix: &str, extra: Option<(&str, &str)>) -> Labels {
    let mut builder = labels.builder();
    builder.push(METRIC_NAME, &format!("{name}{suffix}"));
    if let Some((label, value)) = extra {
        builder.push(label, value);
    }
    builder.build()
}

/// A bound without an exponent, the shortest digits that read back the same.
fn plain(bound: f64) -> String {
    if bound.is_infinite() {
        return if bound > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    format!("{bound}")
}

#[cfg(test)]
mod tests;
