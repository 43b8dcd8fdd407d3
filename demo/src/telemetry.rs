//! OpenTelemetry as a service would set it up: traces, logs and metrics over OTLP gRPC, W3C and B3 propagation, and
//! log lines that are JSON on standard output and carry the ids of the span they were written in.

use crate::{Failure, ServeOptions};
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::propagation::{Extractor, Injector, TextMapCompositePropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

static LOGGER: OnceLock<opentelemetry_sdk::logs::SdkLogger> = OnceLock::new();

/// Keeps the exporters alive; flushes them when the service stops.
pub(crate) struct Providers {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
}

impl Providers {
    /// Sends what is still queued; a collector that is gone must not keep a service from stopping.
    pub(crate) fn shut_down(&self) {
        for result in [self.traces.shutdown(), self.logs.shutdown(), self.metrics.shutdown()] {
            if let Err(error) = result {
                eprintln!("telemetry: {error}");
            }
        }
    }
}

/// Starts the three exporters for one service.
#[expect(deprecated, reason = "B3 comes with the Zipkin crate; only its exporter is on the way out")]
pub(crate) fn start(options: &ServeOptions) -> Result<Providers, Failure> {
    let service = options.service.clone();
    let resource = Resource::builder()
        .with_service_name(service.clone())
        .with_attributes([
            KeyValue::new("service.version", options.version.clone()),
            KeyValue::new("service.namespace", "shop"),
            KeyValue::new("service.instance.id", format!("{service}-{}", std::process::id())),
            KeyValue::new("deployment.environment.name", "demo"),
            KeyValue::new("k8s.namespace.name", "shop"),
            KeyValue::new("k8s.deployment.name", service.clone()),
            KeyValue::new("k8s.pod.name", format!("{service}-{:05}", std::process::id())),
            KeyValue::new("k8s.node.name", "demo-node"),
        ])
        .build();
    let endpoint = options.otlp.as_str();
    let spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let logs = LogExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let metrics = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let providers = Providers {
        traces: SdkTracerProvider::builder()
            .with_batch_exporter(spans)
            .with_resource(resource.clone())
            .build(),
        logs: SdkLoggerProvider::builder().with_batch_exporter(logs).with_resource(resource.clone()).build(),
        metrics: SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource).build(),
    };
    global::set_tracer_provider(providers.traces.clone());
    global::set_meter_provider(providers.metrics.clone());
    global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(opentelemetry_zipkin::Propagator::new()),
    ]));
    let _ = LOGGER.set(providers.logs.logger("shop"));
    Ok(providers)
}

/// Runs `work` inside a new span below the current one and marks the span failed when `work` fails.
pub(crate) async fn in_span<T, E: std::fmt::Display>(
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    work: impl AsyncFnOnce(Context) -> Result<T, E>,
) -> Result<T, E> {
    let context = open(name, kind, attributes, &Context::current());
    let result = {
        use opentelemetry::context::FutureExt;
        work(context.clone()).with_context(context.clone()).await
    };
    if let Err(error) = &result {
        context.span().set_status(Status::error(error.to_string()));
    }
    context.span().end();
    result
}

/// Opens a span below `parent` and returns the context it is current in.
pub(crate) fn open(name: String, kind: SpanKind, attributes: Vec<KeyValue>, parent: &Context) -> Context {
    let tracer = global::tracer("shop");
    let span = tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
    parent.with_span(span.start_with_context(&tracer, parent))
}

/// The context that a caller's headers carry.
pub(crate) fn extract(headers: &impl Extractor) -> Context {
    global::get_text_map_propagator(|propagator| propagator.extract(headers))
}

/// Puts the current context into `headers`.
pub(crate) fn inject(headers: &mut impl Injector) {
    global::get_text_map_propagator(|propagator| propagator.inject_context(&Context::current(), headers));
}

/// The current trace and span ids in hex, if there is a span.
pub(crate) fn ids() -> Option<(String, String)> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| (span.trace_id().to_string(), span.span_id().to_string()))
}

/// Writes a log line: JSON to standard output, the same record over OTLP.
pub(crate) fn log(severity: Severity, message: &str, fields: Value) {
    let mut line = Map::new();
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    line.insert("ts".into(), json!(since.as_secs_f64()));
    line.insert("level".into(), json!(severity.name().to_lowercase()));
    line.insert("msg".into(), json!(message));
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    if let Some((trace_id, span_id)) = ids() {
        line.insert("trace_id".into(), json!(trace_id));
        line.insert("span_id".into(), json!(span_id));
    }
    let line = Value::Object(line).to_string();
    println!("{line}");
    let Some(logger) = LOGGER.get() else { return };
    let mut record = logger.create_log_record();
    record.set_timestamp(now);
    record.set_severity_number(severity);
    record.set_severity_text(severity.name());
    record.set_body(AnyValue::from(line));
    logger.emit(record);
}

/// Logs at info.
pub(crate) fn info(message: &str, fields: Value) {
    log(Severity::Info, message, fields);
}

/// Logs at error.
pub(crate) fn error(message: &str, fields: Value) {
    log(Severity::Error, message, fields);
}
