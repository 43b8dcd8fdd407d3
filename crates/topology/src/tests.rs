//! The graph as its users see it: spans in, series and changes out.

use super::*;
use model::attr::ValueRef;
use model::{SpanId, SpanKind, SpanRow, StatusCode, TraceId};

const SECOND_NS: i64 = 1_000_000_000;

struct Call {
    service: &'static str,
    version: &'static str,
    ids: (u8, u8),
    kind: SpanKind,
    failed: bool,
    attrs: Vec<(&'static str, &'static str)>,
}

fn call(service: &'static str, ids: (u8, u8), kind: SpanKind) -> Call {
    Call { service, version: "1", ids, kind, failed: false, attrs: Vec::new() }
}

fn batch(calls: &[Call]) -> SpanBatch {
    let mut batch = SpanBatch::default();
    for call in calls {
        let pairs =
            [("service.name", ValueRef::Str(call.service)), ("service.version", ValueRef::Str(call.version))];
        let attrs = batch.push_attrs(pairs);
        batch.resources.push(model::span::Resource { attrs });
        let name = batch.text("GET /");
        let attrs = batch.push_attrs(call.attrs.iter().map(|(key, value)| (*key, ValueRef::Str(value))));
        batch.spans.push(SpanRow {
            trace_id: TraceId([1; 16]),
            span_id: SpanId([call.ids.0; 8]),
            parent_id: SpanId([call.ids.1; 8]),
            duration_ns: 3_000_000,
            name,
            kind: call.kind,
            status: if call.failed { StatusCode::Error } else { StatusCode::Unset },
            resource: u32::try_from(batch.resources.len() - 1).expect("small"),
            attrs,
            ..SpanRow::default()
        });
    }
    batch
}

/// Sends each group as a batch, waits out the pairing window, returns `series value` lines of the last sample.
fn series(groups: &[Vec<Call>], name: &str) -> Vec<String> {
    let topology = Topology::new(&platform::metrics::Registry::default());
    let tenant = Tenant::default();
    for group in groups {
        topology.observe_spans(&tenant, &batch(group), 0);
    }
    let collected = topology.collect(11_000);
    let metrics = &collected.first().expect("metrics").metrics;
    let mut lines: Vec<String> = metrics
        .floats
        .iter()
        .filter(|point| point.ts_ms == 11_000)
        .map(|point| (metrics.labels(point.series).expect("labels"), point.value))
        .filter(|(labels, _)| labels.metric_name() == name)
        .map(|(labels, value)| format!("{} {value}", labels.retain(|name| name != "__name__")))
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_call_is_one_request_whatever_order_its_sides_come_in() {
    let client = || vec![call("shop", (1, 9), SpanKind::Client)];
    let server = || vec![Call { failed: true, ..call("pay", (2, 1), SpanKind::Server) }];
    let expected = [r#"{client="shop", server="pay"} 1"#];
    for groups in [vec![client(), server()], vec![server(), client()], vec![client(), server(), server()]] {
        assert_eq!(series(&groups, "traces_service_graph_request_total"), expected);
        assert_eq!(series(&groups, "traces_service_graph_request_failed_total"), expected);
    }
}

#[test]
fn calls_without_a_server_span_lead_to_the_remote_they_name() {
    let mut query = call("pay", (1, 9), SpanKind::Client);
    query.attrs = vec![("db.system", "sqlite"), ("server.address", "db-1")];
    let nameless = call("pay", (2, 9), SpanKind::Client);
    let entry = call("shop", (3, 0), SpanKind::Server);
    assert_eq!(
        series(&[vec![query, nameless, entry]], "traces_service_graph_request_total"),
        [
            r#"{client="pay", connection_type="database", server="sqlite"} 1"#,
            r#"{client="user", connection_type="virtual_node", server="shop"} 1"#,
        ]
    );
}

#[test]
fn resent_spans_are_counted_once() {
    let group = || vec![call("shop", (1, 0), SpanKind::Server)];
    assert_eq!(
        series(&[group(), group()], "traces_spanmetrics_calls_total"),
        [concat!(
            r#"{service="shop", service_version="1", span_kind="SPAN_KIND_SERVER", span_name="GET /", "#,
            r#"status_code="STATUS_CODE_UNSET"} 1"#
        )]
    );
}

#[test]
fn a_new_series_starts_from_zero_and_carries_its_trace() {
    let topology = Topology::new(&platform::metrics::Registry::default());
    let tenant = Tenant::default();
    topology.observe_spans(&tenant, &batch(&[call("shop", (1, 0), SpanKind::Server)]), 0);
    let collected = topology.collect(10_000);
    let metrics = &collected[0].metrics;
    let calls: Vec<(i64, f64)> = metrics
        .floats
        .iter()
        .filter(|p| metrics.labels(p.series).is_some_and(|l| l.metric_name().ends_with("calls_total")))
        .map(|point| (point.ts_ms, point.value))
        .collect();
    assert_eq!(calls, [(9_000, 0.0), (10_000, 1.0)]);
    assert!(metrics.exemplars.iter().any(|point| {
        point.exemplar.labels.get("trace_id") == Some("01010101010101010101010101010101")
            && metrics.labels(point.series).is_some_and(|labels| labels.get("le") == Some("0.004"))
    }));
}

#[test]
fn a_moved_version_is_a_change_and_a_running_one_is_not() {
    let topology = Topology::new(&platform::metrics::Registry::default());
    let tenant = Tenant::default();
    let see = |version: &'static str, at_s: i64| -> Vec<String> {
        let calls = [Call { version, ..call("pay", (1, 0), SpanKind::Server) }];
        let changes = topology.observe_spans(&tenant, &batch(&calls), at_s * SECOND_NS);
        changes.into_iter().map(|change| change.summary).collect()
    };
    assert_eq!(see("1", 0), [""; 0], "the first version is no change");
    assert_eq!(see("2", 10), ["pay 1 -> 2"]);
    assert_eq!(see("1", 20), [""; 0], "both run during a rollout");
    assert_eq!(see("2", 30), [""; 0]);
    assert_eq!(see("1", 400), ["pay 2 -> 1"], "a version that was gone came back");
}

#[test]
fn stored_changes_are_not_reported_again_after_a_restart() {
    let first = Topology::new(&platform::metrics::Registry::default());
    let tenant = Tenant::default();
    let of = |version| batch(&[Call { version, ..call("pay", (1, 0), SpanKind::Server) }]);
    first.observe_spans(&tenant, &of("1"), 0);
    let changes = first.observe_spans(&tenant, &of("2"), SECOND_NS);
    assert_eq!(changes.len(), 1);

    let second = Topology::new(&platform::metrics::Registry::default());
    second.restore(&tenant, &changes);
    assert_eq!(second.observe_spans(&tenant, &of("2"), 2 * SECOND_NS), []);
    let service = &second.services(&tenant)[0];
    assert_eq!(service.versions.iter().map(|v| v.version.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn a_service_that_names_spans_after_their_data_overflows_alone() {
    let topology = Topology::new(&platform::metrics::Registry::default());
    let tenant = Tenant::default();
    let named = |service, number: usize| {
        let id = u8::try_from(number % 250).expect("small") + 1;
        let mut batch = batch(&[call(service, (id, 0), SpanKind::Internal)]);
        let trace = TraceId(u128::try_from(number + 1).expect("small").to_be_bytes());
        let name = batch.text(&format!("GET /{service}/{number}"));
        batch.spans.iter_mut().for_each(|span| (span.name, span.trace_id) = (name, trace));
        batch
    };
    for number in 0..700 {
        topology.observe_spans(&tenant, &named("noisy", number), 0);
    }
    topology.observe_spans(&tenant, &named("quiet", 1_000), 0);
    let collected = topology.collect(11_000);
    let metrics = &collected.first().expect("metrics").metrics;
    let mut calls = std::collections::BTreeMap::new();
    for point in metrics.floats.iter().filter(|point| point.ts_ms == 11_000) {
        let labels = metrics.labels(point.series).expect("labels");
        if labels.metric_name() == "traces_spanmetrics_calls_total" {
            let name = labels.get("span_name").expect("a name").to_owned();
            calls.insert((labels.get("service").expect("a service").to_owned(), name), point.value);
        }
    }
    let of = |service: &str, name: &str| calls.get(&(service.to_owned(), name.to_owned())).copied();
    assert_eq!(calls.len(), spanmetrics::SERVICE_OPERATIONS_MAX + 2);
    assert_eq!(of("noisy", spanmetrics::OVERFLOW), Some(200.0));
    assert_eq!(of("quiet", "GET /quiet/1000"), Some(1.0));
}
