//! Builds a log batch: texts that stand in the body it is made from stay there, others go into the arena once, and every
//! entry gets its level and trace ids.

use super::fields::{LEVEL_FIELDS, hex_id, level_rank};
use super::labels::with_service_name;
use super::level::{level_of_line, level_of_severity_number, normalize_level};
use crate::Decoded;
use crate::arena::{Keys, is_utf8, place, push_text};
use crate::limits::ATTRIBUTES_PER_RECORD_MAX;
use memchr::memmem::Finder;
use model::{Labels, LogBatch, LogEntry, SpanId, Text, TraceId};
use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;

/// The structured metadata that carries the level.
const DETECTED_LEVEL: &str = "detected_level";
/// The label and structured metadata that names the trace.
const TRACE_ID: &str = "trace_id";

/// Collects streams and entries.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    /// Where texts may stay; the arena goes on behind it.
    body: &'a [u8],
    /// What is collected so far, but for ids that stand in lines. Of the arena it has what is not in the body.
    out: Decoded<LogBatch>,
    names: Keys,
    /// Texts that every entry may share.
    shared: Vec<(&'static str, Text)>,
    /// Metadata that entries with nothing but a level share.
    only_level: Vec<(&'static str, Range<u32>)>,
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

impl<'a> Writer<'a> {
    /// A batch whose arena will have `capacity` bytes or so.
    pub(crate) fn new(capacity: usize) -> Self {
        let mut writer = Self::over(&[]);
        writer.out.batch.arena.reserve(capacity);
        writer
    }

    /// A batch whose arena will be `body` with what [`end`](Self::end) returns behind it.
    pub(crate) fn over(body: &'a [u8]) -> Self {
        Self {
            body,
            out: Decoded::default(),
            names: Keys::default(),
            shared: Vec::new(),
            only_level: Vec::new(),
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
        self.out.batch.metadata.reserve(entries / 8);
    }

    /// The text's place in the body, or else in the arena, to which it is appended; invalid UTF-8 is replaced.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Text {
        match place(self.body, bytes) {
            Some(text) if is_utf8(bytes) => text,
            _ => push_text(&mut self.out.batch.arena, bytes).shifted(self.arena_start()),
        }
    }

    /// Where texts of the arena that is being written start.
    fn arena_start(&self) -> u32 {
        u32::try_from(self.body.len()).unwrap_or(u32::MAX)
    }

    fn bytes(&self, text: Text) -> &[u8] {
        match text.start.checked_sub(self.arena_start()) {
            Some(start) => Text { start, ..text }.bytes(&self.out.batch.arena),
            None => text.bytes(self.body),
        }
    }

    /// Adds structured metadata to the entry that [`finish`](Self::finish) will end. An empty value is no value; the
    /// name is brought into the label alphabet.
    pub(crate) fn metadata(&mut self, name: &[u8], value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let at = self.out.batch.metadata.len() - self.entry;
        let name = self.name(at, &sanitize(name));
        let value = self.text(value);
        self.out.batch.metadata.push((name, value));
    }

    /// The text of the name of the entry's pair number `at`: most often that of the entry before.
    fn name(&mut self, at: usize, name: &[u8]) -> Text {
        if let Some(text) = self.names.seen(at).filter(|text| self.bytes(*text) == name) {
            return text;
        }
        let text = self.text(name);
        self.names.remember(at, text);
        text
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
        let metadata = match self.level(pairs, line) {
            Some(Level::Known(level)) if pairs.is_empty() => self.only_level(level),
            Some(level) => {
                self.push_level(level);
                self.metadata_since(self.entry)
            }
            None => self.metadata_since(self.entry),
        };
        let batch = &mut self.out.batch;
        batch.entries.push(LogEntry { ts_ns, line, metadata, trace_id, span_id });
        if let Some(stream) = batch.streams.last_mut() {
            stream.entries.end += 1;
        }
        self.entry = batch.metadata.len();
    }

    fn metadata_since(&self, first: usize) -> Range<u32> {
        let index = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        index(first)..index(self.out.batch.metadata.len())
    }

    /// The metadata of an entry that has nothing but a level: one pair of each level serves all of them.
    fn only_level(&mut self, level: &'static str) -> Range<u32> {
        // By address: the words are few constants, and comparing them is a call.
        if let Some((_, metadata)) = self.only_level.iter().find(|(known, _)| std::ptr::eq(*known, level)) {
            return metadata.clone();
        }
        self.push_level(Level::Known(level));
        let metadata = self.metadata_since(self.entry);
        self.only_level.push((level, metadata.clone()));
        metadata
    }

    fn push_level(&mut self, level: Level) {
        let name = self.shared(DETECTED_LEVEL);
        let value = match level {
            Level::Known(level) => self.shared(level),
            Level::Other(text) => text,
        };
        self.out.batch.metadata.push((name, value));
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
        let mut best: Option<(usize, Text)> = None;
        let mut number = None;
        for (name, value) in pairs {
            let name = self.bytes(*name);
            match name.first() {
                Some(b'd') if name == DETECTED_LEVEL.as_bytes() => return None,
                Some(b's') if name == b"severity_number" => number = self.parse(*value),
                _ => {}
            }
            if let Some(rank) = level_rank(name)
                && best.is_none_or(|(before, _)| rank < before)
            {
                best = Some((rank, *value));
            }
        }
        if let Some((_, value)) = best {
            return Some(normalize_level(self.bytes(value)).map_or(Level::Other(value), Level::Known));
        }
        let level = number.map_or_else(|| level_of_line(self.bytes(line)), level_of_severity_number);
        Some(Level::Known(level))
    }

    /// What a query reads as the label `trace_id` decides, so that looking for a trace by its label finds its lines.
    fn ids(&self, pairs: &[(Text, Text)], given: (TraceId, SpanId)) -> (TraceId, SpanId) {
        let (mut trace, mut span) = given;
        let named = pairs.iter().rev().find(|(name, _)| self.bytes(*name) == TRACE_ID.as_bytes());
        let label = self.stream_trace.or_else(|| named.and_then(|(_, value)| self.parse(*value)));
        trace = label.unwrap_or(trace);
        for (name, value) in pairs {
            let name = self.bytes(*name);
            if trace.is_none() && is_id_name(name, b"trace") {
                trace = self.parse(*value).unwrap_or_default();
            } else if span.is_none() && is_id_name(name, b"span") {
                span = self.parse(*value).unwrap_or_default();
            }
        }
        (trace, span)
    }

    fn parse<T: FromStr>(&self, text: Text) -> Option<T> {
        std::str::from_utf8(self.bytes(text)).ok()?.parse().ok()
    }

    /// What was collected; of the arena what belongs behind the body. Lines of entries without ids are searched for them,
    /// all at once.
    pub(crate) fn end(mut self) -> Decoded<LogBatch> {
        let arena_start = self.arena_start();
        let LogBatch { arena, entries, .. } = &mut self.out.batch;
        let in_body = |entry: &&mut LogEntry| entry.line.start < arena_start;
        ids_in_lines(self.body, 0, entries.iter_mut().filter(in_body));
        ids_in_lines(arena, arena_start as usize, entries.iter_mut().filter(|entry| !in_body(entry)));
        self.out
    }
}

/// Looks for ids in the lines of those of `entries` that have none; the lines stand in `texts`, which begin at `start` of
/// the arena, in the order of the entries.
fn ids_in_lines<'a>(texts: &[u8], start: usize, entries: impl Iterator<Item = &'a mut LogEntry>) {
    let mut traced = Vec::new();
    let untraced = entries.filter(|entry| entry.trace_id.is_none());
    find_ids(texts, start, untraced, "trace", 32, |entry, id| {
        entry.trace_id = TraceId(id.to_be_bytes());
        traced.push(entry);
    });
    let spanless = traced.into_iter().filter(|entry| !entry.trace_id.is_none() && entry.span_id.is_none());
    find_ids(texts, start, spanless, "span", 16, |entry, id| {
        let [_, _, _, _, _, _, _, _, low @ ..] = id.to_be_bytes();
        entry.span_id = SpanId(low);
    });
}

/// Gives the first id in the line of each of `entries` to `found`. One search over all texts costs less than a search a
/// line.
fn find_ids<'a>(
    texts: &[u8],
    start: usize,
    entries: impl Iterator<Item = &'a mut LogEntry>,
    name: &str,
    digits_max: usize,
    mut found: impl FnMut(&'a mut LogEntry, u128),
) {
    let mut entries = entries.peekable();
    // The first letter comes in both cases.
    let name = name.get(1..).unwrap_or_default();
    for at in Finder::new(name).find_iter(texts) {
        let line = |entry: &LogEntry| {
            let first = (entry.line.start as usize).saturating_sub(start);
            first..first + entry.line.len as usize
        };
        while entries.next_if(|entry| line(entry).end <= at).is_some() {}
        let Some(line) = entries.peek().map(|entry| line(entry)) else { return };
        let rest = texts.get(at + name.len()..line.end).unwrap_or_default();
        let id = hex_id(rest, digits_max).filter(|_| line.contains(&at));
        if let Some((entry, id)) = id.and_then(|id| Some((entries.next()?, id))) {
            found(entry, id);
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
