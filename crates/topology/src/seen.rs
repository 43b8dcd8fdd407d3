//! Which spans were counted lately, so that a resent batch changes no metric.
//!
//! Two generations of 64-bit hashes: when the young one is full it becomes the old one. A span is remembered for at
//! least [`GENERATION_SPANS_MAX`] further spans; memory is bounded by twice that. A hash collision (one in 2^64 per
//! pair) would leave one span uncounted.

use model::{SpanId, TraceId};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Spans per generation.
pub(crate) const GENERATION_SPANS_MAX: usize = 250_000;

/// The keys are hashes already.
#[derive(Debug, Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64(bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type Hashes = HashSet<u64, BuildHasherDefault<Identity>>;

/// Recently counted spans.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    young: Hashes,
    old: Hashes,
}

impl Seen {
    /// Whether the span is new; it is remembered either way.
    pub(crate) fn insert(&mut self, trace: TraceId, span: SpanId) -> bool {
        let mut key = [0; 24];
        key[..16].copy_from_slice(&trace.0);
        key[16..].copy_from_slice(&span.0);
        let hash = xxhash_rust::xxh3::xxh3_64(&key);
        if self.old.contains(&hash) || !self.young.insert(hash) {
            return false;
        }
        if self.young.len() >= GENERATION_SPANS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_remembered_for_a_generation() {
        let mut seen = Seen::default();
        let id = |n: u64| (TraceId([7; 16]), SpanId(n.to_be_bytes()));
        assert!(seen.insert(id(1).0, id(1).1));
        for n in 2..=GENERATION_SPANS_MAX as u64 {
            assert!(seen.insert(id(n).0, id(n).1));
        }
        assert!(!seen.insert(id(1).0, id(1).1));
        for n in 0..2 * GENERATION_SPANS_MAX as u64 {
            seen.insert(TraceId([8; 16]), SpanId(n.to_be_bytes()));
        }
        assert!(seen.insert(id(1).0, id(1).1));
        assert!(seen.young.len() + seen.old.len() <= 2 * GENERATION_SPANS_MAX);
    }
}
