//! Segments: the unit that is read and decompressed together.
//!
//! A segment holds several columns in three pools: `meta` (modes, counts, lengths), `text` (bytes worth compressing) and
//! `raw` (bytes that are dense already: ids, packed integers). Columns are written and read in the same order, each
//! taking what is its own from the three cursors.
//!
//! Layout: the varints `meta`, `meta stored`, `text`, `text stored`, `raw`, then the three pools. A pool whose stored
//! length equals its length is not compressed. The part file checks a segment's CRC before it comes here.

use super::Decoded;
use crate::codec::{Reader, put_signed, put_varint};
use crate::error::Damage;
use crate::part::ChunkRef;
use std::cell::RefCell;
use zstd::bulk::Compressor;

/// Most bytes one segment may expand to while it is decoded, and the longest pool; a writer stays far below it.
pub const SEGMENT_BYTES_MAX: usize = 1 << 30;

/// Most values one column may claim.
pub const COLUMN_VALUES_MAX: usize = 1 << 24;

/// zstd level. What templates, dictionaries and integer columns leave is short; higher levels cost more CPU than they
/// save bytes.
const ZSTD_LEVEL: i32 = 3;

/// Pools shorter than this are stored as they are.
const COMPRESS_BYTES_MIN: usize = 24;

/// Collects columns.
#[derive(Debug, Default)]
pub struct SegmentWriter {
    /// Modes, counts, lengths.
    pub(crate) meta: Vec<u8>,
    /// Compressible bytes.
    pub(crate) text: Vec<u8>,
    /// Dense bytes.
    pub(crate) raw: Vec<u8>,
}

impl SegmentWriter {
    /// An empty segment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an unsigned number to `meta`.
    pub fn number(&mut self, value: u64) {
        put_varint(&mut self.meta, value);
    }

    /// Appends a count or length to `meta`.
    pub fn count(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// Appends a signed number to `meta`.
    pub fn signed(&mut self, value: i64) {
        put_signed(&mut self.meta, value);
    }

    /// Appends a length to `meta` and the bytes to `text`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.text.extend_from_slice(bytes);
    }

    /// The segment's bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let meta = compress(&self.meta);
        let text = compress(&self.text);
        let stored =
            |pool: &Option<Vec<u8>>, plain: &[u8]| pool.as_ref().map_or(plain.len(), Vec::len) as u64;
        let mut out = Vec::new();
        put_varint(&mut out, self.meta.len() as u64);
        put_varint(&mut out, stored(&meta, &self.meta));
        put_varint(&mut out, self.text.len() as u64);
        put_varint(&mut out, stored(&text, &self.text));
        put_varint(&mut out, self.raw.len() as u64);
        out.extend_from_slice(meta.as_deref().unwrap_or(&self.meta));
        out.extend_from_slice(text.as_deref().unwrap_or(&self.text));
        out.extend_from_slice(&self.raw);
        out
    }
}

thread_local! {
    /// One context per thread: making one costs more than compressing a short column.
    static ZSTD: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// `None` when compression does not pay.
pub(crate) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < COMPRESS_BYTES_MIN {
        return None;
    }
    let packed = ZSTD.with_borrow_mut(|context| {
        if context.is_none() {
            *context = Compressor::new(ZSTD_LEVEL).ok();
        }
        context.as_mut()?.compress(bytes).ok()
    });
    packed.filter(|packed| packed.len() < bytes.len())
}

/// Takes columns out of a segment in the order they were written.
#[derive(Debug)]
pub struct SegmentReader {
    meta: Pool,
    text: Pool,
    raw: Pool,
    budget_bytes: usize,
}

#[derive(Debug)]
struct Pool {
    bytes: Vec<u8>,
    at: usize,
}

impl Pool {
    fn take(&mut self, len: usize) -> Decoded<&[u8]> {
        let end = self.at.checked_add(len).ok_or_else(|| Damage::new("a length overflows"))?;
        let slice = self.bytes.get(self.at..end).ok_or_else(|| Damage::new("a column ends early"))?;
        self.at = end;
        Ok(slice)
    }

    fn parse<T>(&mut self, parse: impl FnOnce(&mut Reader<'_>) -> Decoded<T>) -> Decoded<T> {
        let mut reader = Reader::new(self.bytes.get(self.at..).unwrap_or_default());
        let before = reader.rest().len();
        let value = parse(&mut reader)?;
        self.at += before - reader.rest().len();
        Ok(value)
    }

    fn varint(&mut self) -> Decoded<u64> {
        self.parse(|reader: &mut Reader<'_>| reader.varint())
    }
}

impl SegmentReader {
    /// Decompresses a segment.
    ///
    /// # Errors
    /// When the bytes are not a segment.
    pub fn open(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let mut length = || {
            let len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
            if len > SEGMENT_BYTES_MAX {
                Err(Damage::new("a segment claims too many bytes"))
            } else {
                Ok(len)
            }
        };
        let (meta, meta_stored) = (length()?, length()?);
        let (text, text_stored) = (length()?, length()?);
        let raw = length()?;
        let meta = decompress(reader.take(meta_stored)?, meta)?;
        let text = decompress(reader.take(text_stored)?, text)?;
        let raw = reader.take(raw)?.to_vec();
        let pool = |bytes| Pool { bytes, at: 0 };
        Ok(Self { meta: pool(meta), text: pool(text), raw: pool(raw), budget_bytes: SEGMENT_BYTES_MAX })
    }

    /// The next unsigned number of `meta`.
    ///
    /// # Errors
    /// When `meta` ends.
    pub fn number(&mut self) -> Decoded<u64> {
        self.meta.varint()
    }

    /// The next signed number of `meta`.
    ///
    /// # Errors
    /// When `meta` ends.
    pub fn signed(&mut self) -> Decoded<i64> {
        let raw = self.number()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// The next chunk reference of `meta`.
    ///
    /// # Errors
    /// When `meta` ends.
    pub fn chunk(&mut self) -> Decoded<ChunkRef> {
        self.meta.parse(ChunkRef::get)
    }

    /// The next length of `meta`.
    ///
    /// # Errors
    /// When `meta` ends.
    pub fn length(&mut self) -> Decoded<usize> {
        Ok(usize::try_from(self.number()?).unwrap_or(usize::MAX))
    }

    /// The next count of `meta`, at most [`COLUMN_VALUES_MAX`].
    ///
    /// # Errors
    /// When `meta` ends or the count is larger than any writer makes.
    pub fn count(&mut self) -> Decoded<usize> {
        let value = self.length()?;
        if value > COLUMN_VALUES_MAX {
            Err(Damage::new("a column claims too many values"))
        } else {
            Ok(value)
        }
    }

    /// The next `len` bytes of `raw`.
    ///
    /// # Errors
    /// When `raw` ends.
    pub fn raw(&mut self, len: usize) -> Decoded<&[u8]> {
        self.raw.take(len)
    }

    /// The next `len` bytes of `text`.
    ///
    /// # Errors
    /// When `text` ends.
    pub fn text(&mut self, len: usize) -> Decoded<&[u8]> {
        self.text.take(len)
    }

    /// A length of `meta` and as many bytes of `text`.
    ///
    /// # Errors
    /// When either ends.
    pub fn bytes(&mut self) -> Decoded<&[u8]> {
        let len = self.length()?;
        self.text.take(len)
    }

    /// A varint of `text`.
    ///
    /// # Errors
    /// When `text` ends.
    pub(crate) fn text_varint(&mut self) -> Decoded<u64> {
        self.text.varint()
    }

    /// Counts an allocation against the segment's bound; call before allocating what bytes claim.
    ///
    /// # Errors
    /// When the segment expands to more than [`SEGMENT_BYTES_MAX`].
    pub fn reserve(&mut self, bytes: usize) -> Decoded<()> {
        let left = self.budget_bytes.checked_sub(bytes);
        self.budget_bytes = left.ok_or_else(|| Damage::new("a segment expands to too many bytes"))?;
        Ok(())
    }
}

/// Undoes [`compress`]; `len` is the expected length.
pub(crate) fn decompress(stored: &[u8], len: usize) -> Decoded<Vec<u8>> {
    if stored.len() == len {
        return Ok(stored.to_vec());
    }
    // A frame that lies about its size is refused before memory is taken for it.
    let claimed = zstd::zstd_safe::get_frame_content_size(stored).ok().flatten();
    if claimed != Some(len as u64) {
        return Err(Damage::new("a zstd frame has another size than said"));
    }
    let bytes = zstd::bulk::decompress(stored, len).map_err(|error| Damage(format!("zstd: {error}")))?;
    if bytes.len() == len { Ok(bytes) } else { Err(Damage::new("a zstd frame has another size than said")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back() {
        let mut writer = SegmentWriter::new();
        for value in [0, -1, i64::MIN, i64::MAX] {
            writer.signed(value);
        }
        writer.bytes(&b"abc".repeat(100));
        writer.raw.extend_from_slice(&[1, 2, 3]);
        let bytes = writer.finish();
        let mut reader = SegmentReader::open(&bytes).expect("segment");
        for value in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(reader.signed(), Ok(value));
        }
        assert_eq!(reader.bytes().map(<[u8]>::len), Ok(300));
        assert_eq!(reader.raw(3), Ok(&[1, 2, 3][..]));
        assert!(reader.raw(1).is_err());
    }

    #[test]
    fn a_cut_segment_is_damage() {
        let mut writer = SegmentWriter::new();
        writer.bytes(&b"abc".repeat(20));
        let bytes = writer.finish();
        for len in 0..bytes.len() {
            assert!(SegmentReader::open(&bytes[..len]).is_err(), "first {len} bytes");
        }
    }

    #[test]
    fn a_frame_that_claims_more_than_it_holds_is_refused() {
        let packed = compress(&[7; 1000]).expect("compressible");
        assert!(decompress(&packed, 1 << 29).is_err());
    }
}
