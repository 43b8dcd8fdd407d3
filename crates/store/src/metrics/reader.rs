//! Reads metrics parts: the index once (cached), then series by series, each chunk decoded at most once while it is
//! the current one.

use super::builder::{KIND_CONSTANT, KIND_NONE, KIND_PAGE};
use super::index::LabelIndex;
use super::times::TimesChunk;
use super::values::ValueChunk;
use super::{exemplars, histograms, wal};
use crate::codec::{Reader, unzstd};
use crate::error::{Damage, PartError};
use crate::part::{ChunkRef, Part};
use model::Exemplar;
use model::metric::MetricMetadata;
use model::scan::SeriesColumns;
use std::collections::HashMap;
use std::sync::Arc;

/// Largest rows or histogram chunk that is decompressed, in bytes.
const CHUNK_BYTES_MAX: usize = 2 << 30;
/// Numbers of decoded timestamp columns that a reader keeps.
const TIMES_KEPT_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Default)]
struct Row {
    kind: u8,
    times: u32,
    chunk: u32,
    page: u32,
    constant: u64,
}

/// The decoded index of a part.
pub(super) struct PartIndex {
    pub(super) labels: LabelIndex,
    rows: Vec<Row>,
    histogram_places: HashMap<u32, (u32, u32)>,
    meta: Meta,
}

/// References to the chunks.
#[derive(Default)]
struct Meta {
    series: u64,
    index: ChunkRef,
    rows: ChunkRef,
    times: Vec<(u32, ChunkRef)>,
    values: Vec<ChunkRef>,
    histograms: Vec<ChunkRef>,
    exemplars: Option<ChunkRef>,
    metadata: Option<ChunkRef>,
}

impl Meta {
    fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(bytes);
        let series = reader.varint()?;
        let (index, rows) = (ChunkRef::get(&mut reader)?, ChunkRef::get(&mut reader)?);
        let mut times = Vec::new();
        for _ in 0..reader.count(7)? {
            times.push((reader.varint32()?, ChunkRef::get(&mut reader)?));
        }
        let (values, histograms) = (chunks(&mut reader)?, chunks(&mut reader)?);
        let (exemplars, metadata) = (chunks(&mut reader)?.pop(), chunks(&mut reader)?.pop());
        Ok(Self { series, index, rows, times, values, histograms, exemplars, metadata })
    }
}

fn chunks(reader: &mut Reader<'_>) -> Result<Vec<ChunkRef>, Damage> {
    let count = reader.count(6)?;
    (0..count).map(|_| ChunkRef::get(reader)).collect()
}

/// The part's index, from the cache if it is there.
pub(super) fn index(part: &Part) -> Result<Arc<PartIndex>, PartError> {
    part.index(|part| {
        let index = load(part)?;
        let rows = index.rows.len() * size_of::<Row>() + index.histogram_places.len() * 16;
        let bytes = index.labels.bytes() + rows;
        Ok((index, bytes))
    })
}

/// The part's index, read anew and not kept.
pub(super) fn index_uncached(part: &Part) -> Result<Arc<PartIndex>, PartError> {
    load(part).map(Arc::new)
}

/// The families a part describes; reads the footer and one chunk.
pub(super) fn metadata(part: &Part) -> Result<Vec<MetricMetadata>, PartError> {
    let blame = |damage| part.damaged(damage);
    let meta = Meta::parse(part.meta()?).map_err(blame)?;
    let Some(chunk) = meta.metadata else { return Ok(Vec::new()) };
    let raw = unzstd(&part.read(chunk)?, CHUNK_BYTES_MAX).map_err(blame)?;
    wal::get_metadata(&mut Reader::new(&raw)).map_err(blame)
}

fn load(part: &Part) -> Result<PartIndex, PartError> {
    let blame = |damage| part.damaged(damage);
    let meta = Meta::parse(part.meta()?).map_err(blame)?;
    let labels = LabelIndex::parse(&part.read(meta.index)?).map_err(blame)?;
    if u64::from(labels.len()) != meta.series {
        return Err(blame(Damage::new("the index has another number of series than the footer")));
    }
    let raw = unzstd(&part.read(meta.rows)?, CHUNK_BYTES_MAX).map_err(blame)?;
    let (rows, histogram_places) = parse_rows(&raw, labels.len() as usize).map_err(blame)?;
    Ok(PartIndex { labels, rows, histogram_places, meta })
}

type Places = HashMap<u32, (u32, u32)>;

fn parse_rows(raw: &[u8], series: usize) -> Result<(Vec<Row>, Places), Damage> {
    let mut reader = Reader::new(raw);
    let kinds = reader.take(series)?;
    let mut rows: Vec<Row> = kinds.iter().map(|kind| Row { kind: *kind, ..Row::default() }).collect();
    let mut number = 0_i64;
    let mut next = |reader: &mut Reader<'_>, restart: bool| {
        number = if restart { 0 } else { number }.wrapping_add(reader.signed()?);
        u32::try_from(number).map_err(|_| Damage::new("a row's reference"))
    };
    let mut first = true;
    for row in rows.iter_mut().filter(|row| row.kind != KIND_NONE) {
        row.times = next(&mut reader, first)?;
        first = false;
    }
    let mut pages: HashMap<u32, u32> = HashMap::new();
    first = true;
    for row in rows.iter_mut().filter(|row| row.kind == KIND_PAGE) {
        row.chunk = next(&mut reader, first)?;
        first = false;
        let page = pages.entry(row.chunk).or_default();
        row.page = *page;
        *page += 1;
    }
    for row in rows.iter_mut().filter(|row| row.kind == KIND_CONSTANT) {
        row.constant = reader.u64()?.swap_bytes();
    }
    let mut places = HashMap::new();
    let mut at = 0_u32;
    for _ in 0..reader.count(3)? {
        at = at.checked_add(reader.varint32()?).ok_or_else(|| Damage::new("series number"))?;
        places.insert(at, (reader.varint32()?, reader.varint32()?));
    }
    Ok((rows, places))
}

/// Reads series of one part; cheap when they are asked for in order.
pub(super) struct SeriesReader {
    part: Arc<Part>,
    index: Arc<PartIndex>,
    times_chunk: Option<(u32, TimesChunk)>,
    times: HashMap<u32, Arc<Vec<i64>>>,
    times_kept: usize,
    /// The chunks read last: a metric has at most one of integers and one of floats open at a time.
    values: [Option<(u32, ValueChunk)>; 2],
    older: usize,
    histograms: Option<(u32, Vec<u8>)>,
}

impl SeriesReader {
    /// A reader of `part`.
    pub(super) fn new(part: Arc<Part>, index: Arc<PartIndex>) -> Self {
        Self {
            part,
            index,
            times_chunk: None,
            times: HashMap::new(),
            times_kept: 0,
            values: [None, None],
            older: 0,
            histograms: None,
        }
    }

    /// The part.
    pub(super) fn part(&self) -> &Arc<Part> {
        &self.part
    }

    /// Its index.
    pub(super) fn index(&self) -> &Arc<PartIndex> {
        &self.index
    }

    /// Appends the series' samples with `min_ms <= time <= max_ms`.
    ///
    /// # Errors
    /// Damage and disk errors; the columns may then hold a part of the series.
    pub(super) fn read(
        &mut self,
        series: u32,
        min_ms: i64,
        max_ms: i64,
        columns: &mut SeriesColumns,
    ) -> Result<(), PartError> {
        let index = self.index.clone();
        let row = index.rows.get(series as usize).copied().unwrap_or_default();
        if row.kind != KIND_NONE {
            self.read_floats(row, min_ms, max_ms, columns)?;
        }
        if let Some((chunk, offset)) = index.histogram_places.get(&series) {
            self.read_histograms(*chunk, *offset, min_ms, max_ms, columns)?;
        }
        Ok(())
    }

    fn read_floats(
        &mut self,
        row: Row,
        min_ms: i64,
        max_ms: i64,
        columns: &mut SeriesColumns,
    ) -> Result<(), PartError> {
        let times = self.times(row.times)?;
        let from = times.partition_point(|ts_ms| *ts_ms < min_ms);
        let to = times.partition_point(|ts_ms| *ts_ms <= max_ms).max(from);
        if from == to {
            return Ok(());
        }
        columns.ts_ms.extend_from_slice(times.get(from..to).unwrap_or_default());
        if row.kind == KIND_CONSTANT {
            let len = columns.values.len() + to - from;
            columns.values.resize(len, f64::from_bits(row.constant));
            return Ok(());
        }
        let start = columns.values.len();
        let part = self.part.clone();
        let chunk = self.chunk(row.chunk)?;
        chunk
            .read(row.page as usize, times.len(), &mut columns.values)
            .map_err(|damage| part.damaged(damage))?;
        columns.values.truncate(start + to);
        columns.values.drain(start..start + from);
        Ok(())
    }

    fn times(&mut self, id: u32) -> Result<Arc<Vec<i64>>, PartError> {
        if let Some(times) = self.times.get(&id) {
            return Ok(times.clone());
        }
        let blame = |damage| self.part.damaged(damage);
        let chunks = &self.index.meta.times;
        let at = chunks.partition_point(|(first, _)| *first <= id).checked_sub(1);
        let found = at.and_then(|at| chunks.get(at));
        let (first, chunk) = *found.ok_or_else(|| blame(Damage::new("no such timestamp column")))?;
        if self.times_chunk.as_ref().is_none_or(|(known, _)| *known != first) {
            let parsed = TimesChunk::parse(&self.part.read(chunk)?).map_err(blame)?;
            self.times_chunk = Some((first, parsed));
        }
        let column = self.times_chunk.as_ref().map(|(_, chunk)| chunk.column((id - first) as usize));
        let column = column.unwrap_or_else(|| Err(Damage::new("no timestamp chunk"))).map_err(blame)?;
        if self.times_kept + column.len() > TIMES_KEPT_MAX {
            self.times.clear();
            self.times_kept = 0;
        }
        self.times_kept += column.len();
        let column = Arc::new(column);
        self.times.insert(id, column.clone());
        Ok(column)
    }

    fn chunk(&mut self, number: u32) -> Result<&mut ValueChunk, PartError> {
        let known = |slot: &Option<(u32, ValueChunk)>| slot.as_ref().is_some_and(|(at, _)| *at == number);
        let slot = if let Some(slot) = self.values.iter().position(known) {
            slot
        } else {
            let missing = || self.part.damaged(Damage::new("no such value chunk"));
            let chunk = *self.index.meta.values.get(number as usize).ok_or_else(missing)?;
            let parsed =
                ValueChunk::parse(self.part.read(chunk)?).map_err(|damage| self.part.damaged(damage))?;
            self.values[self.older] = Some((number, parsed));
            self.older
        };
        self.older = 1 - slot;
        let chunk = self.values[slot].as_mut().map(|(_, chunk)| chunk);
        chunk.ok_or_else(|| self.part.damaged(Damage::new("no such value chunk")))
    }

    fn read_histograms(
        &mut self,
        chunk: u32,
        offset: u32,
        min_ms: i64,
        max_ms: i64,
        columns: &mut SeriesColumns,
    ) -> Result<(), PartError> {
        let blame = |damage| self.part.damaged(damage);
        if self.histograms.as_ref().is_none_or(|(known, _)| *known != chunk) {
            let missing = || blame(Damage::new("no such histogram chunk"));
            let place = *self.index.meta.histograms.get(chunk as usize).ok_or_else(missing)?;
            let raw = unzstd(&self.part.read(place)?, CHUNK_BYTES_MAX).map_err(blame)?;
            self.histograms = Some((chunk, raw));
        }
        let raw = self.histograms.as_ref().map_or(&[][..], |(_, raw)| raw);
        let bytes = raw.get(offset as usize..).unwrap_or_default();
        parse_histograms(bytes, min_ms, max_ms, columns).map_err(blame)
    }

    /// All exemplars of the part, by series.
    ///
    /// # Errors
    /// Damage and disk errors.
    pub(super) fn exemplars(&self) -> Result<Vec<(u32, Exemplar)>, PartError> {
        let Some(chunk) = self.index.meta.exemplars else { return Ok(Vec::new()) };
        exemplars::decode(&self.part.read(chunk)?).map_err(|damage| self.part.damaged(damage))
    }
}

fn parse_histograms(
    bytes: &[u8],
    min_ms: i64,
    max_ms: i64,
    columns: &mut SeriesColumns,
) -> Result<(), Damage> {
    let mut reader = Reader::new(bytes);
    let mut ts_ms = 0_i64;
    let mut previous: Option<Arc<model::FloatHistogram>> = None;
    for _ in 0..reader.count(3)? {
        ts_ms = ts_ms.wrapping_add(reader.signed()?);
        let histogram = Arc::new(histograms::get(&mut reader, previous.as_deref())?);
        if (min_ms..=max_ms).contains(&ts_ms) {
            columns.histograms.push((ts_ms, histogram.clone()));
        }
        previous = Some(histogram);
    }
    Ok(())
}
