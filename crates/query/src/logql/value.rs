//! What expressions evaluate to: all steps of all series at once, so that labels are grouped and matched once per
//! series and not once per step.

use super::answer::{LogSample, LogSeries, LogValue};
use super::labels::LabelSet;
use std::collections::HashMap;

/// Instants of a query, nanoseconds, ascending; one for an instant query.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) ns: Vec<i64>,
    pub(super) range_query: bool,
}

/// A series with a value, or none, at each step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) labels: LabelSet,
    pub(super) points: Vec<Option<f64>>,
}

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Scalar(f64),
    Rows(Vec<Row>),
}

impl Value {
    /// As rows; a scalar is one row without labels.
    pub(super) fn into_rows(self, steps: usize) -> Vec<Row> {
        match self {
            Self::Scalar(value) => {
                vec![Row { labels: LabelSet::default(), points: vec![Some(value); steps] }]
            }
            Self::Rows(rows) => rows,
        }
    }

    /// As an answer: series without a value are left out, a matrix is sorted by labels.
    pub(super) fn finish(self, steps: &Steps) -> LogValue {
        const NS_PER_MS: i64 = 1_000_000;
        let first = steps.ns.first().copied().unwrap_or_default() / NS_PER_MS;
        if !steps.range_query {
            return match self {
                Self::Scalar(value) => LogValue::Scalar(first, value),
                Self::Rows(rows) => LogValue::Vector(samples(rows, first)),
            };
        }
        let mut series: Vec<LogSeries> = self
            .into_rows(steps.ns.len())
            .into_iter()
            .map(|row| {
                let points = steps.ns.iter().zip(row.points);
                let points =
                    points.filter_map(|(ns, value)| Some((ns.div_euclid(NS_PER_MS), value?))).collect();
                LogSeries { labels: row.labels, points }
            })
            .filter(|series| !series.points.is_empty())
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        LogValue::Matrix(series)
    }
}

fn samples(rows: Vec<Row>, ts_ms: i64) -> Vec<LogSample> {
    let sample = |row: Row| {
        let value = row.points.first().copied().flatten()?;
        Some(LogSample { labels: row.labels, ts_ms, value })
    };
    rows.into_iter().filter_map(sample).collect()
}

/// Rows under construction, one per label set.
#[derive(Default)]
pub(super) struct RowSet {
    rows: Vec<Row>,
    index: HashMap<LabelSet, usize>,
}

impl RowSet {
    /// The row with these labels, made when there is none.
    pub(super) fn row(&mut self, labels: &LabelSet, steps: usize) -> &mut Row {
        let at = self.index.get(labels).copied().unwrap_or_else(|| {
            self.rows.push(Row { labels: labels.clone(), points: vec![None; steps] });
            self.index.insert(labels.clone(), self.rows.len() - 1);
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}
