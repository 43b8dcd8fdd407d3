//! Fixed-size ids: each distinct id once with codes when they repeat, else one after the other. All zero means "none".

use super::ints::{read_u32s, write_u32s};
use super::segment::{SegmentReader, SegmentWriter};
use super::{Decoded, KeyMap};
use crate::error::Damage;

/// Ids of one run of the sample that says whether they repeat, and the number of runs.
const SAMPLE_IDS: usize = 256;
const SAMPLE_RUNS: usize = 4;

/// Appends ids of `N` bytes; the count is the caller's to remember.
pub fn write_ids<const N: usize>(writer: &mut SegmentWriter, ids: &[[u8; N]]) {
    if let Some((distinct, codes)) = may_repeat(ids).then(|| repeated(ids)).flatten() {
        writer.number(1);
        writer.count(distinct.len());
        writer.raw.extend_from_slice(distinct.as_flattened());
        write_u32s(writer, &codes);
    } else {
        writer.number(0);
        writer.raw.extend_from_slice(ids.as_flattened());
    }
}

/// Whether some ids of a sample came twice; a column that is not much longer than the sample is looked at as a whole.
fn may_repeat<const N: usize>(ids: &[[u8; N]]) -> bool {
    if ids.len() < 2 * SAMPLE_RUNS * SAMPLE_IDS {
        return true;
    }
    let runs = ids.chunks(ids.len() / SAMPLE_RUNS).take(SAMPLE_RUNS);
    let mut sample: Vec<_> = runs.flat_map(|run| run.get(..SAMPLE_IDS).unwrap_or(run)).collect();
    let looked_at = sample.len();
    sample.sort_unstable();
    sample.dedup();
    sample.len() * 8 <= looked_at * 7
}

/// Each id once, and which each is, when at least a quarter of the ids came before.
fn repeated<const N: usize>(ids: &[[u8; N]]) -> Option<(Vec<[u8; N]>, Vec<u32>)> {
    let mut codes = Vec::with_capacity(ids.len());
    let mut known: KeyMap<&[u8], u32> = KeyMap::default();
    let mut distinct: Vec<[u8; N]> = Vec::new();
    for id in ids {
        // Runs of one id are common: the hash is only asked when it changes.
        let last = codes.last().copied().filter(|code| distinct.get(*code as usize) == Some(id));
        codes.push(last.unwrap_or_else(|| {
            *known.entry(&id[..]).or_insert_with(|| {
                distinct.push(*id);
                u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
            })
        }));
    }
    (distinct.len() * 4 <= ids.len() * 3).then_some((distinct, codes))
}

/// Reads `count` ids.
///
/// # Errors
/// When the bytes are not such a column.
pub fn read_ids<const N: usize>(reader: &mut SegmentReader, count: usize) -> Decoded<Vec<[u8; N]>> {
    let repeated = reader.number()? != 0;
    let stored = if repeated { reader.count()? } else { count };
    reader.reserve(count.saturating_mul(N))?;
    let (ids, _) = reader.raw(stored.saturating_mul(N))?.as_chunks::<N>();
    let ids = ids.to_vec();
    if !repeated {
        return Ok(ids);
    }
    let codes = read_u32s(reader, count, stored.saturating_sub(1))?;
    let id = |code: u32| ids.get(code as usize).copied();
    codes.into_iter().map(id).collect::<Option<_>>().ok_or_else(|| Damage::new("an id code points nowhere"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes that the ids take.
    fn check(ids: &[[u8; 8]]) -> usize {
        let mut writer = SegmentWriter::new();
        write_ids(&mut writer, ids);
        let bytes = writer.finish();
        let mut reader = SegmentReader::open(&bytes).expect("segment");
        assert_eq!(read_ids(&mut reader, ids.len()).as_deref(), Ok(ids));
        bytes.len()
    }

    #[test]
    fn a_long_column_is_judged_by_all_of_its_parts() {
        let id = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        let unique: Vec<[u8; 8]> = (1..=8000).map(id).collect();
        assert!(check(&unique) >= 8 * unique.len());
        // The first quarter has ids, the rest has none.
        let some: Vec<[u8; 8]> = (1..=8000).map(|at| if at <= 2000 { id(at) } else { [0; 8] }).collect();
        assert!(check(&some) < 4 * some.len());
    }

    #[test]
    fn ids_come_back() {
        check(&[]);
        check(&[[0; 8]; 100]);
        check(&[[1; 8], [2; 8], [1; 8], [0; 8], [1; 8], [1; 8]]);
        check(&std::array::from_fn::<_, 200, _>(|at| (at as u64 * 77).to_le_bytes()));
    }
}
