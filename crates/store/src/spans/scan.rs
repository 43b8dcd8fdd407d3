//! Scans: windows of time, newest first; in each the traces that start there, gathered from every place that has spans
//! of them, whatever time these have.
//!
//! A trace belongs to the window its earliest span falls into (or to the oldest window when that is before the range),
//! so that it is yielded once and in order. Hints are asked of indexes and columns before a span is built.

use super::index::SpanIndex;
use super::memory::Chunk;
use super::place::{ChunkCopier, OpenBlock, Place};
use crate::error::PartError;
use crate::part::Part;
use crate::window::{self, Extent};
use model::scan::{Budget, Direction, ScanError, SpanSelect};
use model::{SpanBatch, SpanRow, TraceId};
use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Traces aimed at in the first window, and at most.
const WINDOW_TRACES_MIN: u64 = 1 << 9;
const WINDOW_TRACES_MAX: u64 = 1 << 15;
/// Spans after which a batch is handed out; a larger trace is handed out whole.
const BATCH_SPANS: usize = 1 << 13;
/// Places whose columns stay decoded between windows.
const OPEN_BLOCKS_MAX: usize = 8;

/// Orders the spans from `first` on, all of one trace, by (start, span id); of equal ids the first stays.
pub(super) fn arrange(spans: &mut Vec<SpanRow>, first: usize) {
    let mut trace = spans.split_off(first);
    trace.sort_by_key(|span| span.span_id);
    trace.dedup_by_key(|span| span.span_id);
    trace.sort_by_key(|span| (span.start_ns, span.span_id));
    spans.append(&mut trace);
}

/// The spans of one trace in one place.
#[derive(Clone, Debug)]
struct Found {
    place: usize,
    rows: Range<u32>,
}

/// A trace that may be yielded.
#[derive(Debug)]
struct Trace {
    id: TraceId,
    start_ns: i64,
    found: Vec<Found>,
}

/// A scan under way.
pub(super) struct Scan<'a> {
    select: &'a SpanSelect,
    /// Oldest first; `None` when it could not be read.
    places: Vec<Option<Place>>,
    on_damage: &'a mut dyn FnMut(PartError) -> Result<(), ScanError>,
}

impl<'a> Scan<'a> {
    /// A scan of no places yet; `on_damage` decides whether a part that cannot be read ends the scan.
    pub(super) fn new(
        select: &'a SpanSelect,
        on_damage: &'a mut dyn FnMut(PartError) -> Result<(), ScanError>,
    ) -> Self {
        Self { select, places: Vec::new(), on_damage }
    }

    /// Adds the blocks of a part.
    pub(super) fn add_part(&mut self, part: &Arc<Part>) -> Result<(), ScanError> {
        match SpanIndex::of(part) {
            Ok(index) => {
                let open = |block| Place::Block(Box::new(OpenBlock::new(part.clone(), index.clone(), block)));
                self.places.extend((0..index.blocks.len()).map(|block| Some(open(block))));
                Ok(())
            }
            Err(error) => self.damaged(error),
        }
    }

    /// A part cannot be read.
    pub(super) fn damaged(&mut self, error: PartError) -> Result<(), ScanError> {
        (self.on_damage)(error)
    }

    /// Adds a memory chunk.
    pub(super) fn add_chunk(&mut self, chunk: Arc<Chunk>) {
        self.places.push(Some(Place::Memory(chunk)));
    }

    /// What `read` says of place `at`. A place that cannot be read is given up, with all of its part.
    fn read<T: Default>(
        &mut self,
        at: usize,
        read: impl FnOnce(&mut Place) -> Result<T, PartError>,
    ) -> Result<T, ScanError> {
        let Some(place) = self.places.get_mut(at).and_then(Option::as_mut) else { return Ok(T::default()) };
        match read(place) {
            Ok(value) => Ok(value),
            Err(error) => {
                if let Place::Block(open) = place {
                    let id = open.part().info().id;
                    let of_part = |place: &Option<Place>| matches!(place, Some(Place::Block(open)) if open.part().info().id == id);
                    self.places.iter_mut().filter(|place| of_part(place)).for_each(|place| *place = None);
                }
                (self.on_damage)(error)?;
                Ok(T::default())
            }
        }
    }

    fn in_range(&self, ns: i64) -> bool {
        self.select.start_ns <= ns && ns < self.select.end_ns
    }

    /// Yields the traces that the request names, newest start first.
    pub(super) fn run_ids(
        &mut self,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<(), ScanError> {
        let ids: HashSet<TraceId> = self.select.trace_ids.iter().copied().collect();
        let mut traces = Vec::new();
        for id in ids {
            budget.spend(0)?;
            traces.extend(self.gather(id)?);
        }
        self.prune(&mut traces)?;
        let any_time = self.select.start_ns >= self.select.end_ns;
        self.hand_out(traces, any_time, budget, on_batch).map(drop)
    }

    /// All pieces of `id`; `None` when there is none.
    fn gather(&mut self, id: TraceId) -> Result<Option<Trace>, ScanError> {
        let mut trace: Option<Trace> = None;
        for at in 0..self.places.len() {
            for piece in self.read(at, |place| place.find(id))? {
                let trace =
                    trace.get_or_insert_with(|| Trace { id, start_ns: piece.min_ns, found: Vec::new() });
                trace.start_ns = trace.start_ns.min(piece.min_ns);
                trace.found.push(Found { place: at, rows: piece.rows });
            }
        }
        Ok(trace)
    }

    /// Yields every trace of the range, newest start first.
    pub(super) fn run(
        &mut self,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<(), ScanError> {
        let mut left = self.select.start_ns..self.select.end_ns;
        let mut traces_max = WINDOW_TRACES_MIN;
        // Traces seen whose earliest span belongs to an older window.
        let mut later: HashSet<TraceId> = HashSet::new();
        loop {
            let extents: Vec<Extent> = self.places.iter().flatten().map(Place::extent).collect();
            let Some(mut window) = window::next(&extents, &left, traces_max, Direction::Backward) else {
                break;
            };
            left.end = window.start;
            if !extents.iter().any(|extent| extent.records_in(&left) > 0) {
                // The oldest window takes what starts before the range.
                window.start = i64::MIN;
            }
            let mut traces = Vec::new();
            for id in self.candidates(&window, &mut later)? {
                budget.spend(0)?;
                let Some(trace) = self.gather(id)? else { continue };
                if trace.start_ns >= window.start {
                    traces.push(trace);
                } else {
                    later.insert(id);
                }
            }
            self.prune(&mut traces)?;
            if self.hand_out(traces, false, budget, on_batch)?.is_break() {
                return Ok(());
            }
            self.close();
            traces_max = (traces_max * 4).min(WINDOW_TRACES_MAX);
        }
        Ok(())
    }

    /// The traces that have a span in the window, and those put off until now.
    fn candidates(
        &mut self,
        window: &Range<i64>,
        later: &mut HashSet<TraceId>,
    ) -> Result<HashSet<TraceId>, ScanError> {
        let mut ids = std::mem::take(later);
        for at in 0..self.places.len() {
            let overlaps = self.places.get(at).and_then(Option::as_ref).is_some_and(|place| {
                let extent = place.extent();
                extent.min_ns < window.end && extent.max_ns >= window.start.max(self.select.start_ns)
            });
            if !overlaps {
                continue;
            }
            let start_ns = window.start.max(self.select.start_ns);
            let overlapping = |place: &mut Place| {
                let pieces = place.pieces()?.iter();
                let inside = pieces.filter(|piece| piece.min_ns < window.end && piece.max_ns >= start_ns);
                Ok(inside.map(|piece| piece.id).collect::<Vec<_>>())
            };
            ids.extend(self.read(at, overlapping)?);
        }
        Ok(ids)
    }

    /// Drops the traces of which no span can satisfy some hint.
    fn prune(&mut self, traces: &mut Vec<Trace>) -> Result<(), ScanError> {
        for hint in &self.select.hints {
            let places: HashSet<usize> =
                traces.iter().flat_map(|trace| &trace.found).map(|found| found.place).collect();
            let mut satisfying = HashSet::new();
            for at in places {
                let found = self.read(at, |place| {
                    let mut ids = Vec::new();
                    place.satisfying(hint, &mut |id| ids.push(id))?;
                    Ok(ids)
                })?;
                satisfying.extend(found);
            }
            traces.retain(|trace| satisfying.contains(&trace.id));
        }
        Ok(())
    }

    /// Builds the traces and calls `on_batch` with some at a time.
    fn hand_out(
        &mut self,
        mut traces: Vec<Trace>,
        any_time: bool,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ScanError> {
        traces.sort_by_key(|trace| (std::cmp::Reverse(trace.start_ns), trace.id));
        let mut rest = traces.as_slice();
        while !rest.is_empty() {
            let mut spans = 0;
            let full = rest.iter().position(|trace| {
                spans += trace.found.iter().map(|found| found.rows.len()).sum::<usize>();
                spans >= BATCH_SPANS
            });
            let (group, after) = rest.split_at(full.map_or(rest.len(), |last| last + 1));
            rest = after;
            budget.spend(spans as u64)?;
            let batch = self.build(group, any_time)?;
            if !batch.spans.is_empty() && on_batch(&batch).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One batch of the traces, place by place, then put in order; traces without a span in range are left out.
    fn build(&mut self, traces: &[Trace], any_time: bool) -> Result<SpanBatch, ScanError> {
        let mut by_place: HashMap<usize, Vec<(u32, TraceId, Range<u32>)>> = HashMap::new();
        for (trace, number) in traces.iter().zip(0..) {
            for found in &trace.found {
                by_place.entry(found.place).or_default().push((number, trace.id, found.rows.clone()));
            }
        }
        let mut places: Vec<_> = by_place.into_iter().collect();
        places.sort_by_key(|(place, _)| *place);
        let mut batch = SpanBatch::default();
        let mut copier = ChunkCopier::default();
        // The trace of each span of the batch.
        let mut numbers: Vec<u32> = Vec::new();
        for (at, mut pieces) in places {
            pieces.sort_by_key(|(_, _, rows)| rows.start);
            let (batch, copier) = (&mut batch, &mut copier);
            let of_place = self.read(at, |place| {
                let mut of_place = Vec::new();
                if let Place::Block(open) = place {
                    open.next_batch();
                }
                for (number, id, rows) in pieces {
                    let before = batch.spans.len();
                    match place {
                        Place::Block(open) => open.copy(id, rows, batch)?,
                        Place::Memory(chunk) => {
                            let rows =
                                chunk.order.get(rows.start as usize..rows.end as usize).unwrap_or_default();
                            for row in rows {
                                copier.copy(at, &chunk.batch, *row, batch);
                            }
                        }
                    }
                    of_place.extend(std::iter::repeat_n(number, batch.spans.len() - before));
                }
                Ok(of_place)
            })?;
            numbers.extend(of_place);
            // What was copied of a place before it turned out damaged is not named by a number.
            batch.spans.truncate(numbers.len());
        }
        let spans = std::mem::take(&mut batch.spans);
        let mut numbered: Vec<(u32, SpanRow)> = numbers.into_iter().zip(spans).collect();
        numbered.sort_by_key(|(number, _)| *number);
        for trace in numbered.chunk_by(|a, b| a.0 == b.0) {
            if any_time || trace.iter().any(|(_, span)| self.in_range(span.start_ns)) {
                let first = batch.spans.len();
                batch.spans.extend(trace.iter().map(|(_, span)| span.clone()));
                arrange(&mut batch.spans, first);
            }
        }
        Ok(batch)
    }

    /// Forgets decoded columns of most places.
    fn close(&mut self) {
        let blocks = self.places.iter_mut().flatten().filter_map(|place| match place {
            Place::Block(open) if open.is_open() => Some(open),
            _ => None,
        });
        blocks.skip(OPEN_BLOCKS_MAX).for_each(|open| open.close());
    }
}
