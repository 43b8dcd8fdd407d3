//! Spans through the store: traces come back whole, once and newest first, from memory, parts and merges.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod common;

use common::{T0_MS, now, open, options};
use model::attr::ValueRef;
use model::scan::{AttrScope, Budget, Operation, SpanHint, SpanSelect};
use model::span::{Event, Link, Resource, Scope, UNKNOWN_SERVICE};
use model::{SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, Tenant, TraceId};
use platform::{Random, SeededRandom, SimDisk};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use store::Store;

const T0_NS: i64 = T0_MS * 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Empty,
    Str(String),
    Int(i64),
    Double(u64),
    Bool(bool),
    Bytes(Vec<u8>),
    Json(String),
}

impl Value {
    fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Empty => Self::Empty,
            ValueRef::Str(text) => Self::Str(text.into()),
            ValueRef::Int(value) => Self::Int(value),
            ValueRef::Double(value) => Self::Double(value.to_bits()),
            ValueRef::Bool(value) => Self::Bool(value),
            ValueRef::Bytes(bytes) => Self::Bytes(bytes.into()),
            ValueRef::Json(text) => Self::Json(text.into()),
        }
    }

    fn borrow(&self) -> ValueRef<'_> {
        match self {
            Self::Empty => ValueRef::Empty,
            Self::Str(text) => ValueRef::Str(text),
            Self::Int(value) => ValueRef::Int(*value),
            Self::Double(bits) => ValueRef::Double(f64::from_bits(*bits)),
            Self::Bool(value) => ValueRef::Bool(*value),
            Self::Bytes(bytes) => ValueRef::Bytes(bytes),
            Self::Json(text) => ValueRef::Json(text),
        }
    }
}

type Attrs = Vec<(String, Value)>;

/// One span with all it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_field_names, reason = "the fields are named as in the model")]
struct Span {
    trace_id: [u8; 16],
    start_ns: i64,
    span_id: [u8; 8],
    parent_id: [u8; 8],
    duration_ns: i64,
    name: String,
    kind: i32,
    status: i32,
    message: String,
    state: String,
    flags: u32,
    resource: Attrs,
    scope: (String, String, Attrs),
    attrs: Attrs,
    events: Vec<(i64, String, Attrs)>,
    links: Vec<([u8; 16], [u8; 8], String, Attrs)>,
}

fn push(batch: &mut SpanBatch, attrs: &Attrs) -> std::ops::Range<u32> {
    batch.push_attrs(attrs.iter().map(|(key, value)| (key.as_str(), value.borrow())))
}

fn batch(spans: &[Span]) -> SpanBatch {
    let mut batch = SpanBatch::default();
    for (span, at) in spans.iter().zip(0..) {
        let attrs = push(&mut batch, &span.resource);
        batch.resources.push(Resource { attrs });
        let attrs = push(&mut batch, &span.scope.2);
        let (name, version) = (batch.text(&span.scope.0), batch.text(&span.scope.1));
        batch.scopes.push(Scope { name, version, attrs });
        let first_event = u32::try_from(batch.events.len()).expect("few");
        for (ts_ns, name, attrs) in &span.events {
            let (attrs, name) = (push(&mut batch, attrs), batch.text(name));
            batch.events.push(Event { ts_ns: *ts_ns, name, attrs });
        }
        let first_link = u32::try_from(batch.links.len()).expect("few");
        for (trace_id, span_id, state, attrs) in &span.links {
            let (attrs, trace_state) = (push(&mut batch, attrs), batch.text(state));
            batch.links.push(Link {
                trace_id: TraceId(*trace_id),
                span_id: SpanId(*span_id),
                trace_state,
                attrs,
            });
        }
        let row = SpanRow {
            trace_id: TraceId(span.trace_id),
            span_id: SpanId(span.span_id),
            parent_id: SpanId(span.parent_id),
            start_ns: span.start_ns,
            duration_ns: span.duration_ns,
            name: batch.text(&span.name),
            kind: SpanKind::from_otlp(span.kind),
            status: StatusCode::from_otlp(span.status),
            status_message: batch.text(&span.message),
            trace_state: batch.text(&span.state),
            flags: span.flags,
            resource: at,
            scope: at,
            attrs: push(&mut batch, &span.attrs),
            events: first_event..u32::try_from(batch.events.len()).expect("few"),
            links: first_link..u32::try_from(batch.links.len()).expect("few"),
        };
        batch.spans.push(row);
    }
    batch
}

fn write(store: &Store, spans: &[Span]) {
    now(store.write_spans(&Tenant::default(), batch(spans))).expect("accepted");
}

fn read(batch: &SpanBatch) -> Vec<Span> {
    let attrs = |range: &std::ops::Range<u32>| {
        batch.attrs(range).map(|(key, value)| (key.to_owned(), Value::of(value))).collect::<Attrs>()
    };
    let span = |span: model::SpanRef<'_>| {
        let scope = span.scope().expect("scope");
        Span {
            trace_id: span.row.trace_id.0,
            start_ns: span.row.start_ns,
            span_id: span.row.span_id.0,
            parent_id: span.row.parent_id.0,
            duration_ns: span.row.duration_ns,
            name: span.name().into(),
            kind: span.row.kind as i32,
            status: span.row.status as i32,
            message: span.status_message().into(),
            state: span.row.trace_state.str(&batch.arena).into(),
            flags: span.row.flags,
            resource: span.resource_attrs().map(|(key, value)| (key.to_owned(), Value::of(value))).collect(),
            scope: (
                scope.name.str(&batch.arena).into(),
                scope.version.str(&batch.arena).into(),
                attrs(&scope.attrs),
            ),
            attrs: attrs(&span.row.attrs),
            events: span
                .events()
                .iter()
                .map(|event| (event.ts_ns, event.name.str(&batch.arena).into(), attrs(&event.attrs)))
                .collect(),
            links: span
                .links()
                .iter()
                .map(|link| {
                    let state = link.trace_state.str(&batch.arena).into();
                    (link.trace_id.0, link.span_id.0, state, attrs(&link.attrs))
                })
                .collect(),
        }
    };
    batch.iter().map(span).collect()
}

/// What a scan yields, trace by trace.
fn scan(store: &Store, select: &SpanSelect) -> Vec<Vec<Span>> {
    let mut traces = Vec::new();
    let completeness = store.spans().scan(&Tenant::default(), select, &Budget::default(), &mut |batch| {
        traces.extend(read(batch).chunk_by(|a, b| a.trace_id == b.trace_id).map(<[Span]>::to_vec));
        ControlFlow::Continue(())
    });
    assert!(completeness.expect("scan").is_complete());
    assert!(traces.is_sorted_by(|a: &Vec<Span>, b| a[0].start_ns >= b[0].start_ns), "newest first");
    let ids: BTreeSet<_> = traces.iter().map(|trace| trace[0].trace_id).collect();
    assert_eq!(ids.len(), traces.len(), "a trace stands together");
    traces
}

fn has(attrs: &Attrs, key: &str, value: Option<&str>) -> bool {
    let is = |found: &Value, value: &str| match found {
        Value::Str(text) => text == value,
        Value::Json(array) => array.contains(&format!("{{\"stringValue\":\"{value}\"}}")),
        _ => false,
    };
    attrs.iter().any(|(k, v)| k == key && value.is_none_or(|value| is(v, value)))
}

fn satisfies(span: &Span, hint: &SpanHint) -> bool {
    let attr = |scope: &Option<AttrScope>, key: &str, value: Option<&str>| match scope {
        None => has(&span.attrs, key, value) || has(&span.resource, key, value),
        Some(AttrScope::Span) => has(&span.attrs, key, value),
        Some(AttrScope::Resource) => has(&span.resource, key, value),
        Some(AttrScope::Event) => span.events.iter().any(|event| has(&event.2, key, value)),
        Some(AttrScope::Link) => span.links.iter().any(|link| has(&link.3, key, value)),
        Some(AttrScope::Instrumentation) => has(&span.scope.2, key, value),
    };
    match hint {
        SpanHint::Service(name) => has(&span.resource, "service.name", Some(name)),
        SpanHint::Name(name) => span.name == *name,
        SpanHint::AttrEquals(scope, key, value) => attr(scope, key, Some(value)),
        SpanHint::AttrExists(scope, key) => attr(scope, key, None),
        SpanHint::DurationMin(min_ns) => span.duration_ns >= *min_ns,
        SpanHint::Error => span.status == 2,
    }
}

/// Compares what the store yields with what the spans themselves say; hints may only prune what satisfies none.
fn check(store: &Store, spans: &[Span], select: &SpanSelect) -> usize {
    let found: BTreeMap<[u8; 16], Vec<Span>> =
        scan(store, select).into_iter().map(|trace| (trace[0].trace_id, trace)).collect();
    let mut known: BTreeMap<[u8; 16], BTreeMap<[u8; 8], Span>> = BTreeMap::new();
    for span in spans {
        known.entry(span.trace_id).or_default().entry(span.span_id).or_insert_with(|| span.clone());
    }
    let any_time = !select.trace_ids.is_empty() && select.start_ns >= select.end_ns;
    for (id, trace) in known {
        let mut trace: Vec<Span> = trace.into_values().collect();
        trace.sort_by_key(|span| (span.start_ns, span.span_id));
        let named = select.trace_ids.is_empty() || select.trace_ids.contains(&TraceId(id));
        let in_range =
            any_time || trace.iter().any(|span| (select.start_ns..select.end_ns).contains(&span.start_ns));
        let hinted = select.hints.iter().all(|hint| trace.iter().any(|span| satisfies(span, hint)));
        match found.get(&id) {
            Some(found) => {
                assert!(named && in_range, "{select:?} yields {found:?}");
                assert_eq!(*found, trace);
            }
            None => assert!(!(named && in_range && hinted), "{select:?} misses {trace:?}"),
        }
    }
    found.len()
}

fn all() -> SpanSelect {
    SpanSelect { start_ns: i64::MIN, end_ns: i64::MAX, ..SpanSelect::default() }
}

/// Compares the operations of all time with what the spans say.
fn check_operations(store: &Store, spans: &[Span]) {
    let budget = Budget::default();
    let found = store.spans().operations(&Tenant::default(), &all(), &budget).expect("operations");
    assert_eq!(budget.spent(), 0, "no span is read");
    let operation = |span: &Span| {
        let name = |(key, value): &(String, Value)| match value {
            Value::Str(name) if key == "service.name" => Some(name.clone()),
            _ => None,
        };
        let service = span.resource.iter().find_map(name).filter(|name| !name.is_empty());
        let service = service.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned());
        Operation { service, name: span.name.clone(), kind: SpanKind::from_otlp(span.kind) }
    };
    // A span that was sent again may call itself something else.
    let mut ids = BTreeSet::new();
    let kept = spans.iter().filter(|span| ids.insert((span.trace_id, span.span_id)));
    assert!(found.is_superset(&kept.map(operation).collect()), "{found:?}");
    assert!(found.is_subset(&spans.iter().map(operation).collect()), "{found:?}");
}

fn check_all(store: &Store, spans: &[Span]) {
    check(store, spans, &all());
    check_operations(store, spans);
    let Some(some) = spans.get(spans.len() / 2) else { return };
    let at = some.start_ns;
    for (start_ns, end_ns) in [(at, at + 1), (i64::MIN, at), (at, i64::MAX), (at - 1000, at + 1_000_000)] {
        check(store, spans, &SpanSelect { start_ns, end_ns, ..SpanSelect::default() });
    }
    let trace_ids = vec![TraceId(some.trace_id), TraceId([77; 16])];
    check(store, spans, &SpanSelect { trace_ids: trace_ids.clone(), ..SpanSelect::default() });
    check(store, spans, &SpanSelect { trace_ids, start_ns: at, end_ns: at + 1, ..SpanSelect::default() });
    let user = || "user.id".to_owned();
    for hint in [
        SpanHint::Service("payments".into()),
        SpanHint::Name(some.name.clone()),
        SpanHint::Name("absent".into()),
        SpanHint::AttrEquals(None, user(), "u-7".into()),
        SpanHint::AttrEquals(Some(AttrScope::Span), user(), "u-8".into()),
        SpanHint::AttrEquals(Some(AttrScope::Resource), "service.name".into(), "cart".into()),
        SpanHint::AttrEquals(None, "roles".into(), "admin".into()),
        SpanHint::AttrEquals(Some(AttrScope::Span), "roles".into(), "admin".into()),
        SpanHint::AttrEquals(Some(AttrScope::Event), "exception.type".into(), "E".into()),
        SpanHint::AttrExists(Some(AttrScope::Link), "why".into()),
        SpanHint::AttrExists(None, "rare".into()),
        SpanHint::AttrExists(None, "absent".into()),
        SpanHint::DurationMin(900_000),
        SpanHint::Error,
    ] {
        check(store, spans, &SpanSelect { hints: vec![hint.clone(), SpanHint::DurationMin(10)], ..all() });
        check(store, spans, &SpanSelect { hints: vec![hint], start_ns: at, ..all() });
    }
}

/// Spans as services make them: traces of a few spans over several services.
fn realistic(random: &SeededRandom, traces: u64, first_ns: i64) -> Vec<Span> {
    let mut spans = Vec::new();
    for at in 0..traces {
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&random.next_u64().to_be_bytes());
        let mut ids: Vec<[u8; 8]> = vec![[0; 8]];
        for depth in 0..=random.below(8) {
            let span_id = random.next_u64().to_be_bytes();
            let start_ns =
                first_ns + i64::try_from(at * 1_000_000 + depth * 1000 + random.below(500)).expect("small");
            let service = ["cart", "payments", "frontend"][usize::try_from(random.below(3)).expect("small")];
            let mut attrs = vec![
                ("user.id".to_owned(), Value::Str(format!("u-{}", random.below(2000)))),
                ("http.status_code".to_owned(), Value::Int(200)),
            ];
            if random.below(300) == 0 {
                attrs.push(("rare".to_owned(), Value::Double(1.5_f64.to_bits())));
            }
            if at % 40 == 0 && depth == 0 {
                let role = if at % 80 == 0 { "admin" } else { "guest" };
                let array = format!(r#"{{"arrayValue":{{"values":[{{"stringValue":"{role}"}}]}}}}"#);
                attrs.push(("roles".to_owned(), Value::Json(array)));
            }
            let events = match random.below(10) {
                0 => vec![(
                    start_ns + 5,
                    "exception".to_owned(),
                    vec![("exception.type".to_owned(), Value::Str("E".into()))],
                )],
                _ => Vec::new(),
            };
            let links = match random.below(20) {
                0 => vec![([3; 16], span_id, "a=b".to_owned(), vec![("why".to_owned(), Value::Bool(true))])],
                _ => Vec::new(),
            };
            let parent = usize::try_from(random.below(ids.len() as u64)).expect("small");
            spans.push(Span {
                trace_id,
                start_ns,
                span_id,
                parent_id: ids[parent],
                duration_ns: i64::try_from(random.below(1_000_000)).expect("small"),
                name: format!("op-{}", random.below(40)),
                kind: i32::try_from(random.below(6)).expect("small"),
                status: i32::try_from(random.below(50) / 48 * 2).expect("small"),
                message: String::new(),
                state: String::new(),
                flags: 1,
                resource: vec![("service.name".to_owned(), Value::Str(service.into()))],
                scope: ("lib".into(), "1".into(), Vec::new()),
                attrs,
                events,
                links,
            });
            ids.push(span_id);
        }
    }
    spans
}

#[test]
fn traces_come_back_from_memory_parts_and_merges() {
    let store = open(&SimDisk::new(1), options()).expect("open");
    let random = SeededRandom::new(11);
    let mut spans = Vec::new();
    for round in 0..4 {
        let mut new = realistic(&random, 400, T0_NS + round * 300_000_000);
        // Spans arrive out of order, and the first traces go on for a long time.
        new.sort_by_key(|span| span.span_id);
        if round > 0 {
            let late = spans.iter().take(100).map(|span: &Span| Span {
                span_id: random.next_u64().to_be_bytes(),
                start_ns: span.start_ns + round * 300_000_000,
                ..span.clone()
            });
            new.extend(late);
        }
        new.chunks(90).for_each(|part| write(&store, part));
        spans.extend(new);
        if round == 0 {
            check_all(&store, &spans);
        }
        if round < 3 {
            store.flush().expect("flush");
        }
    }
    check_all(&store, &spans);
    store.compact().expect("compact");
    check_all(&store, &spans);
    write(&store, &spans[..300]);
    check_all(&store, &spans);
    store.compact().expect("compact");
    check_all(&store, &spans);
    let absent = SpanHint::AttrEquals(None, "user.id".into(), "u-absent".into());
    assert_eq!(check(&store, &spans, &SpanSelect { hints: vec![absent], ..all() }), 0);
    let names = store.spans().attribute_names(&Tenant::default(), &all(), &Budget::default()).expect("names");
    assert!(names.is_sorted());
    assert!(names.contains(&(AttrScope::Event, "exception.type".into())), "{names:?}");
    assert!(names.contains(&(AttrScope::Resource, "service.name".into())), "{names:?}");
}

#[test]
fn a_huge_trace_comes_back() {
    let store = open(&SimDisk::new(1), options()).expect("open");
    let mut spans = realistic(&SeededRandom::new(2), 30_000, T0_NS);
    for span in &mut spans {
        span.trace_id = [5; 16];
    }
    spans.truncate(store::spans::BLOCK_ROWS_MAX + 1000);
    spans.chunks(10_000).for_each(|part| write(&store, part));
    store.compact().expect("compact");
    check(&store, &spans, &all());
    write(&store, &spans[..10]);
    store.compact().expect("compact");
    check(&store, &spans, &all());
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Empty),
        "\\PC{0,9}".prop_map(Value::Str),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Bool),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
        "[{}a-z]{0,5}".prop_map(Value::Json),
    ]
}

fn any_attrs() -> impl Strategy<Value = Attrs> {
    prop::collection::vec(("user.id|service.name|rare|\\PC{0,4}", any_value()), 0..4)
}

fn any_span() -> impl Strategy<Value = Span> {
    let ids = (0_u8..4, 0_u8..12, 0_u8..12);
    let numbers = (T0_NS..T0_NS + 50, 0_i64..1_000_000, 0..6_i32, 0..3_i32, any::<u32>());
    let texts = ("\\PC{0,6}", "\\PC{0,3}", "[a-z=]{0,4}");
    let scope = ("[a-c]{0,2}", "[0-9]{0,2}", any_attrs());
    let events = prop::collection::vec((any::<i64>(), "\\PC{0,4}", any_attrs()), 0..3);
    let links =
        prop::collection::vec((any::<[u8; 16]>(), any::<[u8; 8]>(), "[a-z=]{0,4}", any_attrs()), 0..2);
    (ids, numbers, texts, scope, any_attrs(), any_attrs(), events, links).prop_map(
        |(ids, numbers, texts, scope, resource, attrs, events, links)| Span {
            trace_id: [ids.0; 16],
            span_id: [ids.1; 8],
            parent_id: [ids.2; 8],
            start_ns: numbers.0,
            duration_ns: numbers.1,
            kind: numbers.2,
            status: numbers.3,
            flags: numbers.4,
            name: texts.0,
            message: texts.1,
            state: texts.2,
            scope,
            resource,
            attrs,
            events,
            links,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_spans_come_back(batches in prop::collection::vec(prop::collection::vec(any_span(), 0..30), 1..4)) {
        let store = open(&SimDisk::new(1), options()).expect("open");
        let mut spans: Vec<Span> = Vec::new();
        let mut known: BTreeMap<([u8; 16], [u8; 8]), Span> = BTreeMap::new();
        for batch in batches {
            // A span that comes again is a resend of the same.
            let same = |span: Span| known.entry((span.trace_id, span.span_id)).or_insert(span).clone();
            let batch: Vec<Span> = batch.into_iter().map(same).collect();
            write(&store, &batch);
            spans.extend(batch);
            check_all(&store, &spans);
            store.flush().expect("flush");
            check_all(&store, &spans);
        }
        store.compact().expect("compact");
        check_all(&store, &spans);
    }
}
