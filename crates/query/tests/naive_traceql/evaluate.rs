//! The language's definition, read aloud: for every trace, for every span, for every other span.

use crate::data::{Attrs, Span, Trace, V};
use crate::{Found, in_range};
use language::traceql::{
    AggregateOp, BinaryOp, Field, FieldExpr, FieldName, Intrinsic, Pipeline, Relation, ScalarExpr, Sides,
    SpansetExpr, SpansetOp, Stage, Static, UnaryOp, constant,
};
use model::scan::AttrScope;
use model::span::UNKNOWN_SERVICE;
use query::traceql::{AttrValue, ROOT_NOT_RECEIVED};
use std::cell::RefCell;
use std::collections::HashMap;

/// Ids of spans, and what they were grouped or judged by.
type Set = (Vec<u64>, Vec<(String, AttrValue)>);

pub(crate) fn search(pipeline: &Pipeline, traces: &[Trace], start_ns: i64, end_ns: i64) -> Found {
    assert!(start_ns < end_ns);
    let mut found = Found::new();
    for trace in traces.iter().filter(|trace| in_range(trace)) {
        let sets = run(pipeline, trace, vec![(trace.spans.iter().map(|span| span.id).collect(), Vec::new())]);
        if sets.is_empty() {
            continue;
        }
        let ids = |ids: &[u64]| ids.iter().map(|id| format!("{id:016x}")).collect::<Vec<_>>();
        let mut texts: Vec<String> =
            sets.iter().map(|(spans, attrs)| format!("{:?} {attrs:?}", ids(spans))).collect();
        texts.sort();
        let (service, name) = root_names(trace);
        texts.push(format!("{service} {name} {}", trace_duration(trace)));
        found.insert(format!("{:032x}", trace.id), texts);
    }
    found
}

fn root_names(trace: &Trace) -> (String, String) {
    match trace.spans.iter().find(|span| span.parent == 0) {
        None => (ROOT_NOT_RECEIVED.to_owned(), ROOT_NOT_RECEIVED.to_owned()),
        Some(root) => match get(&root.resource, "service.name") {
            V::Str(service) => (service, root.name.clone()),
            _ => (UNKNOWN_SERVICE.to_owned(), root.name.clone()),
        },
    }
}

fn trace_duration(trace: &Trace) -> i64 {
    let start = trace.spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
    trace.spans.iter().map(|span| span.start_ns + span.duration_ns).max().unwrap_or(0) - start
}

/// The spans a pipeline ends with, each once, in the trace's order.
pub(crate) fn selected(pipeline: &Pipeline, trace: &Trace) -> Vec<u64> {
    let all: Vec<u64> = trace.spans.iter().map(|span| span.id).collect();
    let sets = run(pipeline, trace, vec![(all.clone(), Vec::new())]);
    all.into_iter().filter(|id| sets.iter().any(|(spans, _)| spans.contains(id))).collect()
}

fn run(pipeline: &Pipeline, trace: &Trace, input: Vec<Set>) -> Vec<Set> {
    let mut sets = input;
    for stage in &pipeline.stages {
        let mut next: Vec<Set> = Vec::new();
        match stage {
            Stage::Select(_) => next = sets,
            Stage::Spanset(expr) => {
                for (spans, attrs) in sets {
                    next.push((spanset(expr, trace, &spans), attrs));
                }
            }
            Stage::Coalesce => {
                let all = trace.spans.iter().map(|span| span.id);
                let all = all.filter(|id| sets.iter().any(|(spans, _)| spans.contains(id)));
                next.push((all.collect(), Vec::new()));
            }
            Stage::By(expr) => {
                for (spans, attrs) in sets {
                    for id in spans {
                        let value = answer(&value(expr, trace, id));
                        let mut grouped = attrs.clone();
                        grouped.push((format!("by({expr})"), value));
                        match next
                            .iter_mut()
                            .find(|(_, known)| format!("{known:?}") == format!("{grouped:?}"))
                        {
                            Some((spans, _)) => spans.push(id),
                            None => next.push((vec![id], grouped)),
                        }
                    }
                }
            }
            Stage::Filter(filter) => {
                let (ScalarExpr::Aggregate { op, field, .. }, Some(limit)) =
                    (&filter.lhs, constant(&filter.rhs))
                else {
                    panic!("not generated: {filter}");
                };
                for (spans, mut attrs) in sets {
                    let folded = fold(*op, field.as_ref(), trace, &spans);
                    attrs.push((filter.lhs.to_string(), answer(&folded)));
                    if compare(filter.op, &folded, &V::Float(limit)) {
                        next.push((spans, attrs));
                    }
                }
            }
        }
        sets = next.into_iter().filter(|(spans, _)| !spans.is_empty()).collect();
    }
    sets
}

fn fold(op: AggregateOp, field: Option<&FieldExpr>, trace: &Trace, spans: &[u64]) -> V {
    let Some(field) = field else {
        return V::Int(i64::try_from(spans.len()).unwrap_or(0));
    };
    let values: Vec<V> =
        spans.iter().map(|id| value(field, trace, *id)).filter(|value| number(value).is_some()).collect();
    let numbers: Vec<f64> = values.iter().filter_map(number).collect();
    if numbers.is_empty() {
        return V::Nil;
    }
    let sum: f64 = numbers.iter().fold(0.0, |sum, number| sum + number);
    let result = match op {
        AggregateOp::Sum => sum,
        #[expect(clippy::cast_precision_loss, reason = "few spans")]
        AggregateOp::Avg => sum / numbers.len() as f64,
        AggregateOp::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        _ => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers only")]
    if values.iter().all(|value| matches!(value, V::Duration(_))) {
        V::Duration(result as i64)
    } else if op == AggregateOp::Avg || values.iter().any(|value| matches!(value, V::Float(_))) {
        V::Float(result)
    } else {
        V::Int(result as i64)
    }
}

fn spanset(expr: &SpansetExpr, trace: &Trace, input: &[u64]) -> Vec<u64> {
    let among = |keep: &dyn Fn(u64) -> bool| input.iter().copied().filter(|id| keep(*id)).collect::<Vec<_>>();
    match expr {
        SpansetExpr::Filter(None) => input.to_vec(),
        SpansetExpr::Filter(Some(condition)) => among(&|id| holds(condition, trace, id)),
        SpansetExpr::Pipeline(pipeline) => {
            let sets = run(pipeline, trace, vec![(input.to_vec(), Vec::new())]);
            among(&|id| sets.iter().any(|(spans, _)| spans.contains(&id)))
        }
        SpansetExpr::Binary { op, lhs, rhs } => {
            let (left, right) = (spanset(lhs, trace, input), spanset(rhs, trace, input));
            match op {
                SpansetOp::And if left.is_empty() || right.is_empty() => Vec::new(),
                SpansetOp::And | SpansetOp::Or => among(&|id| left.contains(&id) || right.contains(&id)),
                SpansetOp::Structural(relation, sides) => {
                    let pair = |r: u64, l: u64| related(*relation, trace, r, l);
                    let right_hit = |id: u64| right.contains(&id) && left.iter().any(|l| pair(id, *l));
                    let left_hit = |id: u64| left.contains(&id) && right.iter().any(|r| pair(*r, id));
                    match sides {
                        Sides::Right => among(&right_hit),
                        Sides::NotRight => among(&|id| right.contains(&id) && !right_hit(id)),
                        Sides::Both => among(&|id| right_hit(id) || left_hit(id)),
                    }
                }
            }
        }
    }
}

fn span(trace: &Trace, id: u64) -> &Span {
    trace.spans.iter().find(|span| span.id == id).expect("a span of the trace")
}

fn parent(trace: &Trace, id: u64) -> Option<u64> {
    let parent = span(trace, id).parent;
    trace.spans.iter().any(|span| span.id == parent).then_some(parent)
}

fn is_below(trace: &Trace, low: u64, high: u64) -> bool {
    parent(trace, low).is_some_and(|up| up == high || is_below(trace, up, high))
}

/// Whether `right relation left`.
fn related(relation: Relation, trace: &Trace, right: u64, left: u64) -> bool {
    match relation {
        Relation::Descendant => is_below(trace, right, left),
        Relation::Ancestor => is_below(trace, left, right),
        Relation::Child => parent(trace, right) == Some(left),
        Relation::Parent => parent(trace, left) == Some(right),
        Relation::Sibling => {
            let (one, other) = (span(trace, right).parent, span(trace, left).parent);
            right != left && one != 0 && one == other
        }
    }
}

/// Left and right positions of every span, by recursion.
fn positions(trace: &Trace) -> Vec<(u64, i64, i64)> {
    fn visit(trace: &Trace, id: u64, next: &mut i64, out: &mut Vec<(u64, i64, i64)>) {
        let left = *next;
        *next += 1;
        for child in trace.spans.iter().filter(|span| span.parent == id) {
            visit(trace, child.id, next, out);
        }
        out.push((id, left, *next));
        *next += 1;
    }
    let (mut next, mut out) = (1, Vec::new());
    for top in trace.spans.iter().filter(|span| parent(trace, span.id).is_none()) {
        visit(trace, top.id, &mut next, &mut out);
    }
    out
}

fn get(attrs: &Attrs, key: &str) -> V {
    attrs.iter().find(|(name, _)| *name == key).map_or(V::Nil, |(_, value)| value.clone())
}

/// All values of a field.
pub(crate) fn values(field: &FieldName, trace: &Trace, id: u64) -> Vec<V> {
    let span = span(trace, id);
    let text = |text: &str| vec![V::Str(text.to_owned())];
    let place = |pick: fn(&(u64, i64, i64)) -> i64, of: u64| {
        positions(trace).iter().find(|(id, ..)| *id == of).map_or(0, pick)
    };
    let all = match field {
        FieldName::Attribute { scope, name, .. } => match scope {
            Some(AttrScope::Span) => vec![get(&span.attrs, name)],
            Some(AttrScope::Instrumentation) => vec![get(&span.scope.2, name)],
            Some(AttrScope::Event) => span.events.iter().map(|event| get(&event.2, name)).collect(),
            Some(AttrScope::Link) => span.links.iter().map(|link| get(&link.2, name)).collect(),
            None if get(&span.attrs, name) != V::Nil => vec![get(&span.attrs, name)],
            None | Some(AttrScope::Resource) => match get(&span.resource, name) {
                V::Nil if name == "service.name" => text(UNKNOWN_SERVICE),
                value => vec![value],
            },
        },
        FieldName::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration => vec![V::Duration(span.duration_ns)],
            Intrinsic::ChildCount => {
                let count = trace.spans.iter().filter(|child| child.parent == id).count();
                vec![V::Int(i64::try_from(count).unwrap_or(0))]
            }
            Intrinsic::Name => text(&span.name),
            Intrinsic::Status => vec![V::Status(span.status)],
            Intrinsic::StatusMessage => text(&span.message),
            Intrinsic::Kind => vec![V::Kind(span.kind)],
            Intrinsic::RootName => text(&root_names(trace).1),
            Intrinsic::RootServiceName => text(&root_names(trace).0),
            Intrinsic::TraceDuration => vec![V::Duration(trace_duration(trace))],
            Intrinsic::NestedSetLeft => vec![V::Int(place(|found| found.1, id))],
            Intrinsic::NestedSetRight => vec![V::Int(place(|found| found.2, id))],
            Intrinsic::NestedSetParent => match (span.parent, parent(trace, id)) {
                (0, _) => vec![V::Int(-1)],
                (_, None) => vec![V::Int(0)],
                (_, Some(up)) => vec![V::Int(place(|found| found.1, up))],
            },
            Intrinsic::TraceId => text(&format!("{:032x}", trace.id)),
            Intrinsic::SpanId => text(&format!("{id:016x}")),
            Intrinsic::ParentId if span.parent == 0 => text(""),
            Intrinsic::ParentId => text(&format!("{:016x}", span.parent)),
            Intrinsic::EventName => span.events.iter().map(|event| V::Str(event.1.clone())).collect(),
            Intrinsic::EventTimeSinceStart => {
                span.events.iter().map(|event| V::Duration(event.0 - span.start_ns)).collect()
            }
            Intrinsic::LinkTraceId => {
                span.links.iter().map(|link| V::Str(format!("{:032x}", link.0))).collect()
            }
            Intrinsic::LinkSpanId => {
                span.links.iter().map(|link| V::Str(format!("{:016x}", link.1))).collect()
            }
            Intrinsic::InstrumentationName => text(&span.scope.0),
            Intrinsic::InstrumentationVersion => text(&span.scope.1),
            Intrinsic::Parent => Vec::new(),
        },
    };
    all.into_iter().filter(|value| *value != V::Nil).collect()
}

/// What a side of a comparison may be: each value of a field, the one value of anything else.
fn candidates(expr: &FieldExpr, trace: &Trace, id: u64) -> Vec<V> {
    match expr {
        FieldExpr::Field(field) => values(&field.name, trace, id),
        other => vec![value(other, trace, id)],
    }
}

pub(crate) fn holds(expr: &FieldExpr, trace: &Trace, id: u64) -> bool {
    match expr {
        FieldExpr::Field(_) => {
            candidates(expr, trace, id).iter().any(|value| compare(BinaryOp::Equal, value, &V::Bool(true)))
        }
        other => value(other, trace, id) == V::Bool(true),
    }
}

pub(crate) fn value(expr: &FieldExpr, trace: &Trace, id: u64) -> V {
    match expr {
        FieldExpr::Static(literal) => match literal {
            Static::Nil => V::Nil,
            Static::Int(value) => V::Int(*value),
            Static::Float(value) => V::Float(*value),
            Static::Str(text) => V::Str(text.clone()),
            Static::Bool(value) => V::Bool(*value),
            Static::Duration(ns) => V::Duration(*ns),
            Static::Status(status) => V::Status(*status),
            Static::Kind(kind) => V::Kind(*kind),
        },
        FieldExpr::Field(field) => values(&field.name, trace, id).into_iter().next().unwrap_or(V::Nil),
        FieldExpr::Unary { op: UnaryOp::Not, expr, .. } => match value(expr, trace, id) {
            V::Bool(value) => V::Bool(!value),
            _ => V::Nil,
        },
        FieldExpr::Unary { op: UnaryOp::Neg, expr, .. } => match value(expr, trace, id) {
            V::Int(value) | V::Duration(value) => V::Int(-value),
            V::Float(value) => V::Float(-value),
            _ => V::Nil,
        },
        FieldExpr::Binary { op, lhs, rhs, .. } => {
            let any = |test: &dyn Fn(&V, &V) -> bool| {
                let (left, right) = (candidates(lhs, trace, id), candidates(rhs, trace, id));
                V::Bool(left.iter().any(|one| right.iter().any(|other| test(one, other))))
            };
            let nil = |expr: &FieldExpr| matches!(expr, FieldExpr::Static(Static::Nil));
            match op {
                BinaryOp::And => V::Bool(holds(lhs, trace, id) && holds(rhs, trace, id)),
                BinaryOp::Or => V::Bool(holds(lhs, trace, id) || holds(rhs, trace, id)),
                BinaryOp::Equal if nil(rhs) => V::Bool(value(lhs, trace, id) == V::Nil),
                BinaryOp::NotEqual if nil(rhs) => V::Bool(value(lhs, trace, id) != V::Nil),
                BinaryOp::Regex | BinaryOp::NotRegex => any(&|one, other| matches(*op, one, other)),
                _ if op.is_comparison() => {
                    let (left, right) = (id_width(lhs), id_width(rhs));
                    any(&|one, other| compare(*op, &padded(one, right), &padded(other, left)))
                }
                _ => arithmetic(*op, &value(lhs, trace, id), &value(rhs, trace, id)),
            }
        }
    }
}

/// How many digits the ids of a field have; 0 when it is no id.
fn id_width(expr: &FieldExpr) -> usize {
    match expr {
        FieldExpr::Field(Field { name: FieldName::Intrinsic(intrinsic), .. }) => match intrinsic {
            Intrinsic::TraceId | Intrinsic::LinkTraceId => 32,
            Intrinsic::SpanId | Intrinsic::ParentId | Intrinsic::LinkSpanId => 16,
            _ => 0,
        },
        _ => 0,
    }
}

/// An id that is compared with one of `width` digits.
fn padded(value: &V, width: usize) -> V {
    match value {
        V::Str(text) if width > 0 && !text.is_empty() => V::Str(format!("{:0>width$}", text.to_lowercase())),
        other => other.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(crate) fn number(value: &V) -> Option<f64> {
    match value {
        V::Int(value) | V::Duration(value) => Some(*value as f64),
        V::Float(value) => Some(*value),
        _ => None,
    }
}

fn arithmetic(op: BinaryOp, lhs: &V, rhs: &V) -> V {
    let (Some(left), Some(right)) = (number(lhs), number(rhs)) else {
        return V::Nil;
    };
    let whole = !matches!((lhs, rhs), (V::Float(_), _) | (_, V::Float(_)));
    let result = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Mod => left % right,
        BinaryOp::Div => return V::Float(left / right),
        _ => return V::Float(left.powf(right)),
    };
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    if whole && result.is_finite() { V::Int(result as i64) } else { V::Float(result) }
}

/// `one op other`, elements of arrays one by one.
pub(crate) fn compare(op: BinaryOp, one: &V, other: &V) -> bool {
    match (one, other) {
        (V::Array(values), other) if op == BinaryOp::NotEqual => {
            !values.iter().any(|value| compare(BinaryOp::Equal, value, other))
        }
        (V::Array(values), other) => values.iter().any(|value| compare(op, value, other)),
        (one, V::Array(values)) if op == BinaryOp::NotEqual => {
            !values.iter().any(|value| compare(BinaryOp::Equal, one, value))
        }
        (one, V::Array(values)) => values.iter().any(|value| compare(op, one, value)),
        _ => {
            let order = match (one, other) {
                (V::Str(one), V::Str(other)) => one.partial_cmp(other),
                (V::Bool(one), V::Bool(other)) => one.partial_cmp(other),
                (V::Status(one), V::Status(other)) => one.partial_cmp(other),
                (V::Kind(one), V::Kind(other)) => one.partial_cmp(other),
                _ => number(one).zip(number(other)).and_then(|(one, other)| one.partial_cmp(&other)),
            };
            match (op, order) {
                (_, None) => false,
                (BinaryOp::Equal, Some(order)) => order.is_eq(),
                (BinaryOp::NotEqual, Some(order)) => order.is_ne(),
                (BinaryOp::Less, Some(order)) => order.is_lt(),
                (BinaryOp::LessEqual, Some(order)) => order.is_le(),
                (BinaryOp::Greater, Some(order)) => order.is_gt(),
                (_, Some(order)) => order.is_ge(),
            }
        }
    }
}

thread_local! {
    /// Compiling takes far longer than matching; a pattern is compiled once.
    static PATTERNS: RefCell<HashMap<String, regex::Regex>> = RefCell::new(HashMap::new());
}

fn matches(op: BinaryOp, one: &V, pattern: &V) -> bool {
    let V::Str(pattern) = pattern else {
        return false;
    };
    let compile = || regex::Regex::new(&format!("^(?s:{pattern})$")).expect("a generated pattern");
    let is_match = |text: &str| {
        PATTERNS.with_borrow_mut(|known| known.entry(pattern.clone()).or_insert_with(compile).is_match(text))
    };
    match one {
        V::Str(text) => is_match(text) == (op == BinaryOp::Regex),
        V::Array(values) => {
            let any = values.iter().any(|value| matches!(value, V::Str(text) if is_match(text)));
            any == (op == BinaryOp::Regex)
        }
        _ => false,
    }
}

/// As the engine's answers show a value.
pub(crate) fn answer(value: &V) -> AttrValue {
    match value {
        V::Nil => AttrValue::Nil,
        V::Str(text) => AttrValue::Str(text.clone()),
        V::Int(value) => AttrValue::Int(*value),
        V::Float(value) => AttrValue::Double(*value),
        V::Bool(value) => AttrValue::Bool(*value),
        V::Duration(ns) => AttrValue::Duration(*ns),
        V::Status(status) => AttrValue::Str(status.as_str().to_owned()),
        V::Kind(kind) => AttrValue::Str(kind.as_str().to_owned()),
        V::Array(values) => AttrValue::Array(values.iter().map(answer).collect()),
    }
}
