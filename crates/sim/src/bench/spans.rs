//! OTLP traces of 20 services: spans with 14 attributes in requests of some 800, by resource, as a collector sends them.

use super::bodies::{self, LaneWriter, Load};
use super::random::Rng;
use super::{Plan, Result, Signal};
use std::fmt::Write as _;
use std::path::Path;
use wire::proto::{Value, put_field};

/// Spans at scale 1.
const SPANS: f64 = 1e6;
/// A request goes when it has this many spans.
const REQUEST_SPANS: usize = 800;
/// The traces began in the last ten minutes.
const SPAN_NS: i64 = 600 * 1_000_000_000;
/// Instances of each service.
const PODS: usize = 2;
/// Routes of each service.
const OPERATIONS: u64 = 12;
/// One trace in so many is asked for afterwards.
const PROBE_EVERY: u64 = 1_000;

const SERVICES: &[&str] = &[
    "frontend",
    "gateway",
    "catalogue",
    "cart",
    "checkout",
    "orders",
    "payments",
    "fraud-check",
    "inventory",
    "shipping",
    "users",
    "sessions",
    "search",
    "recommendations",
    "reviews",
    "pricing",
    "notifications",
    "email",
    "ledger",
    "audit",
];
const METHODS: &[&str] = &["GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "LIST"];
const STATUSES: &[u64] = &[200, 200, 200, 200, 201, 204, 304, 400, 404, 500, 503];

/// How an attribute's value is made of its number.
#[derive(Clone, Copy)]
enum Form {
    Int,
    Prefixed(&'static str),
    Hex,
    Address,
}

/// Key, how many distinct values, whether small numbers are likelier, how it is written. With method, route and status
/// they are 14.
const ATTRIBUTES: &[(&str, u64, bool, Form)] = &[
    ("server.address", 20, false, Form::Prefixed("shop-")),
    ("url.path", 10_000, true, Form::Prefixed("/api/v1/items/")),
    ("user.id", 100_000, false, Form::Prefixed("user-")),
    ("session.id", 100_000, false, Form::Hex),
    ("client.address", 10_000, false, Form::Address),
    ("client.port", 28_000, false, Form::Int),
    ("customer.tier", 10, true, Form::Prefixed("tier-")),
    ("db.query.summary", 1_000, true, Form::Prefixed("SELECT shop.table_")),
    ("thread.id", 100, false, Form::Int),
    ("http.response.body.size", 100_000, true, Form::Int),
    ("feature.flags", 100, true, Form::Hex),
];

/// Makes the data set; its last trace begins just before `plan.end_ns`.
pub(super) fn make(plan: &Plan, folder: &Path) -> Result<Load> {
    let spans = plan.scaled(SPANS / super::LANES_F).max(1);
    bodies::make(folder, Signal::Spans, |lane, out| fill(plan, lane, spans, out))
}

fn fill(plan: &Plan, lane: u64, spans: u64, out: &mut LaneWriter) -> Result<()> {
    let rng = Rng::new(plan.seed, lane);
    // A trace has 11.5 spans in the middle.
    let gap_ns = u64::try_from(SPAN_NS)? * 23 / (2 * spans);
    let mut at_ns = plan.end_ns - SPAN_NS;
    let mut request = Request::default();
    let mut body = Vec::new();
    for trace in 0_u64.. {
        at_ns = (at_ns + i64::try_from(rng.below(2 * gap_ns))?).min(plan.end_ns);
        let count = usize::try_from((2 + rng.below(20)).min(spans - out.made.records))?;
        let id = write_trace(&rng, at_ns, count, &mut request);
        out.made.records += count as u64;
        if trace % PROBE_EVERY == 0 {
            out.made.probes.push((id, count));
        }
        let last = out.made.records == spans;
        if request.spans >= REQUEST_SPANS || last {
            request.take(&mut body);
            out.push(&body)?;
        }
        if last {
            break;
        }
    }
    out.made.units = out.made.records;
    (out.made.start_ns, out.made.end_ns) = (plan.end_ns - SPAN_NS, plan.end_ns);
    Ok(())
}

/// Encoded spans, by service and pod.
#[derive(Default)]
struct Request {
    by_resource: Vec<Vec<u8>>,
    spans: usize,
}

impl Request {
    fn push(&mut self, resource: usize, span: &[u8]) {
        if self.by_resource.len() <= resource {
            self.by_resource.resize_with(resource + 1, Vec::new);
        }
        put_field(&mut self.by_resource[resource], 2, Value::Bytes(span));
        self.spans += 1;
    }

    /// Writes the request to `body` and starts the next.
    fn take(&mut self, body: &mut Vec<u8>) {
        body.clear();
        for (number, spans) in self.by_resource.iter_mut().enumerate().filter(|(_, spans)| !spans.is_empty())
        {
            let mut name = Vec::new();
            put_field(&mut name, 1, Value::Bytes(b"io.opentelemetry.http"));
            put_field(&mut name, 2, Value::Bytes(b"2.11.0"));
            let mut scope = Vec::new();
            put_field(&mut scope, 1, Value::Bytes(&name));
            scope.append(spans);
            let mut message = Vec::new();
            put_field(&mut message, 1, Value::Bytes(&resource(number)));
            put_field(&mut message, 2, Value::Bytes(&scope));
            put_field(body, 1, Value::Bytes(&message));
        }
        self.spans = 0;
    }
}

fn resource(number: usize) -> Vec<u8> {
    let service = SERVICES[number / PODS];
    let mut out = Vec::new();
    for (key, value) in [
        ("service.name", service),
        ("service.namespace", "shop"),
        ("service.version", "1.4.2"),
        ("service.instance.id", &format!("{service}-{number}")),
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", &format!("{service}-7d9c5b-{:05x}", (number + 1) * 0x1_2f1b % 0xf_ffff)),
        ("k8s.node.name", &format!("node-{}", number % 4)),
        ("telemetry.sdk.language", "java"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.version", "1.44.1"),
    ] {
        put_field(&mut out, 1, Value::Bytes(&text_attribute(key, value)));
    }
    out
}

fn text_attribute(key: &str, text: &str) -> Vec<u8> {
    attribute(key, |value| put_field(value, 1, Value::Bytes(text.as_bytes())))
}

fn int_attribute(key: &str, number: u64) -> Vec<u8> {
    attribute(key, |value| put_field(value, 3, Value::Varint(number)))
}

/// A `KeyValue`.
fn attribute(key: &str, put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (mut value, mut out) = (Vec::new(), Vec::new());
    put(&mut value);
    put_field(&mut out, 1, Value::Bytes(key.as_bytes()));
    put_field(&mut out, 2, Value::Bytes(&value));
    out
}

/// A span that later ones of its trace may have as parent.
struct Parent {
    id: u64,
    service: usize,
    start_ns: i64,
    duration_ns: i64,
}

/// Appends a trace of `count` spans; returns its id as hexadecimal digits.
fn write_trace(rng: &Rng, at_ns: i64, count: usize, request: &mut Request) -> String {
    let id = [rng.next_u64().to_be_bytes(), rng.next_u64().to_be_bytes()].concat();
    let mut spans: Vec<Parent> = Vec::with_capacity(count);
    for number in 0..count {
        let parent = spans.get(usize::try_from(rng.below(number as u64)).unwrap_or(0));
        let service = match parent {
            None => usize::try_from(rng.below(2)).unwrap_or(0),
            Some(parent) => (parent.service + usize::try_from(rng.skewed(5)).unwrap_or(0)) % SERVICES.len(),
        };
        let (from_ns, room_ns) = parent.map_or((at_ns, 2_000_000 + rng.skewed(800_000_000)), |parent| {
            (parent.start_ns, parent.duration_ns.unsigned_abs())
        });
        let start_ns = from_ns + i64::try_from(rng.below(room_ns / 4 + 1)).unwrap_or(0);
        let duration_ns = i64::try_from(room_ns / 4 + rng.below(room_ns / 2 + 1)).unwrap_or(0);
        let span = Parent { id: rng.next_u64(), service, start_ns, duration_ns };
        let message = encode(rng, &id, &span, parent);
        request.push(service * PODS + usize::try_from(rng.below(PODS as u64)).unwrap_or(0), &message);
        spans.push(span);
    }
    id.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn encode(rng: &Rng, trace_id: &[u8], span: &Parent, parent: Option<&Parent>) -> Vec<u8> {
    let mut out = Vec::with_capacity(768);
    // A route has one method, so a service has OPERATIONS span names.
    let operation = rng.skewed(OPERATIONS);
    let method = METHODS[(usize::try_from(operation).unwrap_or(0) + span.service) % METHODS.len()];
    let route = format!("/api/v1/{}/{operation}/{{id}}", SERVICES[span.service]);
    let status = STATUSES[usize::try_from(rng.below(STATUSES.len() as u64)).unwrap_or(0)];
    // Internal, server or client.
    let kind = if parent.is_none() { 2 } else { 1 + rng.below(3) };
    put_field(&mut out, 1, Value::Bytes(trace_id));
    put_field(&mut out, 2, Value::Bytes(&span.id.to_be_bytes()));
    if let Some(parent) = parent {
        put_field(&mut out, 4, Value::Bytes(&parent.id.to_be_bytes()));
    }
    put_field(&mut out, 5, Value::Bytes(format!("{method} {route}").as_bytes()));
    put_field(&mut out, 6, Value::Varint(kind));
    put_field(&mut out, 7, Value::Fixed64(span.start_ns.cast_unsigned()));
    put_field(&mut out, 8, Value::Fixed64((span.start_ns + span.duration_ns).cast_unsigned()));
    put_field(&mut out, 9, Value::Bytes(&text_attribute("http.request.method", method)));
    put_field(&mut out, 9, Value::Bytes(&text_attribute("http.route", &route)));
    put_field(&mut out, 9, Value::Bytes(&int_attribute("http.response.status_code", status)));
    for (key, distinct, skewed, form) in ATTRIBUTES {
        let number = if *skewed { rng.skewed(*distinct) } else { rng.below(*distinct) };
        let attribute = match form {
            Form::Int => int_attribute(key, number),
            Form::Prefixed(prefix) => text_attribute(key, &format!("{prefix}{number}")),
            Form::Hex => text_attribute(key, &format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            Form::Address => text_attribute(key, &format!("10.8.{}.{}", number / 250, number % 250 + 1)),
        };
        put_field(&mut out, 9, Value::Bytes(&attribute));
    }
    if status >= 500 {
        let mut code = Vec::new();
        put_field(&mut code, 3, Value::Varint(2));
        put_field(&mut out, 15, Value::Bytes(&code));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bodies::LaneReader;
    use std::collections::BTreeMap;

    #[test]
    fn bodies_are_otlp_spans_with_fourteen_attributes() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { scale: 0.004, ..Plan::default() };
        let load = make(&plan, folder.path()).unwrap();
        let mut traces: BTreeMap<String, usize> = BTreeMap::new();
        for lane in &load.lanes {
            for body in LaneReader::open(lane).unwrap() {
                let decoded =
                    wire::otlp::decode_traces(&body.unwrap(), wire::otlp::Format::Protobuf).unwrap();
                assert_eq!(decoded.rejected, 0);
                for span in decoded.batch.iter() {
                    assert_eq!(span.attrs().count(), 14);
                    *traces.entry(span.row.trace_id.to_string()).or_default() += 1;
                }
            }
        }
        assert_eq!((traces.values().sum::<usize>() as u64, load.made.records), (4_000, 4_000));
        for (id, spans) in &load.made.probes {
            assert_eq!(traces.get(id), Some(spans), "{id}");
        }
    }
}
