//! Measures what decoding Loki pushes costs: MB of lines per CPU-second, whole and by parts.
//!
//! `cargo run --release -p wire --example push_bench -- [repeats] [part]` prints the best of so many repeats, of all parts or
//! of those whose names begin so. The data is seeded: bodies of about a megabyte with three streams of each of five kinds of
//! programs.
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use bytes::Bytes;
use std::fmt::Write as _;
use std::hint::black_box;
use wire::compress;
use wire::limits::BODY_BYTES_MAX;
use wire::loki::{decode_push_protobuf, level_of_line};
use wire::proto::{Value, put_field};

const BODIES: usize = 16;
const STREAMS_PER_MIX: usize = 3;
const STREAM_BYTES: usize = 66_000;
const RUN_BYTES: usize = 150_000_000;
/// One line in so many carries structured metadata.
const METADATA_EVERY: u64 = 20;

type Error = Box<dyn std::error::Error>;
type Made = Result<String, std::fmt::Error>;
type Mix = (&'static str, fn(&mut Rng) -> Made);
const MIXES: [Mix; 5] =
    [("json", json), ("logfmt", logfmt), ("nginx", nginx), ("java", java), ("kubernetes", kubernetes)];

const LEVELS: [&str; 6] = ["info", "info", "info", "debug", "warn", "error"];
const SERVICES: [&str; 4] = ["cart", "checkout", "payments", "search"];
const VERBS: [&str; 6] = ["accepted", "rejected", "stored", "evicted", "scheduled", "dropped"];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "curl/8.11.0",
    "kube-probe/1.36",
];

/// `SplitMix64`, by Steele, Lea and Flood.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap_or(0)]
    }

    fn trace_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}

fn json(rng: &mut Rng) -> Made {
    let (level, service, verb) = (rng.pick(&LEVELS), rng.pick(&SERVICES), rng.pick(&VERBS));
    let mut out = String::new();
    write!(out, r#"{{"ts":"2026-01-01T00:00:{:02}.123Z","level":"{level}""#, rng.below(60))?;
    write!(out, r#","logger":"com.shop.{service}","msg":"order {verb}","request_id":"{:016x}""#, rng.next())?;
    write!(out, r#","http":{{"method":"GET","path":"/api/v1/{}","status":200}}"#, rng.below(50_000))?;
    write!(out, r#","duration_ms":{}.{:03}"#, rng.below(2_000), rng.below(1_000))?;
    write!(out, r#","caller":"{service}/handler.go:{}","trace_id":"{}"}}"#, rng.below(300), rng.trace_id())?;
    Ok(out)
}

fn logfmt(rng: &mut Rng) -> Made {
    let (level, service, verb) = (rng.pick(&LEVELS), rng.pick(&SERVICES), rng.pick(&VERBS));
    let mut out = format!("ts=2026-01-01T00:00:{:02}.123456Z level={level}", rng.below(60));
    write!(out, " component={service} msg=\"order {verb}\" tenant=tenant-{}", rng.below(500))?;
    match rng.below(4) {
        0 => write!(out, " shard={} err=\"\" trace_id={}", rng.below(64), rng.trace_id())?,
        _ => write!(out, " id={:016x} bytes={} took={}ms", rng.next(), rng.below(99_999), rng.below(900))?,
    }
    Ok(out)
}

fn nginx(rng: &mut Rng) -> Made {
    let mut out = format!("10.0.{}.{} - - [01/Jan/2026:00:00:00 +0000]", rng.below(256), rng.below(256));
    let (service, verb) = (rng.pick(&SERVICES), rng.pick(&VERBS));
    match rng.below(3) {
        0 => write!(out, " \"GET /search?q={service}+{verb}&page={} HTTP/1.1\" 200", rng.below(20))?,
        _ => write!(out, " \"GET /api/v1/{service}/{} HTTP/1.1\" 200", rng.below(50_000))?,
    }
    write!(out, " {} \"-\" \"{}\" 0.{:03}", rng.below(200_000), rng.pick(&AGENTS), rng.below(1_000))?;
    Ok(out)
}

fn java(rng: &mut Rng) -> Made {
    let (service, verb, thread) = (rng.pick(&SERVICES), rng.pick(&VERBS), rng.below(50));
    let fails = rng.below(3) == 0;
    let level = if fails { "ERROR" } else { rng.pick(&["INFO ", "DEBUG", "WARN "]) };
    let mut out = format!("2026-01-01 00:00:00,123 {level} [http-nio-8080-exec-{thread}]");
    write!(out, " c.s.{service}.OrderService - order {} {verb} in {} ms", rng.next() >> 44, rng.below(900))?;
    for _ in 0..if fails { 12 + rng.below(20) } else { 0 } {
        let class = rng.pick(&["CartController", "RetryTemplate", "ApplicationFilterChain"]);
        write!(out, "\n\tat com.shop.orders.{class}.invoke({class}.java:{})", rng.below(420))?;
    }
    Ok(out)
}

fn kubernetes(rng: &mut Rng) -> Made {
    let (service, verb) = (rng.pick(&SERVICES), rng.pick(&["GET", "LIST", "PATCH"]));
    let (mut out, pod) = (format!("I0101 00:00:00.{:06}       1 ", rng.below(1_000_000)), rng.next() >> 28);
    match rng.below(2) {
        0 => write!(
            out,
            "scheduler.go:314] \"Successfully bound pod to node\" pod=\"prod/{service}-{pod:09x}\""
        )?,
        _ => {
            write!(out, "httplog.go:134] \"HTTP\" verb=\"{verb}\" URI=\"/api/v1/pods/{service}-{pod:09x}\"")?;
        }
    }
    write!(out, " node=\"node-{}\" latency=\"{}ms\" resp=200", rng.below(50), rng.below(500))?;
    Ok(out)
}

/// Appends a stream, and its lines to `lines`.
fn stream(
    rng: &mut Rng,
    (name, make): Mix,
    body: &mut Vec<u8>,
    lines: &mut Vec<String>,
) -> Result<(), Error> {
    let (mut message, mut bytes) = (Vec::new(), 0);
    let labels = format!(r#"{{app="{name}", namespace="shop", pod="{name}-{:05x}"}}"#, rng.below(1 << 20));
    put_field(&mut message, 1, Value::Bytes(labels.as_bytes()));
    while bytes < STREAM_BYTES {
        let (line, mut time, mut record) = (make(rng)?, Vec::new(), Vec::new());
        put_field(&mut time, 1, Value::Varint(1_767_225_600));
        put_field(&mut time, 2, Value::Varint(rng.below(1_000_000_000)));
        put_field(&mut record, 1, Value::Bytes(&time));
        put_field(&mut record, 2, Value::Bytes(line.as_bytes()));
        if rng.below(METADATA_EVERY) == 0 {
            let mut pair = Vec::new();
            put_field(&mut pair, 1, Value::Bytes(b"trace_id"));
            put_field(&mut pair, 2, Value::Bytes(rng.trace_id().as_bytes()));
            put_field(&mut record, 3, Value::Bytes(&pair));
        }
        put_field(&mut message, 2, Value::Bytes(&record));
        bytes += line.len();
        lines.push(line);
    }
    put_field(body, 1, Value::Bytes(&message));
    Ok(())
}

/// CPU seconds this process used.
#[expect(clippy::disallowed_methods, reason = "the kernel's account is read, no data")]
fn cpu_s() -> Result<f64, Error> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(stat.split(' ').next().unwrap_or("0").parse::<f64>()? / 1e9)
}

/// Prints the best of `repeats` runs of `work` over `bytes` of lines, each run long against the kernel's clock tick.
fn measure(what: &str, bytes: usize, repeats: usize, mut work: impl FnMut()) -> Result<(), Error> {
    if std::env::args().nth(2).is_some_and(|part| !what.starts_with(&part)) {
        return Ok(());
    }
    let rounds = RUN_BYTES / bytes + 1;
    let mut best_s = f64::INFINITY;
    for _ in 0..repeats {
        let start_s = cpu_s()?;
        (0..rounds).for_each(|_| work());
        best_s = best_s.min(cpu_s()? - start_s);
    }
    println!("{what:<20} {:>6.0} MB/CPU-s", (bytes * rounds) as f64 / 1e6 / best_s);
    Ok(())
}

fn main() -> Result<(), Error> {
    let repeats = std::env::args().nth(1).map_or(Ok(7), |text| text.parse())?;
    let mut rng = Rng(7);
    let (mut bodies, mut lines) = (Vec::new(), vec![Vec::new(); MIXES.len()]);
    for _ in 0..BODIES {
        let mut plain = Vec::new();
        for (mix, lines) in MIXES.iter().zip(&mut lines) {
            (0..STREAMS_PER_MIX).try_for_each(|_| stream(&mut rng, *mix, &mut plain, lines))?;
        }
        bodies.push(Bytes::from(snap::raw::Encoder::new().compress_vec(&plain)?));
    }
    let bytes_of = |lines: &[String]| lines.iter().map(String::len).sum::<usize>();
    let all = lines.iter().map(|lines| bytes_of(lines)).sum();
    let each = |work: &dyn Fn(&Bytes)| bodies.iter().for_each(work);
    measure("decode", all, repeats, || each(&|body| drop(black_box(decode_push_protobuf(body)))))?;
    measure("snappy alone", all, repeats, || {
        each(&|body| drop(black_box(compress::snappy(body, BODY_BYTES_MAX))));
    })?;
    for ((name, _), lines) in MIXES.iter().zip(&lines) {
        let work = || lines.iter().for_each(|line| _ = black_box(level_of_line(line.as_bytes())));
        measure(&format!("level of {name}"), bytes_of(lines), repeats, work)?;
    }
    Ok(())
}
