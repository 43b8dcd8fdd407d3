//! Our spans to Zipkin's.

use super::{
    DEBUG, EndpointNames, LOCAL, PEER_SERVICE, REMOTE, SCOPE_NAME, SCOPE_VERSION, SHARED, STATUS_CODE,
};
use crate::spans::text_of;
use model::attr::ValueRef;
use model::span::{Event, SpanRef};
use model::{SpanBatch, SpanKind, StatusCode};
use serde_json::{Map, Value, json};

/// A JSON array of the batch's spans, in order.
#[must_use]
pub fn encode_v2(batch: &SpanBatch) -> String {
    Value::Array(batch.iter().map(span_json).collect()).to_string()
}

fn span_json(span: SpanRef<'_>) -> Value {
    let row = span.row;
    let shared = match span.attr(SHARED) {
        Some(ValueRef::Str(parent)) => Some(parent.to_owned()),
        _ => None,
    };
    let trace_id = row.trace_id.to_string();
    let mut out = Map::new();
    out.insert("traceId".into(), json!(trace_id.strip_prefix("0000000000000000").unwrap_or(&trace_id)));
    let own_parent = (!row.parent_id.is_none()).then(|| row.parent_id.to_string());
    let (id, parent) = match &shared {
        Some(parent) => (row.parent_id.to_string(), Some(parent.clone()).filter(|parent| !parent.is_empty())),
        None => (row.span_id.to_string(), own_parent),
    };
    if let Some(parent) = parent {
        out.insert("parentId".into(), json!(parent));
    }
    out.insert("id".into(), json!(id));
    if let Some(kind) = kind(row.kind) {
        out.insert("kind".into(), json!(kind));
    }
    out.insert("name".into(), json!(span.name()));
    out.insert("timestamp".into(), json!(row.start_ns / 1000));
    // Zipkin's durations are positive: what took less than a microsecond took one.
    let duration = if row.duration_ns > 0 { (row.duration_ns / 1000).max(1) } else { 0 };
    if duration > 0 {
        out.insert("duration".into(), json!(duration));
    }
    out.insert("localEndpoint".into(), endpoint(span, span.service(), &LOCAL));
    let peer = span.attr(PEER_SERVICE).map(text_of).unwrap_or_default();
    let remote = endpoint(span, &peer, &REMOTE);
    if remote.as_object().is_some_and(|remote| !remote.is_empty()) {
        out.insert("remoteEndpoint".into(), remote);
    }
    let annotations: Vec<_> = span.events().iter().map(|event| annotation(span.batch(), event)).collect();
    if !annotations.is_empty() {
        out.insert("annotations".into(), Value::Array(annotations));
    }
    let tags = tags(span);
    if !tags.is_empty() {
        out.insert("tags".into(), Value::Object(tags));
    }
    if span.attr(DEBUG) == Some(ValueRef::Bool(true)) {
        out.insert("debug".into(), json!(true));
    }
    if shared.is_some() {
        out.insert("shared".into(), json!(true));
    }
    Value::Object(out)
}

fn kind(kind: SpanKind) -> Option<&'static str> {
    match kind {
        SpanKind::Client => Some("CLIENT"),
        SpanKind::Server => Some("SERVER"),
        SpanKind::Producer => Some("PRODUCER"),
        SpanKind::Consumer => Some("CONSUMER"),
        SpanKind::Internal | SpanKind::Unspecified => None,
    }
}

fn endpoint(span: SpanRef<'_>, service: &str, names: &EndpointNames) -> Value {
    let mut out = Map::new();
    if !service.is_empty() {
        out.insert("serviceName".into(), json!(service));
    }
    if let Some(ValueRef::Str(address)) = span.attr(names.ipv4) {
        let family = if address.contains(':') { "ipv6" } else { "ipv4" };
        out.insert(family.into(), json!(address));
    }
    if let Some(ValueRef::Int(port)) = span.attr(names.port) {
        out.insert("port".into(), json!(port));
    }
    Value::Object(out)
}

fn annotation(batch: &SpanBatch, event: &Event) -> Value {
    let name = event.name.str(&batch.arena);
    let attrs: Map<_, _> =
        batch.attrs(&event.attrs).map(|(key, value)| (key.to_owned(), json!(text_of(value)))).collect();
    let value =
        if attrs.is_empty() { name.to_owned() } else { format!("{:?}:{}", name, Value::Object(attrs)) };
    json!({"timestamp": event.ts_ns / 1000, "value": value})
}

fn tags(span: SpanRef<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    let told = |key: &str| {
        [SHARED, DEBUG, PEER_SERVICE, LOCAL.ipv4, LOCAL.port, REMOTE.ipv4, REMOTE.port, "service.name"]
            .contains(&key)
    };
    for (key, value) in span.resource_attrs().chain(span.attrs()).filter(|(key, _)| !told(key)) {
        out.insert(key.to_owned(), json!(text_of(value)));
    }
    let arena = &span.batch().arena;
    if let Some(scope) = span.scope() {
        for (key, text) in [(SCOPE_NAME, scope.name.str(arena)), (SCOPE_VERSION, scope.version.str(arena))] {
            if !text.is_empty() {
                out.insert(key.into(), json!(text));
            }
        }
    }
    match span.row.status {
        StatusCode::Unset => {}
        StatusCode::Ok => drop(out.insert(STATUS_CODE.into(), json!("OK"))),
        StatusCode::Error => {
            out.insert(STATUS_CODE.into(), json!("ERROR"));
            let message = span.status_message();
            out.insert("error".into(), json!(if message.is_empty() { "true" } else { message }));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::decode_v2_json;
    use super::*;

    fn check(json: &str, expected: &str) {
        let batch = decode_v2_json(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(encode_v2(&batch), expected);
    }

    #[test]
    fn what_comes_in_goes_out() {
        let span = r#"[{"traceId":"5982fe77008310cc80f1da5e10147517","parentId":"90394f6bcffb5d13","id":"67fae42571535f60","kind":"SERVER","name":"/m/n/2.6.1","timestamp":1516781775726000,"duration":26000,"localEndpoint":{"serviceName":"api","ipv4":"10.1.2.3","port":80},"remoteEndpoint":{"serviceName":"apip","ipv6":"::1"},"annotations":[{"timestamp":1516781775726001,"value":"hit"}],"tags":{"error":"boom","key":"v","otel.status_code":"ERROR"},"debug":true}]"#;
        let reordered = span.replace(
            r#""error":"boom","key":"v","otel.status_code":"ERROR""#,
            r#""key":"v","otel.status_code":"ERROR","error":"boom""#,
        );
        check(span, &reordered);
        check("[]", "[]");
    }

    #[test]
    fn halves_of_a_shared_span_are_two_spans() {
        let json = r#"[{"traceId":"000000000000abcd","id":"0000000000000001","kind":"CLIENT","name":"a","timestamp":1,"duration":2,"localEndpoint":{"serviceName":"x"}},{"traceId":"000000000000abcd","id":"0000000000000001","kind":"SERVER","name":"a","timestamp":1,"duration":2,"localEndpoint":{"serviceName":"y"},"shared":true}]"#;
        let batch = decode_v2_json(json.as_bytes()).unwrap();
        assert_ne!(batch.spans[0].span_id, batch.spans[1].span_id);
        assert_eq!(batch.spans[1].parent_id, batch.spans[0].span_id);
        assert_eq!(encode_v2(&batch), json);
    }

    #[test]
    fn bad_bodies_are_errors() {
        for bad in [
            "",
            "{}",
            "[1]",
            r#"[{"traceId":"xyz","id":"1"}]"#,
            r#"[{"traceId":"1"}]"#,
            r#"[{"traceId":"1","id":"0"}]"#,
            r#"[{"traceId":"1","id":"11111111111111111"}]"#,
        ] {
            assert!(decode_v2_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
