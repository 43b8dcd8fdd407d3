//! What a scrape's answer becomes, whichever format it came in.
//!
//! A series keeps its text as it stood in the exposition and is named by the hash of that text, so that the next scrape
//! of the same target finds it without decoding labels.

use super::float::{format_float, parse_float};
use super::scanner::{Dialect, LabelSpan, Scanner, unescape};
use crate::WireError;
use model::labels::METRIC_NAME;
use model::metric::{Exemplar, ExemplarPoint, SeriesEntry, SeriesLabels};
use model::{Labels, LabelsBuilder, MetricBatch, MetricKind, MetricMetadata, Text};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// What a scrape says of how to read an exposition.
#[derive(Clone, Copy, Debug)]
pub struct ExpositionOptions {
    /// Time of samples that carry none: the scrape's start, milliseconds since the epoch.
    pub default_ts_ms: i64,
    /// Whether timestamps of the exposition count; otherwise all samples get `default_ts_ms`.
    pub honor_timestamps: bool,
    /// Whether native histograms are read (`scrape_native_histograms`); only the protobuf format has them.
    pub native_histograms: bool,
    /// Whether classic buckets are kept of a histogram that is also native (`always_scrape_classic_histograms`).
    pub classic_histograms: bool,
}

impl Default for ExpositionOptions {
    fn default() -> Self {
        Self { default_ts_ms: 0, honor_timestamps: true, native_histograms: true, classic_histograms: false }
    }
}

/// A parsed exposition.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// One series entry per sample, in the order of the exposition. Their labels always decode: names are valid and
    /// unique, and there is a metric name.
    pub batch: MetricBatch,
    /// Per series entry: whether its sample carried a timestamp that was honored. Such series get no staleness marker.
    pub explicit_ts: Vec<bool>,
}

/// Seed of series keys made from raw exposition text.
const KEY_SEED: u64 = 0x6578_706f_7365_7269;

/// Collects an exposition.
#[derive(Debug)]
pub(super) struct Builder {
    options: ExpositionOptions,
    out: Exposition,
    families: HashMap<String, usize>,
    kind: MetricKind,
}

/// One sample line, its parts as ranges of the exposition.
#[derive(Debug)]
pub(super) struct SampleLine<'a> {
    /// Name and labels as they stand there.
    pub(super) series: Range<usize>,
    /// The metric name.
    pub(super) name: Range<usize>,
    /// The labels.
    pub(super) labels: &'a [LabelSpan],
    /// The value.
    pub(super) value: f64,
    /// Milliseconds, when the line has a time.
    pub(super) ts_ms: Option<i64>,
}

impl Builder {
    pub(super) fn new(options: &ExpositionOptions) -> Self {
        Self {
            options: *options,
            out: Exposition::default(),
            families: HashMap::new(),
            kind: MetricKind::Unknown,
        }
    }

    /// The metadata entry of a family, made when it is new.
    pub(super) fn family(&mut self, name: &str) -> &mut MetricMetadata {
        let all = &mut self.out.batch.metadata;
        let at = *self.families.entry(name.to_owned()).or_insert(all.len());
        if at == all.len() {
            all.push(MetricMetadata { family: name.to_owned(), ..MetricMetadata::default() });
        }
        &mut all[at]
    }

    /// A TYPE line: also says how `le` and `quantile` of the following samples are normalised.
    pub(super) fn kind(&mut self, name: &str, kind: MetricKind) {
        self.kind = kind;
        self.family(name).kind = kind;
    }

    /// A sample; the series index.
    pub(super) fn sample(&mut self, scanner: &Scanner<'_>, line: &SampleLine<'_>) -> Result<u32, WireError> {
        check_names(scanner, line)?;
        let batch = &mut self.out.batch;
        let at = u32::try_from(batch.series.len()).unwrap_or(u32::MAX);
        let text = scanner.bytes.get(line.series.clone()).unwrap_or_default();
        let (seed, decode) = decoder(self.kind);
        let encoded = Text::push(&mut batch.arena, text);
        let labels = SeriesLabels::Encoded { encoded, decode };
        batch.series.push(SeriesEntry { key: xxh3_128_with_seed(text, KEY_SEED ^ seed), labels });
        let ts_ms = line.ts_ms.filter(|_| self.options.honor_timestamps);
        batch.push_float(at, ts_ms.unwrap_or(self.options.default_ts_ms), line.value);
        self.out.explicit_ts.push(ts_ms.is_some());
        Ok(at)
    }

    /// An exemplar of series `at`; without a time of its own it has its sample's.
    pub(super) fn exemplar(&mut self, at: u32, labels: Labels, value: f64, ts_ms: Option<i64>) {
        let sample_ts = self.out.batch.floats.last().map_or(self.options.default_ts_ms, |point| point.ts_ms);
        let exemplar = Exemplar { labels, value, ts_ms: ts_ms.unwrap_or(sample_ts) };
        self.out.batch.exemplars.push(ExemplarPoint { series: at, exemplar });
    }

    pub(super) fn finish(self) -> Exposition {
        self.out
    }
}

/// What Prometheus checks before a scraped sample is stored; any of it fails the whole scrape.
fn check_names(scanner: &Scanner<'_>, line: &SampleLine<'_>) -> Result<(), WireError> {
    let bytes = |range: &Range<usize>| scanner.bytes.get(range.clone()).unwrap_or_default();
    if line.name.is_empty() {
        return Err(WireError::malformed("missing metric name (__name__ label)"));
    }
    let invalid = |bytes: &[u8]| std::str::from_utf8(bytes).is_err();
    if invalid(bytes(&line.name))
        || line.labels.iter().any(|(name, _)| name.is_empty() || invalid(bytes(name)))
    {
        return Err(scanner.broken("invalid metric name or label names"));
    }
    let twice =
        |name: &str| WireError::malformed(format!("label name {name:?} is not unique: invalid sample"));
    let escaped = line.labels.iter().any(|(name, _)| bytes(name).contains(&b'\\'));
    if line.labels.len() > FEW_LABELS || escaped {
        let mut seen = HashSet::from([METRIC_NAME.to_owned()]);
        for (name, _) in line.labels {
            let name = unescape(&scanner.text(name), true).into_owned();
            if seen.contains(&name) {
                return Err(twice(&name));
            }
            seen.insert(name);
        }
        return Ok(());
    }
    for (at, (name, _)) in line.labels.iter().enumerate() {
        let name = bytes(name);
        if name == METRIC_NAME.as_bytes() || line.labels[..at].iter().any(|(other, _)| bytes(other) == name) {
            return Err(twice(&String::from_utf8_lossy(name)));
        }
    }
    Ok(())
}

/// Up to this many labels are compared pairwise, more through a hash set.
const FEW_LABELS: usize = 32;

/// Turns a series' text into labels.
type Decode = fn(&[u8]) -> Option<Labels>;

/// How labels are decoded under a type, and the seed that keeps the keys of the three ways apart.
fn decoder(kind: MetricKind) -> (u64, Decode) {
    match kind {
        MetricKind::Histogram => (1, |text| labels_of(text, "le")),
        MetricKind::Summary => (2, |text| labels_of(text, "quantile")),
        _ => (0, |text| labels_of(text, "")),
    }
}

/// Decodes `name{a="b"}` or `{"name", a="b"}`, printing the float in label `float` canonically.
fn labels_of(text: &[u8], float: &str) -> Option<Labels> {
    let mut scanner = Scanner::new(text, Dialect::Text);
    let (mut name, mut spans) = (scanner.name(true), Vec::new());
    scanner.skip_blanks();
    if scanner.take(b'{') {
        scanner.labels(&mut name, false, &mut spans).ok()?;
    }
    let mut builder = LabelsBuilder::default();
    builder.push(METRIC_NAME, &unescape(&scanner.text(&name?), true));
    for (name, value) in spans {
        let (name, value) = (scanner.text(&name), scanner.text(&value));
        let (name, value) = (unescape(&name, true), unescape(&value, true));
        match parse_float(&value).filter(|_| name == float) {
            Some(bound) => builder.push(&name, &format_float(bound)),
            None => builder.push(&name, &value),
        }
    }
    Some(builder.build())
}

#[cfg(test)]
mod tests;
