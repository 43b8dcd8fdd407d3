//! Metrics by definition: at each sample time look at every span again.

use crate::data::{Span, Trace, V};
use crate::evaluate::{answer, compare, holds, number, selected, value, values};
use crate::{END_NS, Measured, START_NS, STEP_NS};
use language::traceql::{
    AggregateOp, At, BinaryOp, Field, FieldExpr, FieldName, Intrinsic, Limit, MetricsExpr, MetricsFunction,
    Pipeline, Static,
};
use model::scan::AttrScope;
use query::traceql::AttrValue;
use std::collections::{BTreeMap, BTreeSet};

type Labels = Vec<(String, AttrValue)>;
/// Labels as text, labels, and samples by time.
type All = BTreeMap<String, (Labels, Samples)>;
/// Values by time in milliseconds.
type Samples = BTreeMap<i64, f64>;

enum Side {
    Series(All),
    Number(f64),
}

/// Quantiles are sketched within 1 %; everything else differs by rounding at most.
pub(crate) fn tolerance(expr: &MetricsExpr) -> f64 {
    if expr.to_string().contains("quantile_over_time") { 0.0101 } else { 1e-9 }
}

pub(crate) fn evaluate(expr: &MetricsExpr, traces: &[Trace], instant: bool) -> Measured {
    let Side::Series(all) = side(expr, traces, instant) else {
        return Measured::new();
    };
    let finite =
        |samples: BTreeMap<i64, f64>| samples.into_iter().filter(|(_, value)| value.is_finite()).collect();
    let all = all.into_values().map(|(labels, samples)| (format!("{labels:?}"), finite(samples)));
    all.filter(|(_, samples): &(String, BTreeMap<i64, f64>)| !samples.is_empty()).collect()
}

fn side(expr: &MetricsExpr, traces: &[Trace], instant: bool) -> Side {
    match expr {
        MetricsExpr::Number(value) => Side::Number(*value),
        MetricsExpr::Query { pipeline, function, by } => {
            Side::Series(spans(pipeline, function, by, traces, instant))
        }
        MetricsExpr::Limit { expr, limit, .. } => match side(expr, traces, instant) {
            Side::Series(all) => Side::Series(limited(all, limit)),
            number @ Side::Number(_) => number,
        },
        MetricsExpr::Binary { op, lhs, rhs, .. } => {
            math(*op, side(lhs, traces, instant), side(rhs, traces, instant))
        }
    }
}

/// Times of samples in nanoseconds and the start of what each covers.
fn times(instant: bool) -> Vec<(i64, i64)> {
    if instant {
        return vec![(END_NS, START_NS - 1)];
    }
    let all = (START_NS / STEP_NS..).map(|at| at * STEP_NS).skip_while(|time| *time < START_NS);
    let mut times: Vec<(i64, i64)> = Vec::new();
    for time in all {
        times.push((time, time - STEP_NS));
        if time >= END_NS {
            return times;
        }
    }
    times
}

fn spans(
    pipeline: &Pipeline,
    function: &MetricsFunction,
    by: &[Field],
    traces: &[Trace],
    instant: bool,
) -> All {
    let mut picked: Vec<(&Trace, &Span)> = Vec::new();
    for trace in traces {
        let ids = selected(pipeline, trace);
        let in_range = |span: &&Span| (START_NS..END_NS).contains(&span.start_ns) && ids.contains(&span.id);
        picked.extend(trace.spans.iter().filter(in_range).map(|span| (trace, span)));
    }
    if let MetricsFunction::Compare { filter, top, .. } = function {
        return compared(filter.as_deref(), usize::try_from(*top).unwrap_or(0), &picked, instant);
    }
    let field = match function {
        MetricsFunction::OverTime(_, field)
        | MetricsFunction::Histogram(field)
        | MetricsFunction::Quantile(field, _) => Some(field),
        _ => None,
    };
    let first = |field: &Field, trace: &Trace, span: &Span| {
        values(&field.name, trace, span.id).into_iter().next().unwrap_or(V::Nil)
    };
    let numbered = |(trace, span): &(&Trace, &Span)| {
        field.is_none_or(|field| number(&first(field, trace, span)).is_some())
    };
    picked.retain(numbered);
    let key = |trace: &Trace, span: &Span| -> Labels {
        by.iter().map(|field| (field.to_string(), answer(&first(field, trace, span)))).collect()
    };
    let mut groups: BTreeMap<String, (Labels, Vec<(i64, V)>)> = BTreeMap::new();
    for (trace, span) in picked {
        let labels = key(trace, span);
        let value = field.map_or(V::Nil, |field| first(field, trace, span));
        groups.entry(format!("{labels:?}")).or_insert((labels, Vec::new())).1.push((span.start_ns, value));
    }
    let mut all = All::new();
    for (mut labels, members) in groups.into_values() {
        if by.is_empty() && !matches!(function, MetricsFunction::Histogram(_) | MetricsFunction::Quantile(..))
        {
            let name = function.to_string();
            labels.push((
                "__name__".to_owned(),
                AttrValue::Str(name.split('(').next().unwrap_or("").to_owned()),
            ));
        }
        functions(function, &labels, &members, instant, &mut all);
    }
    all
}

fn put(all: &mut All, labels: Labels, samples: BTreeMap<i64, f64>) {
    all.insert(format!("{labels:?}"), (labels, samples));
}

fn seconds(value: &V) -> f64 {
    let scale = if matches!(value, V::Duration(_)) { 1e9 } else { 1.0 };
    number(value).unwrap_or(f64::NAN) / scale
}

#[expect(clippy::cast_precision_loss, reason = "few spans")]
fn functions(
    function: &MetricsFunction,
    labels: &Labels,
    members: &[(i64, V)],
    instant: bool,
    all: &mut All,
) {
    let step_s = if instant { (END_NS - START_NS) as f64 / 1e9 } else { STEP_NS as f64 / 1e9 };
    let window = |time: i64, from: i64| {
        members.iter().filter(move |(at, _)| *at > from && *at <= time).map(|(_, value)| value)
    };
    let sample = |value: &dyn Fn(&[f64]) -> f64| -> BTreeMap<i64, f64> {
        let times = times(instant).into_iter();
        times
            .map(|(time, from)| {
                (time / 1_000_000, value(&window(time, from).map(seconds).collect::<Vec<_>>()))
            })
            .collect()
    };
    let or_nan = |values: &[f64], value: f64| if values.is_empty() { f64::NAN } else { value };
    match function {
        MetricsFunction::Rate => put(all, labels.clone(), sample(&|values| values.len() as f64 / step_s)),
        MetricsFunction::CountOverTime => put(all, labels.clone(), sample(&|values| values.len() as f64)),
        MetricsFunction::OverTime(op, _) => {
            let samples = sample(&|values| {
                let sum: f64 = values.iter().sum();
                let value = match op {
                    AggregateOp::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
                    AggregateOp::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    AggregateOp::Avg => sum / values.len() as f64,
                    _ => sum,
                };
                or_nan(values, value)
            });
            put(all, labels.clone(), samples);
        }
        MetricsFunction::Quantile(_, quantiles) => {
            for quantile in quantiles {
                let mut labels = labels.clone();
                labels.push(("p".to_owned(), AttrValue::Double(*quantile)));
                let samples = sample(&|values| {
                    let mut sorted = values.to_vec();
                    sorted.sort_by(f64::total_cmp);
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
                    let rank = ((quantile * sorted.len() as f64).ceil() as usize).max(1);
                    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
                });
                put(all, labels, samples);
            }
        }
        MetricsFunction::Histogram(_) => histogram(labels, members, instant, all),
        MetricsFunction::Compare { .. } => {}
    }
}

fn histogram(labels: &Labels, members: &[(i64, V)], instant: bool, all: &mut All) {
    let bucket = |value: &V| {
        let (number, scale) =
            (number(value).unwrap_or(0.0), if matches!(value, V::Duration(_)) { 1e9 } else { 1.0 });
        let mut bound = 2_f64.powi(-30);
        while bound < number {
            bound *= 2.0;
        }
        if number <= 0.0 { 0.0 } else { bound / scale }
    };
    let buckets: BTreeSet<u64> = members.iter().map(|(_, value)| bucket(value).to_bits()).collect();
    for bits in buckets {
        let mut labels = labels.clone();
        labels.push(("__bucket".to_owned(), AttrValue::Double(f64::from_bits(bits))));
        let mut samples = BTreeMap::new();
        for (time, from) in times(instant) {
            let inside = members.iter().filter(|(at, _)| *at > from && *at <= time);
            let count = inside.filter(|(_, value)| bucket(value).to_bits() == bits).count();
            #[expect(clippy::cast_precision_loss, reason = "few spans")]
            samples.insert(time / 1_000_000, count as f64);
        }
        put(all, labels, samples);
    }
}

/// Fields that `compare` looks at beside attributes.
const COMPARED: &[Intrinsic] = &[
    Intrinsic::Name,
    Intrinsic::Kind,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::RootName,
    Intrinsic::RootServiceName,
];

fn compared(filter: Option<&FieldExpr>, top: usize, picked: &[(&Trace, &Span)], instant: bool) -> All {
    let mut all = All::new();
    let zero = || {
        times(instant).into_iter().map(|(time, _)| (time / 1_000_000, 0.0)).collect::<BTreeMap<i64, f64>>()
    };
    for (kind, wanted) in [("baseline", false), ("selection", true)] {
        let mut found: BTreeMap<String, BTreeMap<String, (AttrValue, Samples)>> = BTreeMap::new();
        for (trace, span) in picked {
            if filter.is_none_or(|filter| holds(filter, trace, span.id)) != wanted {
                continue;
            }
            let time = times(instant)
                .into_iter()
                .find(|(time, from)| span.start_ns > *from && span.start_ns <= *time);
            let time = time.expect("a sample for every span in range").0 / 1_000_000;
            let mut pairs: Vec<(String, V)> = Vec::new();
            for intrinsic in COMPARED {
                let name = FieldName::Intrinsic(*intrinsic);
                let value = value(&FieldExpr::Field(Field { name: name.clone(), at: At(0) }), trace, span.id);
                pairs.push((name.to_string(), value));
            }
            for (scope, attrs) in [(AttrScope::Span, &span.attrs), (AttrScope::Resource, &span.resource)] {
                let scope = if scope == AttrScope::Span { "span" } else { "resource" };
                pairs.extend(attrs.iter().map(|(key, value)| (format!("{scope}.{key}"), value.clone())));
            }
            for (name, value) in pairs {
                let value = answer(&value);
                let values = found.entry(name).or_default();
                let (_, samples) = values.entry(format!("{value:?}")).or_insert_with(|| (value, zero()));
                *samples.entry(time).or_default() += 1.0;
            }
        }
        for (name, values) in found {
            let mut totals = zero();
            values
                .values()
                .flat_map(|(_, samples)| samples)
                .for_each(|(time, count)| *totals.entry(*time).or_default() += count);
            let meta = |kind: &str, value: AttrValue| {
                vec![("__meta_type".to_owned(), AttrValue::Str(kind.to_owned())), (name.clone(), value)]
            };
            put(&mut all, meta(&format!("{kind}_total"), AttrValue::Nil), totals);
            assert!(values.len() <= top, "the generator asks for all values");
            for (value, samples) in values.into_values() {
                put(&mut all, meta(kind, value), samples);
            }
        }
    }
    all
}

fn plain(labels: &Labels) -> Labels {
    labels.iter().filter(|(name, _)| name != "__name__").cloned().collect()
}

fn compute(op: BinaryOp, one: f64, other: f64) -> f64 {
    match op {
        BinaryOp::Add => one + other,
        BinaryOp::Sub => one - other,
        BinaryOp::Mul => one * other,
        _ => one / other,
    }
}

fn math(op: BinaryOp, lhs: Side, rhs: Side) -> Side {
    let mut all = All::new();
    match (lhs, rhs) {
        (Side::Number(one), Side::Number(other)) => return Side::Number(compute(op, one, other)),
        (Side::Series(series), Side::Number(other)) => {
            for (labels, samples) in series.into_values() {
                put(
                    &mut all,
                    plain(&labels),
                    samples.into_iter().map(|(time, one)| (time, compute(op, one, other))).collect(),
                );
            }
        }
        (Side::Number(one), Side::Series(series)) => {
            for (labels, samples) in series.into_values() {
                put(
                    &mut all,
                    plain(&labels),
                    samples.into_iter().map(|(time, other)| (time, compute(op, one, other))).collect(),
                );
            }
        }
        (Side::Series(left), Side::Series(right)) => {
            let right: Vec<_> =
                right.into_values().map(|(labels, samples)| (order(&labels), samples)).collect();
            for (labels, samples) in left.into_values() {
                let key = order(&labels);
                for (others, partner) in &right {
                    if key == *others {
                        let meet = |(time, one): (&i64, &f64)| {
                            (*time, compute(op, *one, partner.get(time).copied().unwrap_or(f64::NAN)))
                        };
                        put(&mut all, plain(&labels), samples.iter().map(meet).collect());
                    }
                }
            }
        }
    }
    Side::Series(all)
}

fn order(labels: &Labels) -> String {
    let parts: Vec<String> =
        plain(labels).iter().map(|(name, value)| format!("{name}\0{value:?}\0")).collect();
    parts.concat()
}

fn limited(mut all: All, limit: &Limit) -> All {
    let before: Vec<(String, BTreeMap<i64, f64>)> =
        all.values().map(|(labels, samples)| (order(labels), samples.clone())).collect();
    let keep = |labels: &str, time: i64, value: f64| -> bool {
        let (k, sign) = match limit {
            _ if value.is_nan() => return false,
            Limit::Compare(op, threshold) => {
                let threshold = match threshold {
                    Static::Int(value) => V::Int(*value),
                    Static::Float(value) => V::Float(*value),
                    Static::Duration(ns) => V::Float(seconds(&V::Duration(*ns))),
                    other => panic!("not generated: {other}"),
                };
                return compare(*op, &V::Float(value), &threshold);
            }
            Limit::Top(k) => (*k, 1.0),
            Limit::Bottom(k) => (*k, -1.0),
        };
        let better = before.iter().filter(|(other, samples)| {
            let rival = samples.get(&time).copied().unwrap_or(f64::NAN);
            sign * rival > sign * value || (rival.to_bits() == value.to_bits() && other.as_str() < labels)
        });
        (better.count() as u64) < k
    };
    for (labels, samples) in all.values_mut() {
        let labels = order(labels);
        samples.retain(|time, value| keep(&labels, *time, *value));
    }
    all.retain(|_, (_, samples)| !samples.is_empty());
    all
}
