//! A pipeline made ready for many traces, and what an answer shows of the spans it selects.

use super::answer::{AttrValue, TraceQlError};
use super::condition::{Expr, prepare, prepare_condition};
use super::structure::{relate, union};
use super::trace::Trace;
use super::value::{Val, satisfies};
use language::traceql::{
    AggregateOp, BinaryOp, ErrorKind, FieldExpr, FieldName, ParseError, Pipeline, ScalarExpr, ScalarFilter,
    SpansetExpr, SpansetOp, Stage, constant,
};
use std::collections::HashMap;

/// Spans of one trace that stay together, ascending, never empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub(super) spans: Vec<u32>,
    /// What it was grouped by and aggregates it was judged by.
    pub(super) attributes: Vec<(String, AttrValue)>,
}

/// A prepared pipeline.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// Fields that conditions or `select()` name, in order, each once.
    pub(super) shown: Vec<FieldName>,
}

#[derive(Debug)]
enum Step {
    Spanset(Selector),
    Aggregate { op: AggregateOp, field: Option<Expr>, label: String, compare: BinaryOp, threshold: f64 },
    By { expr: Expr, label: String },
    Coalesce,
}

#[derive(Debug)]
enum Selector {
    All,
    Filter(Expr),
    Plan(Vec<Step>),
    Binary(SpansetOp, Box<Selector>, Box<Selector>),
}

impl Plan {
    /// Prepares a validated pipeline.
    pub(super) fn new(pipeline: &Pipeline) -> Result<Self, TraceQlError> {
        let mut shown = Vec::new();
        let steps = steps(pipeline, &mut shown)?;
        Ok(Self { steps, shown })
    }

    /// The sets of spans that the pipeline makes of a trace.
    pub(super) fn run(&self, trace: &Trace) -> Vec<Set> {
        let all = Set { spans: (0..trace.len()).collect(), attributes: Vec::new() };
        run(&self.steps, trace, vec![all])
    }
}

fn steps(pipeline: &Pipeline, shown: &mut Vec<FieldName>) -> Result<Vec<Step>, TraceQlError> {
    let mut steps = Vec::with_capacity(pipeline.stages.len());
    for stage in &pipeline.stages {
        match stage {
            Stage::Spanset(expr) => steps.push(Step::Spanset(selector(expr, shown)?)),
            Stage::Filter(filter) => steps.push(aggregate(filter)?),
            Stage::By(expr) => steps.push(Step::By { expr: prepare(expr)?, label: format!("by({expr})") }),
            Stage::Coalesce => steps.push(Step::Coalesce),
            Stage::Select(fields) => fields.iter().for_each(|field| show(&field.name, shown)),
        }
    }
    Ok(steps)
}

fn show(field: &FieldName, shown: &mut Vec<FieldName>) {
    if !shown.contains(field) {
        shown.push(field.clone());
    }
}

fn show_fields(expr: &FieldExpr, shown: &mut Vec<FieldName>) {
    match expr {
        FieldExpr::Static(_) => {}
        FieldExpr::Field(field) => show(&field.name, shown),
        FieldExpr::Unary { expr, .. } => show_fields(expr, shown),
        FieldExpr::Binary { lhs, rhs, .. } => {
            show_fields(lhs, shown);
            show_fields(rhs, shown);
        }
    }
}

fn selector(expr: &SpansetExpr, shown: &mut Vec<FieldName>) -> Result<Selector, TraceQlError> {
    Ok(match expr {
        SpansetExpr::Filter(None) => Selector::All,
        SpansetExpr::Filter(Some(condition)) => {
            show_fields(condition, shown);
            Selector::Filter(prepare_condition(condition)?)
        }
        SpansetExpr::Pipeline(pipeline) => Selector::Plan(steps(pipeline, shown)?),
        SpansetExpr::Binary { op, lhs, rhs } => {
            Selector::Binary(*op, Box::new(selector(lhs, shown)?), Box::new(selector(rhs, shown)?))
        }
    })
}

/// The one form of scalar filter there is: an aggregate against a number, on either side.
fn aggregate(filter: &ScalarFilter) -> Result<Step, TraceQlError> {
    let mirrored = match filter.op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    };
    let sides = [(filter.op, &filter.lhs, &filter.rhs), (mirrored, &filter.rhs, &filter.lhs)];
    for (compare, side, other) in sides {
        if let (ScalarExpr::Aggregate { op, field, .. }, Some(threshold)) = (side, constant(other)) {
            let field = field.as_ref().map(prepare).transpose()?;
            return Ok(Step::Aggregate { op: *op, field, label: side.to_string(), compare, threshold });
        }
    }
    let message = "unsupported: a pipeline compares one aggregate with a number".to_owned();
    Err(ParseError { kind: ErrorKind::Unsupported, message, offset: filter.at.0 }.into())
}

fn run(steps: &[Step], trace: &Trace, input: Vec<Set>) -> Vec<Set> {
    let mut sets = input;
    for step in steps {
        match step {
            Step::Spanset(selector) => {
                for set in &mut sets {
                    set.spans = select(selector, trace, &set.spans);
                }
            }
            Step::Aggregate { op, field, label, compare, threshold } => sets.retain_mut(|set| {
                let value = fold(*op, field.as_ref(), trace, &set.spans);
                let order = value.number().and_then(|value| value.partial_cmp(threshold));
                set.attributes.push((label.clone(), value.answer()));
                order.is_some_and(|order| satisfies(*compare, order))
            }),
            Step::By { expr, label } => {
                sets = sets.into_iter().flat_map(|set| group(expr, label, trace, set)).collect();
            }
            Step::Coalesce => sets = vec![Set { spans: together(sets), attributes: Vec::new() }],
        }
        sets.retain(|set| !set.spans.is_empty());
        if sets.is_empty() {
            break;
        }
    }
    sets
}

/// The spans of all sets, each once.
pub(super) fn together(sets: Vec<Set>) -> Vec<u32> {
    let mut spans: Vec<u32> = sets.into_iter().flat_map(|set| set.spans).collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

fn select(selector: &Selector, trace: &Trace, input: &[u32]) -> Vec<u32> {
    match selector {
        Selector::All => input.to_vec(),
        Selector::Filter(condition) => {
            input.iter().copied().filter(|at| condition.holds(trace, *at)).collect()
        }
        Selector::Plan(steps) => {
            together(run(steps, trace, vec![Set { spans: input.to_vec(), attributes: Vec::new() }]))
        }
        Selector::Binary(op, lhs, rhs) => {
            let left = select(lhs, trace, input);
            if left.is_empty() && *op == SpansetOp::And {
                return left;
            }
            let right = select(rhs, trace, input);
            match op {
                SpansetOp::And if right.is_empty() => right,
                SpansetOp::And | SpansetOp::Or => union(&left, &right),
                SpansetOp::Structural(relation, sides) => relate(trace, *relation, *sides, &left, &right),
            }
        }
    }
}

/// One set per value, in order of appearance; spans without a value stand together under nil.
fn group(expr: &Expr, label: &str, trace: &Trace, set: Set) -> Vec<Set> {
    let mut groups: Vec<Set> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for at in set.spans {
        let value = expr.value(trace, at);
        let place = *known.entry(format!("{value:?}")).or_insert(groups.len());
        if place == groups.len() {
            let mut attributes = set.attributes.clone();
            attributes.push((label.to_owned(), value.answer()));
            groups.push(Set { spans: Vec::new(), attributes });
        }
        groups[place].spans.push(at);
    }
    groups
}

/// The aggregate of the spans that have a number; nil when none has. It keeps its argument's type where it can.
fn fold(op: AggregateOp, field: Option<&Expr>, trace: &Trace, spans: &[u32]) -> Val<'static> {
    let Some(field) = field else {
        return Val::Int(i64::try_from(spans.len()).unwrap_or(i64::MAX));
    };
    let (mut sum, mut count, mut least, mut most) = (0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY);
    let (mut durations, mut whole) = (true, true);
    for at in spans {
        let value = field.value(trace, *at);
        let Some(number) = value.number() else {
            continue;
        };
        durations &= matches!(value, Val::Duration(_));
        whole &= !matches!(value, Val::Float(_));
        sum += number;
        count += 1.0;
        least = least.min(number);
        most = most.max(number);
    }
    if count == 0.0 {
        return Val::Nil;
    }
    let result = match op {
        AggregateOp::Count => count,
        AggregateOp::Min => least,
        AggregateOp::Max => most,
        AggregateOp::Avg => sum / count,
        AggregateOp::Sum => sum,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number of nanoseconds or of an integer attribute"
    )]
    match (durations, whole && op != AggregateOp::Avg) {
        (true, _) => Val::Duration(result as i64),
        (false, true) => Val::Int(result as i64),
        (false, false) => Val::Float(result),
    }
}
