//! JSON to protobuf and back, by the table in [`schema`](super::schema): one pass, no tree in between.
//!
//! Reading follows OTLP's JSON rules and is generous where they allow it: integers as numbers or strings, enumerations as
//! numbers or names, `null` as absent, unknown fields ignored. Writing has two styles, OTLP's own and `jsonpb`'s.

use super::schema::{Field, Kind, Message};
use crate::WireError;
use crate::limits::NESTING_DEPTH_MAX;
use crate::proto::{Reader, Value, put_field, truncate, unzigzag, zigzag};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Turns the JSON form of a message into its protobuf form.
///
/// # Errors
/// When the text is not JSON, a field has a value of another type, or the nesting is too deep.
pub(crate) fn to_protobuf(message: &'static Message, json: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(json.len() / 2);
    let malformed = |error: serde_json::Error| WireError::Malformed(format!("JSON: {error}"));
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    MessageReader { message, depth: 0, out: &mut out }.deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(out)
}

struct MessageReader<'o> {
    message: &'static Message,
    depth: usize,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageReader<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.depth > NESTING_DEPTH_MAX {
            return Err(A::Error::custom(format_args!("nesting exceeds the limit of {NESTING_DEPTH_MAX}")));
        }
        while let Some(field) = map.next_key_seed(Name(self.message))? {
            match field {
                Some(field) => map.next_value_seed(FieldReader {
                    field,
                    list: field.repeated,
                    depth: self.depth,
                    out: self.out,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Finds the field that a key names.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static Field>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.fields.iter().find(|field| field.name == name))
    }
}

/// Reads one value of a field, or the list of a repeated one.
struct FieldReader<'o> {
    field: &'static Field,
    list: bool,
    depth: usize,
    out: &'o mut Vec<u8>,
}

impl FieldReader<'_> {
    fn put(self, value: Value<'_>) {
        put_field(self.out, self.field.number, value);
    }

    fn mismatch<E: Error>(&self) -> E {
        E::custom(format_args!("field {:?} has a value of another type", self.field.name))
    }

    fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        let range = |low: i128, high: i128| (low..=high).contains(&value);
        // Two's complement is what protobuf writes for negative numbers.
        let low64 = u64::try_from(value & i128::from(u64::MAX)).unwrap_or_default();
        let number = match self.field.kind {
            Kind::Int64 if range(i64::MIN.into(), i64::MAX.into()) => Value::Varint(low64),
            Kind::Enum(_) if range(i32::MIN.into(), i32::MAX.into()) => Value::Varint(low64),
            Kind::Uint64 if range(0, u64::MAX.into()) => Value::Varint(low64),
            Kind::Uint32 if range(0, u32::MAX.into()) => Value::Varint(low64),
            Kind::Sint32 if range(i32::MIN.into(), i32::MAX.into()) => {
                Value::Varint(zigzag(low64.cast_signed()))
            }
            Kind::Fixed64 if range(0, u64::MAX.into()) => Value::Fixed64(low64),
            Kind::Sfixed64 if range(i64::MIN.into(), i64::MAX.into()) => Value::Fixed64(low64),
            Kind::Fixed32 if range(0, u32::MAX.into()) => Value::Fixed32(truncate(low64).cast_unsigned()),
            _ => return Err(self.mismatch()),
        };
        self.put(number);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for FieldReader<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for field {:?}", self.field.name)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool if !self.list => {
                self.put(Value::Varint(value.into()));
                Ok(())
            }
            _ => Err(self.mismatch()),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.field.kind {
            #[expect(clippy::cast_precision_loss, reason = "a double is what the field holds")]
            Kind::Double => self.visit_f64(value as f64),
            _ => self.integer(value.into()),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.field.kind {
            #[expect(clippy::cast_precision_loss, reason = "a double is what the field holds")]
            Kind::Double => self.visit_f64(value as f64),
            _ => self.integer(value.into()),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.field.kind {
            _ if self.list => Err(self.mismatch()),
            Kind::Double => {
                self.put(Value::Fixed64(value.to_bits()));
                Ok(())
            }
            #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and in range")]
            _ if value.fract() == 0.0 && value.abs() < 2_f64.powi(63) => self.integer(value as i128),
            _ => Err(self.mismatch()),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.list {
            return Err(self.mismatch());
        }
        match self.field.kind {
            Kind::String => {
                self.put(Value::Bytes(text.as_bytes()));
                Ok(())
            }
            Kind::Base64 => match base64_bytes(text) {
                Some(bytes) => {
                    self.put(Value::Bytes(&bytes));
                    Ok(())
                }
                None => Err(E::custom(format_args!("field {:?} is not base64", self.field.name))),
            },
            Kind::Hex => match hex_bytes(text) {
                Some(bytes) => {
                    self.put(Value::Bytes(&bytes));
                    Ok(())
                }
                None => Err(E::custom(format_args!("field {:?} is not hexadecimal", self.field.name))),
            },
            Kind::Double => match text {
                "NaN" => self.visit_f64(f64::NAN),
                "Infinity" => self.visit_f64(f64::INFINITY),
                "-Infinity" => self.visit_f64(f64::NEG_INFINITY),
                _ => match text.parse() {
                    Ok(value) => self.visit_f64(value),
                    Err(_) => Err(self.mismatch()),
                },
            },
            Kind::Enum(names) => match names.iter().position(|name| *name == text) {
                Some(number) => {
                    self.put(Value::Varint(number as u64));
                    Ok(())
                }
                None => Err(E::custom(format_args!("field {:?} has no value {text:?}", self.field.name))),
            },
            Kind::Bool | Kind::Message(_) => Err(self.mismatch()),
            _ => match text.parse::<i128>() {
                Ok(value) => self.integer(value),
                Err(_) => Err(self.mismatch()),
            },
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.list {
            return Err(self.mismatch());
        }
        while seq
            .next_element_seed(FieldReader {
                field: self.field,
                list: false,
                depth: self.depth,
                out: self.out,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else { return Err(self.mismatch()) };
        if self.list {
            return Err(self.mismatch());
        }
        let mut inner = Vec::new();
        MessageReader { message, depth: self.depth + 1, out: &mut inner }.visit_map(map)?;
        self.put(Value::Bytes(&inner));
        Ok(())
    }
}

fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    engines.iter().find_map(|engine| engine.decode(text).ok())
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pair = |pair: &[u8]| Some(nibble(*pair.first()?)? << 4 | nibble(*pair.get(1)?)?);
    digits.chunks(2).map(pair).collect()
}

/// How a message is written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// OTLP: ids hexadecimal, enumerations as numbers.
    Otlp,
    /// protobuf's own mapping: ids base64, enumerations as names.
    Protobuf,
}

/// Writes the JSON form of a protobuf message.
///
/// # Errors
/// When the bytes are not protobuf or the nesting is too deep.
pub(crate) fn from_protobuf(
    message: &Message,
    bytes: &[u8],
    style: Style,
    out: &mut String,
) -> Result<(), WireError> {
    write_message(message, bytes, style, 0, out)
}

fn write_message(
    message: &Message,
    bytes: &[u8],
    style: Style,
    depth: usize,
    out: &mut String,
) -> Result<(), WireError> {
    if depth > NESTING_DEPTH_MAX {
        return Err(WireError::malformed(format!("nesting exceeds the limit of {NESTING_DEPTH_MAX}")));
    }
    out.push('{');
    let start = out.len();
    for field in message.fields {
        let before = out.len();
        if before > start {
            out.push(',');
        }
        write_string(field.name, out);
        out.push(':');
        if !write_field(field, bytes, style, depth, out)? {
            out.truncate(before);
        }
    }
    out.push('}');
    Ok(())
}

/// Whether the message has the field.
fn write_field(
    field: &Field,
    bytes: &[u8],
    style: Style,
    depth: usize,
    out: &mut String,
) -> Result<bool, WireError> {
    let (mut found, mut last) = (0, None);
    let mut reader = Reader::new(bytes);
    while let Some(part) = reader.next_field()? {
        if part.number != field.number {
            continue;
        }
        last = Some(part.value);
        if !field.repeated {
            found = 1;
            continue;
        }
        for value in unpacked(field.kind, part.value)? {
            out.push(if found == 0 { '[' } else { ',' });
            write_value(field.kind, value, style, depth, out)?;
            found += 1;
        }
    }
    match last {
        Some(value) if !field.repeated => write_value(field.kind, value, style, depth, out)?,
        _ if found > 0 => out.push(']'),
        _ => {}
    }
    Ok(found > 0)
}

/// The elements of a packed list, or the value itself.
fn unpacked(kind: Kind, value: Value<'_>) -> Result<Vec<Value<'_>>, WireError> {
    let Value::Bytes(bytes) = value else { return Ok(vec![value]) };
    let mut values = Vec::new();
    let packed = crate::proto::Field { number: 0, value: Value::Bytes(bytes) };
    match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
            packed.append_fixed64(&mut values, Value::Fixed64)?;
        }
        Kind::Uint64 | Kind::Int64 | Kind::Uint32 | Kind::Sint32 => {
            packed.append_varints(&mut values, Value::Varint)?;
        }
        _ => values.push(value),
    }
    Ok(values)
}

fn write_value(
    kind: Kind,
    value: Value<'_>,
    style: Style,
    depth: usize,
    out: &mut String,
) -> Result<(), WireError> {
    match (kind, value) {
        (Kind::String, Value::Bytes(bytes)) => write_string(&String::from_utf8_lossy(bytes), out),
        (Kind::Hex, Value::Bytes(bytes)) if style == Style::Otlp => {
            out.push('"');
            for byte in bytes {
                append(out, format_args!("{byte:02x}"));
            }
            out.push('"');
        }
        (Kind::Base64 | Kind::Hex, Value::Bytes(bytes)) => quoted(out, STANDARD.encode(bytes)),
        (Kind::Message(message), Value::Bytes(bytes)) => {
            write_message(message, bytes, style, depth + 1, out)?;
        }
        (Kind::Bool, Value::Varint(value)) => out.push_str(if value == 0 { "false" } else { "true" }),
        (Kind::Int64, Value::Varint(value)) | (Kind::Sfixed64, Value::Fixed64(value)) => {
            quoted(out, value.cast_signed());
        }
        (Kind::Uint64, Value::Varint(value)) | (Kind::Fixed64, Value::Fixed64(value)) => quoted(out, value),
        (Kind::Uint32, Value::Varint(value)) => out.push_str(&truncate(value).cast_unsigned().to_string()),
        (Kind::Fixed32, Value::Fixed32(value)) => out.push_str(&value.to_string()),
        (Kind::Sint32, Value::Varint(value)) => out.push_str(&unzigzag(value).to_string()),
        (Kind::Double, Value::Fixed64(bits)) => write_double(f64::from_bits(bits), out),
        (Kind::Enum(names), Value::Varint(value)) => {
            let number = truncate(value);
            let name = usize::try_from(number)
                .ok()
                .and_then(|at| names.get(at))
                .filter(|_| style == Style::Protobuf);
            match name {
                Some(name) => quoted(out, name),
                None => out.push_str(&number.to_string()),
            }
        }
        _ => {
            return Err(WireError::malformed("protobuf: a field has another wire type than its schema says"));
        }
    }
    Ok(())
}

/// Appends to a string, which cannot fail.
fn append(out: &mut String, what: fmt::Arguments<'_>) {
    let _ = fmt::Write::write_fmt(out, what);
}

fn quoted(out: &mut String, what: impl fmt::Display) {
    append(out, format_args!("\"{what}\""));
}

/// Appends a JSON string.
pub(crate) fn write_string(text: &str, out: &mut String) {
    // Writing a string to memory cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends a JSON number; what JSON cannot say is a string.
pub(crate) fn write_double(value: f64, out: &mut String) {
    if value.is_finite() {
        out.push_str(&double_text(value));
    } else {
        write_string(&double_text(value), out);
    }
}

/// A double as ECMAScript prints numbers, which is also how attributes become text: exponent form below 1e-6 and from
/// 1e21 on.
pub(crate) fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn check(message: &'static Message, json: &str, expected: &str) {
        let bytes = to_protobuf(message, json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
        let mut back = String::new();
        from_protobuf(message, &bytes, Style::Otlp, &mut back).unwrap();
        assert_eq!(back, expected, "{json}");
    }

    #[test]
    fn what_is_read_is_written_canonically() {
        check(&schema::ANY_VALUE, r#"{"intValue":7}"#, r#"{"intValue":"7"}"#);
        check(
            &schema::ANY_VALUE,
            r#"{"intValue":"-9223372036854775808"}"#,
            r#"{"intValue":"-9223372036854775808"}"#,
        );
        check(&schema::ANY_VALUE, r#"{"doubleValue":"NaN"}"#, r#"{"doubleValue":"NaN"}"#);
        check(&schema::ANY_VALUE, r#"{"doubleValue":3}"#, r#"{"doubleValue":3}"#);
        check(&schema::ANY_VALUE, r#"{"bytesValue":"AQI="}"#, r#"{"bytesValue":"AQI="}"#);
        check(
            &schema::ANY_VALUE,
            r#"{"stringValue":"a\"\u00e9","unknown":[{"x":1}]}"#,
            r#"{"stringValue":"a\"é"}"#,
        );
        check(
            &schema::ANY_VALUE,
            r#"{"arrayValue":{"values":[{"boolValue":true},{}]}}"#,
            r#"{"arrayValue":{"values":[{"boolValue":true},{}]}}"#,
        );
        check(
            &schema::SPAN,
            r#"{"traceId":"0AFF","kind":"SPAN_KIND_SERVER","startTimeUnixNano":1.0e3,"name":null}"#,
            r#"{"traceId":"0aff","kind":2,"startTimeUnixNano":"1000"}"#,
        );
        check(
            &schema::EXPONENTIAL_BUCKETS,
            r#"{"offset":-3,"bucketCounts":["1",2]}"#,
            r#"{"offset":-3,"bucketCounts":["1","2"]}"#,
        );
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let cases: [(&'static Message, &str); 11] = [
            (&schema::ANY_VALUE, r#"{"intValue":1.5}"#),
            (&schema::ANY_VALUE, r#"{"intValue":"9223372036854775808"}"#),
            (&schema::ANY_VALUE, r#"{"boolValue":"true"}"#),
            (&schema::ANY_VALUE, r#"{"bytesValue":"%%"}"#),
            (&schema::ANY_VALUE, r#"{"stringValue":1}"#),
            (&schema::SPAN, r#"{"traceId":"xyz"}"#),
            (&schema::SPAN, r#"{"traceId":"abc"}"#),
            (&schema::SPAN, r#"{"kind":"nonsense"}"#),
            (&schema::SPAN, r#"{"attributes":{}}"#),
            (&schema::SPAN, "[]"),
            (&schema::SPAN, "{} {}"),
        ];
        for (message, json) in cases {
            assert!(to_protobuf(message, json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = |depth| {
            format!("{}{}{}", r#"{"arrayValue":{"values":["#.repeat(depth), "{}", "]}}".repeat(depth))
        };
        assert!(to_protobuf(&schema::ANY_VALUE, deep(20).as_bytes()).is_ok());
        assert!(to_protobuf(&schema::ANY_VALUE, deep(40).as_bytes()).is_err());
        assert!(to_protobuf(&schema::ANY_VALUE, deep(100_000).as_bytes()).is_err());
        let mut bytes = Vec::new();
        for _ in 0..2000 {
            let mut list = Vec::new();
            put_field(&mut list, 1, Value::Bytes(&bytes));
            bytes.clear();
            put_field(&mut bytes, 5, Value::Bytes(&list));
        }
        let result = from_protobuf(&schema::ANY_VALUE, &bytes, Style::Otlp, &mut String::new());
        let error = result.expect_err("too deep").to_string();
        assert!(error.contains("nesting exceeds the limit"), "{error}");
    }
}
