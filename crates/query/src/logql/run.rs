//! Runs one query from text to answer.

use super::answer::{LogAnswer, LogError, LogParams, LogQueryStats, LogValue, POINTS_MAX};
use super::binary;
use super::labels::LabelSet;
use super::pipeline::check_parsers;
use super::samples;
use super::streams;
use super::value::{Row, RowSet, Steps, Value};
use super::vectors;
use language::logql::{Expr, ParseError, RangeExpr, RangeOp, VectorExpr, VectorOp, parse};
use model::LogSource;
use model::matcher::anchored_regex;
use model::scan::{Budget, Completeness};
use model::tenant::Tenant;

/// What the parts of one query share.
pub(super) struct Run<'a> {
    pub(super) source: &'a dyn LogSource,
    pub(super) tenant: &'a Tenant,
    pub(super) budget: &'a Budget,
    pub(super) steps: Steps,
    pub(super) now_ns: i64,
    pub(super) stats: LogQueryStats,
    pub(super) completeness: Completeness,
}

/// Parses and runs `text`.
///
/// # Errors
/// A parse error in Loki's words, a line that could not be processed, a limit, or the scan's own error.
pub fn query(
    source: &dyn LogSource,
    tenant: &Tenant,
    text: &str,
    params: &LogParams,
    budget: &Budget,
) -> Result<LogAnswer, LogError> {
    let expr = compile(text)?;
    let steps = steps(params)?;
    let mut run = Run {
        source,
        tenant,
        budget,
        steps,
        now_ns: params.now_ns,
        stats: LogQueryStats::default(),
        completeness: Completeness::default(),
    };
    let value = match &expr {
        Expr::Log(_) if params.step_ms.is_none() => {
            let message = "log queries are not supported as an instant query type, please change your query to a range query type";
            return Err(LogError::BadQuery(message.to_owned()));
        }
        Expr::Log(log) => LogValue::Streams(streams::select(&mut run, log, params)?),
        metric => run.eval(metric)?.finish(&run.steps),
    };
    check_series(&value, params.series_max)?;
    Ok(LogAnswer { value, completeness: run.completeness, stats: run.stats, warnings: Vec::new() })
}

/// Parses `text` and checks what Loki's parser checks of parser stages.
pub(super) fn compile(text: &str) -> Result<Expr, LogError> {
    let bad = |error: ParseError| LogError::BadQuery(error.to_string());
    let expr = parse(text).map_err(bad)?;
    check(&expr).map_err(bad)?;
    Ok(expr)
}

fn check(expr: &Expr) -> Result<(), ParseError> {
    match expr {
        Expr::Log(log) => check_parsers(log),
        Expr::Range(range) => check_parsers(&range.range.log),
        Expr::Vector(vector) => check(&vector.inner),
        Expr::Binary(binary) => check(&binary.lhs).and_then(|()| check(&binary.rhs)),
        Expr::LabelReplace { inner, .. } => check(inner),
        Expr::Literal(_) | Expr::VectorLiteral(_) => Ok(()),
    }
}

/// The instants to evaluate at.
fn steps(params: &LogParams) -> Result<Steps, LogError> {
    let Some(step_ms) = params.step_ms else {
        return Ok(Steps { ns: vec![params.end_ns], range_query: false });
    };
    let width_ns = step_ms.saturating_mul(1_000_000);
    if width_ns <= 0 {
        let message =
            "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(LogError::BadQuery(message.to_owned()));
    }
    let (mut start_ns, mut end_ns) = (params.start_ns, params.end_ns);
    if end_ns < start_ns {
        return Err(LogError::BadQuery("end timestamp must not be before or equal to start time".to_owned()));
    }
    if params.aligned {
        start_ns = start_ns.saturating_sub(start_ns.rem_euclid(width_ns));
        end_ns = end_ns.saturating_add((width_ns - end_ns.rem_euclid(width_ns)) % width_ns);
    }
    let points = end_ns.saturating_sub(start_ns) / width_ns;
    if points > POINTS_MAX {
        let message = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter";
        return Err(LogError::BadQuery(message.to_owned()));
    }
    let ns = (0..=points).map(|at| start_ns.saturating_add(at.saturating_mul(width_ns)));
    Ok(Steps { ns: ns.collect(), range_query: true })
}

fn check_series(value: &LogValue, series_max: usize) -> Result<(), LogError> {
    let series = match value {
        LogValue::Vector(samples) => samples.len(),
        LogValue::Matrix(series) => series.len(),
        LogValue::Streams(_) | LogValue::Scalar(..) => 0,
    };
    if series_max > 0 && series > series_max {
        return Err(LogError::Limit(format!(
            "maximum number of series ({series_max}) reached for a single query; consider reducing query cardinality \
             by adding more specific stream selectors, reducing the time range, or aggregating results with functions \
             like sum(), count() or topk()"
        )));
    }
    Ok(())
}

impl Run<'_> {
    /// Evaluates a metric expression at every step. The parser bounds the depth of the recursion.
    fn eval(&mut self, expr: &Expr) -> Result<Value, LogError> {
        let steps = self.steps.ns.len();
        match expr {
            Expr::Log(_) => Err(LogError::BadQuery("a log query has no numeric value".to_owned())),
            Expr::Range(range) => samples::evaluate(self, range, range.grouping.as_ref()),
            Expr::Vector(vector) => {
                if let Some(range) = summed(vector) {
                    let grouping = vector.grouping.clone().unwrap_or_default();
                    return samples::evaluate(self, range, Some(&grouping));
                }
                let rows = self.eval(&vector.inner)?.into_rows(steps);
                Ok(Value::Rows(vectors::aggregate(vector, rows, steps)))
            }
            Expr::Binary(binary) => {
                let lhs = self.eval(&binary.lhs)?;
                let rhs = self.eval(&binary.rhs)?;
                binary::apply(binary, lhs, rhs, steps)
            }
            Expr::Literal(value) => Ok(Value::Scalar(*value)),
            Expr::VectorLiteral(value) => Ok(Value::Rows(Value::Scalar(*value).into_rows(steps))),
            Expr::LabelReplace { inner, dst, replacement, src, regex } => {
                let rows = self.eval(inner)?.into_rows(steps);
                label_replace(rows, [dst, replacement, src, regex], steps).map(Value::Rows)
            }
        }
    }
}

/// The range aggregation below a `sum` that may group as it reads: a sum of sums is a sum.
fn summed(vector: &VectorExpr) -> Option<&RangeExpr> {
    let Expr::Range(range) = &vector.inner else { return None };
    let adds = matches!(
        range.op,
        RangeOp::Rate
            | RangeOp::CountOverTime
            | RangeOp::BytesRate
            | RangeOp::BytesOverTime
            | RangeOp::SumOverTime
    );
    (vector.op == VectorOp::Sum && adds && range.grouping.is_none()).then_some(range)
}

/// Sets `dst` to `replacement` in rows whose `src` matches `regex`; an empty value removes it.
fn label_replace(rows: Vec<Row>, arguments: [&str; 4], steps: usize) -> Result<Vec<Row>, LogError> {
    let [dst, replacement, src, regex] = arguments;
    let regex = anchored_regex(regex).map_err(|error| LogError::BadQuery(error.to_string()))?;
    let mut out = RowSet::default();
    for row in rows {
        let labels = regex.captures(row.labels.get(src).unwrap_or_default()).map(|captures| {
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            let others = row.labels.retain(|name| name != dst);
            if value.is_empty() { others } else { others.with(&LabelSet::from_pairs([(dst, value)])) }
        });
        let target = out.row(labels.as_ref().unwrap_or(&row.labels), steps);
        target.points.iter_mut().zip(row.points).for_each(|(to, from)| *to = to.or(from));
    }
    Ok(out.into_rows())
}
