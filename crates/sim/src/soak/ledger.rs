//! What one tenant was told is stored, and what was sent without an answer: plain sets, nothing clever.

use std::collections::BTreeSet;
use std::sync::Arc;

/// One record, by what makes it one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Record {
    /// Series as it prints, milliseconds, bits of the value.
    Sample(Arc<str>, i64, u64),
    /// Stream as it prints, nanoseconds, the line.
    Line(Arc<str>, i64, String),
    /// Trace id, span id, and when it starts in milliseconds.
    Span([u8; 16], [u8; 8], i64),
    /// Id of a change, nanoseconds, its summary.
    Change(String, i64, String),
}

impl Record {
    /// Its time in milliseconds, as retention sees it.
    pub(super) fn ts_ms(&self) -> i64 {
        match self {
            Self::Sample(_, ts_ms, _) | Self::Span(_, _, ts_ms) => *ts_ms,
            Self::Line(_, ts_ns, _) | Self::Change(_, ts_ns, _) => ts_ns.div_euclid(1_000_000),
        }
    }
}

/// What must be there, and what may be.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    acknowledged: BTreeSet<Record>,
    unanswered: BTreeSet<Record>,
}

impl Ledger {
    /// The server said that it has these.
    pub(super) fn acknowledge(&mut self, records: &[Record]) {
        for record in records {
            self.unanswered.remove(record);
            self.acknowledged.insert(record.clone());
        }
    }

    /// The server said that it could not take these, or died over them.
    pub(super) fn doubt(&mut self, records: &[Record]) {
        let unknown = records.iter().filter(|record| !self.acknowledged.contains(record));
        self.unanswered.extend(unknown.cloned());
    }

    /// Retention dropped these: they must not come back.
    pub(super) fn drop_records<'a>(&mut self, dropped: impl IntoIterator<Item = &'a Record>) {
        for record in dropped {
            self.acknowledged.remove(record);
        }
    }

    /// Retention failed half-way over those that `may_go`: they may be there or not.
    pub(super) fn doubt_where(&mut self, may_go: impl Fn(&Record) -> bool) {
        self.unanswered.extend(self.acknowledged.extract_if(.., |record| may_go(record)));
    }

    /// The earliest acknowledged record, in milliseconds.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.acknowledged.iter().map(Record::ts_ms).min()
    }

    /// Acknowledged samples, lines, spans and changes.
    pub(super) fn count(&self) -> [u64; 4] {
        let mut counts = [0; 4];
        for record in &self.acknowledged {
            counts[match record {
                Record::Sample(..) => 0,
                Record::Line(..) => 1,
                Record::Span(..) => 2,
                Record::Change(..) => 3,
            }] += 1;
        }
        counts
    }

    /// The acknowledged spans of trace `trace_id`, and how many more may be there.
    pub(super) fn spans_of(&self, trace_id: [u8; 16]) -> (Vec<[u8; 8]>, usize) {
        let of = |set: &BTreeSet<Record>| {
            let (first, last) = ([0; 8], [0xFF; 8]);
            let range = Record::Span(trace_id, first, i64::MIN)..=Record::Span(trace_id, last, i64::MAX);
            let spans = set.range(range).filter_map(|record| match record {
                Record::Span(_, span_id, _) => Some(*span_id),
                _ => None,
            });
            spans.collect::<Vec<_>>()
        };
        (of(&self.acknowledged), of(&self.unanswered).len())
    }

    /// Compares with everything that was found, each record as often as it was found.
    pub(super) fn check(&self, mut found: Vec<Record>) -> Result<(), String> {
        found.sort_unstable();
        if let Some((record, _)) = found.iter().zip(found.iter().skip(1)).find(|(one, next)| one == next) {
            return Err(format!("{record:?} is there twice"));
        }
        let found: BTreeSet<Record> = found.into_iter().collect();
        let mut lost = self.acknowledged.difference(&found);
        if let Some(first) = lost.next() {
            return Err(format!(
                "{} acknowledged records are lost, {first:?} is the first",
                1 + lost.count()
            ));
        }
        let unknown = found.difference(&self.acknowledged).find(|record| !self.unanswered.contains(*record));
        match unknown {
            Some(record) => Err(format!("{record:?} was never sent")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u8) -> Record {
        Record::Span([number; 16], [number; 8], i64::from(number))
    }

    fn check(found: &[u8], expected: Result<(), &str>) {
        let mut ledger = Ledger::default();
        ledger.doubt(&[span(1), span(2), span(3)]);
        ledger.acknowledge(&[span(1), span(2)]);
        let got = ledger.check(found.iter().copied().map(span).collect());
        match (got, expected) {
            (Ok(()), Ok(())) => {}
            (Err(got), Err(part)) => assert!(got.contains(part), "{found:?}: {got}"),
            (got, expected) => panic!("{found:?}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_ledger_finds_what_is_lost_twice_or_made_up() {
        check(&[1, 2], Ok(()));
        check(&[3, 2, 1], Ok(()));
        check(&[1], Err("1 acknowledged records are lost"));
        check(&[1, 2, 2], Err("twice"));
        check(&[1, 2, 4], Err("never sent"));
    }
}
