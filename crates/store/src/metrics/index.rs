//! The label index of a part: every distinct (name, value) pair, sorted, with the series that carry it. A series' labels
//! are the pairs whose postings hold it, so they are not written a second time.
//!
//! ```text
//! chunk = zstd(series names name*)       name = text pairs pair*       pair = shared_prefix suffix postings
//! postings = 0 count Δ* | 1 roaring bitmap
//! ```

use crate::codec::{Reader, put_bytes, put_varint, unzstd, zstd};
use crate::error::Damage;
use model::{Label, Labels, Matcher};
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// zstd level: written once, read for every query that finds it cold.
const LEVEL: i32 = 6;
/// Largest index that is decompressed, in bytes.
const INDEX_BYTES_MAX: usize = 2 << 30;
/// Postings up to this length are a list.
const LIST_MAX: u64 = 32;
/// Most series of a part.
const SERIES_MAX: u64 = 1 << 31;

const LIST: u8 = 0;
const BITMAP: u8 = 1;

/// Gathers the labels of series that come in order.
#[derive(Default)]
pub(super) struct IndexWriter {
    pairs: HashMap<Label, RoaringBitmap>,
    series: u32,
}

impl IndexWriter {
    /// Adds the next series and returns its number.
    pub(super) fn push(&mut self, labels: &Labels) -> u32 {
        let at = self.series;
        for label in labels {
            match self.pairs.get_mut(label) {
                Some(postings) => drop(postings.try_push(at)),
                None => drop(self.pairs.insert(label.clone(), RoaringBitmap::from_iter([at]))),
            }
        }
        self.series += 1;
        at
    }

    /// How many series.
    pub(super) fn len(&self) -> u32 {
        self.series
    }

    /// The chunk.
    pub(super) fn finish(self) -> Result<Vec<u8>, Damage> {
        let mut pairs: Vec<(Label, RoaringBitmap)> = self.pairs.into_iter().collect();
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut raw = Vec::new();
        put_varint(&mut raw, u64::from(self.series));
        let names = pairs.chunk_by(|a, b| a.0.name == b.0.name);
        put_varint(&mut raw, names.clone().count() as u64);
        for name in names {
            put_bytes(&mut raw, name.first().map_or(&[][..], |(label, _)| label.name.as_bytes()));
            put_varint(&mut raw, name.len() as u64);
            let mut before: &[u8] = &[];
            for (label, postings) in name {
                let value = label.value.as_bytes();
                let shared = before.iter().zip(value).take_while(|(a, b)| a == b).count();
                put_varint(&mut raw, shared as u64);
                put_bytes(&mut raw, value.get(shared..).unwrap_or_default());
                put_postings(&mut raw, postings)?;
                before = value;
            }
        }
        zstd(&raw, LEVEL)
    }
}

fn put_postings(out: &mut Vec<u8>, postings: &RoaringBitmap) -> Result<(), Damage> {
    if postings.len() <= LIST_MAX {
        out.push(LIST);
        put_varint(out, postings.len());
        let mut last = 0;
        for series in postings {
            put_varint(out, u64::from(series - last));
            last = series;
        }
        return Ok(());
    }
    let mut packed = postings.clone();
    packed.optimize();
    let mut bytes = Vec::with_capacity(packed.serialized_size());
    packed.serialize_into(&mut bytes).map_err(|error| Damage(format!("postings: {error}")))?;
    out.push(BITMAP);
    put_bytes(out, &bytes);
    Ok(())
}

fn get_postings(reader: &mut Reader<'_>) -> Result<RoaringBitmap, Damage> {
    if reader.u8()? == BITMAP {
        let bytes = reader.bytes()?;
        return RoaringBitmap::deserialize_from(bytes).map_err(|error| Damage(format!("postings: {error}")));
    }
    let mut postings = RoaringBitmap::new();
    let mut series = 0_u32;
    for _ in 0..reader.count(1)? {
        series = series.checked_add(reader.varint32()?).ok_or_else(|| Damage::new("postings overflow"))?;
        postings.insert(series);
    }
    Ok(postings)
}

struct Name {
    text: Arc<str>,
    /// Indices into the pairs.
    pairs: Range<usize>,
}

struct Pair {
    value: Arc<str>,
    name: u32,
    postings: RoaringBitmap,
}

/// A decoded label index.
pub(super) struct LabelIndex {
    series: u32,
    names: Vec<Name>,
    pairs: Vec<Pair>,
    /// Where each series' pairs start in `own`.
    starts: Vec<u32>,
    own: Vec<u32>,
}

impl LabelIndex {
    /// Decodes a chunk.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let raw = unzstd(bytes, INDEX_BYTES_MAX)?;
        let mut reader = Reader::new(&raw);
        let series = reader.varint()?;
        if series > SERIES_MAX {
            return Err(Damage::new("an index claims too many series"));
        }
        let (mut names, mut pairs) = (Vec::new(), Vec::new());
        for at in 0..reader.count(2)? {
            let text: Arc<str> = reader.str()?.into();
            let from = pairs.len();
            let mut value = Vec::new();
            for _ in 0..reader.count(3)? {
                let shared = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
                value.truncate(shared);
                value.extend_from_slice(reader.bytes()?);
                let text =
                    std::str::from_utf8(&value).map_err(|_| Damage::new("a label value is not UTF-8"))?;
                let postings = get_postings(&mut reader)?;
                if postings.max().is_some_and(|max| u64::from(max) >= series) {
                    return Err(Damage::new("postings name a series that is not there"));
                }
                pairs.push(Pair {
                    value: text.into(),
                    name: u32::try_from(at).unwrap_or(u32::MAX),
                    postings,
                });
            }
            names.push(Name { text, pairs: from..pairs.len() });
        }
        let series = u32::try_from(series).unwrap_or(u32::MAX);
        let (starts, own) = invert(series, &pairs);
        Ok(Self { series, names, pairs, starts, own })
    }

    /// How many series.
    pub(super) fn len(&self) -> u32 {
        self.series
    }

    /// Bytes it occupies, roughly.
    pub(super) fn bytes(&self) -> usize {
        let pairs = self.pairs.iter().map(|pair| 96 + pair.value.len() + pair.postings.serialized_size());
        pairs.sum::<usize>() + 4 * (self.starts.len() + self.own.len())
    }

    /// The labels of a series.
    pub(super) fn labels(&self, series: u32) -> Labels {
        let at = series as usize;
        let bounds = self.starts.get(at).zip(self.starts.get(at + 1));
        let own =
            bounds.and_then(|(start, end)| self.own.get(*start as usize..*end as usize)).unwrap_or_default();
        let label = |at: &u32| {
            let pair = self.pairs.get(*at as usize)?;
            let name = self.names.get(pair.name as usize)?.text.clone();
            Some(Label { name, value: pair.value.clone() })
        };
        Labels::from_sorted(own.iter().filter_map(label).collect())
    }

    /// The series that satisfy all matchers.
    pub(super) fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let mut selected: Option<RoaringBitmap> = None;
        for matcher in matchers {
            let own = self.satisfying(matcher);
            selected = Some(match selected {
                Some(so_far) => so_far & own,
                None => own,
            });
        }
        selected.unwrap_or_else(|| self.all())
    }

    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.series);
        all
    }

    fn pairs_of(&self, name: &str) -> &[Pair] {
        let at = self.names.binary_search_by(|known| (*known.text).cmp(name));
        at.ok().and_then(|at| self.pairs.get(self.names.get(at)?.pairs.clone())).unwrap_or_default()
    }

    fn satisfying(&self, matcher: &Matcher) -> RoaringBitmap {
        let pairs = self.pairs_of(&matcher.name);
        let mut found = RoaringBitmap::new();
        if matcher.matches_empty() {
            pairs
                .iter()
                .filter(|pair| !matcher.matches(&pair.value))
                .for_each(|pair| found |= &pair.postings);
            return self.all() - found;
        }
        if matcher.op == model::MatchOp::Equal {
            let at = pairs.binary_search_by(|pair| (*pair.value).cmp(matcher.value.as_str()));
            return at
                .ok()
                .and_then(|at| pairs.get(at))
                .map(|pair| pair.postings.clone())
                .unwrap_or_default();
        }
        pairs.iter().filter(|pair| matcher.matches(&pair.value)).for_each(|pair| found |= &pair.postings);
        found
    }

    /// Label names that some of `selected` has.
    pub(super) fn names<'a>(&'a self, selected: &'a RoaringBitmap) -> impl Iterator<Item = &'a Arc<str>> {
        let whole = selected.len() == u64::from(self.series);
        let used = move |name: &&Name| {
            let pairs = self.pairs.get(name.pairs.clone()).unwrap_or_default();
            whole || pairs.iter().any(|pair| !pair.postings.is_disjoint(selected))
        };
        self.names.iter().filter(used).map(|name| &name.text)
    }

    /// Values of label `name` that some of `selected` has.
    pub(super) fn values<'a>(
        &'a self,
        name: &str,
        selected: &'a RoaringBitmap,
    ) -> impl Iterator<Item = &'a Arc<str>> {
        let whole = selected.len() == u64::from(self.series);
        let used = move |pair: &&Pair| whole || !pair.postings.is_disjoint(selected);
        self.pairs_of(name).iter().filter(used).map(|pair| &pair.value)
    }
}

/// Turns postings into each series' pairs, which come out in label order because pairs do.
fn invert(series: u32, pairs: &[Pair]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; series as usize + 1];
    for one in pairs.iter().flat_map(|pair| &pair.postings) {
        if let Some(count) = starts.get_mut(one as usize + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    let mut next = starts.clone();
    let mut own = vec![0_u32; sum as usize];
    for (at, pair) in (0..).zip(pairs) {
        for one in &pair.postings {
            if let Some(slot) = next.get_mut(one as usize) {
                if let Some(place) = own.get_mut(*slot as usize) {
                    *place = at;
                }
                *slot += 1;
            }
        }
    }
    (starts, own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::MatchOp;

    fn index() -> (LabelIndex, Vec<Labels>) {
        let mut all: Vec<Labels> = (0..100)
            .map(|at| {
                let mode = if at % 3 == 0 { "idle" } else { "" };
                Labels::from_pairs([
                    ("__name__", "cpu"),
                    ("instance", &format!("host-{at:02}")),
                    ("mode", mode),
                ])
            })
            .collect();
        all.sort();
        let mut writer = IndexWriter::default();
        for labels in &all {
            writer.push(labels);
        }
        (LabelIndex::parse(&writer.finish().expect("finish")).expect("parse"), all)
    }

    #[test]
    fn labels_come_back() {
        let (index, all) = index();
        assert_eq!((0..index.len()).map(|series| index.labels(series)).collect::<Vec<_>>(), all);
    }

    #[test]
    fn selection_agrees_with_matching_one_by_one() {
        let (index, all) = index();
        let matcher = |name: &str, op, value: &str| Matcher::new(name, op, value).expect("matcher");
        for matchers in [
            vec![],
            vec![matcher("mode", MatchOp::Equal, "idle")],
            vec![matcher("mode", MatchOp::Equal, "")],
            vec![matcher("mode", MatchOp::NotEqual, "idle"), matcher("instance", MatchOp::Regex, "host-1.")],
            vec![matcher("mode", MatchOp::Regex, ".*")],
            vec![matcher("mode", MatchOp::Regex, ".+"), matcher("none", MatchOp::NotRegex, "a")],
            vec![matcher("none", MatchOp::Equal, "a")],
        ] {
            let holds = |labels: &Labels| {
                matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
            };
            let expected: Vec<u32> = (0..).zip(&all).filter(|(_, l)| holds(l)).map(|(at, _)| at).collect();
            assert_eq!(index.select(&matchers).iter().collect::<Vec<_>>(), expected, "{matchers:?}");
        }
    }
}
