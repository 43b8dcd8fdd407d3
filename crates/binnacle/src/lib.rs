//! Configuration, roles, wiring and shutdown of the one process.
