//! The index of a part: its blocks with the times they cover, what can be ruled out without reading them, and the
//! attribute names they have.

use super::block::{BLOCK_ROWS_MAX, SEGMENTS, Segment};
use crate::codec::Reader;
use crate::column::bloom::Bloom;
use crate::column::ints::{read_u32s, write_u32s};
use crate::column::segment::{SegmentReader, SegmentWriter};
use crate::column::template::RowIds;
use crate::column::text::{TextColumn, write_text};
use crate::column::trace_index::TraceIndex;
use crate::error::{Damage, PartError};
use crate::part::{ChunkRef, Part};
use model::scan::AttrScope;
use std::sync::{Arc, OnceLock};

/// A block with so many bytes on disk is full, however few rows it has.
const FULL_BYTES: usize = 2 << 20;
/// Version of the index, its first number.
const VERSION: u64 = 1;
/// What a block's flags say.
const FAILED: u64 = 1;
const ARRAYS: u64 = 2;
/// Scopes with the numbers that files carry.
const SCOPES: [AttrScope; 5] =
    [AttrScope::Resource, AttrScope::Span, AttrScope::Event, AttrScope::Link, AttrScope::Instrumentation];

/// One block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) rows: u32,
    pub(super) traces: u32,
    /// Where its segments are.
    pub(super) segments: [ChunkRef; SEGMENTS],
    /// Where its value filter is.
    pub(super) bloom: ChunkRef,
    /// Earliest and latest start of a span.
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
    /// Longest duration of a span.
    pub(super) longest_ns: i64,
    /// Whether a span failed.
    pub(super) failed: bool,
    /// Whether the value filter knows of arrays; that of the oldest parts does not.
    pub(super) arrays: bool,
    /// Indices into [`SpanIndex::names`].
    pub(super) names: Vec<u32>,
}

/// The decoded index of a part.
#[derive(Debug, Default)]
pub(super) struct SpanIndex {
    /// Attribute names, sorted.
    pub(super) names: Vec<(AttrScope, String)>,
    pub(super) blocks: Vec<Block>,
    /// Where the operations are; not in the oldest parts.
    pub(super) operations: Option<ChunkRef>,
    traces: Option<ChunkRef>,
    trace_index: OnceLock<TraceIndex>,
}

impl SpanIndex {
    /// The bytes of an index.
    pub(super) fn encode(names: &[(AttrScope, String)], blocks: &[Block]) -> Vec<u8> {
        let mut writer = SegmentWriter::new();
        writer.number(VERSION);
        writer.count(names.len());
        let scope = |scope: AttrScope| {
            SCOPES.iter().zip(0..).find(|(known, _)| **known == scope).map_or(0, |(_, at)| at)
        };
        write_u32s(&mut writer, &names.iter().map(|(of, _)| scope(*of)).collect::<Vec<_>>());
        write_text(&mut writer, &names.iter().map(|(_, name)| name.as_bytes()).collect::<Vec<_>>());
        writer.count(blocks.len());
        for block in blocks {
            writer.number(block.rows.into());
            writer.number(block.traces.into());
            writer.number(if block.failed { FAILED } else { 0 } | if block.arrays { ARRAYS } else { 0 });
            writer.signed(block.min_ns);
            writer.signed(block.max_ns);
            writer.signed(block.longest_ns);
            for chunk in block.segments.iter().chain([&block.bloom]) {
                chunk.put(&mut writer.meta);
            }
            writer.count(block.names.len());
            write_u32s(&mut writer, &block.names);
        }
        writer.finish()
    }

    /// What stands in a part's footer: where the index, the trace index and the operations are.
    pub(super) fn footer(index: ChunkRef, traces: ChunkRef, operations: Option<ChunkRef>) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in [index, traces].into_iter().chain(operations) {
            chunk.put(&mut out);
        }
        out
    }

    /// The index of `part`, from the cache when it is there.
    pub(super) fn of(part: &Part) -> Result<Arc<Self>, PartError> {
        part.index(|part| {
            let mut footer = Reader::new(part.meta()?);
            let index = ChunkRef::get(&mut footer).map_err(|damage| part.damaged(damage))?;
            let traces = ChunkRef::get(&mut footer).map_err(|damage| part.damaged(damage))?;
            let operations = (!footer.is_empty()).then(|| ChunkRef::get(&mut footer)).transpose();
            let operations = operations.map_err(|damage| part.damaged(damage))?;
            let mut decoded = Self::decode(&part.read(index)?).map_err(|damage| part.damaged(damage))?;
            (decoded.traces, decoded.operations) = (Some(traces), operations);
            let names: usize =
                decoded.names.iter().map(|(_, name)| name.len() + size_of::<(AttrScope, String)>()).sum();
            let blocks: usize =
                decoded.blocks.iter().map(|block| size_of::<Block>() + block.names.len() * 4).sum();
            // The trace index comes later; at most eight bytes per entry of a byte or more.
            let bytes = names + blocks + traces.len as usize * 8;
            Ok((decoded, bytes))
        })
    }

    /// Reads an index.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut reader = SegmentReader::open(bytes)?;
        let version = reader.number()?;
        if version != VERSION {
            return Err(Damage(format!("span index version {version} is not known")));
        }
        let count = reader.count()?;
        let scopes = read_u32s(&mut reader, count, SCOPES.len() - 1)?;
        let column = TextColumn::read(&mut reader, count)?;
        let mut names = Vec::with_capacity(count);
        for (at, scope) in scopes.into_iter().enumerate() {
            let mut name = Vec::new();
            column.append(at, &RowIds::default(), &mut name);
            let name = String::from_utf8(name).map_err(|_| Damage::new("an attribute name is not UTF-8"))?;
            names.push((SCOPES[scope as usize], name));
        }
        let mut blocks = Vec::new();
        for _ in 0..reader.count()? {
            blocks.push(read_block(&mut reader, names.len())?);
        }
        Ok(Self { names, blocks, ..Self::default() })
    }

    /// Which blocks may have a trace; loaded when first asked for.
    pub(super) fn traces(&self, part: &Part) -> Result<&TraceIndex, PartError> {
        if let Some(index) = self.trace_index.get() {
            return Ok(index);
        }
        let Some(chunk) = self.traces else { return Err(part.damaged(Damage::new("no trace index"))) };
        let bytes = part.read(chunk)?;
        let index = SegmentReader::open(&bytes)
            .and_then(|mut reader| TraceIndex::read(&mut reader, self.blocks.len()))
            .map_err(|damage| part.damaged(damage))?;
        Ok(self.trace_index.get_or_init(|| index))
    }
}

impl Block {
    /// Whether it is large enough to stay as it is in merges.
    pub(super) fn is_full(&self) -> bool {
        let bytes: usize = self.segments.iter().map(|chunk| chunk.len as usize).sum();
        self.rows as usize * 2 >= BLOCK_ROWS_MAX || bytes >= FULL_BYTES
    }

    /// Reads and decodes a segment.
    pub(super) fn segment<T>(
        &self,
        part: &Part,
        segment: Segment,
        decode: impl FnOnce(&[u8], usize) -> Result<T, Damage>,
    ) -> Result<T, PartError> {
        let bytes = part.read(self.segments[segment as usize])?;
        decode(&bytes, self.rows as usize).map_err(|damage| part.damaged(damage))
    }

    /// Its value filter.
    pub(super) fn bloom(&self, part: &Part) -> Result<Bloom, PartError> {
        Bloom::from_bytes(&part.read(self.bloom)?).map_err(|damage| part.damaged(damage))
    }
}

fn read_block(reader: &mut SegmentReader, names: usize) -> Result<Block, Damage> {
    let (rows, traces, flags) = (reader.count()?, reader.count()?, reader.number()?);
    if rows > BLOCK_ROWS_MAX || traces > rows {
        return Err(Damage::new("a block claims too many rows"));
    }
    let mut block = Block {
        rows: u32::try_from(rows).unwrap_or(u32::MAX),
        traces: u32::try_from(traces).unwrap_or(u32::MAX),
        failed: flags & FAILED != 0,
        arrays: flags & ARRAYS != 0,
        min_ns: reader.signed()?,
        max_ns: reader.signed()?,
        longest_ns: reader.signed()?,
        ..Block::default()
    };
    for chunk in &mut block.segments {
        *chunk = reader.chunk()?;
    }
    block.bloom = reader.chunk()?;
    let count = reader.count()?;
    block.names = read_u32s(reader, count, names.saturating_sub(1))?;
    Ok(block)
}
