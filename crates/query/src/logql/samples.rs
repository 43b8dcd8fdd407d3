//! Range aggregations: lines to samples, samples to one value per step, in one scan and one sliding pass a series.

use super::answer::LogError;
use super::filters::Condition;
use super::labels::LabelSet;
use super::pipeline::Pipeline;
use super::record::{ERROR, Name, Record};
use super::run::Run;
use super::value::{Row, Value};
use super::window::{Window, aggregate};
use language::logql::{Conversion, Grouping, LogExpr, ParseError, RangeExpr, RangeOp, Stage, Unwrap, units};
use model::scan::{Direction, LogSelect};
use model::{LogBatch, LogStream, MatchOp, Matcher};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Error label of a value that `unwrap` cannot read.
const SAMPLE_ERROR: &str = "SampleExtractionErr";

/// The samples of one series.
struct Samples {
    labels: LabelSet,
    ts_ns: Vec<i64>,
    values: Vec<f64>,
    sorted: bool,
}

/// Which labels name the series.
enum Keys {
    All,
    By(Vec<Name>),
    Without(Vec<Name>),
}

impl Keys {
    fn keep(&self, name: Name) -> bool {
        match self {
            Self::All => true,
            Self::By(names) => names.contains(&name),
            Self::Without(names) => !names.contains(&name),
        }
    }
}

struct Extractor {
    record: Record,
    pipeline: Pipeline,
    unwrap: Option<(Name, Conversion, Vec<Condition>)>,
    keys: Keys,
    op: RangeOp,
    /// Instants that close a window, the window's length.
    steps: Vec<i64>,
    interval_ns: i64,
    series: Vec<Samples>,
    index: HashMap<u128, usize>,
    failed: Option<LogError>,
    lines: u64,
    bytes: u64,
}

/// Evaluates a range aggregation at every step, its samples grouped by `grouping`.
pub(super) fn evaluate(
    run: &mut Run<'_>,
    expr: &RangeExpr,
    grouping: Option<&Grouping>,
) -> Result<Value, LogError> {
    let interval_ns = expr.range.interval_ns;
    let steps: Vec<i64> = run.steps.ns.iter().map(|ns| ns.saturating_sub(expr.range.offset_ns)).collect();
    let mut extractor =
        Extractor::new(expr, grouping, steps).map_err(|error| LogError::BadQuery(error.to_string()))?;
    extractor.record.now_ns = run.now_ns;
    let (Some(first), Some(last)) = (extractor.steps.first(), extractor.steps.last()) else {
        return Ok(Value::Rows(Vec::new()));
    };
    let select = LogSelect {
        matchers: expr.range.log.matchers.clone(),
        start_ns: first.saturating_sub(interval_ns).saturating_add(1),
        end_ns: last.saturating_add(1),
        direction: Direction::Forward,
        contains: extractor.pipeline.contains.clone(),
        trace_id: extractor.pipeline.trace_id,
    };
    let completeness =
        run.source.scan(run.tenant, &select, run.budget, &mut |batch| extractor.batch(batch))?;
    run.completeness.merge(completeness);
    run.stats.lines += extractor.lines;
    run.stats.bytes += extractor.bytes;
    run.stats.kept += extractor.series.iter().map(|series| series.ts_ns.len() as u64).sum::<u64>();
    if let Some(error) = extractor.failed {
        return Err(error);
    }
    let quantile = expr.param.unwrap_or(f64::NAN);
    if expr.op == RangeOp::AbsentOverTime {
        return Ok(Value::Rows(vec![absent(&mut extractor, &expr.range.log.matchers)]));
    }
    let mut series = std::mem::take(&mut extractor.series);
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let rows = series.into_iter().map(|mut series| {
        let points = slide(&mut series, &extractor.steps, interval_ns, expr.op, quantile);
        Row { labels: series.labels, points }
    });
    Ok(Value::Rows(rows.collect()))
}

/// One value per step that has samples in `(step - interval, step]`.
fn slide(
    series: &mut Samples,
    steps: &[i64],
    interval_ns: i64,
    op: RangeOp,
    quantile: f64,
) -> Vec<Option<f64>> {
    if !series.sorted {
        let mut pairs: Vec<(i64, f64)> =
            series.ts_ns.iter().copied().zip(series.values.iter().copied()).collect();
        pairs.sort_by_key(|(ts, _)| *ts);
        (series.ts_ns, series.values) = pairs.into_iter().unzip();
        series.sorted = true;
    }
    let (mut from, mut to) = (0, 0);
    let point = |step: &i64| {
        let start_ns = step.saturating_sub(interval_ns);
        while series.ts_ns.get(to).is_some_and(|ts| ts <= step) {
            to += 1;
        }
        while from < to && series.ts_ns.get(from).is_some_and(|ts| *ts <= start_ns) {
            from += 1;
        }
        let (ts_ns, values) = (series.ts_ns.get(from..to)?, series.values.get(from..to)?);
        let window = Window { ts_ns, values, start_ns, end_ns: *step };
        (!values.is_empty()).then(|| aggregate(op, quantile, &window))
    };
    steps.iter().map(point).collect()
}

/// 1 at each step without a sample, labelled by the selector's plain equalities.
fn absent(extractor: &mut Extractor, matchers: &[Matcher]) -> Row {
    let mut present: Vec<i64> =
        extractor.series.iter().flat_map(|series| series.ts_ns.iter().copied()).collect();
    present.sort_unstable();
    let interval_ns = extractor.interval_ns;
    let points = extractor.steps.iter().map(|step| {
        let from = present.partition_point(|ts| *ts <= step.saturating_sub(interval_ns));
        let found = present.get(from).is_some_and(|ts| ts <= step);
        (!found).then_some(1.0)
    });
    let points = points.collect();
    let once = |matcher: &&Matcher| {
        matcher.op == MatchOp::Equal
            && matchers.iter().filter(|other| other.name == matcher.name).count() == 1
    };
    let equal = matchers.iter().filter(once).map(|matcher| (matcher.name.as_str(), matcher.value.as_str()));
    Row { labels: LabelSet::from_pairs(equal), points }
}

impl Extractor {
    fn new(expr: &RangeExpr, grouping: Option<&Grouping>, steps: Vec<i64>) -> Result<Self, ParseError> {
        let mut record = Record::default();
        let reads_line = matches!(expr.op, RangeOp::BytesRate | RangeOp::BytesOverTime);
        let unnamed =
            grouping.is_some_and(|g| !g.without && g.labels.is_empty()) && expr.range.unwrap.is_none();
        let log = if unnamed { without_parsers(&expr.range.log) } else { Cow::Borrowed(&expr.range.log) };
        let pipeline = Pipeline::new(&log, &mut record.names, reads_line)?;
        let unwrap =
            expr.range.unwrap.as_ref().map(|unwrap| compile_unwrap(unwrap, &mut record)).transpose()?;
        let keys = keys(grouping, &mut record);
        Ok(Self {
            record,
            pipeline,
            unwrap,
            keys,
            op: expr.op,
            steps,
            interval_ns: expr.range.interval_ns,
            series: Vec::new(),
            index: HashMap::new(),
            failed: None,
            lines: 0,
            bytes: 0,
        })
    }

    fn batch(&mut self, batch: &LogBatch) -> ControlFlow<()> {
        for stream in &batch.streams {
            self.stream(batch, stream);
            if self.failed.is_some() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn stream(&mut self, batch: &LogBatch, stream: &LogStream) {
        let mut begun = false;
        for entry in batch.entries(stream) {
            let line = batch.line(entry);
            self.lines += 1;
            self.bytes += line.len() as u64;
            if !self.in_a_window(entry.ts_ns) || !self.pipeline.accepts(line) {
                continue;
            }
            if !begun {
                self.record.begin_stream(&stream.labels);
                begun = true;
            }
            self.record.begin_line(entry.ts_ns, batch.metadata(entry));
            let Some(line) = self.pipeline.run(&mut self.record, line) else { continue };
            let Some(value) = self.sample(&line) else { continue };
            if self.record.error().is_some() && self.op != RangeOp::AbsentOverTime {
                self.failed = Some(self.pipeline_error());
                return;
            }
            self.push(entry.ts_ns, value);
        }
    }

    /// Whether any step's window holds `ts`.
    fn in_a_window(&self, ts: i64) -> bool {
        let next = self.steps.partition_point(|step| *step < ts);
        self.steps.get(next).is_some_and(|step| step - ts < self.interval_ns)
    }

    /// The sample a line stands for; `None` drops it.
    #[expect(clippy::cast_precision_loss, reason = "a line is far shorter than 2^53 bytes")]
    fn sample(&mut self, line: &str) -> Option<f64> {
        let Some((name, conversion, filters)) = &self.unwrap else {
            return Some(match self.op {
                RangeOp::BytesRate | RangeOp::BytesOverTime => line.len() as f64,
                _ => 1.0,
            });
        };
        let text = self.record.label(*name)?;
        let value = convert(*conversion, text);
        let value = value.unwrap_or_else(|details| {
            self.record.fail(SAMPLE_ERROR, details);
            0.0
        });
        if !filters.iter().all(|filter| filter.keeps(&mut self.record)) {
            return None;
        }
        // A failed line shows the label that failed it.
        if self.record.error().is_none() {
            self.record.remove(*name);
        }
        Some(value)
    }

    fn push(&mut self, ts_ns: i64, value: f64) {
        if !matches!(self.keys, Keys::All) {
            // A group knows no empty values.
            self.record.retain(|_, value| !value.is_empty());
        }
        let keys = &self.keys;
        let hash = self.record.hash(|name| keys.keep(name));
        let at = *self.index.entry(hash).or_insert_with(|| {
            let labels = self.record.set_of(|name, _| keys.keep(name));
            self.series.push(Samples { labels, ts_ns: Vec::new(), values: Vec::new(), sorted: true });
            self.series.len() - 1
        });
        let Some(series) = self.series.get_mut(at) else { return };
        series.sorted &= series.ts_ns.last().is_none_or(|last| *last <= ts_ns);
        series.ts_ns.push(ts_ns);
        series.values.push(value);
    }

    fn pipeline_error(&self) -> LogError {
        let kind = self.record.error().unwrap_or_default();
        let labels = self.record.set_of(|_, _| true).with(&self.record.error_set());
        LogError::Pipeline(format!(
            "pipeline error: '{kind}' for series: '{labels}'.\n\
             Use a label filter to intentionally skip this error. (e.g | {ERROR}!=\"{kind}\").\n\
             To skip all potential errors you can match empty errors.(e.g {ERROR}=\"\")\n\
             The label filter can also be specified after unwrap. (e.g | unwrap latency | {ERROR}=\"\" )\n"
        ))
    }
}

/// When nobody asks for a label, parsers need not run, and lines they cannot parse are no errors, as in Loki. Any
/// stage that looks at labels keeps them.
fn without_parsers(log: &LogExpr) -> Cow<'_, LogExpr> {
    let parser = |stage: &Stage| {
        matches!(stage, Stage::Json(_) | Stage::Logfmt { .. } | Stage::Regexp(_) | Stage::Pattern(_))
    };
    let blind = |stage: &Stage| matches!(stage, Stage::Line(_) | Stage::Decolorize) || parser(stage);
    if !log.stages.iter().all(blind) || !log.stages.iter().any(parser) {
        return Cow::Borrowed(log);
    }
    let stages = log.stages.iter().filter(|stage| !parser(stage)).cloned().collect();
    Cow::Owned(LogExpr { matchers: log.matchers.clone(), stages })
}

fn compile_unwrap(
    unwrap: &Unwrap,
    record: &mut Record,
) -> Result<(Name, Conversion, Vec<Condition>), ParseError> {
    let filters = unwrap.filters.iter().map(|filter| Condition::new(filter, &mut record.names));
    let filters = filters.collect::<Result<_, _>>().map_err(|message| ParseError { at: None, message })?;
    Ok((record.names.intern(&unwrap.label), unwrap.conversion, filters))
}

fn keys(grouping: Option<&Grouping>, record: &mut Record) -> Keys {
    let Some(grouping) = grouping else { return Keys::All };
    let names = grouping.labels.iter().map(|label| record.names.intern(label)).collect();
    if grouping.without { Keys::Without(names) } else { Keys::By(names) }
}

#[expect(clippy::cast_precision_loss, reason = "values are floats in LogQL")]
fn convert(conversion: Conversion, text: &str) -> Result<f64, String> {
    match conversion {
        Conversion::Number => units::parse_float(text),
        Conversion::Bytes => units::parse_bytes(text).map(|bytes| bytes as f64),
        Conversion::Duration | Conversion::DurationSeconds => {
            units::parse_go_duration(text).map(|ns| ns as f64 / 1e9)
        }
    }
}
