//! `tempopb.StreamingQuerier` over gRPC, which Grafana uses (and checks health with) when streaming is on.
//!
//! Every method answers one message with the whole result: partial results that are replaced would cost a client more
//! than they show it. Field numbers are those of Tempo's public protobuf definition.

mod metrics;
mod search;
mod tags;

use crate::State;
use crate::gate::RunError;
use crate::rpc::{Context, streaming, unimplemented};
use crate::time::NS_PER_S;
use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::routing::{MethodRouter, any, post};
use model::scan::{Budget, SpanSource};
use model::{Completeness, ScanError, Tenant};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use query::traceql::{AttrValue, TraceQlError};
use tonic::Status;
use wire::tempo as message;

/// The route of a streaming method.
macro_rules! method {
    ($call:path) => {
        post(|Extract(state): Extract<State>, request: Request| streaming(state, request, $call))
    };
}

/// The streaming service.
pub(crate) fn router(state: State) -> Router {
    let methods: [(&str, MethodRouter<State>); 7] = [
        ("Search", method!(search::search)),
        ("SearchTags", method!(tags::names_v1)),
        ("SearchTagsV2", method!(tags::names_v2)),
        ("SearchTagValues", method!(tags::values_v1)),
        ("SearchTagValuesV2", method!(tags::values_v2)),
        ("MetricsQueryRange", method!(metrics::range)),
        ("MetricsQueryInstant", method!(metrics::instant)),
    ];
    let add = |router: Router<State>, (name, method): (&str, MethodRouter<State>)| {
        router.route(&format!("/tempopb.StreamingQuerier/{name}"), method)
    };
    methods
        .into_iter()
        .fold(Router::new(), add)
        .route("/tempopb.StreamingQuerier/{method}", any(unimplemented))
        .with_state(state)
}

/// Runs a query of the caller's tenant.
async fn ask<T: Send + 'static>(
    context: Context,
    work: impl FnOnce(&dyn SpanSource, &Tenant, &Budget) -> Result<T, TraceQlError> + Send + 'static,
) -> Result<T, Status> {
    let (source, tenant) = (context.state.spans.clone(), context.tenant);
    let work = move |budget: &Budget| work(&*source, &tenant, budget);
    let answer = context.state.gate.run("traceql", None, work).await.map_err(|error| run_status(&error))?;
    answer.map_err(|error| query_status(&error))
}

/// A range of seconds in nanoseconds; an end of 0 is no end.
fn seconds(start_s: u32, end_s: u32) -> (i64, i64) {
    let ns = |seconds: u32| i64::from(seconds) * NS_PER_S;
    (ns(start_s), if end_s == 0 { i64::MAX } else { ns(end_s) })
}

fn run_status(error: &RunError) -> Status {
    match error {
        RunError::QueueFull(_) => Status::resource_exhausted(error.to_string()),
        RunError::TimedOut(_) => Status::deadline_exceeded(error.to_string()),
        RunError::Lost => Status::internal(error.to_string()),
    }
}

fn query_status(error: &TraceQlError) -> Status {
    match error {
        TraceQlError::Parse(_) | TraceQlError::BadRequest(_) => Status::invalid_argument(error.to_string()),
        TraceQlError::Scan(ScanError::Timeout) => Status::deadline_exceeded(error.to_string()),
        TraceQlError::Scan(ScanError::TooMuch { .. }) => Status::resource_exhausted(error.to_string()),
        TraceQlError::Scan(_) => Status::internal(error.to_string()),
    }
}

/// Jobs done and jobs there were; what is missing counts as one that did not finish.
fn jobs(completeness: &Completeness) -> (u32, u32) {
    (1, u32::try_from(completeness.missing.len()).unwrap_or(u32::MAX).saturating_add(1))
}

fn search_metrics(traces: u64, spans: u64, completeness: &Completeness) -> message::SearchMetrics {
    let (completed_jobs, total_jobs) = jobs(completeness);
    message::SearchMetrics {
        inspected_traces: u32::try_from(traces).unwrap_or(u32::MAX),
        inspected_spans: spans,
        completed_jobs,
        total_jobs,
        ..message::SearchMetrics::default()
    }
}

fn metadata_metrics(completeness: &Completeness) -> message::MetadataMetrics {
    let (completed_jobs, total_jobs) = jobs(completeness);
    message::MetadataMetrics { total_jobs, completed_jobs }
}

/// Status and message of an answer that says whether it is whole.
fn partial(completeness: &Completeness) -> (i32, String) {
    let status = if completeness.is_complete() {
        message::PartialStatus::Complete
    } else {
        message::PartialStatus::Partial
    };
    (status as i32, completeness.missing.join("; "))
}

fn attributes(pairs: &[(String, AttrValue)]) -> Vec<KeyValue> {
    pairs
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(any_value(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn any_value(value: &AttrValue) -> AnyValue {
    let value = match value {
        AttrValue::Int(number) => Value::IntValue(*number),
        AttrValue::Double(number) => Value::DoubleValue(*number),
        AttrValue::Bool(flag) => Value::BoolValue(*flag),
        AttrValue::Array(values) => {
            Value::ArrayValue(ArrayValue { values: values.iter().map(any_value).collect() })
        }
        AttrValue::Nil | AttrValue::Str(_) | AttrValue::Duration(_) => Value::StringValue(value.to_string()),
    };
    AnyValue { value: Some(value) }
}
