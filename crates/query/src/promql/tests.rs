//! Queries over a few series and what they give, printed; limits and cancellation.

use super::{Engine, PromAnswer, PromError, PromErrorKind, PromValue, QueryOptions, SampleValue};
use crate::memory::MemoryMetrics;
use language::promql::TREE_DEPTH_MAX;
use model::scan::Budget;
use model::{Labels, Tenant};

/// `requests_total` of two instances, one sample a minute for an hour: a grows by 60 and is reset after 30 min, b by 120.
fn source() -> MemoryMetrics {
    let mut source = MemoryMetrics::default();
    for (instance, step) in [("a", 60.0), ("b", 120.0)] {
        let labels =
            Labels::from_pairs([("__name__", "requests_total"), ("instance", instance), ("job", "api")]);
        for minute in 0..=60_i32 {
            let since = if instance == "a" && minute >= 30 { minute - 30 } else { minute };
            source.push(&labels, i64::from(minute) * 60_000, f64::from(since) * step);
        }
    }
    source
}

fn instant(query: &str, options: &QueryOptions, budget: &Budget) -> Result<PromAnswer, PromError> {
    Engine.instant(&source(), &Tenant::default(), query, 3_600_000, options, budget)
}

/// One line per sample.
fn print(value: &PromValue) -> String {
    let number = |value: &SampleValue| match value {
        SampleValue::Float(value) => value.to_string(),
        SampleValue::Histogram(h) => format!("{h:?}"),
    };
    match value {
        PromValue::Scalar(_, value) => value.to_string(),
        PromValue::String(_, text) => text.clone(),
        PromValue::Vector(samples) => {
            let lines = samples.iter().map(|sample| format!("{} {}", sample.labels, number(&sample.value)));
            lines.collect::<Vec<_>>().join("\n")
        }
        PromValue::Matrix(series) => {
            let lines = series.iter().map(|series| format!("{} {:?}", series.labels, series.floats));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

fn check(query: &str, expected: &str) {
    match instant(query, &QueryOptions::default(), &Budget::default()) {
        Ok(answer) => assert_eq!(print(&answer.value), expected, "{query}"),
        Err(error) => panic!("{query}: {error}"),
    }
}

#[test]
fn instant_queries_answer() {
    for (query, expected) in [
        ("1 + 2 * 3 ^ 2", "19"),
        ("\"text\"", "text"),
        ("rate(requests_total[5m])", "{instance=\"a\", job=\"api\"} 1\n{instance=\"b\", job=\"api\"} 2"),
        ("sum by (job) (increase(requests_total[10m]))", "{job=\"api\"} 1800"),
        ("resets(requests_total{instance=\"a\"}[1h])", "{instance=\"a\", job=\"api\"} 1"),
        ("topk(1, requests_total)", "requests_total{instance=\"b\", job=\"api\"} 7200"),
        (
            "requests_total @ 60 offset 1m == 0 and on() vector(1)",
            "requests_total{instance=\"a\", job=\"api\"} 0\nrequests_total{instance=\"b\", job=\"api\"} 0",
        ),
        ("max_over_time(sum(requests_total)[10m:1m])", "{} 9000"),
        ("absent(nope{a=\"1\",b=~\"2\"})", "{a=\"1\"} 1"),
        (
            "requests_total{instance=\"b\"}[2m]",
            "requests_total{instance=\"b\", job=\"api\"} [(3540000, 7080.0), (3600000, 7200.0)]",
        ),
        ("label_replace(vector(1), \"x\", \"$1-y\", \"\", \"(.*)\")", "{x=\"-y\"} 1"),
        ("count_values(\"v\", requests_total > bool 5000)", "{v=\"0\"} 1\n{v=\"1\"} 1"),
    ] {
        check(query, expected);
    }
}

#[test]
fn a_range_is_the_instants_side_by_side() {
    let options = QueryOptions::default();
    for query in ["rate(requests_total[7m])", "sum(requests_total) / 2", "time()", "requests_total offset 3m"]
    {
        let tenant = Tenant::default();
        let range = Engine
            .range(&source(), &tenant, query, 0, 3_600_000, 300_000, &options, &Budget::default())
            .map(|answer| answer.value);
        let Ok(PromValue::Matrix(series)) = range else { panic!("{query}: {range:?}") };
        for at in (0..=3_600_000).step_by(300_000) {
            let instant = Engine.instant(&source(), &tenant, query, at, &options, &Budget::default());
            let expected: Vec<(Labels, u64)> = match instant.map(|answer| answer.value) {
                Ok(PromValue::Scalar(_, value)) => vec![(Labels::empty(), value.to_bits())],
                Ok(PromValue::Vector(samples)) => samples
                    .into_iter()
                    .filter_map(|sample| match sample.value {
                        SampleValue::Float(value) => Some((sample.labels, value.to_bits())),
                        SampleValue::Histogram(_) => None,
                    })
                    .collect(),
                other => panic!("{query} at {at}: {other:?}"),
            };
            let found: Vec<(Labels, u64)> = series
                .iter()
                .filter_map(|series| {
                    let (_, value) = series.floats.iter().find(|(ts, _)| *ts == at)?;
                    Some((series.labels.clone(), value.to_bits()))
                })
                .collect();
            assert_eq!(found, expected, "{query} at {at}");
        }
    }
}

fn check_error(query: &str, options: &QueryOptions, budget: &Budget, kind: PromErrorKind, message: &str) {
    match instant(query, options, budget) {
        Ok(answer) => panic!("{query} gave {:?}", answer.value),
        Err(error) => assert_eq!((error.kind, error.message.as_str()), (kind, message), "{query}"),
    }
}

#[test]
fn limits_and_cancellation_stop_a_query() {
    let options = QueryOptions { samples_max: 10, ..QueryOptions::default() };
    let too_many = "query processing would load too many samples into memory in query execution";
    let execution = PromErrorKind::Execution;
    check_error("sum_over_time(requests_total[1h])", &options, &Budget::default(), execution, too_many);
    check_error("requests_total", &QueryOptions::default(), &Budget::new(1), execution, too_many);
    let budget = Budget::default();
    budget.cancel();
    let message = "query was canceled in query execution";
    check_error("requests_total", &QueryOptions::default(), &budget, PromErrorKind::Canceled, message);
    let budget = Budget::default();
    budget.time_out();
    let message = "query timed out in query execution";
    check_error("1", &QueryOptions::default(), &budget, PromErrorKind::Timeout, message);
}

#[test]
fn extreme_times_and_lengths_neither_panic_nor_exhaust_memory() {
    let tenant = Tenant::default();
    let options = QueryOptions::default();
    for query in [
        "requests_total",
        "rate(requests_total[100y])",
        "requests_total offset -200y",
        "requests_total @ 9e15",
        "predict_linear(requests_total[1h] @ -9e15, 1e300)",
        "max_over_time(requests_total[290y:1ms])",
        "sum_over_time(vector(1)[20y:1h])",
        "rate(requests_total[1m] smoothed)",
        "month(vector(time() * 1e300))",
    ] {
        for at in [i64::MIN, -1, 0, i64::MAX] {
            let _ = Engine.instant(&source(), &tenant, query, at, &options, &Budget::default());
            let _ = Engine.range(&source(), &tenant, query, at, i64::MAX, 1, &options, &Budget::default());
            let _ =
                Engine.range(&source(), &tenant, query, i64::MIN, at, i64::MAX, &options, &Budget::default());
        }
    }
}

#[test]
fn the_deepest_query_that_parses_evaluates() {
    let chain = vec!["requests_total"; TREE_DEPTH_MAX].join(" + ");
    let parsed = language::promql::parse(&chain).expect("the longest chain");
    assert!(!language::promql::pretty(&parsed).is_empty());
    assert!(!language::promql::json::to_json(&parsed).to_string().is_empty());
    assert!(instant(&chain, &QueryOptions::default(), &Budget::default()).is_ok());
    let nested = format!("{}1{}", "(-".repeat(45), ")".repeat(45));
    assert!(instant(&nested, &QueryOptions::default(), &Budget::default()).is_ok());
}

#[test]
fn warnings_and_infos_carry_positions() {
    let answer = instant(
        "sum(rate(requests_total[5m])) + quantile(2, requests_total)",
        &QueryOptions::default(),
        &Budget::default(),
    );
    let expected = vec!["PromQL warning: quantile value should be between 0 and 1, got 2 (1:42)".to_owned()];
    assert_eq!(answer.map(|answer| answer.warnings), Ok(expected));
}
