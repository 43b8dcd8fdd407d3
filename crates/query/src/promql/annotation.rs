//! Warnings and infos of a query: each sentence once, with the position of the expression that caused it last.

use super::histogram::{format_g, format_g_precision};
use language::promql::ast::Span;
use language::promql::quote;
use std::cell::RefCell;

/// Something to tell whoever asked. The display form is Prometheus' sentence without the position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Note {
    InvalidQuantile(f64),
    InvalidRatio(f64, f64),
    BadBucketLabel { metric: String, label: String },
    MixedFloatsHistograms(String),
    MixedFloatsHistogramsAggregation,
    MixedClassicNative(String),
    NotCounter(String),
    NotGauge(String),
    MixedSchemas(String),
    IncompatibleLayout(&'static str),
    SortInRange,
    PossibleNonCounter(String),
    PossibleNonCounterLabel { metric: String, kind: String },
    ForcedMonotonicity { metric: String, repair: Repair },
    IncompatibleTypes { left: &'static str, op: &'static str, right: &'static str },
    IgnoredInAggregation(&'static str),
    IgnoredInRange(String),
    QuantileNan(String),
    QuantileSkew(String),
    FractionNan(String),
    ResetCollision(&'static str),
    MismatchedBounds(&'static str),
    StartOverlap { metric: String, count: u64 },
}

/// What had to be repaired in classic buckets, over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repair {
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) bucket_min: f64,
    pub(crate) bucket_max: f64,
    pub(crate) difference_max: f64,
    pub(crate) count: u64,
}

fn for_metric(sentence: &str, metric: &str) -> String {
    if metric.is_empty() {
        sentence.to_owned()
    } else {
        format!("{sentence} for metric name {}", quote(metric))
    }
}

impl Note {
    fn is_info(&self) -> bool {
        matches!(
            self,
            Self::PossibleNonCounter(_)
                | Self::PossibleNonCounterLabel { .. }
                | Self::ForcedMonotonicity { .. }
                | Self::IncompatibleTypes { .. }
                | Self::IgnoredInAggregation(_)
                | Self::IgnoredInRange(_)
                | Self::QuantileNan(_)
                | Self::QuantileSkew(_)
                | Self::FractionNan(_)
                | Self::MismatchedBounds(_)
        )
    }

    /// The sentence, which also tells notes apart.
    fn sentence(&self) -> String {
        match self {
            Self::InvalidQuantile(q) => {
                format!("quantile value should be between 0 and 1, got {}", format_g(*q))
            }
            Self::InvalidRatio(ratio, cap) => format!(
                "ratio value should be between -1 and 1, got {}, capping to {}",
                format_g(*ratio),
                format_g(*cap)
            ),
            Self::BadBucketLabel { metric, label } => for_metric(
                &format!("bucket label \"le\" is missing or has a malformed value of {}", quote(label)),
                metric,
            ),
            Self::MixedFloatsHistograms(metric) => {
                format!("encountered a mix of histograms and floats for metric name {}", quote(metric))
            }
            Self::MixedFloatsHistogramsAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Self::MixedClassicNative(metric) => {
                for_metric("vector contains a mix of classic and native histograms", metric)
            }
            Self::NotCounter(metric) => {
                format!("this native histogram metric is not a counter: {}", quote(metric))
            }
            Self::NotGauge(metric) => {
                format!("this native histogram metric is not a gauge: {}", quote(metric))
            }
            Self::MixedSchemas(metric) => format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                quote(metric)
            ),
            Self::IncompatibleLayout(op) => {
                format!("incompatible bucket layout encountered for binary operator {op}")
            }
            Self::SortInRange => {
                "sort is ineffective for range queries since results are always ordered by labels".to_owned()
            }
            other => other.second_sentence(),
        }
    }

    fn second_sentence(&self) -> String {
        match self {
            Self::PossibleNonCounter(metric) => format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                quote(metric)
            ),
            Self::PossibleNonCounterLabel { metric, kind } => format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
                quote(kind),
                quote(metric)
            ),
            Self::ForcedMonotonicity { metric, .. } => for_metric(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
                metric,
            ),
            Self::IncompatibleTypes { left, op, right } => format!(
                "incompatible sample types encountered for binary operator {}: {left} {op} {right}",
                quote(op)
            ),
            Self::IgnoredInAggregation(op) => format!("ignored histogram in {op} aggregation"),
            Self::IgnoredInRange(metric) => format!(
                "ignored histograms in a range containing both floats and histograms for metric name {}",
                quote(metric)
            ),
            Self::QuantileNan(metric) => {
                for_metric("input to histogram_quantile has NaN observations, result is NaN", metric)
            }
            Self::QuantileSkew(metric) => for_metric(
                "input to histogram_quantile has NaN observations, result is skewed higher",
                metric,
            ),
            Self::FractionNan(metric) => for_metric(
                "input to histogram_fraction has NaN observations, which are excluded from all fractions",
                metric,
            ),
            Self::ResetCollision(operation) => {
                format!("conflicting counter resets during histogram {operation}")
            }
            Self::MismatchedBounds(operation) => {
                format!("mismatched custom buckets were reconciled during {operation}")
            }
            Self::StartOverlap { metric, .. } => format!(
                "sample has start time that overlaps with previous sample timestamp for metric {}",
                quote(metric)
            ),
            _ => String::new(),
        }
    }

    /// Whether notes with the same sentence are counted together; else the last one stands for all.
    fn accumulates(&self) -> bool {
        matches!(self, Self::ForcedMonotonicity { .. } | Self::StartOverlap { .. })
    }

    /// Takes in what another note with the same sentence says more.
    fn absorb(&mut self, other: &Self) {
        match (self, other) {
            (Self::ForcedMonotonicity { repair, .. }, Self::ForcedMonotonicity { repair: more, .. }) => {
                repair.first_ms = repair.first_ms.min(more.first_ms);
                repair.last_ms = repair.last_ms.max(more.last_ms);
                repair.bucket_min = repair.bucket_min.min(more.bucket_min);
                repair.bucket_max = repair.bucket_max.max(more.bucket_max);
                repair.difference_max = repair.difference_max.max(more.difference_max);
                repair.count += more.count;
            }
            (Self::StartOverlap { count, .. }, Self::StartOverlap { count: more, .. }) => *count += more,
            _ => {}
        }
    }

    /// What stands between the sentence and the position.
    fn details(&self) -> String {
        let time = |ms: i64| {
            jiff::Timestamp::from_second(ms.div_euclid(1000)).map(|at| at.to_string()).unwrap_or_default()
        };
        match self {
            Self::ForcedMonotonicity { repair, .. } => format!(
                ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                format_g(repair.bucket_min),
                format_g(repair.bucket_max),
                format_g_precision(repair.difference_max, 2),
                repair.count,
                time(repair.first_ms),
                time(repair.last_ms)
            ),
            Self::StartOverlap { count, .. } if *count > 1 => format!(" ({count} occurrences)"),
            _ => String::new(),
        }
    }
}

struct Entry {
    sentence: String,
    note: Note,
    span: Span,
}

/// Collects notes while a query runs.
#[derive(Default)]
pub(crate) struct Notes(RefCell<Vec<Entry>>);

impl Notes {
    pub(crate) fn add(&self, note: Note, span: Span) {
        let sentence = note.sentence();
        let mut entries = self.0.borrow_mut();
        match entries.iter_mut().find(|entry| entry.sentence == sentence) {
            Some(entry) if note.accumulates() => entry.note.absorb(&note),
            Some(entry) => entry.span = span,
            None => entries.push(Entry { sentence, note, span }),
        }
    }

    /// (warnings, infos), each sorted.
    pub(crate) fn into_sentences(self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for Entry { sentence, note, span } in self.0.into_inner() {
            let (list, prefix) =
                if note.is_info() { (&mut infos, "info") } else { (&mut warnings, "warning") };
            let position = span.line_column(query);
            list.push(format!("PromQL {prefix}: {sentence}{} ({position})", note.details()));
        }
        warnings.sort();
        infos.sort();
        (warnings, infos)
    }
}
