//! What retention may drop and what it must drop, judged from outside the store: by the records that are answered before
//! and after, and by the files of parts.

use super::ledger::{Ledger, Record};
use platform::{Random, SeededRandom};
use std::collections::BTreeMap;
use store::StoreOptions;

const DAY_MS: i64 = 86_400_000;

/// The limit of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retention {
    /// Everything stays.
    None,
    /// Records this many milliseconds old may go.
    Age(i64),
    /// The oldest parts go when all take more bytes.
    Bytes(u64),
}

/// Files of parts and their bytes.
pub(super) type Parts = BTreeMap<String, u64>;

impl Retention {
    /// Of four runs two keep everything. Limits are small, as runs are.
    pub(super) fn random(random: &SeededRandom) -> Self {
        match random.below(4) {
            0 => Self::Age(DAY_MS / 2 * (1 + random.below(4).cast_signed())),
            1 => Self::Bytes(16_384 << random.below(4)),
            _ => Self::None,
        }
    }

    /// The store's options under this limit.
    pub(super) fn options(self, options: StoreOptions) -> StoreOptions {
        match self {
            Self::None => options,
            Self::Age(ms) => StoreOptions { retention_s: Some(ms.unsigned_abs() / 1_000), ..options },
            Self::Bytes(bytes) => StoreOptions { retention_bytes: Some(bytes), ..options },
        }
    }

    /// Whether background work at `now_ms` may drop what a ledger has.
    pub(super) fn may_drop(self, now_ms: i64, ledgers: &[&Ledger]) -> bool {
        match self {
            Self::None => false,
            Self::Age(ms) => {
                ledgers.iter().filter_map(|ledger| ledger.oldest_ms()).any(|oldest| oldest < now_ms - ms)
            }
            // What a merge writes may take more than what it read.
            Self::Bytes(_) => true,
        }
    }

    /// Whether `record` may go at `now_ms`, when anything may.
    pub(super) fn lets_go(self, now_ms: i64, record: &Record) -> bool {
        match self {
            Self::None => false,
            Self::Age(ms) => record.ts_ms() < now_ms - ms,
            Self::Bytes(_) => true,
        }
    }

    /// What was dropped had to go: by age only what is outside the window; by bytes the oldest days first, and no more
    /// than makes the rest fit.
    pub(super) fn judge_dropped(
        self,
        now_ms: i64,
        (dropped, kept): (&[&Record], &[&Record]),
        (before, after): (&Parts, &Parts),
    ) -> Result<(), String> {
        if let Some(record) = dropped.iter().find(|record| !self.lets_go(now_ms, record)) {
            return Err(format!("{self:?} dropped {record:?}, which is inside its window"));
        }
        let Self::Bytes(bytes_max) = self else { return Ok(()) };
        if let Some(newest) = dropped.iter().map(|record| day(record)).max()
            && let Some(record) = outdated(kept, newest * DAY_MS)
        {
            return Err(format!("{self:?} dropped newer records than {record:?}"));
        }
        let gone: Vec<u64> =
            before.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, bytes)| *bytes).collect();
        let added = after.keys().any(|path| !before.contains_key(path));
        let needless = gone.iter().max().is_some_and(|largest| sum(after) + largest <= bytes_max);
        if needless && !added {
            return Err(format!("{self:?} dropped more than it must: {} bytes are left", sum(after)));
        }
        Ok(())
    }

    /// What is left when everything is in parts and there is nothing more to do: no record whose day ended before the
    /// window, not more bytes than the limit.
    pub(super) fn judge_kept(self, now_ms: i64, kept: &[&Record], parts: &Parts) -> Result<(), String> {
        match self {
            Self::Age(ms) => match outdated(kept, now_ms - ms) {
                Some(record) => Err(format!("{self:?} keeps {record:?}")),
                None => Ok(()),
            },
            Self::Bytes(bytes_max) if sum(parts) > bytes_max => {
                Err(format!("{self:?} keeps {} bytes", sum(parts)))
            }
            Self::None | Self::Bytes(_) => Ok(()),
        }
    }
}

fn day(record: &Record) -> i64 {
    record.ts_ms().div_euclid(DAY_MS)
}

/// A record that no part with records at or after `from_ms` can have. A part has one day's records; but a trace stands
/// whole on the day it starts, so a late span of it keeps that day's spans.
fn outdated<'a>(kept: &[&'a Record], from_ms: i64) -> Option<&'a Record> {
    let mut traces: BTreeMap<[u8; 16], (i64, i64)> = BTreeMap::new();
    for record in kept {
        if let Record::Span(trace_id, _, ts_ms) = record {
            let (first_ms, last_ms) = traces.entry(*trace_id).or_insert((*ts_ms, *ts_ms));
            (*first_ms, *last_ms) = ((*first_ms).min(*ts_ms), (*last_ms).max(*ts_ms));
        }
    }
    let reaching = traces.values().filter(|(_, last_ms)| *last_ms >= from_ms);
    let held_from = reaching.map(|(first_ms, _)| first_ms.div_euclid(DAY_MS)).min();
    let held = |record: &Record| {
        matches!(record, Record::Span(..)) && held_from.is_some_and(|first| first <= day(record))
    };
    kept.iter().find(|record| (day(record) + 1) * DAY_MS <= from_ms && !held(record)).copied()
}

fn sum(parts: &Parts) -> u64 {
    parts.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(ts_ms: i64) -> Record {
        Record::Span([1; 16], [1; 8], ts_ms)
    }

    fn parts(bytes: &[u64]) -> Parts {
        bytes.iter().enumerate().map(|(at, bytes)| (at.to_string(), *bytes)).collect()
    }

    fn check(got: &Result<(), String>, expected: Result<(), &str>) {
        match (got, expected) {
            (Ok(()), Ok(())) => {}
            (Err(got), Err(part)) => assert!(got.contains(part), "{got}"),
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn by_age_what_is_inside_stays_and_whole_days_outside_go() {
        let (age, now_ms, none) = (Retention::Age(DAY_MS), 10 * DAY_MS, Parts::new());
        let dropped = |ts_ms| age.judge_dropped(now_ms, (&[&record(ts_ms)], &[]), (&none, &none));
        check(&dropped(9 * DAY_MS - 1), Ok(()));
        check(&dropped(9 * DAY_MS), Err("inside its window"));
        let kept = |ts_ms| age.judge_kept(now_ms, &[&record(ts_ms)], &none);
        check(&kept(9 * DAY_MS), Ok(()));
        check(&kept(9 * DAY_MS - 1), Err("keeps"));
        let long = Record::Span([2; 16], [1; 8], 8 * DAY_MS);
        let late = Record::Span([2; 16], [2; 8], 9 * DAY_MS);
        let early = Record::Span([1; 16], [1; 8], 8 * DAY_MS - 1);
        check(&age.judge_kept(now_ms, &[&long, &late], &none), Ok(()));
        check(&age.judge_kept(now_ms, &[&early, &long, &late], &none), Err("keeps"));
    }

    #[test]
    fn by_bytes_the_oldest_go_and_no_more_than_must() {
        let (bytes, old, new) = (Retention::Bytes(10), 0, DAY_MS);
        let judge = |dropped, kept, before: &[u64], after: &[u64]| {
            let (before, mut after) = (parts(before), parts(after));
            after.retain(|path, bytes| *bytes > 0 && before.contains_key(path));
            bytes.judge_dropped(0, (&[&record(dropped)], &[&record(kept)]), (&before, &after))
        };
        check(&judge(old, new, &[6, 6], &[0, 6]), Ok(()));
        check(&judge(new, old, &[6, 6], &[0, 6]), Err("newer"));
        check(&judge(old, new, &[6, 6, 4], &[0, 0, 4]), Err("more than it must"));
        check(&bytes.judge_kept(0, &[], &parts(&[5, 5])), Ok(()));
        check(&bytes.judge_kept(0, &[], &parts(&[5, 6])), Err("keeps 11 bytes"));
    }
}
