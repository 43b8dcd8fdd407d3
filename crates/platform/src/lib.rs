//! The only door to the outside: clock, randomness, disk, network, tasks and our own metrics.
//!
//! Every other crate receives these as values, so that `sim` can put a simulated one in their place. No crate but this
//! one calls `std::fs`, `SystemTime::now`, `tokio::spawn` and their kin; `clippy.toml` lists them.

pub mod clock;
pub mod disk;
pub mod files;
pub mod metrics;
pub mod net;
pub mod proc;
pub mod random;
pub mod sim_disk;
pub mod task;

pub use clock::{Clock, RealClock, SharedClock, SimClock};
pub use disk::{Disk, DiskError, DiskFile, RealDisk, SharedDisk};
pub use random::{Random, RealRandom, SeededRandom};
pub use sim_disk::SimDisk;
