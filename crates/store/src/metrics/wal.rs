//! Metrics in the WAL: series are numbers, defined by the first record of a segment that uses them.
//!
//! ```text
//! payload = definitions floats histograms exemplars metadata          each starts with a count
//! definitions = raw_len lz4(number labels)*       float = Δnumber Δtime value
//! value = 2 * zigzag(integer) when it is one, else 1 and eight bytes
//! ```

use super::exact::{float, integer};
use super::histograms;
use super::memory::MetricMemory;
use crate::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::error::Damage;
use crate::signal::Memory;
use crate::wal::{RECORD_BYTES_MAX, Record};
use model::metric::{MetricKind, MetricMetadata};
use model::{Exemplar, FloatHistogram, Labels, Tenant};
use std::collections::HashMap;
use std::sync::Arc;

/// A batch whose series are numbers of a registry (or, while replaying, of a segment).
#[derive(Debug, Default, PartialEq)]
pub struct Resolved {
    /// Series that the WAL segment has not defined yet.
    pub definitions: Vec<(u32, Labels)>,
    /// Series, milliseconds, value.
    pub floats: Vec<(u32, i64, f64)>,
    /// Series, milliseconds, value.
    pub histograms: Vec<(u32, i64, Arc<FloatHistogram>)>,
    /// Series and exemplar.
    pub exemplars: Vec<(u32, Exemplar)>,
    /// Families.
    pub metadata: Vec<MetricMetadata>,
}

impl AsRef<Resolved> for Resolved {
    fn as_ref(&self) -> &Self {
        self
    }
}

fn put_value(out: &mut Vec<u8>, value: f64) {
    if let Some(integer) = integer(value) {
        put_varint(out, (((integer << 1) ^ (integer >> 63)).cast_unsigned()) << 1);
    } else {
        out.push(1);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn get_value(reader: &mut Reader<'_>) -> Result<f64, Damage> {
    let raw = reader.varint()?;
    if raw == 1 {
        return reader.f64();
    }
    let zigzag = raw >> 1;
    Ok(float((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()))
}

/// Appends labels: count, then names and values.
pub(super) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_varint(out, labels.len() as u64);
    for label in labels {
        put_bytes(out, label.name.as_bytes());
        put_bytes(out, label.value.as_bytes());
    }
}

/// Reads labels back.
pub(super) fn get_labels(reader: &mut Reader<'_>) -> Result<Labels, Damage> {
    let count = reader.count(2)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((reader.str()?, reader.str()?));
    }
    Ok(Labels::from_pairs(pairs))
}

/// Appends family descriptions.
pub(super) fn put_metadata(out: &mut Vec<u8>, metadata: &[MetricMetadata]) {
    put_varint(out, metadata.len() as u64);
    for family in metadata {
        put_bytes(out, family.family.as_bytes());
        out.push(kind_number(family.kind));
        put_bytes(out, family.help.as_bytes());
        put_bytes(out, family.unit.as_bytes());
    }
}

/// Reads family descriptions back.
pub(super) fn get_metadata(reader: &mut Reader<'_>) -> Result<Vec<MetricMetadata>, Damage> {
    let count = reader.count(4)?;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let family = reader.str()?.to_owned();
        let kind = kind_of(reader.u8()?)?;
        all.push(MetricMetadata {
            family,
            kind,
            help: reader.str()?.to_owned(),
            unit: reader.str()?.to_owned(),
        });
    }
    Ok(all)
}

const KINDS: [MetricKind; 8] = [
    MetricKind::Unknown,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Histogram,
    MetricKind::GaugeHistogram,
    MetricKind::Summary,
    MetricKind::Info,
    MetricKind::StateSet,
];

fn kind_number(kind: MetricKind) -> u8 {
    (0..).zip(KINDS).find(|(_, known)| *known == kind).map_or(0, |(number, _)| number)
}

fn kind_of(number: u8) -> Result<MetricKind, Damage> {
    KINDS.get(usize::from(number)).copied().ok_or_else(|| Damage::new("unknown metric type"))
}

/// Appends an exemplar without its series.
pub(super) fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    put_signed(out, exemplar.ts_ms);
    out.extend_from_slice(&exemplar.value.to_le_bytes());
    put_labels(out, &exemplar.labels);
}

/// Reads an exemplar back.
pub(super) fn get_exemplar(reader: &mut Reader<'_>) -> Result<Exemplar, Damage> {
    let (ts_ms, value) = (reader.signed()?, reader.f64()?);
    Ok(Exemplar { labels: get_labels(reader)?, value, ts_ms })
}

/// Appends the payload of `batch`.
pub(super) fn encode(batch: &Resolved, out: &mut Vec<u8>) {
    put_varint(out, batch.definitions.len() as u64);
    if !batch.definitions.is_empty() {
        let mut raw = Vec::new();
        for (series, labels) in &batch.definitions {
            put_varint(&mut raw, u64::from(*series));
            put_labels(&mut raw, labels);
        }
        put_varint(out, raw.len() as u64);
        put_bytes(out, &lz4_flex::block::compress(&raw));
    }
    put_varint(out, batch.floats.len() as u64);
    let (mut last_series, mut last_ms) = (0, 0);
    for (series, ts_ms, value) in &batch.floats {
        put_signed(out, i64::from(*series) - last_series);
        put_signed(out, ts_ms.wrapping_sub(last_ms));
        put_value(out, *value);
        (last_series, last_ms) = (i64::from(*series), *ts_ms);
    }
    put_varint(out, batch.histograms.len() as u64);
    for (series, ts_ms, histogram) in &batch.histograms {
        put_varint(out, u64::from(*series));
        put_signed(out, *ts_ms);
        histograms::put(out, histogram, None);
    }
    put_varint(out, batch.exemplars.len() as u64);
    for (series, exemplar) in &batch.exemplars {
        put_varint(out, u64::from(*series));
        put_exemplar(out, exemplar);
    }
    put_metadata(out, &batch.metadata);
}

/// The batch that [`encode`] wrote; its series are still numbers of the segment.
pub(super) fn decode(payload: &[u8]) -> Result<Resolved, Damage> {
    let mut definitions = Vec::new();
    let mut batch = decode_with(payload, |number, labels| {
        definitions.push((number, get_labels(&mut Reader::new(labels))?));
        Ok(())
    })?;
    batch.definitions = definitions;
    Ok(batch)
}

/// Decodes all but the definitions, which are handed to `define` with their labels still encoded.
fn decode_with(
    payload: &[u8],
    define: impl FnMut(u32, &[u8]) -> Result<(), Damage>,
) -> Result<Resolved, Damage> {
    let mut reader = Reader::new(payload);
    read_definitions(&mut reader, define)?;
    let mut batch = Resolved::default();
    let (mut series, mut ts_ms) = (0_i64, 0_i64);
    let count = reader.count(3)?;
    batch.floats.reserve_exact(count);
    for _ in 0..count {
        series = series.wrapping_add(reader.signed()?);
        ts_ms = ts_ms.wrapping_add(reader.signed()?);
        let series = u32::try_from(series).map_err(|_| Damage::new("series number"))?;
        batch.floats.push((series, ts_ms, get_value(&mut reader)?));
    }
    for _ in 0..reader.count(3)? {
        let (series, ts_ms) = (reader.varint32()?, reader.signed()?);
        batch.histograms.push((series, ts_ms, Arc::new(histograms::get(&mut reader, None)?)));
    }
    for _ in 0..reader.count(3)? {
        batch.exemplars.push((reader.varint32()?, get_exemplar(&mut reader)?));
    }
    batch.metadata = get_metadata(&mut reader)?;
    Ok(batch)
}

fn read_definitions(
    reader: &mut Reader<'_>,
    mut define: impl FnMut(u32, &[u8]) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let count = reader.varint()?;
    if count == 0 {
        return Ok(());
    }
    let raw_len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    if raw_len > RECORD_BYTES_MAX {
        return Err(Damage::new("definitions are too long"));
    }
    let raw = lz4_flex::block::decompress(reader.bytes()?, raw_len)
        .map_err(|error| Damage(format!("lz4: {error}")))?;
    let mut reader = Reader::new(&raw);
    for _ in 0..count {
        let number = reader.varint32()?;
        let start = reader;
        for _ in 0..reader.count(2)? {
            reader.bytes()?;
            reader.bytes()?;
        }
        let len = start.rest().len() - reader.rest().len();
        define(number, start.rest().get(..len).unwrap_or_default())?;
    }
    Ok(())
}

/// Salt of registry keys made from labels as the WAL encodes them.
const KEY_SALT: u128 = 0x7761_6c00_0000_0000_0000_0000_0000_0002;
/// Largest series number of a segment that is believed.
const NUMBER_MAX: u32 = 1 << 26;
/// A number without a definition.
const UNDEFINED: u32 = u32::MAX;

/// Replays one segment's metrics: knows what the segment's numbers mean, tenant by tenant.
#[derive(Default)]
pub struct Replay {
    numbers: HashMap<Tenant, Vec<u32>>,
}

impl Replay {
    /// Applies a record to the tenant's memory part.
    ///
    /// # Errors
    /// When the payload is damaged or uses a number whose definition was lost.
    pub fn apply(&mut self, memory: &MetricMemory, record: &Record<'_>) -> Result<(), Damage> {
        let numbers = self.numbers.entry(record.tenant.clone()).or_default();
        let mut batch = decode_with(record.payload, |number, labels| {
            let at = number as usize;
            if number > NUMBER_MAX {
                return Err(Damage::new("a series number is out of bounds"));
            }
            if at >= numbers.len() {
                numbers.resize(at + 1, UNDEFINED);
            }
            let series = register(memory, labels)?;
            if let Some(slot) = numbers.get_mut(at) {
                *slot = series;
            }
            Ok(())
        })?;
        let mut lost = false;
        let mut translate = |series: &mut u32| {
            *series = numbers.get(*series as usize).copied().unwrap_or(UNDEFINED);
            lost |= *series == UNDEFINED;
            *series != UNDEFINED
        };
        batch.floats.retain_mut(|(series, ..)| translate(series));
        batch.histograms.retain_mut(|(series, ..)| translate(series));
        batch.exemplars.retain_mut(|(series, _)| translate(series));
        memory.apply(batch);
        if lost { Err(Damage::new("the definition of a series it uses is lost")) } else { Ok(()) }
    }
}

/// The registry's number of a series; its labels are decoded only when a segment defines it first.
fn register(memory: &MetricMemory, labels: &[u8]) -> Result<u32, Damage> {
    let key = xxhash_rust::xxh3::xxh3_128(labels) ^ KEY_SALT;
    let mut registry = memory.registry_mut();
    if let Some(known) = registry.find(key) {
        return Ok(known);
    }
    let labels = get_labels(&mut Reader::new(labels))?;
    registry.insert(Some(key), &labels).ok_or_else(|| Damage::new("no memory for its series"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back_bit_for_bit() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "api")]);
        let values = [0.0, -0.0, 1.0, -7.0, 0.1, 1e300, f64::INFINITY, 4_503_599_627_370_495.0, 9e15];
        let batch = Resolved {
            definitions: vec![(3, labels.clone())],
            floats: (0..)
                .zip(values)
                .map(|(at, value)| (3 + at % 2, i64::from(at) * 15_000, value))
                .collect(),
            histograms: vec![(3, -5, Arc::new(FloatHistogram { count: 2.5, ..FloatHistogram::default() }))],
            exemplars: vec![(3, Exemplar { labels, value: 0.5, ts_ms: 7 })],
            metadata: vec![MetricMetadata {
                family: "up".into(),
                kind: MetricKind::Gauge,
                help: "Up.".into(),
                unit: String::new(),
            }],
        };
        let mut payload = Vec::new();
        encode(&batch, &mut payload);
        let back = decode(&payload).expect("decode");
        assert_eq!(back, batch);
        assert_eq!(back.floats[1].2.to_bits(), (-0.0_f64).to_bits());
        let mut stale = Vec::new();
        put_value(&mut stale, model::metric::stale_nan());
        let back = get_value(&mut Reader::new(&stale)).expect("value");
        assert_eq!(back.to_bits(), model::metric::STALE_NAN_BITS);
    }

    #[test]
    fn hostile_payloads_are_damage() {
        for payload in [&[][..], &[1, 255, 255, 255, 255, 15, 0], &[0, 255, 255, 3], &[5, 0, 0]] {
            assert!(decode(payload).is_err(), "{payload:?}");
        }
    }
}
