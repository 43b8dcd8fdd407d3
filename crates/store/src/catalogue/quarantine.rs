//! What is damaged, set aside and named until an operator removes its note from `quarantine/`.
//!
//! A note is one line, `tenant <tab> signal <tab> min_ms <tab> max_ms <tab> sentence`; an empty tenant or signal means
//! that it is not known whose the bytes were.

use crate::signal::SignalKind;
use model::Tenant;
use platform::SharedDisk;
use platform::disk::DiskResult;
use std::sync::{PoisonError, RwLock};

/// The directory.
pub(crate) const QUARANTINE_DIR: &str = "quarantine";
const NOTE_SUFFIX: &str = ".note";
/// Notes kept in memory; more damage than this is summarised by the last one.
const NOTES_MAX: usize = 1000;

/// Data that answers will miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Whose; `None` when unknown.
    pub tenant: Option<Tenant>,
    /// Of what; `None` when unknown.
    pub kind: Option<SignalKind>,
    /// Earliest record, milliseconds.
    pub min_ms: i64,
    /// Latest record, milliseconds.
    pub max_ms: i64,
    /// What users read.
    pub sentence: String,
}

impl Missing {
    fn to_line(&self) -> String {
        let tenant = self.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let kind = self.kind.map_or("", SignalKind::as_str);
        let sentence = self.sentence.replace(['\t', '\n', '\r'], " ");
        format!("{tenant}\t{kind}\t{}\t{}\t{sentence}\n", self.min_ms, self.max_ms)
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().splitn(5, '\t');
        let tenant = Tenant::new(fields.next()?).ok();
        let kind = SignalKind::from_name(fields.next()?);
        let (min_ms, max_ms) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { tenant, kind, min_ms, max_ms, sentence: fields.next()?.to_owned() })
    }

    fn concerns(&self, tenant: &Tenant, kind: SignalKind, min_ms: i64, max_ms: i64) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
            && self.kind.is_none_or(|own| own == kind)
            && self.min_ms <= max_ms
            && self.max_ms >= min_ms
    }
}

/// All notes.
#[derive(Default)]
pub(super) struct Quarantine {
    notes: RwLock<Vec<Missing>>,
}

impl Quarantine {
    pub(super) fn load(disk: &SharedDisk) -> DiskResult<Self> {
        let mut notes = Vec::new();
        for name in disk.list(QUARANTINE_DIR)?.iter().filter(|name| name.ends_with(NOTE_SUFFIX)) {
            let bytes = disk.read(&format!("{QUARANTINE_DIR}/{name}"))?;
            notes.extend(Missing::from_line(&String::from_utf8_lossy(&bytes)));
        }
        Ok(Self { notes: RwLock::new(notes) })
    }

    /// Remembers `missing`, on disk as `quarantine/<name>.note` when the disk allows.
    pub(super) fn add(&self, disk: &SharedDisk, name: &str, missing: Missing) -> DiskResult<()> {
        let line = missing.to_line();
        let mut notes = self.notes.write().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX && !notes.contains(&missing) {
            notes.push(missing);
        }
        drop(notes);
        crate::object::create_dir_durable(disk, QUARANTINE_DIR)?;
        disk.write_atomic(&format!("{QUARANTINE_DIR}/{name}{NOTE_SUFFIX}"), line.as_bytes())
    }

    pub(super) fn sentences(
        &self,
        tenant: &Tenant,
        kind: SignalKind,
        min_ms: i64,
        max_ms: i64,
    ) -> Vec<String> {
        let notes = self.notes.read().unwrap_or_else(PoisonError::into_inner);
        let concerned = notes.iter().filter(|note| note.concerns(tenant, kind, min_ms, max_ms));
        concerned.map(|note| note.sentence.clone()).collect()
    }

    pub(super) fn all(&self) -> Vec<Missing> {
        self.notes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_and_concerns_its_range() {
        let missing = Missing {
            tenant: Tenant::new("a").ok(),
            kind: Some(SignalKind::Logs),
            min_ms: 10,
            max_ms: 20,
            sentence: "lost".into(),
        };
        let back = Missing::from_line(&missing.to_line()).expect("line");
        assert_eq!(back, missing);
        let tenant = Tenant::new("a").expect("tenant");
        assert!(back.concerns(&tenant, SignalKind::Logs, 20, 30));
        assert!(!back.concerns(&tenant, SignalKind::Logs, 21, 30));
        assert!(!back.concerns(&tenant, SignalKind::Spans, 20, 30));
        assert!(!back.concerns(&Tenant::default(), SignalKind::Logs, 20, 30));
    }
}
