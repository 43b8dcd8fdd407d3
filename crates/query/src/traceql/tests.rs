//! The engine's promises beside what each query means: summaries, limits, tags, exemplars, odd traces, cost.

use super::*;
use crate::memory::MemorySpans;
use language::traceql::{Relation, Sides};
use model::attr::ValueRef;
use model::span::{Resource, SpanBatch, SpanRow, StatusCode};
use model::{SpanId, TraceId};

fn id(span: u64) -> SpanId {
    SpanId(span.to_be_bytes())
}

/// A span of trace 1: id, parent, milliseconds of start and duration, name.
fn push(batch: &mut SpanBatch, (span, parent, start_ms, name): (u64, u64, i64, &str)) {
    let resource = batch.push_attrs([("service.name", ValueRef::Str("shop"))]);
    batch.resources.push(Resource { attrs: resource });
    let row = SpanRow {
        trace_id: TraceId(1_u128.to_be_bytes()),
        span_id: id(span),
        parent_id: id(parent),
        start_ns: start_ms * 1_000_000,
        duration_ns: 10_000_000,
        name: batch.text(name),
        status: if name == "bad" { StatusCode::Error } else { StatusCode::Unset },
        attrs: batch.push_attrs([("size", ValueRef::Int(start_ms))]),
        resource: u32::try_from(batch.resources.len() - 1).unwrap_or(0),
        ..SpanRow::default()
    };
    batch.spans.push(row);
}

fn source(spans: &[(u64, u64, i64, &str)]) -> MemorySpans {
    let mut batch = SpanBatch::default();
    for span in spans.iter().copied() {
        push(&mut batch, span);
    }
    let source = MemorySpans::default();
    source.push(&Tenant::default(), &batch);
    source
}

fn ask(source: &MemorySpans, query: &str) -> SearchAnswer {
    let params = SearchParams { start_ns: 0, end_ns: i64::MAX, limit: 20, spans_per_set: 2 };
    search(source, &Tenant::default(), query, &params, &Budget::default()).expect(query)
}

/// Ids of all spans that a query selects.
fn selected(source: &MemorySpans, query: &str) -> Vec<u64> {
    let params = SearchParams { start_ns: 0, end_ns: i64::MAX, limit: 20, spans_per_set: 0 };
    let answer = search(source, &Tenant::default(), query, &params, &Budget::default()).expect(query);
    let spans = answer.traces.iter().flat_map(|trace| &trace.span_sets).flat_map(|set| &set.spans);
    spans.map(|span| u64::from_be_bytes(span.span_id.0)).collect()
}

#[test]
fn a_summary_describes_the_whole_trace_and_some_of_the_spans() {
    let source = source(&[(1, 0, 5, "root"), (2, 1, 6, "bad"), (3, 1, 7, "bad"), (4, 2, 8, "bad")]);
    let answer = ask(&source, "{ name = \"bad\" && span.size > 5 } | count() > 1");
    let [trace] = answer.traces.as_slice() else { panic!("one trace") };
    assert_eq!((trace.root_service_name.as_str(), trace.root_trace_name.as_str()), ("shop", "root"));
    assert_eq!((trace.start_ns, trace.duration_ns), (5_000_000, 13_000_000));
    assert_eq!(trace.service_stats["shop"], ServiceStats { span_count: 4, error_count: 3 });
    let [set] = trace.span_sets.as_slice() else { panic!("one set") };
    assert_eq!((set.matched, set.spans.len()), (3, 2));
    assert_eq!(set.attributes, [("count()".to_owned(), AttrValue::Int(3))]);
    assert_eq!(set.spans[0].name, "bad");
    assert_eq!(set.spans[0].attributes, [("size".to_owned(), AttrValue::Int(6))]);
}

#[test]
fn a_missing_root_is_said_and_structure_still_works() {
    let source = source(&[(2, 1, 6, "a"), (3, 2, 7, "b"), (4, 1, 8, "c")]);
    let answer = ask(&source, "{ }");
    assert_eq!(answer.traces[0].root_service_name, ROOT_NOT_RECEIVED);
    assert_eq!(selected(&source, "{ name = \"a\" } >> { }"), [3]);
    assert_eq!(selected(&source, "{ name = \"a\" } ~ { }"), [4]);
    assert_eq!(selected(&source, "{ nestedSetParent < 0 }"), [0_u64; 0]);
}

#[test]
fn a_span_without_a_service_is_of_the_unknown_one() {
    let mut batch = SpanBatch::default();
    push(&mut batch, (1, 0, 5, "root"));
    let unnamed = batch.push_attrs([("service.name", ValueRef::Str(""))]);
    batch.resources[0].attrs = unnamed;
    push(&mut batch, (2, 1, 6, "named"));
    push(&mut batch, (3, 1, 7, "bare"));
    batch.resources[2].attrs = 0..0;
    let source = MemorySpans::default();
    source.push(&Tenant::default(), &batch);
    for (condition, expected) in [
        ("resource.service.name = \"unknown_service\"", &[1, 3][..]),
        (".service.name =~ \"unknown.*\"", &[1, 3]),
        ("resource.service.name = \"shop\"", &[2]),
        ("resource.service.name = \"\"", &[]),
        ("rootServiceName = \"unknown_service\"", &[1, 2, 3]),
    ] {
        assert_eq!(selected(&source, &format!("{{ {condition} }}")), expected, "{condition}");
    }
    let answer = ask(&source, "{ }");
    let services: Vec<&str> = answer.traces[0].service_stats.keys().map(String::as_str).collect();
    assert_eq!(services, ["shop", "unknown_service"]);
    let params = TagsParams { end_ns: i64::MAX, ..TagsParams::default() };
    let (tenant, budget) = (Tenant::default(), Budget::default());
    let values = tag_values(&source, &tenant, "resource.service.name", &params, &budget).expect("values");
    let values: Vec<&str> = values.values.iter().map(|value| value.value.as_str()).collect();
    assert_eq!(values, ["shop", "unknown_service"]);
    let names = crate::jaeger::services(&source, &tenant, 0..i64::MAX, &budget);
    assert_eq!(names, Ok(vec!["shop".to_owned(), "unknown_service".to_owned()]));
    let query = crate::jaeger::TraceQuery {
        service: "unknown_service".to_owned(),
        operation: "bare".to_owned(),
        end_ns: i64::MAX,
        limit: 9,
        ..crate::jaeger::TraceQuery::default()
    };
    let found = crate::jaeger::find_traces(&source, &tenant, &query, &budget).expect("found");
    assert_eq!(found.traces.len(), 1);
    let operations =
        crate::jaeger::operations(&source, &tenant, "unknown_service", None, 0..i64::MAX, &budget);
    assert_eq!(operations.expect("operations").len(), 2);
}

#[test]
fn parents_in_a_circle_end() {
    let source = source(&[(1, 2, 5, "a"), (2, 1, 6, "b"), (3, 3, 7, "c"), (4, 0, 8, "d")]);
    assert_eq!(selected(&source, "{ } > { }"), [1, 2, 3]);
    assert_eq!(selected(&source, "{ nestedSetLeft = 0 }"), [1, 2, 3]);
    assert_eq!(selected(&source, "{ name = \"a\" } >> { }"), [0_u64; 0]);
}

#[test]
fn a_chain_of_fifty_thousand_spans_is_no_problem() {
    let spans: Vec<(u64, u64, i64, &str)> = (1..=50_000).map(|span| (span, span - 1, 5, "x")).collect();
    let mut batch = SpanBatch::default();
    for span in spans.iter().copied() {
        push(&mut batch, span);
    }
    let trace = trace::Trace::new(&batch, 0..batch.spans.len());
    let all: Vec<u32> = (0..trace.len()).collect();
    let relations = [
        (Relation::Descendant, 49_999),
        (Relation::Ancestor, 49_999),
        (Relation::Child, 49_999),
        (Relation::Parent, 49_999),
        (Relation::Sibling, 0),
    ];
    for (relation, expected) in relations {
        assert_eq!(
            structure::relate(&trace, relation, Sides::Right, &all, &all).len(),
            expected,
            "{relation:?}"
        );
    }
}

#[test]
fn wrong_doors_and_bad_steps_are_refused_in_words() {
    let source = source(&[]);
    let (tenant, budget) = (Tenant::default(), Budget::default());
    let params = SearchParams { start_ns: 0, end_ns: 1, limit: 1, spans_per_set: 3 };
    let refused = search(&source, &tenant, "{ } | rate()", &params, &budget).map(|_| ());
    assert!(refused.is_err_and(|error| error.to_string().contains("metrics query")));
    let mut params =
        MetricsParams { start_ns: 0, end_ns: 1 << 50, step_ns: 0, exemplars_max: 0, series_max: 0 };
    let refused = metrics_range(&source, &tenant, "{ } | rate()", &params, &budget).map(|_| ());
    assert_eq!(refused, Err(TraceQlError::BadRequest("step must be at least 1ms".to_owned())));
    params.step_ns = 1_000_000;
    let refused = metrics_range(&source, &tenant, "{ } | rate()", &params, &budget).map(|_| ());
    assert!(refused.is_err_and(|error| error.to_string().contains("larger step")));
    let canceled = Budget::default();
    canceled.cancel();
    let source = self::source(&[(1, 0, 5, "a")]);
    let stopped = metrics_instant(&source, &tenant, "{ } | rate()", &params, &canceled).map(|_| ());
    assert_eq!(stopped, Err(TraceQlError::Scan(model::ScanError::Canceled)));
}

#[test]
fn series_carry_exemplars_and_say_what_was_cut() {
    let source = source(&[(1, 0, 5, "a"), (2, 1, 6, "b"), (3, 1, 7, "c")]);
    let params =
        MetricsParams { start_ns: 0, end_ns: 1_000_000_000, step_ns: 0, exemplars_max: 2, series_max: 2 };
    let query = "{ } | max_over_time(duration) by(name)";
    let answer =
        metrics_instant(&source, &Tenant::default(), query, &params, &Budget::default()).expect(query);
    let labels: Vec<String> = answer.series.iter().map(MetricSeries::prom_labels).collect();
    assert_eq!(labels, ["{name=\"a\"}", "{name=\"b\"}"]);
    assert_eq!(answer.completeness.missing, ["1 of 3 series are left out"]);
    assert_eq!(answer.series[0].samples, [(1_000, 0.01)]);
    let exemplar = &answer.series[0].exemplars[0];
    assert_eq!((exemplar.labels[0].0.as_str(), exemplar.ts_ms), ("trace:id", 5));
}

#[test]
fn tags_and_values_follow_the_filter() {
    let source = source(&[(1, 0, 5, "a"), (2, 1, 6, "b")]);
    let (tenant, budget) = (Tenant::default(), Budget::default());
    let mut params =
        TagsParams { end_ns: i64::MAX, query: "{ name = \"b\" }".to_owned(), ..TagsParams::default() };
    for (tag, expected) in [("span.size", "6"), ("size", "6"), ("name", "b"), ("duration", "10ms")] {
        let answer = tag_values(&source, &tenant, tag, &params, &budget).expect(tag);
        let values: Vec<&str> = answer.values.iter().map(|value| value.value.as_str()).collect();
        assert_eq!(values, [expected], "{tag}");
    }
    params.scope = Some(TagScope::Resource);
    let answer = tags(&source, &tenant, &params, &budget).expect("tags");
    assert_eq!(answer.scopes, [(TagScope::Resource, vec!["service.name".to_owned()])]);
}

#[test]
fn older_parameters_become_a_query() {
    let tags = [("http.method".to_owned(), "GET".to_owned()), ("code".to_owned(), "5".to_owned())];
    let query = query_of_tags(&tags, Some(1_500_000), None);
    assert_eq!(
        query,
        "{ .\"http.method\" = \"GET\" && (.\"code\" = \"5\" || .\"code\" = 5) && duration >= 1500000ns }"
    );
    assert!(language::traceql::check(&query).is_ok());
    assert_eq!(query_of_tags(&[], None, None), "{ }");
}
