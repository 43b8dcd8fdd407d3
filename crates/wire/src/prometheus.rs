//! Prometheus: remote write 1.0 and the three exposition formats a scrape may answer with.
//!
//! The exposition parsers accept and refuse what Prometheus' own scrape parsers do, which is laxer than the
//! specifications; strictness is [`openmetrics::validate_strict`], a pass over the same parser.

mod exposition;
mod float;
mod native;
pub mod openmetrics;
pub mod protobuf;
pub mod remote_write;
mod scanner;
mod strict;
pub mod text;

pub use exposition::{Exposition, ExpositionOptions};
pub use float::{format_float, parse_float};
pub(crate) use native::validate_integer as validate_native;
