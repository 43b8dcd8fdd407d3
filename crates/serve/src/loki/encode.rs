//! A LogQL answer as Loki's JSON, printed stream by stream while it is sent.

use crate::body;
use crate::number::{push_plain_float, push_string};
use axum::http::HeaderMap;
use axum::response::Response;
use query::logql::{LabelSet, LogAnswer, LogQueryStats, LogSample, LogSeries, LogValue, OutEntry, OutStream};
use std::io::Write;

/// The header by which Grafana asks for metadata and parsed labels apart.
const FLAGS_HEADER: &str = "x-loki-response-encoding-flags";
/// The flag it sends.
const CATEGORIZE: &str = "categorize-labels";

/// Whether the client asked for [`CATEGORIZE`].
pub(crate) fn wants_categories(headers: &HeaderMap) -> bool {
    let mut flags = headers.get_all(FLAGS_HEADER).iter().filter_map(|value| value.to_str().ok());
    flags.any(|value| value.split(',').any(|flag| flag.trim() == CATEGORIZE))
}

/// The whole answer in its envelope.
pub(crate) fn answer(answer: LogAnswer, categorize: bool) -> Response {
    let (kind, rows) = match answer.value {
        LogValue::Streams(streams) => ("streams", Rows::Streams(stream_rows(streams, categorize))),
        LogValue::Vector(samples) => ("vector", Rows::Vector(samples)),
        LogValue::Matrix(series) => ("matrix", Rows::Matrix(series)),
        LogValue::Scalar(ts_ms, value) => ("scalar", Rows::Scalar(ts_ms, value)),
    };
    let mut warnings = answer.warnings;
    warnings.extend(answer.completeness.missing);
    let mut row = 0;
    let rows_count = rows.len();
    let stats = answer.stats;
    body::json_stream(move |out| {
        if row == 0 {
            head(out, kind, &warnings, categorize);
        }
        rows.push(out, row);
        row += 1;
        if row < rows_count {
            out.push(b',');
            return true;
        }
        tail(out, kind, &stats);
        false
    })
}

fn head(out: &mut Vec<u8>, kind: &str, warnings: &[String], categorize: bool) {
    out.extend_from_slice(br#"{"status":"success""#);
    if !warnings.is_empty() {
        out.extend_from_slice(br#","warnings":"#);
        // Writing strings to a vector cannot fail.
        let _ = serde_json::to_writer(&mut *out, warnings);
    }
    let _ = write!(out, r#","data":{{"resultType":"{kind}""#);
    if categorize {
        let _ = write!(out, r#","encodingFlags":["{CATEGORIZE}"]"#);
    }
    out.extend_from_slice(if kind == "scalar" { br#","result":"# } else { br#","result":["# });
}

fn tail(out: &mut Vec<u8>, kind: &str, stats: &LogQueryStats) {
    if kind != "scalar" {
        out.push(b']');
    }
    let _ = write!(
        out,
        r#","stats":{{"summary":{{"totalBytesProcessed":{},"totalLinesProcessed":{},"totalPostFilterLines":{},"#,
        stats.bytes, stats.lines, stats.kept
    );
    let _ = write!(
        out,
        r#""totalEntriesReturned":{},"bytesProcessedPerSecond":0,"linesProcessedPerSecond":0,"execTime":0,"queueTime":0,"subqueries":0,"splits":0,"shards":0}}}}}}}}"#,
        stats.kept
    );
}

/// The rows of a result, one kind at a time.
enum Rows {
    Streams(Vec<(LabelSet, Vec<Row>)>),
    Vector(Vec<LogSample>),
    Matrix(Vec<LogSeries>),
    Scalar(i64, f64),
}

/// An entry to print: with its labels by category, or without.
struct Row {
    entry: OutEntry,
    categorize: bool,
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Streams(rows) => rows.len(),
            Self::Vector(rows) => rows.len(),
            Self::Matrix(rows) => rows.len(),
            Self::Scalar(..) => 1,
        }
    }

    /// Appends row `at`; nothing when there is none.
    fn push(&self, out: &mut Vec<u8>, at: usize) {
        match self {
            Self::Streams(rows) => rows.get(at).into_iter().for_each(|row| push_stream(out, &row.0, &row.1)),
            Self::Vector(rows) => rows.get(at).into_iter().for_each(|row| push_sample(out, row)),
            Self::Matrix(rows) => rows.get(at).into_iter().for_each(|row| push_series(out, row)),
            Self::Scalar(ts_ms, value) => push_point(out, *ts_ms, *value),
        }
    }
}

/// Streams as Loki shows them: by stream labels with `categorize`, else by all labels of each entry.
fn stream_rows(streams: Vec<OutStream>, categorize: bool) -> Vec<(LabelSet, Vec<Row>)> {
    let mut rows: Vec<(LabelSet, Vec<Row>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for stream in streams {
        for entry in stream.entries {
            let labels = if categorize {
                stream.labels.clone()
            } else {
                stream.labels.with(&entry.metadata).with(&entry.parsed)
            };
            let at = *places.entry(labels.clone()).or_insert_with(|| {
                rows.push((labels, Vec::new()));
                rows.len() - 1
            });
            if let Some((_, entries)) = rows.get_mut(at) {
                entries.push(Row { entry, categorize });
            }
        }
    }
    rows
}

/// Streams as a tail frame shows them.
pub(crate) fn push_streams(out: &mut Vec<u8>, streams: Vec<OutStream>, categorize: bool) {
    out.push(b'[');
    for (at, (labels, entries)) in stream_rows(streams, categorize).iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_stream(out, labels, entries);
    }
    out.push(b']');
}

/// Appends labels as a JSON object.
pub(crate) fn push_labels(out: &mut Vec<u8>, labels: &LabelSet) {
    out.push(b'{');
    for (at, label) in labels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, &label.name);
        out.push(b':');
        push_string(out, &label.value);
    }
    out.push(b'}');
}

fn push_stream(out: &mut Vec<u8>, labels: &LabelSet, rows: &[Row]) {
    out.extend_from_slice(br#"{"stream":"#);
    push_labels(out, labels);
    out.extend_from_slice(br#","values":["#);
    for (at, Row { entry, categorize }) in rows.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(out, r#"{comma}["{}","#, entry.ts_ns);
        push_string(out, &entry.line);
        if *categorize {
            out.extend_from_slice(b",{");
            push_category(out, "structuredMetadata", &entry.metadata);
            if !entry.metadata.is_empty() && !entry.parsed.is_empty() {
                out.push(b',');
            }
            push_category(out, "parsed", &entry.parsed);
            out.push(b'}');
        }
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
}

fn push_category(out: &mut Vec<u8>, name: &str, labels: &LabelSet) {
    if !labels.is_empty() {
        let _ = write!(out, "\"{name}\":");
        push_labels(out, labels);
    }
}

fn push_sample(out: &mut Vec<u8>, sample: &LogSample) {
    out.extend_from_slice(br#"{"metric":"#);
    push_labels(out, &sample.labels);
    out.extend_from_slice(br#","value":"#);
    push_point(out, sample.ts_ms, sample.value);
    out.push(b'}');
}

fn push_series(out: &mut Vec<u8>, series: &LogSeries) {
    out.extend_from_slice(br#"{"metric":"#);
    push_labels(out, &series.labels);
    out.extend_from_slice(br#","values":["#);
    for (at, (ts_ms, value)) in series.points.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_point(out, *ts_ms, *value);
    }
    out.extend_from_slice(b"]}");
}

/// `[seconds, "value"]`; Loki prints seconds with as many decimals as needed.
fn push_point(out: &mut Vec<u8>, ts_ms: i64, value: f64) {
    out.push(b'[');
    let sign = if ts_ms < 0 { "-" } else { "" };
    let (seconds, rest) = (ts_ms.unsigned_abs() / 1_000, ts_ms.unsigned_abs() % 1_000);
    let _ = write!(out, "{sign}{seconds}");
    if rest > 0 {
        let _ = write!(out, ".{}", format!("{rest:03}").trim_end_matches('0'));
    }
    out.extend_from_slice(b",\"");
    push_plain_float(out, value);
    out.extend_from_slice(b"\"]");
}
