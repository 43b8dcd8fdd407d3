//! Rate, errors and duration from the span metrics and service graph that `topology` computes at ingest: one PromQL
//! query per number, asked of the engine like anybody's.

use super::params::Range;
use model::scan::{Budget, Completeness, MetricSource};
use model::{Labels, Tenant};
use query::promql::{Engine, PromError, PromValue, QueryOptions, SampleValue};
use std::collections::BTreeMap;

/// Points of a sparkline, about.
const SPARKLINE_POINTS: i64 = 30;
/// Shortest step of a sparkline, milliseconds; series are written every five seconds.
const SPARKLINE_STEP_MS_MIN: i64 = 10_000;
/// Shortest window a sparkline's rate looks at, milliseconds.
const SPARKLINE_WINDOW_MS_MIN: i64 = 30_000;

/// The quantiles that tables show, in order.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Where the numbers of a kind of thing are.
pub(crate) struct Source {
    /// Counter of calls, with its selector.
    calls: &'static str,
    /// Counter of failed calls, with its selector.
    errors: &'static str,
    /// Buckets of the duration in seconds, with their selector.
    buckets: &'static str,
    /// What tells one thing from another.
    by: &'static str,
}

/// Calls that a service handled.
pub(crate) const SERVICES: Source = Source {
    calls: r#"traces_spanmetrics_calls_total{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"}"#,
    errors: r#"traces_spanmetrics_calls_total{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER",status_code="STATUS_CODE_ERROR"}"#,
    buckets: r#"traces_spanmetrics_latency_bucket{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"}"#,
    by: "service, service_namespace",
};

/// Calls from one service to another.
pub(crate) const EDGES: Source = Source {
    calls: "traces_service_graph_request_total",
    errors: "traces_service_graph_request_failed_total",
    buckets: "traces_service_graph_request_server_seconds_bucket",
    by: "client, server, connection_type",
};

/// The numbers of one thing over a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Red {
    /// Calls per second.
    pub(crate) rate: f64,
    /// Failed calls per call.
    pub(crate) error_ratio: f64,
    /// Seconds at each of [`QUANTILES`].
    pub(crate) quantiles_s: [Option<f64>; 3],
    /// Calls per second over time: milliseconds and value.
    pub(crate) sparkline: Vec<(i64, f64)>,
}

/// Asks one source over one range.
pub(crate) struct Asker<'a> {
    pub(crate) source: &'a dyn MetricSource,
    pub(crate) tenant: &'a Tenant,
    pub(crate) budget: &'a Budget,
    pub(crate) range: Range,
    /// What the answers miss.
    pub(crate) completeness: Completeness,
}

impl Asker<'_> {
    /// The numbers of everything `what` tells apart, by its labels.
    pub(crate) fn red(
        &mut self,
        what: &Source,
        with_sparkline: bool,
    ) -> Result<BTreeMap<Labels, Red>, PromError> {
        let (start_ms, end_ms) = self.range.ms();
        let window = format!("{}ms", end_ms - start_ms);
        let Source { calls, errors, buckets, by } = what;
        let mut table: BTreeMap<Labels, Red> = BTreeMap::new();
        for (labels, rate) in self.vector(&format!("sum by ({by}) (rate({calls}[{window}]))"))? {
            table.entry(labels).or_default().rate = rate;
        }
        for (labels, rate) in self.vector(&format!("sum by ({by}) (rate({errors}[{window}]))"))? {
            if let Some(row) = table.get_mut(&labels).filter(|row| row.rate > 0.0) {
                row.error_ratio = rate / row.rate;
            }
        }
        for (at, quantile) in QUANTILES.iter().enumerate() {
            let query =
                format!("histogram_quantile({quantile}, sum by (le, {by}) (rate({buckets}[{window}])))");
            for (labels, seconds) in self.vector(&query)? {
                let row = table.get_mut(&labels).and_then(|row| row.quantiles_s.get_mut(at));
                if let Some(place) = row.filter(|_| seconds.is_finite()) {
                    *place = Some(seconds);
                }
            }
        }
        if with_sparkline {
            self.sparklines(&format!("sum by ({by})"), calls, &mut table)?;
        }
        Ok(table)
    }

    fn sparklines(
        &mut self,
        sum: &str,
        calls: &str,
        table: &mut BTreeMap<Labels, Red>,
    ) -> Result<(), PromError> {
        let (start_ms, end_ms) = self.range.ms();
        let step_ms = ((end_ms - start_ms) / SPARKLINE_POINTS).max(SPARKLINE_STEP_MS_MIN);
        let query = format!("{sum} (rate({calls}[{}ms]))", step_ms.max(SPARKLINE_WINDOW_MS_MIN));
        let options = QueryOptions::default();
        let answer = Engine.range(
            self.source,
            self.tenant,
            &query,
            start_ms,
            end_ms,
            step_ms,
            &options,
            self.budget,
        )?;
        self.completeness.merge(answer.completeness);
        if let PromValue::Matrix(series) = answer.value {
            for series in series {
                table.entry(series.labels).or_default().sparkline = series.floats;
            }
        }
        Ok(())
    }

    fn vector(&mut self, query: &str) -> Result<Vec<(Labels, f64)>, PromError> {
        let (_, end_ms) = self.range.ms();
        let options = QueryOptions::default();
        let answer = Engine.instant(self.source, self.tenant, query, end_ms, &options, self.budget)?;
        self.completeness.merge(answer.completeness);
        let PromValue::Vector(samples) = answer.value else { return Ok(Vec::new()) };
        let float = |value| match value {
            SampleValue::Float(value) => Some(value),
            SampleValue::Histogram(_) => None,
        };
        Ok(samples.into_iter().filter_map(|sample| Some((sample.labels, float(sample.value)?))).collect())
    }
}
