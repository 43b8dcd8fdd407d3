//! WAL, memory, immutable parts, merges: metrics, logs and spans over one part core.
