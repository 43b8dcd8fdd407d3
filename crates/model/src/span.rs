//! Spans: flat tables over one arena. A request's spans come in any order; a scan yields whole traces, the spans of
//! one trace standing together, ordered by start.

use crate::attr::{Attr, ValueRef};
use crate::id::{SpanId, TraceId};
use crate::scan::Operation;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

/// The service of spans whose resource names none, as OpenTelemetry's SDKs call it.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// OTLP span kinds, with OTLP's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified = 0,
    /// Inside one service.
    Internal = 1,
    /// Handles a call.
    Server = 2,
    /// Makes a call.
    Client = 3,
    /// Puts a message on a queue.
    Producer = 4,
    /// Takes a message off a queue.
    Consumer = 5,
}

impl SpanKind {
    /// From OTLP's number; unknown numbers are [`SpanKind::Unspecified`].
    #[must_use]
    pub fn from_otlp(number: i32) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    /// `server`, `client`, ... as TraceQL and Jaeger spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// OTLP status codes, with OTLP's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum StatusCode {
    /// Nobody judged.
    #[default]
    Unset = 0,
    /// Judged fine.
    Ok = 1,
    /// Failed.
    Error = 2,
}

impl StatusCode {
    /// From OTLP's number; unknown numbers are [`StatusCode::Unset`].
    #[must_use]
    pub fn from_otlp(number: i32) -> Self {
        match number {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }

    /// `unset`, `ok` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// What a group of spans came from: `service.name`, `k8s.pod.name`, ...
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Indices into [`SpanBatch::attrs`].
    pub attrs: Range<u32>,
}

/// The instrumentation library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Library name.
    pub name: Text,
    /// Library version.
    pub version: Text,
    /// Indices into [`SpanBatch::attrs`].
    pub attrs: Range<u32>,
}

/// Something that happened inside a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Nanoseconds since the epoch.
    pub ts_ns: i64,
    /// Event name.
    pub name: Text,
    /// Indices into [`SpanBatch::attrs`].
    pub attrs: Range<u32>,
}

/// A reference to another span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// The other trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// W3C trace state.
    pub trace_state: Text,
    /// Indices into [`SpanBatch::attrs`].
    pub attrs: Range<u32>,
}

/// One span's fixed fields; everything of variable size is a range into the batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanRow {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its parent; none for a root.
    pub parent_id: SpanId,
    /// Nanoseconds since the epoch.
    pub start_ns: i64,
    /// Nanoseconds; never negative.
    pub duration_ns: i64,
    /// Operation name.
    pub name: Text,
    /// Kind.
    pub kind: SpanKind,
    /// Status.
    pub status: StatusCode,
    /// Status message.
    pub status_message: Text,
    /// W3C trace state.
    pub trace_state: Text,
    /// W3C flags as OTLP carries them.
    pub flags: u32,
    /// Index into [`SpanBatch::resources`].
    pub resource: u32,
    /// Index into [`SpanBatch::scopes`].
    pub scope: u32,
    /// Indices into [`SpanBatch::attrs`].
    pub attrs: Range<u32>,
    /// Indices into [`SpanBatch::events`].
    pub events: Range<u32>,
    /// Indices into [`SpanBatch::links`].
    pub links: Range<u32>,
}

/// Spans of one request, or of one scan step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanBatch {
    /// Bytes that the texts point into.
    pub arena: Vec<u8>,
    /// What the spans came from.
    pub resources: Vec<Resource>,
    /// What made them.
    pub scopes: Vec<Scope>,
    /// The spans.
    pub spans: Vec<SpanRow>,
    /// Attributes of resources, scopes, spans, events and links.
    pub attrs: Vec<Attr>,
    /// Events of all spans.
    pub events: Vec<Event>,
    /// Links of all spans.
    pub links: Vec<Link>,
}

impl SpanBatch {
    /// Span `at` with the tables it needs.
    #[must_use]
    pub fn span(&self, at: usize) -> Option<SpanRef<'_>> {
        self.spans.get(at).map(|row| SpanRef { batch: self, row })
    }

    /// All spans in order.
    pub fn iter(&self) -> impl Iterator<Item = SpanRef<'_>> {
        self.spans.iter().map(|row| SpanRef { batch: self, row })
    }

    /// Adds the operations of the spans that start in `range_ns` to `found`.
    pub fn operations(&self, range_ns: &Range<i64>, found: &mut BTreeSet<Operation>) {
        let inside = self.iter().filter(|span| range_ns.contains(&span.row.start_ns));
        let distinct: HashSet<(&str, &str, SpanKind)> =
            inside.map(|span| (span.service(), span.name(), span.row.kind)).collect();
        found.extend(distinct.into_iter().map(|(service, name, kind)| Operation {
            service: service.to_owned(),
            name: name.to_owned(),
            kind,
        }));
    }

    /// The attributes in `range`, key and value.
    pub fn attrs(&self, range: &Range<u32>) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
        let attrs = self.attrs.get(range.start as usize..range.end as usize).unwrap_or_default();
        attrs.iter().map(|attr| (attr.key.str(&self.arena), attr.value.resolve(&self.arena)))
    }

    /// Appends a text to the arena.
    pub fn text(&mut self, text: &str) -> Text {
        Text::push(&mut self.arena, text.as_bytes())
    }

    /// Appends attributes and returns their range.
    pub fn push_attrs<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, ValueRef<'a>)>) -> Range<u32> {
        let first = u32::try_from(self.attrs.len()).unwrap_or(u32::MAX);
        for (key, value) in pairs {
            let key = Text::push(&mut self.arena, key.as_bytes());
            self.attrs.push(Attr { key, value: value.store(&mut self.arena) });
        }
        first..u32::try_from(self.attrs.len()).unwrap_or(u32::MAX)
    }
}

/// A span together with its batch.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    batch: &'a SpanBatch,
    /// The fixed fields.
    pub row: &'a SpanRow,
}

impl<'a> SpanRef<'a> {
    /// Operation name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.row.name.str(&self.batch.arena)
    }

    /// Status message.
    #[must_use]
    pub fn status_message(&self) -> &'a str {
        self.row.status_message.str(&self.batch.arena)
    }

    /// End time, nanoseconds since the epoch.
    #[must_use]
    pub fn end_ns(&self) -> i64 {
        self.row.start_ns.saturating_add(self.row.duration_ns)
    }

    /// The span's own attributes.
    pub fn attrs(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        self.batch.attrs(&self.row.attrs)
    }

    /// The span's own attribute `key`.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<ValueRef<'a>> {
        self.attrs().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The attributes of what it came from.
    pub fn resource_attrs(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        let batch = self.batch;
        let resource = batch.resources.get(self.row.resource as usize);
        resource.into_iter().flat_map(move |resource| batch.attrs(&resource.attrs))
    }

    /// The resource attribute `key`.
    #[must_use]
    pub fn resource_attr(&self, key: &str) -> Option<ValueRef<'a>> {
        self.resource_attrs().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// `service.name`, or [`UNKNOWN_SERVICE`].
    #[must_use]
    pub fn service(&self) -> &'a str {
        match self.resource_attr("service.name") {
            Some(ValueRef::Str(name)) if !name.is_empty() => name,
            _ => UNKNOWN_SERVICE,
        }
    }

    /// The instrumentation library.
    #[must_use]
    pub fn scope(&self) -> Option<&'a Scope> {
        self.batch.scopes.get(self.row.scope as usize)
    }

    /// Its events.
    #[must_use]
    pub fn events(&self) -> &'a [Event] {
        let range = self.row.events.start as usize..self.row.events.end as usize;
        self.batch.events.get(range).unwrap_or_default()
    }

    /// Its links.
    #[must_use]
    pub fn links(&self) -> &'a [Link] {
        let range = self.row.links.start as usize..self.row.links.end as usize;
        self.batch.links.get(range).unwrap_or_default()
    }

    /// The batch it stands in.
    #[must_use]
    pub fn batch(&self) -> &'a SpanBatch {
        self.batch
    }
}
