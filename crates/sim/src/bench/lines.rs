//! Lines as five kinds of programs write them: JSON, logfmt, nginx, Java with stack traces, Kubernetes.

use super::random::Rng;
use jiff::Timestamp;
use std::fmt::Write as _;

/// A mix: its name, about how long its lines are (bytes), and what writes one.
pub(super) type Mix = (&'static str, u64, fn(&Rng, Timestamp, &mut String) -> std::fmt::Result);

/// The five mixes; each has an equal share of the bytes.
pub(super) const MIXES: &[Mix] = &[
    ("json", 300, json),
    ("logfmt", 190, logfmt),
    ("nginx", 230, nginx),
    ("java", 900, java),
    ("kubernetes", 200, kubernetes),
];

const SERVICES: &[&str] =
    &["cart", "checkout", "payments", "catalogue", "search", "users", "shipping", "gateway"];
const LEVELS: &[&str] = &["info", "info", "info", "info", "debug", "warn", "error"];
const VERBS: &[&str] = &[
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
const NOUNS: &[&str] = &[
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
const METHODS: &[&str] = &["GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"];
const STATUSES: &[&str] = &["200", "200", "200", "200", "201", "204", "304", "400", "404", "500", "502"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "curl/8.11.0",
    "Go-http-client/2.0",
    "kube-probe/1.36",
];

fn json(rng: &Rng, at: Timestamp, out: &mut String) -> std::fmt::Result {
    let (level, service, noun, verb) =
        (rng.pick(LEVELS), rng.pick(SERVICES), rng.pick(NOUNS), rng.pick(VERBS));
    write!(out, r#"{{"ts":"{at:.3}","level":"{level}","logger":"com.shop.{service}","msg":"{noun} {verb}""#)?;
    write!(out, r#","request_id":"{:016x}","user_id":{}"#, rng.next_u64(), rng.skewed(100_000))?;
    match rng.below(3) {
        0 => write!(
            out,
            r#","http":{{"method":"{}","path":"/api/v1/{service}/{}","status":{}}},"duration_ms":{}.{:03}"#,
            rng.pick(METHODS),
            rng.skewed(50_000),
            rng.pick(STATUSES),
            rng.skewed(2_000),
            rng.below(1_000),
        )?,
        1 => write!(
            out,
            r#","attempt":{},"queue":"{service}-events","lag_ms":{},"partition":{}"#,
            rng.skewed(5),
            rng.skewed(30_000),
            rng.below(32)
        )?,
        _ => write!(
            out,
            r#","amount":{}.{:02},"currency":"{}","items":{}"#,
            rng.skewed(500),
            rng.below(100),
            rng.pick(&["EUR", "USD", "GBP"]),
            1 + rng.skewed(9)
        )?,
    }
    write!(
        out,
        r#","caller":"{service}/handler.go:{}","trace_id":"{:016x}{:016x}"}}"#,
        20 + rng.below(40) * 7,
        rng.next_u64(),
        rng.next_u64()
    )
}

fn logfmt(rng: &Rng, at: Timestamp, out: &mut String) -> std::fmt::Result {
    let (level, service) = (rng.pick(LEVELS), rng.pick(SERVICES));
    write!(out, "ts={at:.6} level={level} component={service} ")?;
    match rng.below(4) {
        0 => write!(
            out,
            "msg=\"query finished\" db={service} rows={} took={}.{:03}ms",
            rng.skewed(10_000),
            rng.skewed(900),
            rng.below(1_000)
        ),
        1 => write!(
            out,
            "msg=\"{} {}\" tenant=tenant-{} id={:016x} bytes={}",
            rng.pick(NOUNS),
            rng.pick(VERBS),
            rng.skewed(500),
            rng.next_u64(),
            rng.skewed(1_000_000)
        ),
        2 => write!(
            out,
            "msg=\"request completed\" method={} path=/v1/{service}/{} status={} duration={}ms peer=10.2.{}.{}:{}",
            rng.pick(METHODS),
            rng.skewed(20_000),
            rng.pick(STATUSES),
            rng.skewed(5_000),
            rng.below(8),
            rng.below(256),
            32_768 + rng.below(28_000)
        ),
        _ => write!(
            out,
            "msg=\"compaction step\" shard={} files={} generation={} err=\"{}\" trace_id={:016x}{:016x}",
            rng.below(64),
            rng.skewed(40),
            rng.below(100_000),
            rng.pick(&["", "", "", "context deadline exceeded", "connection reset by peer"]),
            rng.next_u64(),
            rng.next_u64()
        ),
    }
}

fn nginx(rng: &Rng, at: Timestamp, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        "10.{}.{}.{} - - [{}] \"{} ",
        rng.below(4),
        rng.below(256),
        rng.below(256),
        at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        rng.pick(METHODS)
    )?;
    match rng.below(5) {
        0 => write!(out, "/api/v1/{}/{}", rng.pick(SERVICES), rng.skewed(50_000))?,
        1 => write!(out, "/static/{}-{:08x}.js", rng.pick(SERVICES), rng.below(300) * 0x9e_3779)?,
        2 => write!(out, "/search?q={}+{}&page={}", rng.pick(SERVICES), rng.pick(VERBS), rng.skewed(20))?,
        3 => write!(out, "/products/{}", rng.skewed(5_000))?,
        _ => out.push_str("/healthz"),
    }
    write!(
        out,
        " HTTP/1.1\" {} {} \"{}\" \"{}\" {}.{:03}",
        rng.pick(STATUSES),
        rng.skewed(200_000),
        rng.pick(&["-", "-", "https://shop.example/", "https://shop.example/cart"]),
        rng.pick(AGENTS),
        rng.skewed(3),
        rng.below(1_000)
    )
}

fn java(rng: &Rng, at: Timestamp, out: &mut String) -> std::fmt::Result {
    let (service, thread) = (rng.pick(SERVICES), rng.below(50));
    write!(out, "{} ", at.strftime("%Y-%m-%d %H:%M:%S,%3f"))?;
    if rng.below(3) > 0 {
        return write!(
            out,
            "{} [http-nio-8080-exec-{thread}] c.s.{service}.OrderService - {} {} {} in {} ms",
            rng.pick(&["INFO ", "INFO ", "DEBUG", "WARN "]),
            rng.pick(NOUNS),
            rng.skewed(1_000_000),
            rng.pick(VERBS),
            rng.skewed(3_000)
        );
    }
    write!(
        out,
        "ERROR [http-nio-8080-exec-{thread}] c.s.{service}.OrderService - failed to process order {}\njava.lang.{}: {} after {} ms",
        rng.skewed(1_000_000),
        rng.pick(&["IllegalStateException", "RuntimeException", "NullPointerException"]),
        rng.pick(&["timeout", "lock not acquired", "connection refused"]),
        rng.below(30_000)
    )?;
    frames(rng, 12 + rng.below(20), out)?;
    if rng.below(2) == 0 {
        write!(out, "\nCaused by: java.net.SocketTimeoutException: Read timed out")?;
        frames(rng, 3 + rng.below(6), out)?;
        write!(out, "\n\t... {} more", rng.below(40))?;
    }
    Ok(())
}

fn frames(rng: &Rng, count: u64, out: &mut String) -> std::fmt::Result {
    const CLASSES: &[&str] = &[
        "com.shop.orders.OrderService",
        "com.shop.cart.CartController",
        "com.shop.payments.PaymentClient",
        "org.springframework.retry.support.RetryTemplate",
        "org.springframework.web.servlet.DispatcherServlet",
        "org.apache.catalina.core.ApplicationFilterChain",
        "jdk.internal.reflect.DirectMethodHandleAccessor",
    ];
    for _ in 0..count {
        let class = rng.pick(CLASSES);
        let method =
            rng.pick(&["process", "invoke", "doFilter", "execute", "call", "handle", "internalDoFilter"]);
        let file = class.rsplit('.').next().unwrap_or_default();
        write!(out, "\n\tat {class}.{method}({file}.java:{})", 20 + rng.below(60) * 7)?;
    }
    Ok(())
}

fn kubernetes(rng: &Rng, at: Timestamp, out: &mut String) -> std::fmt::Result {
    let time = at.strftime("%m%d %H:%M:%S.%6f");
    let (service, namespace) = (rng.pick(SERVICES), rng.pick(&["prod", "staging", "kube-system"]));
    match rng.below(5) {
        0 => write!(
            out,
            "I{time}       1 reconciler_common.go:{}] \"operationExecutor.MountVolume started for volume \\\"kube-api-access-{:05x}\\\" \" pod=\"{namespace}/{service}-{:09x}-{:05x}\"",
            200 + rng.below(60),
            rng.below(1 << 20),
            rng.below(200) * 0x1d_3c7a,
            rng.below(1 << 20)
        ),
        1 => write!(
            out,
            "E{time}       1 pod_workers.go:1301] \"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \\\"{service}\\\" with CrashLoopBackOff: \\\"back-off {}s restarting failed container\\\"\" podUID=\"{:08x}-{:04x}-4{:03x}-{:012x}\"",
            [10, 20, 40, 80, 160, 300][usize::try_from(rng.below(6)).unwrap_or(0)],
            rng.below(1 << 32),
            rng.below(1 << 16),
            rng.below(1 << 12),
            rng.below(1 << 48)
        ),
        2 => write!(
            out,
            "W{time}       1 reflector.go:{}] watch of *v1.{} ended with: too old resource version: {} ({})",
            rng.below(500),
            rng.pick(&["Pod", "Service", "Node", "ConfigMap", "EndpointSlice"]),
            80_000_000 + rng.below(9_000_000),
            80_000_000 + rng.below(9_000_000)
        ),
        3 => write!(
            out,
            "I{time}       1 scheduler.go:{}] \"Successfully bound pod to node\" pod=\"{namespace}/{service}-{:09x}\" node=\"node-{}\" evaluatedNodes={} feasibleNodes={}",
            300 + rng.below(20),
            rng.below(200) * 0x1d_3c7a,
            rng.below(50),
            rng.below(50),
            rng.below(50)
        ),
        _ => write!(
            out,
            "I{time}       1 httplog.go:134] \"HTTP\" verb=\"{}\" URI=\"/api/v1/namespaces/{namespace}/pods/{service}-{:09x}\" latency=\"{}.{:06}ms\" userAgent=\"kubelet/v1.36.3\" audit-ID=\"{:016x}\" srcIP=\"10.1.0.{}:{}\" resp={}",
            rng.pick(&["GET", "LIST", "PATCH", "WATCH"]),
            rng.below(200) * 0x1d_3c7a,
            rng.skewed(500),
            rng.below(1_000_000),
            rng.next_u64(),
            rng.below(50),
            32_768 + rng.below(28_000),
            rng.pick(STATUSES)
        ),
    }
}
