//! The nouns every other crate speaks: labels, series, samples, log records, spans, entities, changes,
//! time ranges, tenants, and the shape of a scan over them.
//!
//! Nothing here does I/O, spawns, reads a clock or knows a wire format. A batch ([`MetricBatch`], [`LogBatch`],
//! [`SpanBatch`]) is one arena of bytes plus flat tables that point into it, so that a record is copied once,
//! from the request buffer, and keeps that shape from `wire` through `store` to `query`.

pub mod attr;
pub mod change;
pub mod entity;
pub mod histogram;
pub mod id;
pub mod ingest;
pub mod labels;
pub mod log;
pub mod matcher;
pub mod metric;
pub mod scan;
pub mod span;
pub mod tenant;
pub mod text;

pub use attr::{Attr, Value};
pub use change::Change;
pub use entity::{Entity, EntityKind};
pub use histogram::FloatHistogram;
pub use id::{SpanId, TraceId};
pub use ingest::{Accepted, Refusal};
pub use labels::{Label, Labels, LabelsBuilder};
pub use log::{LogBatch, LogEntry, LogStream};
pub use matcher::{MatchOp, Matcher};
pub use metric::{Exemplar, MetricBatch, MetricKind, MetricMetadata};
pub use scan::{Completeness, LogSource, MetricSource, ScanError, SpanSource};
pub use span::{SpanBatch, SpanKind, SpanRef, SpanRow, StatusCode};
pub use tenant::Tenant;
pub use text::Text;
