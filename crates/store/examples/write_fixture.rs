//! Writes the data directory that the `formats` test reads: `cargo run -p store --example write_fixture -- DIRECTORY`.
//! Run it once per format version, into `crates/store/tests/data/v<version>/`, and never again for an old one.

#[path = "../tests/common/fixture.rs"]
mod fixture;

use model::Tenant;
use platform::metrics::Registry;
use platform::{RealDisk, SimClock};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Store, StoreOptions, Threads};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_fixture DIRECTORY")?);
    let disk = Arc::new(RealDisk::open(&directory)?);
    let clock = Arc::new(SimClock::at(fixture::T0_MS * 1_000_000));
    let options = StoreOptions { threads: Threads::None, ..StoreOptions::default() };
    let store = Store::open(disk, clock, &Registry::default(), options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let tenant = Tenant::default();
    for round in 0..fixture::ROUNDS {
        runtime.block_on(async {
            store.write_metrics(&tenant, fixture::metrics(round)).await?;
            store.write_logs(&tenant, fixture::logs(round)).await?;
            store.write_spans(&tenant, fixture::spans(round)).await?;
            store.append_change(&tenant, fixture::change(round)).await
        })?;
        match round {
            1 => store.compact()?,
            2 => store.flush()?,
            _ => {}
        }
    }
    Ok(())
}
