//! `compare()`: how often each attribute has each value inside of a selection of the spans and in the rest of them.

use super::{Grid, SAMPLES_MAX, Series};
use crate::traceql::answer::{AttrValue, ROOT_NOT_RECEIVED, TraceQlError};
use crate::traceql::condition::{Expr, prepare_condition};
use crate::traceql::trace::Trace;
use crate::traceql::value::Val;
use language::traceql::FieldExpr;
use model::attr::ValueRef;
use model::scan::ScanError;
use std::collections::BTreeMap;
use std::ops::Range;

/// Name of a label that says which side of the comparison a series belongs to.
const META_TYPE: &str = "__meta_type";

/// Counts of one value, one per interval.
type Counts = Vec<f64>;

/// One side: attribute name, value as text with its kind, value and counts.
type Side = BTreeMap<String, BTreeMap<String, (AttrValue, Counts)>>;

/// Counts values on both sides.
pub(super) struct Comparison {
    grid: Grid,
    filter: Option<Expr>,
    top: usize,
    window_ns: Option<Range<i64>>,
    baseline: Side,
    selection: Side,
    samples: usize,
}

impl Comparison {
    pub(super) fn new(
        grid: Grid,
        filter: Option<&FieldExpr>,
        top: u64,
        window_ns: Option<(i64, i64)>,
    ) -> Result<Self, TraceQlError> {
        Ok(Self {
            grid,
            filter: filter.map(prepare_condition).transpose()?,
            top: usize::try_from(top).unwrap_or(usize::MAX),
            window_ns: window_ns.map(|(start, end)| start..end),
            baseline: Side::new(),
            selection: Side::new(),
            samples: 0,
        })
    }

    /// Counts the attributes of span `at`, of its resource, and the intrinsics that tell spans apart.
    pub(super) fn add(&mut self, trace: &Trace, at: u32, slot: usize) -> Result<(), ScanError> {
        let Some(span) = trace.span(at) else {
            return Ok(());
        };
        let in_window = self.window_ns.as_ref().is_none_or(|window| window.contains(&span.row.start_ns));
        let selected = in_window && self.filter.as_ref().is_none_or(|filter| filter.holds(trace, at));
        let root = trace.root();
        let intrinsics = [
            ("name", span.name()),
            ("kind", span.row.kind.as_str()),
            ("status", span.row.status.as_str()),
            ("statusMessage", span.status_message()),
            ("rootName", root.map_or(ROOT_NOT_RECEIVED, |root| root.name())),
            ("rootServiceName", root.map_or(ROOT_NOT_RECEIVED, |root| root.service())),
        ];
        for (name, value) in intrinsics {
            self.count(selected, name.to_owned(), ValueRef::Str(value), slot)?;
        }
        for (name, value) in span.attrs() {
            self.count(selected, format!("span.{name}"), value, slot)?;
        }
        for (name, value) in span.resource_attrs() {
            self.count(selected, format!("resource.{name}"), value, slot)?;
        }
        Ok(())
    }

    fn count(&mut self, selected: bool, name: String, value: ValueRef, slot: usize) -> Result<(), ScanError> {
        let (side, len) = (if selected { &mut self.selection } else { &mut self.baseline }, self.grid.len);
        let mut taken = 0;
        let value = Val::of_attr(value);
        let (_, counts) = side.entry(name).or_default().entry(format!("{value:?}")).or_insert_with(|| {
            taken = len;
            (value.answer(), vec![0.0; len])
        });
        counts[slot] += 1.0;
        self.samples += taken;
        if self.samples > SAMPLES_MAX {
            return Err(ScanError::TooMuch { what: "samples of series", limit: SAMPLES_MAX as u64 });
        }
        Ok(())
    }

    /// A series per side, attribute and value; the totals per side and attribute; a mark on attributes with more values
    /// than were asked for.
    pub(super) fn series(self) -> Vec<Series> {
        let mut all = Vec::new();
        let mut cut: Vec<String> = Vec::new();
        for (side, kind) in [(self.baseline, "baseline"), (self.selection, "selection")] {
            for (name, values) in side {
                let mut totals = vec![0.0; self.grid.len];
                for (_, counts) in values.values() {
                    totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
                }
                if values.len() > self.top && !cut.contains(&name) {
                    cut.push(name.clone());
                }
                let mut values: Vec<_> =
                    values.into_iter().map(|(key, (value, counts))| (key, value, counts)).collect();
                values.sort_by(|(key, _, counts), (other_key, _, other)| {
                    let sum = |counts: &Counts| counts.iter().sum::<f64>();
                    sum(other).total_cmp(&sum(counts)).then_with(|| key.cmp(other_key))
                });
                for (_, value, counts) in values.into_iter().take(self.top) {
                    all.push(series(META_TYPE, kind, &name, value, counts));
                }
                all.push(series(META_TYPE, &format!("{kind}_total"), &name, AttrValue::Nil, totals));
            }
        }
        let mark = vec![0.0; self.grid.len];
        all.extend(
            cut.iter().map(|name| {
                series("__meta_error", "__too_many_values__", name, AttrValue::Nil, mark.clone())
            }),
        );
        all
    }
}

fn series(meta: &str, kind: &str, name: &str, value: AttrValue, values: Counts) -> Series {
    let labels = vec![(meta.to_owned(), AttrValue::Str(kind.to_owned())), (name.to_owned(), value)];
    Series { labels, values, exemplars: Vec::new() }
}
