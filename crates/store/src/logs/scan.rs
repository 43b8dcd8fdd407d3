//! Scans: windows of time, newest or oldest first, each answered from every block and memory chunk that overlaps it.
//!
//! A window starts small, so that a query that needs a few lines reads little, and grows. In a window the cheap tests
//! come first: stream and time from the index, trace id, token filter, templates; only then are lines built.

use super::index::LogIndex;
use super::memory::Chunk;
use super::open::OpenBlock;
use super::write::{drop_resent, hash};
use crate::column::template::Needle;
use crate::error::PartError;
use crate::part::Part;
use crate::window::{self, Extent};
use memchr::memmem;
use model::scan::{Budget, Direction, LogSelect, ScanError};
use model::{Labels, LogBatch, LogEntry, LogStream, Matcher, TraceId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Records aimed at in the first window, and at most.
const WINDOW_ROWS_MIN: u64 = 1 << 11;
const WINDOW_ROWS_MAX: u64 = 1 << 16;
/// Bytes of lines and metadata aimed at, at most.
const WINDOW_BYTES_MAX: u64 = 16 << 20;
/// Bytes of decoded blocks that stay open between windows.
const OPEN_BYTES_MAX: u64 = 128 << 20;

/// The rows of one selected stream in a piece.
pub(super) struct PieceRun {
    /// Number of the stream in the scan.
    stream: u32,
    rows: Range<u32>,
    min_ns: i64,
    max_ns: i64,
}

/// Where records are.
enum Place {
    Block(Box<OpenBlock>, Arc<Part>),
    Memory(Arc<Chunk>),
}

/// A block or a memory chunk that overlaps the range.
pub(super) struct Piece {
    place: Place,
    runs: Vec<PieceRun>,
    extent: Extent,
    bytes: u64,
    /// The token filter was asked.
    asked: bool,
    /// `false` once it is known that nothing in the piece matches.
    alive: bool,
}

/// The streams of a scan: each label set once, in the order found.
#[derive(Default)]
pub(super) struct Streams {
    codes: HashMap<Labels, u32>,
    labels: Vec<Labels>,
}

impl Streams {
    fn code(&mut self, labels: &Labels) -> u32 {
        if let Some(code) = self.codes.get(labels) {
            return *code;
        }
        let code = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        self.codes.insert(labels.clone(), code);
        self.labels.push(labels.clone());
        code
    }
}

/// Asks matchers once per distinct value of a label.
pub(super) struct StreamFilter<'m> {
    matchers: &'m [Matcher],
    known: Vec<HashMap<Arc<str>, bool>>,
}

impl<'m> StreamFilter<'m> {
    /// All of `matchers` must hold.
    pub(super) fn new(matchers: &'m [Matcher]) -> Self {
        Self { matchers, known: vec![HashMap::new(); matchers.len()] }
    }

    /// Whether a stream is selected.
    pub(super) fn selects(&mut self, labels: &Labels) -> bool {
        self.matchers.iter().zip(&mut self.known).all(|(matcher, known)| {
            let label = labels.iter().find(|label| *label.name == *matcher.name);
            let Some(label) = label else { return matcher.matches_empty() };
            if let Some(hit) = known.get(&label.value) {
                return *hit;
            }
            let hit = matcher.matches(&label.value);
            known.insert(label.value.clone(), hit);
            hit
        })
    }
}

/// A scan under way.
pub(super) struct Scan<'a> {
    select: &'a LogSelect,
    conditions: Conditions,
    streams: Streams,
    pieces: Vec<Piece>,
}

/// What a record must have.
struct Conditions {
    needles: Vec<Needle>,
    /// The id "none" is no condition.
    trace_id: Option<TraceId>,
}

impl<'a> Scan<'a> {
    /// A scan that has no pieces yet.
    pub(super) fn new(select: &'a LogSelect) -> Self {
        let needles = select.contains.iter().filter(|bytes| !bytes.is_empty());
        let needles = needles.map(|bytes| Needle::new(bytes)).collect();
        let conditions = Conditions { needles, trace_id: select.trace_id.filter(|id| !id.is_none()) };
        Self { select, conditions, streams: Streams::default(), pieces: Vec::new() }
    }

    /// Adds the blocks of a part that may hold matches.
    pub(super) fn add_part(
        &mut self,
        part: &Arc<Part>,
        filter: &mut StreamFilter<'_>,
    ) -> Result<(), PartError> {
        let index = LogIndex::of(part)?;
        let codes: Vec<Option<u32>> = index
            .streams
            .iter()
            .map(|labels| filter.selects(labels).then(|| self.streams.code(labels)))
            .collect();
        let wanted = match self.conditions.trace_id {
            Some(id) => Some(index.traces(part)?.blocks(id).collect::<Vec<u32>>()),
            None => None,
        };
        for (number, block) in index.blocks.iter().enumerate() {
            if wanted.as_ref().is_some_and(|wanted| !wanted.iter().any(|wanted| *wanted as usize == number)) {
                continue;
            }
            let runs = index.runs(block).iter().filter_map(|run| {
                let stream = codes.get(run.stream as usize).copied().flatten()?;
                self.overlaps(run.min_ns, run.max_ns).then(|| PieceRun {
                    stream,
                    rows: run.rows.clone(),
                    min_ns: run.min_ns,
                    max_ns: run.max_ns,
                })
            });
            let runs: Vec<PieceRun> = runs.collect();
            let bytes = index.runs(block).iter().map(|run| run.bytes).sum();
            let open = Box::new(OpenBlock::new(part.clone(), index.clone(), number));
            self.add(Place::Block(open, part.clone()), runs, bytes);
        }
        Ok(())
    }

    /// Adds a memory chunk.
    pub(super) fn add_chunk(&mut self, chunk: &Arc<Chunk>, filter: &mut StreamFilter<'_>) {
        if !self.overlaps(chunk.min_ns, chunk.max_ns) {
            return;
        }
        let mut runs = Vec::new();
        for stream in chunk.batch.streams.iter().filter(|stream| filter.selects(&stream.labels)) {
            let entries = chunk.batch.entries(stream);
            if let (Some(first), Some(last)) = (entries.first(), entries.last())
                && self.overlaps(first.ts_ns, last.ts_ns)
            {
                let stream_code = self.streams.code(&stream.labels);
                let rows = stream.entries.clone();
                runs.push(PieceRun { stream: stream_code, rows, min_ns: first.ts_ns, max_ns: last.ts_ns });
            }
        }
        let bytes = chunk.batch.arena.len() as u64;
        self.add(Place::Memory(chunk.clone()), runs, bytes);
    }

    fn overlaps(&self, min_ns: i64, max_ns: i64) -> bool {
        min_ns < self.select.end_ns && max_ns >= self.select.start_ns
    }

    fn add(&mut self, place: Place, runs: Vec<PieceRun>, bytes: u64) {
        let min_ns = runs.iter().map(|run| run.min_ns).min();
        let max_ns = runs.iter().map(|run| run.max_ns).max();
        let rows = runs.iter().map(|run| u64::from(run.rows.end - run.rows.start)).sum();
        if let (Some(min_ns), Some(max_ns)) = (min_ns, max_ns) {
            let extent = Extent { min_ns, max_ns, records: rows };
            self.pieces.push(Piece { place, runs, extent, bytes, asked: false, alive: true });
        }
    }

    /// The next window of about `rows_max` records inside `left`; `None` when nothing is left.
    fn window(&self, left: &Range<i64>, rows_max: u64) -> Option<Range<i64>> {
        let alive = || self.pieces.iter().filter(|piece| piece.alive);
        let extents: Vec<Extent> = alive().map(|piece| piece.extent).collect();
        let rows: u64 = extents.iter().map(|extent| extent.records).sum();
        let bytes: u64 = alive().map(|piece| piece.bytes).sum();
        let rows_max = rows_max.min(rows.saturating_mul(WINDOW_BYTES_MAX) / bytes.max(1)).max(1);
        window::next(&extents, left, rows_max, self.select.direction)
    }

    /// Calls `on_batch` window by window; `on_damage` decides whether a part that cannot be read ends the scan.
    pub(super) fn run(
        mut self,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&LogBatch) -> std::ops::ControlFlow<()>,
        on_damage: &mut dyn FnMut(PartError) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        let mut left = self.select.start_ns..self.select.end_ns;
        let mut rows_max = WINDOW_ROWS_MIN;
        while let Some(window) = self.window(&left, rows_max) {
            match self.select.direction {
                Direction::Backward => left.end = window.start,
                Direction::Forward => left.start = window.end,
            }
            let mut found = Found::default();
            for at in 0..self.pieces.len() {
                let rows = match self.read(at, &window, &mut found) {
                    Ok(rows) => rows,
                    Err(error) => {
                        self.bury(at);
                        on_damage(error)?;
                        0
                    }
                };
                budget.spend(rows)?;
            }
            let batch = found.batch(&self.streams.labels, self.select.direction);
            if !batch.entries.is_empty() && on_batch(&batch).is_break() {
                return Ok(());
            }
            self.close(&left);
            rows_max = (rows_max * 4).min(WINDOW_ROWS_MAX);
        }
        Ok(())
    }

    /// Reads the matches of piece `at` in `window`; returns how many records were looked at.
    fn read(&mut self, at: usize, window: &Range<i64>, found: &mut Found) -> Result<u64, PartError> {
        let Some(piece) =
            self.pieces.get_mut(at).filter(|piece| piece.alive && piece.extent.records_in(window) > 0)
        else {
            return Ok(0);
        };
        match &mut piece.place {
            Place::Memory(chunk) => Ok(read_chunk(chunk, &piece.runs, window, &self.conditions, found)),
            Place::Block(open, _) => {
                if !std::mem::replace(&mut piece.asked, true)
                    && !open.may_contain(&self.conditions.needles)?
                {
                    piece.alive = false;
                    return Ok(0);
                }
                read_block(open, &piece.runs, window, &self.conditions, found)
            }
        }
    }

    /// Gives up every piece of the part that piece `at` is of.
    fn bury(&mut self, at: usize) {
        let Some(Place::Block(_, part)) = self.pieces.get(at).map(|piece| &piece.place) else { return };
        let id = part.info().id;
        for piece in &mut self.pieces {
            if matches!(&piece.place, Place::Block(_, part) if part.info().id == id) {
                piece.alive = false;
            }
        }
    }

    /// Drops pieces that no later window needs, and closes blocks when too many are open.
    fn close(&mut self, left: &Range<i64>) {
        self.pieces.retain(|piece| piece.alive && piece.extent.records_in(left) > 0);
        let mut open_bytes = 0;
        for piece in &mut self.pieces {
            if let Place::Block(open, _) = &mut piece.place
                && open.is_open()
            {
                open_bytes += piece.bytes;
                if open_bytes > OPEN_BYTES_MAX {
                    open.close();
                }
            }
        }
    }
}

/// The rows of `runs` in `window`, each run's rows ascending in time by `time`.
fn rows_in(runs: &[PieceRun], window: &Range<i64>, time: impl Fn(u32) -> i64) -> Vec<(u32, Range<u32>)> {
    let first = |rows: &Range<u32>, ns: i64| {
        let (mut low, mut high) = (rows.start, rows.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if time(middle) < ns { low = middle + 1 } else { high = middle }
        }
        low
    };
    let overlapping = runs.iter().filter(|run| run.min_ns < window.end && run.max_ns >= window.start);
    let rows =
        overlapping.map(|run| (run.stream, first(&run.rows, window.start)..first(&run.rows, window.end)));
    rows.filter(|(_, rows)| !rows.is_empty()).collect()
}

fn read_chunk(
    chunk: &Chunk,
    runs: &[PieceRun],
    window: &Range<i64>,
    conditions: &Conditions,
    found: &mut Found,
) -> u64 {
    let batch = &chunk.batch;
    let time = |row: u32| batch.entries.get(row as usize).map_or(0, |entry| entry.ts_ns);
    let mut looked_at = 0;
    for (stream, rows) in rows_in(runs, window, time) {
        looked_at += u64::from(rows.end - rows.start);
        for entry in batch.entries.get(rows.start as usize..rows.end as usize).unwrap_or_default() {
            let line = entry.line.bytes(&batch.arena);
            let traced = conditions.trace_id.is_none_or(|id| id == entry.trace_id);
            if traced && conditions.needles.iter().all(|needle| memmem::find(line, needle.bytes()).is_some())
            {
                found.copy(stream, batch, entry);
            }
        }
    }
    looked_at
}

fn read_block(
    open: &mut OpenBlock,
    runs: &[PieceRun],
    window: &Range<i64>,
    conditions: &Conditions,
    found: &mut Found,
) -> Result<u64, PartError> {
    let times = open.times()?;
    let ranges = rows_in(runs, window, |row| times.get(row as usize).copied().unwrap_or(0));
    let mut rows: Vec<u32> = ranges.iter().flat_map(|(_, rows)| rows.clone()).collect();
    let looked_at = rows.len() as u64;
    if let Some(id) = conditions.trace_id {
        let ids = open.ids()?;
        rows.retain(|row| ids.get(*row as usize).is_some_and(|(trace, _)| *trace == id));
    }
    open.retain(&mut rows, &conditions.needles)?;
    if rows.is_empty() {
        return Ok(looked_at);
    }
    open.next_batch();
    let mut ranges = ranges.into_iter().peekable();
    let entries = &mut found.entries;
    open.copy(rows.into_iter(), &mut found.batch, |row, entry| {
        while ranges.next_if(|(_, range)| range.end <= row).is_some() {}
        let stream = ranges.peek().map_or(0, |(stream, _)| *stream);
        entries.push((stream, entry));
    })?;
    Ok(looked_at)
}

/// The matches of a window, in the order found.
#[derive(Default)]
struct Found {
    batch: LogBatch,
    entries: Vec<(u32, LogEntry)>,
}

impl Found {
    fn copy(&mut self, stream: u32, from: &LogBatch, entry: &LogEntry) {
        if self.batch.streams.is_empty() {
            self.batch.push_stream(Labels::empty());
        }
        self.batch.push_entry(
            entry.ts_ns,
            from.line(entry),
            from.metadata(entry),
            (entry.trace_id, entry.span_id),
        );
        self.entries.extend(self.batch.entries.pop().map(|entry| (stream, entry)));
    }

    /// The batch: streams apart, entries in order, each record once.
    fn batch(mut self, labels: &[Labels], direction: Direction) -> LogBatch {
        self.entries.sort_by_key(|(stream, entry)| (*stream, entry.ts_ns));
        let mut batch = std::mem::take(&mut self.batch);
        batch.streams.clear();
        drop_resent(
            &mut self.entries,
            |(stream, entry)| (*stream, entry.ts_ns),
            |(_, entry)| hash(&batch, entry),
        );
        for run in self.entries.chunk_by(|a, b| a.0 == b.0) {
            let first = u32::try_from(batch.entries.len()).unwrap_or(u32::MAX);
            let entries = run.iter().map(|(_, entry)| entry.clone());
            match direction {
                Direction::Forward => batch.entries.extend(entries),
                Direction::Backward => batch.entries.extend(entries.rev()),
            }
            let last = u32::try_from(batch.entries.len()).unwrap_or(u32::MAX);
            let labels = labels.get(run[0].0 as usize).cloned().unwrap_or_default();
            batch.streams.push(LogStream { labels, entries: first..last });
        }
        batch
    }
}
