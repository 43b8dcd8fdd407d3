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

/// Seconds of the entries that `interval_ms` leaves of the newest (or oldest) `limit` lines.
fn check_interval(interval_s: i64, direction: Direction, limit: usize, expected: &[i64]) {
    let params = LogParams {
        end_ns: 60 * SECOND,
        step_ms: Some(1000),
        interval_ms: interval_s * 1000,
        direction,
        limit,
        ..LogParams::default()
    };
    let Ok(LogValue::Streams(streams)) = run(r#"{env="prod"}"#, &params) else { panic!("no streams") };
    let mut times: Vec<i64> = streams.iter().flat_map(|s| &s.entries).map(|e| e.ts_ns / SECOND).collect();
    times.sort_unstable();
    assert_eq!(times, expected, "{interval_s} {limit}");
}

#[test]
fn an_interval_thins_the_whole_answer_after_the_limit() {
    check_interval(0, Direction::Backward, 9, &[10, 20, 25, 30]);
    check_interval(5, Direction::Backward, 9, &[10, 20, 25, 30]);
    check_interval(10, Direction::Backward, 9, &[10, 20, 30]);
    check_interval(10, Direction::Forward, 9, &[10, 20, 30]);
    check_interval(10, Direction::Backward, 2, &[30]);
    check_interval(15, Direction::Forward, 3, &[10, 25]);
}

/// Instants of a range query, in seconds.
fn check_aligned(start_s: i64, end_s: i64, step_s: i64, expected: &[i64]) {
    let params = LogParams {
        start_ns: start_s * SECOND,
        end_ns: end_s * SECOND,
        step_ms: Some(step_s * 1000),
        aligned: true,
        ..LogParams::default()
    };
    let Ok(LogValue::Matrix(series)) = run("vector(1)", &params) else { panic!("no matrix") };
    let instants: Vec<i64> = series[0].points.iter().map(|(ts_ms, _)| ts_ms / 1000).collect();
    assert_eq!(instants, expected, "{start_s}..{end_s} step {step_s}");
}

#[test]
fn aligned_instants_are_multiples_of_the_step() {
    check_aligned(60, 180, 60, &[60, 120, 180]);
    check_aligned(61, 121, 60, &[60, 120, 180]);
    check_aligned(61, 61, 60, &[60, 120]);
    check_aligned(25, 35, 7, &[21, 28, 35]);
    check_aligned(-5, 5, 10, &[-10, 0, 10]);
}

fn check_volume(query: &str, targets: &str, by: VolumeBy, expected: &str) {
    let mut logs = logs();
    let mut more = LogBatch::default();
    more.push_stream(Labels::from_pairs([("app", "c"), ("level", "warn")]));
    more.push_entry(26 * SECOND, "ten bytes.", [], Default::default());
    logs.push(&Tenant::default(), &more);
    let params = VolumeParams {
        query: query.into(),
        end_ns: 60 * SECOND,
        limit: 10,
        target_labels: targets.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        by,
        ..VolumeParams::default()
    };
    let rows = super::volume(&logs, &Tenant::default(), &params, &Budget::default()).expect(query);
    let shown: Vec<String> = rows.iter().map(|row| format!("{} {}", row.labels, row.value)).collect();
    assert_eq!(shown.join("; "), expected, "{query} {targets}");
}

#[test]
fn volumes_group_by_target_labels_that_a_stream_has() {
    let all = r#"{app=~".+"}"#;
    check_volume(all, "", VolumeBy::Series, r#"{app="a"} 85; {app="b"} 32; {app="c"} 10"#);
    check_volume(all, "env", VolumeBy::Series, r#"{env="prod"} 117"#);
    check_volume(all, "env,level", VolumeBy::Series, "");
    check_volume(r#"{app="c", env=~".*"}"#, "env,level", VolumeBy::Series, r#"{level="warn"} 10"#);
    check_volume(all, "", VolumeBy::Labels, r#"{app=""} 127; {env=""} 117; {level=""} 10"#);
    check_volume(all, "env,app", VolumeBy::Labels, r#"{app=""} 117; {env=""} 117"#);
    check_volume(all, "app,nope", VolumeBy::Labels, "");
}

#[test]
fn volume_steps_are_cut_at_multiples_of_the_step() {
    let params = VolumeParams {
        query: r#"{app="a"}"#.into(),
        start_ns: 5 * SECOND,
        end_ns: 35 * SECOND,
        limit: 10,
        ..VolumeParams::default()
    };
    let series = super::volume_range(&logs(), &Tenant::default(), &params, 20_000, &Budget::default());
    assert_eq!(series.expect("series")[0].points, [(19_999, 28.0), (35_000, 57.0)]);
}

#[test]
fn a_selector_is_told_from_a_query() {
    for (text, expected) in [
        (r#"{app="a"} |= "x""#, "only label matchers are supported"),
        (r#"rate({app="a"}[1m])"#, "only label matchers are supported"),
        (r#"{app="a""#, "syntax error: unexpected $end, expecting } or ,"),
        (r#"{app=~".*"}"#, "at least one regexp or equality matcher"),
        ("{}", "at least one regexp or equality matcher"),
    ] {
        let range = MetaRange { start_ns: 0, end_ns: SECOND };
        let refused = super::labels(&logs(), &Tenant::default(), Some(text), range, &Budget::default());
        assert!(refused.is_err_and(|error| error.to_string().contains(expected)), "{text}");
        let selectors = [text.to_owned()];
        let series = super::series(&logs(), &Tenant::default(), &selectors, range, &Budget::default());
        assert_eq!(series.is_ok(), text == "{}", "{text}");
    }
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
