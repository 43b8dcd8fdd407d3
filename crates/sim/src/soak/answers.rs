//! Everything a tenant has, asked in PromQL, LogQL and TraceQL, and its changes. Nothing here looks into the store.

use super::ledger::Record;
use binnacle::Pipeline;
use model::scan::{Budget, Direction};
use model::{Change, Completeness, Tenant, TraceId};
use query::logql::{self, LogParams, LogValue};
use query::promql::{Engine, PromValue, QueryOptions, SampleValue};
use query::traceql::{self, MetricsParams, SearchParams};
use std::fmt::Display;
use std::sync::Arc;

/// Lines asked for at once, few enough that pages end within the run.
const LINES_PER_PAGE: usize = 300;

/// Who is asked for what time.
pub(super) struct Question<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) tenant: &'a Tenant,
    /// First and last millisecond of what was sent.
    pub(super) range_ms: (i64, i64),
}

fn told<E: Display>(what: &'static str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

fn whole(what: &str, completeness: &Completeness) -> Result<(), String> {
    if completeness.is_complete() {
        return Ok(());
    }
    Err(format!("{what} misses something: {}", completeness.missing.join("; ")))
}

impl Question<'_> {
    /// Every record, as often as it is answered; the counts of aggregations must agree.
    pub(super) fn records(&self) -> Result<Vec<Record>, String> {
        let mut all = Vec::new();
        for (what, listed, counted) in [
            ("samples", self.samples()?, self.count_samples()?),
            ("lines", self.lines(Direction::Forward)?, self.count_lines()?),
            ("spans", self.spans()?, self.count_spans()?),
        ] {
            if (counted - whole_number(listed.len())).abs() > 0.5 {
                return Err(format!("{counted} {what} are counted, {} are listed", listed.len()));
            }
            all.extend(listed);
        }
        all.extend(self.changes()?);
        let backward = self.lines(Direction::Backward)?.len();
        let forward = all.iter().filter(|record| matches!(record, Record::Line(..))).count();
        if backward != forward {
            return Err(format!("{forward} lines forward, {backward} lines backward"));
        }
        Ok(all)
    }

    /// From the first record to after the last one, in nanoseconds.
    fn range_ns(&self) -> (i64, i64) {
        (self.range_ms.0 * 1_000_000, (self.range_ms.1 + 1) * 1_000_000)
    }

    /// A range that ends after the last record and has all of them, as both languages write it.
    fn window(&self) -> String {
        format!("[{}ms]", self.range_ms.1 - self.range_ms.0 + 10)
    }

    /// The value of a PromQL query at `ts_ms`.
    fn prom(&self, query: &str, ts_ms: i64) -> Result<PromValue, String> {
        let (options, budget) = (QueryOptions::default(), Budget::default());
        let source = self.pipeline.store.metrics();
        let answer = Engine.instant(&*source, self.tenant, query, ts_ms, &options, &budget);
        let answer = answer.map_err(|error| format!("{query}: {error:?}"))?;
        whole("PromQL", &answer.completeness)?;
        Ok(answer.value)
    }

    /// The one number a PromQL query gives; 0 when it gives none.
    pub(super) fn prom_number(&self, query: &str, ts_ms: i64) -> Result<f64, String> {
        let PromValue::Vector(samples) = self.prom(query, ts_ms)? else {
            return Err(format!("{query} is no vector"));
        };
        Ok(match samples.first().map(|sample| &sample.value) {
            Some(SampleValue::Float(value)) => *value,
            Some(SampleValue::Histogram(_)) => f64::NAN,
            None => 0.0,
        })
    }

    fn samples(&self) -> Result<Vec<Record>, String> {
        let query = format!("{{__name__=~\"soak_.+\"}}{}", self.window());
        let PromValue::Matrix(series) = self.prom(&query, self.range_ms.1 + 1)? else {
            return Err("a range vector is no matrix".into());
        };
        let mut records = Vec::new();
        for series in series {
            let name: Arc<str> = Arc::from(series.labels.to_string());
            let record = |(ts_ms, value): (i64, f64)| Record::Sample(name.clone(), ts_ms, value.to_bits());
            records.extend(series.floats.into_iter().map(record));
        }
        Ok(records)
    }

    fn count_samples(&self) -> Result<f64, String> {
        let query = format!("sum(count_over_time({{__name__=~\"soak_.+\"}}{}))", self.window());
        self.prom_number(&query, self.range_ms.1 + 1)
    }

    fn logs(&self, query: &str, params: &LogParams) -> Result<LogValue, String> {
        let source = self.pipeline.store.logs();
        let answer = logql::query(&*source, self.tenant, query, params, &Budget::default());
        let answer = answer.map_err(told("LogQL"))?;
        whole("LogQL", &answer.completeness)?;
        Ok(answer.value)
    }

    /// Every line, page by page. Lines of a page's last instant may be cut off, so they are left to the next page.
    fn lines(&self, direction: Direction) -> Result<Vec<Record>, String> {
        let (mut start_ns, mut end_ns) = self.range_ns();
        let mut all: Vec<(i64, Record)> = Vec::new();
        loop {
            let page = self.page(direction, (start_ns, end_ns))?;
            let is_last = page.len() < LINES_PER_PAGE;
            let times = page.iter().map(|(ts_ns, _)| *ts_ns);
            let edge = match direction {
                Direction::Forward => times.max(),
                Direction::Backward => times.min(),
            };
            all.extend(page.into_iter().filter(|(ts_ns, _)| is_last || Some(*ts_ns) != edge));
            match (edge, direction) {
                _ if is_last => return Ok(all.into_iter().map(|(_, record)| record).collect()),
                (Some(edge), Direction::Forward) => start_ns = edge,
                (Some(edge), Direction::Backward) => end_ns = edge + 1,
                (None, _) => return Err("an empty page is full".into()),
            }
        }
    }

    fn page(&self, direction: Direction, range_ns: (i64, i64)) -> Result<Vec<(i64, Record)>, String> {
        let (start_ns, end_ns) = range_ns;
        // A log query has no steps, but its range is checked as if it had.
        let (step_ms, limit) = (Some(3_600_000), LINES_PER_PAGE);
        let params = LogParams { start_ns, end_ns, step_ms, direction, limit, ..LogParams::default() };
        let LogValue::Streams(streams) = self.logs("{app=~\"soak.*\"}", &params)? else {
            return Err("a log query gives no streams".into());
        };
        let mut page = Vec::new();
        for stream in streams {
            let own = |name| stream.labels.get(name).unwrap_or_default();
            let labels = model::Labels::from_pairs([("app", own("app")), ("slot", own("slot"))]);
            let name: Arc<str> = Arc::from(labels.to_string());
            let line =
                |entry: logql::OutEntry| (entry.ts_ns, Record::Line(name.clone(), entry.ts_ns, entry.line));
            page.extend(stream.entries.into_iter().map(line));
        }
        Ok(page)
    }

    fn count_lines(&self) -> Result<f64, String> {
        let (_, end_ns) = self.range_ns();
        let params = LogParams { start_ns: end_ns, end_ns, ..LogParams::default() };
        let query = format!("sum(count_over_time({{app=~\"soak.*\"}}{}))", self.window());
        let LogValue::Vector(samples) = self.logs(&query, &params)? else {
            return Err("an instant query gives no vector".into());
        };
        Ok(samples.first().map_or(0.0, |sample| sample.value))
    }

    fn spans(&self) -> Result<Vec<Record>, String> {
        let (start_ns, end_ns) = self.range_ns();
        let params = SearchParams { start_ns, end_ns, limit: usize::MAX, spans_per_set: 0 };
        let query = "{ resource.service.name =~ \"soak.*\" }";
        let source = self.pipeline.store.spans();
        let answer = traceql::search(&*source, self.tenant, query, &params, &Budget::default());
        let answer = answer.map_err(told("TraceQL"))?;
        whole("TraceQL", &answer.completeness)?;
        let mut records = Vec::new();
        for trace in answer.traces {
            let spans = trace.span_sets.iter().flat_map(|set| &set.spans);
            let record = |span: &traceql::MatchedSpan| {
                Record::Span(trace.trace_id.0, span.span_id.0, span.start_ns.div_euclid(1_000_000))
            };
            records.extend(spans.map(record));
        }
        Ok(records)
    }

    fn count_spans(&self) -> Result<f64, String> {
        let (start_ns, end_ns) = self.range_ns();
        let params =
            MetricsParams { start_ns, end_ns, step_ns: 1_000_000_000, exemplars_max: 0, series_max: 0 };
        let source = self.pipeline.store.spans();
        let query = "{ } | count_over_time()";
        let answer = traceql::metrics_instant(&*source, self.tenant, query, &params, &Budget::default());
        let answer = answer.map_err(told("TraceQL metrics"))?;
        Ok(answer.series.iter().flat_map(|series| &series.samples).map(|(_, value)| value).sum())
    }

    fn changes(&self) -> Result<Vec<Record>, String> {
        let (start_ns, end_ns) = self.range_ns();
        let answer = self.pipeline.store.changes(self.tenant, &(start_ns..end_ns));
        let (changes, completeness) = answer.map_err(told("changes"))?;
        whole("changes", &completeness)?;
        let record = |change: Change| Record::Change(change.id, change.ts_ns, change.summary);
        Ok(changes.into_iter().map(record).collect())
    }

    /// Ids of a trace's spans, in the answer's order.
    pub(super) fn trace(&self, trace_id: [u8; 16]) -> Result<Vec<[u8; 8]>, String> {
        let source = self.pipeline.store.spans();
        let budget = Budget::default();
        let answer = traceql::trace_by_id(&*source, self.tenant, TraceId(trace_id), 0..0, &budget);
        let answer = answer.map_err(told("trace by id"))?;
        whole("trace by id", &answer.completeness)?;
        Ok(answer.trace.iter().flat_map(|batch| &batch.spans).map(|span| span.span_id.0).collect())
    }
}

/// A count as a float; counts here are far below 2^32.
pub(super) fn whole_number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
