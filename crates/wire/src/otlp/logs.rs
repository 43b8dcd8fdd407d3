//! OTLP logs to Loki streams: some resource attributes are the stream's labels, everything else is structured metadata.
//!
//! Source: `grafana.com/docs/loki/latest/send-data/otel` and the default list of index labels documented there.

use super::attributes::{key_value, map_entries, text};
use super::{Format, protobuf, schema};
use crate::limits::{ATTRIBUTES_PER_RECORD_MAX, NESTING_DEPTH_MAX};
use crate::loki::{Writer, sanitize};
use crate::proto::{Field, Reader};
use crate::{Decoded, WireError};
use model::{LabelsBuilder, LogBatch, SpanId, Text, TraceId};

/// Resource attributes that become labels, with dots as `_`.
const INDEX_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// Decodes an `ExportLogsServiceRequest` (which is also `LogsData`). A record without a time of its own has the time it
/// was observed, else `now_ns`.
///
/// # Errors
/// When the body is not such a message.
pub fn decode_logs(body: &[u8], format: Format, now_ns: i64) -> Result<Decoded<LogBatch>, WireError> {
    let bytes = protobuf(body, format, &schema::LOGS)?;
    let mut decoder =
        Decoder { writer: Writer::new(bytes.len()), now_ns, resource: Vec::new(), scope: Vec::new() };
    let mut request = Reader::new(&bytes);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_logs(field.message()?)?;
        }
    }
    Ok(decoder.writer.end())
}

struct Decoder {
    writer: Writer<'static>,
    now_ns: i64,
    /// Metadata that the resource gives every record.
    resource: Vec<(Text, Text)>,
    /// Metadata that the scope gives every record.
    scope: Vec<(Text, Text)>,
}

/// Where flattened attributes go.
type Sink<'a> = dyn FnMut(&[u8], &str) + 'a;

impl Decoder {
    fn resource_logs(&mut self, reader: Reader<'_>) -> Result<(), WireError> {
        let mut labels = LabelsBuilder::default();
        self.resource.clear();
        let mut first = reader;
        while let Some(field) = first.next_field()? {
            if field.number == 1 {
                let mut resource = field.message()?;
                while let Some(attribute) = resource.next_field()? {
                    if attribute.number == 1 {
                        self.resource_attribute(&attribute, &mut labels)?;
                    }
                }
            }
        }
        self.writer.stream(labels.build());
        let mut second = reader;
        while let Some(field) = second.next_field()? {
            if field.number == 2 {
                self.scope_logs(field.message()?)?;
            }
        }
        Ok(())
    }

    fn resource_attribute(&mut self, field: &Field<'_>, labels: &mut LabelsBuilder) -> Result<(), WireError> {
        let (key, any) = key_value(field)?;
        if INDEX_ATTRIBUTES.iter().any(|name| name.as_bytes() == key) {
            labels.push(&String::from_utf8_lossy(key).replace('.', "_"), &text(any)?);
            return Ok(());
        }
        let (writer, pairs) = (&mut self.writer, &mut self.resource);
        flatten(key, any, 0, &mut |name, value| pairs.push(pair(writer, name, value)))
    }

    fn scope_logs(&mut self, reader: Reader<'_>) -> Result<(), WireError> {
        self.scope.clear();
        let mut first = reader;
        while let Some(field) = first.next_field()? {
            if field.number == 1 {
                self.scope(field.message()?)?;
            }
        }
        self.scope.retain(|(_, value)| !value.is_empty());
        self.resource.retain(|(_, value)| !value.is_empty());
        let mut second = reader;
        while let Some(field) = second.next_field()? {
            if field.number == 2 {
                self.record(field.message()?)?;
            }
        }
        Ok(())
    }

    fn scope(&mut self, mut reader: Reader<'_>) -> Result<(), WireError> {
        let (writer, pairs) = (&mut self.writer, &mut self.scope);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => pairs.push(pair(writer, b"scope_name", &field.text()?)),
                2 => pairs.push(pair(writer, b"scope_version", &field.text()?)),
                3 => {
                    let (key, any) = key_value(&field)?;
                    flatten(key, any, 0, &mut |name, value| pairs.push(pair(writer, name, value)))?;
                }
                4 if field.u64()? > 0 => {
                    pairs.push(pair(writer, b"scope_dropped_attributes_count", &field.u64()?.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn record(&mut self, mut reader: Reader<'_>) -> Result<(), WireError> {
        let (mut time, mut observed, mut body, mut attributes) = (0, 0, &b""[..], 0);
        let (mut trace_id, mut span_id) = (TraceId::default(), SpanId::default());
        let writer = &mut self.writer;
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => time = field.fixed64()?,
                2 if field.i32()? != 0 => {
                    writer.metadata(b"severity_number", field.i32()?.to_string().as_bytes());
                }
                3 => writer.metadata(b"severity_text", field.bytes()?),
                5 => body = field.bytes()?,
                6 => {
                    attributes += 1;
                    if attributes <= ATTRIBUTES_PER_RECORD_MAX + 1 {
                        let (key, any) = key_value(&field)?;
                        flatten(key, any, 0, &mut |name, value| writer.metadata(name, value.as_bytes()))?;
                    }
                }
                7 if field.u64()? > 0 => {
                    writer.metadata(b"dropped_attributes_count", field.u64()?.to_string().as_bytes());
                }
                8 if field.fixed32()? > 0 => {
                    writer.metadata(b"flags", field.fixed32()?.to_string().as_bytes());
                }
                9 => trace_id = TraceId::from_bytes(field.bytes()?).unwrap_or_default(),
                10 => span_id = SpanId::from_bytes(field.bytes()?).unwrap_or_default(),
                11 => observed = field.fixed64()?,
                _ => {}
            }
        }
        if !trace_id.is_none() {
            writer.metadata(b"trace_id", trace_id.to_string().as_bytes());
        }
        if !span_id.is_none() {
            writer.metadata(b"span_id", span_id.to_string().as_bytes());
        }
        if time != 0 && observed != 0 {
            writer.metadata(b"observed_timestamp", observed.to_string().as_bytes());
        }
        writer.shared_metadata(&self.resource);
        writer.shared_metadata(&self.scope);
        let own = if time == 0 { observed } else { time };
        let ts_ns = if own == 0 { self.now_ns } else { i64::try_from(own).unwrap_or(i64::MAX) };
        let line = text(body)?;
        let line = writer.text(line.as_bytes());
        writer.finish(ts_ns, line, (trace_id, span_id));
        Ok(())
    }
}

fn pair(writer: &mut Writer<'_>, name: &[u8], value: &str) -> (Text, Text) {
    (writer.text(&sanitize(name)), writer.text(value.as_bytes()))
}

/// Gives an attribute to `sink`; a map's entries one by one, their names joined by `_`.
fn flatten(name: &[u8], any: &[u8], depth: usize, sink: &mut Sink<'_>) -> Result<(), WireError> {
    if depth > NESTING_DEPTH_MAX {
        return Err(WireError::malformed(format!("nesting exceeds the limit of {NESTING_DEPTH_MAX}")));
    }
    let Some(entries) = map_entries(any)? else {
        sink(name, &text(any)?);
        return Ok(());
    };
    for (key, value) in entries {
        flatten(&[name, b"_", key].concat(), value, depth + 1, sink)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: &str, record: &str, labels: &str, line: &str, metadata: &[(&str, &str)]) -> LogBatch {
        let body = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{resource}]}},"scopeLogs":[{{"scope":{{"name":"lib"}},"logRecords":[{record}]}}]}}]}}"#
        );
        let batch = decode_logs(body.as_bytes(), Format::Json, 99).unwrap().batch;
        assert_eq!(batch.streams[0].labels.to_string(), labels);
        assert_eq!(batch.line(&batch.entries[0]), line);
        assert_eq!(batch.metadata(&batch.entries[0]).collect::<Vec<_>>(), metadata);
        batch
    }

    #[test]
    fn a_record_becomes_an_entry() {
        let batch = check(
            r#"{"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.name","value":{"stringValue":"h"}}"#,
            r#"{"timeUnixNano":"5","observedTimeUnixNano":"6","severityNumber":17,"body":{"stringValue":"hi"},"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"a.b","value":{"intValue":"3"}}]}}}],"traceId":"000000000000000000000000000000ab","spanId":"00000000000000cd"}"#,
            r#"{service_name="shop"}"#,
            "hi",
            &[
                ("severity_number", "17"),
                ("m_a_b", "3"),
                ("trace_id", "000000000000000000000000000000ab"),
                ("span_id", "00000000000000cd"),
                ("observed_timestamp", "6"),
                ("host_name", "h"),
                ("scope_name", "lib"),
                ("detected_level", "error"),
            ],
        );
        assert_eq!((batch.entries[0].ts_ns, batch.entries[0].trace_id.0[15]), (5, 0xab));
    }

    #[test]
    fn what_is_missing_is_made_up_for() {
        let none = r#"{service_name="unknown_service"}"#;
        let rest = &[("scope_name", "lib"), ("detected_level", "unknown")];
        assert_eq!(check("", "{}", none, "", rest).entries[0].ts_ns, 99);
        assert_eq!(check("", r#"{"observedTimeUnixNano":"7"}"#, none, "", rest).entries[0].ts_ns, 7);
        let map = r#"{"body":{"kvlistValue":{"values":[{"key":"b","value":{"stringValue":"<x>"}},{"key":"a","value":{"doubleValue":1.5}}]}}}"#;
        check("", map, none, r#"{"a":1.5,"b":"<x>"}"#, rest);
        let pod = r#"{"key":"k8s.container.name","value":{"stringValue":"c"}}"#;
        check(pod, "{}", r#"{k8s_container_name="c", service_name="c"}"#, "", rest);
    }

    #[test]
    fn deep_or_wide_records_are_refused() {
        let deep = |depth: usize| {
            format!(
                "{}{}{}",
                r#"{"kvlistValue":{"values":[{"key":"k","value":"#.repeat(depth),
                "{}",
                "}]}}".repeat(depth)
            )
        };
        let body = |value: &str| {
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{value}}}]}}]}}]}}"#)
        };
        assert!(decode_logs(body(&deep(5)).as_bytes(), Format::Json, 0).is_ok());
        assert!(decode_logs(body(&deep(5000)).as_bytes(), Format::Json, 0).is_err());
        let many: Vec<_> =
            (0..5000).map(|at| format!(r#"{{"key":"{at}","value":{{"intValue":1}}}}"#)).collect();
        let wide = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"attributes":[{}]}}]}}]}}]}}"#,
            many.join(",")
        );
        assert_eq!(decode_logs(wide.as_bytes(), Format::Json, 0).unwrap().rejected, 1);
    }
}
