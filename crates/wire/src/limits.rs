//! The limits that hold for every decoder. A limit of one protocol stands in that protocol's module.

/// Largest body after decompression that a decoder of this crate unpacks by itself (snappy of remote write and Loki).
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// Deepest nesting of messages, lists or objects in any format.
pub const NESTING_DEPTH_MAX: usize = 64;

/// Most labels, attributes or structured metadata pairs of one record.
pub const ATTRIBUTES_PER_RECORD_MAX: usize = 4096;

/// Longest line of a text exposition.
pub const LINE_BYTES_MAX: usize = 1 << 20;
