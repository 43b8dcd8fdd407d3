//! OTLP attributes: into a batch's arena, or as the text that labels and structured metadata carry.

use super::json::{Style, double_text, from_protobuf, to_protobuf, write_double, write_string};
use super::schema;
use crate::WireError;
use crate::arena::{Keys, push_text};
use crate::limits::NESTING_DEPTH_MAX;
use crate::proto::{Field, Reader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Attr, Text, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A `KeyValue`: its key, and its `AnyValue` still encoded (empty: no value).
pub(super) fn key_value<'a>(field: &Field<'a>) -> Result<Entry<'a>, WireError> {
    let (mut key, mut value) = (&b""[..], &b""[..]);
    let mut reader = field.message()?;
    while let Some(part) = reader.next_field()? {
        match part.number {
            1 => key = part.bytes()?,
            2 => value = part.bytes()?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Appends an attribute.
pub(super) fn push_attr(
    arena: &mut Vec<u8>,
    attrs: &mut Vec<Attr>,
    keys: &mut Keys,
    at: usize,
    field: &Field<'_>,
) -> Result<(), WireError> {
    let (key, any) = key_value(field)?;
    let key = keys.intern(arena, at, key);
    let value = value(arena, any)?;
    attrs.push(Attr { key, value });
    Ok(())
}

/// Decodes an `AnyValue` into an arena. Arrays and maps become OTLP JSON text.
pub(super) fn value(arena: &mut Vec<u8>, any: &[u8]) -> Result<Value, WireError> {
    let mut value = Value::Empty;
    let mut reader = Reader::new(any);
    while let Some(field) = reader.next_field()? {
        value = match field.number {
            1 => Value::Str(push_text(arena, field.bytes()?)),
            2 => Value::Bool(field.bool()?),
            3 => Value::Int(field.i64()?),
            4 => Value::Double(field.double()?),
            5 | 6 => {
                let mut json = String::new();
                from_protobuf(&schema::ANY_VALUE, any, Style::Otlp, &mut json)?;
                Value::Json(Text::push(arena, json.as_bytes()))
            }
            7 => Value::Bytes(Text::push(arena, field.bytes()?)),
            _ => continue,
        };
    }
    Ok(value)
}

/// An `AnyValue` as text, the way the Collector prints it: scalars bare, bytes base64, arrays and maps as plain JSON.
pub(super) fn text(any: &[u8]) -> Result<Cow<'_, str>, WireError> {
    let mut out = Cow::Borrowed("");
    let mut reader = Reader::new(any);
    while let Some(field) = reader.next_field()? {
        out = match field.number {
            1 => field.text()?,
            2 => Cow::Borrowed(if field.bool()? { "true" } else { "false" }),
            3 => Cow::Owned(field.i64()?.to_string()),
            4 => Cow::Owned(double_text(field.double()?)),
            5 | 6 => {
                let mut json = String::new();
                write_plain(any, 0, &mut json)?;
                Cow::Owned(json)
            }
            7 => Cow::Owned(STANDARD.encode(field.bytes()?)),
            _ => continue,
        };
    }
    Ok(out)
}

/// An array or map as plain JSON (`["a",1]`), from the OTLP JSON text that `model` keeps of it; other text stays.
#[must_use]
pub fn plain_json(otlp_json: &str) -> String {
    let any = to_protobuf(&schema::ANY_VALUE, otlp_json.as_bytes()).unwrap_or_default();
    match text(&any) {
        Ok(plain) if !any.is_empty() => plain.into_owned(),
        _ => otlp_json.to_owned(),
    }
}

/// A key and its `AnyValue`, still encoded.
pub(super) type Entry<'a> = (&'a [u8], &'a [u8]);

/// Whether an `AnyValue` is a map, and its entries.
pub(super) fn map_entries(any: &[u8]) -> Result<Option<Vec<Entry<'_>>>, WireError> {
    let mut entries = None;
    let mut reader = Reader::new(any);
    while let Some(field) = reader.next_field()? {
        entries = if field.number == 6 { Some(list(field.message()?)?) } else { None };
    }
    Ok(entries)
}

fn list(mut reader: Reader<'_>) -> Result<Vec<Entry<'_>>, WireError> {
    let mut entries = Vec::new();
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            entries.push(key_value(&field)?);
        }
    }
    Ok(entries)
}

fn write_plain(any: &[u8], depth: usize, out: &mut String) -> Result<(), WireError> {
    if depth > NESTING_DEPTH_MAX {
        return Err(WireError::malformed(format!("nesting exceeds the limit of {NESTING_DEPTH_MAX}")));
    }
    let mut last = None;
    let mut reader = Reader::new(any);
    while let Some(field) = reader.next_field()? {
        last = Some(field);
    }
    let Some(field) = last else {
        out.push_str("null");
        return Ok(());
    };
    match field.number {
        1 => write_string(&field.text()?, out),
        2 => out.push_str(if field.bool()? { "true" } else { "false" }),
        3 => out.push_str(&field.i64()?.to_string()),
        4 => write_double(field.double()?, out),
        5 => plain_array(field.message()?, depth, out)?,
        6 => {
            let entries: BTreeMap<_, _> = list(field.message()?)?.into_iter().collect();
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_string(&String::from_utf8_lossy(key), out);
                out.push(':');
                write_plain(value, depth + 1, out)?;
            }
            out.push('}');
        }
        7 => write_string(&STANDARD.encode(field.bytes()?), out),
        _ => out.push_str("null"),
    }
    Ok(())
}

fn plain_array(mut reader: Reader<'_>, depth: usize, out: &mut String) -> Result<(), WireError> {
    out.push('[');
    let mut first = true;
    while let Some(item) = reader.next_field()? {
        if item.number == 1 {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            write_plain(item.bytes()?, depth + 1, out)?;
        }
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let any = to_protobuf(&schema::ANY_VALUE, json.as_bytes()).unwrap();
        assert_eq!(text(&any).unwrap(), expected, "{json}");
    }

    #[test]
    fn values_print_as_the_collector_prints_them() {
        check("{}", "");
        check(r#"{"stringValue":"a"}"#, "a");
        check(r#"{"boolValue":true}"#, "true");
        check(r#"{"intValue":-5}"#, "-5");
        check(r#"{"doubleValue":0.5}"#, "0.5");
        check(r#"{"doubleValue":1e21}"#, "1e+21");
        check(r#"{"doubleValue":1.5e-7}"#, "1.5e-7");
        check(r#"{"doubleValue":100}"#, "100");
        check(r#"{"bytesValue":"AQI="}"#, "AQI=");
        check(r#"{"arrayValue":{"values":[{"intValue":1},{"stringValue":"<b>"},{}]}}"#, r#"[1,"<b>",null]"#);
        check(
            r#"{"kvlistValue":{"values":[{"key":"b","value":{"boolValue":false}},{"key":"a"}]}}"#,
            r#"{"a":null,"b":false}"#,
        );
        check(r#"{"kvlistValue":{"values":[]}}"#, "{}");
        check(r#"{"arrayValue":{}}"#, "[]");
    }
}
