//! Writes one metrics part from series that come sorted by their labels.
//!
//! ```text
//! meta = series index rows times* values* histograms* exemplars? metadata?        chunk references, lists counted
//! rows = zstd(kind* | time column Δ* | value chunk Δ* | constants | histogram places)
//! ```

use super::histograms;
use super::index::IndexWriter;
use super::times::TimesWriter;
use super::values::{CHUNK_NUMBERS_MAX, CHUNK_NUMBERS_MIN, CHUNK_SERIES_MAX, Column, Pending, classify};
use super::{exemplars, wal};
use crate::codec::{put_signed, put_varint, zstd};
use crate::error::{Damage, PartError};
use crate::part::{ChunkRef, PartSink, PartWriter};
use model::metric::MetricMetadata;
use model::scan::SeriesColumns;
use model::{Exemplar, Labels};

/// pco level of a sealed memory part: it is merged soon.
const SEAL_LEVEL: usize = 3;
/// pco level of a merged part.
const MERGE_LEVEL: usize = 8;
/// zstd level of rows and histograms.
const LEVEL: i32 = 5;
/// Raw bytes of a histogram chunk.
const HISTOGRAM_CHUNK_BYTES: usize = 256 << 10;

/// No float samples.
pub(super) const KIND_NONE: u8 = 0;
/// All values equal: the bits stand in the rows.
pub(super) const KIND_CONSTANT: u8 = 1;
/// A page of an integer or float chunk.
pub(super) const KIND_PAGE: u8 = 2;

#[derive(Default)]
struct Rows {
    kinds: Vec<u8>,
    times: Vec<u32>,
    /// Value chunk of each paged series, in series order.
    chunks: Vec<u32>,
    constants: Vec<u64>,
    /// Series, chunk, offset in its raw bytes.
    histograms: Vec<(u32, u32, u32)>,
}

/// Pages of one kind on their way into a chunk, and which of `Rows::chunks` wait for its number.
#[derive(Default)]
struct Open {
    pending: Pending,
    waiting: Vec<usize>,
}

/// One part in the making.
pub(super) struct PartBuilder {
    writer: PartWriter,
    level: usize,
    index: IndexWriter,
    times: TimesWriter,
    rows: Rows,
    integers: Open,
    floats: Open,
    histogram_raw: Vec<u8>,
    time_chunks: Vec<(u32, ChunkRef)>,
    value_chunks: Vec<ChunkRef>,
    histogram_chunks: Vec<ChunkRef>,
    exemplars: Vec<(u32, Exemplar)>,
    metric: String,
    range_ms: Option<(i64, i64)>,
    samples: u64,
}

impl PartBuilder {
    /// Starts a part for `day`.
    pub(super) fn begin(sink: &mut PartSink<'_>, day: i64) -> Result<Self, PartError> {
        Ok(Self {
            writer: sink.begin(day)?,
            level: if sink.is_merge() { MERGE_LEVEL } else { SEAL_LEVEL },
            index: IndexWriter::default(),
            times: TimesWriter::default(),
            rows: Rows::default(),
            integers: Open::default(),
            floats: Open::default(),
            histogram_raw: Vec::new(),
            time_chunks: Vec::new(),
            value_chunks: Vec::new(),
            histogram_chunks: Vec::new(),
            exemplars: Vec::new(),
            metric: String::new(),
            range_ms: None,
            samples: 0,
        })
    }

    /// Adds a series: samples ascending, one per time; exemplars in time order.
    pub(super) fn push(
        &mut self,
        labels: &Labels,
        columns: &SeriesColumns,
        exemplars: Vec<Exemplar>,
    ) -> Result<(), PartError> {
        if columns.ts_ms.is_empty() && columns.histograms.is_empty() && exemplars.is_empty() {
            return Ok(());
        }
        if labels.metric_name() != self.metric {
            labels.metric_name().clone_into(&mut self.metric);
            self.close_chunks(CHUNK_NUMBERS_MIN)?;
        }
        let series = self.index.push(labels);
        self.widen(columns, &exemplars);
        self.push_floats(columns)?;
        self.push_histograms(series, columns)?;
        self.exemplars.extend(exemplars.into_iter().map(|exemplar| (series, exemplar)));
        Ok(())
    }

    fn widen(&mut self, columns: &SeriesColumns, exemplars: &[Exemplar]) {
        let histograms = columns.histograms.iter().map(|(ts_ms, _)| *ts_ms);
        let ends = columns.ts_ms.first().into_iter().chain(columns.ts_ms.last()).copied();
        for ts_ms in ends.chain(histograms).chain(exemplars.iter().map(|exemplar| exemplar.ts_ms)) {
            let (min, max) = self.range_ms.unwrap_or((ts_ms, ts_ms));
            self.range_ms = Some((min.min(ts_ms), max.max(ts_ms)));
        }
        self.samples += (columns.ts_ms.len() + columns.histograms.len()) as u64;
    }

    fn push_floats(&mut self, columns: &SeriesColumns) -> Result<(), PartError> {
        if columns.ts_ms.is_empty() {
            self.rows.kinds.push(KIND_NONE);
            return Ok(());
        }
        self.rows.times.push(self.times.id(&columns.ts_ms));
        if let Some((first, bytes)) = self.times.chunk(false).map_err(|damage| self.writer.failed(damage))? {
            self.time_chunks.push((first, self.writer.chunk(&bytes)?));
        }
        let open = match classify(&columns.values) {
            Column::Constant(bits) => {
                self.rows.kinds.push(KIND_CONSTANT);
                self.rows.constants.push(bits);
                return Ok(());
            }
            Column::Decimal { exponent, integers, exceptions } => {
                self.integers.pending.push_integers(exponent, &integers, exceptions);
                &mut self.integers
            }
            Column::Floats => {
                self.floats.pending.push_floats(&columns.values);
                &mut self.floats
            }
        };
        self.rows.kinds.push(KIND_PAGE);
        open.waiting.push(self.rows.chunks.len());
        self.rows.chunks.push(0);
        let (pages, numbers) = open.pending.len();
        if (pages >= CHUNK_SERIES_MAX && numbers >= CHUNK_NUMBERS_MIN) || numbers >= CHUNK_NUMBERS_MAX {
            self.close_chunks(CHUNK_NUMBERS_MIN)?;
        }
        Ok(())
    }

    /// Closes the open chunks that hold at least `numbers` values.
    fn close_chunks(&mut self, numbers: usize) -> Result<(), PartError> {
        for open in [&mut self.integers, &mut self.floats] {
            let (pages, held) = open.pending.len();
            if pages == 0 || held < numbers {
                continue;
            }
            let number = u32::try_from(self.value_chunks.len()).unwrap_or(u32::MAX);
            let bytes = open.pending.close(self.level).map_err(|damage| self.writer.failed(damage))?;
            for at in open.waiting.drain(..) {
                if let Some(chunk) = self.rows.chunks.get_mut(at) {
                    *chunk = number;
                }
            }
            self.value_chunks.push(self.writer.chunk(&bytes)?);
        }
        Ok(())
    }

    fn push_histograms(&mut self, series: u32, columns: &SeriesColumns) -> Result<(), PartError> {
        if columns.histograms.is_empty() {
            return Ok(());
        }
        let chunk = u32::try_from(self.histogram_chunks.len()).unwrap_or(u32::MAX);
        let offset = u32::try_from(self.histogram_raw.len()).unwrap_or(u32::MAX);
        self.rows.histograms.push((series, chunk, offset));
        put_varint(&mut self.histogram_raw, columns.histograms.len() as u64);
        let (mut last_ms, mut previous) = (0_i64, None);
        for (ts_ms, histogram) in &columns.histograms {
            put_signed(&mut self.histogram_raw, ts_ms.wrapping_sub(last_ms));
            histograms::put(&mut self.histogram_raw, histogram, previous);
            (last_ms, previous) = (*ts_ms, Some(&**histogram));
        }
        if self.histogram_raw.len() >= HISTOGRAM_CHUNK_BYTES { self.close_histograms() } else { Ok(()) }
    }

    fn close_histograms(&mut self) -> Result<(), PartError> {
        if !self.histogram_raw.is_empty() {
            let bytes = zstd(&self.histogram_raw, LEVEL).map_err(|damage| self.writer.failed(damage))?;
            self.histogram_raw.clear();
            self.histogram_chunks.push(self.writer.chunk(&bytes)?);
        }
        Ok(())
    }

    /// Completes the part; writes none when it would be empty.
    pub(super) fn finish(
        mut self,
        sink: &mut PartSink<'_>,
        metadata: &[MetricMetadata],
    ) -> Result<(), PartError> {
        if self.index.len() == 0 && metadata.is_empty() {
            return Ok(());
        }
        self.close_chunks(0)?;
        self.close_histograms()?;
        if let Some((first, bytes)) = self.times.chunk(true).map_err(|damage| self.writer.failed(damage))? {
            self.time_chunks.push((first, self.writer.chunk(&bytes)?));
        }
        let mut meta = Vec::new();
        put_varint(&mut meta, u64::from(self.index.len()));
        let index = std::mem::take(&mut self.index).finish();
        self.put_chunk(&mut meta, index)?;
        let rows = self.rows.encode();
        self.put_chunk(&mut meta, rows)?;
        put_varint(&mut meta, self.time_chunks.len() as u64);
        for (first, chunk) in &self.time_chunks {
            put_varint(&mut meta, u64::from(*first));
            chunk.put(&mut meta);
        }
        for chunks in [&self.value_chunks, &self.histogram_chunks] {
            put_varint(&mut meta, chunks.len() as u64);
            for chunk in chunks {
                chunk.put(&mut meta);
            }
        }
        self.put_optional(&mut meta, !self.exemplars.is_empty(), |own| exemplars::encode(&own.exemplars))?;
        self.put_optional(&mut meta, !metadata.is_empty(), |_| {
            let mut raw = Vec::new();
            wal::put_metadata(&mut raw, metadata);
            zstd(&raw, LEVEL)
        })?;
        let range = self.range_ms.unwrap_or((0, 0));
        sink.finish(self.writer, range, self.samples, &meta)
    }

    fn put_chunk(&mut self, meta: &mut Vec<u8>, bytes: Result<Vec<u8>, Damage>) -> Result<(), PartError> {
        let bytes = bytes.map_err(|damage| self.writer.failed(damage))?;
        self.writer.chunk(&bytes)?.put(meta);
        Ok(())
    }

    fn put_optional(
        &mut self,
        meta: &mut Vec<u8>,
        present: bool,
        encode: impl FnOnce(&Self) -> Result<Vec<u8>, Damage>,
    ) -> Result<(), PartError> {
        put_varint(meta, u64::from(present));
        if present {
            let bytes = encode(self);
            self.put_chunk(meta, bytes)?;
        }
        Ok(())
    }
}

impl Rows {
    fn encode(&self) -> Result<Vec<u8>, Damage> {
        let mut raw = Vec::with_capacity(4 * self.kinds.len());
        raw.extend_from_slice(&self.kinds);
        for column in [&self.times, &self.chunks] {
            let mut last = 0;
            for number in column {
                put_signed(&mut raw, i64::from(*number) - last);
                last = i64::from(*number);
            }
        }
        for bits in &self.constants {
            raw.extend_from_slice(&bits.to_be_bytes());
        }
        put_varint(&mut raw, self.histograms.len() as u64);
        let mut last = 0;
        for (series, chunk, offset) in &self.histograms {
            put_varint(&mut raw, u64::from(series - last));
            put_varint(&mut raw, u64::from(*chunk));
            put_varint(&mut raw, u64::from(*offset));
            last = *series;
        }
        zstd(&raw, LEVEL)
    }
}
