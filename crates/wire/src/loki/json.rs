//! The JSON push body: `{"streams":[{"stream":{..},"values":[["<ns>","line",{..}]]}]}`.

use super::Writer;
use super::labels::parse_labels;
use crate::limits::{ATTRIBUTES_PER_RECORD_MAX, BODY_BYTES_MAX};
use crate::{Decoded, WireError};
use model::{Labels, LogBatch, SpanId, TraceId};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Decodes a request body. A stream with label names outside the alphabet is rejected alone.
///
/// # Errors
/// When the body is not JSON of this shape: timestamps are strings of nanoseconds, lines and metadata are strings.
pub fn decode_push_json(body: &[u8]) -> Result<Decoded<LogBatch>, WireError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(WireError::TooLarge { what: "request in bytes", limit: BODY_BYTES_MAX });
    }
    let body = body.trim_ascii();
    if body == b"null" {
        return Ok(Decoded::default());
    }
    if body.first() != Some(&b'{') {
        return Err(WireError::malformed("JSON: the body must be an object with \"streams\""));
    }
    let push: Push<'_> =
        serde_json::from_slice(body).map_err(|error| WireError::malformed(format!("JSON: {error}")))?;
    let mut writer = Writer::new(body.len());
    for stream in push.streams.unwrap_or_default() {
        match stream.labels.checked() {
            Ok(labels) => writer.stream(labels),
            Err(error) => {
                writer.reject(stream.values.len() as u64, || error.to_string());
                continue;
            }
        }
        for value in &stream.values {
            let ts_ns = value.ts_ns.parse().map_err(|_| {
                WireError::malformed(format!(
                    "timestamp {:?} is not a number of nanoseconds since the epoch",
                    value.ts_ns
                ))
            })?;
            for (name, text) in &value.metadata.0 {
                writer.metadata(name.as_bytes(), text.as_bytes());
            }
            let line = writer.text(value.line.as_bytes());
            writer.finish(ts_ns, line, (TraceId::default(), SpanId::default()));
        }
    }
    Ok(writer.end())
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow, default)]
    streams: Option<Vec<Stream<'a>>>,
}

#[derive(Deserialize)]
struct Stream<'a> {
    #[serde(borrow, default, rename = "stream")]
    labels: StreamLabels<'a>,
    #[serde(borrow, default)]
    values: Vec<Entry<'a>>,
}

/// Labels as an object; numbers and booleans count as their text.
#[derive(Default)]
struct StreamLabels<'a>(Vec<(Cow<'a, str>, String)>);

impl StreamLabels<'_> {
    fn checked(&self) -> Result<Labels, WireError> {
        if self.0.len() > ATTRIBUTES_PER_RECORD_MAX {
            return Err(WireError::TooLarge {
                what: "labels of one stream",
                limit: ATTRIBUTES_PER_RECORD_MAX,
            });
        }
        let legal = |name: &str| model::labels::is_legacy_label_name(name);
        if let Some((name, _)) = self.0.iter().find(|(name, _)| !legal(name)) {
            // The text form's parser words the error, as Loki's does.
            parse_labels(&format!("{{{name}=\"\"}}"))?;
        }
        Ok(Labels::from_pairs(self.0.iter().map(|(name, value)| (name, value))))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StreamLabels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = StreamLabels<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let value = match map.next_value::<serde_json::Value>()? {
                        serde_json::Value::String(text) => text,
                        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
                            value.to_string()
                        }
                        _ => return Err(A::Error::custom(format_args!("label {name:?} must be a string"))),
                    };
                    pairs.push((name, value));
                }
                Ok(StreamLabels(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// `[timestamp, line, metadata]`; line and metadata may be missing, further elements are ignored.
struct Entry<'a> {
    ts_ns: Cow<'a, str>,
    line: Cow<'a, str>,
    metadata: Metadata<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entry<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Entry<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of timestamp, line and structured metadata")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let missing = || A::Error::custom("a value without a timestamp");
                let ts_ns = seq.next_element::<Text<'de>>()?.ok_or_else(missing)?.0;
                let line = seq.next_element::<Text<'de>>()?.map(|text| text.0).unwrap_or_default();
                let metadata = seq.next_element()?.unwrap_or_default();
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entry { ts_ns, line, metadata })
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

/// A string, borrowed from the body where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Structured metadata in the order it was sent.
#[derive(Default)]
struct Metadata<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Metadata<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Metadata<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    pairs.push((name.0, value.0));
                }
                Ok(Metadata(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Option<(usize, u64)>) -> LogBatch {
        let result = decode_push_json(body.as_bytes());
        assert_eq!(
            result.as_ref().ok().map(|decoded| (decoded.batch.entries.len(), decoded.rejected)),
            expected,
            "{body} {result:?}"
        );
        result.map(|decoded| decoded.batch).unwrap_or_default()
    }

    #[test]
    fn bodies() {
        let batch = check(
            r#"{"streams":[{"stream":{"a":"b","n":1},"values":[["7","x\ny",{"k.x":"1"}],["8"]]}]}"#,
            Some((2, 0)),
        );
        assert_eq!(batch.streams[0].labels.to_string(), r#"{a="b", n="1", service_name="unknown_service"}"#);
        assert_eq!((batch.line(&batch.entries[0]), batch.entries[0].ts_ns), ("x\ny", 7));
        assert_eq!(batch.metadata(&batch.entries[0]).next(), Some(("k_x", "1")));
        check(r#"{"streams":[{"values":[["7","x"]]}]}"#, Some((1, 0)));
        check("{}", Some((0, 0)));
        check(
            r#"{"streams":[{"stream":{"1a":"b"},"values":[["7","x"]]},{"stream":{"a":"b"},"values":[["7","x"]]}]}"#,
            Some((1, 1)),
        );
        for bad in [
            "",
            "[]",
            r#"{"streams":[{"stream":{"a":"b"},"values":[["x","l"]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[[7,"l"]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["7",5]]}]}"#,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["7","l",{"k":1}]]}]}"#,
            r#"{"streams":[{"stream":{"a":{}},"values":[["7","l"]]}]}"#,
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!(
            r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[["7","l",{{}},{}]]}}]}}"#,
            "[".repeat(100_000)
        );
        check(&deep, None);
    }
}
