//! Change records as a signal: few, small, kept as JSON, one chunk per part.
//!
//! A resend of the same id is the same change: the first one stays.

use crate::codec::{Reader, put_bytes, put_varint, unzstd, zstd};
use crate::error::{Damage, PartError};
use crate::part::{ChunkRef, Part, PartSink, day_of, ms_of};
use crate::shelf::Source;
use crate::signal::{Memory, Signal, SignalKind};
use model::scan::{Completeness, ScanError};
use model::{Change, Tenant};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// zstd level of the chunk.
const LEVEL: i32 = 3;
/// Longest chunk that is decompressed, in bytes.
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// The signal.
pub struct Changes;

/// Changes that are not in a part yet.
#[derive(Default)]
pub struct ChangeMemory {
    changes: RwLock<Vec<Arc<Change>>>,
    bytes: AtomicUsize,
}

impl ChangeMemory {
    fn all(&self) -> Vec<Arc<Change>> {
        self.changes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Memory for ChangeMemory {
    type Batch = Vec<Change>;
    type Chunk = Vec<Change>;

    fn ready(batch: Vec<Change>) -> Option<Vec<Change>> {
        Some(batch)
    }

    fn apply(&self, batch: Vec<Change>) {
        self.bytes.fetch_add(batch.iter().map(bytes).sum(), Ordering::Relaxed);
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        changes.extend(batch.into_iter().map(Arc::new));
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn range_ms(&self) -> Option<(i64, i64)> {
        range_ms(&self.all())
    }
}

/// Bytes that `change` occupies, roughly.
pub(crate) fn bytes(change: &Change) -> usize {
    256 + 2 * (change.id.len() + change.summary.len())
}

fn range_ms(changes: &[Arc<Change>]) -> Option<(i64, i64)> {
    let min = changes.iter().map(|change| ms_of(change.ts_ns)).min()?;
    let max = changes.iter().map(|change| ms_of(change.ts_ns)).max()?;
    Some((min, max))
}

fn encode<'a>(changes: impl ExactSizeIterator<Item = &'a Change>, out: &mut Vec<u8>) {
    put_varint(out, changes.len() as u64);
    for change in changes {
        // A change is strings, numbers and a string map: its JSON form always exists.
        put_bytes(out, &serde_json::to_vec(change).unwrap_or_default());
    }
}

fn decode(bytes: &[u8]) -> Result<Vec<Change>, Damage> {
    let mut reader = Reader::new(bytes);
    let mut changes = Vec::new();
    for _ in 0..reader.count(1)? {
        let json = reader.bytes()?;
        changes.push(serde_json::from_slice(json).map_err(|error| Damage(format!("a change: {error}")))?);
    }
    Ok(changes)
}

fn read(part: &Part) -> Result<Vec<Change>, PartError> {
    let blame = |damage| part.damaged(damage);
    let chunk = ChunkRef::get(&mut Reader::new(part.meta()?)).map_err(blame)?;
    let bytes = unzstd(&part.read(chunk)?, CHUNK_BYTES_MAX).map_err(blame)?;
    decode(&bytes).map_err(blame)
}

fn write(sink: &mut PartSink<'_>, day: i64, changes: &[Arc<Change>]) -> Result<(), PartError> {
    let Some(range) = range_ms(changes) else { return Ok(()) };
    let mut bytes = Vec::new();
    encode(changes.iter().map(|change| &**change), &mut bytes);
    let mut writer = sink.begin(day)?;
    let packed = zstd(&bytes, LEVEL).map_err(|damage| writer.failed(damage))?;
    let mut meta = Vec::new();
    writer.chunk(&packed)?.put(&mut meta);
    sink.finish(writer, range, changes.len() as u64, &meta)
}

/// Sorted by time, each id once.
fn distinct(mut changes: Vec<Arc<Change>>) -> Vec<Arc<Change>> {
    let mut seen = HashSet::new();
    changes.retain(|change| seen.insert(change.id.clone()));
    changes.sort_by(|a, b| (a.ts_ns, &a.id).cmp(&(b.ts_ns, &b.id)));
    changes
}

impl Signal for Changes {
    const KIND: SignalKind = SignalKind::Changes;
    type Batch = Vec<Change>;
    type Memory = ChangeMemory;

    fn encode(batch: &Vec<Change>, payload: &mut Vec<u8>) {
        encode(batch.iter(), payload);
    }

    fn decode(payload: &[u8]) -> Result<Vec<Change>, Damage> {
        decode(payload)
    }

    fn seal(memory: &ChangeMemory, sink: &mut PartSink<'_>) -> Result<(), PartError> {
        let mut days: BTreeMap<i64, Vec<Arc<Change>>> = BTreeMap::new();
        for change in distinct(memory.all()) {
            days.entry(day_of(ms_of(change.ts_ns))).or_default().push(change);
        }
        days.iter().try_for_each(|(day, changes)| write(sink, *day, changes))
    }

    fn merge(inputs: &[Arc<Part>], sink: &mut PartSink<'_>) -> Result<(), PartError> {
        let mut all = Vec::new();
        for part in inputs {
            all.extend(read(part)?.into_iter().map(Arc::new));
        }
        let day = inputs.first().map_or(0, |part| part.info().day);
        write(sink, day, &distinct(all))
    }
}

impl Source<Changes> {
    /// The tenant's changes with `range.start <= ts_ns < range.end`, by time, and what is missing.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn changes(
        &self,
        tenant: &Tenant,
        range: &Range<i64>,
    ) -> Result<(Vec<Change>, Completeness), ScanError> {
        let mut view = self.view(tenant, ms_of(range.start), ms_of(range.end));
        let mut all = Vec::new();
        for part in &view.parts {
            match read(part) {
                Ok(changes) => all.extend(changes.into_iter().map(Arc::new)),
                Err(error) => self.absorb(error, &mut view.completeness)?,
            }
        }
        all.extend(view.memories.iter().flat_map(|memory| memory.all()));
        // First of all each id once: a resend may say another time.
        let mut all = distinct(all);
        all.retain(|change| range.contains(&change.ts_ns));
        let changes = all.into_iter().map(Arc::unwrap_or_clone).collect();
        Ok((changes, view.completeness))
    }
}
