//! Decoded part indexes, bounded in bytes; the one used longest ago goes first.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cache from part id to whatever the part's signal decoded.
pub struct IndexCache {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<u64, Entry>,
    bytes: usize,
    tick: u64,
}

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
    used: u64,
}

impl IndexCache {
    /// A cache of at most `bytes_max` (one entry may exceed it while it is the only one).
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `part`, if it is there and a `T`.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self, part: u64) -> Option<Arc<T>> {
        let mut state = self.state();
        state.tick += 1;
        let tick = state.tick;
        let entry = state.entries.get_mut(&part)?;
        entry.used = tick;
        entry.value.clone().downcast().ok()
    }

    /// Keeps `value`, dropping others until the bytes fit.
    pub fn put(&self, part: u64, value: Arc<dyn Any + Send + Sync>, bytes: usize) {
        let mut state = self.state();
        state.tick += 1;
        let used = state.tick;
        if let Some(old) = state.entries.insert(part, Entry { value, bytes, used }) {
            state.bytes -= old.bytes;
        }
        state.bytes += bytes;
        while state.bytes > self.bytes_max && state.entries.len() > 1 {
            let Some(oldest) = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id)
            else {
                return;
            };
            state.remove(oldest);
        }
    }

    /// Forgets `part`.
    pub fn remove(&self, part: u64) {
        self.state().remove(part);
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }
}

impl State {
    fn remove(&mut self, part: u64) {
        if let Some(entry) = self.entries.remove(&part) {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_used_longest_ago_goes_first() {
        let cache = IndexCache::new(20);
        cache.put(1, Arc::new(1_u8), 10);
        cache.put(2, Arc::new(2_u8), 10);
        assert_eq!(cache.get::<u8>(1).as_deref(), Some(&1));
        cache.put(3, Arc::new(3_u8), 10);
        assert_eq!(cache.get::<u8>(2), None);
        assert_eq!((cache.get::<u8>(1).as_deref(), cache.bytes()), (Some(&1), 20));
    }
}
