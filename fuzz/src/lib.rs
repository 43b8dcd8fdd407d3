//! The targets' bodies are those that the corpus replay test runs too.

#[path = "../../crates/sim/src/fuzz.rs"]
pub mod targets;
