//! Queries over a few lines in memory, and what they answer.

use super::{LogParams, LogValue, MetaRange, Tail, VolumeBy, VolumeParams};
use crate::memory::MemoryLogs;
use model::scan::{Budget, Direction};
use model::tenant::Tenant;
use model::{Labels, LogBatch};

const SECOND: i64 = 1_000_000_000;

fn batch() -> LogBatch {
    let mut batch = LogBatch::default();
    batch.push_stream(Labels::from_pairs([("app", "a"), ("env", "prod")]));
    for (at, line) in
        [(10, "level=info dur=2s n=1"), (20, "level=error dur=5s n=3"), (30, "level=info dur=1s n=x")]
    {
        batch.push_entry(at * SECOND, line, [("trace", "t1")], Default::default());
    }
    batch.push_stream(Labels::from_pairs([("app", "b"), ("env", "prod")]));
    batch.push_entry(25 * SECOND, r#"{"level":"warn","user":{"id":7}}"#, [], Default::default());
    batch
}

fn logs() -> MemoryLogs {
    let mut logs = MemoryLogs::default();
    logs.push(&Tenant::default(), &batch());
    logs
}

fn run(text: &str, params: &LogParams) -> Result<LogValue, String> {
    let answer = super::query(&logs(), &Tenant::default(), text, params, &Budget::default());
    answer.map(|answer| answer.value).map_err(|error| error.to_string())
}

/// A log query over everything; one text per entry.
fn lines(text: &str, direction: Direction, limit: usize) -> Vec<String> {
    let params =
        LogParams { end_ns: 60 * SECOND, step_ms: Some(1000), direction, limit, ..LogParams::default() };
    let LogValue::Streams(streams) = run(text, &params).expect(text) else { panic!("{text}: no streams") };
    let entry = |labels: &super::LabelSet, e: &super::OutEntry| {
        format!("{}s {labels} {} {} {}", e.ts_ns / SECOND, e.metadata, e.parsed, e.line)
    };
    streams.iter().flat_map(|s| s.entries.iter().map(|e| entry(&s.labels, e)).collect::<Vec<_>>()).collect()
}

fn check(text: &str, expected: &str) {
    let params = LogParams { start_ns: 60 * SECOND, end_ns: 60 * SECOND, ..LogParams::default() };
    let shown = match run(text, &params) {
        Ok(LogValue::Vector(samples)) => {
            samples.iter().map(|s| format!("{} {}", s.labels, s.value)).collect::<Vec<_>>().join("; ")
        }
        Ok(LogValue::Scalar(_, value)) => value.to_string(),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.lines().next().unwrap_or_default().to_owned(),
    };
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn log_queries_keep_order_limit_and_origin() {
    let all = lines(r#"{app="a"}"#, Direction::Backward, 2);
    let first = r#"30s {app="a", env="prod"} {trace="t1"} {} level=info dur=1s n=x"#;
    assert_eq!(all.first().map(String::as_str), Some(first));
    assert_eq!(all.len(), 2);
    assert_eq!(
        lines(r#"{env="prod"} | json | __error__="" | line_format "{{.user_id}}""#, Direction::Forward, 9),
        [r#"25s {app="b", env="prod"} {} {level="warn", user_id="7"} 7"#]
    );
    assert!(lines(r#"{app="a"} |= "nothing""#, Direction::Forward, 9).is_empty());
}

#[test]
fn metric_queries_count_and_measure() {
    check(
        r#"sum by (level) (count_over_time({app="a"} | logfmt | drop n, dur [1m]))"#,
        r#"{level="error"} 1; {level="info"} 2"#,
    );
    check(r#"max_over_time({app="a"} | logfmt | unwrap duration(dur) [1m]) by (app)"#, r#"{app="a"} 5"#);
    check(r#"sum(bytes_over_time({app="b"}[1m])) * 2"#, "{} 64");
    check(r#"absent_over_time({app="zz", env=~".+"}[1m])"#, r#"{app="zz"} 1"#);
    check("vector(1) + vector(1)", "{} 2");
    check("2 ^ 3 ^ 0", "2");
    check(
        r#"{app="a"}"#,
        "log queries are not supported as an instant query type, please change your query to a range query type",
    );
    check(
        r#"sum_over_time({app="a"} | logfmt | unwrap n [1m]) "#,
        r#"pipeline error: 'SampleExtractionErr' for series: '{__error__="SampleExtractionErr", __error_details__="strconv.ParseFloat: parsing \"x\": invalid syntax", app="a", dur="1s", env="prod", level="info", n="x", trace="t1"}'."#,
    );
}

#[test]
fn limits_are_errors() {
    let params = LogParams { end_ns: 60 * SECOND, series_max: 1, ..LogParams::default() };
    assert!(
        run(r#"count_over_time({env="prod"}[1m])"#, &params)
            .is_err_and(|e| e.contains("maximum number of series (1)"))
    );
    let params = LogParams { end_ns: 60 * SECOND, step_ms: Some(1), ..LogParams::default() };
    assert!(run("vector(1)", &params).is_err_and(|e| e.contains("11,000 points")));
    let budget = Budget::new(1);
    let params = LogParams { end_ns: 60 * SECOND, ..LogParams::default() };
    assert!(super::query(&logs(), &Tenant::default(), r#"rate({app="a"}[1m])"#, &params, &budget).is_err());
}

#[test]
fn a_tail_keeps_what_its_query_keeps() {
    let mut tail = Tail::new(r#"{app="a"} |= "error""#).expect("compiles");
    let streams = tail.apply(&batch());
    assert_eq!(streams.iter().map(|s| s.entries.len()).collect::<Vec<_>>(), [1]);
    assert!(Tail::new("vector(1)").is_err());
}

#[test]
fn questions_about_streams() {
    let (logs, tenant, budget) = (logs(), Tenant::default(), Budget::default());
    let range = MetaRange { start_ns: 0, end_ns: 60 * SECOND };
    assert_eq!(super::labels(&logs, &tenant, None, range, &budget), Ok(vec!["app".into(), "env".into()]));
    assert_eq!(
        super::label_values(&logs, &tenant, "app", Some(r#"{env="prod"}"#), range, &budget),
        Ok(vec!["a".into(), "b".into()])
    );
    assert_eq!(
        super::series(&logs, &tenant, &[r#"{app="b"}"#.into()], range, &budget).map(|s| s.len()),
        Ok(1)
    );
    assert_eq!(super::stats(&logs, &tenant, r#"{app="a"}"#, range, &budget).map(|s| s.entries), Ok(3));
    let params = VolumeParams {
        query: r#"{env="prod"}"#.into(),
        end_ns: 60 * SECOND,
        limit: 10,
        target_labels: vec!["app".into()],
        by: VolumeBy::Series,
        ..VolumeParams::default()
    };
    let volume = super::volume(&logs, &tenant, &params, &budget).expect("volume");
    let shown: Vec<String> = volume.iter().map(|row| format!("{} {}", row.labels, row.value)).collect();
    assert_eq!(shown, [r#"{app="a"} 85"#, r#"{app="b"} 32"#]);
    let fields = super::detected_fields(&logs, &tenant, r#"{env="prod"}"#, range, (100, 100), &budget)
        .expect("fields");
    let shown: Vec<String> = fields
        .iter()
        .map(|f| format!("{}:{}:{}:{}", f.label, f.kind, f.cardinality, f.parsers.join("+")))
        .collect();
    assert_eq!(
        shown,
        [
            "dur:duration:3:logfmt",
            "level:string:3:json+logfmt",
            "n:string:3:logfmt",
            "trace:string:1:",
            "user_id:int:1:json"
        ]
    );
}
