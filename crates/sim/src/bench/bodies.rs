//! Request bodies on disk: made once, sent byte for byte to every program, and packed as one file for comparison.
//!
//! A data set is cut into lanes. A lane is a file of bodies, each behind its length; one sender sends one lane in
//! order, so that no record of a series or stream overtakes an earlier one. Nothing here knows what a body says.
#![expect(
    clippy::disallowed_methods,
    reason = "the bench keeps its own files, outside any product's data directory"
)]

use super::{LANES, Result, Signal};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Largest body that is read back, bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A made data set.
pub(super) struct Load {
    pub(super) signal: Signal,
    pub(super) lanes: Vec<PathBuf>,
    pub(super) made: Made,
}

/// What a data set holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    /// Samples, spans or lines.
    pub(super) records: u64,
    /// What a CPU-second is measured in: samples, spans, or bytes of lines.
    pub(super) units: u64,
    /// Bytes of all bodies before compression.
    pub(super) plain_bytes: u64,
    pub(super) requests: u64,
    /// First and last record, nanoseconds since the epoch.
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// Some traces and how many spans each has, to ask for.
    pub(super) probes: Vec<(String, usize)>,
}

impl Made {
    /// Adds what another lane holds.
    pub(super) fn add(&mut self, lane: Self) {
        self.records += lane.records;
        self.units += lane.units;
        self.plain_bytes += lane.plain_bytes;
        self.requests += lane.requests;
        self.start_ns = if self.start_ns == 0 { lane.start_ns } else { self.start_ns.min(lane.start_ns) };
        self.end_ns = self.end_ns.max(lane.end_ns);
        self.probes.extend(lane.probes);
    }
}

/// Writes one lane.
pub(super) struct LaneWriter {
    file: BufWriter<File>,
    packed: bool,
    pub(super) made: Made,
}

impl LaneWriter {
    fn create(path: &Path, signal: Signal) -> Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self { file, packed: signal.packs(), made: Made::default() })
    }

    /// Appends a body, packed as the signal's protocol demands.
    pub(super) fn push(&mut self, plain: &[u8]) -> Result<()> {
        self.made.requests += 1;
        self.made.plain_bytes += plain.len() as u64;
        if self.packed {
            let body = snap::raw::Encoder::new().compress_vec(plain)?;
            return self.write(&body);
        }
        self.write(plain)
    }

    fn write(&mut self, body: &[u8]) -> Result<()> {
        self.file.write_all(&u32::try_from(body.len())?.to_le_bytes())?;
        Ok(self.file.write_all(body)?)
    }
}

/// Makes the lanes of a data set in `folder`; `fill` writes one lane by its number.
pub(super) fn make(
    folder: &Path,
    signal: Signal,
    fill: impl Fn(u64, &mut LaneWriter) -> Result<()> + Sync,
) -> Result<Load> {
    std::fs::create_dir_all(folder)?;
    let lane = |number: u64| -> Result<(PathBuf, Made)> {
        let path = folder.join(format!("{}-{number}.bodies", signal.name()));
        let mut writer = LaneWriter::create(&path, signal)?;
        fill(number, &mut writer)?;
        writer.file.flush()?;
        Ok((path, writer.made))
    };
    let results: Vec<Result<(PathBuf, Made)>> = std::thread::scope(|scope| {
        let lane = &lane;
        let threads: Vec<_> = (0..LANES).map(|number| scope.spawn(move || lane(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a generator panicked".into())))
            .collect()
    });
    let mut load = Load { signal, lanes: Vec::new(), made: Made::default() };
    for result in results {
        let (path, made) = result?;
        load.lanes.push(path);
        load.made.add(made);
    }
    Ok(load)
}

/// Reads one lane.
pub(super) struct LaneReader(BufReader<File>);

impl LaneReader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self(BufReader::with_capacity(1 << 20, File::open(path)?)))
    }
}

impl Iterator for LaneReader {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => return Some(Err(error.into())),
            Ok(()) => {}
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > BODY_BYTES_MAX {
            return Some(Err(format!("a body of {length} bytes: the file is damaged").into()));
        }
        let mut body = vec![0; length];
        Some(self.0.read_exact(&mut body).map(|()| body).map_err(Into::into))
    }
}

impl Load {
    /// Every body before compression, lane after lane in turn: about the order in which they are sent.
    pub(super) fn each_plain(&self, mut see: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut lanes: Vec<LaneReader> =
            self.lanes.iter().map(|path| LaneReader::open(path)).collect::<Result<_>>()?;
        loop {
            let mut any = false;
            for lane in &mut lanes {
                let Some(body) = lane.next() else { continue };
                any = true;
                if self.signal.packs() {
                    see(&snap::raw::Decoder::new().decompress_vec(&body?)?)?;
                } else {
                    see(&body?)?;
                }
            }
            if !any {
                return Ok(());
            }
        }
    }
}

/// Bytes of all files below `folder`; a file with several names counts at each.
pub(super) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
