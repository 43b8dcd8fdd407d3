//! One framed record: written into a buffer in place, found and checked in a segment's bytes.

use crate::codec::{Reader, put_bytes};
use crate::signal::SignalKind;
use model::Tenant;

/// First bytes of a record: lets replay find the next one after damage.
pub(crate) const RECORD_MAGIC: &[u8; 4] = b"BWR1";
/// Magic, length, checksum.
pub(crate) const RECORD_HEADER_BYTES: usize = 12;
/// Longest record body; a batch that encodes to more is refused.
pub const RECORD_BYTES_MAX: usize = 256 << 20;

/// A record whose checksum holds.
#[derive(Debug)]
pub struct Record<'a> {
    /// Of what.
    pub kind: SignalKind,
    /// Whose.
    pub tenant: Tenant,
    /// What the signal wrote.
    pub payload: &'a [u8],
}

/// Starts a record in `out`; the payload is appended next, but for its tail, then [`end_record`] is called with what this
/// returned.
pub fn begin_record(out: &mut Vec<u8>, kind: SignalKind, tenant: &Tenant) -> usize {
    let start = out.len();
    out.extend_from_slice(RECORD_MAGIC);
    out.extend_from_slice(&[0; RECORD_HEADER_BYTES - RECORD_MAGIC.len()]);
    out.push(kind as u8);
    put_bytes(out, tenant.as_str().as_bytes());
    start
}

/// Completes the record that began at `start` and goes on with `tail`, which the caller writes behind it. `false` when it
/// is longer than [`RECORD_BYTES_MAX`]; it is then taken out again.
#[must_use]
pub fn end_record(out: &mut Vec<u8>, start: usize, tail: &[u8]) -> bool {
    let (_, record) = out.split_at_mut(start);
    let (header, body) = record.split_at_mut(RECORD_HEADER_BYTES);
    let len = u32::try_from(body.len() + tail.len()).ok();
    let Some(len) = len.filter(|len| *len as usize <= RECORD_BYTES_MAX) else {
        out.truncate(start);
        return false;
    };
    let crc = crc32c::crc32c_append(crc32c::crc32c(body), tail);
    header[4..8].copy_from_slice(&len.to_le_bytes());
    header[8..12].copy_from_slice(&crc.to_le_bytes());
    true
}

/// The body of the record at `at` and where the next one starts, when the frame is whole and its checksum holds.
pub(super) fn frame_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut reader = Reader::new(bytes.get(at..)?);
    if reader.take(RECORD_MAGIC.len()).ok()? != RECORD_MAGIC {
        return None;
    }
    let (len, crc) = (reader.u32().ok()? as usize, reader.u32().ok()?);
    if len > RECORD_BYTES_MAX {
        return None;
    }
    let body = reader.take(len).ok()?;
    (crc32c::crc32c(body) == crc).then_some((body, at + RECORD_HEADER_BYTES + len))
}

/// The first whole record after `at`.
pub(super) fn next_frame(bytes: &[u8], at: usize) -> Option<usize> {
    let from = at + 1;
    let hits = memchr::memmem::find_iter(bytes.get(from..)?, RECORD_MAGIC);
    hits.map(|hit| from + hit).find(|hit| frame_at(bytes, *hit).is_some())
}

/// Takes a body apart.
pub(super) fn parse(body: &[u8]) -> Option<Record<'_>> {
    let mut reader = Reader::new(body);
    let kind = SignalKind::from_number(reader.u8().ok()?)?;
    let tenant = Tenant::new(reader.str().ok()?).ok()?;
    Some(Record { kind, tenant, payload: reader.rest() })
}
