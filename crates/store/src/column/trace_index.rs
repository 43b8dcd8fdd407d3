//! Which blocks of a part have a trace: 32-bit hashes of trace ids, sorted, each with a block.
//!
//! A hit may be another trace's (one in 2^32 per entry), so readers check the id in the block; a miss is certain.

use super::Decoded;
use super::ints::{read_ints, read_u32s, write_u32s};
use super::segment::{SegmentReader, SegmentWriter};
use crate::error::Damage;
use model::TraceId;
use xxhash_rust::xxh3::xxh3_64;

/// The frozen hash of a trace id: the top half of xxh3-64.
#[must_use]
pub fn hash(id: TraceId) -> u32 {
    (xxh3_64(&id.0) >> 32) as u32
}

/// Sorted hashes and their blocks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TraceIndex {
    entries: Vec<Entry>,
}

/// A hash above its block: compared as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

impl Entry {
    fn new(hash: u32, block: u32) -> Self {
        Self(u64::from(hash) << 32 | u64::from(block))
    }

    fn hash(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn block(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }
}

impl TraceIndex {
    /// An index of (trace, block) pairs in any order.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (TraceId, u32)>) -> Self {
        let mut entries: Vec<Entry> =
            pairs.into_iter().map(|(id, block)| Entry::new(hash(id), block)).collect();
        entries.sort_unstable();
        entries.dedup();
        Self { entries }
    }

    /// Joins the indexes of successive blocks.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// The entries of the blocks that moved, under their new numbers: `to` has one for each block, or none.
    #[must_use]
    pub fn moved(&self, to: &[Option<u32>]) -> Self {
        let entry = |entry: &Entry| {
            Some(Entry::new(entry.hash(), to.get(entry.block() as usize).copied().flatten()?))
        };
        Self { entries: self.entries.iter().filter_map(entry).collect() }
    }

    /// Appends it to a segment.
    pub fn write(&mut self, writer: &mut SegmentWriter) {
        // The stable sort takes the indexes that were joined for what they are: a few sorted runs.
        self.entries.sort();
        let mut last = 0;
        let delta = |entry: &Entry| entry.hash() - std::mem::replace(&mut last, entry.hash());
        writer.count(self.entries.len());
        write_u32s(writer, &self.entries.iter().map(delta).collect::<Vec<_>>());
        write_u32s(writer, &self.entries.iter().map(|entry| entry.block()).collect::<Vec<_>>());
    }

    /// Reads it back; blocks are below `blocks`.
    ///
    /// # Errors
    /// When the bytes are not an index.
    pub fn read(reader: &mut SegmentReader, blocks: usize) -> Decoded<Self> {
        let count = reader.count()?;
        let deltas = read_ints(reader, count)?;
        let ids = read_u32s(reader, count, blocks.saturating_sub(1))?;
        let mut last = 0_u32;
        let mut hash = |delta: u64| {
            last = last.checked_add(u32::try_from(delta).ok()?)?;
            Some(last)
        };
        let entries: Option<_> =
            deltas.into_iter().zip(ids).map(|(delta, block)| Some(Entry::new(hash(delta)?, block))).collect();
        Ok(Self { entries: entries.ok_or_else(|| Damage::new("trace hashes do not ascend"))? })
    }

    /// The blocks that may have `id`, ascending.
    pub fn blocks(&self, id: TraceId) -> impl Iterator<Item = u32> {
        let hash = hash(id);
        let from = self.entries.partition_point(|entry| entry.hash() < hash);
        self.entries
            .iter()
            .skip(from)
            .take_while(move |entry| entry.hash() == hash)
            .map(|entry| entry.block())
    }

    /// Bytes it occupies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_a_trace_is_found_and_nothing_else() {
        let id = |at: u32| TraceId(u128::from(at).to_be_bytes());
        let mut index = TraceIndex::new((0..1000).map(|at| (id(at), at / 100)));
        index.extend(TraceIndex::new([(id(5), 10), (id(5), 10)]));
        let mut writer = SegmentWriter::new();
        index.write(&mut writer);
        let read = TraceIndex::read(&mut SegmentReader::open(&writer.finish()).expect("segment"), 11)
            .expect("index");
        assert_eq!(read, index);
        assert_eq!(read.blocks(id(5)).collect::<Vec<_>>(), [0, 10]);
        assert_eq!(read.blocks(id(999)).collect::<Vec<_>>(), [9]);
        assert_eq!(read.blocks(id(1000)).count(), 0);
        let moved = read.moved(&[None, Some(7), Some(8)]);
        assert_eq!(moved.blocks(id(250)).collect::<Vec<_>>(), [8]);
        assert_eq!(moved.blocks(id(5)).count() + moved.blocks(id(999)).count(), 0);
    }
}
