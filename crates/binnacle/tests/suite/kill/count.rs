//! What is there, asked through the query APIs alone: the number of every sample, span and line, ascending, with
//! whatever stands twice standing twice here, too.

use super::load::{RECORDS, trace_id};
use crate::common::Server;
use crate::common::client;
use serde_json::Value;

const HOUR_S: i64 = 3_600;
const NS_PER_S: i64 = 1_000_000_000;
/// Lines of one page.
const PAGE_LINES: usize = 5_000;
/// Traces that are fetched by id in the end, spread over the run.
const TRACES: u64 = 100;

async fn ask(server: &Server, door: &str, path: &str, params: &[(&str, &str)]) -> Value {
    let answer = client::query(server.door(door), path, params, &[("accept", "application/json")]).await;
    assert_eq!(answer.status, 200, "{path} {params:?}: {}", answer.text());
    let value = answer.json();
    assert!(value.get("warnings").is_none(), "{path}: {}", value["warnings"]);
    value
}

/// The numbers of all records of feed `name`.
pub async fn numbers(name: &str, server: &Server, base_ns: i64) -> Vec<u64> {
    let mut numbers = match name {
        "samples" => samples(server, base_ns).await,
        "spans" => spans(server).await,
        _ => lines(server, base_ns).await,
    };
    numbers.sort_unstable();
    numbers
}

/// How many records of feed `name` an aggregation counts.
pub async fn total(name: &str, server: &Server, base_ns: i64) -> u64 {
    let (start, end) = ((base_ns / NS_PER_S).to_string(), (base_ns / NS_PER_S + HOUR_S - 1).to_string());
    let value = match name {
        "samples" => {
            let params = [("query", "sum(count_over_time(kill_sample[1h]))"), ("time", &end)];
            ask(server, "prometheus", "/api/v1/query", &params).await["data"]["result"][0]["value"][1].take()
        }
        "spans" => {
            let params = [("q", "{ } | count_over_time()"), ("start", &start), ("end", &end)];
            ask(server, "tempo", "/api/metrics/query", &params).await["series"][0]["value"].take()
        }
        _ => {
            let params = [("query", r#"sum(count_over_time({app="kill"}[1h]))"#), ("time", &end)];
            ask(server, "loki", "/loki/api/v1/query", &params).await["data"]["result"][0]["value"][1].take()
        }
    };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let count: f64 = text.parse().unwrap_or_else(|error| panic!("{name}: {text:?}: {error}"));
    format!("{count:.0}").parse().expect("a count")
}

/// Raw samples of a range vector; each must stand where its value says.
async fn samples(server: &Server, base_ns: i64) -> Vec<u64> {
    let time = (base_ns / NS_PER_S + HOUR_S - 1).to_string();
    let params = [("query", "kill_sample[1h]"), ("time", &time)];
    let answer = ask(server, "prometheus", "/api/v1/query", &params).await;
    let series = answer["data"]["result"].as_array().expect("a matrix");
    let points = series.iter().flat_map(|series| series["values"].as_array().expect("values"));
    let number = |point: &Value| {
        let number: u64 = point[1].as_str().expect("a value").parse().expect("a whole number");
        let ms = base_ns / 1_000_000 + number.cast_signed();
        let at = point[0].as_f64().expect("a time");
        let wanted: f64 = format!("{}.{:03}", ms / 1_000, ms % 1_000).parse().expect("a time");
        assert!((at - wanted).abs() < 0.000_5, "sample {number} stands at {at}, not at {wanted}");
        number
    };
    points.map(number).collect()
}

fn span_number(span: &Value, key: &str) -> u64 {
    u64::from_str_radix(span[key].as_str().expect("an id"), 16).expect("hexadecimal") - 1
}

/// Every span that a search shows.
async fn spans(server: &Server) -> Vec<u64> {
    let params = [("q", r#"{ resource.service.name = "kill" }"#), ("limit", "10000"), ("spss", "10000")];
    let answer = ask(server, "tempo", "/api/search", &params).await;
    let traces = answer["traces"].as_array().expect("traces");
    let spans = traces.iter().flat_map(|trace| trace["spanSets"][0]["spans"].as_array().expect("spans"));
    spans.map(|span| span_number(span, "spanID")).collect()
}

/// Every line, page by page, oldest first.
async fn lines(server: &Server, base_ns: i64) -> Vec<u64> {
    let mut start = base_ns;
    let mut numbers = Vec::new();
    loop {
        let (from, to) = (start.to_string(), (base_ns + HOUR_S * NS_PER_S).to_string());
        let limit = PAGE_LINES.to_string();
        let params = [
            ("query", r#"{app="kill"}"#),
            ("direction", "forward"),
            ("limit", &limit),
            ("start", &from),
            ("end", &to),
        ];
        let answer = ask(server, "loki", "/loki/api/v1/query_range", &params).await;
        let streams = answer["data"]["result"].as_array().expect("streams");
        let entries = streams.iter().flat_map(|stream| stream["values"].as_array().expect("values"));
        let page: Vec<(i64, u64)> = entries.map(entry).collect();
        numbers.extend(page.iter().map(|(_, number)| *number));
        match page.iter().map(|(ts_ns, _)| *ts_ns).max() {
            Some(last) if page.len() >= PAGE_LINES => start = last + 1,
            _ => return numbers,
        }
    }
}

fn entry(entry: &Value) -> (i64, u64) {
    let ts_ns = entry[0].as_str().expect("a time").parse().expect("nanoseconds");
    let line = entry[1].as_str().and_then(|line| line.strip_prefix("line ")).expect("a line of ours");
    (ts_ns, line.parse().expect("its number"))
}

/// Traces fetched by id from Jaeger's API have each of their spans once; `spans` were sent.
pub async fn traces_by_id(server: &Server, spans: u64) {
    let requests = spans / RECORDS;
    for at in 0..TRACES {
        let id = trace_id(at * requests / TRACES * RECORDS);
        let answer = ask(server, "jaeger-query", &format!("/api/traces/{id}"), &[]).await;
        let found = answer["data"][0]["spans"].as_array().expect("spans");
        let mut found: Vec<u64> = found.iter().map(|span| span_number(span, "spanID")).collect();
        found.sort_unstable();
        let wanted: Vec<u64> = (0..spans).filter(|number| trace_id(*number) == id).collect();
        assert_eq!(found, wanted, "trace {id}");
    }
}

/// One of the server's own counters.
pub async fn own(server: &Server, name: &str) -> u64 {
    let answer = client::get(server.door("ui"), "/metrics").await.expect("an answer");
    let text = answer.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the counter");
    line.trim().parse().expect("a count")
}
