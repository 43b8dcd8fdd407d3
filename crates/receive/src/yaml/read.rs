//! Tree to typed values, by `serde`. Keys that a struct does not have are gathered on the way: those the format knows are
//! noted, the others are mistakes with the nearest key that exists. A value that is null leaves its field at its default,
//! as in Go's YAML.

use super::node::{At, Entry, Kind, Node};
use super::{Mistake, Unused};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use std::cell::RefCell;
use std::fmt;

/// Keys that differ by more than a third of their letters are not suggested for one another.
const NEAR_DIVISOR: usize = 3;

pub(super) fn read<T: DeserializeOwned>(
    root: &Node,
    unused: Unused,
) -> Result<(T, Vec<Mistake>), Vec<Mistake>> {
    let log = Log { unused, seen: RefCell::default(), unknown: RefCell::default() };
    let value = T::deserialize(Reader { node: root, path: &Path::Root, log: &log });
    let value = value.map_err(|fault| fault.at(root.at, &Path::Root));
    let (mut seen, mut unknown) = (log.seen.into_inner(), log.unknown.into_inner());
    seen.sort_by_key(|mistake| (mistake.line, mistake.column));
    match value {
        Ok(value) if unknown.is_empty() => Ok((value, seen)),
        value => {
            unknown.extend(value.err().map(|Fault(mistake)| *mistake));
            unknown.sort_by_key(|mistake| (mistake.line, mistake.column));
            Err(unknown)
        }
    }
}

struct Log {
    unused: Unused,
    seen: RefCell<Vec<Mistake>>,
    unknown: RefCell<Vec<Mistake>>,
}

impl Log {
    /// Whether the struct has this entry; if not, it is written down.
    fn knows(&self, name: &str, fields: &'static [&'static str], path: &Path<'_>, entry: &Entry) -> bool {
        let key = entry.key.as_str();
        if fields.contains(&key) {
            return true;
        }
        let unused = self.unused.iter().find(|(owner, _)| *owner == name).map_or(&[][..], |(_, keys)| keys);
        let note = |message: String| Mistake {
            line: entry.at.line,
            column: entry.at.column,
            field: Path::Key(path, key).to_string(),
            message,
        };
        if unused.contains(&key) {
            self.seen.borrow_mut().push(note("is not used by Binnacle".into()));
        } else {
            let message = match nearest(key, fields.iter().chain(unused)) {
                Some(near) => format!("there is no such key: did you mean {near}?"),
                None => format!("there is no such key: remove it, or use one of {}", fields.join(", ")),
            };
            self.unknown.borrow_mut().push(note(message));
        }
        false
    }
}

/// How a value is reached from the root.
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A mistake that ends the reading; where it is comes with the value that it passes first.
#[derive(Debug)]
struct Fault(Box<Mistake>);

impl Fault {
    fn at(mut self, at: At, path: &Path<'_>) -> Self {
        if self.0.line == 0 {
            (self.0.line, self.0.column) = (at.line, at.column);
            self.0.field = path.to_string();
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(Mistake { line: 0, column: 0, field: String::new(), message: message.to_string() }))
    }

    /// Never quotes what was found: it may be a secret.
    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("must be {expected}"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("must be {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("{variant:?} is none of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("{field} is missing: write it"))
    }
}

struct Reader<'a, 'p> {
    node: &'a Node,
    path: &'p Path<'p>,
    log: &'a Log,
}

impl<'a, 'p> Reader<'a, 'p> {
    fn fail(&self, message: &str) -> Fault {
        <Fault as de::Error>::custom(message).at(self.node.at, self.path)
    }

    /// The scalar's text, and whether it is without quotes.
    fn scalar(&self, wanted: &str) -> Result<(&'a str, bool), Fault> {
        match &self.node.kind {
            Kind::Scalar { text, plain } => Ok((text, *plain)),
            Kind::List(_) => Err(self.fail(&format!("must be {wanted}, not a list"))),
            Kind::Mapping(_) => Err(self.fail(&format!("must be {wanted}, not a mapping"))),
        }
    }

    fn number<T: std::str::FromStr>(&self, wanted: &str) -> Result<T, Fault> {
        let (text, plain) = self.scalar(wanted)?;
        let number = text.parse().ok().filter(|_| plain);
        number.ok_or_else(|| self.fail(&format!("must be {wanted}, without quotes")))
    }

    fn entries(&self) -> Result<&'a [Entry], Fault> {
        match &self.node.kind {
            Kind::Mapping(entries) => Ok(entries),
            _ if self.node.is_null() => Ok(&[]),
            _ => Err(self.fail("must be a mapping: write `key: value` lines below it")),
        }
    }

    fn items(&self) -> Result<&'a [std::sync::Arc<Node>], Fault> {
        match &self.node.kind {
            Kind::List(items) => Ok(items),
            _ if self.node.is_null() => Ok(&[]),
            _ => Err(self.fail("must be a list: write `- item` lines below it, or [item, item]")),
        }
    }

    fn members(&self, entries: Vec<&'a Entry>) -> Members<'a, 'p> {
        Members { entries: entries.into_iter(), value: None, path: self.path, log: self.log }
    }
}

/// Go's YAML reads these words as truth values.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $kind:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number: $kind =
                self.number(&format!("a whole number from {} to {}", <$kind>::MIN, <$kind>::MAX))?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'de, '_> {
    type Error = Fault;

    whole_numbers!(deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Mapping(_) => self.deserialize_map(visitor),
            Kind::Scalar { .. } => self.deserialize_str(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, plain) = self.scalar("true or false")?;
        let value = truth(text).filter(|_| plain);
        visitor.visit_bool(value.ok_or_else(|| self.fail("must be true or false, without quotes"))?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.number("a number")?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, _) = self.scalar("text")?;
        let text = if self.node.is_null() { "" } else { text };
        visitor.visit_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = Items { left: self.items()?.iter().enumerate(), path: self.path, log: self.log };
        visitor.visit_seq(items)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let members = self.members(self.entries()?.iter().collect());
        visitor.visit_map(members)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if self.node.is_null() && matches!(self.path, Path::Index(..)) {
            return Err(self.fail("is empty: write its keys, or remove it"));
        }
        let known = |entry: &&Entry| self.log.knows(name, fields, self.path, entry);
        let entries = self.entries()?.iter().filter(known).filter(|entry| !entry.value.is_null());
        let members = self.members(entries.collect());
        visitor.visit_map(members)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (text, _) = self.scalar(&format!("one of {}", variants.join(", ")))?;
        let word: StrDeserializer<'_, Fault> = text.into_deserializer();
        visitor.visit_enum(word)
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit_struct tuple tuple_struct identifier }
}

struct Items<'a, 'p> {
    left: std::iter::Enumerate<std::slice::Iter<'a, std::sync::Arc<Node>>>,
    path: &'p Path<'p>,
    log: &'a Log,
}

impl<'de> de::SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.left.next() else { return Ok(None) };
        within(node, &Path::Index(self.path, index), self.log, seed).map(Some)
    }
}

struct Members<'a, 'p> {
    entries: std::vec::IntoIter<&'a Entry>,
    value: Option<&'a Entry>,
    path: &'p Path<'p>,
    log: &'a Log,
}

impl<'de> de::MapAccess<'de> for Members<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.value.take() else { return Err(de::Error::custom("a key without a value")) };
        within(&entry.value, &Path::Key(self.path, &entry.key), self.log, seed)
    }
}

/// One value below the one that is being read.
fn within<'de, T: DeserializeSeed<'de>>(
    node: &'de Node,
    path: &Path<'_>,
    log: &'de Log,
    seed: T,
) -> Result<T::Value, Fault> {
    seed.deserialize(Reader { node, path, log }).map_err(|fault| fault.at(node.at, path))
}

/// The candidate with the fewest edits, when they are few.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a &'static str>) -> Option<&'static str> {
    let scored = candidates.map(|candidate| (edits(word, candidate), *candidate));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= word.len().div_ceil(NEAR_DIVISOR)).then_some(best)
}

/// Levenshtein's distance, in bytes.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}
