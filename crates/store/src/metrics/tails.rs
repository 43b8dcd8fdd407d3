//! Float samples in memory: per series a chain of small chunks, newest first, in one arena of pages.
//!
//! 14 bytes per sample; appending touches the series' tail and one chunk. Order is that of arrival: who reads sorts.

/// Samples of a chunk.
const CHUNK_SAMPLES: usize = 8;
/// Chunks of a page.
const PAGE_CHUNKS: usize = 128;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Chunk {
    base_ms: i64,
    values: [f64; CHUNK_SAMPLES],
    offsets_ms: [u32; CHUNK_SAMPLES],
    previous: u32,
    len: u32,
}

const EMPTY_CHUNK: Chunk = Chunk {
    base_ms: 0,
    values: [0.0; CHUNK_SAMPLES],
    offsets_ms: [0; CHUNK_SAMPLES],
    previous: NONE,
    len: 0,
};

#[derive(Clone, Copy)]
struct Tail {
    head: u32,
    last_ms: i64,
    last_bits: u64,
}

const EMPTY_TAIL: Tail = Tail { head: NONE, last_ms: i64::MIN, last_bits: 0 };

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// It was appended.
    Taken,
    /// The newest sample again.
    Resend,
    /// The newest sample's time with another value.
    Duplicate,
}

/// All series' samples, by series reference.
#[derive(Default)]
pub(super) struct Tails {
    by_series: Vec<Tail>,
    pages: Vec<Box<[Chunk]>>,
    chunks: u32,
    /// Series that have samples.
    pub(super) series: usize,
}

impl Tails {
    /// Bytes of the pages.
    pub(super) fn bytes(&self) -> usize {
        self.chunks as usize * size_of::<Chunk>()
    }

    fn chunk(&self, at: u32) -> Option<&Chunk> {
        self.pages.get(at as usize / PAGE_CHUNKS)?.get(at as usize % PAGE_CHUNKS)
    }

    fn chunk_mut(&mut self, at: u32) -> Option<&mut Chunk> {
        self.pages.get_mut(at as usize / PAGE_CHUNKS)?.get_mut(at as usize % PAGE_CHUNKS)
    }

    /// Appends a sample.
    pub(super) fn push(&mut self, series: u32, ts_ms: i64, value: f64) -> Push {
        let at = series as usize;
        if at >= self.by_series.len() {
            self.by_series.resize(at + 1, EMPTY_TAIL);
        }
        let Some(tail) = self.by_series.get_mut(at) else { return Push::Duplicate };
        if ts_ms == tail.last_ms && tail.head != NONE {
            return if tail.last_bits == value.to_bits() { Push::Resend } else { Push::Duplicate };
        }
        if tail.head == NONE {
            self.series += 1;
        }
        if ts_ms > tail.last_ms || tail.head == NONE {
            tail.last_ms = ts_ms;
            tail.last_bits = value.to_bits();
        }
        let head = tail.head;
        if let Some(chunk) = self.chunk_mut(head) {
            let offset = ts_ms.checked_sub(chunk.base_ms).and_then(|offset| u32::try_from(offset).ok());
            let len = chunk.len as usize;
            if let (Some(offset), true) = (offset, len < CHUNK_SAMPLES) {
                chunk.offsets_ms[len] = offset;
                chunk.values[len] = value;
                chunk.len += 1;
                return Push::Taken;
            }
        }
        self.grow(at, head, ts_ms, value);
        Push::Taken
    }

    fn grow(&mut self, series: usize, previous: u32, ts_ms: i64, value: f64) {
        let at = self.chunks;
        if at as usize / PAGE_CHUNKS >= self.pages.len() {
            self.pages.push(vec![EMPTY_CHUNK; PAGE_CHUNKS].into_boxed_slice());
        }
        self.chunks += 1;
        if let Some(chunk) = self.chunk_mut(at) {
            *chunk = Chunk { base_ms: ts_ms, previous, len: 1, ..EMPTY_CHUNK };
            chunk.values[0] = value;
        }
        if let Some(tail) = self.by_series.get_mut(series) {
            tail.head = at;
        }
    }

    /// Appends the series' samples with `min_ms <= time <= max_ms` to the columns, in order of arrival.
    pub(super) fn read(
        &self,
        series: u32,
        min_ms: i64,
        max_ms: i64,
        ts_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) {
        let from = ts_ms.len();
        let mut at = self.by_series.get(series as usize).map_or(NONE, |tail| tail.head);
        while let Some(chunk) = self.chunk(at) {
            let len = (chunk.len as usize).min(CHUNK_SAMPLES);
            for (offset, value) in chunk.offsets_ms[..len].iter().zip(&chunk.values[..len]).rev() {
                let time = chunk.base_ms + i64::from(*offset);
                if (min_ms..=max_ms).contains(&time) {
                    ts_ms.push(time);
                    values.push(*value);
                }
            }
            at = chunk.previous;
        }
        ts_ms[from..].reverse();
        values[from..].reverse();
    }

    /// Series that have samples, ascending.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.by_series).filter(|(_, tail)| tail.head != NONE).map(|(series, _)| series)
    }

    /// Whether the series has samples.
    pub(super) fn has(&self, series: u32) -> bool {
        self.by_series.get(series as usize).is_some_and(|tail| tail.head != NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_in_order_of_arrival() {
        let mut tails = Tails::default();
        let sent: Vec<(i64, f64)> =
            (0..40).map(|at| (i64::from(at * 7919 % 41) * 5_000_000_000, f64::from(at))).collect();
        for (ts_ms, value) in &sent {
            assert_eq!(tails.push(3, *ts_ms, *value), Push::Taken);
            tails.push(1, *ts_ms, -value);
        }
        let (mut ts_ms, mut values) = (Vec::new(), Vec::new());
        tails.read(3, i64::MIN, i64::MAX, &mut ts_ms, &mut values);
        assert_eq!(ts_ms.into_iter().zip(values).collect::<Vec<_>>(), sent);
        assert_eq!(tails.live().collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn the_newest_sample_is_not_taken_twice() {
        let mut tails = Tails::default();
        assert_eq!(tails.push(0, 5, f64::NAN), Push::Taken);
        assert_eq!(tails.push(0, 5, f64::NAN), Push::Resend);
        assert_eq!(tails.push(0, 5, 1.0), Push::Duplicate);
        assert_eq!(tails.push(0, 4, 1.0), Push::Taken);
        assert_eq!(tails.push(0, 5, 1.0), Push::Duplicate);
    }
}
