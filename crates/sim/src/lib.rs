//! The whole pipeline in one process on the simulated platform, the conformance runners, and the benches.

pub mod bench;
pub mod conformance;
pub mod fuzz;
pub mod soak;
