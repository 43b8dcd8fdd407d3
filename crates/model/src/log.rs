//! Log records: streams of lines, with structured metadata and the ids of the trace they belong to.

use crate::id::{SpanId, TraceId};
use crate::labels::Labels;
use crate::text::Text;
use bytes::Bytes;
use std::ops::Range;

/// One line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogEntry {
    /// Nanoseconds since the epoch.
    pub ts_ns: i64,
    /// The line, UTF-8, in the arena.
    pub line: Text,
    /// Structured metadata: indices into [`LogBatch::metadata`]; entries may share them.
    pub metadata: Range<u32>,
    /// From OTLP's field or from metadata or the line; none when all zero.
    pub trace_id: TraceId,
    /// None when all zero.
    pub span_id: SpanId,
}

/// Lines that share a label set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogStream {
    /// The stream's labels.
    pub labels: Labels,
    /// Indices into [`LogBatch::entries`].
    pub entries: Range<u32>,
}

/// Log records of one request, or of one scan step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogBatch {
    /// Bytes that the texts point into.
    pub arena: Vec<u8>,
    /// The snappy block that the arena's first bytes came in; empty when they came otherwise. What is durable may hold it
    /// in their place. It unpacks to exactly them: whoever changes them clears it.
    pub packed: Bytes,
    /// The streams; a label set may come more than once.
    pub streams: Vec<LogStream>,
    /// Entries of all streams.
    pub entries: Vec<LogEntry>,
    /// Structured metadata, key and value, that entries refer to.
    pub metadata: Vec<(Text, Text)>,
}

impl LogBatch {
    /// The line of `entry`.
    #[must_use]
    pub fn line(&self, entry: &LogEntry) -> &str {
        entry.line.str(&self.arena)
    }

    /// The structured metadata of `entry`, in the order it was sent.
    pub fn metadata(&self, entry: &LogEntry) -> impl Iterator<Item = (&str, &str)> {
        let range = entry.metadata.start as usize..entry.metadata.end as usize;
        let pairs = self.metadata.get(range).unwrap_or_default();
        pairs.iter().map(|(key, value)| (key.str(&self.arena), value.str(&self.arena)))
    }

    /// The entries of `stream`.
    #[must_use]
    pub fn entries(&self, stream: &LogStream) -> &[LogEntry] {
        self.entries.get(stream.entries.start as usize..stream.entries.end as usize).unwrap_or_default()
    }

    /// Starts a stream; the entries pushed until the next call belong to it.
    pub fn push_stream(&mut self, labels: Labels) {
        let at = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.streams.push(LogStream { labels, entries: at..at });
    }

    /// Appends a line to the stream begun last; does nothing when there is none.
    pub fn push_entry<'a>(
        &mut self,
        ts_ns: i64,
        line: &str,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
        ids: (TraceId, SpanId),
    ) {
        let Some(stream) = self.streams.last_mut() else { return };
        let line = Text::push(&mut self.arena, line.as_bytes());
        let first = u32::try_from(self.metadata.len()).unwrap_or(u32::MAX);
        for (key, value) in metadata {
            let key = Text::push(&mut self.arena, key.as_bytes());
            self.metadata.push((key, Text::push(&mut self.arena, value.as_bytes())));
        }
        let last = u32::try_from(self.metadata.len()).unwrap_or(u32::MAX);
        self.entries.push(LogEntry { ts_ns, line, metadata: first..last, trace_id: ids.0, span_id: ids.1 });
        stream.entries.end += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_belong_to_the_stream_begun_last() {
        let mut batch = LogBatch::default();
        batch.push_entry(0, "lost", [], Default::default());
        batch.push_stream(Labels::from_pairs([("app", "a")]));
        batch.push_entry(1, "one", [("k", "v")], Default::default());
        batch.push_stream(Labels::from_pairs([("app", "b")]));
        batch.push_entry(2, "two", [], Default::default());
        let lines: Vec<_> = batch
            .streams
            .iter()
            .map(|stream| batch.entries(stream).iter().map(|e| batch.line(e)).collect::<Vec<_>>())
            .collect();
        assert_eq!(lines, [["one"], ["two"]]);
        assert_eq!(batch.metadata(&batch.entries[0]).collect::<Vec<_>>(), [("k", "v")]);
    }
}
