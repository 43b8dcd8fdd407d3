//! Whether a span has a tag, with everything that Jaeger shows as a tag of a span.

use model::attr::ValueRef;
use model::span::{SpanRef, StatusCode};

/// Whether `key` has `value` (as text) on the span, its scope, its process, one of its events or one of its links.
pub(super) fn has(span: &SpanRef, key: &str, value: &str) -> bool {
    let batch = span.batch();
    let hit = |(name, found): (&str, ValueRef)| name == key && is(found, value);
    span.attrs().any(hit)
        || span.resource_attrs().any(hit)
        || span.scope().is_some_and(|scope| batch.attrs(&scope.attrs).any(hit))
        || span.events().iter().any(|event| batch.attrs(&event.attrs).any(hit))
        || span.links().iter().any(|link| batch.attrs(&link.attrs).any(hit))
        || derived(span, key).is_some_and(|found| found == value)
}

/// Fields of a span that Jaeger shows as tags.
fn derived<'a>(span: &SpanRef<'a>, key: &str) -> Option<&'a str> {
    let arena = &span.batch().arena;
    match key {
        "error" => Some(if span.row.status == StatusCode::Error { "true" } else { "false" }),
        "span.kind" => Some(span.row.kind.as_str()),
        "otel.status_code" => match span.row.status {
            StatusCode::Unset => None,
            StatusCode::Ok => Some("OK"),
            StatusCode::Error => Some("ERROR"),
        },
        "otel.status_description" => Some(span.status_message()),
        "otel.scope.name" => span.scope().map(|scope| scope.name.str(arena)),
        "otel.scope.version" => span.scope().map(|scope| scope.version.str(arena)),
        "w3c.tracestate" => Some(span.row.trace_state.str(arena)),
        _ => None,
    }
}

/// Whether a value reads `text`. Numbers and booleans read as in JSON, bytes as base64; arrays and maps only as the
/// JSON text that OTLP carries them in.
fn is(value: ValueRef, text: &str) -> bool {
    match value {
        ValueRef::Empty => text.is_empty(),
        ValueRef::Str(found) | ValueRef::Json(found) => found == text,
        ValueRef::Bool(found) => text == if found { "true" } else { "false" },
        ValueRef::Int(found) => text.parse() == Ok(found) && !text.starts_with('+'),
        ValueRef::Double(found) => text.parse::<f64>().is_ok_and(|asked| asked.to_bits() == found.to_bits()),
        ValueRef::Bytes(found) => base64_is(found, text),
    }
}

/// Whether `text` is the standard base64 of `bytes`.
fn base64_is(bytes: &[u8], text: &str) -> bool {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded = bytes.chunks(3).flat_map(|chunk| {
        let word = chunk.iter().fold(0_usize, |word, byte| word << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        let digit = move |at: usize| DIGITS.get(word >> (18 - 6 * at) & 63).copied().unwrap_or(b'=');
        (0..4).map(move |at| if at <= chunk.len() { digit(at) } else { b'=' })
    });
    encoded.eq(text.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_jaeger_prints_them() {
        let cases = [
            (ValueRef::Int(-5), "-5", true),
            (ValueRef::Int(5), "5.0", false),
            (ValueRef::Double(72.5), "72.5", true),
            (ValueRef::Double(1e21), "1e+21", true),
            (ValueRef::Double(2.0), "2", true),
            (ValueRef::Bool(true), "true", true),
            (ValueRef::Bool(true), "True", false),
            (ValueRef::Str("5"), "5", true),
            (ValueRef::Bytes(&[0, 0, 48, 57]), "AAAwOQ==", true),
            (ValueRef::Bytes(b"any"), "YW55", true),
            (ValueRef::Bytes(b"an"), "YW4", false),
        ];
        for (value, text, expected) in cases {
            assert_eq!(is(value, text), expected, "{value:?} {text}");
        }
    }
}
