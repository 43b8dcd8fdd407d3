//! What `zstd -19 --long=27` makes of one file of all uncompressed bodies: the measure of bytes on disk.
//!
//! It takes minutes, so a result is kept beside the build. Bodies of one seed and scale differ between runs in their
//! times alone, which zstd's result does not feel; a change of the generators must raise [`GENERATION`].
#![expect(
    clippy::disallowed_methods,
    reason = "the bench keeps its own files, outside any product's data directory"
)]

use super::bodies::Load;
use super::{Plan, Result, cache};
use std::io::{self, Write};

/// Raised when a generator changes what it makes.
const GENERATION: u32 = 1;
const LEVEL: i32 = 19;
/// As `--long=27`.
const WINDOW_LOG: u32 = 27;

/// Counts what is written to it.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of the compressed file.
pub(super) fn bytes(plan: &Plan, load: &Load) -> Result<u64> {
    let key = format!("zstd-{}-{}-{}-{GENERATION}", load.signal.name(), plan.seed, plan.scale);
    let kept = cache()?.join(key);
    if let Ok(text) = std::fs::read_to_string(&kept) {
        return Ok(text.trim().parse()?);
    }
    println!(
        "{}: zstd -{LEVEL} --long={WINDOW_LOG} of {} MB, some minutes",
        load.signal.name(),
        load.made.plain_bytes / 1_000_000
    );
    let mut encoder = zstd::Encoder::new(Count(0), LEVEL)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(WINDOW_LOG)?;
    load.each_plain(|body| Ok(encoder.write_all(body)?))?;
    let bytes = encoder.finish()?.0;
    std::fs::write(kept, bytes.to_string())?;
    Ok(bytes)
}
