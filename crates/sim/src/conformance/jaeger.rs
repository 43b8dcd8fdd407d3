//! Jaeger's storage integration suite: traces are stored, then each query must find exactly the traces it names.

use super::{FileResult, Report, read};
use model::scan::Budget;
use model::{SpanBatch, Tenant, TraceId};
use query::jaeger::{TraceQuery, find_traces};
use query::memory::MemorySpans;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use wire::otlp::{Format, decode_traces};

/// Query files; the second holds patterns that only Elasticsearch understands.
const QUERY_FILES: &[&str] = &["queries.json", "queries_es.json"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Case {
    caption: String,
    query: Query,
    expected_fixtures: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    service_name: String,
    operation_name: String,
    tags: Option<BTreeMap<String, serde_json::Value>>,
    start_time_min: String,
    start_time_max: String,
    duration_min: i64,
    duration_max: i64,
    num_traces: usize,
}

/// Stores every fixture, then asks every query.
#[must_use]
pub fn run(data: &Path) -> Report {
    let mut files = Vec::new();
    for name in QUERY_FILES {
        let outcome = cases(data, name).and_then(|cases| {
            let (spans, ids) = store(data, &cases)?;
            Ok((cases, spans, ids))
        });
        match outcome {
            Ok((cases, spans, ids)) => files.push(judge(name, &cases, &spans, &ids)),
            Err(error) => files.extend(Report::failed(name, error).files),
        }
    }
    Report { files }
}

fn cases(data: &Path, name: &str) -> Result<Vec<Case>, String> {
    serde_json::from_slice(&read(&data.join(name))?).map_err(|error| error.to_string())
}

/// The traces that the queries of one file name, as Jaeger's suite stores them, and the trace ids of each.
fn store(data: &Path, cases: &[Case]) -> Result<(MemorySpans, BTreeMap<String, BTreeSet<TraceId>>), String> {
    let spans = MemorySpans::default();
    let mut ids = BTreeMap::new();
    for name in cases.iter().flat_map(|case| &case.expected_fixtures) {
        let bytes = read(&data.join("traces").join(format!("{name}.json")))?;
        let batch: SpanBatch = match decode_traces(&bytes, Format::Json) {
            Ok(decoded) => decoded.batch,
            Err(error) => return Err(format!("{name}: {error}")),
        };
        ids.insert(name.clone(), batch.spans.iter().map(|row| row.trace_id).collect());
        spans.push(&Tenant::default(), &batch);
    }
    Ok((spans, ids))
}

fn judge(
    name: &str,
    cases: &[Case],
    spans: &MemorySpans,
    ids: &BTreeMap<String, BTreeSet<TraceId>>,
) -> FileResult {
    let mut result = FileResult { name: name.to_owned(), ..FileResult::default() };
    for case in cases {
        let expected: BTreeSet<TraceId> =
            case.expected_fixtures.iter().filter_map(|name| ids.get(name)).flatten().copied().collect();
        match find(&case.query, spans) {
            Ok(found) if found == expected => result.passed += 1,
            Ok(found) => {
                result.failures.push(format!("{}: expected {expected:?}, found {found:?}", case.caption));
            }
            Err(error) => result.failures.push(format!("{}: {error}", case.caption)),
        }
    }
    result
}

fn find(query: &Query, spans: &MemorySpans) -> Result<BTreeSet<TraceId>, String> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().map_err(|error| error.to_string());
    let nanoseconds = |text: &str| time(text).map(|at| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX));
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let asked = TraceQuery {
        service: query.service_name.clone(),
        operation: query.operation_name.clone(),
        tags: query.tags.iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect(),
        start_ns: nanoseconds(&query.start_time_min)?,
        end_ns: nanoseconds(&query.start_time_max)?,
        duration_min_ns: query.duration_min,
        duration_max_ns: query.duration_max,
        limit: query.num_traces,
    };
    let found = find_traces(spans, &Tenant::default(), &asked, &Budget::default())
        .map_err(|error| error.to_string())?;
    Ok(found.traces.iter().flat_map(|trace| &trace.spans).map(|row| row.trace_id).collect())
}
