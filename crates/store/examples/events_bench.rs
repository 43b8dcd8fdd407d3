//! Measures what logs and spans cost: bytes on disk after merges against `zstd -19 --long=27` of the request bodies, and
//! bytes or spans per CPU-second, write, flush and merge included.
//!
//! `cargo run --release -p store --example events_bench -- [MiB per log mix] [thousand spans]`; `--no-baseline` leaves zstd
//! out. The data is seeded: five
//! mixes of lines (JSON, logfmt, nginx, Java stack traces, Kubernetes) and spans with 14 attributes.
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use model::attr::ValueRef;
use model::span::{Resource, Scope};
use model::{Labels, LogBatch, SpanBatch, SpanId, SpanKind, SpanRow, StatusCode, Tenant, TraceId};
use platform::metrics::Registry;
use platform::{Random, RealClock, RealDisk, SeededRandom};
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use store::{Store, StoreOptions, Threads};

const T0_NS: i64 = 1_767_225_600_000_000_000;
const LINES_PER_REQUEST: usize = 500;
const SPANS_PER_REQUEST: usize = 500;
/// Makes a line of a time.
type Make = fn(&Rng, i64) -> String;
const MIXES: [(&str, Make); 5] =
    [("json", json), ("logfmt", logfmt), ("nginx", nginx), ("java", java), ("kubernetes", kubernetes)];

type Error = Box<dyn std::error::Error>;

struct Rng(SeededRandom);

impl Rng {
    fn below(&self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// Small numbers are likelier.
    fn skewed(&self, bound: u64) -> u64 {
        self.below(self.below(bound) + 1)
    }

    fn pick<'a>(&self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap_or(0)]
    }

    fn hex(&self, digits: usize) -> String {
        format!("{:016x}{:016x}", self.0.next_u64(), self.0.next_u64())[..digits].to_owned()
    }
}

const SERVICES: [&str; 8] =
    ["cart", "checkout", "payments", "catalog", "search", "users", "shipping", "gateway"];
const LEVELS: [&str; 6] = ["info", "info", "info", "debug", "warn", "error"];
const VERBS: [&str; 12] = [
    "accepted",
    "rejected",
    "stored",
    "loaded",
    "evicted",
    "retried",
    "opened",
    "closed",
    "scheduled",
    "finished",
    "queued",
    "dropped",
];
const NOUNS: [&str; 14] = [
    "order",
    "cart item",
    "payment",
    "session",
    "cache entry",
    "connection",
    "job",
    "message",
    "invoice",
    "shipment",
    "lease",
    "token",
    "upload",
    "snapshot",
];

fn clock(ns: i64) -> String {
    let ms = (ns - T0_NS) / 1_000_000;
    let (s, m, h) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000 % 24);
    format!("{h:02}:{m:02}:{s:02}.{:03}", ms % 1000)
}

fn json(rng: &Rng, ns: i64) -> String {
    format!(
        r#"{{"ts":"2026-01-01T{}Z","level":"{}","caller":"{}/handler.go:{}","msg":"{} {}","user_id":{},"request_id":"{}","duration_ms":{}.{:03},"status":{}}}"#,
        clock(ns),
        rng.pick(&LEVELS),
        rng.pick(&SERVICES),
        rng.below(400),
        rng.pick(&NOUNS),
        rng.pick(&VERBS),
        rng.skewed(100_000),
        rng.hex(16),
        rng.skewed(2000),
        rng.below(1000),
        [200, 200, 200, 201, 404, 500][usize::try_from(rng.below(6)).unwrap_or(0)],
    )
}

fn logfmt(rng: &Rng, ns: i64) -> String {
    format!(
        "ts=2026-01-01T{}Z level={} component={} msg=\"{} {}\" tenant=tenant-{} trace_id={} took={}ms bytes={}",
        clock(ns),
        rng.pick(&LEVELS),
        rng.pick(&SERVICES),
        rng.pick(&NOUNS),
        rng.pick(&VERBS),
        rng.skewed(500),
        rng.hex(32),
        rng.skewed(5000),
        rng.skewed(1_000_000),
    )
}

fn nginx(rng: &Rng, ns: i64) -> String {
    let path = match rng.below(4) {
        0 => format!("/api/v1/{}/{}", rng.pick(&SERVICES), rng.skewed(50_000)),
        1 => format!("/static/{}-{}.js", rng.pick(&SERVICES), rng.below(300)),
        2 => format!("/search?q={}+{}&page={}", rng.pick(&NOUNS), rng.pick(&VERBS), rng.below(20)),
        _ => "/healthz".to_owned(),
    };
    format!(
        "10.{}.{}.{} - - [01/Jan/2026:{} +0000] \"{} {path} HTTP/1.1\" {} {} \"-\" \"{}\"",
        rng.below(4),
        rng.below(256),
        rng.below(256),
        &clock(ns)[..8],
        rng.pick(&["GET", "GET", "GET", "POST"]),
        [200, 200, 200, 304, 404, 502][usize::try_from(rng.below(6)).unwrap_or(0)],
        rng.skewed(200_000),
        rng.pick(&[
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile",
            "curl/8.11.0",
            "Go-http-client/2.0",
        ]),
    )
}

fn java(rng: &Rng, ns: i64) -> String {
    let mut line = format!(
        "2026-01-01 {} ERROR [http-nio-8080-exec-{}] c.s.{}.OrderService - failed to process order {}\n",
        clock(ns),
        rng.below(50),
        rng.pick(&SERVICES),
        rng.skewed(1_000_000),
    );
    let _ = write!(
        line,
        "java.lang.{}: timeout after {} ms",
        rng.pick(&["IllegalStateException", "RuntimeException"]),
        rng.below(30_000)
    );
    for depth in 0..6 + rng.below(20) {
        let class =
            rng.pick(&["OrderService", "CartController", "PaymentClient", "RetryTemplate", "FilterChain"]);
        let method = rng.pick(&["process", "invoke", "doFilter", "execute", "call", "handle"]);
        let _ = write!(
            line,
            "\n\tat com.shop.{}.{class}.{method}({class}.java:{})",
            rng.pick(&SERVICES),
            20 + depth * 7
        );
    }
    line
}

fn kubernetes(rng: &Rng, ns: i64) -> String {
    match rng.below(4) {
        0 => format!(
            "I0101 {} 1 reconciler.go:{}] \"Volume mounted\" pod=\"{}/{}-{}\" volume=\"kube-api-access-{}\"",
            clock(ns),
            rng.below(400),
            rng.pick(&["prod", "staging"]),
            rng.pick(&SERVICES),
            rng.hex(10),
            rng.hex(5)
        ),
        1 => format!(
            "E0101 {} 1 pod_workers.go:{}] Error syncing pod {}-{}-{}-{}-{}: back-off {}s restarting failed container={}",
            clock(ns),
            rng.below(400),
            rng.hex(8),
            rng.hex(4),
            rng.hex(4),
            rng.hex(4),
            rng.hex(12),
            rng.below(300),
            rng.pick(&SERVICES)
        ),
        2 => format!(
            "W0101 {} 1 reflector.go:{}] watch of *v1.{} ended with: too old resource version: {} ({})",
            clock(ns),
            rng.below(500),
            rng.pick(&["Pod", "Service", "Node", "ConfigMap"]),
            rng.below(90_000_000),
            rng.below(90_000_000)
        ),
        _ => format!(
            "I0101 {} 1 httplog.go:{}] \"HTTP\" verb=\"{}\" URI=\"/api/v1/namespaces/{}/pods/{}-{}\" latency=\"{}.{:06}ms\" resp={}",
            clock(ns),
            rng.below(200),
            rng.pick(&["GET", "LIST", "PATCH"]),
            rng.pick(&["prod", "staging"]),
            rng.pick(&SERVICES),
            rng.hex(10),
            rng.skewed(500),
            rng.below(1_000_000),
            200
        ),
    }
}

/// Protobuf's wire format, as far as the bodies need it.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn bytes_field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint_field(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn fixed_field(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A Loki push request: streams with label text and entries of timestamp and line.
fn push_body(batch: &LogBatch) -> Vec<u8> {
    let mut body = Vec::new();
    for stream in &batch.streams {
        let mut message = Vec::new();
        bytes_field(&mut message, 1, stream.labels.to_string().as_bytes());
        for entry in batch.entries(stream) {
            let mut time = Vec::new();
            varint_field(&mut time, 1, u64::try_from(entry.ts_ns / 1_000_000_000).unwrap_or(0));
            varint_field(&mut time, 2, u64::try_from(entry.ts_ns % 1_000_000_000).unwrap_or(0));
            let mut record = Vec::new();
            bytes_field(&mut record, 1, &time);
            bytes_field(&mut record, 2, batch.line(entry).as_bytes());
            bytes_field(&mut message, 2, &record);
        }
        bytes_field(&mut body, 1, &message);
    }
    body
}

fn key_value(key: &str, value: ValueRef<'_>) -> Vec<u8> {
    let mut any = Vec::new();
    match value {
        ValueRef::Str(text) => bytes_field(&mut any, 1, text.as_bytes()),
        ValueRef::Int(number) => varint_field(&mut any, 3, number.cast_unsigned()),
        ValueRef::Bool(value) => varint_field(&mut any, 2, value.into()),
        _ => {}
    }
    let mut out = Vec::new();
    bytes_field(&mut out, 1, key.as_bytes());
    bytes_field(&mut out, 2, &any);
    out
}

/// An OTLP trace request with one resource after the other.
fn trace_body(batch: &SpanBatch) -> Vec<u8> {
    let mut body = Vec::new();
    for (resource, number) in batch.resources.iter().zip(0..) {
        let mut spans = Vec::new();
        for span in batch.iter().filter(|span| span.row.resource == number) {
            let mut message = Vec::new();
            bytes_field(&mut message, 1, &span.row.trace_id.0);
            bytes_field(&mut message, 2, &span.row.span_id.0);
            if !span.row.parent_id.is_none() {
                bytes_field(&mut message, 4, &span.row.parent_id.0);
            }
            bytes_field(&mut message, 5, span.name().as_bytes());
            varint_field(&mut message, 6, span.row.kind as u64);
            fixed_field(&mut message, 7, span.row.start_ns.cast_unsigned());
            fixed_field(&mut message, 8, span.end_ns().cast_unsigned());
            span.attrs().for_each(|(key, value)| bytes_field(&mut message, 9, &key_value(key, value)));
            bytes_field(&mut spans, 2, &message);
        }
        let mut attrs = Vec::new();
        batch
            .attrs(&resource.attrs)
            .for_each(|(key, value)| bytes_field(&mut attrs, 1, &key_value(key, value)));
        let mut message = Vec::new();
        bytes_field(&mut message, 1, &attrs);
        bytes_field(&mut message, 2, &spans);
        bytes_field(&mut body, 1, &message);
    }
    body
}

/// CPU seconds this process used.
#[expect(clippy::disallowed_methods, reason = "the kernel's account is read, no data")]
fn cpu_s() -> Result<f64, Error> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(stat.split(' ').next().unwrap_or("0").parse::<f64>()? / 1e9)
}

fn baseline(bodies: &[u8]) -> Result<usize, Error> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 19)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(27)?;
    encoder.write_all(bodies)?;
    Ok(encoder.finish()?.len())
}

fn now<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err("the store has no threads, so every answer is ready".into()),
    }
}

fn open(dir: &std::path::Path) -> Result<Store, Error> {
    let options = StoreOptions { threads: Threads::None, disk_reserve_bytes: 0, ..StoreOptions::default() };
    Ok(Store::open(
        Arc::new(RealDisk::open(dir)?),
        Arc::new(RealClock::default()),
        &Registry::default(),
        options,
    )?)
}

#[expect(clippy::disallowed_methods, reason = "the directory's size is measured")]
fn part_bytes(dir: &std::path::Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { part_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Writes all, flushing as the store asks, then merges; prints the costs.
fn measure<B>(
    name: &str,
    requests: Vec<B>,
    records: usize,
    bodies: &[u8],
    write: impl Fn(&Store, B) -> Result<(), Error>,
) -> Result<(), Error> {
    let dir = tempfile::tempdir()?;
    let store = open(dir.path())?;
    let start_s = cpu_s()?;
    for request in requests {
        write(&store, request)?;
        while store.maintain()? {}
    }
    store.flush()?;
    let flushed_s = cpu_s()?;
    let flushed_bytes = part_bytes(&dir.path().join("parts"))?;
    store.compact()?;
    let merged_s = cpu_s()?;
    let bytes = part_bytes(&dir.path().join("parts"))?;
    let (write_s, compact_s) = (flushed_s - start_s, merged_s - flushed_s);
    // Level 19 takes minutes for what the store takes seconds.
    let zstd_bytes = if std::env::args().any(|arg| arg == "--no-baseline") { 0 } else { baseline(bodies)? };
    println!(
        "{name:11} body {:6.1} MB  zstd19 {:6.2} MB  flushed {:6.2} MB  merged {:6.2} MB = {:.3}x  {:6.2} B/record  \
         write+flush {write_s:.2} s  merge {compact_s:.2} s  {:6.1} MB/CPU-s  {:8.0} records/CPU-s",
        bodies.len() as f64 / 1e6,
        zstd_bytes as f64 / 1e6,
        flushed_bytes as f64 / 1e6,
        bytes as f64 / 1e6,
        bytes as f64 / zstd_bytes as f64,
        bytes as f64 / records as f64,
        bodies.len() as f64 / 1e6 / (write_s + compact_s),
        records as f64 / (write_s + compact_s),
    );
    Ok(())
}

fn logs(rng: &Rng, name: &str, make: Make, bytes: usize) -> (Vec<LogBatch>, usize, Vec<u8>) {
    let (mut requests, mut records, mut bodies, mut ns) = (Vec::new(), 0, Vec::new(), T0_NS);
    while bodies.len() < bytes {
        let mut batch = LogBatch::default();
        for pod in 0..5 {
            let service = rng.pick(&SERVICES);
            batch.push_stream(Labels::from_pairs([
                ("app", service),
                ("mix", name),
                ("pod", &format!("{service}-{pod}")),
            ]));
            for _ in 0..LINES_PER_REQUEST / 5 {
                ns += i64::try_from(rng.below(2_000_000)).unwrap_or(0);
                batch.push_entry(ns, &make(rng, ns), [], Default::default());
                records += 1;
            }
        }
        bodies.extend(push_body(&batch));
        requests.push(batch);
    }
    (requests, records, bodies)
}

/// Attribute values by their number of distinct ones.
const ATTRS: [(&str, u64); 12] = [
    ("http.route", 10),
    ("deployment.ring", 10),
    ("k8s.pod.name", 100),
    ("http.target", 1000),
    ("db.statement.id", 1000),
    ("customer.tier", 10),
    ("feature.flag", 100),
    ("cart.id", 100_000),
    ("user.id", 10_000),
    ("session", 100_000),
    ("peer.address", 10_000),
    ("cache.key", 10_000),
];

fn spans(rng: &Rng, count: usize) -> (Vec<SpanBatch>, Vec<u8>) {
    let (mut requests, mut bodies, mut ns, mut made) = (Vec::new(), Vec::new(), T0_NS, 0);
    while made < count {
        let mut batch = SpanBatch::default();
        for service in SERVICES {
            let attrs = batch
                .push_attrs([("service.name", ValueRef::Str(service)), ("host.name", ValueRef::Str("n1"))]);
            batch.resources.push(Resource { attrs });
        }
        let (name, version) = (batch.text("otel"), batch.text("1.0"));
        batch.scopes.push(Scope { name, version, attrs: 0..0 });
        while batch.spans.len() < SPANS_PER_REQUEST {
            ns += i64::try_from(rng.below(4_000_000)).unwrap_or(0);
            push_trace(rng, &mut batch, ns);
        }
        made += batch.spans.len();
        bodies.extend(trace_body(&batch));
        requests.push(batch);
    }
    (requests, bodies)
}

fn push_trace(rng: &Rng, batch: &mut SpanBatch, start_ns: i64) {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&rng.0.next_u64().to_be_bytes());
    id[8..].copy_from_slice(&rng.0.next_u64().to_be_bytes());
    let mut parents = vec![SpanId::default()];
    for depth in 0..10 {
        let span_id = SpanId(rng.0.next_u64().to_be_bytes());
        let texts: Vec<(&str, String)> = ATTRS
            .iter()
            .map(|(key, distinct)| (*key, format!("{}-{}", &key[..4], rng.below(*distinct) * 7919)))
            .collect();
        let mut attrs: Vec<(&str, ValueRef<'_>)> =
            texts.iter().map(|(key, text)| (*key, ValueRef::Str(text))).collect();
        attrs.push((
            "http.status_code",
            ValueRef::Int([200, 200, 404][usize::try_from(rng.below(3)).unwrap_or(0)]),
        ));
        attrs.push(("http.response_size", ValueRef::Int(i64::try_from(rng.skewed(100_000)).unwrap_or(0))));
        let attrs = batch.push_attrs(attrs);
        let parent = usize::try_from(rng.below(parents.len() as u64)).unwrap_or(0);
        let name = batch.text(rng.pick(&NOUNS));
        batch.spans.push(SpanRow {
            trace_id: TraceId(id),
            span_id,
            parent_id: if depth == 0 { SpanId::default() } else { parents[parent.max(1)] },
            start_ns: start_ns + depth * 100_000 + i64::try_from(rng.below(100_000)).unwrap_or(0),
            duration_ns: i64::try_from(rng.skewed(50_000_000)).unwrap_or(0),
            name,
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            resource: u32::try_from(rng.below(8)).unwrap_or(0),
            attrs,
            ..SpanRow::default()
        });
        parents.push(span_id);
    }
}

fn main() -> Result<(), Error> {
    let mut args =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(|arg| arg.parse::<usize>());
    let mix_bytes = args.next().transpose()?.unwrap_or(20) << 20;
    let span_count = args.next().transpose()?.unwrap_or(200) * 1000;
    let tenant = Tenant::default();
    if mix_bytes > 0 {
        for (name, make) in MIXES {
            let (requests, records, bodies) = logs(&Rng(SeededRandom::new(7)), name, make, mix_bytes);
            measure(name, requests, records, &bodies, |store, batch| {
                now(store.write_logs(&tenant, batch))??;
                Ok(())
            })?;
        }
    }
    let (requests, bodies) = spans(&Rng(SeededRandom::new(9)), span_count);
    let records = requests.iter().map(|batch| batch.spans.len()).sum();
    measure("spans", requests, records, &bodies, |store, batch| {
        now(store.write_spans(&tenant, batch))??;
        Ok(())
    })
}
