//! Builds span batches for protocols that know processes and endpoints rather than OTLP's resources and scopes.

use model::attr::ValueRef;
use model::span::{Resource, Scope};
use model::{SpanBatch, SpanId, SpanRow, TraceId};
use std::collections::HashMap;

/// An attribute on its way into a batch.
pub(crate) type Pair<'a> = (&'a str, ValueRef<'a>);

/// A span batch whose resources and scopes are stored once.
#[derive(Debug, Default)]
pub(crate) struct SpanWriter {
    /// What is built so far.
    pub(crate) batch: SpanBatch,
    resources: HashMap<Vec<u8>, u32>,
    scopes: HashMap<(String, String), u32>,
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl SpanWriter {
    /// The resource that `key` names (any bytes that say all of it), made of `attrs` when it is new.
    pub(crate) fn resource<'a>(&mut self, key: Vec<u8>, attrs: impl IntoIterator<Item = Pair<'a>>) -> u32 {
        if let Some(at) = self.resources.get(&key) {
            return *at;
        }
        let at = index(self.batch.resources.len());
        let attrs = self.batch.push_attrs(attrs);
        self.batch.resources.push(Resource { attrs });
        self.resources.insert(key, at);
        at
    }

    /// The scope of that name and version.
    pub(crate) fn scope(&mut self, name: &str, version: &str) -> u32 {
        let key = (name.to_owned(), version.to_owned());
        if let Some(at) = self.scopes.get(&key) {
            return *at;
        }
        let at = index(self.batch.scopes.len());
        let (name, version) = (self.batch.text(name), self.batch.text(version));
        self.batch.scopes.push(Scope { name, version, ..Scope::default() });
        self.scopes.insert(key, at);
        at
    }

    /// Appends a span whose attributes, events and links were appended before.
    pub(crate) fn push(&mut self, row: SpanRow) {
        self.batch.spans.push(row);
    }
}

/// Ids as a span needs them: neither may be all zero.
pub(crate) fn valid_ids(trace: TraceId, span: SpanId) -> bool {
    !trace.is_none() && !span.is_none()
}

/// An attribute value as plain text, the way strings-only protocols carry it.
pub(crate) fn text_of(value: ValueRef<'_>) -> String {
    use base64::Engine;
    match value {
        ValueRef::Empty => String::new(),
        ValueRef::Str(text) => text.to_owned(),
        ValueRef::Int(number) => number.to_string(),
        ValueRef::Double(number) => crate::otlp::json::double_text(number),
        ValueRef::Bool(flag) => flag.to_string(),
        ValueRef::Bytes(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes),
        ValueRef::Json(json) => crate::otlp::plain_json(json),
    }
}
