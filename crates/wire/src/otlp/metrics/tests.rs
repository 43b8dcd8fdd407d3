//! Data points in, series out: labels, values and times as Prometheus 3 makes them.

use super::*;
use model::metric::is_stale_nan;

const RESOURCE: &str = r#"{"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.namespace","value":{"stringValue":"prod"}},{"key":"service.instance.id","value":{"stringValue":"i1"}}"#;

fn request(resource: &str, metric: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{resource}]}},"scopeMetrics":[{{"scope":{{"name":"lib","version":"2","attributes":[{{"key":"s.a","value":{{"boolValue":true}}}}]}},"metrics":[{metric}]}}]}}]}}"#
    )
}

fn decode(body: &str, translation: &MetricsTranslation, deltas: &mut DeltaState) -> Decoded<MetricBatch> {
    decode_metrics(body.as_bytes(), Format::Json, translation, deltas, 0)
        .unwrap_or_else(|error| panic!("{body}: {error}"))
}

/// `series value@ms`, one a line.
fn print(batch: &MetricBatch) -> Vec<String> {
    let series = |at| batch.labels(at).unwrap().to_string();
    let floats = batch.floats.iter().map(|point| {
        let value = if is_stale_nan(point.value) { "stale".into() } else { point.value.to_string() };
        format!("{} {value}@{}", series(point.series), point.ts_ms)
    });
    let histograms = batch.histograms.iter().map(|point| {
        let histogram = &point.histogram;
        format!(
            "{} schema={} count={} sum={} {:?}@{}",
            series(point.series),
            histogram.schema,
            histogram.count,
            histogram.sum,
            histogram.positive_buckets,
            point.ts_ms
        )
    });
    floats.chain(histograms).collect()
}

fn check_with(translation: &MetricsTranslation, metric: &str, expected: &[&str]) -> Decoded<MetricBatch> {
    let decoded = decode(&request(RESOURCE, metric), translation, &mut DeltaState::new(10));
    assert_eq!(print(&decoded.batch), expected, "{metric}");
    decoded
}

fn check(metric: &str, expected: &[&str]) -> Decoded<MetricBatch> {
    check_with(&MetricsTranslation::default(), metric, expected)
}

#[test]
fn numbers() {
    let decoded = check(
        r#"{"name":"http.requests","unit":"1","description":"d","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"5000000","asInt":"7","attributes":[{"key":"http.method","value":{"stringValue":"GET"}}],"exemplars":[{"timeUnixNano":"4000000","asDouble":0.5,"traceId":"000000000000000000000000000000ab","filteredAttributes":[{"key":"k","value":{"intValue":1}}]}]}]}}"#,
        &[r#"http_requests_total{http_method="GET", instance="i1", job="prod/shop"} 7@5"#],
    );
    assert_eq!(
        decoded.batch.exemplars[0].exemplar.labels.to_string(),
        r#"{k="1", trace_id="000000000000000000000000000000ab"}"#
    );
    assert_eq!(decoded.batch.metadata[0].kind, MetricKind::Counter);
    check(
        r#"{"name":"cpu","unit":"1","gauge":{"dataPoints":[{"timeUnixNano":"1000000","asDouble":0.5},{"timeUnixNano":"2000000","asDouble":0.5,"flags":1}]}}"#,
        &[
            r#"cpu_ratio{instance="i1", job="prod/shop"} 0.5@1"#,
            r#"cpu_ratio{instance="i1", job="prod/shop"} stale@2"#,
        ],
    );
    check(
        r#"{"name":"g","gauge":{"dataPoints":[{"asInt":1,"attributes":[{"key":"a.b","value":{"stringValue":"x"}},{"key":"a_b","value":{"stringValue":"y"}},{"key":"job","value":{"stringValue":"no"}},{"key":"empty","value":{"stringValue":""}}]}]}}"#,
        &[r#"g{a_b="x;y", instance="i1", job="prod/shop"} 1@0"#],
    );
}

#[test]
fn classic_histograms() {
    let histogram = r#"{"name":"lat","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1000000","count":"6","sum":9.5,"bucketCounts":["1","2","3"],"explicitBounds":[0.5,1],"exemplars":[{"asDouble":0.75,"traceId":"000000000000000000000000000000ab"}]}]}}"#;
    let decoded = check(
        histogram,
        &[
            r#"lat_seconds_sum{instance="i1", job="prod/shop"} 9.5@1"#,
            r#"lat_seconds_count{instance="i1", job="prod/shop"} 6@1"#,
            r#"lat_seconds_bucket{instance="i1", job="prod/shop", le="0.5"} 1@1"#,
            r#"lat_seconds_bucket{instance="i1", job="prod/shop", le="1"} 3@1"#,
            r#"lat_seconds_bucket{instance="i1", job="prod/shop", le="+Inf"} 6@1"#,
        ],
    );
    assert_eq!(decoded.batch.exemplars[0].series, 3);
    let custom = MetricsTranslation { convert_histograms_to_nhcb: true, ..MetricsTranslation::default() };
    check_with(
        &custom,
        histogram,
        &[r#"lat_seconds{instance="i1", job="prod/shop"} schema=-53 count=6 sum=9.5 [1.0, 2.0, 3.0]@1"#],
    );
}

#[test]
fn native_histograms_and_summaries() {
    let point = |scale: i32, count: u32| {
        format!(
            r#"{{"name":"e","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"1000000","count":"{count}","sum":3,"scale":{scale},"zeroCount":"1","positive":{{"offset":0,"bucketCounts":["2","3"]}}}}]}}}}"#
        )
    };
    check(&point(3, 6), &[r#"e{instance="i1", job="prod/shop"} schema=3 count=6 sum=3 [2.0, 3.0]@1"#]);
    check(&point(9, 6), &[r#"e{instance="i1", job="prod/shop"} schema=8 count=6 sum=3 [5.0]@1"#]);
    assert_eq!(check(&point(3, 7), &[]).rejected, 1);
    assert!(check(&point(-5, 6), &[]).reasons[0].contains("Scale must be >= -4, was -5"));
    check(
        r#"{"name":"q","summary":{"dataPoints":[{"timeUnixNano":"1000000","count":"2","sum":3,"quantileValues":[{"quantile":0.5,"value":1.5}]}]}}"#,
        &[
            r#"q_sum{instance="i1", job="prod/shop"} 3@1"#,
            r#"q_count{instance="i1", job="prod/shop"} 2@1"#,
            r#"q{instance="i1", job="prod/shop", quantile="0.5"} 1.5@1"#,
        ],
    );
}

#[test]
fn the_resource_has_a_series_of_its_own() {
    let metric = r#"{"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"1000000000","asInt":1},{"timeUnixNano":"301000000000","asInt":1}]}}"#;
    let resource = format!(r#"{RESOURCE},{{"key":"host.name","value":{{"stringValue":"h"}}}}"#);
    let run = |translation: &MetricsTranslation| {
        print(&decode(&request(&resource, metric), translation, &mut DeltaState::new(1)).batch)
    };
    let info = r#"target_info{host_name="h", instance="i1", job="prod/shop"}"#;
    let lines = run(&MetricsTranslation::default());
    assert_eq!(
        lines[2..],
        [format!("{info} 1@1000"), format!("{info} 1@151000"), format!("{info} 1@301000")]
    );
    let promoted = MetricsTranslation {
        promote_resource_attributes: vec!["host.name".into()],
        promote_scope_metadata: true,
        ..MetricsTranslation::default()
    };
    assert_eq!(
        run(&promoted)[0],
        r#"g{host_name="h", instance="i1", job="prod/shop", otel_scope_name="lib", otel_scope_s_a="true", otel_scope_version="2"} 1@1000"#
    );
    let utf8 = MetricsTranslation {
        strategy: TranslationStrategy::NoTranslation,
        promote_all_resource_attributes: true,
        ..MetricsTranslation::default()
    };
    assert_eq!(
        run(&utf8)[0],
        r#"g{"host.name"="h", instance="i1", job="prod/shop", "service.instance.id"="i1", "service.name"="shop", "service.namespace"="prod"} 1@1000"#
    );
}

#[test]
fn deltas_become_totals() {
    let mut deltas = DeltaState::new(10);
    let mut values = Vec::new();
    for (time, delta) in [(1, 2), (2, 3), (2, 9)] {
        let metric = format!(
            r#"{{"name":"c","sum":{{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{{"timeUnixNano":"{time}000000","asInt":{delta}}}]}}}}"#
        );
        let decoded = decode(&request(RESOURCE, &metric), &MetricsTranslation::default(), &mut deltas);
        values.push((decoded.batch.floats.first().map(|point| point.value), decoded.rejected));
    }
    assert_eq!(values, [(Some(2.0), 0), (Some(5.0), 0), (None, 1)]);
}

#[test]
fn what_cannot_be_a_series_is_rejected_alone() {
    let good = r#"{"name":"g","gauge":{"dataPoints":[{"asInt":1}]}}"#;
    let no_temporality = r#"{"name":"c","sum":{"dataPoints":[{"asInt":1},{"asInt":2}]}}"#;
    let no_name = r#"{"name":"..","gauge":{"dataPoints":[{"asInt":1}]}}"#;
    let decoded = decode(
        &request("", &[no_temporality, good, no_name].join(",")),
        &MetricsTranslation::default(),
        &mut DeltaState::new(1),
    );
    assert_eq!(print(&decoded.batch), ["g 1@0"]);
    assert_eq!(decoded.rejected, 3);
    assert_eq!(decoded.reasons[0], r#"invalid temporality and type combination for metric "c""#);
}

#[test]
fn a_long_range_does_not_flood_target_info() {
    let metric = r#"{"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":1},{"timeUnixNano":"18446744073709551615","asInt":1}]}}"#;
    let resource = format!(r#"{RESOURCE},{{"key":"host.name","value":{{"stringValue":"h"}}}}"#);
    let decoded =
        decode(&request(&resource, metric), &MetricsTranslation::default(), &mut DeltaState::new(1));
    assert!(decoded.batch.floats.len() <= 1003);
}
