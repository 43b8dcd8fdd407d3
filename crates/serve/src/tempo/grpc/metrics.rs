//! `MetricsQueryRange` and `MetricsQueryInstant`. Times are nanoseconds; 0 stands for what the HTTP calls take when a
//! parameter is absent.

use super::{ask, attributes, partial, search_metrics};
use crate::rpc::{Context, Messages, messages};
use crate::tempo::failure::Failure;
use crate::tempo::metrics::{EXEMPLARS_DEFAULT, EXEMPLARS_MAX, SERIES_MAX};
use crate::tempo::params::{SINCE_DEFAULT_NS, checked_step, past};
use prost::Message;
use query::traceql::{self, MetricSeries, MetricsParams};
use tonic::Status;
use wire::tempo as message;

/// A query over time.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryRangeRequest {
    #[prost(string, tag = "1")]
    query: String,
    #[prost(uint64, tag = "2")]
    start_ns: u64,
    #[prost(uint64, tag = "3")]
    end_ns: u64,
    #[prost(uint64, tag = "4")]
    step_ns: u64,
    #[prost(uint32, tag = "16")]
    exemplars: u32,
    #[prost(uint32, tag = "17")]
    series_max: u32,
}

/// A query at the end of a range.
#[derive(Clone, PartialEq, Message)]
pub(super) struct QueryInstantRequest {
    #[prost(string, tag = "1")]
    query: String,
    #[prost(uint64, tag = "2")]
    start_ns: u64,
    #[prost(uint64, tag = "3")]
    end_ns: u64,
}

/// 0 is absent.
fn given(ns: u64) -> Option<i64> {
    (ns > 0).then(|| i64::try_from(ns).unwrap_or(i64::MAX))
}

fn count(wish: u32, default: usize, most: usize) -> usize {
    usize::try_from(wish).ok().filter(|wish| *wish > 0).map_or(default, |wish| wish.min(most))
}

fn invalid(error: &Failure) -> Status {
    Status::invalid_argument(error.to_string())
}

fn range_ns(context: &Context, start_ns: u64, end_ns: u64) -> Result<(i64, i64), Status> {
    let end = given(end_ns).unwrap_or_else(|| context.state.clock.now_ns());
    past(given(start_ns), end, SINCE_DEFAULT_NS).map_err(|error| invalid(&error))
}

pub(super) async fn range(
    context: Context,
    request: QueryRangeRequest,
) -> Result<Messages<message::QueryRangeResponse>, Status> {
    let range = range_ns(&context, request.start_ns, request.end_ns)?;
    let params = MetricsParams {
        start_ns: range.0,
        end_ns: range.1,
        step_ns: checked_step(given(request.step_ns), range).map_err(|error| invalid(&error))?,
        exemplars_max: count(request.exemplars, EXEMPLARS_DEFAULT, EXEMPLARS_MAX),
        series_max: count(request.series_max, SERIES_MAX, SERIES_MAX),
    };
    let query = request.query;
    let found = ask(context, move |source, tenant, budget| {
        traceql::metrics_range(source, tenant, &query, &params, budget)
    });
    let found = found.await?;
    let (status, message) = partial(&found.completeness);
    Ok(messages([message::QueryRangeResponse {
        series: found.series.iter().map(series).collect(),
        metrics: Some(search_metrics(found.inspected_traces, found.inspected_spans, &found.completeness)),
        status,
        message,
    }]))
}

fn series(series: &MetricSeries) -> message::TimeSeries {
    let sample =
        |(timestamp_ms, value): &(i64, f64)| message::Sample { value: *value, timestamp_ms: *timestamp_ms };
    let exemplars = series.exemplars.iter().map(|exemplar| message::Exemplar {
        labels: attributes(&exemplar.labels),
        value: exemplar.value,
        timestamp_ms: exemplar.ts_ms,
    });
    message::TimeSeries {
        labels: attributes(&series.labels),
        samples: series.samples.iter().map(sample).collect(),
        prom_labels: series.prom_labels(),
        exemplars: exemplars.collect(),
    }
}

pub(super) async fn instant(
    context: Context,
    request: QueryInstantRequest,
) -> Result<Messages<message::QueryInstantResponse>, Status> {
    let (start_ns, end_ns) = range_ns(&context, request.start_ns, request.end_ns)?;
    let step_ns = end_ns.saturating_sub(start_ns);
    let params = MetricsParams { start_ns, end_ns, step_ns, exemplars_max: 0, series_max: SERIES_MAX };
    let query = request.query;
    let found = ask(context, move |source, tenant, budget| {
        traceql::metrics_instant(source, tenant, &query, &params, budget)
    });
    let found = found.await?;
    let (status, message) = partial(&found.completeness);
    let series = found.series.iter().map(|series| message::InstantSeries {
        labels: attributes(&series.labels),
        value: series.samples.last().map_or(0.0, |(_, value)| *value),
        prom_labels: series.prom_labels(),
    });
    Ok(messages([message::QueryInstantResponse {
        series: series.collect(),
        metrics: Some(search_metrics(found.inspected_traces, found.inspected_spans, &found.completeness)),
        status,
        message,
    }]))
}
