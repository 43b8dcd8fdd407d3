//! Sources that keep everything in memory: the plain references that engines are tested on and `store` is checked
//! against. They answer exactly what the ports in `model::scan` promise and nothing faster.

mod spans;

pub use spans::MemorySpans;
