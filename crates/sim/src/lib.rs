//! The whole pipeline in one process on the simulated platform, and the conformance runners.

pub mod conformance;
pub mod fuzz;
pub mod soak;
