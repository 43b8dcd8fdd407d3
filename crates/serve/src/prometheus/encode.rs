//! A PromQL value as Prometheus' JSON, printed series by series while it is sent.

use super::envelope::Notes;
use super::histogram;
use super::query::Cost;
use crate::body;
use crate::number::{push_float, push_seconds, push_string};
use axum::response::Response;
use model::{FloatHistogram, Labels};
use query::promql::{PromValue, Sample, SampleValue, Series};
use std::io::Write;

/// The whole answer in its envelope.
pub(crate) fn answer(value: PromValue, notes: Notes, cost: Option<Cost>) -> Response {
    let mut row = 0;
    let rows_count = rows(&value);
    body::json_stream(move |out| {
        if row == 0 {
            head(out, &value);
        }
        push_row(out, &value, row);
        row += 1;
        if row < rows_count {
            out.push(b',');
            return true;
        }
        tail(out, &value, &notes, cost);
        false
    })
}

/// `resultType`, and whether the result is an array of rows.
fn kind(value: &PromValue) -> (&'static str, bool) {
    match value {
        PromValue::Scalar(..) => ("scalar", false),
        PromValue::String(..) => ("string", false),
        PromValue::Vector(_) => ("vector", true),
        PromValue::Matrix(_) => ("matrix", true),
    }
}

fn rows(value: &PromValue) -> usize {
    match value {
        PromValue::Scalar(..) | PromValue::String(..) => 1,
        PromValue::Vector(samples) => samples.len(),
        PromValue::Matrix(series) => series.len(),
    }
}

fn head(out: &mut Vec<u8>, value: &PromValue) {
    let (kind, is_array) = kind(value);
    // Writing to a vector cannot fail, here and below.
    let _ = write!(out, r#"{{"status":"success","data":{{"resultType":"{kind}","result":"#);
    if is_array {
        out.push(b'[');
    }
}

fn tail(out: &mut Vec<u8>, value: &PromValue, notes: &Notes, cost: Option<Cost>) {
    if kind(value).1 {
        out.push(b']');
    }
    if let Some(cost) = cost {
        push_cost(out, cost);
    }
    out.push(b'}');
    for (name, list) in [("warnings", &notes.warnings), ("infos", &notes.infos)] {
        if !list.is_empty() {
            let _ = write!(out, ",\"{name}\":");
            let _ = serde_json::to_writer(&mut *out, list);
        }
    }
    out.push(b'}');
}

fn push_cost(out: &mut Vec<u8>, cost: Cost) {
    const NS_PER_S: f64 = 1e9;
    #[expect(clippy::cast_precision_loss, reason = "a duration for people to read")]
    let seconds = |ns: u64| ns as f64 / NS_PER_S;
    let queue_ns = cost.total_ns.saturating_sub(cost.eval_ns);
    let _ = write!(
        out,
        r#","stats":{{"timings":{{"evalTotalTime":{},"resultSortTime":0,"queryPreparationTime":0,"innerEvalTime":{},"execQueueTime":{},"execTotalTime":{}}},"samples":{{"totalQueryableSamples":{},"samplesRead":{}}}}}"#,
        seconds(cost.eval_ns),
        seconds(cost.eval_ns),
        seconds(queue_ns),
        seconds(cost.total_ns),
        cost.samples,
        cost.samples,
    );
}

/// Row `at` of the value; nothing when there is none.
fn push_row(out: &mut Vec<u8>, value: &PromValue, at: usize) {
    match value {
        PromValue::Scalar(ts_ms, value) => push_point(out, *ts_ms, *value),
        PromValue::String(ts_ms, text) => {
            out.push(b'[');
            push_seconds(out, *ts_ms);
            out.push(b',');
            push_string(out, text);
            out.push(b']');
        }
        PromValue::Vector(samples) => samples.get(at).into_iter().for_each(|row| push_sample(out, row)),
        PromValue::Matrix(series) => series.get(at).into_iter().for_each(|row| push_series(out, row)),
    }
}

/// Appends labels as a JSON object.
pub(crate) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
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

fn push_point(out: &mut Vec<u8>, ts_ms: i64, value: f64) {
    out.push(b'[');
    push_seconds(out, ts_ms);
    out.extend_from_slice(b",\"");
    push_float(out, value);
    out.extend_from_slice(b"\"]");
}

fn push_histogram_point(out: &mut Vec<u8>, ts_ms: i64, value: &FloatHistogram) {
    out.push(b'[');
    push_seconds(out, ts_ms);
    out.push(b',');
    histogram::push(out, value);
    out.push(b']');
}

fn push_sample(out: &mut Vec<u8>, sample: &Sample) {
    out.extend_from_slice(br#"{"metric":"#);
    push_labels(out, &sample.labels);
    match &sample.value {
        SampleValue::Float(value) => {
            out.extend_from_slice(br#","value":"#);
            push_point(out, sample.ts_ms, *value);
        }
        SampleValue::Histogram(value) => {
            out.extend_from_slice(br#","histogram":"#);
            push_histogram_point(out, sample.ts_ms, value);
        }
    }
    out.push(b'}');
}

fn push_series(out: &mut Vec<u8>, series: &Series) {
    out.extend_from_slice(br#"{"metric":"#);
    push_labels(out, &series.labels);
    if !series.floats.is_empty() {
        out.extend_from_slice(br#","values":["#);
        for (at, (ts_ms, value)) in series.floats.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_point(out, *ts_ms, *value);
        }
        out.push(b']');
    }
    if !series.histograms.is_empty() {
        out.extend_from_slice(br#","histograms":["#);
        for (at, (ts_ms, value)) in series.histograms.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_histogram_point(out, *ts_ms, value);
        }
        out.push(b']');
    }
    out.push(b'}');
}
