//! The series of one tenant that have had samples lately: key -> series without decoding labels, labels interned.
//!
//! References are dense numbers that mean something only together with this registry. It grows; when most of it is
//! idle, the next memory part starts with an empty one.

use hashbrown::HashTable;
use model::metric::MetricMetadata;
use model::{Label, Labels, Matcher};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes one tenant's registry may take; beyond it new series are rejected, known ones go on.
pub(super) const REGISTRY_BYTES_MAX: usize = 512 << 20;
/// Metric families described per tenant; further ones are not kept.
pub(super) const METADATA_FAMILIES_MAX: usize = 100_000;
/// Wire keys per series before all are forgotten and learnt again.
const KEYS_PER_SERIES_MAX: usize = 8;

#[derive(Clone, Copy)]
struct Series {
    hash: [u64; 2],
    /// First pair and how many.
    pairs: (u32, u32),
    /// WAL generation that defines it.
    logged_in: u64,
}

#[derive(Clone, Copy)]
struct Key {
    key: [u64; 2],
    series: u32,
}

fn halves(key: u128) -> [u64; 2] {
    let low = u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default();
    [low, u64::try_from(key >> 64).unwrap_or_default()]
}

/// Series, symbols and metadata.
#[derive(Default)]
pub(super) struct Registry {
    keys: HashTable<Key>,
    by_hash: HashTable<u32>,
    series: Vec<Series>,
    pairs: Vec<(u32, u32)>,
    symbols: Symbols,
    pub(super) metadata: BTreeMap<String, MetricMetadata>,
}

#[derive(Clone, Default)]
struct Symbols {
    strings: Vec<Arc<str>>,
    table: HashTable<u32>,
    bytes: usize,
}

fn hash_str(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

impl Symbols {
    fn intern(&mut self, text: &Arc<str>) -> u32 {
        let hash = hash_str(text);
        let Self { strings, table, bytes } = self;
        let same = |at: &u32| strings.get(*at as usize).is_some_and(|known| known == text);
        if let Some(at) = table.find(hash, same) {
            return *at;
        }
        let at = u32::try_from(strings.len()).unwrap_or(u32::MAX);
        *bytes += text.len() + 32;
        strings.push(text.clone());
        table.insert_unique(hash, at, |at| strings.get(*at as usize).map_or(0, |text| hash_str(text)));
        at
    }
}

impl Registry {
    /// How many series.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Bytes it occupies, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.series.capacity() * size_of::<Series>()
            + self.pairs.capacity() * 8
            + self.keys.capacity() * size_of::<Key>()
            + self.by_hash.capacity() * 4
            + self.symbols.bytes
    }

    /// The series of a wire key, if it was seen.
    pub(super) fn find(&self, key: u128) -> Option<u32> {
        let key = halves(key);
        self.keys.find(key[0], |slot| slot.key == key).map(|slot| slot.series)
    }

    /// The series of `labels`, made if need be; remembers `key` for it. `None` when the registry is full.
    pub(super) fn insert(&mut self, key: Option<u128>, labels: &Labels) -> Option<u32> {
        let hash = halves(labels.hash128());
        let same = |at: &u32| self.series.get(*at as usize).is_some_and(|known| known.hash == hash);
        let at = match self.by_hash.find(hash[0], same).copied() {
            Some(at) => at,
            None if self.bytes() > REGISTRY_BYTES_MAX => return None,
            None => self.create(hash, labels),
        };
        if let Some(key) = key {
            self.remember(halves(key), at);
        }
        Some(at)
    }

    fn create(&mut self, hash: [u64; 2], labels: &Labels) -> u32 {
        let at = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        let first = u32::try_from(self.pairs.len()).unwrap_or(u32::MAX);
        for label in labels {
            let pair = (self.symbols.intern(&label.name), self.symbols.intern(&label.value));
            self.pairs.push(pair);
        }
        let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        self.series.push(Series { hash, pairs: (first, count), logged_in: 0 });
        let Self { by_hash, series, .. } = self;
        by_hash.insert_unique(hash[0], at, |at| series.get(*at as usize).map_or(0, |known| known.hash[0]));
        at
    }

    fn remember(&mut self, key: [u64; 2], series: u32) {
        if self.keys.len() > KEYS_PER_SERIES_MAX * self.series.len() {
            self.keys.clear();
        }
        if self.keys.find(key[0], |slot| slot.key == key).is_none() {
            self.keys.insert_unique(key[0], Key { key, series }, |slot| slot.key[0]);
        }
    }

    /// Whether this WAL generation has to define the series; it is taken for defined from then on.
    pub(super) fn must_log(&mut self, series: u32, generation: u64) -> bool {
        match self.series.get_mut(series as usize) {
            Some(known) if known.logged_in != generation => {
                known.logged_in = generation;
                true
            }
            _ => false,
        }
    }

    fn pairs_of(&self, series: u32) -> &[(u32, u32)] {
        let (first, count) = self.series.get(series as usize).map_or((0, 0), |known| known.pairs);
        self.pairs.get(first as usize..first as usize + count as usize).unwrap_or_default()
    }

    fn symbol(&self, at: u32) -> Option<&Arc<str>> {
        self.symbols.strings.get(at as usize)
    }

    /// The labels of a series.
    pub(super) fn labels(&self, series: u32) -> Labels {
        let label = |(name, value): &(u32, u32)| {
            Some(Label { name: self.symbol(*name)?.clone(), value: self.symbol(*value)?.clone() })
        };
        Labels::from_sorted(self.pairs_of(series).iter().filter_map(label).collect())
    }

    /// The series among `candidates` that satisfy all matchers. A matcher runs once per distinct value.
    pub(super) fn select(&self, matchers: &[Matcher], candidates: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut tests: Vec<Test<'_>> = matchers.iter().map(|matcher| Test::new(self, matcher)).collect();
        candidates
            .filter(|series| tests.iter_mut().all(|test| test.holds(self, self.pairs_of(*series))))
            .collect()
    }

    /// What a seal needs, copied so that writers go on.
    pub(super) fn snapshot(&self) -> SeriesTable {
        SeriesTable {
            strings: self.symbols.strings.clone(),
            spans: self.series.iter().map(|series| series.pairs).collect(),
            pairs: self.pairs.clone(),
        }
    }
}

/// One matcher with its verdicts per symbol: 0 unknown, 1 no, 2 yes.
struct Test<'a> {
    matcher: &'a Matcher,
    name: Option<u32>,
    empty: bool,
    verdicts: Vec<u8>,
}

impl<'a> Test<'a> {
    fn new(registry: &Registry, matcher: &'a Matcher) -> Self {
        let name: Arc<str> = matcher.name.as_str().into();
        let symbols = &registry.symbols;
        let same = |at: &u32| symbols.strings.get(*at as usize).is_some_and(|known| *known == name);
        let name = symbols.table.find(hash_str(&name), same).copied();
        Self { matcher, name, empty: matcher.matches_empty(), verdicts: vec![0; symbols.strings.len()] }
    }

    fn holds(&mut self, registry: &Registry, pairs: &[(u32, u32)]) -> bool {
        let Some(value) = pairs.iter().find(|pair| Some(pair.0) == self.name).map(|pair| pair.1) else {
            return self.empty;
        };
        let Some(verdict) = self.verdicts.get_mut(value as usize) else { return false };
        if *verdict == 0 {
            let text = registry.symbol(value).map_or("", |text| &**text);
            *verdict = 1 + u8::from(self.matcher.matches(text));
        }
        *verdict == 2
    }
}

/// Series and their labels at one moment.
pub(super) struct SeriesTable {
    strings: Vec<Arc<str>>,
    spans: Vec<(u32, u32)>,
    pairs: Vec<(u32, u32)>,
}

impl SeriesTable {
    fn pairs_of(&self, series: u32) -> &[(u32, u32)] {
        let (first, count) = self.spans.get(series as usize).copied().unwrap_or_default();
        self.pairs.get(first as usize..first as usize + count as usize).unwrap_or_default()
    }

    /// The labels of a series.
    pub(super) fn labels(&self, series: u32) -> Labels {
        let label = |(name, value): &(u32, u32)| {
            Some(Label {
                name: self.strings.get(*name as usize)?.clone(),
                value: self.strings.get(*value as usize)?.clone(),
            })
        };
        Labels::from_sorted(self.pairs_of(series).iter().filter_map(label).collect())
    }

    /// Sorts `series` by their labels: symbols are ranked once, then numbers are compared.
    pub(super) fn sort(&self, series: &mut [u32]) {
        let mut order: Vec<u32> = (0..).take(self.strings.len()).collect();
        order.sort_unstable_by_key(|at| self.strings.get(*at as usize));
        let mut ranks = vec![0_u32; order.len()];
        for (rank, at) in (0..).zip(&order) {
            if let Some(slot) = ranks.get_mut(*at as usize) {
                *slot = rank;
            }
        }
        let rank = |at: u32| ranks.get(at as usize).copied().unwrap_or(0);
        let ranked = |at: u32| self.pairs_of(at).iter().map(|(name, value)| (rank(*name), rank(*value)));
        series.sort_unstable_by(|a, b| ranked(*a).cmp(ranked(*b)));
    }
}
