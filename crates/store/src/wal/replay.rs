//! Reads segments back: hands out every record whose checksum holds, cuts a torn tail, reports what is damaged.

use super::record::{frame_at, next_frame, parse};
use super::{Record, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, SEGMENT_VERSION, WAL_DIR, segment_path};
use crate::codec::Reader;
use crate::error::{Damage, StoreError};
use platform::SharedDisk;

/// Bytes that are no record.
#[derive(Debug)]
pub struct Damaged<'a> {
    /// First byte in the segment.
    pub at: usize,
    /// The bytes.
    pub bytes: &'a [u8],
    /// What is wrong.
    pub reason: String,
}

/// Numbers of the segments on disk, ascending.
///
/// # Errors
/// What the disk says.
pub fn segments(disk: &SharedDisk) -> Result<Vec<u64>, StoreError> {
    let names = disk.list(WAL_DIR)?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".wal"))
        .filter_map(|hex| u64::from_str_radix(hex, 16).ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Replays segment `number`. `on_record` may refuse a record as damaged, `on_damage` learns of every damaged stretch.
/// With `last`, bytes after the last whole record are a torn tail: they are cut off durably and their number returned.
///
/// # Errors
/// Disk errors and newer versions.
pub fn replay_segment(
    disk: &SharedDisk,
    number: u64,
    last: bool,
    mut on_record: impl FnMut(Record<'_>) -> Result<(), Damage>,
    mut on_damage: impl FnMut(Damaged<'_>),
) -> Result<u64, StoreError> {
    let path = segment_path(number);
    let bytes = disk.read(&path)?;
    if !header_holds(&path, &bytes)? {
        if last && bytes.len() <= SEGMENT_HEADER_BYTES {
            disk.remove(&path)?;
            return Ok(bytes.len() as u64);
        }
        on_damage(Damaged {
            at: 0,
            bytes: bytes.get(..SEGMENT_HEADER_BYTES).unwrap_or(&bytes),
            reason: "header".into(),
        });
    }
    let mut at = SEGMENT_HEADER_BYTES.min(bytes.len());
    while at < bytes.len() {
        if let Some((body, next)) = frame_at(&bytes, at) {
            let taken = parse(body).ok_or_else(|| Damage::new("not a known record")).and_then(&mut on_record);
            if let Err(damage) = taken {
                on_damage(Damaged { at, bytes: bytes.get(at..next).unwrap_or_default(), reason: damage.0 });
            }
            at = next;
            continue;
        }
        let next = next_frame(&bytes, at);
        if next.is_none() && last {
            cut(disk, &path, at as u64)?;
            return Ok((bytes.len() - at) as u64);
        }
        let end = next.unwrap_or(bytes.len());
        on_damage(Damaged { at, bytes: bytes.get(at..end).unwrap_or_default(), reason: "checksum".into() });
        at = end;
    }
    Ok(0)
}

fn header_holds(path: &str, bytes: &[u8]) -> Result<bool, StoreError> {
    let mut reader = Reader::new(bytes);
    let magic = reader.take(SEGMENT_MAGIC.len()).is_ok_and(|magic| magic == SEGMENT_MAGIC);
    match reader.u32() {
        Ok(found) if magic && found > SEGMENT_VERSION => {
            Err(StoreError::Version { path: path.to_owned(), found, known: SEGMENT_VERSION })
        }
        Ok(found) => Ok(magic && found > 0 && bytes.len() >= SEGMENT_HEADER_BYTES),
        Err(_) => Ok(false),
    }
}

fn cut(disk: &SharedDisk, path: &str, len: u64) -> Result<(), StoreError> {
    let mut file = disk.append(path)?;
    file.truncate(len)?;
    file.sync()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::SignalKind;
    use crate::wal::{WalWriter, begin_record, end_record};
    use model::Tenant;
    use platform::SimDisk;
    use std::sync::Arc;

    fn record(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let start = begin_record(&mut out, SignalKind::Logs, &Tenant::default());
        out.extend_from_slice(text.as_bytes());
        assert!(end_record(&mut out, start, &[]));
        out
    }

    /// Writes three records, lets `spoil` change the file, replays.
    fn check(spoil: impl FnOnce(&mut Vec<u8>), last: bool, expected: &[&str], damaged: usize, cut: bool) {
        let disk: SharedDisk = Arc::new(SimDisk::new(1));
        disk.create_dir(WAL_DIR).expect("dir");
        let mut wal = WalWriter::new(disk.clone(), 7, 1 << 20);
        for text in ["one", "two", "three"] {
            wal.append(&[&record(text)], true).expect("append");
        }
        let mut bytes = disk.read(&segment_path(7)).expect("read");
        spoil(&mut bytes);
        disk.write_atomic(&segment_path(7), &bytes).expect("write");
        let (mut seen, mut damage) = (Vec::new(), 0);
        let torn = replay_segment(
            &disk,
            7,
            last,
            |record| {
                seen.push(String::from_utf8_lossy(record.payload).into_owned());
                Ok(())
            },
            |_| damage += 1,
        )
        .expect("replay");
        assert_eq!(
            (seen, damage, torn > 0),
            (expected.iter().map(ToString::to_string).collect(), damaged, cut)
        );
    }

    #[test]
    fn torn_tails_are_cut_and_damage_is_stepped_over() {
        check(|_| (), true, &["one", "two", "three"], 0, false);
        check(|bytes| bytes.truncate(bytes.len() - 1), true, &["one", "two"], 0, true);
        check(|bytes| bytes.truncate(bytes.len() - 1), false, &["one", "two"], 1, false);
        check(|bytes| bytes[30] ^= 1, true, &["two", "three"], 1, false);
        check(|bytes| bytes[20] = 0xff, true, &["two", "three"], 1, false);
        check(|bytes| bytes.extend_from_slice(&[0; 100]), true, &["one", "two", "three"], 0, true);
    }
}
