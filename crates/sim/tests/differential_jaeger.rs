//! A hundred trace searches, dealt from every kind of condition, answered as a real Jaeger (in memory) answers them: the
//! same OTLP bytes go to both, the sets of trace ids must be equal. `SEED=n` repeats a run; without a Jaeger binary in
//! `$PEERS_DIR/bin` (`~/.cache/peers/bin`) the test says so and passes.
//!
//! Not asked, because Jaeger's storages differ among themselves there: tags of links, the tag `error`, patterns.
#![expect(
    clippy::disallowed_methods,
    reason = "starts another program and talks to it over real sockets and time"
)]
#![expect(clippy::expect_used, reason = "a test stops at what cannot be")]

#[path = "differential_jaeger/peer.rs"]
mod peer;

use model::Tenant;
use model::scan::Budget;
use peer::Peer;
use platform::{Random, SeededRandom};
use query::jaeger::{TraceQuery, find_traces};
use query::memory::MemorySpans;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wire::otlp::{Format, decode_traces};

const QUERIES: usize = 100;
const TRACES: u64 = 400;
const START_US: i64 = 1_700_000_000_000_000;
/// All spans start within this time.
const RANGE_US: u64 = 600_000_000;

const SERVICES: &[&str] = &["cart", "payments", "shop front"];
const OPERATIONS: &[&str] = &["GET /", "PUT /cart/{id}", "query"];

/// Kinds of condition; a query has some of them, each is dealt in turn.
const CONDITIONS: &[&str] = &[
    "operation",
    "span text",
    "span integer",
    "span double",
    "span boolean",
    "resource",
    "scope",
    "event",
    "absent",
    "two tags",
    "min duration",
    "max duration",
    "both durations",
    "late start",
    "early end",
    "narrow time",
];

#[test]
fn a_hundred_searches_find_what_jaeger_finds() {
    let Some(binary) = peer::binary() else {
        println!("skipped: jaeger");
        return;
    };
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    println!("SEED={seed}");
    let random = SeededRandom::new(seed);
    let body = request(&random).to_string();
    let ours = MemorySpans::default();
    ours.push(&Tenant::default(), &decode_traces(body.as_bytes(), Format::Json).expect("own OTLP").batch);
    let jaeger = Peer::start(&binary);
    jaeger.post_traces(&body);
    jaeger.wait_for(|| {
        let all = SERVICES.iter().map(|service| jaeger.find(&anything(service)));
        all.zip(SERVICES).all(|(theirs, service)| theirs == find(&ours, &anything(service)))
    });
    let mut hits = 0;
    for at in 0..QUERIES {
        let query = deal(&random, at);
        let (found, expected) = (find(&ours, &query), jaeger.find(&query));
        assert_eq!(found, expected, "{query:?}");
        hits += usize::from(!found.is_empty());
    }
    println!("{QUERIES} searches, {hits} with an answer");
    assert!(hits * 2 > QUERIES, "most searches should find something: {hits}");
}

fn find(spans: &MemorySpans, query: &TraceQuery) -> BTreeSet<String> {
    let found = find_traces(spans, &Tenant::default(), query, &Budget::default()).expect("a scan of memory");
    found.traces.iter().flat_map(|trace| &trace.spans).map(|row| row.trace_id.to_string()).collect()
}

fn anything(service: &str) -> TraceQuery {
    TraceQuery {
        service: service.to_owned(),
        start_ns: (START_US - 1_000_000) * 1_000,
        end_ns: (START_US + 2 * i64::try_from(RANGE_US).unwrap_or(0)) * 1_000,
        limit: 2_000,
        ..TraceQuery::default()
    }
}

fn pick<'a, T: ?Sized>(random: &SeededRandom, from: &[&'a T]) -> &'a T {
    from[usize::try_from(random.below(from.len() as u64)).unwrap_or(0)]
}

/// Query `at` has the condition whose turn it is and up to two more.
fn deal(random: &SeededRandom, at: usize) -> TraceQuery {
    let mut query = anything(pick(random, SERVICES));
    add(random, CONDITIONS[at % CONDITIONS.len()], &mut query);
    for _ in 0..random.below(3) {
        add(random, pick(random, CONDITIONS), &mut query);
    }
    // Jaeger refuses a range that ends before it starts.
    query.end_ns = query.end_ns.max(query.start_ns);
    if query.duration_max_ns > 0 {
        query.duration_max_ns = query.duration_max_ns.max(query.duration_min_ns);
    }
    query
}

fn add(random: &SeededRandom, condition: &str, query: &mut TraceQuery) {
    let below = |bound: u64| i64::try_from(random.below(bound)).unwrap_or(0);
    let mut tag = |key: &str, value: String| {
        query.tags.retain(|(known, _)| known != key);
        query.tags.push((key.to_owned(), value));
    };
    match condition {
        "span text" => tag("text", pick(random, &["a", "b c", "ü\"%"]).to_owned()),
        "span integer" => tag("integer", (below(4) - 1).to_string()),
        "span double" => tag("double", pick(random, &["0.5", "-1.25", "3"]).to_owned()),
        "span boolean" => tag("boolean", pick(random, &["true", "false"]).to_owned()),
        "resource" => tag("region", pick(random, &["eu", "us"]).to_owned()),
        "scope" => tag("language", pick(random, &["go", "rust"]).to_owned()),
        "event" => tag("exception.type", pick(random, &["io", "timeout"]).to_owned()),
        "absent" => tag("nowhere", "x".to_owned()),
        "two tags" => {
            tag("integer", below(2).to_string());
            tag("region", pick(random, &["eu", "us"]).to_owned());
        }
        "operation" => pick(random, OPERATIONS).clone_into(&mut query.operation),
        "min duration" => query.duration_min_ns = below(20) * 500_000,
        "max duration" => query.duration_max_ns = (1 + below(20)) * 500_000,
        "both durations" => {
            query.duration_min_ns = below(10) * 500_000;
            query.duration_max_ns = query.duration_min_ns + below(10) * 500_000;
        }
        "late start" => query.start_ns = (START_US + below(RANGE_US)) * 1_000,
        "early end" => query.end_ns = (START_US + below(RANGE_US)) * 1_000,
        _ => {
            query.start_ns = (START_US + below(RANGE_US)) * 1_000;
            query.end_ns = query.start_ns + below(RANGE_US / 2) * 1_000;
        }
    }
}

/// An export request with all traces, one resource per span.
fn request(random: &SeededRandom) -> Value {
    let mut resources = Vec::new();
    for trace in 1..=TRACES {
        let first = START_US + i64::try_from(random.below(RANGE_US)).unwrap_or(0);
        for span in 1..=1 + random.below(5) {
            resources.push(resource_spans(random, trace, span, first));
        }
    }
    json!({ "resourceSpans": resources })
}

fn resource_spans(random: &SeededRandom, trace: u64, span: u64, first_us: i64) -> Value {
    let below = |bound: u64| i64::try_from(random.below(bound)).unwrap_or(0);
    let text =
        |key: &str, from: &[&str]| json!({ "key": key, "value": { "stringValue": pick(random, from) } });
    let some = |attrs: Vec<Value>| attrs.into_iter().filter(|_| random.below(3) > 0).collect::<Vec<_>>();
    let start_ns = (first_us + below(1_000)) * 1_000;
    let mut resource = some(vec![text("region", &["eu", "us"])]);
    resource.push(text("service.name", SERVICES));
    let double = [0.5, -1.25, 3.0][usize::try_from(below(3)).unwrap_or(0)];
    let attributes = some(vec![
        text("text", &["a", "b c", "ü\"%"]),
        json!({ "key": "integer", "value": { "intValue": (below(4) - 1).to_string() } }),
        json!({ "key": "double", "value": { "doubleValue": double } }),
        json!({ "key": "boolean", "value": { "boolValue": below(2) == 0 } }),
    ]);
    let events: Vec<Value> = (0..below(3))
        .map(|_| {
            json!({
                "timeUnixNano": start_ns.to_string(), "name": "exception",
                "attributes": some(vec![text("exception.type", &["io", "timeout"])]),
            })
        })
        .collect();
    let mut row = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{:016x}", trace << 8 | span),
        "name": pick(random, OPERATIONS), "kind": below(6),
        "startTimeUnixNano": start_ns.to_string(), "endTimeUnixNano": (start_ns + below(20) * 500_000).to_string(),
        "attributes": attributes, "events": events, "status": {},
    });
    if span > 1 {
        row["parentSpanId"] = json!(format!("{:016x}", trace << 8 | 1));
    }
    let scope = json!({ "name": "library", "attributes": some(vec![text("language", &["go", "rust"])]) });
    json!({ "resource": { "attributes": resource }, "scopeSpans": [{ "scope": scope, "spans": [row] }] })
}
