//! What is fuzzed: every parser of outside bytes as a function that must neither panic nor run away, whatever it gets.
//!
//! `fuzz/` runs these under libFuzzer, a test replays their corpora. Add a parser here, a target file there. This file
//! is compiled by both, so it names only the crates that hold parsers, and their model.

use language::{logql, promql, traceql};
use model::SpanId;
use store::column::line_filter::LineFilterBuilder;
use store::column::segment::{SegmentReader, SegmentWriter};
use store::column::template::{Learned, Needle, RowIds, Verdict};
use store::column::text::{TextColumn, write_lines};
use store::signal::Signal;
use wire::otlp::{DeltaState, Format, MetricsTranslation};
use wire::prometheus::{Exposition, ExpositionOptions};

/// A parser as libFuzzer calls it: panics when something that must always hold does not.
pub type Target = fn(&[u8]);

/// Name and function of every target; the name is that of its corpus folder too.
pub const TARGETS: &[(&str, Target)] = &[
    ("remote_write", remote_write),
    ("otlp_traces", otlp_traces),
    ("otlp_logs", otlp_logs),
    ("otlp_metrics", otlp_metrics),
    ("text", text),
    ("openmetrics", openmetrics),
    ("prom_protobuf", prom_protobuf),
    ("loki_push", loki_push),
    ("zipkin", zipkin),
    ("jaeger_thrift", jaeger_thrift),
    ("jaeger_v2", jaeger_v2),
    ("jaeger_v1", jaeger_v1),
    ("compress", compress),
    ("promql", promql),
    ("logql", logql),
    ("traceql", traceql),
    ("log_block", log_block),
    ("span_block", span_block),
    ("metric_block", metric_block),
    ("log_lines", log_lines),
];

/// Most bytes that a fuzzed body may unpack into.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

/// The first byte chooses between two forms of a body.
fn choose(data: &[u8]) -> (bool, &[u8]) {
    match data.split_first() {
        Some((first, rest)) => (first & 1 == 1, rest),
        None => (false, data),
    }
}

fn format(json: bool) -> Format {
    if json { Format::Json } else { Format::Protobuf }
}

/// Packs bytes with snappy, so that mutations reach what is inside.
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 60 + 5);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
    for literal in bytes.chunks(60) {
        out.push(u8::try_from((literal.len() - 1) << 2).unwrap_or_default());
        out.extend_from_slice(literal);
    }
    out
}

/// Remote write: packed as it comes (odd first byte), or unpacked. Labels are decoded too.
pub fn remote_write(data: &[u8]) {
    let (packed, rest) = choose(data);
    let decoded = if packed {
        wire::prometheus::remote_write::decode(rest)
    } else {
        wire::prometheus::remote_write::decode(&snappy(rest))
    };
    if let Ok(batch) = decoded {
        (0..batch.series.len()).for_each(|at| drop(batch.labels(u32::try_from(at).unwrap_or_default())));
    }
}

/// OTLP traces, JSON or protobuf, and what they look like on their way out.
pub fn otlp_traces(data: &[u8]) {
    let (json, rest) = choose(data);
    let Ok(decoded) = wire::otlp::decode_traces(rest, format(json)) else { return };
    let _ = wire::otlp::encode_trace_json(&decoded.batch);
    let _ = wire::jaeger::trace_to_v1_json(&decoded.batch);
    let _ = wire::zipkin::encode_v2(&decoded.batch);
}

/// OTLP logs, JSON or protobuf.
pub fn otlp_logs(data: &[u8]) {
    let (json, rest) = choose(data);
    let _ = wire::otlp::decode_logs(rest, format(json), 0);
}

/// OTLP metrics, JSON or protobuf, twice into the same delta state.
pub fn otlp_metrics(data: &[u8]) {
    let (json, rest) = choose(data);
    let mut deltas = DeltaState::new(8);
    for convert_histograms_to_nhcb in [false, true] {
        let translation = MetricsTranslation { convert_histograms_to_nhcb, ..MetricsTranslation::default() };
        let _ = wire::otlp::decode_metrics(rest, format(json), &translation, &mut deltas, 0);
    }
}

/// An accepted exposition's labels always decode.
fn decode_all(exposition: Result<Exposition, wire::WireError>) {
    let Ok(exposition) = exposition else { return };
    for at in 0..exposition.batch.series.len() {
        assert!(
            exposition.batch.labels(u32::try_from(at).unwrap_or_default()).is_some(),
            "series {at} lost its labels"
        );
    }
}

/// Prometheus text.
pub fn text(data: &[u8]) {
    decode_all(wire::prometheus::text::parse(data, &ExpositionOptions::default()));
}

/// `OpenMetrics`, lax and strict.
///
/// # Panics
/// When the strict check accepts what a scrape refuses.
pub fn openmetrics(data: &[u8]) {
    let lax = wire::prometheus::openmetrics::parse(data, &ExpositionOptions::default());
    let strict = wire::prometheus::openmetrics::validate_strict(data);
    assert!(lax.is_ok() || strict.is_err(), "the strict check accepts what a scrape refuses");
    decode_all(lax);
}

/// Prometheus protobuf.
pub fn prom_protobuf(data: &[u8]) {
    decode_all(wire::prometheus::protobuf::parse(
        data,
        &ExpositionOptions { classic_histograms: true, ..ExpositionOptions::default() },
    ));
}

/// Loki push, JSON or protobuf.
pub fn loki_push(data: &[u8]) {
    let (json, rest) = choose(data);
    let _ = if json {
        wire::loki::decode_push_json(rest)
    } else {
        wire::loki::decode_push_protobuf(&snappy(rest).into())
    };
}

/// Zipkin v2, in and out.
pub fn zipkin(data: &[u8]) {
    if let Ok(batch) = wire::zipkin::decode_v2_json(data) {
        let _ = wire::zipkin::encode_v2(&batch);
    }
}

/// Jaeger thrift.
pub fn jaeger_thrift(data: &[u8]) {
    if let Ok(batch) = wire::jaeger::decode_thrift_binary_batch(data) {
        let _ = wire::jaeger::trace_to_v1_json(&batch);
    }
}

/// Jaeger API v2.
pub fn jaeger_v2(data: &[u8]) {
    if let Ok(batch) = wire::jaeger::api_v2::decode_message::<wire::jaeger::api_v2::Batch>(data) {
        let _ = wire::jaeger::decode_api_v2(&batch);
    }
}

/// Jaeger v1 JSON.
pub fn jaeger_v1(data: &[u8]) {
    let _ = wire::jaeger::v1_json_to_spans(data);
}

/// Every compression.
///
/// # Panics
/// When more comes out than the limit allows.
pub fn compress(data: &[u8]) {
    for unpack in
        [wire::compress::gunzip, wire::compress::inflate, wire::compress::zstd, wire::compress::snappy]
    {
        if let Ok(unpacked) = unpack(data, UNPACKED_BYTES_MAX) {
            assert!(unpacked.len() <= UNPACKED_BYTES_MAX, "more than the limit came out");
        }
    }
}

/// A parsed query prints as text that parses to the same.
fn reparse<Tree: std::fmt::Display, E>(data: &[u8], parse: impl Fn(&str) -> Result<Tree, E>) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    if let Ok(tree) = parse(query) {
        let printed = tree.to_string();
        let again = parse(&printed).map(|tree| tree.to_string()).ok();
        assert_eq!(again.as_deref(), Some(printed.as_str()), "{query:?} does not survive printing");
    }
}

/// PromQL.
pub fn promql(data: &[u8]) {
    reparse(data, promql::parse);
}

/// LogQL.
pub fn logql(data: &[u8]) {
    reparse(data, logql::parse);
}

/// TraceQL.
pub fn traceql(data: &[u8]) {
    reparse(data, traceql::parse);
}

/// A WAL record of logs.
pub fn log_block(data: &[u8]) {
    let _ = store::logs::Logs::decode(data);
}

/// A WAL record of spans.
pub fn span_block(data: &[u8]) {
    let _ = store::spans::Spans::decode(data);
}

/// A WAL record of metrics.
pub fn metric_block(data: &[u8]) {
    let _ = store::metrics::Metrics::decode(data);
}

/// So many lines are enough for a block to learn what lines look like; they are made of at most so many bytes.
const LEARNABLE_LINES: usize = 4096;
const LEARNABLE_BYTES: usize = 512;
/// Time of the records, 2026-11-21T17:00:12.345Z in Unix nanoseconds.
const LINES_NS: i64 = 1_795_280_412_345_000_000;

/// Lines become a column and come back, and a search for a part of one finds it. The first byte chooses whether there are so
/// many that they teach what lines look like; a zero byte ends a line. 32 hex digits in front of all are the trace id.
///
/// # Panics
/// When a line comes back changed, or is not found.
pub fn log_lines(data: &[u8]) {
    let (many, rest) = choose(data);
    let rest = if many { &rest[..rest.len().min(LEARNABLE_BYTES)] } else { rest };
    let digits = rest.get(..32).and_then(|digits| std::str::from_utf8(digits).ok());
    let trace = digits.and_then(|digits| digits.parse().ok()).unwrap_or_default();
    let ids = RowIds::new(trace, SpanId::default(), LINES_NS);
    let given: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let count = if many { LEARNABLE_LINES.max(given.len()) } else { given.len() };
    let lines: Vec<&[u8]> = given.iter().copied().cycle().take(count).collect();
    let mut learned = Learned::default();
    for from in [0, given.len() / 2] {
        come_back(&lines[from..], &ids, given.len(), &mut learned);
    }
}

/// Writes and reads `lines`, of which the first `distinct` are all that there are.
fn come_back(lines: &[&[u8]], ids: &RowIds, distinct: usize, learned: &mut Learned) {
    let mut writer = SegmentWriter::new();
    let mut filter = LineFilterBuilder::new(1 << 16);
    write_lines(&mut writer, lines, &vec![*ids; lines.len()], &mut filter, learned);
    let filter = filter.finish(1 << 16);
    let column = SegmentReader::open(&writer.finish())
        .and_then(|mut reader| TextColumn::read(&mut reader, lines.len()));
    assert!(column.is_ok(), "a column that was just written is damaged");
    let Ok(column) = column else { return };
    let known = |run: &[u8]| ids.trace().is_some_and(|trace| trace == run);
    let mut out = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        out.clear();
        column.append(at, ids, &mut out);
        assert_eq!(out.escape_ascii().to_string(), line.escape_ascii().to_string(), "line {at}");
        if at >= distinct {
            continue;
        }
        let len = line.len();
        let needles = [&line[..], &line[len / 3..], &line[len / 4..len - len / 5]];
        for needle in needles.into_iter().filter(|needle| !needle.is_empty()) {
            assert!(filter.may_contain(needle, known), "the filter lost {}", needle.escape_ascii());
            if let Some(templates) = column.templates() {
                let verdicts = templates.verdicts(&Needle::new(needle));
                assert!(
                    templates.judge(at, &verdicts) != Verdict::Never,
                    "no verdict for {}",
                    needle.escape_ascii()
                );
            }
        }
    }
}
