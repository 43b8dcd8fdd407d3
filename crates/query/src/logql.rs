//! LogQL: plans and runs queries over a [`LogSource`](model::LogSource), as Loki 3.7 documents the language.
//!
//! A query reads one batch at a time: line filters run on bytes before anything is parsed, labels are built only for
//! the lines that survive, and a range aggregation is one sliding pass over the samples of each series. Nothing here
//! knows HTTP or JSON bodies; nothing here reads a clock.

mod answer;
mod binary;
mod detect;
mod filters;
mod ip;
mod json;
mod labels;
mod lines;
mod logfmt;
mod meta;
mod pattern;
mod pipeline;
mod record;
mod run;
mod samples;
mod streams;
mod tail;
mod value;
mod vectors;
mod window;

#[cfg(test)]
mod tests;

pub use answer::{
    DetectedField, DetectedLabel, ENTRIES_LIMIT_DEFAULT, ENTRIES_LIMIT_MAX, LogAnswer, LogError, LogParams,
    LogQueryStats, LogSample, LogSeries, LogValue, OutEntry, OutStream, POINTS_MAX, SERIES_MAX, VolumeBy,
    VolumeParams,
};
pub use detect::{detected_field_values, detected_fields, detected_labels};
pub use labels::LabelSet;
pub use meta::{MetaRange, label_values, labels, series, stats, volume, volume_range};
pub use run::query;
pub use tail::Tail;
