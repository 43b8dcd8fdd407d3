//! Value columns: constants are metadata, decimals become integers when every value comes back bit for bit, the rest
//! stays 64-bit floats. A chunk holds one page per series, compressed together (pco, wrapped format).
//!
//! ```text
//! chunk = kind:u8 pages page* header_len header body*
//! page  = numbers body_len [exponent:u8 exceptions (Δposition bits:u64)*]          in brackets: integer chunks only
//! ```

use super::exact::float;
use crate::codec::{Reader, put_bytes, put_varint};
use crate::error::Damage;
use pco::wrapped::{ChunkDecompressor, FileCompressor, FileDecompressor};
use pco::{ChunkConfig, PagingSpec};

/// Series of a chunk.
pub(super) const CHUNK_SERIES_MAX: usize = 64;
/// Numbers of a chunk, beyond which it is closed.
pub(super) const CHUNK_NUMBERS_MAX: usize = 256 << 10;
/// Numbers from which a new metric starts a new chunk.
pub(super) const CHUNK_NUMBERS_MIN: usize = 2048;
/// Most numbers of a page that a reader believes.
const PAGE_NUMBERS_MAX: usize = 64 << 20;
/// Decimal digits after the point that are tried.
const EXPONENT_MAX: u8 = 9;
/// Integers below this are exact as floats.
const MANTISSA_MAX: f64 = 9_007_199_254_740_992.0;
/// One in so many values may be an exception (a staleness marker, an infinity) before floats are better.
const EXCEPTIONS_PER: usize = 8;

const POWERS: [f64; EXPONENT_MAX as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

const INTEGERS: u8 = 0;
const FLOATS: u8 = 1;

fn power(exponent: u8) -> f64 {
    POWERS.get(usize::from(exponent)).copied().unwrap_or(f64::NAN)
}

/// `value` as an integer of 10^-exponent, if that is exact.
#[expect(clippy::cast_possible_truncation, reason = "the magnitude was checked")]
fn scaled(value: f64, exponent: u8) -> Option<i64> {
    let integer = (value * power(exponent)).round();
    if integer.is_nan() || integer.abs() >= MANTISSA_MAX {
        return None;
    }
    let back = integer / power(exponent);
    (back.to_bits() == value.to_bits()).then_some(integer as i64)
}

/// How a series' values are kept.
pub(super) enum Column {
    /// All values have these bits.
    Constant(u64),
    /// Integers of 10^-exponent, but for the exceptions (position, bits).
    Decimal { exponent: u8, integers: Vec<i64>, exceptions: Vec<(usize, u64)> },
    /// As they are.
    Floats,
}

/// Chooses the representation of `values`, which are not empty.
pub(super) fn classify(values: &[f64]) -> Column {
    let first = values.first().map_or(0, |value| value.to_bits());
    if values.iter().all(|value| value.to_bits() == first) {
        return Column::Constant(first);
    }
    let mut exponent = 0;
    let mut odd = 0;
    for value in values {
        match (exponent..=EXPONENT_MAX).find(|exponent| scaled(*value, *exponent).is_some()) {
            Some(needed) => exponent = needed,
            None => odd += 1,
        }
        if odd * EXCEPTIONS_PER > values.len() {
            return Column::Floats;
        }
    }
    let mut integers = Vec::with_capacity(values.len());
    let mut exceptions = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let integer = scaled(*value, exponent).unwrap_or_else(|| {
            exceptions.push((at, value.to_bits()));
            integers.last().copied().unwrap_or(0)
        });
        integers.push(integer);
    }
    if exceptions.len() * EXCEPTIONS_PER > values.len() {
        return Column::Floats;
    }
    Column::Decimal { exponent, integers, exceptions }
}

struct Page {
    numbers: usize,
    exponent: u8,
    exceptions: Vec<(usize, u64)>,
}

/// Pages that will be one chunk, integers or floats.
#[derive(Default)]
pub(super) struct Pending {
    integers: Vec<i64>,
    floats: Vec<f64>,
    pages: Vec<Page>,
}

impl Pending {
    /// Adds a page of integers and returns its number.
    pub(super) fn push_integers(
        &mut self,
        exponent: u8,
        integers: &[i64],
        exceptions: Vec<(usize, u64)>,
    ) -> usize {
        self.integers.extend_from_slice(integers);
        self.pages.push(Page { numbers: integers.len(), exponent, exceptions });
        self.pages.len() - 1
    }

    /// Adds a page of floats and returns its number.
    pub(super) fn push_floats(&mut self, floats: &[f64]) -> usize {
        self.floats.extend_from_slice(floats);
        self.pages.push(Page { numbers: floats.len(), exponent: 0, exceptions: Vec::new() });
        self.pages.len() - 1
    }

    /// Pages and numbers so far.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.pages.len(), self.integers.len() + self.floats.len())
    }

    /// The chunk's bytes; empties this.
    pub(super) fn close(&mut self, level: usize) -> Result<Vec<u8>, Damage> {
        let sizes: Vec<usize> = self.pages.iter().map(|page| page.numbers).collect();
        let config =
            ChunkConfig::default().with_compression_level(level).with_paging_spec(PagingSpec::Exact(sizes));
        let file = FileCompressor::default();
        let integers = self.floats.is_empty();
        let chunk = if integers {
            file.chunk_compressor(&self.integers, &config)
        } else {
            file.chunk_compressor(&self.floats, &config)
        };
        let mut chunk = chunk.map_err(pco_damage)?;
        let mut header = Vec::new();
        file.write_header(&mut header).map_err(pco_damage)?;
        chunk.write_meta(&mut header).map_err(pco_damage)?;
        let mut out = vec![if integers { INTEGERS } else { FLOATS }];
        put_varint(&mut out, self.pages.len() as u64);
        let mut bodies = Vec::new();
        for (at, page) in self.pages.iter().enumerate() {
            let from = bodies.len();
            chunk.write_page(at, &mut bodies).map_err(pco_damage)?;
            put_page(&mut out, page, bodies.len() - from, integers);
        }
        put_bytes(&mut out, &header);
        out.extend_from_slice(&bodies);
        self.integers.clear();
        self.floats.clear();
        self.pages.clear();
        Ok(out)
    }
}

fn put_page(out: &mut Vec<u8>, page: &Page, body: usize, integers: bool) {
    put_varint(out, page.numbers as u64);
    put_varint(out, body as u64);
    if integers {
        out.push(page.exponent);
        put_varint(out, page.exceptions.len() as u64);
        let mut last = 0;
        for (at, bits) in &page.exceptions {
            put_varint(out, (at - last) as u64);
            out.extend_from_slice(&bits.to_le_bytes());
            last = *at;
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands errors over by value")]
fn pco_damage(error: pco::errors::PcoError) -> Damage {
    Damage(format!("pco: {error}"))
}

enum Codec {
    Integers(ChunkDecompressor<i64>),
    Floats(ChunkDecompressor<f64>),
}

/// A chunk that is being read.
pub(super) struct ValueChunk {
    bytes: Vec<u8>,
    /// Each page and where its body starts and ends.
    pages: Vec<(Page, usize, usize)>,
    codec: Codec,
    scratch: Vec<i64>,
}

impl ValueChunk {
    /// Takes a chunk's bytes apart.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, Damage> {
        let mut reader = Reader::new(&bytes);
        let kind = reader.u8()?;
        let mut sizes = Vec::new();
        for _ in 0..reader.count(2)? {
            sizes.push(get_page(&mut reader, kind == INTEGERS)?);
        }
        let header = reader.bytes()?;
        let (file, rest) = FileDecompressor::new(header).map_err(pco_damage)?;
        let codec = match kind {
            INTEGERS => Codec::Integers(file.chunk_decompressor(rest).map_err(pco_damage)?.0),
            FLOATS => Codec::Floats(file.chunk_decompressor(rest).map_err(pco_damage)?.0),
            _ => return Err(Damage::new("unknown kind of value chunk")),
        };
        let mut at = bytes.len() - reader.rest().len();
        let mut pages = Vec::with_capacity(sizes.len());
        for (page, len) in sizes {
            let end = at.checked_add(len).filter(|end| *end <= bytes.len());
            let end = end.ok_or_else(|| Damage::new("a page reaches beyond its chunk"))?;
            pages.push((page, at, end));
            at = end;
        }
        Ok(Self { bytes, pages, codec, scratch: Vec::new() })
    }

    /// Appends the values of page `at`, which must be `numbers` long.
    pub(super) fn read(&mut self, at: usize, numbers: usize, out: &mut Vec<f64>) -> Result<(), Damage> {
        let Self { bytes, pages, codec, scratch } = self;
        let (page, start, end) = pages.get(at).ok_or_else(|| Damage::new("no such page"))?;
        if page.numbers != numbers {
            return Err(Damage(format!("a page has {} values for {numbers} times", page.numbers)));
        }
        let body = bytes.get(*start..*end).unwrap_or_default();
        let from = out.len();
        match codec {
            Codec::Floats(chunk) => {
                out.resize(from + numbers, 0.0);
                let into = out.get_mut(from..).unwrap_or_default();
                chunk
                    .page_decompressor(body, numbers)
                    .and_then(|mut page| page.read(into))
                    .map_err(pco_damage)?;
            }
            Codec::Integers(chunk) => {
                scratch.resize(numbers, 0);
                chunk
                    .page_decompressor(body, numbers)
                    .and_then(|mut page| page.read(scratch))
                    .map_err(pco_damage)?;
                let unit = power(page.exponent);
                out.extend(scratch.iter().map(|integer| float(*integer) / unit));
                for (at, bits) in &page.exceptions {
                    if let Some(value) = out.get_mut(from + at) {
                        *value = f64::from_bits(*bits);
                    }
                }
            }
        }
        Ok(())
    }
}

fn get_page(reader: &mut Reader<'_>, integers: bool) -> Result<(Page, usize), Damage> {
    let numbers = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    let len = reader.count(1)?;
    if numbers > PAGE_NUMBERS_MAX {
        return Err(Damage::new("a page claims too many values"));
    }
    let mut page = Page { numbers, exponent: 0, exceptions: Vec::new() };
    if integers {
        page.exponent = reader.u8()?;
        let mut at = 0_usize;
        for _ in 0..reader.count(9)? {
            at = at.saturating_add(usize::try_from(reader.varint()?).unwrap_or(usize::MAX));
            page.exceptions.push((at, reader.u64()?));
        }
    }
    Ok((page, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::metric::stale_nan;
    use proptest::prelude::*;

    fn check(columns: &[Vec<f64>]) {
        let (mut integers, mut floats) = (Pending::default(), Pending::default());
        let mut places = Vec::new();
        for values in columns {
            places.push(match classify(values) {
                Column::Constant(bits) => {
                    assert!(values.iter().all(|value| value.to_bits() == bits));
                    None
                }
                Column::Decimal { exponent, integers: scaled, exceptions } => {
                    Some((true, integers.push_integers(exponent, &scaled, exceptions)))
                }
                Column::Floats => Some((false, floats.push_floats(values))),
            });
        }
        let open = |mut pending: Pending| {
            (pending.len().0 > 0).then(|| ValueChunk::parse(pending.close(4).expect("close")).expect("parse"))
        };
        let (mut integers, mut floats) = (open(integers), open(floats));
        for (values, place) in columns.iter().zip(places) {
            let Some((integer, page)) = place else { continue };
            let chunk = if integer { integers.as_mut() } else { floats.as_mut() }.expect("chunk");
            let mut back = Vec::new();
            chunk.read(page, values.len(), &mut back).expect("read");
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&back), bits(values));
        }
    }

    #[test]
    fn values_come_back_bit_for_bit() {
        check(&[
            vec![1.0, 2.0, 3.0],
            vec![0.1, 0.2, 0.300_000_000_000_000_04],
            vec![1234.56, 1234.57, 1300.0, f64::NAN],
            (0..20).map(f64::from).chain([stale_nan()]).collect(),
            vec![f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, f64::MIN_POSITIVE, f64::MAX],
            vec![f64::from_bits(0x7ff8_dead_beef_0001), 1e-300],
            vec![7.0; 100],
            vec![9_007_199_254_740_991.0, 9_007_199_254_740_993.0, 1e22],
        ]);
    }

    #[test]
    fn hostile_chunks_are_damage() {
        let mut pending = Pending::default();
        pending.push_integers(1, &[1, 2, 3, 5, 8, 13], vec![(2, 7)]);
        let bytes = pending.close(4).expect("close");
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 0x55;
            if let Ok(mut chunk) = ValueChunk::parse(spoilt) {
                let _ = chunk.read(0, 6, &mut Vec::new());
            }
            assert!(
                ValueChunk::parse(bytes[..at].to_vec())
                    .and_then(|mut c| c.read(0, 6, &mut Vec::new()))
                    .is_err()
            );
        }
    }

    proptest! {
        #[test]
        fn any_bits_come_back(columns in prop::collection::vec(prop::collection::vec(prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-1000_i32..1000).prop_map(|cents| f64::from(cents) / 100.0),
            (-5_i32..5).prop_map(f64::from),
        ], 1..80), 1..6)) {
            check(&columns);
        }
    }
}
