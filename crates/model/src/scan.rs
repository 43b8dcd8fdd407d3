//! The shape of a scan: a request names a tenant, a time range and conditions, the answer is a sequence of batches.
//!
//! The traits are implemented by `store` and read by `query`. They are synchronous: a scan runs on a blocking thread
//! and stops as soon as its [`Budget`] says so. Conditions prune: unless a method says otherwise, a source may yield
//! records that do not satisfy a hint, never fewer than satisfy all.

use crate::histogram::FloatHistogram;
use crate::id::TraceId;
use crate::labels::Labels;
use crate::log::LogBatch;
use crate::matcher::Matcher;
use crate::metric::{Exemplar, MetricMetadata};
use crate::span::{SpanBatch, SpanKind};
use crate::tenant::Tenant;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether an answer saw all the data it should have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// What is missing and why, one sentence each; empty means complete.
    pub missing: Vec<String>,
}

impl Completeness {
    /// Nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Adds what another part of the same answer misses.
    pub fn merge(&mut self, other: Self) {
        for sentence in other.missing {
            if !self.missing.contains(&sentence) {
                self.missing.push(sentence);
            }
        }
    }
}

/// Why a scan stopped without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The client went away or the server stops.
    #[error("query was canceled")]
    Canceled,
    /// The time budget is spent.
    #[error("query timed out")]
    Timeout,
    /// More records or bytes than one query may read.
    #[error("query would read more than {limit} {what}")]
    TooMuch {
        /// Named limit with its unit.
        what: &'static str,
        /// Its value.
        limit: u64,
    },
    /// The disk failed; damaged parts are not errors but incompleteness.
    #[error("storage: {0}")]
    Storage(String),
}

/// Shared by everything that works on one query: cancellation, deadline and what was read so far.
#[derive(Debug, Default)]
pub struct Budget {
    canceled: AtomicBool,
    timed_out: AtomicBool,
    samples: AtomicU64,
    /// Most samples, lines or spans one query may read; 0 is unlimited.
    pub samples_max: u64,
}

impl Budget {
    /// A budget of `samples_max` records (0: unlimited).
    #[must_use]
    pub fn new(samples_max: u64) -> Self {
        Self { samples_max, ..Self::default() }
    }

    /// Stops the query because nobody waits for it.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Relaxed);
    }

    /// Stops the query because its time is up. Whoever owns the clock calls this.
    pub fn time_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
    }

    /// Counts `records` as read.
    ///
    /// # Errors
    /// When the query was canceled, timed out or read more than it may.
    pub fn spend(&self, records: u64) -> Result<(), ScanError> {
        if self.canceled.load(Ordering::Relaxed) {
            return Err(ScanError::Canceled);
        }
        if self.timed_out.load(Ordering::Relaxed) {
            return Err(ScanError::Timeout);
        }
        let total = self.samples.fetch_add(records, Ordering::Relaxed) + records;
        if self.samples_max > 0 && total > self.samples_max {
            return Err(ScanError::TooMuch { what: "records", limit: self.samples_max });
        }
        Ok(())
    }

    /// Records read so far.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }
}

/// Which series, over which time. Both ends are inclusive, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct SeriesSelect {
    /// All must hold; exact, not a hint.
    pub matchers: Vec<Matcher>,
    /// First millisecond.
    pub start_ms: i64,
    /// Last millisecond.
    pub end_ms: i64,
}

/// The samples of one series in ascending time, floats and histograms apart; a timestamp is in one of the two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesColumns {
    /// Times of the float samples, milliseconds.
    pub ts_ms: Vec<i64>,
    /// Float values, staleness markers included.
    pub values: Vec<f64>,
    /// Histogram samples, staleness markers included.
    pub histograms: Vec<(i64, Arc<FloatHistogram>)>,
    /// When each float sample's counting began, milliseconds, 0 for unknown; empty when no sample says so.
    pub start_ms: Vec<i64>,
    /// The same of the histogram samples.
    pub histogram_start_ms: Vec<i64>,
}

impl SeriesColumns {
    /// Empties the columns, keeping their memory.
    pub fn clear(&mut self) {
        self.ts_ms.clear();
        self.values.clear();
        self.histograms.clear();
        self.start_ms.clear();
        self.histogram_start_ms.clear();
    }
}

/// Yields the selected series one by one, sorted by labels.
pub trait SeriesCursor: Send {
    /// Fills `columns` with the next series' samples and returns its labels; `None` at the end.
    /// A series without a sample in the range is left out.
    ///
    /// # Errors
    /// When the budget is spent or the disk fails.
    fn next(&mut self, columns: &mut SeriesColumns) -> Result<Option<Labels>, ScanError>;

    /// What the series seen so far miss.
    fn completeness(&self) -> Completeness;
}

/// How a tenant's series are spread: what `/api/v1/status/tsdb` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series with a sample in memory or on disk.
    pub series: u64,
    /// Distinct label pairs.
    pub label_pairs: u64,
    /// Earliest and latest sample, milliseconds.
    pub range_ms: Option<(i64, i64)>,
    /// Series per metric name, largest first.
    pub by_metric: Vec<(String, u64)>,
    /// Distinct values per label name, largest first.
    pub by_label: Vec<(String, u64)>,
    /// Bytes of values per label name, largest first.
    pub label_bytes: Vec<(String, u64)>,
    /// Series per `name=value` pair, largest first.
    pub by_pair: Vec<(String, u64)>,
}

/// Reads metrics.
pub trait MetricSource: Send + Sync {
    /// The series that satisfy the request.
    ///
    /// # Errors
    /// When the budget is spent or the disk fails.
    fn select<'a>(
        &'a self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &'a Budget,
    ) -> Result<Box<dyn SeriesCursor + 'a>, ScanError>;

    /// Label sets of the series that satisfy the request, sorted, without reading samples.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    fn series(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<(Vec<Labels>, Completeness), ScanError>;

    /// Label names of the selected series, sorted.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    fn label_names(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<(Vec<String>, Completeness), ScanError>;

    /// Values of label `name` among the selected series, sorted.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<(Vec<String>, Completeness), ScanError>;

    /// Exemplars of the selected series, in time order.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    fn exemplars(
        &self,
        tenant: &Tenant,
        select: &SeriesSelect,
        budget: &Budget,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, ScanError>;

    /// Metadata of all families (or of `family`), sorted by family.
    fn metadata(&self, tenant: &Tenant, family: Option<&str>) -> Vec<MetricMetadata>;

    /// Cardinality, each list cut to `top` rows.
    fn cardinality(&self, tenant: &Tenant, top: usize) -> Cardinality;
}

/// Time order of a log scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    #[default]
    Backward,
}

/// Which log records. The range is `start_ns <= ts < end_ns`.
#[derive(Clone, Debug, Default)]
pub struct LogSelect {
    /// All must hold on the stream's labels; exact.
    pub matchers: Vec<Matcher>,
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
    /// Order of the batches, and of the entries inside a stream of a batch.
    pub direction: Direction,
    /// Hint: the line contains each of these byte strings.
    pub contains: Vec<Vec<u8>>,
    /// Hint: the record's trace id is this.
    pub trace_id: Option<TraceId>,
}

/// What Loki's `index/stats` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Distinct streams.
    pub streams: u64,
    /// Blocks that hold them.
    pub chunks: u64,
    /// Lines.
    pub entries: u64,
    /// Bytes of the lines and their structured metadata.
    pub bytes: u64,
}

/// Reads logs.
pub trait LogSource: Send + Sync {
    /// Calls `on_batch` until it breaks or the range is done. In `Backward` order no entry of a later batch is
    /// newer than any entry of an earlier one, and entries of a stream inside a batch descend; mirrored for `Forward`.
    ///
    /// # Errors
    /// When the budget is spent or the disk fails.
    fn scan(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&LogBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError>;

    /// Label sets of streams with a record in the range that satisfy `select.matchers`, sorted.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    fn streams(&self, tenant: &Tenant, select: &LogSelect, budget: &Budget)
    -> Result<Vec<Labels>, ScanError>;

    /// Lines and bytes per stream, for stats and volume; may count whole blocks that overlap the range.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    fn volume(
        &self,
        tenant: &Tenant,
        select: &LogSelect,
        budget: &Budget,
    ) -> Result<Vec<(Labels, LogStats)>, ScanError>;
}

/// Where an attribute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttrScope {
    /// On the resource.
    Resource,
    /// On the span.
    Span,
    /// On an event.
    Event,
    /// On a link.
    Link,
    /// On the instrumentation library.
    Instrumentation,
}

/// A condition that at least one span of a yielded trace should satisfy; a hint for pruning.
#[derive(Clone, Debug, PartialEq)]
pub enum SpanHint {
    /// `service.name` equals.
    Service(String),
    /// Span name equals.
    Name(String),
    /// An attribute is this text, or an array that holds it; of the scopes resource and span when `None`.
    AttrEquals(Option<AttrScope>, String, String),
    /// The attribute exists.
    AttrExists(Option<AttrScope>, String),
    /// Duration at least, nanoseconds.
    DurationMin(i64),
    /// Some span failed.
    Error,
}

/// Which traces. A trace is in range when one of its spans starts at `start_ns <= t < end_ns`.
#[derive(Clone, Debug, Default)]
pub struct SpanSelect {
    /// First nanosecond.
    pub start_ns: i64,
    /// One past the last nanosecond.
    pub end_ns: i64,
    /// Every hint must hold for some span of the trace.
    pub hints: Vec<SpanHint>,
    /// Only these traces (exact); the time range is then ignored when it is empty (`start_ns >= end_ns`).
    pub trace_ids: Vec<TraceId>,
}

/// What a service calls some of its spans.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// `service.name`; empty when the resource has none.
    pub service: String,
    /// Span name.
    pub name: String,
    /// Span kind.
    pub kind: SpanKind,
}

/// Reads spans.
pub trait SpanSource: Send + Sync {
    /// Calls `on_batch` with whole traces, newest start first, until it breaks. The spans of one trace stand together
    /// in one batch, ordered by (start, span id), each span id once; also spans outside the range are included.
    ///
    /// # Errors
    /// When the budget is spent or the disk fails.
    fn scan(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError>;

    /// Attribute names seen in the range, per scope, sorted.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    fn attribute_names(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
    ) -> Result<Vec<(AttrScope, String)>, ScanError>;

    /// Operations of the spans that start in the range of `select`, whose other conditions are not looked at. A source
    /// that keeps them beside its spans may also answer those of spans near the range.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    fn operations(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
    ) -> Result<BTreeSet<Operation>, ScanError> {
        let range_ns = select.start_ns..select.end_ns;
        let select = SpanSelect { start_ns: range_ns.start, end_ns: range_ns.end, ..SpanSelect::default() };
        let mut found = BTreeSet::new();
        self.scan(tenant, &select, budget, &mut |batch| {
            batch.operations(&range_ns, &mut found);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}
