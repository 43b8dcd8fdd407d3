//! Values inside the engine: rows of cells, one cell per step of a grid.

use language::promql::ast::Span;
use language::promql::quote;
use model::labels::{METRIC_NAME, is_legacy_label_name};
use model::{FloatHistogram, Labels};
use std::sync::Arc;

/// The times an expression is evaluated at: `start`, `start + step`, ... up to `end`, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// At least 1.
    pub(crate) step: i64,
}

impl Grid {
    pub(crate) fn instant(at: i64) -> Self {
        Self { start: at, end: at, step: 1 }
    }

    pub(crate) fn len(self) -> usize {
        if self.end < self.start {
            return 0;
        }
        usize::try_from(self.end.abs_diff(self.start) / self.step.unsigned_abs().max(1))
            .unwrap_or(usize::MAX - 1)
            + 1
    }

    pub(crate) fn times(self) -> impl ExactSizeIterator<Item = i64> + use<> {
        (0..self.len()).map(move |at| self.time(at))
    }

    pub(crate) fn time(self, at: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(i64::try_from(at).unwrap_or(i64::MAX)))
    }

    pub(crate) fn is_instant(self) -> bool {
        self.start == self.end
    }
}

/// One value of a row, or none.
#[derive(Clone, Debug, Default)]
pub(crate) enum Cell {
    #[default]
    Empty,
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl Cell {
    pub(crate) fn histogram(h: FloatHistogram) -> Self {
        Self::Histogram(Arc::new(h))
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }
}

/// A series' values on a grid.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// Whether the metric name is to be dropped when the query is done.
    pub(crate) drop_name: bool,
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    pub(crate) fn new(labels: Labels, cells: Vec<Cell>) -> Self {
        Self { labels, drop_name: false, cells }
    }

    pub(crate) fn has_cells(&self) -> bool {
        self.cells.iter().any(|cell| !cell.is_empty())
    }
}

/// What an expression that is no range vector gives.
#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Vec<f64>),
    Rows(Vec<Row>),
    String(String),
}

/// The labels without the metric's name, type and unit.
pub(crate) fn without_name(labels: &Labels) -> Labels {
    labels.retain(|name| !matches!(name, METRIC_NAME | "__type__" | "__unit__"))
}

/// `{__name__="up", job="api"}`, as error messages show a series.
pub(crate) fn braces(labels: &Labels) -> String {
    let pair = |label: &model::Label| {
        let name =
            if is_legacy_label_name(&label.name) { label.name.to_string() } else { quote(&label.name) };
        format!("{name}={}", quote(&label.value))
    };
    format!("{{{}}}", labels.iter().map(pair).collect::<Vec<_>>().join(", "))
}

/// A series' samples in ascending time, staleness markers taken out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) ts: Vec<i64>,
    pub(crate) values: Vec<f64>,
    pub(crate) histograms: Vec<(i64, Arc<FloatHistogram>)>,
    /// Parallel to `ts`, or empty.
    pub(crate) starts: Vec<i64>,
    /// Parallel to `histograms`, or empty.
    pub(crate) histogram_starts: Vec<i64>,
}

/// A window of a series' columns: what a range function looks at for one step.
pub(crate) struct Window<'a> {
    pub(crate) ts: &'a [i64],
    pub(crate) values: &'a [f64],
    pub(crate) histograms: &'a [(i64, Arc<FloatHistogram>)],
    pub(crate) starts: &'a [i64],
    pub(crate) histogram_starts: &'a [i64],
    /// Values before which the series dropped: index of the sample after the drop, inside the window.
    pub(crate) drops: &'a [usize],
    /// Index of the window's first float in the series; `drops` counts from the series' start.
    pub(crate) first: usize,
    /// The window's end, the time its samples are read for, milliseconds.
    pub(crate) end: i64,
    /// The window's length, milliseconds.
    pub(crate) range: i64,
    /// The step's time, milliseconds.
    pub(crate) at: i64,
    /// Scalar arguments at this step.
    pub(crate) params: &'a [f64],
    pub(crate) series: &'a Labels,
    /// Where the range vector stands in the query.
    pub(crate) span: Span,
    /// Where the first argument stands in the query.
    pub(crate) first_span: Span,
    pub(crate) extension: Option<language::promql::ast::Extension>,
}

impl Window<'_> {
    pub(crate) fn start(&self) -> i64 {
        self.end.saturating_sub(self.range)
    }

    pub(crate) fn metric(&self) -> String {
        self.series.metric_name().to_owned()
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a range")]
    pub(crate) fn range_seconds(&self) -> f64 {
        self.range as f64 / 1000.0
    }
}
