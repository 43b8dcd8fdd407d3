//! Loki push: snappy-packed protobuf and JSON; and what every log record gets on the way in, whichever door it took:
//! a service name, a level, the ids of its trace.
//!
//! Source: Loki's public HTTP API and configuration documentation.

mod chunk;
mod fields;
mod json;
mod labels;
mod level;
mod push;
mod writer;

pub use json::decode_push_json;
pub use labels::{parse_labels, with_service_name};
pub use level::{level_of_line, level_of_severity_number, normalize_level};
pub use push::decode_push_protobuf;
pub(crate) use writer::{Writer, sanitize};
