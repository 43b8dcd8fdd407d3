//! All functions but `compare`: spans fall into groups by the `by()` fields, a group keeps a little per interval.

use super::sketch::{Sketch, power_of_two};
use super::{Grid, SAMPLES_MAX, Series};
use crate::traceql::answer::{AttrValue, SeriesExemplar};
use crate::traceql::condition::{Expr, prepare_field};
use crate::traceql::trace::Trace;
use crate::traceql::value::Val;
use language::traceql::{AggregateOp, Field, MetricsFunction};
use model::scan::ScanError;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// What is computed of a group.
enum What {
    Count { per_second: bool },
    Fold(AggregateOp),
    Histogram,
    Quantiles(Vec<f64>),
}

/// What a group keeps, one element per interval.
enum Cells {
    /// Count, or least or largest value.
    One(Vec<f64>),
    /// Sum and count.
    Sum(Vec<(f64, f64)>),
    Sketches(Vec<Sketch>),
    /// By upper bound, as bits of a float that is never negative.
    Buckets(BTreeMap<u64, Vec<f64>>),
}

struct Group {
    values: Vec<AttrValue>,
    cells: Cells,
    exemplars: Vec<SeriesExemplar>,
    /// Interval of the latest exemplar: each interval gets at most one per visit.
    exemplar_slot: Option<usize>,
}

/// Groups spans and folds them.
pub(super) struct Accumulator {
    grid: Grid,
    what: What,
    /// `__name__` when nothing is grouped.
    name: String,
    field: Option<Expr>,
    by: Vec<(String, Expr)>,
    groups: Vec<Group>,
    known: HashMap<String, usize>,
    key: String,
    exemplars_left: usize,
    samples: usize,
}

impl Accumulator {
    pub(super) fn new(grid: Grid, function: &MetricsFunction, by: &[Field], exemplars_max: usize) -> Self {
        let (what, field) = match function {
            MetricsFunction::Rate => (What::Count { per_second: true }, None),
            MetricsFunction::CountOverTime | MetricsFunction::Compare { .. } => {
                (What::Count { per_second: false }, None)
            }
            MetricsFunction::OverTime(op, field) => (What::Fold(*op), Some(field)),
            MetricsFunction::Histogram(field) => (What::Histogram, Some(field)),
            MetricsFunction::Quantile(field, quantiles) => (What::Quantiles(quantiles.clone()), Some(field)),
        };
        let name = function.to_string();
        Self {
            grid,
            what,
            name: name.split('(').next().unwrap_or_default().to_owned(),
            field: field.map(prepare_field),
            by: by.iter().map(|field| (field.to_string(), prepare_field(field))).collect(),
            groups: Vec::new(),
            known: HashMap::new(),
            key: String::new(),
            exemplars_left: exemplars_max,
            samples: 0,
        }
    }

    /// Takes span `at` into interval `slot`; a span without a number for the function's field does not count.
    pub(super) fn add(&mut self, trace: &Trace, at: u32, slot: usize) -> Result<(), ScanError> {
        let value = self.field.as_ref().map_or(Val::Nil, |field| field.value(trace, at));
        let number = number(&value);
        if self.field.is_some() && number.is_none() {
            return Ok(());
        }
        let number = number.unwrap_or(f64::NAN);
        let folded = if matches!(self.what, What::Histogram) { bucket(&value) } else { number };
        let group = self.group(trace, at)?;
        let more = group_add(&mut self.groups[group].cells, &self.what, slot, folded, self.grid.len);
        self.spend(more)?;
        self.exemplar(group, trace, at, slot, number);
        Ok(())
    }

    fn spend(&mut self, samples: usize) -> Result<(), ScanError> {
        self.samples += samples;
        if self.samples > SAMPLES_MAX {
            return Err(ScanError::TooMuch { what: "samples of series", limit: SAMPLES_MAX as u64 });
        }
        Ok(())
    }

    /// The group of a span; its key is written into one reused text, so that a known group costs no allocation.
    fn group(&mut self, trace: &Trace, at: u32) -> Result<usize, ScanError> {
        self.key.clear();
        for (_, field) in &self.by {
            let written = write!(self.key, "{:?}\0", field.value(trace, at));
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        }
        if let Some(known) = self.known.get(&self.key) {
            return Ok(*known);
        }
        let cells = match &self.what {
            What::Count { .. } => Cells::One(vec![0.0; self.grid.len]),
            What::Fold(AggregateOp::Min | AggregateOp::Max) => Cells::One(vec![f64::NAN; self.grid.len]),
            What::Fold(_) => Cells::Sum(vec![(0.0, 0.0); self.grid.len]),
            What::Histogram => Cells::Buckets(BTreeMap::new()),
            What::Quantiles(_) => Cells::Sketches(vec![Sketch::default(); self.grid.len]),
        };
        let values = self.by.iter().map(|(_, field)| field.value(trace, at).answer()).collect();
        self.spend(self.grid.len)?;
        self.known.insert(self.key.clone(), self.groups.len());
        self.groups.push(Group { values, cells, exemplars: Vec::new(), exemplar_slot: None });
        Ok(self.groups.len() - 1)
    }

    fn exemplar(&mut self, group: usize, trace: &Trace, at: u32, slot: usize, value: f64) {
        let group = &mut self.groups[group];
        let Some(span) =
            trace.span(at).filter(|_| self.exemplars_left > 0 && group.exemplar_slot != Some(slot))
        else {
            return;
        };
        let labels = [("trace:id", span.row.trace_id.to_string()), ("span:id", span.row.span_id.to_string())];
        let labels = labels.into_iter().map(|(name, id)| (name.to_owned(), AttrValue::Str(id))).collect();
        group.exemplars.push(SeriesExemplar {
            labels,
            value,
            ts_ms: span.row.start_ns.div_euclid(1_000_000),
        });
        group.exemplar_slot = Some(slot);
        self.exemplars_left -= 1;
    }

    /// What came together.
    pub(super) fn series(self) -> Vec<Series> {
        let (what, grid) = (self.what, self.grid);
        let names: Vec<String> = self.by.into_iter().map(|(name, _)| name).collect();
        let mut all = Vec::new();
        for group in self.groups {
            let mut labels: Vec<_> = names.iter().cloned().zip(group.values).collect();
            let split = matches!(what, What::Histogram | What::Quantiles(_));
            if labels.is_empty() && !split {
                labels.push(("__name__".to_owned(), AttrValue::Str(self.name.clone())));
            }
            let before = all.len();
            finish(&what, group.cells, &grid, &labels, &mut all);
            if let Some(first) = all.get_mut(before) {
                first.exemplars = group.exemplars;
            }
        }
        all
    }
}

/// A finite number, durations in seconds.
fn number(value: &Val) -> Option<f64> {
    let scale = if matches!(value, Val::Duration(_)) { 1e9 } else { 1.0 };
    value.number().map(|number| number / scale).filter(|number| number.is_finite())
}

/// Upper bound of a value's bucket: a power of two, for durations of nanoseconds but written in seconds.
fn bucket(value: &Val) -> f64 {
    let scale = if matches!(value, Val::Duration(_)) { 1e9 } else { 1.0 };
    value.number().map_or(0.0, power_of_two) / scale
}

/// Folds one span in; answers how many samples of memory that took.
fn group_add(cells: &mut Cells, what: &What, slot: usize, number: f64, len: usize) -> usize {
    match cells {
        Cells::One(values) => {
            let value = &mut values[slot];
            *value = match what {
                What::Fold(AggregateOp::Min) => value.min(number),
                What::Fold(_) => value.max(number),
                _ => *value + 1.0,
            };
        }
        Cells::Sum(values) => {
            values[slot].0 += number;
            values[slot].1 += 1.0;
        }
        Cells::Sketches(sketches) => sketches[slot].add(number),
        Cells::Buckets(buckets) => {
            let mut taken = 0;
            let counts = buckets.entry(number.to_bits()).or_insert_with(|| {
                taken = len;
                vec![0.0; len]
            });
            counts[slot] += 1.0;
            return taken;
        }
    }
    0
}

/// Turns a group's cells into series under its labels.
fn finish(what: &What, cells: Cells, grid: &Grid, labels: &[(String, AttrValue)], all: &mut Vec<Series>) {
    let mut push = |extra: Option<(&str, f64)>, values: Vec<f64>| {
        let mut labels = labels.to_vec();
        labels.extend(extra.map(|(name, value)| (name.to_owned(), AttrValue::Double(value))));
        all.push(Series { labels, values, exemplars: Vec::new() });
    };
    match (cells, what) {
        (Cells::One(counts), What::Count { per_second: true }) => {
            push(None, counts.into_iter().map(|count| count / grid.step_s()).collect());
        }
        (Cells::One(values), _) => push(None, values),
        (Cells::Sum(sums), What::Fold(AggregateOp::Avg)) => {
            push(None, sums.into_iter().map(|(sum, count)| sum / count).collect());
        }
        (Cells::Sum(sums), _) => {
            push(
                None,
                sums.into_iter().map(|(sum, count)| if count > 0.0 { sum } else { f64::NAN }).collect(),
            );
        }
        (Cells::Sketches(sketches), What::Quantiles(quantiles)) => {
            for quantile in quantiles {
                push(
                    Some(("p", *quantile)),
                    sketches.iter().map(|sketch| sketch.quantile(*quantile)).collect(),
                );
            }
        }
        (Cells::Sketches(_), _) => {}
        (Cells::Buckets(buckets), _) => {
            for (bound, counts) in buckets {
                push(Some(("__bucket", f64::from_bits(bound))), counts);
            }
        }
    }
}
