//! The values of one slot of a template, piece by piece. As long as all are equal, one stands for all.

use super::super::segment::SegmentWriter;
use super::super::text::{write_plain, write_same, write_slot};

/// A slot's values.
#[derive(Debug, Default)]
pub(super) struct Slot<'a> {
    /// One when `same`, else one per piece.
    values: Vec<&'a [u8]>,
    same: bool,
}

impl<'a> Slot<'a> {
    /// Adds the value of the piece that `before` others came before.
    pub(super) fn push(&mut self, value: &'a [u8], before: usize) {
        if self.same {
            let first = self.values.first().copied().unwrap_or_default();
            if first == value {
                return;
            }
            self.same = false;
            self.values.resize(before, first);
        } else if before == 0 {
            self.same = true;
        }
        self.values.push(value);
    }

    /// The value that all pieces have, if it is one.
    pub(super) fn same(&self) -> Option<&'a [u8]> {
        self.values.first().copied().filter(|_| self.same)
    }

    /// The value of piece `at`.
    pub(super) fn get(&self, at: usize) -> &'a [u8] {
        self.values.get(if self.same { 0 } else { at }).copied().unwrap_or_default()
    }

    /// The values, each at least once.
    pub(super) fn values(&self) -> &[&'a [u8]] {
        &self.values
    }

    /// Appends the column; `marker` says what its values are.
    pub(super) fn write(&self, marker: u8, writer: &mut SegmentWriter) {
        match self.same() {
            Some(value) => write_same(writer, value),
            None => write_slot(writer, marker, &self.values),
        }
    }

    /// Appends the `pieces` values as plain text.
    pub(super) fn write_plain(&self, pieces: usize, writer: &mut SegmentWriter) {
        match self.same() {
            Some(value) => write_plain(writer, &vec![value; pieces]),
            None => write_plain(writer, &self.values),
        }
    }
}
