//! The labels of one line while it passes through a pipeline: where each came from, and which error it met.
//!
//! Names are interned for the whole query and values live in one buffer that is reused from line to line, so a line
//! that is filtered out, and one whose series is known already, allocates nothing.

use super::labels::LabelSet;
use model::{Label, Labels};
use std::collections::HashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// Label that names what went wrong with a line.
pub(super) const ERROR: &str = "__error__";
/// Label that explains it.
pub(super) const ERROR_DETAILS: &str = "__error_details__";
/// Suffix of an extracted label whose name a stream label or metadata holds already.
const EXTRACTED: &str = "_extracted";

/// An interned name.
pub(super) type Name = u32;

/// Where a label came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Stream,
    Metadata,
    Parsed,
}

#[derive(Clone, Copy)]
struct Slot {
    name: Name,
    origin: Origin,
    start: usize,
    end: usize,
}

/// Every name a query met.
#[derive(Default)]
pub(super) struct Names {
    ids: HashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
    /// Raw keys of log lines to sanitised names; bounded by [`KEYS_MAX`].
    keys: HashMap<Box<str>, Option<Name>>,
    extracted: HashMap<Name, Name>,
}

/// Raw keys remembered; more are sanitised anew each time.
const KEYS_MAX: usize = 65_536;

impl Names {
    pub(super) fn intern(&mut self, text: &str) -> Name {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = Name::try_from(self.texts.len()).unwrap_or(Name::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }

    pub(super) fn text(&self, name: Name) -> Arc<str> {
        self.texts.get(name as usize).cloned().unwrap_or_else(|| Arc::from(""))
    }

    /// The label name for a key found in a line; `None` for an empty one.
    pub(super) fn key(&mut self, raw: &str) -> Option<Name> {
        if let Some(name) = self.keys.get(raw) {
            return *name;
        }
        let clean = sanitize(raw);
        let name = (!clean.is_empty()).then(|| self.intern(&clean));
        if self.keys.len() < KEYS_MAX {
            self.keys.insert(raw.into(), name);
        }
        name
    }

    fn extracted(&mut self, name: Name) -> Name {
        if let Some(found) = self.extracted.get(&name) {
            return *found;
        }
        let text = format!("{}{EXTRACTED}", self.text(name));
        let found = self.intern(&text);
        self.extracted.insert(name, found);
        found
    }
}

/// A label name out of any text: what is no letter, digit or underscore becomes one, a leading digit gets one.
pub(super) fn sanitize(raw: &str) -> String {
    let raw = raw.trim();
    let mut out = String::with_capacity(raw.len() + 1);
    if raw.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    out.extend(raw.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }));
    out
}

/// The labels of the line at hand.
#[derive(Default)]
pub(super) struct Record {
    pub(super) names: Names,
    stream: Vec<Slot>,
    stream_bytes: usize,
    slots: Vec<Slot>,
    /// Names of stream labels and metadata, whatever became of them since.
    base: Vec<Name>,
    values: String,
    error: Option<&'static str>,
    details: Option<String>,
    order: Vec<u32>,
    /// Nanoseconds since the epoch.
    pub(super) ts_ns: i64,
    /// When the query runs, for templates; set once.
    pub(super) now_ns: i64,
}

impl Record {
    /// Starts a stream: what follows are its lines.
    pub(super) fn begin_stream(&mut self, labels: &Labels) {
        self.values.clear();
        self.slots.clear();
        for label in labels {
            let name = self.names.intern(&label.name);
            self.push(name, Origin::Stream, &label.value);
        }
        self.stream.clear();
        self.stream.extend_from_slice(&self.slots);
        self.stream_bytes = self.values.len();
    }

    /// Starts a line of the stream.
    pub(super) fn begin_line<'a>(&mut self, ts_ns: i64, metadata: impl Iterator<Item = (&'a str, &'a str)>) {
        self.values.truncate(self.stream_bytes);
        self.slots.clear();
        self.slots.extend_from_slice(&self.stream);
        self.base.clear();
        self.base.extend(self.stream.iter().map(|slot| slot.name));
        self.error = None;
        self.details = None;
        self.ts_ns = ts_ns;
        for (key, value) in metadata {
            let Some(mut name) = self.names.key(key) else { continue };
            if self.stream.iter().any(|slot| slot.name == name) {
                name = self.names.extracted(name);
            } else {
                self.base.push(name);
            }
            self.set(name, Origin::Metadata, value);
        }
    }

    fn push(&mut self, name: Name, origin: Origin, value: &str) {
        let start = self.values.len();
        self.values.push_str(value);
        self.slots.push(Slot { name, origin, start, end: self.values.len() });
    }

    /// Sets a label, whatever it was.
    pub(super) fn set(&mut self, name: Name, origin: Origin, value: &str) {
        let start = self.values.len();
        self.values.push_str(value);
        let slot = Slot { name, origin, start, end: self.values.len() };
        match self.slots.iter_mut().find(|slot| slot.name == name) {
            Some(found) => *found = slot,
            None => self.slots.push(slot),
        }
    }

    pub(super) fn remove(&mut self, name: Name) {
        self.slots.retain(|slot| slot.name != name);
    }

    /// A label that is no error label.
    pub(super) fn label(&self, name: Name) -> Option<&str> {
        self.slots
            .iter()
            .find(|slot| slot.name == name)
            .and_then(|slot| self.values.get(slot.start..slot.end))
    }

    /// A label, or one of the error labels.
    pub(super) fn get(&self, name: Name) -> Option<&str> {
        self.label(name).or_else(|| match self.names.texts.get(name as usize).map(|text| &**text) {
            Some(ERROR) => self.error,
            Some(ERROR_DETAILS) => self.details.as_deref(),
            _ => None,
        })
    }

    /// The name an extracted field gets: its own, unless the stream or the metadata holds it.
    fn landing(&mut self, name: Name) -> Name {
        if self.base.contains(&name) { self.names.extracted(name) } else { name }
    }

    /// Adds a field that a parser found; the first value of a name stays.
    pub(super) fn extract(&mut self, name: Name, value: &str) {
        let name = self.landing(name);
        if self.slots.iter().any(|slot| slot.name == name && slot.origin == Origin::Parsed) {
            return;
        }
        self.set(name, Origin::Parsed, value);
    }

    /// Adds a field that the query named; it replaces an earlier value.
    pub(super) fn assign(&mut self, name: Name, value: &str) {
        let name = self.landing(name);
        self.set(name, Origin::Parsed, value);
    }

    /// Keeps the labels that `keep` accepts by name and value.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Name, &str) -> bool) {
        let values = &self.values;
        self.slots.retain(|slot| keep(slot.name, values.get(slot.start..slot.end).unwrap_or_default()));
    }

    pub(super) fn fail(&mut self, error: &'static str, details: impl Into<String>) {
        if self.error.is_none() {
            self.error = Some(error);
            let details = details.into();
            self.details = (!details.is_empty()).then_some(details);
        }
    }

    pub(super) fn error(&self) -> Option<&'static str> {
        self.error
    }

    pub(super) fn clear_error(&mut self) {
        self.error = None;
    }

    pub(super) fn clear_details(&mut self) {
        self.details = None;
    }

    /// Name and value of every label, error labels included, unsorted.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |name: Name| self.names.texts.get(name as usize).map_or("", |text| &**text);
        let slots = self
            .slots
            .iter()
            .map(move |slot| (text(slot.name), self.values.get(slot.start..slot.end).unwrap_or_default()));
        slots
            .chain(self.error.map(|error| (ERROR, error)))
            .chain(self.details.as_deref().map(|d| (ERROR_DETAILS, d)))
    }

    /// A hash of the labels that `keep` accepts, equal for equal sets.
    pub(super) fn hash(&mut self, keep: impl Fn(Name) -> bool) -> u128 {
        self.order.clear();
        let slots = self.slots.iter().enumerate().filter(|(_, slot)| keep(slot.name));
        self.order.extend(slots.map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)));
        let slots = &self.slots;
        self.order.sort_unstable_by_key(|at| slots.get(*at as usize).map_or(0, |slot| slot.name));
        let mut hasher = Xxh3Default::new();
        for slot in self.order.iter().filter_map(|at| slots.get(*at as usize)) {
            hasher.update(&slot.name.to_le_bytes());
            hasher.update(self.values.get(slot.start..slot.end).unwrap_or_default().as_bytes());
            hasher.update(&[0xFF]);
        }
        if let Some(error) = self.error {
            hasher.update(error.as_bytes());
        }
        hasher.digest128()
    }

    /// The labels that `keep` accepts as a set.
    pub(super) fn set_of(&self, keep: impl Fn(Name, Origin) -> bool) -> LabelSet {
        let slots = self.slots.iter().filter(|slot| keep(slot.name, slot.origin));
        slots
            .map(|slot| Label {
                name: self.names.text(slot.name),
                value: self.values.get(slot.start..slot.end).unwrap_or_default().into(),
            })
            .collect()
    }

    /// The error labels as a set.
    pub(super) fn error_set(&self) -> LabelSet {
        let error = self.error.map(|error| (ERROR, error));
        LabelSet::from_pairs(error.into_iter().chain(self.details.as_deref().map(|d| (ERROR_DETAILS, d))))
    }
}
