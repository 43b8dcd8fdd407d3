//! Builds a log batch: lines and metadata go into the arena once, and every entry gets its level and trace ids.

use super::fields::{LEVEL_FIELDS, hex_id, level_rank};
use super::labels::with_service_name;
use super::level::{level_of_line, level_of_severity_number, normalize_level};
use crate::Decoded;
use crate::arena::{Keys, push_text};
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use memchr::memmem::Finder;
use model::{Labels, LogBatch, LogEntry, SpanId, Text, TraceId};
use std::borrow::Cow;

/// The structured metadata that carries the level.
const DETECTED_LEVEL: &str = "detected_level";
/// The label and structured metadata that names the trace.
const TRACE_ID: &str = "trace_id";

/// Collects streams and entries.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What is collected so far, but for ids that stand in lines.
    out: Decoded<LogBatch>,
    names: Keys,
    /// Texts that every entry may share.
    shared: Vec<(&'static str, Text)>,
    stream_level: Option<Level>,
    stream_trace: Option<TraceId>,
    entry: usize,
}

#[derive(Clone, Copy, Debug)]
enum Level {
    /// A canonical one.
    Known(&'static str),
    /// A word that some field gives and no list knows.
    Other(Text),
}

impl Writer {
    pub(crate) fn new(capacity: usize) -> Self {
        let mut out = Decoded::<LogBatch>::default();
        out.batch.arena.reserve(capacity);
        Self {
            out,
            names: Keys::default(),
            shared: Vec::new(),
            stream_level: None,
            stream_trace: None,
            entry: 0,
        }
    }

    /// Starts a stream; labels without a service name get one.
    pub(crate) fn stream(&mut self, labels: Labels) {
        let labels = with_service_name(labels);
        let word = LEVEL_FIELDS.iter().find_map(|name| labels.get(name));
        self.stream_level = word.map(|word| match normalize_level(word.as_bytes()) {
            Some(level) => Level::Known(level),
            None => Level::Other(self.text(word.as_bytes())),
        });
        self.stream_trace = labels.get(TRACE_ID).and_then(|id| id.parse().ok());
        self.out.batch.push_stream(labels);
        self.entry = self.out.batch.metadata.len();
    }

    /// Makes room for so many entries; most have nothing but a level.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.out.batch.entries.reserve(entries);
        self.out.batch.metadata.reserve(entries + entries / 8);
    }

    /// Appends text to the arena; invalid UTF-8 is replaced.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Text {
        push_text(&mut self.out.batch.arena, bytes)
    }

    /// Adds structured metadata to the entry that [`finish`](Self::finish) will end. An empty value is no value; the
    /// name is brought into the label alphabet.
    pub(crate) fn metadata(&mut self, name: &[u8], value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let at = self.out.batch.metadata.len() - self.entry;
        let name = self.names.intern(&mut self.out.batch.arena, at, &sanitize(name));
        let value = self.text(value);
        self.out.batch.metadata.push((name, value));
    }

    /// Adds metadata whose texts stand in the arena already.
    pub(crate) fn shared_metadata(&mut self, pairs: &[(Text, Text)]) {
        self.out.batch.metadata.extend_from_slice(pairs);
    }

    /// Counts records that cannot be taken; `reason` says why.
    pub(crate) fn reject(&mut self, records: u64, reason: impl FnOnce() -> String) {
        self.out.reject(records, reason);
    }

    /// Ends an entry. Ids that the protocol does not give are looked for in metadata now, in the line at the
    /// [`end`](Self::end).
    pub(crate) fn finish(&mut self, ts_ns: i64, line: Text, ids: (TraceId, SpanId)) {
        let batch = &self.out.batch;
        let pairs = batch.metadata.get(self.entry..).unwrap_or_default();
        if pairs.len() > ATTRIBUTES_PER_RECORD_MAX {
            self.out.batch.metadata.truncate(self.entry);
            self.out.reject(1, || {
                format!("entry with more than {ATTRIBUTES_PER_RECORD_MAX} pairs of structured metadata")
            });
            return;
        }
        let (trace_id, span_id) = self.ids(pairs, ids);
        if let Some(level) = self.level(pairs, line) {
            let name = self.shared(DETECTED_LEVEL);
            let value = match level {
                Level::Known(level) => self.shared(level),
                Level::Other(text) => text,
            };
            self.out.batch.metadata.push((name, value));
        }
        let index = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let batch = &mut self.out.batch;
        let metadata = index(self.entry)..index(batch.metadata.len());
        batch.entries.push(LogEntry { ts_ns, line, metadata, trace_id, span_id });
        if let Some(stream) = batch.streams.last_mut() {
            stream.entries.end += 1;
        }
        self.entry = batch.metadata.len();
    }

    fn shared(&mut self, word: &'static str) -> Text {
        if let Some((_, text)) = self.shared.iter().find(|(known, _)| *known == word) {
            return *text;
        }
        let text = self.text(word.as_bytes());
        self.shared.push((word, text));
        text
    }

    /// The level to add; `None` when the entry came with one.
    fn level(&self, pairs: &[(Text, Text)], line: Text) -> Option<Level> {
        if self.stream_level.is_some() {
            return self.stream_level;
        }
        let arena = &self.out.batch.arena;
        let mut best: Option<(usize, Text)> = None;
        let mut number = None;
        for (name, value) in pairs {
            let name = name.bytes(arena);
            match name.first() {
                Some(b'd') if name == DETECTED_LEVEL.as_bytes() => return None,
                Some(b's') if name == b"severity_number" => number = value.str(arena).parse().ok(),
                _ => {}
            }
            if let Some(rank) = level_rank(name)
                && best.is_none_or(|(before, _)| rank < before)
            {
                best = Some((rank, *value));
            }
        }
        if let Some((_, value)) = best {
            return Some(normalize_level(value.bytes(arena)).map_or(Level::Other(value), Level::Known));
        }
        let level = number.map_or_else(|| level_of_line(line.bytes(arena)), level_of_severity_number);
        Some(Level::Known(level))
    }

    /// What a query reads as the label `trace_id` decides, so that looking for a trace by its label finds its lines.
    fn ids(&self, pairs: &[(Text, Text)], given: (TraceId, SpanId)) -> (TraceId, SpanId) {
        let (mut trace, mut span) = given;
        let arena = &self.out.batch.arena;
        let named = pairs.iter().rev().find(|(name, _)| name.bytes(arena) == TRACE_ID.as_bytes());
        let label = self.stream_trace.or_else(|| named.and_then(|(_, value)| value.str(arena).parse().ok()));
        trace = label.unwrap_or(trace);
        for (name, value) in pairs {
            let name = name.bytes(arena);
            if trace.is_none() && is_id_name(name, b"trace") {
                trace = value.str(arena).parse().unwrap_or_default();
            } else if span.is_none() && is_id_name(name, b"span") {
                span = value.str(arena).parse().unwrap_or_default();
            }
        }
        (trace, span)
    }

    /// What was collected. Lines of entries without ids are searched for them, all at once.
    pub(crate) fn end(mut self) -> Decoded<LogBatch> {
        let LogBatch { arena, entries, .. } = &mut self.out.batch;
        let mut traced = Vec::new();
        let untraced = entries.iter_mut().filter(|entry| entry.trace_id.is_none());
        ids_in_lines(arena, untraced, "trace", 32, |entry, id| {
            entry.trace_id = TraceId(id.to_be_bytes());
            traced.push(entry);
        });
        let spanless =
            traced.into_iter().filter(|entry| !entry.trace_id.is_none() && entry.span_id.is_none());
        ids_in_lines(arena, spanless, "span", 16, |entry, id| {
            let [_, _, _, _, _, _, _, _, low @ ..] = id.to_be_bytes();
            entry.span_id = SpanId(low);
        });
        self.out
    }
}

/// Gives the first id in the line of each of `entries`, which stand in the order of their lines, to `found`. One search
/// over the arena costs less than a search a line.
fn ids_in_lines<'a>(
    arena: &[u8],
    mut entries: impl Iterator<Item = &'a mut LogEntry>,
    name: &str,
    digits_max: usize,
    mut found: impl FnMut(&'a mut LogEntry, u128),
) {
    let mut next = entries.next();
    // The first letter comes in both cases.
    let name = name.get(1..).unwrap_or_default();
    for at in Finder::new(name).find_iter(arena) {
        let line_ends = |entry: &LogEntry| (entry.line.start + entry.line.len) as usize;
        while next.as_ref().is_some_and(|entry| line_ends(entry) <= at) {
            next = entries.next();
        }
        let Some(entry) = next.take() else { return };
        let rest = arena.get(at + name.len()..line_ends(entry)).unwrap_or_default();
        match hex_id(rest, digits_max).filter(|_| at >= entry.line.start as usize) {
            Some(id) => {
                found(entry, id);
                next = entries.next();
            }
            None => next = Some(entry),
        }
    }
}

/// `trace_id`, `traceId`, `TraceID`, `traceid`.
fn is_id_name(name: &[u8], stem: &[u8]) -> bool {
    let (Some(head), Some(rest)) = (name.get(..stem.len()), name.get(stem.len()..)) else { return false };
    head.eq_ignore_ascii_case(stem) && rest.strip_prefix(b"_").unwrap_or(rest).eq_ignore_ascii_case(b"id")
}

/// A name in the label alphabet: other characters become `_`, a leading digit gets `key_` before it.
pub(crate) fn sanitize(name: &[u8]) -> Cow<'_, [u8]> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let digit = name.first().is_some_and(u8::is_ascii_digit);
    if !digit && name.iter().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut out = if digit { b"key_".to_vec() } else { Vec::new() };
    let text = String::from_utf8_lossy(name);
    out.extend(
        text.chars()
            .map(|char| if char.is_ascii_alphanumeric() { char } else { '_' })
            .filter_map(|char| u8::try_from(char).ok()),
    );
    Cow::Owned(out)
}
