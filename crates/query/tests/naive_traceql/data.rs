//! Random traces in a shape of their own, and the batch they are for the engine.

use model::attr::ValueRef;
use model::span::{Event, Link, Resource, Scope, SpanBatch, SpanKind, SpanRow, StatusCode};
use model::{SpanId, TraceId};
use platform::{Random, SeededRandom};

/// Start of the ten minutes that hold all spans.
pub(crate) const START_NS: i64 = 1_700_000_040_000_000_000;
const MINUTES: u64 = 10;

/// A value as the naive evaluator has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum V {
    Nil,
    Str(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Duration(i64),
    Status(StatusCode),
    Kind(SpanKind),
    Array(Vec<V>),
}

pub(crate) type Attrs = Vec<(&'static str, V)>;

#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) start_ns: i64,
    pub(crate) duration_ns: i64,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) attrs: Attrs,
    pub(crate) resource: Attrs,
    pub(crate) scope: (String, String, Attrs),
    pub(crate) events: Vec<(i64, String, Attrs)>,
    pub(crate) links: Vec<(u128, u64, Attrs)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) id: u128,
    /// By (start, id).
    pub(crate) spans: Vec<Span>,
}

pub(crate) fn pick<'a, T>(random: &SeededRandom, from: &'a [T]) -> &'a T {
    &from[usize::try_from(random.below(from.len() as u64)).unwrap_or(0)]
}

fn small(random: &SeededRandom, bound: u64) -> i64 {
    i64::try_from(random.below(bound)).unwrap_or(0)
}

pub(crate) fn traces(random: &SeededRandom, count: usize) -> Vec<Trace> {
    (0..count).map(|at| trace(random, at as u128 + 1)).collect()
}

fn trace(random: &SeededRandom, at: u128) -> Trace {
    let id = at << 64 | u128::from(random.next_u64());
    let first = START_NS + small(random, MINUTES * 60_000_000_000);
    let count = 1 + random.below(if at.is_multiple_of(50) { 60 } else { 9 });
    let mut spans: Vec<Span> = Vec::new();
    for number in 1..=count {
        let parent = match random.below(12) {
            0 => 900 + random.below(2),
            1 if number > 1 => 0,
            _ if number == 1 => 0,
            _ => spans[usize::try_from(random.below(number - 1)).unwrap_or(0)].id,
        };
        spans.push(span(random, number, parent, first));
    }
    if random.below(10) == 0 {
        spans.retain(|span| span.id != 1 || count == 1);
    }
    spans.sort_by_key(|span| (span.start_ns, span.id));
    Trace { id, spans }
}

fn span(random: &SeededRandom, id: u64, parent: u64, first: i64) -> Span {
    let text = |from: &[&str]| (*pick(random, from)).to_owned();
    let start_ns = first + small(random, 5) * 1_000_000;
    let event = |_| {
        let since = small(random, 4) * 1_000_000;
        (start_ns + since, text(&["exception", "log"]), attrs(random, &["e", "i"]))
    };
    let link = |_| (u128::from(random.below(3) + 0xa0), random.below(3) + 0xb0, attrs(random, &["l", "i"]));
    let mut resource = attrs(random, &["r", "i"]);
    if random.below(10) > 0 {
        resource.push(("service.name", V::Str(text(&["cart", "pay", "shop"]))));
    }
    Span {
        id,
        parent,
        start_ns,
        duration_ns: small(random, 20) * 500_000,
        name: text(&["GET", "PUT", "query"]),
        kind: SpanKind::from_otlp(i32::try_from(random.below(6)).unwrap_or(0)),
        status: StatusCode::from_otlp(i32::try_from(random.below(3)).unwrap_or(0)),
        message: text(&["", "boom"]),
        attrs: attrs(random, &["s", "i", "f", "b", "a", "n"]),
        resource,
        scope: (text(&["lib", "sdk"]), text(&["v1", "v2"]), attrs(random, &["v", "i"])),
        events: (0..random.below(3)).map(event).collect(),
        links: (0..random.below(3)).map(link).collect(),
    }
}

/// Some of the keys; `i` is a number, `f` a float, `b` a boolean, `a` an array, `n` anything, others are texts.
fn attrs(random: &SeededRandom, keys: &[&'static str]) -> Attrs {
    let word = || V::Str((*pick(random, &["x", "y", "zz"])).to_owned());
    let int = || V::Int(small(random, 5));
    let value = |key: &str| match key {
        "i" => int(),
        "f" => V::Float(f64::from(u32::try_from(random.below(8)).unwrap_or(0)) * 0.25 - 0.5),
        "b" => V::Bool(random.below(2) == 0),
        "a" if random.below(2) == 0 => V::Array((0..random.below(3)).map(|_| word()).collect()),
        "a" => V::Array((0..random.below(3)).map(|_| int()).collect()),
        "n" => [word(), int(), V::Bool(true), V::Float(1.5)][usize::try_from(random.below(4)).unwrap_or(0)]
            .clone(),
        _ => word(),
    };
    keys.iter().filter(|_| random.below(3) > 0).map(|key| (*key, value(key))).collect()
}

/// An element of an OTLP JSON array.
fn any_value(value: &V) -> String {
    match value {
        V::Str(text) => format!(r#"{{"stringValue":"{text}"}}"#),
        V::Int(value) => format!(r#"{{"intValue":"{value}"}}"#),
        _ => "{}".to_owned(),
    }
}

fn push(batch: &mut SpanBatch, attrs: &Attrs) -> std::ops::Range<u32> {
    let first = u32::try_from(batch.attrs.len()).unwrap_or(0);
    for (key, value) in attrs {
        let json;
        let value = match value {
            V::Str(text) => ValueRef::Str(text),
            V::Int(value) => ValueRef::Int(*value),
            V::Float(value) => ValueRef::Double(*value),
            V::Bool(value) => ValueRef::Bool(*value),
            V::Array(values) => {
                let values: Vec<String> = values.iter().map(any_value).collect();
                json = format!(r#"{{"arrayValue":{{"values":[{}]}}}}"#, values.join(","));
                ValueRef::Json(&json)
            }
            _ => ValueRef::Empty,
        };
        batch.push_attrs([(*key, value)]);
    }
    first..u32::try_from(batch.attrs.len()).unwrap_or(0)
}

impl Trace {
    pub(crate) fn batch(&self) -> SpanBatch {
        let mut batch = SpanBatch::default();
        for span in &self.spans {
            let attrs = push(&mut batch, &span.resource);
            batch.resources.push(Resource { attrs });
            let (name, version) = (batch.text(&span.scope.0), batch.text(&span.scope.1));
            let attrs = push(&mut batch, &span.scope.2);
            batch.scopes.push(Scope { name, version, attrs });
            let (first_event, first_link) = (batch.events.len(), batch.links.len());
            for (ts_ns, name, attrs) in &span.events {
                let event = Event { ts_ns: *ts_ns, name: batch.text(name), attrs: push(&mut batch, attrs) };
                batch.events.push(event);
            }
            for (trace, span, attrs) in &span.links {
                let attrs = push(&mut batch, attrs);
                let (trace_id, span_id) = (TraceId(trace.to_be_bytes()), SpanId(span.to_be_bytes()));
                batch.links.push(Link { trace_id, span_id, attrs, ..Link::default() });
            }
            let range =
                |first: usize, end: usize| u32::try_from(first).unwrap_or(0)..u32::try_from(end).unwrap_or(0);
            let row = SpanRow {
                trace_id: TraceId(self.id.to_be_bytes()),
                span_id: SpanId(span.id.to_be_bytes()),
                parent_id: SpanId(span.parent.to_be_bytes()),
                start_ns: span.start_ns,
                duration_ns: span.duration_ns,
                name: batch.text(&span.name),
                kind: span.kind,
                status: span.status,
                status_message: batch.text(&span.message),
                resource: u32::try_from(batch.resources.len() - 1).unwrap_or(0),
                scope: u32::try_from(batch.scopes.len() - 1).unwrap_or(0),
                attrs: push(&mut batch, &span.attrs),
                events: range(first_event, batch.events.len()),
                links: range(first_link, batch.links.len()),
                ..SpanRow::default()
            };
            batch.spans.push(row);
        }
        batch
    }
}
