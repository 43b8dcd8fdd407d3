//! `binnacle services`, `map` and `top`: tables computed from span metrics and the service graph.

use crate::metrics::vector;
use crate::output::{Align, Column, Show, digits, duration};
use crate::{Failure, Session};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Arguments of `services`.
#[derive(Args, Debug)]
pub struct ServiceArgs {
    /// Only these services.
    names: Vec<String>,
    /// Only this namespace.
    #[arg(short = 'n', long)]
    namespace: Option<String>,
}

/// Arguments of `map`.
#[derive(Args, Debug)]
pub struct MapArgs {
    /// Only edges from or to this service.
    service: Option<String>,
}

/// Arguments of `top`.
#[derive(Args, Debug)]
pub struct TopArgs {
    /// Only operations of this service.
    service: Option<String>,
    /// How many rows.
    #[arg(long, default_value_t = 20)]
    limit: u16,
}

/// Calls that services answer.
const ANSWERED: &str = r#"span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER""#;
const CALLS: &str = "traces_spanmetrics_calls_total";
const LATENCY: &str = "traces_spanmetrics_latency_bucket";
const EDGES: &str = "traces_service_graph_request_total";

fn text<'a>(metric: &'a Value, label: &str) -> &'a str {
    metric[label].as_str().unwrap_or_default()
}

fn quoted(value: &str) -> String {
    format!("{value:?}")
}

/// Prints services, worst first.
pub(crate) async fn services(session: &Session, args: &ServiceArgs) -> Result<(), Failure> {
    let selector = match &args.namespace {
        Some(namespace) => format!("{ANSWERED},service_namespace={}", quoted(namespace)),
        None => ANSWERED.to_owned(),
    };
    let by = "sum by (service, service_namespace)";
    let rates = vector(session, &format!("{by} (rate({CALLS}{{{selector}}}[5m]))")).await?;
    let failed = vector(
        session,
        &format!(r#"{by} (rate({CALLS}{{{selector},status_code="STATUS_CODE_ERROR"}}[5m]))"#),
    )
    .await?;
    let quantile = |q: &str| {
        let buckets = format!("sum by (service, service_namespace, le) (rate({LATENCY}{{{selector}}}[5m]))");
        format!("histogram_quantile({q}, {buckets})")
    };
    let (p50, p95) = (vector(session, &quantile("0.5")).await?, vector(session, &quantile("0.95")).await?);
    let versions =
        vector(session, &format!("sum by (service, service_version) (rate({CALLS}{{{selector}}}[5m])) > 0"))
            .await?;
    let of = |rows: &[(Value, f64)], metric: &Value| {
        rows.iter().find(|(other, _)| other == metric).map_or(0.0, |(_, value)| *value)
    };
    let mut found: Vec<Value> = rates
        .iter()
        .filter(|(metric, _)| {
            args.names.is_empty() || args.names.iter().any(|name| name == text(metric, "service"))
        })
        .map(|(metric, rate)| {
            let service = text(metric, "service");
            let runs = versions.iter().filter(|(other, _)| text(other, "service") == service);
            json!({
                "service": service,
                "namespace": text(metric, "service_namespace"),
                "rate": rate,
                "errors": if *rate > 0.0 { of(&failed, metric) / rate } else { 0.0 },
                "p50_s": of(&p50, metric),
                "p95_s": of(&p95, metric),
                "versions": runs.map(|(other, _)| text(other, "service_version")).collect::<Vec<_>>(),
            })
        })
        .collect();
    let worst = |row: &Value| (row["errors"].as_f64().unwrap_or(0.0), row["p95_s"].as_f64().unwrap_or(0.0));
    found.sort_by(|a, b| worst(b).partial_cmp(&worst(a)).unwrap_or(std::cmp::Ordering::Equal));
    print_services(session, found)
}

fn print_services(session: &Session, found: Vec<Value>) -> Result<(), Failure> {
    let columns = [
        Column("service", Show::Always, Align::Left),
        Column("namespace", Show::Wide, Align::Left),
        Column("rate/s", Show::Always, Align::Right),
        Column("errors %", Show::Always, Align::Right),
        Column("p50", Show::Wide, Align::Right),
        Column("p95", Show::Always, Align::Right),
        Column("version", Show::Always, Align::Left),
    ];
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap_or(0.0);
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|row| {
            let versions = row["versions"].as_array().into_iter().flatten().filter_map(Value::as_str);
            vec![
                text(row, "service").to_owned(),
                text(row, "namespace").to_owned(),
                digits(number(row, "rate")),
                digits(number(row, "errors") * 100.0),
                duration(number(row, "p50_s")),
                duration(number(row, "p95_s")),
                versions.collect::<Vec<_>>().join(","),
            ]
        })
        .collect();
    session.output.print(
        &Value::Array(found),
        &columns,
        &rows,
        "no service answered a call in the last 5 minutes",
    )
}

/// Prints edges of the service graph.
pub(crate) async fn map(session: &Session, args: &MapArgs) -> Result<(), Failure> {
    let by = "sum by (client, server, connection_type)";
    let rates = vector(session, &format!("{by} (rate({EDGES}[5m])) > 0")).await?;
    let failed =
        vector(session, &format!("{by} (rate(traces_service_graph_request_failed_total[5m]))")).await?;
    let p95 = vector(
        session,
        "histogram_quantile(0.95, sum by (client, server, connection_type, le) \
         (rate(traces_service_graph_request_server_seconds_bucket[5m])))",
    )
    .await?;
    let of = |rows: &[(Value, f64)], metric: &Value| {
        rows.iter().find(|(other, _)| other == metric).map_or(0.0, |(_, value)| *value)
    };
    let touches = |metric: &Value| match args.service.as_deref() {
        None => true,
        Some(service) => text(metric, "client") == service || text(metric, "server") == service,
    };
    let edges: BTreeMap<(String, String), Value> = rates
        .iter()
        .filter(|(metric, _)| touches(metric))
        .map(|(metric, rate)| {
            let (client, server) = (text(metric, "client").to_owned(), text(metric, "server").to_owned());
            let edge = json!({
                "client": client, "server": server, "kind": text(metric, "connection_type"),
                "rate": rate, "errors": of(&failed, metric) / rate, "p95_s": of(&p95, metric),
            });
            ((client, server), edge)
        })
        .collect();
    let columns = [
        Column("client", Show::Always, Align::Left),
        Column("server", Show::Always, Align::Left),
        Column("rate/s", Show::Always, Align::Right),
        Column("errors %", Show::Always, Align::Right),
        Column("p95", Show::Always, Align::Right),
        Column("kind", Show::Wide, Align::Left),
    ];
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap_or(0.0);
    let rows: Vec<Vec<String>> = edges
        .values()
        .map(|edge| {
            vec![
                text(edge, "client").to_owned(),
                text(edge, "server").to_owned(),
                digits(number(edge, "rate")),
                digits(number(edge, "errors") * 100.0),
                duration(number(edge, "p95_s")),
                text(edge, "kind").to_owned(),
            ]
        })
        .collect();
    let data = Value::Array(edges.into_values().collect());
    session.output.print(&data, &columns, &rows, "no calls were seen in the last 5 minutes")
}

/// Prints the operations that take the most time: requests a second times mean duration.
pub(crate) async fn top(session: &Session, args: &TopArgs) -> Result<(), Failure> {
    let selector = match &args.service {
        Some(service) => format!("{ANSWERED},service={}", quoted(service)),
        None => ANSWERED.to_owned(),
    };
    let by = "sum by (service, span_name)";
    let busy = format!("{by} (rate(traces_spanmetrics_latency_sum{{{selector}}}[5m]))");
    let busiest = vector(session, &format!("topk({}, {busy})", args.limit)).await?;
    let rates = vector(session, &format!("{by} (rate({CALLS}{{{selector}}}[5m]))")).await?;
    let rate =
        |metric: &Value| rates.iter().find(|(other, _)| other == metric).map_or(f64::NAN, |(_, rate)| *rate);
    let mut found: Vec<(f64, Value)> = busiest
        .into_iter()
        .filter(|(_, busy)| *busy > 0.0)
        .map(|(metric, busy)| {
            let per_second = rate(&metric);
            let row = json!({
                "service": text(&metric, "service"), "operation": text(&metric, "span_name"),
                "busy": busy, "rate": per_second, "mean_s": busy / per_second,
            });
            (busy, row)
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let columns = [
        Column("service", Show::Always, Align::Left),
        Column("operation", Show::Always, Align::Left),
        Column("busy s/s", Show::Always, Align::Right),
        Column("rate/s", Show::Always, Align::Right),
        Column("mean", Show::Always, Align::Right),
    ];
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(busy, row)| {
            vec![
                text(row, "service").to_owned(),
                text(row, "operation").to_owned(),
                digits(*busy),
                digits(row["rate"].as_f64().unwrap_or(f64::NAN)),
                duration(row["mean_s"].as_f64().unwrap_or(f64::NAN)),
            ]
        })
        .collect();
    let data = Value::Array(found.into_iter().map(|(_, row)| row).collect());
    session.output.print(&data, &columns, &rows, "no operation took time in the last 5 minutes")
}
